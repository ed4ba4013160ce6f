//! The values of the chart `autox` as one type: which objects trigger which experiments. It is the source of the chart's
//! `values.schema.json`, of the check of what users set, and of what the controller reads.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest as _, Sha256};

use super::object::VersionSource;
use super::{experiment_group, refs};
use crate::duration::GoDuration;
use crate::scalar::{Count, Flag, Text};
use crate::schema::{Problem, check, schema_of};
use crate::suggest::nearest;
use crate::values::{self, LogLevel, PullPolicy};

/// Values of AutoX.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Values of AutoX")]
pub struct AutoxValues {
    /// Triggers with their experiments, by a name of one's choice.
    #[serde(default)]
    pub groups: BTreeMap<String, TriggerGroup>,
    /// Image of the agent, which is also the controller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Text>,
    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Secrets with credentials of the image's registry, as a pod lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<Map<String, Value>>>,
    /// How much the controller logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// How many controllers run; one of them acts, the others wait to take over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<Count>,
    /// Requests and limits of the controller's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Map<String, Value>>,
    /// Security context of the pod; a key set to null is left to the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Map<String, Value>>,
    /// Labels of the pod beside iter8's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<BTreeMap<String, Text>>,
    /// Annotations of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_annotations: Option<BTreeMap<String, Text>>,
    /// Labels that a node must carry to run the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, Text>>,
    /// Taints that the pod tolerates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Map<String, Value>>>,
    /// Where the pod may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Map<String, Value>>,
    /// Priority class of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<Text>,
    /// Values of charts that this one is part of; Helm passes them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<Map<String, Value>>,
}

/// A trigger with its experiments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TriggerGroup {
    /// The object whose version is followed.
    pub trigger: Trigger,
    /// The experiments, by a name of one's choice.
    pub specs: BTreeMap<String, SpecValues>,
    /// How long a new version must stand before its experiments are launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debounce: Option<GoDuration>,
    /// Launch only when the rollout of the trigger is done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub await_rollout: Option<Flag>,
    /// What becomes of an experiment that runs when another version arrives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersede: Option<Supersede>,
    /// Keep the results of earlier versions; without it only that of the newest stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_history: Option<Flag>,
}

/// The object whose version is followed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Trigger {
    /// Its name.
    pub name: Text,
    /// Where it is; its experiments are launched there.
    pub namespace: Text,
    /// Its API group: apps; empty for services and pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Text>,
    /// The version of its API group: v1.
    pub version: Text,
    /// What it is, in the plural: deployments.
    pub resource: Text,
    /// Where its version stands: label (app.kubernetes.io/version), image, or the path of a field.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version_from: Option<Text>,
}

/// An experiment to launch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SpecValues {
    /// The chart: iter8.
    pub name: Text,
    /// Its values. They may refer to {{ .trigger.name }}, .namespace, .version, .track and .labels.NAME.
    #[serde(default)]
    pub values: Map<String, Value>,
    /// The version of the chart: 0.13 and what follows it, or that of this program.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
}

/// What becomes of an experiment that runs when another version arrives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Supersede {
    /// It is ended and deleted.
    #[default]
    Replace,
    /// It runs to its end, and the newest version is tested after it.
    Wait,
}

/// The only chart that specs can name.
pub const CHART: &str = "iter8";

impl TriggerGroup {
    /// Where the version of the trigger stands.
    pub fn version_source(&self) -> VersionSource {
        let text = self.trigger.version_from.as_ref();
        text.and_then(|text| VersionSource::parse(&text.0).ok()).unwrap_or_default()
    }

    /// Whether launches wait for the rollout.
    pub fn awaits_rollout(&self) -> bool {
        self.await_rollout.is_some_and(|flag| flag.0)
    }

    /// Whether more than the metadata of the trigger must be read.
    pub fn needs_whole_object(&self) -> bool {
        self.awaits_rollout() || self.version_source().needs_whole_object()
    }
}

impl Trigger {
    /// The API group; empty for the core group.
    pub fn api_group(&self) -> &str {
        self.group.as_ref().map_or("", |group| group.0.as_str())
    }

    /// `apps/v1`, or the bare version in the core group.
    pub fn api_version(&self) -> String {
        match self.api_group() {
            "" => self.version.0.clone(),
            group => format!("{group}/{}", self.version.0),
        }
    }

    /// `deployments.apps`, or the bare resource in the core group.
    pub fn qualified_resource(&self) -> String {
        match self.api_group() {
            "" => self.resource.0.clone(),
            group => format!("{}.{group}", self.resource.0),
        }
    }
}

impl SpecValues {
    /// Tells one experiment of a trigger from another, whatever the order in which its values were written.
    pub fn digest(&self, trigger: &Trigger) -> String {
        let text = serde_json::json!({
            "trigger": [trigger.qualified_resource(), trigger.namespace.0, trigger.name.0],
            "values": self.values,
        });
        let digest = Sha256::digest(sorted(&text).to_string());
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// A value with the keys of its maps in order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let ordered: BTreeMap<&String, Value> = map.iter().map(|(key, value)| (key, sorted(value))).collect();
            ordered.into_iter().map(|(key, value)| (key.clone(), value)).collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// `values.schema.json` of the chart.
pub fn schema() -> Value {
    schema_of::<AutoxValues>()
}

/// Reads values that have no [`problems`]. `program` is the version of this program.
///
/// # Errors
/// The problems, when they have some.
pub fn parse(values: &Value, program: &str) -> Result<AutoxValues, Vec<Problem>> {
    let found = problems(values, program);
    if !found.is_empty() {
        return Err(found);
    }
    serde_json::from_value(values.clone()).map_err(|error| vec![Problem::at("", error.to_string())])
}

/// Every problem of merged values: keys and types by the schema, then names, triggers and each experiment's own values.
pub fn problems(values: &Value, program: &str) -> Vec<Problem> {
    let mut problems = check(values, &schema());
    if !problems.is_empty() {
        return problems;
    }
    let parsed: AutoxValues = match serde_json::from_value(values.clone()) {
        Ok(parsed) => parsed,
        Err(error) => return vec![Problem::at("groups", error.to_string())],
    };
    let mut triggers: BTreeMap<(String, &str, &str), &str> = BTreeMap::new();
    let mut experiments: BTreeMap<(&str, String), String> = BTreeMap::new();
    for (name, group) in &parsed.groups {
        let place = format!("groups.{name}");
        problems.extend(group_problems(&place, group, program));
        let Trigger { name: object, namespace, .. } = &group.trigger;
        let trigger = (group.trigger.qualified_resource(), namespace.0.as_str(), object.0.as_str());
        if let Some(other) = triggers.insert(trigger, name) {
            let Trigger { resource, .. } = &group.trigger;
            problems.push(Problem::at(
                &format!("{place}.trigger"),
                format!(
                    "is {} {} in namespace {}, which group {other} has already: give one group all its specs",
                    resource.0, object.0, namespace.0
                ),
            ));
        }
        for spec in group.specs.keys() {
            let place = format!("{place}.specs.{spec}");
            let experiment = experiment_group(name, spec);
            if let Some(message) = name_problem(name, spec, &experiment) {
                problems.push(Problem::at(&place, message));
            } else if let Some(other) = experiments.insert((&namespace.0, experiment.clone()), place.clone()) {
                let message = format!("gives the experiment {experiment}, as `{other}` does: rename one of them");
                problems.push(Problem::at(&place, message));
            }
        }
    }
    problems
}

/// The longest name of a group of experiments, in characters.
const NAME_MAX: usize = 40;

fn name_problem(group: &str, spec: &str, experiment: &str) -> Option<String> {
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label =
        |name: &str| !name.is_empty() && name.bytes().all(inner) && !name.starts_with('-') && !name.ends_with('-');
    if !is_label(group) || !is_label(spec) {
        return Some(format!(
            "gives the experiment `{experiment}`: use lower-case letters, digits and `-` in the names of group and spec, \
             with a letter or digit at both ends"
        ));
    }
    let excess = experiment.len().saturating_sub(NAME_MAX);
    (excess > 0).then(|| {
        format!(
            "gives the experiment `{experiment}` with {} characters: shorten the names of group and spec by {excess}",
            experiment.len()
        )
    })
}

fn group_problems(place: &str, group: &TriggerGroup, program: &str) -> Vec<Problem> {
    let mut problems = Vec::new();
    let Trigger { name, namespace, version, resource, version_from, .. } = &group.trigger;
    for (key, text) in [("name", name), ("namespace", namespace), ("version", version), ("resource", resource)] {
        if text.0.trim().is_empty() {
            problems.push(Problem::at(&format!("{place}.trigger.{key}"), "is empty"));
        }
    }
    if let Some(error) = version_from.as_ref().and_then(|text| VersionSource::parse(&text.0).err()) {
        problems.push(Problem::at(&format!("{place}.trigger.versionFrom"), error.to_string()));
    }
    if group.specs.is_empty() {
        problems
            .push(Problem::at(&format!("{place}.specs"), "has no experiment: add one, as in specs.iter8.name=iter8"));
    }
    for (name, spec) in &group.specs {
        let place = format!("{place}.specs.{name}");
        problems
            .extend(chart_problem(spec, program).map(|(key, message)| Problem::at(&format!("{place}.{key}"), message)));
        let found = experiment_problems(&group.trigger, &spec.values);
        problems.extend(found.into_iter().map(|problem| problem.under("values").under(&place)));
        if group.supersede == Some(Supersede::Wait)
            && spec.values.get("runner").is_some_and(|runner| runner == "cronjob")
        {
            problems.push(Problem::at(
                &format!("{place}.values.runner"),
                "is cronjob, which never ends, and supersede is wait: choose supersede=replace",
            ));
        }
    }
    problems
}

fn chart_problem(spec: &SpecValues, program: &str) -> Option<(&'static str, String)> {
    let name = spec.name.0.as_str();
    if name != CHART {
        let meant = nearest(name, [CHART])
            .map_or_else(|| "known is iter8".to_owned(), |meant| format!("did you mean {meant}?"));
        return Some(("name", format!("is the chart `{name}`, which does not exist; {meant}")));
    }
    let version = spec.version.as_ref()?.0.trim_start_matches(['v', '~', '^', '=', ' ']);
    let is_known = ["0.13", program]
        .into_iter()
        .any(|known| version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.')));
    (!is_known).then(|| {
        let message = format!(
            "is {version}, and this program has the chart iter8 with the values of 0.13 and of {program}: leave version away"
        );
        ("version", message)
    })
}

/// Problems of an experiment's values. What refers to the trigger is not judged, because it is not known yet.
fn experiment_problems(trigger: &Trigger, values: &Map<String, Value>) -> Vec<Problem> {
    match refs::fill(values, &refs::Trigger::sample(trigger)) {
        Err(problems) => problems,
        Ok(filled) => {
            let open = referring(values);
            let is_open = |problem: &Problem| open.contains(&problem.path);
            values::problems(&Value::Object(filled)).into_iter().filter(|problem| !is_open(problem)).collect()
        }
    }
}

/// The places whose texts refer to the trigger.
fn referring(values: &Map<String, Value>) -> BTreeSet<String> {
    fn walk(place: &str, value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::String(text) if refs::refers(text) => {
                found.insert(place.to_owned());
            }
            Value::Object(map) => map.iter().for_each(|(key, value)| {
                let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
                walk(&place, value, found);
            }),
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(at, item)| walk(&format!("{place}[{at}]"), item, found));
            }
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut found = BTreeSet::new();
    walk("", &Value::Object(values.clone()), &mut found);
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn httpbin() -> Value {
        json!({ "groups": { "httpbin": {
            "trigger": { "name": "httpbin", "namespace": "default", "group": "apps", "version": "v1", "resource": "deployments" },
            "specs": { "iter8": { "name": "iter8", "version": "0.13.0", "values": {
                "tasks": ["ready", "http", "assess"],
                "ready": { "deploy": "httpbin", "service": "httpbin", "timeout": "60s" },
                "http": { "url": "http://httpbin.default/get" },
                "assess": { "SLOs": { "upper": { "http/latency-mean": 50, "http/error-count": 0 } } },
                "runner": "job",
            } } },
        } } })
    }

    fn said(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut values = httpbin();
        change(&mut values);
        problems(&values, "0.1.0").iter().map(ToString::to_string).collect()
    }

    #[test]
    fn the_documented_example_is_good() {
        let values = parse(&httpbin(), "0.1.0").unwrap();
        let group = &values.groups["httpbin"];
        assert_eq!(group.trigger.qualified_resource(), "deployments.apps");
        assert_eq!((group.version_source(), group.needs_whole_object()), (VersionSource::Label, false));
        assert_eq!(said(|_| ()), [""; 0]);
    }

    #[test]
    fn a_trigger_that_two_groups_have_is_refused() {
        let found = said(|values| {
            values["groups"]["other"] = values["groups"]["httpbin"].clone();
            values["groups"]["other"]["trigger"]["version"] = json!("v1beta1");
        });
        let expected = "`groups.other.trigger` is deployments httpbin in namespace default, which group httpbin has already: \
                        give one group all its specs";
        assert_eq!(found, [expected]);
    }

    #[test]
    fn names_that_give_no_group_of_experiments_are_refused() {
        let found = said(|values| {
            let specs = &mut values["groups"]["httpbin"]["specs"];
            specs["a-spec-with-a-name-that-is-long"] = specs["iter8"].clone();
            specs["Upper"] = specs["iter8"].clone();
        });
        assert_eq!(found.len(), 2, "{found:?}");
        found.iter().for_each(|text| assert!(text.starts_with("`groups.httpbin.specs."), "{text}"));
        assert!(found[0].ends_with("use lower-case letters, digits and `-` in the names of group and spec, with a letter or digit at both ends"), "{found:?}");
        assert!(found[1].ends_with("with 45 characters: shorten the names of group and spec by 5"), "{found:?}");
    }

    #[test]
    fn two_specs_cannot_give_one_experiment() {
        let found = said(|values| {
            let mut other = values["groups"]["httpbin"].clone();
            other["trigger"]["name"] = json!("web");
            values["groups"]["a"] = json!({ "trigger": other["trigger"], "specs": { "b-c": other["specs"]["iter8"] } });
            other["trigger"]["name"] = json!("db");
            values["groups"]["a-b"] = json!({ "trigger": other["trigger"], "specs": { "c": other["specs"]["iter8"] } });
        });
        assert_eq!(
            found,
            ["`groups.a-b.specs.c` gives the experiment autox-a-b-c, as `groups.a.specs.b-c` does: rename one of them"]
        );
    }

    #[test]
    fn charts_and_values_that_do_not_exist_are_refused_with_their_place() {
        let found = said(|values| {
            let spec = &mut values["groups"]["httpbin"]["specs"]["iter8"];
            spec["name"] = json!("iter9");
            spec["values"]["http"]["ulr"] = json!("x");
        });
        assert_eq!(
            found[0],
            "`groups.httpbin.specs.iter8.name` is the chart `iter9`, which does not exist; did you mean iter8?"
        );
        assert!(found[1].starts_with("`groups.httpbin.specs.iter8.values.http.ulr`"), "{found:?}");
        let found = said(|values| values["groups"]["httpbin"]["specs"]["iter8"]["version"] = json!("0.14.2"));
        assert!(
            found[0].ends_with("has the chart iter8 with the values of 0.13 and of 0.1.0: leave version away"),
            "{found:?}"
        );
        for version in ["0.13", "0.13.x", "~0.13.7", "v0.13.0", "0.1.0"] {
            assert_eq!(
                said(|values| values["groups"]["httpbin"]["specs"]["iter8"]["version"] = json!(version)),
                [""; 0]
            );
        }
    }

    #[test]
    fn values_that_refer_to_the_trigger_are_judged_only_where_they_are_known() {
        let number = said(|values| {
            values["groups"]["httpbin"]["specs"]["iter8"]["values"]["http"]["qps"] = json!("{{ .trigger.labels.qps }}");
        });
        assert_eq!(number, [""; 0]);
        let wrong = said(|values| {
            values["groups"]["httpbin"]["specs"]["iter8"]["values"]["http"]["url"] =
                json!("http://{{ .trigger.host }}/");
        });
        assert!(
            wrong[0].starts_with("`groups.httpbin.specs.iter8.values.http.url` refers to .trigger.host"),
            "{wrong:?}"
        );
    }

    #[test]
    fn what_is_missing_or_empty_is_named() {
        let found = said(|values| {
            values["groups"]["httpbin"]["specs"] = json!({});
            values["groups"]["httpbin"]["trigger"]["name"] = json!("");
            values["groups"]["httpbin"]["trigger"]["versionFrom"] = json!("tag");
        });
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[0], "`groups.httpbin.trigger.name` is empty");
        let found = said(|values| {
            values["groups"]["httpbin"]["trigger"].as_object_mut().unwrap().remove("resource");
        });
        assert!(found[0].contains("resource"), "{found:?}");
    }

    #[test]
    fn the_digest_of_an_experiment_does_not_depend_on_the_order_of_keys() {
        let digest = |text: &str| {
            let mut values = httpbin();
            values["groups"]["httpbin"]["specs"]["iter8"]["values"]["http"] = serde_json::from_str(text).unwrap();
            let parsed: AutoxValues = serde_json::from_value(values).unwrap();
            let group = &parsed.groups["httpbin"];
            group.specs["iter8"].digest(&group.trigger)
        };
        let first = digest(r#"{"url": "http://a", "headers": {"a": "1", "b": "2"}}"#);
        assert_eq!(first, digest(r#"{"headers": {"b": "2", "a": "1"}, "url": "http://a"}"#));
        assert_ne!(first, digest(r#"{"url": "http://b", "headers": {"a": "1", "b": "2"}}"#));
        assert_eq!(first.len(), 16);
    }

    #[test]
    fn an_experiment_without_end_cannot_be_waited_for() {
        let found = said(|values| {
            values["groups"]["httpbin"]["supersede"] = json!("wait");
            let spec = &mut values["groups"]["httpbin"]["specs"]["iter8"]["values"];
            spec["runner"] = json!("cronjob");
            spec["cronjobSchedule"] = json!("*/5 * * * *");
        });
        assert_eq!(
            found,
            [
                "`groups.httpbin.specs.iter8.values.runner` is cronjob, which never ends, and supersede is wait: choose supersede=replace"
            ]
        );
    }
}
