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
    stage.server.install("services.serving.knative.dev");
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
fn what_may_not_be_read_is_soon_given_up_with_the_right_that_is_missing() {
    for (verb, resource, named) in
        [("get", "services", "services"), ("list", "endpointslices", "endpointslices.discovery.k8s.io")]
    {
        let stage = Stage::new();
        stage.server.put(service(NAMESPACE));
        stage.server.deny(verb, resource);
        let said = failure(&stage, &json!({ "service": "web", "timeout": "10m" }));
        let right = format!(
            "cannot read service shop/web: the account of the experiment needs the right to {verb} {named} in the \
             namespace shop: "
        );
        assert!(said.starts_with(&right), "{said}");
        assert!(said.contains(&format!("User \"tester\" cannot {verb} resource \"{resource}\"")), "{said}");
    }
}

#[test]
fn a_right_that_takes_a_moment_to_be_known_is_waited_for() {
    let stage = Stage::new();
    stage.server.put(service(NAMESPACE));
    stage.server.put(endpoints(NAMESPACE, true));
    stage.server.when("get", "services").times(1).forbidden();
    stage.server.when("list", "endpointslices").times(1).forbidden();
    stage.run(&ready(&json!({ "service": "web", "timeout": "1m" }))).code(code::SUCCEEDED);
}

#[test]
fn a_kind_that_the_cluster_does_not_serve_is_said_and_waited_for() {
    let stage = Stage::new();
    let object = json!({ "group": "cert-manager.io", "version": "v1", "resource": "certificates", "name": "tls", "condition": "ready" });
    let lacks = "certificates.cert-manager.io shop/tls is of a kind that the cluster does not serve in namespaces: \
                 certificates of cert-manager.io/v1";
    assert_eq!(
        failure(&stage, &json!({ "objects": [object], "timeout": "500ms" })),
        format!("not ready after 500ms: {lacks}")
    );
    let mut agent =
        stage.agent(&ready(&json!({ "objects": [object], "timeout": "1m" }))).args(["--log-level", "debug"]).spawn();
    agent.wait_for(lacks);
    stage.server.install("certificates.cert-manager.io");
    agent.wait_for("certificates.cert-manager.io shop/tls does not exist");
    stage.server.put(json!({
        "apiVersion": "cert-manager.io/v1", "kind": "Certificate",
        "metadata": { "name": "tls", "namespace": NAMESPACE }, "spec": {},
        "status": { "conditions": [{ "type": "Ready", "status": "True", "observedGeneration": 0 }] },
    }));
    agent.wait_for("certificates.cert-manager.io shop/tls has a newer generation than its controller has seen");
    stage.server.edit("certificates", NAMESPACE, "tls", |tls| {
        tls["status"]["conditions"][0]["observedGeneration"] = json!(1);
    });
    agent.wait().code(code::SUCCEEDED);
}

#[test]
fn objects_of_several_namespaces_are_each_looked_at_where_they_are() {
    let stage = Stage::new();
    stage.server.create_namespace("db");
    stage.server.put(service("db"));
    stage.server.put(endpoints("db", true));
    stage.server.put(deployment(1, 1));
    let objects = json!([
        { "version": "v1", "resource": "services", "name": "web", "namespace": "db" },
        { "group": "apps", "version": "v1", "resource": "deployments", "name": "web" },
        { "version": "v1", "resource": "secrets", "name": "password", "namespace": "db" },
    ]);
    let inputs = json!({ "objects": objects, "timeout": "500ms" });
    assert_eq!(failure(&stage, &inputs), "not ready after 500ms: secrets db/password does not exist");
}

#[test]
fn a_failed_job_ends_the_wait_at_once_with_its_reason() {
    let stage = Stage::new();
    stage.server.put(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "migrate", "namespace": NAMESPACE }, "spec": {},
        "status": { "failed": 1, "conditions": [{
            "type": "Failed", "status": "True", "reason": "BackoffLimitExceeded", "message": "Job has reached the limit",
        }] },
    }));
    assert_eq!(
        failure(&stage, &json!({ "deploy": "web", "job": "migrate", "timeout": "10m" })),
        "job shop/migrate failed: BackoffLimitExceeded: Job has reached the limit; waiting longer does not help"
    );
}

#[test]
fn the_pods_of_an_object_say_what_is_wrong_where_they_may_be_listed() {
    let stage = Stage::new();
    let mut web = deployment(1, 1);
    web["status"]["availableReplicas"] = json!(1);
    web["spec"]["selector"] = json!({ "matchLabels": { "app": "web" } });
    stage.server.put(web);
    stage.server.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": "web-1", "namespace": NAMESPACE, "labels": { "app": "web" } },
        "status": { "containerStatuses": [{ "name": "app", "state": { "waiting": { "reason": "ImagePullBackOff" } } }] },
    }));
    let inputs = json!({ "deploy": "web", "timeout": "900ms" });
    let lacks = "not ready after 900ms: deployment shop/web has 1 of 2 replicas available";
    assert_eq!(failure(&stage, &inputs), format!("{lacks}; pod web-1: container app: ImagePullBackOff"));
    stage.server.deny("list", "pods");
    let before = stage.server.requests_to("list", "pods").len();
    assert_eq!(failure(&stage, &inputs), lacks);
    assert_eq!(stage.server.requests_to("list", "pods").len(), before + 1, "what is refused is asked for once");
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
