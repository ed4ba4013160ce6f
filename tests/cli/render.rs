//! Objects without a cluster: `render`, `gen` and `launch --dry-run=client`.

use base64::Engine as _;
use insta::assert_snapshot;
use serde_json::{Value, json};

use crate::plugin::{Plugin, of_kind};

/// The experiment that rendered objects hold, for revision 1 of the group default.
#[track_caller]
pub(crate) fn experiment(objects: &[Value]) -> Value {
    let spec = of_kind(objects, "Secret", "iter8-default-1-spec");
    let encoded = spec["data"]["experiment.yaml"].as_str().expect("the spec holds an experiment");
    let text = base64::engine::general_purpose::STANDARD.decode(encoded).expect("data is base64");
    serde_yaml::from_str(&String::from_utf8(text).expect("an experiment is text")).expect("an experiment is YAML")
}

const TASKS: &str = "--set tasks={ready,http,assess} --set ready.deploy=app --set http.url=http://app/get \
    --set assess.SLOs.upper.http/error-count=0";

fn kinds(objects: &[Value]) -> Vec<String> {
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let mut kinds: Vec<String> =
        objects.iter().map(|object| format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"))).collect();
    kinds.sort();
    kinds
}

#[test]
fn the_objects_of_an_experiment_are_printed_without_any_cluster() {
    let output = Plugin::new().run(&format!("render {TASKS}")).code(0);
    assert_eq!(output.stderr, "");
    let objects = output.yaml();
    assert_eq!(
        kinds(&objects),
        [
            "Job iter8-default-1",
            "Role iter8-default",
            "Role iter8-default-ready",
            "RoleBinding iter8-default",
            "RoleBinding iter8-default-ready",
            "Secret iter8-default-1-result",
            "Secret iter8-default-1-spec",
            "ServiceAccount iter8-default",
        ]
    );
    let expected = json!({
        "apiVersion": "iter8.tools/v1",
        "spec": [
            { "task": "ready", "with": { "deploy": "app" } },
            { "task": "http", "with": { "url": "http://app/get" } },
            { "task": "assess", "with": { "SLOs": { "upper": { "http/error-count": 0 } } } },
        ],
    });
    assert_eq!(experiment(&objects), expected);
}

#[test]
fn the_pod_mounts_the_secrets_that_inputs_refer_to_and_nothing_that_only_looks_like_one() {
    let values = include_str!("../helm/values/secrets_of_inputs.yaml");
    let output = Plugin::new().line("render -f -").stdin(values).run().code(0);
    let objects = output.yaml();
    let pod = &of_kind(&objects, "Job", "iter8-default-1")["spec"]["template"]["spec"];
    let volumes = pod["volumes"].as_array().expect("a pod has volumes");
    let secrets: Vec<&Value> =
        volumes.iter().map(|volume| &volume["secret"]).filter(|s| !s["optional"].is_null()).collect();
    let named = |name: &str| json!({ "secretName": name, "optional": true });
    let names = ["5", "chat-tls", "fetch-key", "other-tls", "run-key", "shop-tls", "third-tls"];
    assert_eq!(secrets, names.map(named).iter().collect::<Vec<_>>());
    let mounts = pod["containers"][0]["volumeMounts"].as_array().expect("a container has mounts");
    let places: Vec<&str> = mounts.iter().filter_map(|mount| mount["mountPath"].as_str()).collect();
    assert_eq!(places[2..], names.map(|name| format!("/etc/iter8-secrets/{name}")));
}

#[test]
fn render_gen_and_a_dry_run_by_the_client_print_the_same() {
    let plugin = Plugin::new();
    let rendered = plugin.run(&format!("render {TASKS}")).code(0);
    for command in ["gen", "launch --dry-run=client", "launch --dry-run", "launch --dry"] {
        assert_eq!(plugin.run(&format!("{command} {TASKS}")), rendered, "{command}");
    }
    // A cluster that cannot be reached is not asked.
    assert_eq!(plugin.run(&format!("launch --dry-run=client --server http://127.0.0.1:1 {TASKS}")), rendered);
}

#[test]
fn group_namespace_and_revision_are_the_ones_asked_for() {
    let plugin = Plugin::new();
    let objects = plugin.run(&format!("render -g checkout -n shop --revision 7 {TASKS}")).code(0).yaml();
    let job = of_kind(&objects, "Job", "iter8-checkout-7");
    assert_eq!(job["metadata"]["namespace"], "shop");
    assert_eq!(job["metadata"]["labels"]["iter8.tools/group"], "checkout");
    assert_eq!(job["metadata"]["labels"]["iter8.tools/revision"], "7");
}

#[test]
fn the_namespace_of_the_context_counts_although_no_cluster_is_asked() {
    let mut plugin = Plugin::new();
    let config = plugin.file("kubeconfig", crate::plugin::kubeconfig("http://127.0.0.1:1", "books"));
    plugin.set("KUBECONFIG", config);
    let output = plugin.run(&format!("render {TASKS}")).code(0);
    assert_eq!(output.yaml()[0]["metadata"]["namespace"], "books");
}

#[test]
fn a_cronjob_and_no_runner_at_all() {
    let plugin = Plugin::new();
    let objects =
        plugin.line(&format!("render {TASKS} --set runner=cronjob")).args(["--set", "cronjobSchedule=*/5 * * * *"]);
    let objects = objects.run().code(0).yaml();
    let cronjob = of_kind(&objects, "CronJob", "iter8-default-1");
    assert_eq!(cronjob["spec"]["schedule"], "*/5 * * * *");
    assert_eq!(cronjob["spec"]["concurrencyPolicy"], "Forbid");
    let none = plugin.run(&format!("render {TASKS} --set runner=none")).code(0).yaml();
    assert!(!kinds(&none).iter().any(|kind| kind.contains("Job")), "{:?}", kinds(&none));
}

#[test]
fn an_existing_service_account_needs_no_roles() {
    let objects = Plugin::new().run(&format!("render {TASKS} --set serviceAccountName=tester")).code(0).yaml();
    assert_eq!(
        kinds(&objects),
        ["Job iter8-default-1", "Secret iter8-default-1-result", "Secret iter8-default-1-spec"]
    );
}

#[test]
fn objects_to_wait_for_in_another_namespace_are_looked_at_there() {
    let objects = Plugin::new().run(&format!("render {TASKS} --set ready.namespace=books")).code(0).yaml();
    let role = of_kind(&objects, "Role", "iter8-default-ready.default");
    assert_eq!(role["metadata"]["namespace"], "books");
    assert_eq!(
        role["rules"],
        json!([{ "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["app"], "verbs": ["get"] }])
    );
}

#[test]
fn every_object_to_wait_for_may_be_read_by_its_name_where_it_is_and_no_other() {
    let objects = r#"ready.objects=[
        {"group":"cert-manager.io","version":"v1","resource":"certificates","name":"tls","condition":"Ready"},
        {"version":"v1","resource":"services","name":"db","namespace":"db"},
        {"group":"batch","version":"v1","resource":"jobs","name":"seed","namespace":"db"}]"#;
    let named = "ready.statefulset=a,ready.daemonset=b,ready.pod=c,ready.job=d";
    let words = ["render", "--set", "tasks={ready}", "--set", named, "--set-json", objects];
    let objects = Plugin::new().words(words).run().code(0).yaml();
    let get = |group: &str, resource: &str, name: &str| json!({ "apiGroups": [group], "resources": [resource], "resourceNames": [name], "verbs": ["get"] });
    assert_eq!(
        of_kind(&objects, "Role", "iter8-default-ready")["rules"],
        json!([
            get("apps", "statefulsets", "a"),
            get("apps", "daemonsets", "b"),
            get("", "pods", "c"),
            get("batch", "jobs", "d"),
            get("cert-manager.io", "certificates", "tls"),
        ])
    );
    let away = of_kind(&objects, "Role", "iter8-default-ready.default");
    assert_eq!(away["metadata"]["namespace"], "db");
    let endpoints = json!({ "apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list"] });
    assert_eq!(away["rules"], json!([get("", "services", "db"), get("batch", "jobs", "seed"), endpoints]));
    let binding = of_kind(&objects, "RoleBinding", "iter8-default-ready.default");
    assert_eq!(binding["metadata"]["namespace"], "db");
    assert_eq!(binding["roleRef"]["name"], "iter8-default-ready.default");
    assert_eq!(
        binding["subjects"],
        json!([{ "kind": "ServiceAccount", "name": "iter8-default", "namespace": "default" }])
    );
    assert_eq!(objects.iter().filter(|object| object["kind"] == "ClusterRole").count(), 0);
}

#[test]
fn a_job_is_stopped_when_it_takes_far_longer_than_its_tasks() {
    let deadline = |flags: &str| {
        let objects = Plugin::new().run(&format!("render {TASKS} {flags}")).code(0).yaml();
        of_kind(&objects, "Job", "iter8-default-1")["spec"]["activeDeadlineSeconds"].as_u64().unwrap()
    };
    assert!((1200..7200).contains(&deadline("--set http.duration=10m")), "{}", deadline("--set http.duration=10m"));
    assert_eq!(deadline("--set activeDeadlineSeconds=90"), 90);
}

#[test]
fn the_pod_keeps_to_the_restricted_security_standard() {
    let objects = Plugin::new().run(&format!("render {TASKS}")).code(0).yaml();
    let pod = &of_kind(&objects, "Job", "iter8-default-1")["spec"]["template"]["spec"];
    assert_snapshot!(format!("{:#}", pod["securityContext"]), @r#"
    {
      "fsGroup": 65532,
      "runAsGroup": 65532,
      "runAsNonRoot": true,
      "runAsUser": 65532,
      "seccompProfile": {
        "type": "RuntimeDefault"
      }
    }
    "#);
    assert_snapshot!(format!("{:#}", pod["containers"][0]["securityContext"]), @r#"
    {
      "allowPrivilegeEscalation": false,
      "readOnlyRootFilesystem": true,
      "capabilities": {
        "drop": [
          "ALL"
        ]
      }
    }
    "#);
}
