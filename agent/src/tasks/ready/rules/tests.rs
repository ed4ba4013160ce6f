//! The rules on objects as a cluster has them.

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
fn stateful(spec: Value, updated: i64, available: i64) -> Value {
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
        (stateful(partition(0), 3, 3), Readiness::Ready),
        (stateful(partition(0), 1, 3), missing("has 1 of 3 replicas updated")),
        (stateful(partition(0), 3, 2), missing("has 2 of 3 replicas available")),
        (stateful(partition(2), 1, 3), Readiness::Ready),
        (stateful(partition(2), 0, 3), missing("has 0 of 1 replicas updated")),
        (stateful(partition(2), 1, 2), missing("has 2 of 3 replicas available")),
        (stateful(partition(9), 0, 3), Readiness::Ready),
        (stateful(from(5, 0), 2, 3), missing("has 2 of 3 replicas updated")),
        (stateful(from(5, 7), 1, 3), Readiness::Ready),
        (stateful(on_delete.clone(), 3, 3), Readiness::Ready),
        (
            stateful(on_delete, 1, 3),
            missing("has 1 of 3 replicas updated; its strategy is OnDelete: delete its old pods"),
        ),
    ] {
        assert_eq!(of(ReadyRule::StatefulSet, &object), expected, "{object}");
    }
    let mut stale = stateful(partition(0), 3, 3);
    stale["metadata"]["generation"] = json!(3);
    assert_eq!(of(ReadyRule::StatefulSet, &stale), missing(UNOBSERVED));
    let mut old_cluster = stateful(partition(0), 3, 3);
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
    assert_eq!(of(ReadyRule::Pod, &pod(json!({ "phase": "Running", "conditions": ready("True") }))), Readiness::Ready);
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
