//! What the cluster has of a group before a launch: the objects that would be written, the members of the set, and what
//! came out of the last revision. It only reads, and all at once, so that a launch costs one round trip for it.

use futures_util::future::{join_all, try_join_all, try_join3};
use iter8_core::{ExperimentResult, Phase};
use kube::Client;
use kube::api::{DynamicObject, ListParams};
use kube::core::PartialObjectMeta;
use serde_json::Value;

use crate::applyset::{Extent, Member};
use crate::error::ClusterError;
use crate::history::History;
use crate::names::{self, APPLYSET_PART_OF, Group};
use crate::objects::{Kind, ObjectId};
use crate::parent::{Parent, owner, secrets};
use crate::plan::{self, LaunchPlan, Objects};
use crate::result::stored_text;

/// What there is.
#[derive(Debug)]
pub(crate) struct Survey {
    pub(crate) objects: Objects,
    /// What the cluster has under the name of each planned object, in the same order.
    pub(crate) live: Vec<Option<DynamicObject>>,
    /// Every member of the set.
    pub(crate) members: Vec<Found>,
    /// Whether the revision was begun before, so that what is there of it stays.
    pub(crate) resumes: bool,
    /// The result of the latest revision, if its history does not know the verdict yet.
    pub(crate) last_result: Option<ExperimentResult>,
}

/// A member of the set.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) member: Member,
    pub(crate) manifest: DynamicObject,
}

impl Survey {
    /// Whether an object is the job of a run whose result is complete. Its pod may take a second longer to end, in which it
    /// does nothing any more.
    pub(crate) fn is_over(&self, object: &ObjectId) -> bool {
        self.last_result.as_ref().is_some_and(|result| {
            let has_ended = match result.phase {
                Phase::Succeeded | Phase::Failed | Phase::Cancelled => !result.loops.recurring,
                Phase::Pending | Phase::Running => false,
            };
            has_ended && object.kind == Kind::Job && object.name == names::workload(&result.group, result.revision)
        })
    }
}

/// Renders the next revision and looks at what is there.
///
/// Refuses with [`ClusterError::Foreign`] when an object that would be written is not a member of the set.
pub(crate) async fn survey(client: &Client, plan: &LaunchPlan<'_>, parent: &Parent) -> Result<Survey, ClusterError> {
    let set_id = parent.set_id();
    let begun = parent.history.resumable(plan.cause);
    let objects = plan::objects(plan, begun.unwrap_or_else(|| parent.history.next_revision()), &set_id)?;
    let live = join_all(objects.planned.iter().map(|planned| read(client, &planned.object)));
    let live = async { live.await.into_iter().collect::<Result<Vec<_>, _>>() };
    let members = members(client, &parent.extent, parent.namespace(), &set_id);
    let last = last_result(client, parent.namespace(), parent.group(), &parent.history);
    let (live, members, last_result) = try_join3(live, members, last).await?;
    for (planned, live) in objects.planned.iter().zip(&live) {
        if let Some(owner) = live.as_ref().and_then(|live| foreign(live, &set_id)) {
            let (object, namespace) = (planned.object.to_string(), planned.object.namespace.clone());
            return Err(ClusterError::Foreign { object, namespace, owner });
        }
    }
    Ok(Survey { objects, live, members, resumes: begun.is_some(), last_result })
}

/// Lists the members of a set.
pub(crate) async fn members(
    client: &Client,
    extent: &Extent,
    home: &str,
    set_id: &str,
) -> Result<Vec<Found>, ClusterError> {
    let params = ListParams::default().labels(&format!("{APPLYSET_PART_OF}={set_id}"));
    let lists = extent.places(home).map(|(kind, namespace)| list(client, kind, namespace, &params));
    Ok(try_join_all(lists).await?.into_iter().flatten().collect())
}

async fn list(client: &Client, kind: Kind, namespace: &str, params: &ListParams) -> Result<Vec<Found>, ClusterError> {
    let api = kind.api(client, namespace);
    // Only the state of jobs matters; results are large.
    let listed = match kind {
        Kind::Job => api.list(params).await.map(|list| list.items),
        Kind::ServiceAccount
        | Kind::Secret
        | Kind::Role
        | Kind::RoleBinding
        | Kind::PodDisruptionBudget
        | Kind::Deployment
        | Kind::CronJob => {
            let bare =
                |item: PartialObjectMeta<_>| DynamicObject { types: None, metadata: item.metadata, data: Value::Null };
            api.list_metadata(params).await.map(|list| list.items.into_iter().map(bare).collect())
        }
    };
    let listed = listed.map_err(ClusterError::api("list", kind.plural(), namespace))?;
    Ok(listed.into_iter().filter_map(|manifest| Found::new(kind, namespace, manifest)).collect())
}

impl Found {
    fn new(kind: Kind, namespace: &str, manifest: DynamicObject) -> Option<Self> {
        let object = ObjectId { kind, namespace: namespace.to_owned(), name: manifest.metadata.name.clone()? };
        let uid = manifest.metadata.uid.clone()?;
        Some(Self { member: Member { object, uid }, manifest })
    }

    /// Whether pods of it may be running.
    pub(crate) fn is_active(&self) -> bool {
        match self.member.object.kind {
            Kind::Deployment | Kind::CronJob => true,
            Kind::Job => !is_finished(&self.manifest.data),
            Kind::ServiceAccount | Kind::Secret | Kind::Role | Kind::RoleBinding | Kind::PodDisruptionBudget => false,
        }
    }
}

fn is_finished(job: &Value) -> bool {
    let conditions = job.pointer("/status/conditions").and_then(Value::as_array);
    let ended = |condition: &Value| {
        let text = |key: &str| condition.get(key).and_then(Value::as_str);
        matches!(text("type"), Some("Complete" | "Failed")) && text("status") == Some("True")
    };
    conditions.into_iter().flatten().any(ended)
}

pub(crate) async fn read(client: &Client, object: &ObjectId) -> Result<Option<DynamicObject>, ClusterError> {
    object.api(client).get_opt(&object.name).await.map_err(ClusterError::api("read", object, &object.namespace))
}

/// Who made an object that is not a member of the set.
pub(crate) fn foreign(live: &DynamicObject, set_id: &str) -> Option<String> {
    let part_of = live.metadata.labels.as_ref().and_then(|labels| labels.get(APPLYSET_PART_OF));
    (part_of.map(String::as_str) != Some(set_id)).then(|| owner(&live.metadata))
}

/// A result that is missing or broken stands in nobody's way: the history then lacks its verdict.
async fn last_result(
    client: &Client,
    namespace: &str,
    group: &Group,
    history: &History,
) -> Result<Option<ExperimentResult>, ClusterError> {
    let Some(entry) = history.latest().filter(|entry| entry.verdict.is_none()) else { return Ok(None) };
    let name = names::result_secret(group, entry.revision.0);
    let secret = secrets(client, namespace).get_opt(&name).await;
    let secret = secret.map_err(ClusterError::api("read", format_args!("secret/{name}"), namespace))?;
    Ok(secret.as_ref().and_then(stored_text).and_then(|text| ExperimentResult::from_json(text).ok()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn job(status: &Value) -> Found {
        let manifest = json!({"metadata": {"name": "j", "uid": "1"}, "status": status});
        Found::new(Kind::Job, "shop", serde_json::from_value(manifest).unwrap()).unwrap()
    }

    #[test]
    fn a_job_is_active_until_it_has_completed_or_failed() {
        assert!(job(&json!({})).is_active());
        assert!(job(&json!({"active": 1, "conditions": [{"type": "Suspended", "status": "True"}]})).is_active());
        assert!(job(&json!({"conditions": [{"type": "FailureTarget", "status": "True"}]})).is_active());
        assert!(!job(&json!({"conditions": [{"type": "Complete", "status": "True"}]})).is_active());
        assert!(!job(&json!({"conditions": [{"type": "Failed", "status": "True"}]})).is_active());
    }

    #[test]
    fn only_members_of_the_set_are_ours() {
        let live =
            |labels: Value| serde_json::from_value(json!({"metadata": {"name": "x", "labels": labels}})).unwrap();
        assert_eq!(foreign(&live(json!({APPLYSET_PART_OF: "a"})), "a"), None);
        assert_eq!(foreign(&live(json!({APPLYSET_PART_OF: "b"})), "a").as_deref(), Some("the set b"));
        assert_eq!(foreign(&live(json!({})), "a").as_deref(), Some("somebody else"));
    }
}
