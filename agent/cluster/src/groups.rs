//! The groups of a namespace, or of all, and how far each is.

use futures_util::future::try_join;
use iter8_core::{ExperimentResult, Phase, Verdict};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ListParams};
use kube::{Client, ResourceExt as _};

use crate::error::ClusterError;
use crate::names::{self, Component, Group};
use crate::parent::{Parent, find_parent};
use crate::result::parse;
use crate::survey::{Found, members};

/// A group in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupSummary {
    /// Where it is; empty for a local one.
    pub namespace: String,
    /// Its name.
    pub group: String,
    /// Its newest revision.
    pub revision: u32,
    /// When that was launched.
    pub launched: Option<Timestamp>,
    /// How far it is; None when its result cannot be read.
    pub phase: Option<Phase>,
    /// What was decided.
    pub verdict: Option<Verdict>,
    /// Steps of the present loop that are done.
    pub steps_done: usize,
    /// Steps there are; 0 while nothing has run.
    pub steps: usize,
}

impl GroupSummary {
    /// What a result says.
    pub fn of_result(result: &ExperimentResult) -> Self {
        Self {
            namespace: result.namespace.clone(),
            group: result.group.clone(),
            revision: result.revision,
            launched: result.started,
            phase: Some(result.phase),
            verdict: result.verdict,
            steps_done: result.completed_steps(),
            steps: result.steps.len(),
        }
    }

    /// All that is known of a revision whose result cannot be read.
    pub fn unreadable(group: &str, revision: u32) -> Self {
        Self {
            namespace: String::new(),
            group: group.to_owned(),
            revision,
            launched: None,
            phase: None,
            verdict: None,
            steps_done: 0,
            steps: 0,
        }
    }
}

/// Lists the groups of `namespace`, or of every namespace, by namespace and name. A group whose history cannot be read
/// is listed without a revision.
///
/// # Errors
/// When the API refuses to list Secrets.
pub async fn list_groups(client: &Client, namespace: Option<&str>) -> Result<Vec<GroupSummary>, ClusterError> {
    let secrets: Api<Secret> =
        namespace.map_or_else(|| Api::all(client.clone()), |name| Api::namespaced(client.clone(), name));
    let of = |component: Component| {
        let (name, component) = (names::NAME_VALUE, component.label());
        let selector = format!("{}={name},{}={component}", names::NAME, names::COMPONENT);
        let secrets = secrets.clone();
        async move { secrets.list(&ListParams::default().labels(&selector)).await }
    };
    let listed = try_join(of(Component::Group), of(Component::Result)).await;
    let (parents, results) =
        listed.map_err(ClusterError::api("list", "secrets", namespace.unwrap_or("every namespace")))?;
    let mut groups: Vec<GroupSummary> = parents
        .items
        .into_iter()
        .filter_map(|parent| Parent::with_any_history(parent).ok())
        .map(|parent| summary(&parent, &results.items))
        .collect();
    groups.sort_by(|a, b| (&a.namespace, &a.group).cmp(&(&b.namespace, &b.group)));
    Ok(groups)
}

/// Whether a run of the group may be under way.
///
/// # Errors
/// When the API refuses.
pub async fn is_running(client: &Client, namespace: &str, group: &Group) -> Result<bool, ClusterError> {
    let Some(parent) = find_parent(client, namespace, group).await? else { return Ok(false) };
    let found = members(client, &parent.extent, namespace, &parent.set_id()).await?;
    Ok(found.iter().any(Found::is_active))
}

fn summary(parent: &Parent, results: &[Secret]) -> GroupSummary {
    let (namespace, group) = (parent.namespace().to_owned(), parent.group().to_string());
    let Some(latest) = parent.history.latest() else {
        return GroupSummary { namespace, ..GroupSummary::unreadable(&group, 0) };
    };
    let name = names::result_secret(parent.group(), latest.revision.0);
    let is_ours = |secret: &&Secret| secret.name_any() == name && secret.namespace().as_deref() == Some(&namespace);
    let stored = results.iter().find(is_ours).map(|secret| parse(secret, &name, &namespace));
    let (phase, result) = match stored {
        Some(Ok(Some(result))) => (Some(result.phase), Some(result)),
        Some(Ok(None)) => (Some(Phase::Pending), None),
        Some(Err(_)) | None => (None, None),
    };
    GroupSummary {
        namespace,
        group,
        revision: latest.revision.0,
        launched: Some(latest.launched),
        phase,
        verdict: result.as_ref().and_then(|result| result.verdict),
        steps_done: result.as_ref().map_or(0, ExperimentResult::completed_steps),
        steps: result.as_ref().map_or(0, |result| result.steps.len()),
    }
}
