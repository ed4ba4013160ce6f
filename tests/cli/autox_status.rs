//! What AutoX says of itself in a cluster.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::{Value, json};

use crate::autox::{autox, launch_for, shop, values, write};
use crate::get::without_ages;
use crate::plugin::Plugin;

/// Stores the trigger of the values.
fn trigger(server: &ApiServer, version: &str, mark: &str) {
    server.put(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
        "name": "web", "namespace": "shop",
        "labels": { "app.kubernetes.io/version": version, "iter8.tools/autox": mark },
    } }));
}

/// Gives the controllers of `iter8/autox` a state.
fn controllers(server: &ApiServer, ready: u32) {
    server.edit("deployments", "iter8", "autox", |deployment| deployment["status"] = json!({ "readyReplicas": ready }));
}

/// The text of `autox status` with the ages of experiments, which depend on the clock, made the same.
fn status(plugin: &Plugin) -> String {
    let text = autox(plugin, "status -n iter8").code(0).stdout;
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    without_ages(&text)
}

#[test]
fn every_trigger_is_shown_with_what_was_launched_and_what_follows() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    controllers(&server, 1);
    assert_snapshot!(status(&plugin), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready

    GROUP   SPEC   VERSION   AUTOX    REVISION   TESTED   VERDICT   AGE
    web     load   <gone>    <none>   <none>     <none>   <none>    <none>

    web: deployments.apps web in namespace shop
      autox-web-load is not launched, because the trigger is not there
    ");
    trigger(&server, "1.0", "true");
    assert_snapshot!(status(&plugin), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready

    GROUP   SPEC   VERSION   AUTOX   REVISION   TESTED   VERDICT   AGE
    web     load   1.0       true    <none>     <none>   <none>    <none>

    web: deployments.apps web in namespace shop
      autox-web-load is to be launched, because version 1.0 was not tested yet
    ");
    launch_for(&server, &plugin, "autox-web-load", "1.0");
    trigger(&server, "2.0", "true");
    assert_snapshot!(status(&plugin), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready

    GROUP   SPEC   VERSION   AUTOX   REVISION   TESTED   VERDICT   AGE
    web     load   2.0       true    1          1.0      pending   <age>

    web: deployments.apps web in namespace shop
      autox-web-load is to be launched anew, because the version changed from 1.0 to
        2.0
    ");
    trigger(&server, "2.0", "false");
    assert_snapshot!(status(&plugin), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready

    GROUP   SPEC   VERSION   AUTOX   REVISION   TESTED   VERDICT   AGE
    web     load   2.0       false   1          1.0      pending   <age>

    web: deployments.apps web in namespace shop
      autox-web-load is to be deleted, because the trigger does not carry the label
        iter8.tools/autox=true
    ");
}

#[test]
fn what_cannot_be_seen_is_said() {
    let mut values = values();
    values["groups"]["model"] = values["groups"]["web"].clone();
    values["groups"]["model"]["trigger"] = json!({
        "name": "m", "namespace": "shop", "group": "serving.knative.dev", "version": "v1", "resource": "services",
    });
    let (server, plugin) = shop(&values);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    controllers(&server, 1);
    server.when("get", "deployments").named("web").forbidden();
    assert_snapshot!(autox(&plugin, "status -n iter8").code(0), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready

    GROUP   SPEC   VERSION     AUTOX       REVISION   TESTED   VERDICT   AGE
    model   load   <unknown>   <unknown>   <none>     <none>   <none>    <none>
    web     load   <unknown>   <unknown>   <none>     <none>   <none>    <none>

    model: services.serving.knative.dev m in namespace shop, which cannot be seen:
        the API server has no group serving.knative.dev yet
      autox-model-load is not launched, because the trigger or its experiments could
        not be read yet
    web: deployments.apps web in namespace shop, which cannot be seen: you may not
        look at deployments.apps there
      autox-web-load is not launched, because the trigger or its experiments could
        not be read yet
    ");
}

#[test]
fn a_group_of_the_name_that_somebody_launched_is_told() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    controllers(&server, 1);
    trigger(&server, "1.0", "true");
    let _ = plugin.run("launch -n shop -g autox-web-load --set tasks={http} --set http.url=http://web.shop").code(0);
    let _ = autox(&plugin, "status -n iter8")
        .code(0)
        .says("autox-web-load cannot be launched: there is a group of that name");
}

#[test]
fn a_version_that_waits_for_the_run_before_or_for_its_rollout_is_told() {
    let mut values = values();
    values["groups"]["web"]["supersede"] = json!("wait");
    values["groups"]["web"]["debounce"] = json!("1h");
    let (server, plugin) = shop(&values);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    controllers(&server, 1);
    launch_for(&server, &plugin, "autox-web-load", "1.0");
    trigger(&server, "2.0", "true");
    let _ = autox(&plugin, "status -n iter8")
        .code(0)
        .says("waits, because the experiment of the version before still runs");
    values["groups"]["web"]["awaitRollout"] = json!(true);
    write(&plugin, &values);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    let _ = autox(&plugin, "status -n iter8").code(0).says("waits, because the rollout of the trigger is not done");
}

#[test]
fn a_status_for_programs_has_every_field() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    launch_for(&server, &plugin, "autox-web-load", "1.0");
    trigger(&server, "2.0", "true");
    let output = autox(&plugin, "status -n iter8 -o json").code(0);
    assert_snapshot!(output, @r#"
    {
      "apiVersion": "iter8.tools/v1",
      "kind": "AutoxStatus",
      "name": "autox",
      "namespace": "iter8",
      "controllers": {
        "wanted": 1,
        "ready": 0
      },
      "groups": [
        {
          "name": "web",
          "trigger": {
            "resource": "deployments.apps",
            "namespace": "shop",
            "name": "web",
            "exists": true,
            "version": "2.0",
            "autox": "true",
            "problem": null
          },
          "experiments": [
            {
              "name": "autox-web-load",
              "spec": "load",
              "revision": 1,
              "version": "1.0",
              "launched": "<time>",
              "phase": "Pending",
              "verdict": null,
              "action": "launch",
              "reason": "NewVersion",
              "message": "is to be launched anew, because the version changed from 1.0 to 2.0"
            }
          ]
        }
      ]
    }
    ------- stderr -------
    Warning: no controller is ready, so nothing is launched: see `kubectl get pods -n iter8 -l iter8.tools/release=autox`
    "#);
    let yaml: Value = autox(&plugin, "status -n iter8 -o yaml").code(0).yaml().remove(0);
    assert_eq!(yaml["groups"][0]["experiments"][0]["reason"], "NewVersion");
}

#[test]
fn nothing_installed_nothing_followed_and_nonsense_are_told_apart() {
    let (server, plugin) = shop(&values());
    assert_snapshot!(autox(&plugin, "status -n iter8"), @"
    ------- stderr -------
    error: no AutoX autox in namespace iter8
    hint: name another with --name, or its namespace with -n; `kubectl iter8 autox apply` installs one
    [exit code 11]
    ");
    write(&plugin, &json!({ "groups": {} }));
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    controllers(&server, 1);
    assert_snapshot!(autox(&plugin, "status -n iter8"), @"
    AutoX autox in namespace iter8: 1 of 1 controllers ready
    It follows nothing.
    ");
    server.edit("secrets", "iter8", "autox-config", |secret| secret["data"]["autox.yaml"] = json!("YTogWw=="));
    assert_snapshot!(autox(&plugin, "status -n iter8"), @"
    ------- stderr -------
    error: invalid values: the configuration is not YAML: unclosed bracket '[' at line 1, column 4
    hint: AutoX goes on with what it was told before; `kubectl iter8 autox apply` tells it anew
    [exit code 2]
    ");
}
