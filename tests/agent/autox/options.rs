//! What is off by default: other places for the version, waiting for a rollout, for a while or for the run before, and
//! keeping results.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::{Autox, SHOP, deployment, record, web};

/// The configuration of one group, changed.
fn with(change: impl FnOnce(&mut Value)) -> Value {
    let mut values = web();
    change(&mut values["groups"]["web"]);
    values
}

fn marked(name: &str) -> Value {
    let mut object = deployment(name, "");
    object["metadata"]["labels"] = json!({ "iter8.tools/autox": "true" });
    object
}

#[test]
fn the_version_can_be_the_image() {
    let autox = Autox::new(&with(|group| group["trigger"]["versionFrom"] = json!("image")));
    autox.server.put(marked("web"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.server.edit("deployments", SHOP, "web", |object| {
        object["spec"]["template"]["spec"]["containers"][0]["image"] = json!("web@sha256:12ab");
    });
    autox.launched("autox-web-load", "sha256:12ab");
}

#[test]
fn the_version_can_be_any_field_of_a_custom_resource() {
    let autox = Autox::new(&with(|group| {
        group["trigger"] = json!({
            "name": "model", "namespace": SHOP, "group": "serving.kserve.io", "version": "v1beta1",
            "resource": "inferenceservices", "versionFrom": ".spec.predictor.model.storageUri",
        });
    }));
    autox.server.install("inferenceservices.serving.kserve.io");
    let mut object = json!({
        "apiVersion": "serving.kserve.io/v1beta1", "kind": "InferenceService",
        "metadata": { "name": "model", "namespace": SHOP, "labels": { "iter8.tools/autox": "true" } },
        "spec": { "predictor": { "model": { "storageUri": "s3://models/1" } } },
    });
    autox.server.put(object.clone());
    let _running = autox.start();
    autox.launched("autox-web-load", "s3://models/1");
    object["spec"]["predictor"]["model"]["storageUri"] = json!("s3://models/2");
    autox.server.put(object);
    autox.launched("autox-web-load", "s3://models/2");
}

#[test]
fn a_launch_can_wait_for_the_rollout() {
    let autox = Autox::new(&with(|group| group["awaitRollout"] = json!(true)));
    let mut object = deployment("web", "1");
    object["status"] = json!({ "observedGeneration": 1, "replicas": 1, "updatedReplicas": 0, "availableReplicas": 1 });
    autox.server.put(object);
    let mut running = autox.start();
    running.wait_for("held, because the rollout of the trigger is not done");
    assert_eq!(autox.jobs_made(), [""; 0]);
    autox.server.edit("deployments", SHOP, "web", |object| {
        object["status"]["updatedReplicas"] = json!(1);
    });
    autox.launched("autox-web-load", "1");
}

#[test]
fn a_version_can_have_to_stand_for_a_while() {
    let autox = Autox::new(&with(|group| group["debounce"] = json!("1s")));
    let mut running = autox.start();
    let put = Instant::now();
    autox.server.put(deployment("web", "1"));
    running.wait_for("held, because the version has not stood for long enough");
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    assert!(put.elapsed() >= Duration::from_secs(1));
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1"], "version 1 was never launched");
}

#[test]
fn a_version_can_wait_for_the_run_before() {
    let autox = Autox::new(&with(|group| group["supersede"] = json!("wait")));
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.version("web", "2");
    running.wait_for("held, because the experiment of the version before still runs");
    autox.version("web", "3");
    autox.server.edit("jobs", SHOP, "iter8-autox-web-load-1", |job| {
        job["status"] = json!({ "conditions": [{ "type": "Complete", "status": "True" }] });
    });
    autox.launched("autox-web-load", "3");
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1", "iter8-autox-web-load-2"], "version 2 was overtaken");
}

#[test]
fn results_of_earlier_versions_can_be_kept() {
    let autox = Autox::new(&with(|group| group["keepHistory"] = json!(true)));
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    assert!(autox.server.get("secrets", SHOP, "iter8-autox-web-load-1-result").is_some());
    assert!(autox.server.get("jobs", SHOP, "iter8-autox-web-load-1").is_none());
}

#[test]
fn a_group_can_have_many_specs_which_come_and_go_alone() {
    let autox = Autox::new(&with(|group| {
        group["specs"]["smoke"] = group["specs"]["load"].clone();
    }));
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.launched("autox-web-smoke", "1");
    autox.configure(&web().to_string());
    autox.gone("autox-web-smoke");
    let revision = autox.server.wait_for("the other record", |state| record(state, "autox-web-load"));
    assert_eq!(revision["revision"], 1);
}
