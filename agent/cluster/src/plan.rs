//! What a launch will apply: the manifests of one revision, made members of the group's set and put in order. Pure;
//! comparing them with the cluster is the business of [`crate::survey`], applying them that of [`crate::launch`].

use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_core::autox::Cause;
use iter8_core::values::Runner;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::error::{BoxError, ClusterError};
use crate::history::HISTORY_LIMIT;
use crate::names::{self, APPLYSET_PART_OF, Component, Group, Revision};
use crate::objects::{Kind, ObjectId};

/// How long a launch of somebody else may show no sign of life before it is taken over.
pub const TAKEOVER_AFTER: Duration = Duration::from_secs(15);

/// How long an earlier run is given to save its result and end.
pub const STOP_WITHIN: Duration = Duration::from_secs(35);

/// Makes the manifests of a revision.
pub type Render<'a> = dyn Fn(Revision) -> Result<Vec<Value>, BoxError> + Send + Sync + 'a;

/// A launch, all but its revision.
pub struct LaunchPlan<'a> {
    /// Where the group is.
    pub namespace: &'a str,
    /// The group.
    pub group: &'a Group,
    /// The values that the user gave, merged; the history keeps them.
    pub values: &'a Value,
    /// Image of the agent, for the history.
    pub image: &'a str,
    /// What runs the experiment, for the history.
    pub runner: Runner,
    /// Why AutoX launches; None when somebody else does. With a cause, a launch that is there already is not repeated,
    /// and one that was begun is completed.
    pub cause: Option<&'a Cause>,
    /// How many revisions are remembered, with their results.
    pub history_limit: usize,
    /// Makes the manifests, once the revision is known. It may be called again when somebody else launched first.
    pub render: &'a Render<'a>,
    /// How long somebody else's launch may show no sign of life: [`TAKEOVER_AFTER`].
    pub takeover_after: Duration,
    /// How long an earlier run is given to end: [`STOP_WITHIN`].
    pub stop_within: Duration,
}

impl<'a> LaunchPlan<'a> {
    /// A launch with the usual patience.
    pub fn new(namespace: &'a str, group: &'a Group, values: &'a Value, render: &'a Render<'a>) -> Self {
        Self {
            namespace,
            group,
            values,
            image: "",
            runner: Runner::Job,
            cause: None,
            history_limit: HISTORY_LIMIT,
            render,
            takeover_after: TAKEOVER_AFTER,
            stop_within: STOP_WITHIN,
        }
    }
}

impl fmt::Debug for LaunchPlan<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { namespace, group, image, runner, .. } = self;
        write!(f, "LaunchPlan({namespace}/{group}, {runner:?}, {image})")
    }
}

/// An object to apply.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Planned {
    pub(crate) object: ObjectId,
    pub(crate) manifest: Value,
}

/// The objects of a revision, in the order in which they are applied.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Objects {
    pub(crate) planned: Vec<Planned>,
    /// SHA-256 of the manifests as rendered, in hexadecimal.
    pub(crate) digest: String,
}

/// Renders a revision and makes its objects members of the set `set_id`.
pub(crate) fn objects(plan: &LaunchPlan<'_>, revision: Revision, set_id: &str) -> Result<Objects, ClusterError> {
    let rendered = (plan.render)(revision).map_err(|source| ClusterError::Render {
        group: plan.group.clone(),
        revision,
        source,
    })?;
    let digest = digest(&rendered);
    let mut planned = Vec::with_capacity(rendered.len() + 1);
    for manifest in rendered {
        planned.push(member(manifest, plan.namespace, set_id)?);
    }
    let result = ObjectId {
        kind: Kind::Secret,
        namespace: plan.namespace.to_owned(),
        name: names::result_secret(plan.group, revision.0),
    };
    if planned.iter().all(|planned| planned.object != result) {
        planned.push(empty_result(plan.group, revision, result, set_id)?);
    }
    Ok(Objects { planned: in_order(planned)?, digest })
}

/// Makes a manifest a member of a set; without a namespace of its own it is in `namespace`.
pub(crate) fn member(mut manifest: Value, namespace: &str, set_id: &str) -> Result<Planned, ClusterError> {
    let object = ObjectId::of(&manifest, namespace)?;
    join(&mut manifest, &object, set_id)?;
    Ok(Planned { object, manifest })
}

/// Members in the order in which they are applied, of which no two are the same.
pub(crate) fn in_order(mut planned: Vec<Planned>) -> Result<Vec<Planned>, ClusterError> {
    planned.sort_by(|a, b| a.object.cmp(&b.object));
    match planned.windows(2).find(|pair| pair[0].object == pair[1].object) {
        Some(pair) => Err(ClusterError::Manifest(format!("of {} is there twice", pair[0].object))),
        None => Ok(planned),
    }
}

/// Makes objects in the parent's namespace go when the parent goes.
pub(crate) fn own(manifest: &mut Value, owner: &Value) {
    manifest["metadata"]["ownerReferences"] = json!([owner]);
}

fn empty_result(group: &Group, revision: Revision, object: ObjectId, set_id: &str) -> Result<Planned, ClusterError> {
    let labels = names::labels(group, Some(revision.0), Component::Result);
    let metadata = json!({ "name": object.name, "namespace": object.namespace, "labels": labels });
    let mut manifest =
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "type": names::RESULT_TYPE });
    join(&mut manifest, &object, set_id)?;
    Ok(Planned { object, manifest })
}

fn join(manifest: &mut Value, object: &ObjectId, set_id: &str) -> Result<(), ClusterError> {
    manifest["metadata"]["namespace"] = json!(object.namespace);
    let labels = &mut manifest["metadata"]["labels"];
    if labels.get(APPLYSET_PART_OF).is_some() {
        return Err(ClusterError::Manifest(format!(
            "of {object} carries the label {APPLYSET_PART_OF}, which iter8 sets"
        )));
    }
    labels[APPLYSET_PART_OF] = json!(set_id);
    // `stringData` is write-only: what is removed from it later would stay.
    if let Some(Value::Object(plain)) = manifest.as_object_mut().and_then(|manifest| manifest.remove("stringData")) {
        let encoded =
            plain.iter().filter_map(|(key, text)| Some((key.clone(), json!(STANDARD.encode(text.as_str()?)))));
        let encoded: Map<String, Value> = encoded.collect();
        match &mut manifest["data"] {
            Value::Object(data) => data.extend(encoded),
            data => *data = Value::Object(encoded),
        }
    }
    Ok(())
}

fn digest(rendered: &[Value]) -> String {
    let mut hash = Sha256::new();
    for manifest in rendered {
        hash.update(manifest.to_string());
        hash.update("\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(name: &str) -> Value {
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"a": "b"}})
    }

    fn planned(manifests: &[Value]) -> Result<Objects, ClusterError> {
        let render = |_| Ok(manifests.to_vec());
        let group = Group::default();
        objects(&LaunchPlan::new("shop", &group, &Value::Null, &render), Revision(1), "applyset-x-v1")
    }

    #[test]
    fn every_object_joins_the_set_and_the_workload_comes_last() {
        let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "iter8-default-1"}});
        let objects = planned(&[job, secret("iter8-default-1-spec")]).unwrap();
        let names: Vec<String> = objects.planned.iter().map(|planned| planned.object.to_string()).collect();
        assert_eq!(
            names,
            ["secret/iter8-default-1-result", "secret/iter8-default-1-spec", "job.batch/iter8-default-1"]
        );
        for planned in &objects.planned {
            assert_eq!(planned.manifest["metadata"]["labels"][APPLYSET_PART_OF], "applyset-x-v1");
            assert_eq!(planned.manifest["metadata"]["namespace"], "shop");
        }
        assert_eq!(objects.planned[1].manifest["data"]["a"], "Yg==");
        assert!(objects.planned[1].manifest.get("stringData").is_none());
        assert_eq!(objects.digest.len(), 64);
    }

    #[test]
    fn a_result_that_the_chart_renders_is_not_added_again() {
        assert_eq!(planned(&[secret("iter8-default-1-result")]).unwrap().planned.len(), 1);
    }

    #[test]
    fn refuses_members_of_other_sets_and_doubles() {
        let mut taken = secret("a");
        taken["metadata"]["labels"] = json!({ APPLYSET_PART_OF: "other" });
        assert!(planned(&[taken]).unwrap_err().to_string().contains("carries the label"));
        let error = planned(&[secret("a"), secret("a")]).unwrap_err();
        assert_eq!(error.to_string(), "a manifest of secret/a is there twice");
    }
}
