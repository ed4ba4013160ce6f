//! What AutoX would do, asked without a cluster.

use insta::assert_snapshot;
use iter8_testkit::command::CommandOutput;
use serde_json::{Value, json};

use crate::autox::{autox, documented, values, write};
use crate::plugin::Plugin;

/// A plugin without a cluster, with values in `v.yaml` and a Deployment in `1.yaml` and, of version 2.0, in `2.yaml`.
fn offline(values: &Value) -> Plugin {
    let plugin = Plugin::new();
    write(&plugin, values);
    for version in 1..3 {
        deployment(&plugin, &format!("{version}.yaml"), "web", "shop", &format!("{version}.0"), "true");
    }
    plugin
}

fn deployment(plugin: &Plugin, file: &str, name: &str, namespace: &str, version: &str, mark: &str) {
    let labels = json!({ "app.kubernetes.io/version": version, "iter8.tools/autox": mark });
    let metadata = json!({ "name": name, "namespace": namespace, "labels": labels });
    let object = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata });
    let _ = plugin.file(file, object.to_string());
}

/// `autox test` on the values in the file.
fn tried(plugin: &Plugin, line: &str) -> CommandOutput {
    autox(plugin, &format!("test -f v.yaml {line}"))
}

#[test]
fn the_documented_example_is_launched_for_each_version_and_deleted_without_the_label() {
    let plugin = Plugin::new();
    deployment(&plugin, "1.yaml", "httpbin", "default", "1.0", "true");
    deployment(&plugin, "2.yaml", "httpbin", "default", "2.0", "true");
    deployment(&plugin, "unmarked.yaml", "httpbin", "default", "2.0", "false");
    let line =
        "test --trigger 1.yaml --after 2.yaml --after 2.yaml --after unmarked.yaml --after 2.yaml --after /dev/null";
    assert_snapshot!(documented(&plugin, line), @"
    1.yaml
      deployments.apps httpbin has version 1.0, with iter8.tools/autox=true
        autox-httpbin-iter8 is to be launched, because version 1.0 was not tested
          yet

    2.yaml
      deployments.apps httpbin has version 2.0, with iter8.tools/autox=true
        autox-httpbin-iter8 is to be launched anew, because the version changed from
          1.0 to 2.0

    2.yaml
      deployments.apps httpbin has version 2.0, with iter8.tools/autox=true
        autox-httpbin-iter8 stays, because this version was launched already

    unmarked.yaml
      deployments.apps httpbin has version 2.0, without iter8.tools/autox=true
        autox-httpbin-iter8 is to be deleted, because the trigger does not carry the
          label iter8.tools/autox=true

    2.yaml
      deployments.apps httpbin has version 2.0, with iter8.tools/autox=true
        autox-httpbin-iter8 is to be launched, because version 2.0 was not tested
          yet

    /dev/null
      deployments.apps httpbin is gone
        autox-httpbin-iter8 is to be deleted, because the trigger is not there
    ");
}

#[test]
fn what_is_waited_for_is_told_with_what_follows() {
    let mut values = values();
    let web = values["groups"]["web"].as_object_mut().unwrap();
    web.extend(json!({ "debounce": "10s", "awaitRollout": true, "supersede": "wait" }).as_object().unwrap().clone());
    let plugin = offline(&values);
    let mut rolling: Value = serde_json::from_slice(&std::fs::read(plugin.home().join("2.yaml")).unwrap()).unwrap();
    rolling["status"] = json!({ "replicas": 2, "updatedReplicas": 1 });
    let _ = plugin.file("rolling.yaml", rolling.to_string());
    assert_snapshot!(tried(&plugin, "--trigger 1.yaml --after rolling.yaml"), @"
    1.yaml
      deployments.apps web has version 1.0, with iter8.tools/autox=true
      a version has to stand for 10s
        autox-web-load waits, because the version has not stood for long enough
        then it is to be launched, because version 1.0 was not tested yet

    rolling.yaml
      deployments.apps web has version 2.0, with iter8.tools/autox=true
      a version has to stand for 10s
        autox-web-load waits, because the version has not stood for long enough
        then it waits, because the rollout of the trigger is not done
        then it waits, because the experiment of the version before still runs
        then it is to be launched anew, because the version changed from 1.0 to 2.0
    ");
}

#[test]
fn a_version_can_be_that_of_an_image() {
    let mut values = values();
    values["groups"]["web"]["trigger"]["versionFrom"] = json!("image");
    let plugin = offline(&values);
    let image = |image: &str| {
        json!({ "apiVersion": "v1", "kind": "List", "items": [{
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "web", "labels": { "iter8.tools/autox": "true" } },
            "spec": { "template": { "spec": { "containers": [{ "image": image }] } } },
        }] })
    };
    let _ = plugin.file("1.yaml", image("shop@sha256:12ab").to_string());
    let _ = plugin.file("2.yaml", image("shop:2").to_string());
    assert_snapshot!(tried(&plugin, "--trigger 1.yaml --after 2.yaml"), @"
    1.yaml
      deployments.apps web has version sha256:12ab, with iter8.tools/autox=true
        autox-web-load is to be launched, because version sha256:12ab was not tested
          yet

    2.yaml
      deployments.apps web has version 2, with iter8.tools/autox=true
        autox-web-load is to be launched anew, because the version changed from
          sha256:12ab to 2
    ");
}

#[test]
fn values_that_the_trigger_spoils_are_refused_with_their_place() {
    let mut values = values();
    values["groups"]["web"]["specs"]["load"]["values"]["http"]["qps"] = json!("{{ .trigger.labels.qps }}");
    let plugin = offline(&values);
    assert_snapshot!(tried(&plugin, "--trigger 1.yaml"), @r#"
    1.yaml
      deployments.apps web has version 1.0, with iter8.tools/autox=true
        autox-web-load is to be launched, because version 1.0 was not tested yet
    ------- stderr -------
    error: invalid values: `groups.web.specs.load.values.http.qps` must be a number, got ""
    [exit code 2]
    "#);
}

#[test]
fn files_without_a_trigger_are_told_apart() {
    let plugin = offline(&values());
    deployment(&plugin, "other.yaml", "other", "shop", "1.0", "true");
    deployment(&plugin, "elsewhere.yaml", "web", "books", "1.0", "true");
    let _ = plugin.file("broken.yaml", "a: [");
    assert_snapshot!(tried(&plugin, "--trigger other.yaml"), @"
    ------- stderr -------
    error: other.yaml has no trigger of the values, but Deployment (apps/v1) other in namespace shop
    hint: the values have deployments.apps web in namespace shop
    [exit code 2]
    ");
    let _ = tried(&plugin, "--trigger elsewhere.yaml").code(2).complains("web in namespace books");
    let _ = tried(&plugin, "--trigger 1.yaml --after other.yaml").code(2).complains("other.yaml has no trigger");
    assert_snapshot!(tried(&plugin, "--trigger broken.yaml"), @"
    ------- stderr -------
    error: broken.yaml cannot be read as YAML of objects: unclosed bracket '[' at line 1, column 4
    [exit code 2]
    ");
    assert_snapshot!(tried(&plugin, "--trigger none.yaml"), @"
    ------- stderr -------
    error: cannot read none.yaml: No such file or directory (os error 2)
    [exit code 2]
    ");
    assert_snapshot!(tried(&plugin, "--trigger /dev/null"), @"
    ------- stderr -------
    error: /dev/null has no trigger of the values, but nothing
    hint: the values have deployments.apps web in namespace shop
    [exit code 2]
    ");
    assert_snapshot!(tried(&plugin, ""), @"
    ------- stderr -------
    error: --trigger <FILE> is required
    See 'kubectl iter8 autox test --help' for usage.
    [exit code 2]
    ");
}
