//! What a launch would do, without doing it: the API server applies the objects in a dry run and stores nothing. Some
//! objects are made anew for each revision; they are compared with those of the latest one, numbers aside.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::{Value, json};

use crate::applyset::{Member, to_prune};
use crate::error::ClusterError;
use crate::launch::{action, apply, kept};
use crate::names::{self, Group, Revision};
use crate::objects::{Action, Kind, ObjectId, Outcome};
use crate::parent::{Parent, read_parent};
use crate::plan::{LaunchPlan, Planned, own};
use crate::survey::{read, survey};

/// An object before and after a launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The object.
    pub object: ObjectId,
    /// The object of the latest revision whose place it takes, if it is one that each revision makes anew.
    pub predecessor: Option<ObjectId>,
    /// As it is, or as its predecessor is; None when it is new.
    pub live: Option<Value>,
    /// As it would be, with the number of the latest revision; None when it would be removed.
    pub merged: Option<Value>,
    /// What would become of it.
    pub action: Action,
}

/// What a launch would do to each object, as far as the API server can tell: admission, quotas and permissions are
/// checked, nothing is stored.
///
/// # Errors
/// The first object that would be refused.
pub async fn preview(client: &Client, plan: &LaunchPlan<'_>) -> Result<Vec<Difference>, ClusterError> {
    let parent = read_parent(client, plan.namespace, plan.group).await?;
    let parent = parent.unwrap_or_else(|| Parent::new(plan.namespace, plan.group));
    let survey = survey(client, plan, &parent).await?;
    let next = parent.history.next_revision();
    let numbers = parent.history.latest().map(|latest| Renumbering::new(plan.group, next, latest.revision));
    let planned = &survey.objects.planned;
    let answers = join_all(planned.iter().map(|planned| try_out(client, &parent, planned))).await;
    let predecessors = planned.iter().map(|planned| numbers.as_ref()?.predecessor(&planned.object));
    let predecessors: Vec<Option<ObjectId>> = predecessors.collect();
    let before = join_all(predecessors.iter().map(async |predecessor| match predecessor {
        Some(object) => read(client, object).await,
        None => Ok(None),
    }))
    .await;
    let mut differences = Vec::with_capacity(planned.len());
    let found = planned.iter().zip(&survey.live).zip(answers).zip(predecessors.into_iter().zip(before));
    for (((planned, live), answer), (predecessor, before)) in found {
        let stored = answer?;
        let mut merged = shown(&stored);
        numbers.iter().for_each(|numbers| numbers.apply(&mut merged));
        let before = before?;
        differences.push(Difference {
            object: planned.object.clone(),
            action: action(live.as_ref(), &stored),
            live: if predecessor.is_some() { before.as_ref() } else { live.as_ref() }.map(shown),
            predecessor,
            merged: Some(merged),
        });
    }
    let uids: BTreeSet<String> = survey.live.iter().flatten().filter_map(|live| live.uid()).collect();
    let members: Vec<Member> = survey.members.iter().map(|found| found.member.clone()).collect();
    let kept = kept(plan, &parent.history, next);
    differences.extend(to_prune(&members, &uids, &kept).into_iter().map(|member| Difference {
        object: member.object.clone(),
        predecessor: None,
        live: None,
        merged: None,
        action: Action::Pruned,
    }));
    Ok(differences)
}

/// Applies an object in a dry run, owned as a launch would have it.
pub(crate) async fn try_out(
    client: &Client,
    parent: &Parent,
    planned: &Planned,
) -> Result<DynamicObject, ClusterError> {
    let mut manifest = planned.manifest.clone();
    // A group that does not exist yet has no uid that an object could refer to.
    if parent.exists() && planned.object.namespace == parent.namespace() {
        own(&mut manifest, &parent.owner_reference());
    }
    apply(client, &planned.object, &manifest, true).await
}

impl From<&Difference> for Outcome {
    fn from(difference: &Difference) -> Self {
        Self { object: difference.object.clone(), action: difference.action }
    }
}

/// Takes an object of one revision for one of another.
struct Renumbering {
    /// Names that hold the number of a revision, each with its counterpart.
    names: Vec<(String, String)>,
    from: String,
    to: String,
}

impl Renumbering {
    fn new(group: &Group, from: Revision, to: Revision) -> Self {
        let each: [fn(&str, u32) -> String; 3] = [names::workload, names::spec_secret, names::result_secret];
        let names = each.into_iter().map(|name| (name(group, from.0), name(group, to.0))).collect();
        Self { names, from: from.to_string(), to: to.to_string() }
    }

    fn predecessor(&self, object: &ObjectId) -> Option<ObjectId> {
        let (_, name) = self.names.iter().find(|(name, _)| *name == object.name)?;
        Some(ObjectId { name: name.clone(), ..object.clone() })
    }

    fn apply(&self, value: &mut Value) {
        match value {
            Value::String(text) => {
                if let Some((_, name)) = self.names.iter().find(|(name, _)| name == text) {
                    text.clone_from(name);
                }
            }
            Value::Array(items) => {
                // The agent is told its revision by a pair of arguments.
                let number = items.iter().position(|item| *item == "--revision").map(|flag| flag + 1);
                if let Some(number) = number.and_then(|at| items.get_mut(at)).filter(|number| **number == *self.from) {
                    *number = json!(self.to);
                }
                items.iter_mut().for_each(|item| self.apply(item));
            }
            Value::Object(fields) => {
                if let Some(number) = fields.get_mut(names::REVISION) {
                    *number = json!(self.to);
                }
                fields.values_mut().for_each(|field| self.apply(field));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

/// What a Job's controller tells its pods apart by.
const OF_CONTROLLERS: [&str; 4] =
    ["controller-uid", "job-name", "batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name"];

/// An object without what only the API server and its controllers care about, and without what an agent wrote into it.
fn shown(object: &DynamicObject) -> Value {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object.metadata.uid = None;
    object.metadata.creation_timestamp = None;
    object.metadata.generation = None;
    let is_job = object.types.as_ref().is_some_and(|types| types.kind == Kind::Job.as_str());
    let mut value = serde_json::to_value(object).unwrap_or_default();
    let is_result = value.get("type").is_some_and(|kind| kind == names::RESULT_TYPE);
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
        if is_result {
            fields.remove("data");
        }
    }
    if let Some(spec) = value.get_mut("spec").and_then(Value::as_object_mut).filter(|_| is_job) {
        spec.remove("selector");
    }
    for labels in ["/metadata/labels", "/spec/template/metadata/labels"] {
        if let Some(labels) = value.pointer_mut(labels).and_then(Value::as_object_mut) {
            labels.retain(|key, _| !OF_CONTROLLERS.contains(&key.as_str()));
        }
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_of_the_next_revision_is_compared_as_one_of_the_latest() {
        let numbers = Renumbering::new(&Group::default(), Revision(12), Revision(9));
        let mut job = json!({
            "metadata": { "name": "iter8-default-12", "labels": { names::REVISION: "12", "version": "12" } },
            "args": ["run", "--result-secret", "iter8-default-12-result", "--revision", "12"],
            "secretName": "iter8-default-12-spec", "seconds": 12,
        });
        numbers.apply(&mut job);
        let expected = json!({
            "metadata": { "name": "iter8-default-9", "labels": { names::REVISION: "9", "version": "12" } },
            "args": ["run", "--result-secret", "iter8-default-9-result", "--revision", "9"],
            "secretName": "iter8-default-9-spec", "seconds": 12,
        });
        assert_eq!(job, expected);
        let object = |name: &str| ObjectId { kind: Kind::Job, namespace: "shop".into(), name: name.into() };
        assert_eq!(numbers.predecessor(&object("iter8-default-12")), Some(object("iter8-default-9")));
        assert_eq!(numbers.predecessor(&object("iter8-default")), None);
    }

    #[test]
    fn an_object_is_shown_with_nothing_that_it_does_not_have() {
        let role = json!({ "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": { "name": "r" } });
        assert_eq!(shown(&serde_json::from_value(role.clone()).unwrap()), role);
    }

    #[test]
    fn what_the_job_controller_adds_is_no_difference() {
        let job: DynamicObject = serde_json::from_value(json!({
            "apiVersion": "batch/v1", "kind": "Job",
            "metadata": { "name": "j", "uid": "u", "labels": { "a": "b", "job-name": "j" } },
            "spec": {
                "selector": { "matchLabels": { "batch.kubernetes.io/controller-uid": "u" } },
                "template": { "metadata": { "labels": { "a": "b", "batch.kubernetes.io/controller-uid": "u" } } },
            },
            "status": { "active": 1 },
        }))
        .unwrap();
        let expected = json!({
            "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j", "labels": { "a": "b" } },
            "spec": { "template": { "metadata": { "labels": { "a": "b" } } } },
        });
        assert_eq!(shown(&job), expected);
    }
}
