//! When an object of the cluster is ready, and what it lacks otherwise: pure decisions on objects as the API has them.
//! Asking for the objects, and waiting, is the business of the module above.

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
mod tests {
    use serde_json::json;

    use super::*;

    fn of(rule: ReadyRule<'_>, object: &Value) -> Readiness {
        readiness(rule, Some(object), &[])
    }

    fn never(text: &str) -> Readiness {
        Readiness::Never(text.to_owned())
    }

    /// A Deployment as the API returns it, with its generations and the counts of its status.
    fn rollout(generation: i64, observed: i64, status: [i64; 3]) -> Value {
        let [replicas, updated, available] = status;
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "namespace": "shop", "generation": generation },
            "spec": { "replicas": 2, "strategy": { "type": "RollingUpdate" } },
            "status": {
                "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
                "readyReplicas": available, "availableReplicas": available,
                "conditions": [
                    { "type": "Available", "status": "True", "reason": "MinimumReplicasAvailable" },
                    { "type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated" },
                ],
            },
        })
    }

    #[test]
    fn a_deployment_is_ready_only_when_the_present_generation_is_rolled_out() {
        for (object, expected) in [
            (rollout(3, 3, [2, 2, 2]), Readiness::Ready),
            (rollout(3, 2, [2, 2, 2]), missing("has a newer generation than its controller has seen")),
            (rollout(3, 3, [3, 1, 2]), missing("has 1 of 2 replicas updated")),
            (rollout(3, 3, [3, 2, 2]), missing("has 1 old replicas left")),
            (rollout(3, 3, [2, 2, 1]), missing("has 1 of 2 replicas available")),
        ] {
            assert_eq!(of(ReadyRule::Deployment, &object), expected);
        }
        let mut none = rollout(1, 1, [0, 0, 0]);
        none["spec"]["replicas"] = json!(0);
        assert_eq!(of(ReadyRule::Deployment, &none), Readiness::Ready);
        assert_eq!(
            of(ReadyRule::Deployment, &json!({ "metadata": { "generation": 1 }, "spec": {} })),
            missing("has a newer generation than its controller has seen")
        );
    }

    #[test]
    fn a_deployment_says_why_it_does_not_get_on() {
        let mut stuck = rollout(3, 3, [3, 1, 2]);
        stuck["status"]["conditions"][1] = json!({
            "type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded",
            "message": "ReplicaSet \"web-5d\" has timed out progressing.",
        });
        assert_eq!(
            of(ReadyRule::Deployment, &stuck),
            missing("does not progress: ReplicaSet \"web-5d\" has timed out progressing.")
        );
        let mut refused = rollout(3, 3, [2, 0, 2]);
        refused["status"]["conditions"][1] = json!({
            "type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "exceeded quota: pods",
        });
        assert_eq!(of(ReadyRule::Deployment, &refused), missing("has 0 of 2 replicas updated: exceeded quota: pods"));
    }

    /// A StatefulSet of three replicas.
    fn stateful(spec: &Value, updated: i64, available: i64) -> Value {
        let mut object = json!({
            "metadata": { "name": "db", "generation": 2 }, "spec": { "replicas": 3 },
            "status": {
                "observedGeneration": 2, "replicas": 3, "readyReplicas": available, "availableReplicas": available,
                "updatedReplicas": updated, "currentRevision": "db-1", "updateRevision": "db-2",
            },
        });
        object["spec"].as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
        object
    }

    #[test]
    fn a_stateful_set_is_ready_when_it_is_updated_down_to_its_partition() {
        let partition =
            |n: i64| json!({ "updateStrategy": { "type": "RollingUpdate", "rollingUpdate": { "partition": n } } });
        let from = |start: i64, n: i64| {
            let mut spec = partition(n);
            spec["ordinals"] = json!({ "start": start });
            spec
        };
        let on_delete = json!({ "updateStrategy": { "type": "OnDelete" } });
        for (object, expected) in [
            (stateful(&partition(0), 3, 3), Readiness::Ready),
            (stateful(&partition(0), 1, 3), missing("has 1 of 3 replicas updated")),
            (stateful(&partition(0), 3, 2), missing("has 2 of 3 replicas available")),
            (stateful(&partition(2), 1, 3), Readiness::Ready),
            (stateful(&partition(2), 0, 3), missing("has 0 of 1 replicas updated")),
            (stateful(&partition(2), 1, 2), missing("has 2 of 3 replicas available")),
            (stateful(&partition(9), 0, 3), Readiness::Ready),
            (stateful(&from(5, 0), 2, 3), missing("has 2 of 3 replicas updated")),
            (stateful(&from(5, 7), 1, 3), Readiness::Ready),
            (stateful(&on_delete, 3, 3), Readiness::Ready),
            (
                stateful(&on_delete, 1, 3),
                missing("has 1 of 3 replicas updated; its strategy is OnDelete: delete its old pods"),
            ),
        ] {
            assert_eq!(of(ReadyRule::StatefulSet, &object), expected, "{object}");
        }
        let mut stale = stateful(&partition(0), 3, 3);
        stale["metadata"]["generation"] = json!(3);
        assert_eq!(of(ReadyRule::StatefulSet, &stale), missing(UNOBSERVED));
        let mut old_cluster = stateful(&partition(0), 3, 3);
        old_cluster["status"].as_object_mut().unwrap().remove("availableReplicas");
        assert_eq!(of(ReadyRule::StatefulSet, &old_cluster), Readiness::Ready);
    }

    #[test]
    fn a_daemon_set_is_ready_when_it_is_available_on_every_node() {
        let daemon = |observed: i64, wanted: i64, updated: i64, available: i64| {
            json!({
                "metadata": { "generation": 2 }, "spec": { "updateStrategy": { "type": "RollingUpdate" } },
                "status": {
                    "observedGeneration": observed, "desiredNumberScheduled": wanted, "currentNumberScheduled": wanted,
                    "updatedNumberScheduled": updated, "numberAvailable": available, "numberReady": available,
                },
            })
        };
        for (object, expected) in [
            (daemon(2, 3, 3, 3), Readiness::Ready),
            (daemon(2, 0, 0, 0), Readiness::Ready),
            (daemon(1, 3, 3, 3), missing(UNOBSERVED)),
            (daemon(2, 3, 1, 3), missing("has 1 of 3 pods updated")),
            (daemon(2, 3, 3, 2), missing("has 2 of 3 pods available")),
        ] {
            assert_eq!(of(ReadyRule::DaemonSet, &object), expected);
        }
        let mut by_hand = daemon(2, 3, 1, 3);
        by_hand["spec"]["updateStrategy"]["type"] = json!("OnDelete");
        assert_eq!(
            of(ReadyRule::DaemonSet, &by_hand),
            missing("has 1 of 3 pods updated; its strategy is OnDelete: delete its old pods")
        );
    }

    #[test]
    fn a_pod_is_ready_by_its_condition_and_says_why_not() {
        let pod = |status: Value| json!({ "metadata": { "name": "p" }, "status": status });
        let ready = |status: &str| json!([{ "type": "Ready", "status": status, "message": "containers with unready status: [app]" }]);
        assert_eq!(
            of(ReadyRule::Pod, &pod(json!({ "phase": "Running", "conditions": ready("True") }))),
            Readiness::Ready
        );
        for (status, expected) in [
            (json!({ "phase": "Pending" }), "has no condition Ready yet"),
            (
                json!({ "phase": "Running", "conditions": ready("False") }),
                "is not Ready: containers with unready status: [app]",
            ),
            (
                json!({
                    "phase": "Pending", "conditions": ready("False"),
                    "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "ImagePullBackOff" } } }],
                }),
                "is not Ready: container app: ImagePullBackOff",
            ),
            (
                json!({
                    "phase": "Running", "conditions": ready("False"),
                    "containerStatuses": [
                        { "name": "sidecar", "state": { "running": {} } },
                        {
                            "name": "app", "state": { "waiting": { "reason": "CrashLoopBackOff" } },
                            "lastState": { "terminated": { "exitCode": 3 } },
                        },
                    ],
                }),
                "is not Ready: container app: CrashLoopBackOff, last exit code 3",
            ),
            (
                json!({
                    "phase": "Pending",
                    "conditions": [{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes" }],
                }),
                "is not Ready: no node takes it: Unschedulable: 0/1 nodes",
            ),
            (
                json!({
                    "phase": "Pending", "conditions": ready("False"),
                    "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "ContainerCreating" } } }],
                }),
                "is not Ready: containers with unready status: [app]",
            ),
        ] {
            assert_eq!(of(ReadyRule::Pod, &pod(status)), missing(expected));
        }
    }

    #[test]
    fn a_pod_that_ended_is_never_ready_unless_a_controller_makes_it_anew() {
        let failed = json!({ "status": { "phase": "Failed", "reason": "Evicted", "message": "low on memory" } });
        assert_eq!(of(ReadyRule::Pod, &failed), never("failed: Evicted: low on memory"));
        let ended = json!({ "status": { "phase": "Succeeded" } });
        assert_eq!(of(ReadyRule::Pod, &ended), never("has run to its end and is not ready any more"));
        let mut owned = failed;
        owned["metadata"] = json!({ "ownerReferences": [{ "kind": "StatefulSet", "name": "db", "controller": true }] });
        assert_eq!(of(ReadyRule::Pod, &owned), missing("failed: Evicted: low on memory"));
    }

    #[test]
    fn a_job_is_ready_when_complete_and_never_when_failed() {
        let job = |more: Value| {
            let mut object = json!({ "spec": { "completions": 3 }, "status": { "succeeded": 1, "failed": 2 } });
            for (place, value) in more.as_object().unwrap() {
                object[place].as_object_mut().unwrap().extend(value.as_object().unwrap().clone());
            }
            object
        };
        let with = |kind: &str, status: &str| {
            let reason = json!({ "type": kind, "status": status, "reason": "BackoffLimitExceeded", "message": "Job has reached the specified backoff limit" });
            job(json!({ "status": { "conditions": [reason] } }))
        };
        assert_eq!(of(ReadyRule::Job, &with("Complete", "True")), Readiness::Ready);
        let why = "failed: BackoffLimitExceeded: Job has reached the specified backoff limit";
        assert_eq!(of(ReadyRule::Job, &with("Failed", "True")), never(why));
        assert_eq!(of(ReadyRule::Job, &with("Failed", "False")), missing("has 1 of 3 pods completed, and 2 failed"));
        assert_eq!(of(ReadyRule::Job, &job(json!({ "spec": { "suspend": true } }))), missing("is suspended"));
        assert_eq!(of(ReadyRule::Job, &json!({ "spec": {} })), missing("has 0 of 1 pods completed"));
    }

    #[test]
    fn a_service_needs_a_ready_endpoint() {
        let slice = |ready: Value| json!({ "endpoints": [{ "conditions": { "ready": ready } }] });
        for service in [json!({ "spec": { "type": "ClusterIP" } }), json!({ "spec": { "clusterIP": "None" } })] {
            let of = |slices: &[Value]| readiness(ReadyRule::Service, Some(&service), slices);
            assert_eq!(of(&[]), missing("has no ready endpoint"));
            assert_eq!(of(&[json!({ "endpoints": null })]), missing("has no ready endpoint"));
            assert_eq!(of(&[slice(json!(false))]), missing("has no ready endpoint"));
            assert_eq!(of(&[slice(json!(false)), slice(json!(true))]), Readiness::Ready);
            assert_eq!(of(&[slice(Value::Null)]), Readiness::Ready);
        }
        let external = json!({ "spec": { "type": "ExternalName", "externalName": "example.org" } });
        assert_eq!(readiness(ReadyRule::Service, Some(&external), &[]), Readiness::Ready);
    }

    #[test]
    fn a_condition_is_read_without_case_and_its_message_shown() {
        let object = |status: &str| json!({ "status": { "conditions": [{ "type": "ready", "status": status, "message": "no revision" }] } });
        let ready = |object: &Value| of(ReadyRule::Condition("Ready"), object);
        assert_eq!(ready(&object("TRUE")), Readiness::Ready);
        assert_eq!(ready(&object("False")), missing("is not Ready: no revision"));
        assert_eq!(ready(&object("Unknown")), missing("is not Ready: no revision"));
        assert_eq!(ready(&json!({})), missing("has no condition Ready yet"));
        let silent = json!({ "status": { "conditions": [{ "type": "Ready", "status": "False", "message": "", "reason": "Waiting" }] } });
        assert_eq!(ready(&silent), missing("is not Ready: Waiting"));
    }

    #[test]
    fn a_condition_of_an_older_generation_does_not_count() {
        let object = |condition: Value, status: Value| {
            let mut of_condition = json!({ "type": "Ready", "status": "True" });
            of_condition["observedGeneration"] = condition;
            json!({ "metadata": { "generation": 4 }, "status": { "observedGeneration": status, "conditions": [of_condition] } })
        };
        for (condition, status, expected) in [
            (json!(4), json!(null), Readiness::Ready),
            (json!(3), json!(4), missing(UNOBSERVED)),
            (json!(null), json!(3), missing(UNOBSERVED)),
            (json!(null), json!(4), Readiness::Ready),
            // A controller that says nothing of generations is believed.
            (json!(null), json!(null), Readiness::Ready),
        ] {
            assert_eq!(of(ReadyRule::Condition("Ready"), &object(condition, status)), expected);
        }
    }

    #[test]
    fn what_does_not_exist_or_is_going_away_is_not_ready() {
        assert_eq!(readiness(ReadyRule::Exists, None, &[]), missing("does not exist"));
        let going = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
        assert_eq!(of(ReadyRule::Exists, &going), missing("is being deleted"));
        assert_eq!(of(ReadyRule::Exists, &json!({})), Readiness::Ready);
    }

    #[test]
    fn the_pods_of_an_object_are_found_by_its_labels() {
        let labels = json!({ "app": "web", "tier": "front" });
        let workload = json!({ "spec": { "selector": { "matchLabels": labels } } });
        assert_eq!(pod_selector(ReadyRule::Deployment, &workload).as_deref(), Some("app=web,tier=front"));
        let service = json!({ "spec": { "selector": labels } });
        assert_eq!(pod_selector(ReadyRule::Service, &service).as_deref(), Some("app=web,tier=front"));
        assert_eq!(pod_selector(ReadyRule::Service, &json!({ "spec": {} })), None);
        let more = json!({ "spec": { "selector": { "matchLabels": labels, "matchExpressions": [{ "key": "x", "operator": "Exists" }] } } });
        assert_eq!(pod_selector(ReadyRule::Deployment, &more), None);
        assert_eq!(pod_selector(ReadyRule::Exists, &workload), None);
    }
}
