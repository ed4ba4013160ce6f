//! Inputs of the task `ready`: which objects of the cluster have to be ready, by which rule, and how long to wait for
//! them. Whether an object is ready is decided by who can look at it.

use std::borrow::Cow;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::scalar::Text;
use crate::schema::Problem;

/// Waits until every named object is ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ready {
    /// Name of a Service; ready when it has a ready endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Text>,
    /// Name of a Deployment; ready when its current generation is rolled out and available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Text>,
    /// Name of a StatefulSet; ready when its current generation is rolled out, down to its partition, and available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statefulset: Option<Text>,
    /// Name of a DaemonSet; ready when its current generation is available on every node that is to have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub daemonset: Option<Text>,
    /// Name of a Pod; ready when its condition Ready is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<Text>,
    /// Name of a Job; ready when it is complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub job: Option<Text>,
    /// Name of a Knative Service; ready when its condition Ready is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ksvc: Option<Text>,
    /// Name of a KServe InferenceService; ready when its condition Ready is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isvc: Option<Text>,
    /// Name of a Litmus ChaosEngine; ready when it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chaosengine: Option<Text>,
    /// Objects of any kind that is namespaced, several of a kind, or in several namespaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<ReadyObject>>,
    /// Namespace of the objects; the experiment's own when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// How long to wait for all of them together.
    #[serde(default = "default_timeout")]
    pub timeout: Option<GoDuration>,
}

/// An object of any kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReadyObject {
    /// API group, such as cert-manager.io; the core group when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<Text>,
    /// Version of the group, such as v1.
    pub version: Text,
    /// Plural of the kind in lower case, such as certificates.
    pub resource: Text,
    /// Its name.
    pub name: Text,
    /// Its namespace; that of the task when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// Condition that has to be true, such as Ready. Without it, objects of a kind that has a key of its own are ready by
    /// the rule of that key, and others by existing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub condition: Option<Text>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn default_timeout() -> Option<GoDuration> {
    Some(DEFAULT_TIMEOUT)
}

/// How long `ready` waits when nothing else is said.
pub const DEFAULT_TIMEOUT: GoDuration = GoDuration(Duration::from_secs(60));

/// When an object is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyRule<'a> {
    /// As a Service: with a ready endpoint.
    Service,
    /// As a Deployment: rolled out and available.
    Deployment,
    /// As a StatefulSet: rolled out and available.
    StatefulSet,
    /// As a DaemonSet: rolled out and available.
    DaemonSet,
    /// As a Pod: its condition Ready is true.
    Pod,
    /// As a Job: complete.
    Job,
    /// When this condition is true.
    Condition(&'a str),
    /// When it exists.
    Exists,
}

/// An object to wait for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadyTarget<'a> {
    /// The word for its kind in messages.
    pub noun: Cow<'a, str>,
    /// API group; empty for the core group.
    pub group: &'a str,
    /// Version of the group.
    pub version: &'a str,
    /// Plural of the kind.
    pub resource: &'a str,
    /// Name.
    pub name: &'a str,
    /// Namespace; that of the experiment when None.
    pub namespace: Option<&'a str>,
    /// When it is ready.
    pub rule: ReadyRule<'a>,
}

/// A kind with a key of its own.
struct Known {
    noun: &'static str,
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    rule: ReadyRule<'static>,
}

const fn known(
    noun: &'static str,
    group: &'static str,
    version: &'static str,
    resource: &'static str,
    rule: ReadyRule<'static>,
) -> Known {
    Known { noun, group, version, resource, rule }
}

const SERVICE: Known = known("service", "", "v1", "services", ReadyRule::Service);
const DEPLOYMENT: Known = known("deployment", "apps", "v1", "deployments", ReadyRule::Deployment);
const STATEFUL_SET: Known = known("stateful set", "apps", "v1", "statefulsets", ReadyRule::StatefulSet);
const DAEMON_SET: Known = known("daemon set", "apps", "v1", "daemonsets", ReadyRule::DaemonSet);
const POD: Known = known("pod", "", "v1", "pods", ReadyRule::Pod);
const JOB: Known = known("job", "batch", "v1", "jobs", ReadyRule::Job);
const KNATIVE_SERVICE: Known =
    known("Knative service", "serving.knative.dev", "v1", "services", ReadyRule::Condition("Ready"));
const INFERENCE_SERVICE: Known =
    known("inference service", "serving.kserve.io", "v1beta1", "inferenceservices", ReadyRule::Condition("Ready"));
const CHAOS_ENGINE: Known = known("chaos engine", "litmuschaos.io", "v1alpha1", "chaosengines", ReadyRule::Exists);

const KNOWN: [&Known; 9] = [
    &SERVICE,
    &DEPLOYMENT,
    &STATEFUL_SET,
    &DAEMON_SET,
    &POD,
    &JOB,
    &KNATIVE_SERVICE,
    &INFERENCE_SERVICE,
    &CHAOS_ENGINE,
];

/// When an object of a resource is ready; None for a resource that has no rule of its own.
pub fn rule_for(group: &str, resource: &str) -> Option<ReadyRule<'static>> {
    KNOWN.iter().find(|kind| (kind.group, kind.resource) == (group, resource)).map(|kind| kind.rule)
}

impl Ready {
    /// The objects to wait for, in the order in which they are documented.
    pub fn targets(&self) -> Vec<ReadyTarget<'_>> {
        let namespace = self.namespace.as_ref().map(|namespace| namespace.0.as_str());
        let named = self.named().map(|(_, kind, name)| ReadyTarget {
            noun: Cow::Borrowed(kind.noun),
            group: kind.group,
            version: kind.version,
            resource: kind.resource,
            name,
            namespace,
            rule: kind.rule,
        });
        named.chain(self.objects.iter().flatten().map(|object| object.target(namespace))).collect()
    }

    /// The objects that have a key of their own, with that key.
    fn named(&self) -> impl Iterator<Item = (&'static str, &'static Known, &str)> {
        let keys = [
            ("service", &SERVICE, &self.service),
            ("deploy", &DEPLOYMENT, &self.deploy),
            ("statefulset", &STATEFUL_SET, &self.statefulset),
            ("daemonset", &DAEMON_SET, &self.daemonset),
            ("pod", &POD, &self.pod),
            ("job", &JOB, &self.job),
            ("ksvc", &KNATIVE_SERVICE, &self.ksvc),
            ("isvc", &INFERENCE_SERVICE, &self.isvc),
            ("chaosengine", &CHAOS_ENGINE, &self.chaosengine),
        ];
        keys.into_iter().filter_map(|(key, kind, name)| Some((key, kind, name.as_ref()?.0.as_str())))
    }

    /// How long to wait for all objects together.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT).0
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.targets().is_empty() {
            problems.push(Problem::at(
                "",
                "names no object to wait for: set one of service, deploy, statefulset, daemonset, pod, job, ksvc, isvc, \
                 chaosengine, objects",
            ));
        }
        for (key, _, name) in self.named() {
            problems.extend(name_problem(key, name));
        }
        for (number, object) in self.objects.iter().flatten().enumerate() {
            let at = |problem: Problem| problem.under(&format!("objects[{number}]"));
            problems.extend(object.problems().into_iter().map(at));
        }
        problems.extend(self.namespace.as_ref().and_then(|namespace| namespace_problem(&namespace.0)));
        if self.timeout().is_zero() {
            problems.push(Problem::at("timeout", "must be longer than 0, got 0s: nothing can be looked at in no time"));
        }
        problems
    }
}

impl ReadyObject {
    fn group(&self) -> &str {
        self.group.as_ref().map_or("", |group| group.0.as_str())
    }

    fn target<'a>(&'a self, namespace: Option<&'a str>) -> ReadyTarget<'a> {
        let (group, resource) = (self.group(), self.resource.0.as_str());
        let kind = KNOWN.into_iter().find(|kind| kind.group == group && kind.resource == resource);
        let noun = match (kind, group) {
            (Some(kind), _) => Cow::Borrowed(kind.noun),
            (None, "") => Cow::Borrowed(resource),
            (None, group) => Cow::Owned(format!("{resource}.{group}")),
        };
        let rule = match (&self.condition, kind) {
            (Some(condition), _) => ReadyRule::Condition(&condition.0),
            (None, Some(kind)) => kind.rule,
            (None, None) => ReadyRule::Exists,
        };
        let namespace = self.namespace.as_ref().map(|namespace| namespace.0.as_str()).or(namespace);
        ReadyTarget { noun, group, version: &self.version.0, resource, name: &self.name.0, namespace, rule }
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let (group, version, resource) = (self.group(), self.version.0.as_str(), self.resource.0.as_str());
        if let Some((before, after)) = group.split_once('/') {
            let message = format!("must be the group alone, got `{group}`: write group: {before} and version: {after}");
            problems.push(Problem::at("group", message));
        } else if group == "core" {
            problems.push(Problem::at("group", "must be left out for objects of the core API, got `core`"));
        } else if !group.is_empty() {
            problems.extend(name_problem("group", group));
        }
        if let Some((before, after)) = version.split_once('/') {
            let message =
                format!("must be the version alone, got `{version}`: write group: {before} and version: {after}");
            problems.push(Problem::at("version", message));
        } else {
            problems.extend(name_problem("version", version));
        }
        if !is_name(resource) || resource.contains(['-', '.']) {
            let message = format!(
                "must be the plural of the kind in lower case, as `kubectl api-resources` lists it, got `{resource}`"
            );
            problems.push(Problem::at("resource", message));
        }
        problems.extend(name_problem("name", &self.name.0));
        problems.extend(self.namespace.as_ref().and_then(|namespace| namespace_problem(&namespace.0)));
        if self.condition.as_ref().is_some_and(|condition| condition.0.trim().is_empty()) {
            problems.push(Problem::at(
                "condition",
                "is empty: name the type of a condition, such as Ready, or leave it out",
            ));
        }
        problems
    }
}

fn is_name(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    !name.is_empty() && name.chars().all(inner) && !name.starts_with(['-', '.']) && !name.ends_with(['-', '.'])
}

fn name_problem(key: &str, name: &str) -> Option<Problem> {
    let message = format!("must be a name of lower-case letters, digits, `-` and `.`, got `{name}`");
    (!is_name(name)).then(|| Problem::at(key, message))
}

fn namespace_problem(namespace: &str) -> Option<Problem> {
    let message = format!("must be the name of a namespace: lower-case letters, digits and `-`, got `{namespace}`");
    (!is_name(namespace) || namespace.contains('.')).then(|| Problem::at("namespace", message))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn inputs(value: Value) -> Ready {
        serde_json::from_value(value).unwrap()
    }

    fn said(value: Value) -> Vec<String> {
        inputs(value).validate().iter().map(ToString::to_string).collect()
    }

    fn object(more: &Value) -> Value {
        let mut object = json!({ "group": "example.org", "version": "v1", "resource": "things", "name": "x" });
        object.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "objects": [object] })
    }

    #[test]
    fn every_key_names_a_kind_with_its_rule() {
        let all = inputs(json!({
            "service": "a", "deploy": "b", "statefulset": "c", "daemonset": "d", "pod": "e", "job": "f", "ksvc": "g",
            "isvc": "h", "chaosengine": "i", "namespace": "books",
        }));
        let found: Vec<String> = all
            .targets()
            .iter()
            .map(|t| {
                format!(
                    "{}/{}/{} {} {:?} in {:?}",
                    t.group,
                    t.version,
                    t.resource,
                    t.name,
                    t.rule,
                    t.namespace.unwrap()
                )
            })
            .collect();
        assert_eq!(
            found,
            [
                "/v1/services a Service in \"books\"",
                "apps/v1/deployments b Deployment in \"books\"",
                "apps/v1/statefulsets c StatefulSet in \"books\"",
                "apps/v1/daemonsets d DaemonSet in \"books\"",
                "/v1/pods e Pod in \"books\"",
                "batch/v1/jobs f Job in \"books\"",
                "serving.knative.dev/v1/services g Condition(\"Ready\") in \"books\"",
                "serving.kserve.io/v1beta1/inferenceservices h Condition(\"Ready\") in \"books\"",
                "litmuschaos.io/v1alpha1/chaosengines i Exists in \"books\"",
            ]
        );
    }

    #[test]
    fn other_objects_are_ready_by_their_condition_or_by_existing() {
        let rule = |more: Value| format!("{:?}", inputs(object(&more)).targets()[0].rule);
        assert_eq!(rule(json!({})), "Exists");
        assert_eq!(rule(json!({ "condition": "Synced" })), "Condition(\"Synced\")");
        assert_eq!(rule(json!({ "group": "apps", "resource": "deployments" })), "Deployment");
        assert_eq!(rule(json!({ "group": null, "resource": "services" })), "Service");
        assert_eq!(
            rule(json!({ "group": "apps", "resource": "deployments", "condition": "Available" })),
            "Condition(\"Available\")"
        );
    }

    #[test]
    fn an_object_is_in_its_own_namespace_or_in_that_of_the_task() {
        let namespace = |mut value: Value, task: Value| {
            value["namespace"] = task;
            inputs(value).targets()[0].namespace.map(str::to_owned)
        };
        assert_eq!(namespace(object(&json!({ "namespace": "db" })), json!("books")).as_deref(), Some("db"));
        assert_eq!(namespace(object(&json!({})), json!("books")).as_deref(), Some("books"));
        assert_eq!(namespace(object(&json!({})), Value::Null), None);
    }

    #[test]
    fn wrong_inputs_are_said_with_their_place_and_what_to_write() {
        let none = "names no object to wait for: set one of service, deploy, statefulset, daemonset, pod, job, ksvc, \
                    isvc, chaosengine, objects";
        let name = |key: &str, got: &str| {
            format!("`{key}` must be a name of lower-case letters, digits, `-` and `.`, got `{got}`")
        };
        let plural = |got: &str| {
            format!(
                "`objects[0].resource` must be the plural of the kind in lower case, as `kubectl api-resources` lists \
                 it, got `{got}`"
            )
        };
        let namespace = |key: &str, got: &str| {
            format!("`{key}` must be the name of a namespace: lower-case letters, digits and `-`, got `{got}`")
        };
        for (value, expected) in [
            (json!({}), none.to_owned()),
            (json!({ "objects": [] }), none.to_owned()),
            (json!({ "job": "My_Job" }), name("job", "My_Job")),
            (json!({ "pod": "" }), name("pod", "")),
            (json!({ "pod": "../secrets" }), name("pod", "../secrets")),
            (json!({ "pod": "x", "namespace": "a.b" }), namespace("namespace", "a.b")),
            (
                json!({ "pod": "x", "timeout": "0s" }),
                "`timeout` must be longer than 0, got 0s: nothing can be looked at in no time".to_owned(),
            ),
            (object(&json!({ "name": "X" })), name("objects[0].name", "X")),
            (object(&json!({ "namespace": "" })), namespace("objects[0].namespace", "")),
            (object(&json!({ "resource": "Thing" })), plural("Thing")),
            (object(&json!({ "resource": "pods/log" })), plural("pods/log")),
            (object(&json!({ "resource": "things.example.org" })), plural("things.example.org")),
            (
                object(&json!({ "group": "apps/v1" })),
                "`objects[0].group` must be the group alone, got `apps/v1`: write group: apps and version: v1"
                    .to_owned(),
            ),
            (
                object(&json!({ "version": "apps/v1" })),
                "`objects[0].version` must be the version alone, got `apps/v1`: write group: apps and version: v1"
                    .to_owned(),
            ),
            (
                object(&json!({ "group": "core" })),
                "`objects[0].group` must be left out for objects of the core API, got `core`".to_owned(),
            ),
            (
                object(&json!({ "condition": " " })),
                "`objects[0].condition` is empty: name the type of a condition, such as Ready, or leave it out"
                    .to_owned(),
            ),
        ] {
            assert_eq!(said(value.clone()), [expected], "{value}");
        }
    }
}
