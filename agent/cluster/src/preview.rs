//! What a launch would do, without doing it: the API server applies the objects in a dry run and stores nothing.

use std::collections::BTreeSet;

use futures_util::future::join_all;
use kube::Client;
use kube::ResourceExt as _;
use kube::api::DynamicObject;
use serde_json::Value;

use crate::applyset::{Member, to_prune};
use crate::error::ClusterError;
use crate::launch::{action, apply, kept};
use crate::objects::{Action, ObjectId, Outcome};
use crate::parent::{Parent, read_parent};
use crate::plan::LaunchPlan;
use crate::survey::survey;

/// An object before and after a launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The object.
    pub object: ObjectId,
    /// As it is; None when it is new.
    pub live: Option<Value>,
    /// As it would be; None when it would be removed.
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
    let planned = &survey.objects.planned;
    let answers = join_all(planned.iter().map(|planned| apply(client, &planned.object, &planned.manifest, true))).await;
    let mut differences = Vec::with_capacity(planned.len());
    for ((planned, live), answer) in planned.iter().zip(&survey.live).zip(answers) {
        let merged = answer?;
        differences.push(Difference {
            object: planned.object.clone(),
            action: action(live.as_ref(), &merged),
            live: live.as_ref().map(shown),
            merged: Some(shown(&merged)),
        });
    }
    let uids: BTreeSet<String> = survey.live.iter().flatten().filter_map(|live| live.uid()).collect();
    let members: Vec<Member> = survey.members.iter().map(|found| found.member.clone()).collect();
    let revision = parent.history.next_revision();
    let kept = kept(&parent.history, revision, parent.group(), parent.namespace());
    differences.extend(to_prune(&members, &uids, &kept).into_iter().map(|member| Difference {
        object: member.object.clone(),
        live: None,
        merged: None,
        action: Action::Pruned,
    }));
    Ok(differences)
}

impl From<&Difference> for Outcome {
    fn from(difference: &Difference) -> Self {
        Self { object: difference.object.clone(), action: difference.action }
    }
}

/// An object without what only the API server cares about.
fn shown(object: &DynamicObject) -> Value {
    let mut object = object.clone();
    object.metadata.managed_fields = None;
    object.metadata.resource_version = None;
    object.metadata.uid = None;
    object.metadata.creation_timestamp = None;
    object.metadata.generation = None;
    let mut value = serde_json::to_value(object).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove("status");
    }
    value
}
