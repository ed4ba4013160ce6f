//! What each verb does, as the API conventions of Kubernetes say.

use bytes::Bytes;
use http::StatusCode;
use serde_json::{Value, json};

use super::merge;
use super::resource::{Call, NAMESPACES, Resource};
use super::selector::Selector;
use super::status::Refusal;
use super::store::{Key, Store};

/// What is stored of an object's data at most.
const SECRET_MAX_BYTES: usize = 1024 * 1024;

/// A request as far as a verb wants to know it.
pub(crate) struct Asked<'a> {
    pub(crate) call: &'a Call,
    pub(crate) content_type: &'a str,
    pub(crate) user_agent: &'a str,
    pub(crate) body: &'a Bytes,
}

type Answer = Result<(StatusCode, Value), Refusal>;

/// Carries out everything but watches and subresources.
pub(crate) fn perform(store: &mut Store, asked: &Asked<'_>) -> Answer {
    match asked.call.verb {
        "get" => get(store, asked.call),
        "list" => list(store, asked.call),
        "create" => create(store, asked),
        "update" => update(store, asked),
        "patch" if asked.content_type.starts_with("application/apply-patch") => apply(store, asked),
        "patch" => patch(store, asked),
        "delete" => delete(store, asked),
        verb => unreachable!("{verb} is no verb of a plain request"),
    }
}

fn get(store: &Store, call: &Call) -> Answer {
    let found = store.objects.get(&key(call));
    found.map(|object| (StatusCode::OK, object.clone())).ok_or_else(|| Refusal::not_found(call))
}

fn list(store: &Store, call: &Call) -> Answer {
    let selector = Selector::of(call)?;
    let selected = store.list(call.resource, &call.namespace).filter(|object| selector.selects(object));
    let items: Vec<Value> = selected.map(|object| bare(call.resource, object)).collect();
    let list = json!({
        "apiVersion": call.resource.api_version(), "kind": format!("{}List", call.resource.kind),
        "metadata": { "resourceVersion": store.version().to_string() }, "items": items,
    });
    Ok((StatusCode::OK, list))
}

/// Items of lists do not say what the list says, unless they are custom.
fn bare(resource: Resource, object: &Value) -> Value {
    let mut object = object.clone();
    if let Some(object) = object.as_object_mut().filter(|_| resource.builtin) {
        object.remove("apiVersion");
        object.remove("kind");
    }
    object
}

fn create(store: &mut Store, asked: &Asked<'_>) -> Answer {
    let mut object = asked.object()?;
    if object["metadata"]["name"].is_null() {
        let prefix = object["metadata"]["generateName"].as_str();
        let prefix = prefix.ok_or_else(|| {
            Refusal::invalid(asked.call, "metadata.name: Required value: name or generateName is required")
        })?;
        object["metadata"]["name"] = json!(format!("{prefix}{:05}", store.version() % 100_000));
    }
    let name = object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let call = &Call { name, ..asked.call.clone() };
    writable(store, call)?;
    if store.objects.contains_key(&key(call)) {
        return Err(Refusal::exists(call));
    }
    object["metadata"].as_object_mut().map(|metadata| metadata.remove("resourceVersion"));
    manage(&mut object, &asked.manager(), "Update");
    save(store, &Asked { call, ..*asked }, object).map(|object| (StatusCode::CREATED, object))
}

fn update(store: &mut Store, asked: &Asked<'_>) -> Answer {
    let live = get(store, asked.call)?.1;
    let mut object = asked.object()?;
    matching(asked.call, &live, &object["metadata"])?;
    object["metadata"]["managedFields"] = live["metadata"]["managedFields"].clone();
    manage(&mut object, &asked.manager(), "Update");
    save(store, asked, object).map(|object| (StatusCode::OK, object))
}

fn patch(store: &mut Store, asked: &Asked<'_>) -> Answer {
    if !asked.content_type.starts_with("application/merge-patch+json")
        && !asked.content_type.starts_with("application/strategic-merge-patch+json")
    {
        return Err(Refusal::bad_request(&format!(
            "the fake API server knows no patch of type {}",
            asked.content_type
        )));
    }
    let live = get(store, asked.call)?.1;
    let patch = asked.object()?;
    matching(asked.call, &live, &patch["metadata"])?;
    let mut object = live;
    merge::merge_patch(&mut object, &patch);
    manage(&mut object, &asked.manager(), "Update");
    save(store, asked, object).map(|object| (StatusCode::OK, object))
}

/// Server-side apply: makes the object, or merges what the manager says into it.
fn apply(store: &mut Store, asked: &Asked<'_>) -> Answer {
    let call = asked.call;
    let says = asked.object()?;
    let manager = call.parameter("fieldManager");
    let manager = manager.ok_or_else(|| {
        Refusal::bad_request(
            "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch",
        )
    })?;
    let live = store.objects.get(&key(call)).cloned();
    let code = if live.is_some() { StatusCode::OK } else { StatusCode::CREATED };
    match &live {
        Some(live) => matching(call, live, &says["metadata"])?,
        None => writable(store, call)?,
    }
    let said_key = (key(call), manager.to_owned());
    let mut object = live.unwrap_or_else(|| json!({}));
    merge::apply(&mut object, &says, store.said.get(&said_key).unwrap_or(&Value::Null));
    manage(&mut object, manager, "Apply");
    let object = save(store, asked, object)?;
    if !asked.is_dry_run() {
        store.said.insert(said_key, says);
    }
    Ok((code, object))
}

fn delete(store: &mut Store, asked: &Asked<'_>) -> Answer {
    let call = asked.call;
    let live = get(store, call)?.1;
    let options = if asked.body.is_empty() { json!({}) } else { asked.object()? };
    for (field, name) in [("uid", "UID"), ("resourceVersion", "ResourceVersion")] {
        let (wanted, is) = (options["preconditions"][field].as_str(), live["metadata"][field].as_str());
        if let Some(wanted) = wanted.filter(|wanted| Some(*wanted) != is) {
            return Err(Refusal::precondition(call, name, wanted, is.unwrap_or_default()));
        }
    }
    if !asked.is_dry_run() && options["dryRun"].as_array().is_none_or(Vec::is_empty) {
        store.delete(&key(call));
    }
    let kept = store.objects.get(&key(call)).cloned();
    let done = json!({
        "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success",
        "details": { "name": call.name, "group": call.resource.group, "kind": call.resource.plural, "uid": live["metadata"]["uid"] },
    });
    Ok((StatusCode::OK, kept.unwrap_or(done)))
}

impl Asked<'_> {
    /// The object in the body, JSON or YAML.
    fn object(&self) -> Result<Value, Refusal> {
        let text = std::str::from_utf8(self.body).unwrap_or_default();
        let value: Option<Value> = serde_json::from_str(text).ok().or_else(|| serde_yaml::from_str(text).ok());
        value.filter(Value::is_object).ok_or_else(|| Refusal::bad_request("the body of the request is no object"))
    }

    /// Who says that it writes; without a word the beginning of the user agent, as the real server takes it.
    fn manager(&self) -> String {
        let default = || self.user_agent.split('/').next().unwrap_or_default();
        self.call.parameter("fieldManager").unwrap_or_else(default).to_owned()
    }

    fn is_dry_run(&self) -> bool {
        self.call.parameter("dryRun") == Some("All")
    }
}

fn key(call: &Call) -> Key {
    Key::new(call.resource, &call.namespace, &call.name)
}

/// Whether an object can be made in the namespace.
fn writable(store: &Store, call: &Call) -> Result<(), Refusal> {
    if !call.resource.namespaced {
        return Ok(());
    }
    let namespace = store.objects.get(&Key::new(NAMESPACES, "", &call.namespace));
    match namespace.map(|namespace| &namespace["metadata"]["deletionTimestamp"]) {
        None => Err(Refusal::no_namespace(&call.namespace)),
        Some(Value::Null) => Ok(()),
        Some(_) => Err(Refusal::terminating(call)),
    }
}

/// Whether identity and version, where they are given, are those of the object that is there.
fn matching(call: &Call, live: &Value, given: &Value) -> Result<(), Refusal> {
    let differs = |field: &str| given[field].as_str().filter(|given| live["metadata"][field] != *given);
    if let Some(uid) = differs("uid") {
        return Err(Refusal::precondition(call, "UID", uid, live["metadata"]["uid"].as_str().unwrap_or_default()));
    }
    match differs("resourceVersion") {
        Some(version) if !version.is_empty() => Err(Refusal::modified(call)),
        _ => Ok(()),
    }
}

/// Notes that `manager` set some fields; which ones is not kept.
fn manage(object: &mut Value, manager: &str, operation: &str) {
    let mut entries = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    if !entries.iter().any(|entry| entry["manager"] == manager && entry["operation"] == operation) {
        entries.push(json!({
            "manager": manager, "operation": operation, "apiVersion": object["apiVersion"],
            "fieldsType": "FieldsV1", "fieldsV1": {},
        }));
    }
    object["metadata"]["managedFields"] = Value::Array(entries);
}

/// Stores an object that is allowed. One that is as it was keeps its version.
fn save(store: &mut Store, asked: &Asked<'_>, object: Value) -> Result<Value, Refusal> {
    let key = key(asked.call);
    let live = store.objects.get(&key);
    let mut object = store.completed(&key, object);
    allowed(asked.call, live, &object)?;
    if let Some(live) = live {
        let mut same = object.clone();
        same["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
        if same == *live {
            return Ok(same);
        }
    }
    if asked.is_dry_run() {
        object["metadata"]["resourceVersion"] =
            live.map_or(Value::Null, |live| live["metadata"]["resourceVersion"].clone());
        return Ok(object);
    }
    let is_free = object["metadata"]["finalizers"].as_array().is_none_or(Vec::is_empty);
    let is_going = !object["metadata"]["deletionTimestamp"].is_null();
    let stored = store.write(key.clone(), object);
    if is_going && is_free {
        store.remove(&key);
    }
    Ok(stored)
}

/// The rules of validation that iter8 runs into.
fn allowed(call: &Call, live: Option<&Value>, object: &Value) -> Result<(), Refusal> {
    if call.resource.kind != "Secret" {
        return Ok(());
    }
    let size: usize =
        object["data"].as_object().into_iter().flatten().map(|(_, value)| value.as_str().map_or(0, decoded_len)).sum();
    if size > SECRET_MAX_BYTES {
        let why = format!("data: Too long: may not be more than {SECRET_MAX_BYTES} bytes");
        return Err(Refusal::invalid(call, &why));
    }
    let Some(live) = live else { return Ok(()) };
    let is_fixed = live["immutable"] == true;
    if is_fixed && (object["immutable"] != true || object["data"] != live["data"]) {
        let field = if object["immutable"] == true { "data" } else { "immutable" };
        return Err(Refusal::invalid(call, &format!("{field}: Forbidden: field is immutable when `immutable` is set")));
    }
    Ok(())
}

fn decoded_len(base64: &str) -> usize {
    base64.trim_end_matches('=').len() * 3 / 4
}
