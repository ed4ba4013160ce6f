//! The agent's log, from the newest pod of a revision. What is kept of it after the pod is part of the result.

use futures_util::io::AsyncBufReadExt as _;
use futures_util::stream::{Stream, StreamExt as _};
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, LogParams};
use kube::{Client, ResourceExt as _};

use crate::error::ClusterError;
use crate::names::{self, Group, Revision};

/// The lines that the newest pod of a revision has logged, and with `follow` those that it still logs. None when there
/// is no pod, or none that has started.
///
/// # Errors
/// When the API refuses.
pub async fn stream_log(
    client: &Client,
    namespace: &str,
    group: &Group,
    revision: Revision,
    follow: bool,
) -> Result<Option<impl Stream<Item = Result<String, ClusterError>> + use<>>, ClusterError> {
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let selector = format!("{}={},{}={revision}", names::GROUP, group, names::REVISION);
    let listed = pods.list(&ListParams::default().labels(&selector)).await;
    let listed = listed.map_err(ClusterError::api("list", "pods", namespace))?;
    let has_started = |pod: &Pod| pod.status.as_ref().and_then(|status| status.phase.as_deref()) != Some("Pending");
    let newest = listed.items.into_iter().filter(has_started).max_by_key(|pod| pod.metadata.creation_timestamp.clone());
    let Some(pod) = newest.map(|pod| pod.name_any()) else { return Ok(None) };
    let params = LogParams { follow, container: Some("iter8".to_owned()), ..LogParams::default() };
    let object = format!("pod/{pod}");
    let lines = pods.log_stream(&pod, &params).await;
    let lines = lines.map_err(ClusterError::api("read the log of", &object, namespace))?.lines();
    let namespace = namespace.to_owned();
    Ok(Some(lines.map(move |line| {
        line.map_err(|error| {
            ClusterError::api("read the log of", &object, &namespace)(kube::Error::Service(error.into()))
        })
    })))
}
