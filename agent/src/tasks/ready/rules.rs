//! When an object of the cluster is ready, and what it lacks otherwise: pure decisions on objects as the API has them.
//! Asking for the objects, and waiting, is the business of the file above.

use iter8_core::task::ready::ReadyRule;
use serde_json::Value;

/// What an object lacks to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing.
    Ready,
    /// What is missing, in a few words that follow the name of the object.
    Missing(String),
    /// Why it will not be ready any more, whatever time is given to it.
    Never(String),
}

fn missing(what: impl Into<String>) -> Readiness {
    Readiness::Missing(what.into())
}

/// Whether `object` is ready by a rule. `slices` are the EndpointSlices of a Service; other rules need none.
pub fn readiness(rule: ReadyRule<'_>, object: Option<&Value>, slices: &[Value]) -> Readiness {
    let Some(object) = object else { return missing("does not exist") };
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return missing("is being deleted");
    }
    match rule {
        ReadyRule::Service => service(object, slices),
        ReadyRule::Deployment => deployment(object),
        ReadyRule::StatefulSet => stateful_set(object),
        ReadyRule::DaemonSet => daemon_set(object),
        ReadyRule::Pod => pod(object),
        ReadyRule::Job => job(object),
        ReadyRule::Condition(name) => condition(object, name),
        ReadyRule::Exists => Readiness::Ready,
    }
}

/// A Service is ready when one of its endpoints is; a headless one too. An ExternalName has no endpoints and is ready by
/// existing.
fn service(object: &Value, slices: &[Value]) -> Readiness {
    if object["spec"]["type"] == "ExternalName" {
        return Readiness::Ready;
    }
    let endpoints = slices.iter().filter_map(|slice| slice["endpoints"].as_array()).flatten();
    // A missing `ready` means unknown, which consumers are to take as ready (EndpointConditions of the API).
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"].as_bool().unwrap_or(true));
    if ready.count() > 0 { Readiness::Ready } else { missing("has no ready endpoint") }
}

/// A Deployment is ready when its present generation is observed, wholly rolled out and available: the rule of
/// `kubectl rollout status`. One that exceeded its deadline is still worked on, so it may get ready yet.
fn deployment(object: &Value) -> Readiness {
    if let Some(stale) = unobserved(object) {
        return stale;
    }
    let wanted = wanted_replicas(object);
    let [updated, replicas, available] =
        ["updatedReplicas", "replicas", "availableReplicas"].map(|field| status_count(object, field));
    if let Some(stuck) = condition_of(object, "Progressing").filter(|c| c["reason"] == "ProgressDeadlineExceeded") {
        let why = stuck["message"].as_str().unwrap_or("its rollout exceeded its deadline");
        return missing(format!("does not progress: {why}"));
    }
    // Such as a quota: the pods are refused before there are any.
    let refused = condition_of(object, "ReplicaFailure").filter(|c| is_true(c)).and_then(|c| c["message"].as_str());
    let because = refused.map(|why| format!(": {why}")).unwrap_or_default();
    if updated < wanted {
        return missing(format!("has {updated} of {wanted} replicas updated{because}"));
    }
    if replicas > updated {
        return missing(format!("has {} old replicas left", replicas - updated));
    }
    if available < updated {
        return missing(format!("has {available} of {updated} replicas available"));
    }
    Readiness::Ready
}

/// A StatefulSet is ready when its present generation is observed, the pods from its partition on are of the update
/// revision, and all are available. With `OnDelete` the pods have to be replaced by somebody; it is ready afterwards.
fn stateful_set(object: &Value) -> Readiness {
    if let Some(stale) = unobserved(object) {
        return stale;
    }
    let wanted = wanted_replicas(object);
    let start = object["spec"]["ordinals"]["start"].as_i64().unwrap_or(0);
    let partition = object["spec"]["updateStrategy"]["rollingUpdate"]["partition"].as_i64().unwrap_or(0);
    // Ordinals go from `start` on; those below the partition keep the old revision.
    let to_update = (start + wanted - partition.max(start)).max(0);
    let updated = status_count(object, "updatedReplicas");
    if updated < to_update {
        return missing(format!("has {updated} of {to_update} replicas updated{}", by_hand(object)));
    }
    let field = if object["status"]["availableReplicas"].is_i64() { "availableReplicas" } else { "readyReplicas" };
    let available = status_count(object, field);
    if available < wanted {
        return missing(format!("has {available} of {wanted} replicas available"));
    }
    Readiness::Ready
}

/// A DaemonSet is ready when its present generation is observed and available on every node that is to have a pod of it.
fn daemon_set(object: &Value) -> Readiness {
    if let Some(stale) = unobserved(object) {
        return stale;
    }
    let [wanted, updated, available] = ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"]
        .map(|field| status_count(object, field));
    if updated < wanted {
        return missing(format!("has {updated} of {wanted} pods updated{}", by_hand(object)));
    }
    if available < wanted {
        return missing(format!("has {available} of {wanted} pods available"));
    }
    Readiness::Ready
}

/// What has to be said of a rollout that waits for somebody.
fn by_hand(object: &Value) -> &'static str {
    if object["spec"]["updateStrategy"]["type"] == "OnDelete" {
        "; its strategy is OnDelete: delete its old pods"
    } else {
        ""
    }
}

/// A Pod is ready by its condition. One that has ended stays so, unless a controller makes another of the same name.
fn pod(object: &Value) -> Readiness {
    let ended = match object["status"]["phase"].as_str() {
        Some("Failed") => Some(format!("failed{}", because(&object["status"]))),
        Some("Succeeded") => Some("has run to its end and is not ready any more".to_owned()),
        _ => None,
    };
    if let Some(ended) = ended {
        let owners = object["metadata"]["ownerReferences"].as_array();
        let is_replaced = owners.is_some_and(|owners| owners.iter().any(|owner| owner["controller"] == true));
        return if is_replaced { missing(ended) } else { Readiness::Never(ended) };
    }
    match (condition(object, "Ready"), pod_trouble(object)) {
        (Readiness::Missing(_), Some(trouble)) => missing(format!("is not Ready: {trouble}")),
        (readiness, _) => readiness,
    }
}

/// Why a pod does not get ready, in a few words; None when its status does not tell.
pub(super) fn pod_trouble(pod: &Value) -> Option<String> {
    let status = &pod["status"];
    if status["phase"] == "Failed" {
        return Some(format!("failed{}", because(status)));
    }
    let lists = ["initContainerStatuses", "containerStatuses"].map(|field| status[field].as_array());
    let containers = lists.into_iter().flatten().flatten();
    let of_container = containers.filter_map(|container| {
        let name = container["name"].as_str().unwrap_or("?");
        let waiting = &container["state"]["waiting"];
        let code = |state: &Value| state["terminated"]["exitCode"].as_i64().filter(|code| *code != 0);
        match waiting["reason"].as_str() {
            Some("ContainerCreating" | "PodInitializing") => None,
            Some(reason) => {
                let exit = code(&container["lastState"]).map(|code| format!(", last exit code {code}"));
                Some(format!("container {name}: {reason}{}", exit.unwrap_or_default()))
            }
            None => code(&container["state"]).map(|code| format!("container {name} ended with exit code {code}")),
        }
    });
    let unscheduled = || {
        let scheduled = condition_of(pod, "PodScheduled").filter(|c| c["status"] == "False")?;
        Some(format!("no node takes it{}", because(scheduled)))
    };
    of_container.into_iter().next().or_else(unscheduled)
}

/// The labels by which the pods of an object are found; None when it has none, or tells them by more than equality.
pub(super) fn pod_selector(rule: ReadyRule<'_>, object: &Value) -> Option<String> {
    let selector = &object["spec"]["selector"];
    let labels = match rule {
        ReadyRule::Service => selector,
        ReadyRule::Deployment | ReadyRule::StatefulSet | ReadyRule::DaemonSet | ReadyRule::Job => {
            let is_plain = selector["matchExpressions"].as_array().is_none_or(Vec::is_empty);
            is_plain.then_some(&selector["matchLabels"])?
        }
        ReadyRule::Pod | ReadyRule::Condition(_) | ReadyRule::Exists => return None,
    };
    let labels = labels.as_object().filter(|labels| !labels.is_empty())?;
    let pairs: Option<Vec<String>> =
        labels.iter().map(|(key, value)| Some(format!("{key}={}", value.as_str()?))).collect();
    Some(pairs?.join(","))
}

/// A Job is ready when it is complete. One that failed stays so.
fn job(object: &Value) -> Readiness {
    let held = |name: &str| condition_of(object, name).filter(|condition| is_true(condition));
    if held("Complete").is_some() {
        return Readiness::Ready;
    }
    if let Some(failed) = held("Failed") {
        return Readiness::Never(format!("failed{}", because(failed)));
    }
    if object["spec"]["suspend"] == true {
        return missing("is suspended");
    }
    let wanted = object["spec"]["completions"].as_i64().unwrap_or(1);
    let [succeeded, failed] = ["succeeded", "failed"].map(|field| status_count(object, field));
    let tries = if failed > 0 { format!(", and {failed} failed") } else { String::new() };
    missing(format!("has {succeeded} of {wanted} pods completed{tries}"))
}

/// A condition has to be true, and of the present generation where its controller says of which it is.
fn condition(object: &Value, name: &str) -> Readiness {
    let Some(condition) = condition_of(object, name) else { return missing(format!("has no condition {name} yet")) };
    let generation = object["metadata"]["generation"].as_i64();
    let observed = condition["observedGeneration"].as_i64().or(object["status"]["observedGeneration"].as_i64());
    if let (Some(generation), Some(observed)) = (generation, observed)
        && observed < generation
    {
        return missing(UNOBSERVED);
    }
    if is_true(condition) {
        return Readiness::Ready;
    }
    let why =
        ["message", "reason"].into_iter().find_map(|field| condition[field].as_str().filter(|why| !why.is_empty()));
    missing(format!("is not {name}: {}", why.unwrap_or("no reason given")))
}

const UNOBSERVED: &str = "has a newer generation than its controller has seen";

/// What the controller of a workload has still to notice, if anything.
fn unobserved(object: &Value) -> Option<Readiness> {
    let generation = object["metadata"]["generation"].as_i64()?;
    (status_count(object, "observedGeneration") < generation).then(|| missing(UNOBSERVED))
}

fn wanted_replicas(object: &Value) -> i64 {
    object["spec"]["replicas"].as_i64().unwrap_or(1)
}

fn status_count(object: &Value, field: &str) -> i64 {
    object["status"][field].as_i64().unwrap_or(0)
}

fn condition_of<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name)))
}

fn is_true(condition: &Value) -> bool {
    condition["status"].as_str().is_some_and(|status| status.eq_ignore_ascii_case("true"))
}

/// Reason and message of a status or condition, after what they explain.
fn because(said: &Value) -> String {
    let texts = ["reason", "message"].into_iter().filter_map(|field| said[field].as_str());
    texts.filter(|text| !text.is_empty()).map(|text| format!(": {text}")).collect()
}

#[cfg(test)]
mod tests;
