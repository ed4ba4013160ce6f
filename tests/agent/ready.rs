//! The task `ready` against a cluster: what it waits for, what it says while it waits, and when it gives up.

use iter8_core::result::StepStatus;
use serde_json::{Value, json};

use crate::harness::{NAMESPACE, Stage, code, experiment};

fn ready(with: &Value) -> Value {
    experiment([json!({ "task": "ready", "with": with })])
}

/// A Deployment of two replicas that is rolled out, with its generations.
fn deployment(generation: u64, observed: u64) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": "web", "namespace": NAMESPACE, "generation": generation },
        "spec": { "replicas": 2 },
        "status": {
            "observedGeneration": observed, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2,
            "conditions": [{ "type": "Available", "status": "True" }],
        },
    })
}

fn service(namespace: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web", "namespace": namespace }, "spec": { "type": "ClusterIP" } })
}

fn endpoints(namespace: &str, ready: bool) -> Value {
    json!({
        "apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
        "metadata": { "name": "web-1", "namespace": namespace, "labels": { "kubernetes.io/service-name": "web" } },
        "endpoints": [{ "addresses": ["10.0.0.1"], "conditions": { "ready": ready } }],
    })
}

/// Runs `ready` to its failure, and returns what it said.
fn failure(stage: &Stage, with: &Value) -> String {
    stage.run(&ready(with)).code(code::TASK_FAILED);
    let step = stage.result().steps[0].clone();
    assert_eq!(step.status, StepStatus::Failed);
    step.message
}

#[test]
fn objects_that_are_ready_let_the_experiment_go_on() {
    let stage = Stage::new();
    for object in [deployment(1, 1), service(NAMESPACE), endpoints(NAMESPACE, true)] {
        stage.server.put(object);
    }
    stage.run(&ready(&json!({ "service": "web", "deploy": "web" }))).code(code::SUCCEEDED);
    assert_eq!(stage.result().steps[0].message, "ready: service web, deployment web");
}

#[test]
fn what_becomes_ready_in_time_is_waited_for() {
    let stage = Stage::new();
    stage.server.put(deployment(1, 0));
    let mut agent = stage
        .agent(&ready(&json!({ "deploy": "web", "service": "web", "timeout": "1m" })))
        .args(["--log-level", "debug"])
        .spawn();
    agent.wait_for("waiting: service shop/web does not exist; deployment shop/web has a newer generation than its controller has seen");
    stage.server.put(service(NAMESPACE));
    stage.server.put(endpoints(NAMESPACE, false));
    agent.wait_for("waiting: service shop/web has no ready endpoint; deployment shop/web has");
    stage.server.edit("deployments", NAMESPACE, "web", |web| web["status"]["observedGeneration"] = json!(1));
    stage.server.put(endpoints(NAMESPACE, true));
    agent.wait().code(code::SUCCEEDED);
}

#[test]
fn what_is_not_ready_in_time_fails_with_what_is_missing() {
    let stage = Stage::new();
    let unready = |with: Value| failure(&stage, &with);
    assert_eq!(
        unready(json!({ "deploy": "web", "timeout": "50ms" })),
        "not ready after 50ms: deployment shop/web does not exist"
    );
    stage.server.put(deployment(1, 0));
    assert_eq!(
        unready(json!({ "deploy": "web", "timeout": "50ms" })),
        "not ready after 50ms: deployment shop/web has a newer generation than its controller has seen"
    );
    stage.server.put(service(NAMESPACE));
    assert_eq!(
        unready(json!({ "service": "web", "timeout": "50ms" })),
        "not ready after 50ms: service shop/web has no ready endpoint"
    );
    assert_eq!(
        unready(json!({ "ksvc": "web", "timeout": "50ms" })),
        "not ready after 50ms: Knative service shop/web does not exist"
    );
}

#[test]
fn custom_objects_are_ready_by_their_condition() {
    let stage = Stage::new();
    stage.server.install("services.serving.knative.dev");
    let knative = |status: &str| {
        json!({
            "apiVersion": "serving.knative.dev/v1", "kind": "Service", "metadata": { "name": "web", "namespace": NAMESPACE },
            "status": { "conditions": [{ "type": "Ready", "status": status, "message": "no revision yet" }] },
        })
    };
    stage.server.put(knative("False"));
    assert_eq!(
        failure(&stage, &json!({ "ksvc": "web", "timeout": "50ms" })),
        "not ready after 50ms: Knative service shop/web is not Ready: no revision yet"
    );
    stage.server.put(knative("True"));
    stage.run(&ready(&json!({ "ksvc": "web" }))).code(code::SUCCEEDED);
}

#[test]
fn objects_are_looked_for_in_the_namespace_that_is_named() {
    let stage = Stage::new();
    stage.server.create_namespace("db");
    stage.server.put(service("db"));
    stage.server.put(endpoints("db", true));
    stage.run(&ready(&json!({ "service": "web", "namespace": "db" }))).code(code::SUCCEEDED);
}

#[test]
fn what_may_not_be_read_fails_at_once() {
    for (verb, resource) in [("get", "services"), ("list", "endpointslices")] {
        let stage = Stage::new();
        stage.server.put(service(NAMESPACE));
        stage.server.deny(verb, resource);
        let said = failure(&stage, &json!({ "service": "web", "timeout": "10m" }));
        assert!(said.starts_with("cannot read service shop/web: "), "{said}");
        assert!(said.contains(&format!("User \"tester\" cannot {verb} resource \"{resource}\"")), "{said}");
    }
}

#[test]
fn what_cannot_be_read_for_a_moment_is_waited_out() {
    let stage = Stage::new();
    stage.server.put(service(NAMESPACE));
    stage.server.put(endpoints(NAMESPACE, true));
    stage.server.when("get", "services").times(1).internal_error();
    stage.server.when("list", "endpointslices").times(1).drop_connection();
    stage.run(&ready(&json!({ "service": "web", "timeout": "1m" }))).code(code::SUCCEEDED);
    assert!(stage.server.requests_to("get", "services").len() > 2);
}

#[test]
fn an_api_server_that_does_not_answer_does_not_stretch_the_wait() {
    let stage = Stage::new();
    let _hold = stage.server.when("get", "deployments").hold();
    let said = failure(&stage, &json!({ "deploy": "web", "timeout": "50ms" }));
    assert_eq!(said, "not ready after 50ms: the API server has not answered yet");
}
