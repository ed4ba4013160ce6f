//! Why an experiment does not get on: what the cluster says about its job and pods, as one sentence. Only looks.

use std::fmt;

use futures_util::future::try_join3;
use k8s_openapi::api::batch::v1::Job;
use k8s_openapi::api::core::v1::{ContainerState, ContainerStateTerminated, Event, Pod};
use kube::Client;
use kube::api::{Api, ListParams};

use crate::error::ClusterError;
use crate::names::{self, Group, Revision};

/// What is in the way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trouble {
    /// What, in a sentence, with the cluster's own words.
    pub message: String,
    /// Whether waiting is useless.
    pub is_final: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Asks the cluster about the job of a revision; None when nothing is in the way, or when there is no job.
///
/// # Errors
/// When the API refuses to tell.
pub async fn diagnose(
    client: &Client,
    namespace: &str,
    group: &Group,
    revision: Revision,
) -> Result<Option<Trouble>, ClusterError> {
    let name = names::workload(group, revision.0);
    let jobs: Api<Job> = Api::namespaced(client.clone(), namespace);
    let pods: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let events: Api<Event> = Api::namespaced(client.clone(), namespace);
    let of_job = ListParams::default().labels(&format!("batch.kubernetes.io/job-name={name}"));
    let about_job = ListParams::default().fields(&format!("involvedObject.kind=Job,involvedObject.name={name}"));
    let asked = try_join3(jobs.get_opt(&name), pods.list(&of_job), events.list(&about_job)).await;
    let (job, pods, events) = asked.map_err(ClusterError::api("look at", format_args!("job/{name}"), namespace))?;
    Ok(job.and_then(|job| trouble(&job, &pods.items, &events.items)))
}

/// What is in the way, if anything: what the pods say first, because it is the cause of what the job says.
pub fn trouble(job: &Job, pods: &[Pod], events: &[Event]) -> Option<Trouble> {
    pods.iter().find_map(of_pod).or_else(|| of_job(job)).or_else(|| of_events(pods, events))
}

fn last(message: String) -> Option<Trouble> {
    Some(Trouble { message, is_final: true })
}

fn for_now(message: String) -> Option<Trouble> {
    Some(Trouble { message, is_final: false })
}

/// Reasons for which a container waits and that no waiting mends: the image or the pod is wrong.
const HOPELESS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

fn of_pod(pod: &Pod) -> Option<Trouble> {
    let name = pod.metadata.name.as_deref().unwrap_or("?");
    let status = pod.status.as_ref()?;
    let said = |text: &Option<String>| text.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    match (status.phase.as_deref(), status.reason.as_deref()) {
        (Some("Failed"), Some("Evicted")) => return last(format!("pod {name} was evicted{}", said(&status.message))),
        (_, Some("NodeLost")) => return last(format!("the node of pod {name} is lost{}", said(&status.message))),
        (Some("Failed"), Some(reason)) if reason != "Error" => {
            return last(format!("pod {name} failed with {reason}{}", said(&status.message)));
        }
        _ => {}
    }
    let containers = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    for container in containers {
        let ContainerState { terminated, waiting, .. } = container.state.clone().unwrap_or_default();
        if let Some(ended) = terminated.filter(|ended| ended.exit_code != 0) {
            return last(of_ended(name, &ended));
        }
        if let Some(waiting) = waiting {
            let reason = waiting.reason.as_deref().unwrap_or_default();
            if HOPELESS.contains(&reason) {
                let image = &container.image;
                return last(format!(
                    "pod {name} cannot start, {reason} for image \"{image}\"{}",
                    said(&waiting.message)
                ));
            }
        }
    }
    let unscheduled = status.conditions.iter().flatten().find(|c| c.type_ == "PodScheduled" && c.status == "False");
    if let Some(unscheduled) = unscheduled {
        return for_now(format!("pod {name} is Pending, no node takes it{}", said(&unscheduled.message)));
    }
    is_cut_off(pod).then_some(())?;
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref()).unwrap_or("?");
    for_now(format!("node {node} of pod {name} does not answer"))
}

/// Whether the node of a pod has stopped reporting. The node controller then takes the pod's readiness away and leaves
/// the rest as the kubelet last said it; a kubelet changes both together and gives a reason. Readiness gates, which our
/// pods do not have, would look the same.
fn is_cut_off(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    let condition = |name: &str| conditions?.iter().find(|condition| condition.type_ == name);
    let without_reason = |reason: &Option<String>| reason.as_ref().is_none_or(String::is_empty);
    condition("Ready").is_some_and(|ready| ready.status == "False" && without_reason(&ready.reason))
        && condition("ContainersReady").is_some_and(|ready| ready.status == "True")
}

fn of_ended(name: &str, ended: &ContainerStateTerminated) -> String {
    let said = ended.message.as_deref().map(|text| format!(": {}", text.trim())).unwrap_or_default();
    match ended.reason.as_deref() {
        Some("OOMKilled") => format!("pod {name} was killed for its memory (OOMKilled): raise resources.limits.memory"),
        // The runtime could not start the program; its message says why, memory limits among the reasons.
        Some("StartError" | "ContainerCannotRun") => format!("pod {name} cannot start{said}"),
        _ => format!("pod {name} ended with exit code {}{said}", ended.exit_code),
    }
}

fn of_job(job: &Job) -> Option<Trouble> {
    let conditions = job.status.as_ref()?.conditions.as_ref()?;
    let failed = conditions.iter().find(|c| c.type_ == "Failed" && c.status == "True")?;
    let name = job.metadata.name.as_deref().unwrap_or("?");
    let why = failed.reason.as_deref().unwrap_or("for no stated reason");
    let said = failed.message.as_deref().map(|text| format!(": {text}")).unwrap_or_default();
    last(format!("job {name} failed, {why}{said}"))
}

/// A job whose pods are refused only says so in events.
fn of_events(pods: &[Pod], events: &[Event]) -> Option<Trouble> {
    if !pods.is_empty() {
        return None;
    }
    let refused = events.iter().rev().find(|event| event.reason.as_deref() == Some("FailedCreate"))?;
    last(format!("no pod can be made: {}", refused.message.as_deref().unwrap_or("for no stated reason")))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(status: &Value) -> Pod {
        serde_json::from_value(
            json!({ "metadata": { "name": "p" }, "spec": { "nodeName": "n", "containers": [] }, "status": status }),
        )
        .unwrap()
    }

    fn container(state: &Value) -> Value {
        json!({ "containerStatuses": [{ "name": "iter8", "image": "i:1", "imageID": "", "ready": false, "restartCount": 0, "state": state }] })
    }

    fn of(status: &Value) -> Option<(String, bool)> {
        trouble(&Job::default(), &[pod(status)], &[]).map(|trouble| (trouble.message, trouble.is_final))
    }

    #[test]
    fn each_state_of_a_pod_has_its_sentence() {
        for (status, message, is_final) in [
            (
                container(
                    &json!({ "waiting": { "reason": "ErrImageNeverPull", "message": "Container image \"i:1\" is not present with pull policy of Never" } }),
                ),
                "pod p cannot start, ErrImageNeverPull for image \"i:1\": Container image \"i:1\" is not present with pull policy of Never",
                true,
            ),
            (
                container(&json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } })),
                "pod p was killed for its memory (OOMKilled): raise resources.limits.memory",
                true,
            ),
            (
                container(
                    &json!({ "terminated": { "exitCode": 2, "reason": "Error", "message": "step 1 is wrong\n" } }),
                ),
                "pod p ended with exit code 2: step 1 is wrong",
                true,
            ),
            (
                json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." }),
                "pod p was evicted: The node was low on resource: memory.",
                true,
            ),
            (
                json!({ "phase": "Pending", "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes are available" }] }),
                "pod p is Pending, no node takes it: 0/1 nodes are available",
                false,
            ),
            (json!({ "reason": "NodeLost" }), "the node of pod p is lost", true),
            (
                json!({ "phase": "Running", "conditions": [
                    { "type": "Ready", "status": "False" }, { "type": "ContainersReady", "status": "True" },
                ] }),
                "node n of pod p does not answer",
                false,
            ),
        ] {
            assert_eq!(of(&status), Some((message.to_owned(), is_final)));
        }
    }

    #[test]
    fn a_pod_that_runs_or_starts_is_no_trouble() {
        assert_eq!(of(&container(&json!({ "running": {} }))), None);
        assert_eq!(of(&container(&json!({ "waiting": { "reason": "ContainerCreating" } }))), None);
        assert_eq!(of(&container(&json!({ "terminated": { "exitCode": 0 } }))), None);
        let ended = json!({ "phase": "Succeeded", "conditions": [
            { "type": "Ready", "status": "False", "reason": "PodCompleted" },
            { "type": "ContainersReady", "status": "False", "reason": "PodCompleted" },
        ] });
        assert_eq!(of(&ended), None);
    }

    #[test]
    fn refused_pods_and_passed_deadlines_are_found_without_a_pod() {
        let event: Event = serde_json::from_value(json!({
            "metadata": {}, "involvedObject": {}, "reason": "FailedCreate", "message": "pods \"p\" is forbidden: exceeded quota: none",
        }))
        .unwrap();
        let found = trouble(&Job::default(), &[], &[event]).unwrap();
        assert_eq!(
            (found.message.as_str(), found.is_final),
            ("no pod can be made: pods \"p\" is forbidden: exceeded quota: none", true)
        );
        let job: Job = serde_json::from_value(json!({
            "metadata": { "name": "j" },
            "status": { "conditions": [{ "type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "was active too long" }] },
        }))
        .unwrap();
        assert_eq!(trouble(&job, &[], &[]).unwrap().message, "job j failed, DeadlineExceeded: was active too long");
    }
}
