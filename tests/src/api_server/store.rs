//! The objects, and the history of their changes that watches read. What a request may do with them is decided by
//! whoever calls.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::resource::{NAMESPACES, Resource};

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    pub(crate) resource: Resource,
    /// Empty for what is in none.
    pub(crate) namespace: String,
    pub(crate) name: String,
}

/// One entry of the history.
#[derive(Clone, Debug)]
pub(crate) struct Change {
    /// The version that it made.
    pub(crate) version: u64,
    pub(crate) what: What,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    /// An object is another now.
    Object(Box<Edit>),
    /// Watches that want bookmarks get one.
    Bookmark,
    /// Watches under way are over, because what they have seen is too old.
    Expired,
}

/// What became of an object; None stands for nothing.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    pub(crate) key: Key,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Everything that is stored.
#[derive(Debug)]
pub(crate) struct Store {
    version: u64,
    /// The oldest version that a watch may begin at.
    pub(crate) oldest: u64,
    uids: u64,
    pub(crate) objects: BTreeMap<Key, Value>,
    /// What each manager said last of an object.
    pub(crate) said: BTreeMap<(Key, String), Value>,
    /// Objects whose deletion waits until the test ends it.
    pub(crate) lingering: BTreeSet<Key>,
    history: Vec<Change>,
}

/// The finalizer of an object that waits for what it owns to go.
const FOREGROUND: &str = "foregroundDeletion";

impl Key {
    pub(crate) fn new(resource: Resource, namespace: &str, name: &str) -> Self {
        let namespace = if resource.namespaced { namespace } else { "" };
        Self { resource, namespace: namespace.to_owned(), name: name.to_owned() }
    }

    pub(crate) fn of(object: &Value) -> Self {
        let text = |key: &str| object["metadata"][key].as_str();
        let name = text("name").expect("an object has a name");
        Self::new(Resource::of(object), text("namespace").unwrap_or("default"), name)
    }
}

impl Store {
    pub(crate) fn new() -> Self {
        let mut store = Self {
            version: 100,
            oldest: 0,
            uids: 0,
            objects: BTreeMap::new(),
            said: BTreeMap::new(),
            lingering: BTreeSet::new(),
            history: Vec::new(),
        };
        for name in ["default", "kube-system"] {
            store.add_namespace(name);
        }
        store
    }

    pub(crate) fn add_namespace(&mut self, name: &str) {
        let labels = json!({ "kubernetes.io/metadata.name": name });
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": name, "labels": labels },
            "spec": { "finalizers": ["kubernetes"] }, "status": { "phase": "Active" },
        });
        self.write(Key::new(NAMESPACES, "", name), namespace);
    }

    /// The version of everything.
    pub(crate) fn version(&self) -> u64 {
        self.version
    }

    /// What has changed, oldest first.
    pub(crate) fn history(&self) -> &[Change] {
        &self.history
    }

    /// The objects of a resource; of one namespace, or of all when it is empty.
    pub(crate) fn list(&self, resource: Resource, namespace: &str) -> impl Iterator<Item = &Value> {
        let is_listed =
            move |key: &Key| key.resource == resource && (namespace.is_empty() || key.namespace == namespace);
        self.objects.iter().filter(move |(key, _)| is_listed(key)).map(|(_, object)| object)
    }

    /// `object` with everything that the server adds when it stores it in place of what is there: identity, versions,
    /// namespace and generation. A `stringData` becomes `data`.
    pub(crate) fn completed(&self, key: &Key, mut object: Value) -> Value {
        let before = self.objects.get(key);
        object["apiVersion"] = json!(key.resource.api_version());
        object["kind"] = json!(key.resource.kind);
        let kept =
            |field: &str| before.map(|before| before["metadata"][field].clone()).filter(|value| !value.is_null());
        let uid = || json!(format!("00000000-0000-4000-8000-{:012}", self.uids + 1));
        let now = || json!(format!("{:.0}", Timestamp::now()));
        let generation = match before {
            Some(before) => {
                let changed = i64::from(before["spec"] != object["spec"]);
                before["metadata"]["generation"].as_i64().map(|generation| json!(generation + changed))
            }
            None => object.get("spec").map(|_| json!(1)),
        };
        encode_strings(&mut object);
        let metadata = &mut object["metadata"];
        metadata["name"] = json!(key.name);
        if key.resource.namespaced {
            metadata["namespace"] = json!(key.namespace);
        }
        metadata["uid"] = kept("uid").unwrap_or_else(uid);
        metadata["creationTimestamp"] = kept("creationTimestamp").unwrap_or_else(now);
        metadata["resourceVersion"] = json!((self.version + 1).to_string());
        for (field, value) in [("generation", generation), ("deletionTimestamp", kept("deletionTimestamp"))] {
            match value {
                Some(value) => metadata[field] = value,
                None => drop(metadata.as_object_mut().and_then(|metadata| metadata.remove(field))),
            }
        }
        object
    }

    /// Stores an object as a new version, and returns it as it is stored.
    pub(crate) fn write(&mut self, key: Key, object: Value) -> Value {
        let object = self.completed(&key, object);
        self.put(key, object)
    }

    fn put(&mut self, key: Key, object: Value) -> Value {
        self.version += 1;
        self.uids += 1;
        let before = self.objects.insert(key.clone(), object.clone());
        self.note(What::Object(Box::new(Edit { key, before, after: Some(object.clone()) })));
        object
    }

    fn note(&mut self, what: What) {
        self.history.push(Change { version: self.version, what });
    }

    /// Deletes an object. It stays, marked, while finalizers or the test hold it.
    pub(crate) fn delete(&mut self, key: &Key) {
        let Some(mut object) = self.objects.get(key).cloned() else { return };
        if self.lingering.contains(key) {
            object["metadata"]["finalizers"] = json!([FOREGROUND]);
        }
        let is_held = object["metadata"]["finalizers"].as_array().is_some_and(|finalizers| !finalizers.is_empty());
        if !is_held {
            self.remove(key);
        } else if object["metadata"]["deletionTimestamp"].is_null() {
            object["metadata"]["deletionTimestamp"] = json!(format!("{:.0}", Timestamp::now()));
            object["metadata"]["resourceVersion"] = json!((self.version + 1).to_string());
            self.put(key.clone(), object);
        }
    }

    /// Removes an object, and with it what it alone owned.
    pub(crate) fn remove(&mut self, key: &Key) {
        let Some(mut object) = self.objects.remove(key) else { return };
        self.said.retain(|(said_of, _), _| said_of != key);
        self.lingering.remove(key);
        self.version += 1;
        let uid = object["metadata"]["uid"].clone();
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.note(What::Object(Box::new(Edit { key: key.clone(), before: Some(object), after: None })));
        let orphans: Vec<Key> =
            self.objects.iter().filter(|(_, o)| self.is_orphan(o, &uid)).map(|(k, _)| k.clone()).collect();
        orphans.iter().for_each(|orphan| self.delete(orphan));
    }

    /// Whether `object` was owned by `uid`, and by nothing that is still there.
    fn is_orphan(&self, object: &Value, uid: &Value) -> bool {
        let Some(owners) = object["metadata"]["ownerReferences"].as_array() else { return false };
        let is_there = |owner: &Value| self.objects.values().any(|object| object["metadata"]["uid"] == owner["uid"]);
        owners.iter().any(|owner| owner["uid"] == *uid) && !owners.iter().any(is_there)
    }

    /// Sends a bookmark to the watches that want some.
    pub(crate) fn bookmark(&mut self) {
        self.note(What::Bookmark);
    }

    /// Forgets the history: watches under way end, and no watch can begin at a version before the present one.
    pub(crate) fn expire(&mut self) {
        self.oldest = self.version;
        self.note(What::Expired);
    }
}

fn encode_strings(object: &mut Value) {
    use base64::Engine as _;
    let Some(strings) = object.as_object_mut().and_then(|object| object.remove("stringData")) else { return };
    for (key, text) in strings.as_object().into_iter().flatten() {
        let text = text.as_str().unwrap_or_default();
        object["data"][key] = json!(base64::engine::general_purpose::STANDARD.encode(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str, owner: Option<&Value>) -> Value {
        let owners: Vec<Value> = owner.map(|owner| json!({ "uid": owner["metadata"]["uid"] })).into_iter().collect();
        json!({
            "apiVersion": "v1", "kind": "Secret",
            "metadata": { "name": name, "namespace": "default", "ownerReferences": owners },
        })
    }

    fn put(store: &mut Store, object: Value) -> Value {
        store.write(Key::of(&object), object)
    }

    #[test]
    fn an_object_keeps_its_identity_and_gets_a_new_version() {
        let mut store = Store::new();
        let first = put(&mut store, secret("a", None));
        let second = put(&mut store, secret("a", None));
        let other = put(&mut store, secret("b", None));
        assert_eq!(first["metadata"]["uid"], second["metadata"]["uid"]);
        assert_ne!(first["metadata"]["resourceVersion"], second["metadata"]["resourceVersion"]);
        assert_ne!(first["metadata"]["uid"], other["metadata"]["uid"]);
    }

    #[test]
    fn what_was_owned_goes_with_its_owner() {
        let mut store = Store::new();
        let owner = put(&mut store, secret("owner", None));
        put(&mut store, secret("owned", Some(&owner)));
        put(&mut store, secret("other", None));
        store.delete(&Key::of(&owner));
        let names: Vec<&str> =
            store.list(Resource::named("secrets"), "").filter_map(|o| o["metadata"]["name"].as_str()).collect();
        assert_eq!(names, ["other"]);
    }

    #[test]
    fn a_lingering_object_stays_marked_until_it_is_removed() {
        let mut store = Store::new();
        let key = Key::of(&put(&mut store, secret("a", None)));
        store.lingering.insert(key.clone());
        store.delete(&key);
        assert!(!store.objects[&key]["metadata"]["deletionTimestamp"].is_null());
        store.remove(&key);
        assert!(!store.objects.contains_key(&key));
    }
}
