//! AutoX as its users install, change and remove it. What it launches is the business of the agent's tests.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use iter8_testkit::command::CommandOutput;
use serde_json::{Value, json};

use crate::plugin::{Plugin, of_kind};

/// The values of the example in the documentation of Iter8 v0.13, as it writes them.
const DOCUMENTED: [&str; 16] = [
    "groups.httpbin.trigger.name=httpbin",
    "groups.httpbin.trigger.namespace=default",
    "groups.httpbin.trigger.group=apps",
    "groups.httpbin.trigger.version=v1",
    "groups.httpbin.trigger.resource=deployments",
    "groups.httpbin.specs.iter8.name=iter8",
    "groups.httpbin.specs.iter8.version=0.13.0",
    "groups.httpbin.specs.iter8.values.tasks={ready,http,assess}",
    "groups.httpbin.specs.iter8.values.ready.deploy=httpbin",
    "groups.httpbin.specs.iter8.values.ready.service=httpbin",
    "groups.httpbin.specs.iter8.values.ready.timeout=60s",
    "groups.httpbin.specs.iter8.values.http.url=http://httpbin.default/get",
    "groups.httpbin.specs.iter8.values.assess.SLOs.upper.http/latency-mean=50",
    "groups.httpbin.specs.iter8.values.assess.SLOs.upper.http/error-count=0",
    "groups.httpbin.specs.iter8.values.runner=job",
    "logLevel=info",
];

/// `autox COMMAND` with the documented values.
pub(crate) fn documented(plugin: &Plugin, command: &str) -> CommandOutput {
    let flags = DOCUMENTED.iter().flat_map(|value| ["--set", value]);
    plugin.words(["autox"].into_iter().chain(command.split_whitespace()).chain(flags)).run()
}

/// Values of one trigger with one experiment.
pub(crate) fn values() -> Value {
    json!({ "groups": { "web": {
        "trigger": { "name": "web", "namespace": "shop", "group": "apps", "version": "v1", "resource": "deployments" },
        "specs": { "load": { "name": "iter8", "values": {
            "tasks": ["http", "assess"],
            "http": { "url": "http://web.shop" },
            "assess": { "SLOs": { "upper": { "http/error-count": 0 } } },
        } } },
    } } })
}

/// A server with the namespaces `iter8`, where AutoX is, and `shop`, where its trigger is, and the plugin with these values
/// in the file `v.yaml` of its home.
pub(crate) fn shop(values: &Value) -> (ApiServer, Plugin) {
    let server = ApiServer::start();
    server.create_namespace("iter8");
    server.create_namespace("shop");
    let plugin = Plugin::with(&server);
    write(&plugin, values);
    (server, plugin)
}

pub(crate) fn write(plugin: &Plugin, values: &Value) {
    let _ = plugin.file("v.yaml", values.to_string());
}

/// `autox LINE` on the values in the file.
#[must_use = "look at the exit code or at what was written"]
pub(crate) fn autox(plugin: &Plugin, line: &str) -> CommandOutput {
    plugin.line(&format!("autox {line}")).run()
}

/// What is stored, each object as `NAMESPACE KIND/NAME`.
fn stored(server: &ApiServer) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let name = |object: Value| {
        let [namespace, name] = ["namespace", "name"].map(|key| text(&object["metadata"][key]));
        format!("{namespace} {}/{name}", text(&object["kind"]))
    };
    let mut names: Vec<String> = server.objects().into_iter().map(name).collect();
    names.sort();
    names
}

/// What a Secret holds under a key, which is JSON.
fn decoded(secret: &Value, key: &str) -> Value {
    let text =
        STANDARD.decode(secret["data"][key].as_str().unwrap_or_default()).expect("the data of a Secret is base64");
    serde_json::from_slice(&text).expect("it is JSON")
}

/// Launches the experiment of a group as the controller of `iter8/autox` would, for a version.
pub(crate) fn launch_for(server: &ApiServer, plugin: &Plugin, experiment: &str, version: &str) {
    let line = format!("launch -n shop -g {experiment} --set tasks={{http}} --set http.url=http://web.shop");
    let _ = plugin.run(&line).code(0);
    server.edit("secrets", "shop", &format!("iter8-{experiment}"), |parent| {
        let mut history = decoded(parent, "history.json");
        let last = history.as_array().map_or(0, Vec::len) - 1;
        history[last]["cause"] = json!({
            "autox": "iter8/autox", "group": "web", "spec": "load", "version": version, "digest": "of what was launched",
        });
        parent["data"]["history.json"] = json!(STANDARD.encode(history.to_string()));
    });
}

#[test]
fn the_documented_example_is_rendered_and_installed_as_it_stands() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let objects = documented(&plugin, "render -n iter8").code(0).yaml();
    let config = decoded(of_kind(&objects, "Secret", "autox-config"), "autox.yaml");
    assert_eq!(
        config["groups"]["httpbin"]["specs"]["iter8"]["values"]["assess"]["SLOs"]["upper"]["http/latency-mean"],
        50
    );
    assert_snapshot!(documented(&plugin, "apply"), @r#"
    serviceaccount/autox created
    role.rbac.authorization.k8s.io/autox created
    role.rbac.authorization.k8s.io/autox-experiments created
    rolebinding.rbac.authorization.k8s.io/autox created
    rolebinding.rbac.authorization.k8s.io/autox-experiments created
    secret/autox-config created
    deployment.apps/autox created
    ------- stderr -------
    AutoX "autox" follows 1 trigger
    "#);
    // Once more changes nothing.
    assert_snapshot!(documented(&plugin, "apply"), @r#"
    serviceaccount/autox unchanged
    role.rbac.authorization.k8s.io/autox unchanged
    role.rbac.authorization.k8s.io/autox-experiments unchanged
    rolebinding.rbac.authorization.k8s.io/autox unchanged
    rolebinding.rbac.authorization.k8s.io/autox-experiments unchanged
    secret/autox-config unchanged
    deployment.apps/autox unchanged
    ------- stderr -------
    AutoX "autox" follows 1 trigger
    "#);
}

#[test]
fn a_dry_run_shows_the_objects_or_lets_the_cluster_check_them_and_changes_nothing() {
    let (server, plugin) = shop(&values());
    let rendered = autox(&plugin, "render -n iter8 -f v.yaml").code(0);
    assert_eq!(autox(&plugin, "apply -n iter8 -f v.yaml --dry-run").code(0).stdout, rendered.stdout);
    assert_eq!(Plugin::new().line("autox render").run().code(0).yaml().len(), 5, "it needs no cluster and no trigger");
    assert_snapshot!(autox(&plugin, "apply -n iter8 -f v.yaml --dry-run=server"), @"
    serviceaccount/autox created (server dry run)
    secret/autox-config created (server dry run)
    role.rbac.authorization.k8s.io/autox created (server dry run)
    role.rbac.authorization.k8s.io/autox-experiments.iter8 created (server dry run)
    rolebinding.rbac.authorization.k8s.io/autox created (server dry run)
    rolebinding.rbac.authorization.k8s.io/autox-experiments.iter8 created (server dry run)
    deployment.apps/autox created (server dry run)
    ");
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn what_is_not_wanted_any_more_goes_with_its_experiments_and_permissions() {
    let mut both = values();
    both["groups"]["api"] = both["groups"]["web"].clone();
    both["groups"]["api"]["trigger"]["name"] = json!("api");
    both["groups"]["api"]["trigger"]["namespace"] = json!("iter8");
    let (server, plugin) = shop(&both);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml --set replicas=2").code(0);
    assert!(server.get("poddisruptionbudgets", "iter8", "autox").is_some());
    launch_for(&server, &plugin, "autox-web-load", "1");
    let _ = plugin.run("launch -n shop -g by-hand --set tasks={http} --set http.url=http://web.shop").code(0);
    both["groups"].as_object_mut().unwrap().shift_remove("web");
    write(&plugin, &both);
    assert_snapshot!(autox(&plugin, "apply -n iter8 -f v.yaml"), @r#"
    serviceaccount/autox unchanged
    role.rbac.authorization.k8s.io/autox unchanged
    role.rbac.authorization.k8s.io/autox-experiments unchanged
    rolebinding.rbac.authorization.k8s.io/autox unchanged
    rolebinding.rbac.authorization.k8s.io/autox-experiments unchanged
    secret/autox-config configured
    deployment.apps/autox configured
    serviceaccount/iter8-autox-web-load deleted
    secret/iter8-autox-web-load-1-result deleted
    secret/iter8-autox-web-load-1-spec deleted
    role.rbac.authorization.k8s.io/iter8-autox-web-load deleted
    rolebinding.rbac.authorization.k8s.io/iter8-autox-web-load deleted
    job.batch/iter8-autox-web-load-1 deleted
    secret/iter8-autox-web-load deleted
    poddisruptionbudget.policy/autox pruned
    role.rbac.authorization.k8s.io/autox-experiments.iter8 pruned
    rolebinding.rbac.authorization.k8s.io/autox-experiments.iter8 pruned
    ------- stderr -------
    AutoX "autox" follows 1 trigger
    "#);
    assert_snapshot!(stored(&server).join("\n"), @"
    iter8 Deployment/autox
    iter8 Role/autox
    iter8 Role/autox-experiments
    iter8 RoleBinding/autox
    iter8 RoleBinding/autox-experiments
    iter8 Secret/autox
    iter8 Secret/autox-config
    iter8 ServiceAccount/autox
    shop Job/iter8-by-hand-1
    shop Role/iter8-by-hand
    shop RoleBinding/iter8-by-hand
    shop Secret/iter8-by-hand
    shop Secret/iter8-by-hand-1-result
    shop Secret/iter8-by-hand-1-spec
    shop ServiceAccount/iter8-by-hand
    ");
}

#[test]
fn an_experiment_that_could_not_be_deleted_is_found_by_the_next_apply() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    launch_for(&server, &plugin, "autox-web-load", "1");
    write(&plugin, &json!({ "groups": {} }));
    server.linger("jobs", "shop", "iter8-autox-web-load-1");
    let output = autox(&plugin, "apply -n iter8 -f v.yaml --timeout 100ms").code(0);
    assert_snapshot!(output.stderr, @r#"
    Warning: an experiment that should go is left: deleting job.batch/iter8-autox-web-load-1 of group autox-web-load took longer than 100ms
    AutoX "autox" follows nothing
    "#);
    server.remove("jobs", "shop", "iter8-autox-web-load-1");
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0).says("secret/iter8-autox-web-load deleted");
    assert!(stored(&server).iter().all(|name| name.starts_with("iter8 ")), "{:?}", stored(&server));
}

#[test]
fn deleting_takes_the_controller_before_its_experiments_and_leaves_those_of_others() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    launch_for(&server, &plugin, "autox-web-load", "1");
    assert_snapshot!(autox(&plugin, "delete -n iter8"), @"
    serviceaccount/autox deleted
    secret/autox-config deleted
    role.rbac.authorization.k8s.io/autox deleted
    rolebinding.rbac.authorization.k8s.io/autox deleted
    deployment.apps/autox deleted
    role.rbac.authorization.k8s.io/autox-experiments.iter8 deleted
    rolebinding.rbac.authorization.k8s.io/autox-experiments.iter8 deleted
    serviceaccount/iter8-autox-web-load deleted
    secret/iter8-autox-web-load-1-result deleted
    secret/iter8-autox-web-load-1-spec deleted
    role.rbac.authorization.k8s.io/iter8-autox-web-load deleted
    rolebinding.rbac.authorization.k8s.io/iter8-autox-web-load deleted
    job.batch/iter8-autox-web-load-1 deleted
    secret/iter8-autox-web-load deleted
    secret/autox deleted
    ");
    assert_eq!(stored(&server), [""; 0]);
    assert_snapshot!(autox(&plugin, "delete -n iter8"), @"
    ------- stderr -------
    error: no AutoX autox in namespace iter8
    hint: name another with --name, or its namespace with -n; `kubectl iter8 autox apply` installs one
    [exit code 11]
    ");
    assert_snapshot!(autox(&plugin, "delete -n iter8 --ignore-not-found"), @"");
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    let _ = plugin.run("launch -n shop -g autox-web-load --set tasks={http} --set http.url=http://web.shop").code(0);
    let _ = autox(&plugin, "delete -n iter8").code(0);
    assert!(stored(&server).contains(&"shop Secret/iter8-autox-web-load".to_owned()), "it was launched by hand");
}

#[test]
fn the_lease_of_the_controllers_goes_with_them() {
    let (server, plugin) = shop(&values());
    let lease = |labels: Value| {
        let metadata = json!({ "name": "autox", "namespace": "iter8", "labels": labels });
        server.put(json!({ "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata }))
    };
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    lease(json!({ "iter8.tools/release": "autox" }));
    let _ = autox(&plugin, "delete -n iter8").code(0);
    assert_eq!(stored(&server), [""; 0]);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    lease(json!({}));
    let _ = autox(&plugin, "delete -n iter8").code(0);
    assert_eq!(stored(&server), ["iter8 Lease/autox"], "it is somebody else's");
}

#[test]
fn experiments_and_their_results_can_be_kept() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    launch_for(&server, &plugin, "autox-web-load", "1");
    let _ = autox(&plugin, "delete -n iter8 --keep-experiments").code(0);
    assert!(stored(&server).iter().all(|name| name.starts_with("shop ")), "{:?}", stored(&server));
    assert!(server.get("jobs", "shop", "iter8-autox-web-load-1").is_some());
}

#[test]
fn a_namespace_or_a_kind_that_is_not_there_yet_is_warned_of() {
    let mut values = values();
    values["groups"]["web"]["trigger"]["namespace"] = json!("later");
    values["groups"]["model"] = values["groups"]["web"].clone();
    values["groups"]["model"]["trigger"] = json!({
        "name": "m", "namespace": "shop", "group": "serving.knative.dev", "version": "v1", "resource": "services",
    });
    let (server, plugin) = shop(&values);
    let output = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    assert_snapshot!(output.stderr, @r#"
    Warning: `groups.model.trigger` is one of services.serving.knative.dev, and the API server has no group serving.knative.dev yet: its experiments start when it is installed
    Warning: namespace "later" does not exist, so AutoX may do nothing there: create it, then apply again
    AutoX "autox" follows 2 triggers
    "#);
    server.create_namespace("later");
    server.install("services.serving.knative.dev");
    let output = autox(&plugin, "apply -n iter8 -f v.yaml")
        .code(0)
        .says("role.rbac.authorization.k8s.io/autox-experiments.iter8 created");
    assert_eq!(output.stderr, "AutoX \"autox\" follows 2 triggers\n");
}

#[test]
fn a_resource_that_the_api_server_does_not_have_is_refused() {
    for (change, said) in [
        (json!({ "resource": "deployment" }), "did you mean deployments?"),
        (json!({ "resource": "Deployment" }), "did you mean deployments?"),
        (json!({ "resource": "ksvcs" }), "it has deployments, "),
        (json!({ "version": "v2" }), "the API server has apps in v1"),
        (json!({ "group": "" }), "`groups.web.trigger.group` is missing: deployments are in the API group apps"),
        (json!({ "group": "", "resource": "nodes" }), "a trigger is in one"),
        (json!({ "group": "", "version": "v2" }), "write v1, or name the API group"),
    ] {
        let mut values = values();
        values["groups"]["web"]["trigger"].as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        let (server, plugin) = shop(&values);
        let output = autox(&plugin, "apply -n iter8 -f v.yaml").code(2).complains(said);
        assert!(output.stderr.starts_with("error: invalid values: `groups.web.trigger."), "{output}");
        assert_eq!(stored(&server), [""; 0]);
    }
}

#[test]
fn bad_values_are_refused_with_their_place_before_anything_is_asked() {
    let (server, plugin) = shop(&values());
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut values = values();
        change(&mut values["groups"]);
        write(&plugin, &values);
        autox(&plugin, "apply -n iter8 -f v.yaml").code(2).stderr
    };
    assert_snapshot!(refused(&|groups| groups["other"] = groups["web"].clone()), @"error: invalid values: `groups.web.trigger` is deployments web in namespace shop, which group other has already: give one group all its specs");
    assert_snapshot!(refused(&|groups| groups["web"]["specs"]["load"]["name"] = json!("iter9")), @"error: invalid values: `groups.web.specs.load.name` is the chart `iter9`, which does not exist; did you mean iter8?");
    assert_snapshot!(refused(&|groups| groups["web"]["specs"]["load"]["version"] = json!("0.12")), @"error: invalid values: `groups.web.specs.load.version` is 0.12, and this program has the chart iter8 with the values of 0.13 and of 0.1.0: leave version away");
    assert_snapshot!(refused(&|groups| groups["web"]["trigger"]["versionFrom"] = json!("tag")), @"error: invalid values: `groups.web.trigger.versionFrom` is `tag`: write label, image, or the path of a field as in .spec.template.spec.containers[0].image");
    assert_snapshot!(refused(&|groups| groups["web"]["specs"]["a-name-that-is-long-beyond-all-measure"] = groups["web"]["specs"]["load"].clone()), @"error: invalid values: `groups.web.specs.a-name-that-is-long-beyond-all-measure` gives the experiment `autox-web-a-name-that-is-long-beyond-all-measure` with 48 characters: shorten the names of group and spec by 8");
    assert_snapshot!(refused(&|groups| groups["web"]["specs"]["load"]["values"]["http"]["ulr"] = json!("x")), @"error: invalid values: `groups.web.specs.load.values.http.ulr` is not a known key; did you mean `url`?");
    assert_snapshot!(refused(&|groups| groups["web"]["specs"]["load"]["values"]["http"]["url"] = json!("{{ .trigger.host }}")), @"error: invalid values: `groups.web.specs.load.values.http.url` refers to .trigger.host, and a trigger has .name, .namespace, .version, .track and .labels.NAME");
    assert_snapshot!(refused(&|groups| groups["web"]["triger"] = json!({})), @"error: invalid values: `groups.web.triger` is not a known key; did you mean `trigger`?");
    assert_snapshot!(refused(&|groups| {
        groups["web"]["specs"]["load"]["values"]["tasks"] = json!(["ready", "http"]);
        groups["web"]["specs"]["load"]["values"]["ready"] = json!({ "deploy": "a", "namespace": "{{ .trigger.labels.x }}" });
    }), @"error: template autox/templates/experiments.yaml: groups.web.specs.load.values.ready refers to the trigger in a namespace, a group or a resource: use only {{ .trigger.name }} and {{ .trigger.namespace }} there, because the permission to look is given before a trigger is seen");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn unknown_keys_pass_when_asked_and_do_not_reach_the_controller() {
    let mut values = values();
    values["groups"]["web"]["specs"]["load"]["values"]["http"]["ulr"] = json!("x");
    let (server, plugin) = shop(&values);
    let output = autox(&plugin, "apply -n iter8 -f v.yaml --validate=warn").code(0);
    assert_snapshot!(output.stderr, @r#"
    Warning: `groups.web.specs.load.values.http.ulr` is not a known key; did you mean `url`?
    AutoX "autox" follows 1 trigger
    "#);
    let config = server.get("secrets", "iter8", "autox-config").unwrap();
    assert!(!decoded(&config, "autox.yaml").to_string().contains("ulr"));
}

#[test]
fn objects_of_somebody_else_are_refused_before_anything_is_written() {
    let (server, plugin) = shop(&values());
    server.put(json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {
        "name": "autox", "namespace": "iter8", "annotations": { "meta.helm.sh/release-name": "autox" },
    } }));
    assert_snapshot!(autox(&plugin, "apply -n iter8 -f v.yaml"), @"
    ------- stderr -------
    error: deployment.apps/autox in namespace iter8 exists already and belongs to Helm release autox
    hint: choose another name with --name, or delete that object
    [exit code 10]
    ");
    assert_eq!(stored(&server), ["iter8 Deployment/autox"]);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml --name other").code(0);
    server.put(json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "autox", "namespace": "iter8" } }));
    assert_snapshot!(autox(&plugin, "delete -n iter8"), @"
    ------- stderr -------
    error: secret/autox in namespace iter8 exists already and belongs to somebody else
    hint: choose another name with --name, or delete that object
    [exit code 10]
    ");
}

#[test]
fn an_apply_that_was_not_allowed_goes_on_when_it_is() {
    let (server, plugin) = shop(&values());
    server.when("patch", "rolebindings").forbidden();
    assert_snapshot!(autox(&plugin, "apply -n iter8 -f v.yaml"), @r#"
    ------- stderr -------
    Error from server (Forbidden): rolebindings.rbac.authorization.k8s.io "autox" is forbidden: User "tester" cannot patch resource "rolebindings" in API group "rbac.authorization.k8s.io" in the namespace "iter8"
    hint: only who has the permissions that AutoX needs can give them: `kubectl iter8 autox render` shows the Roles
    [exit code 12]
    "#);
    server.heal();
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0).says("deployment.apps/autox created");
    let _ = autox(&plugin, "delete -n iter8").code(0);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn wherever_an_apply_or_a_delete_breaks_off_the_next_one_ends_it() {
    let mut other = values();
    other["groups"]["web"]["specs"]["other"] = other["groups"]["web"]["specs"]["load"].take();
    other["groups"]["web"]["specs"].as_object_mut().unwrap().shift_remove("load");
    let requests = [
        ("create", "secrets"),
        ("update", "secrets"),
        ("patch", "secrets"),
        ("delete", "secrets"),
        ("patch", "roles"),
        ("delete", "roles"),
        ("patch", "rolebindings"),
        ("delete", "rolebindings"),
        ("patch", "deployments"),
        ("delete", "deployments"),
        ("delete", "jobs"),
    ];
    for (verb, resource) in requests {
        let (server, plugin) = shop(&values());
        let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
        launch_for(&server, &plugin, "autox-web-load", "1");
        write(&plugin, &other);
        server.when(verb, resource).drop_connection();
        let _ = autox(&plugin, "apply -n iter8 -f v.yaml");
        server.heal();
        let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
        let gone = |name: &String| !name.starts_with("shop ") || name.contains("autox-experiments.iter8");
        assert!(stored(&server).iter().all(gone), "{verb} {resource}: {:?}", stored(&server));
        server.when(verb, resource).drop_connection();
        let _ = autox(&plugin, "delete -n iter8");
        server.heal();
        let _ = autox(&plugin, "delete -n iter8 --ignore-not-found").code(0);
        assert_eq!(stored(&server), [""; 0], "{verb} {resource}");
    }
}

#[test]
fn two_installations_of_different_names_and_namespaces_leave_each_other_alone() {
    let (server, plugin) = shop(&values());
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml").code(0);
    let first = stored(&server);
    let _ = autox(&plugin, "apply -n default -f v.yaml").code(0);
    let _ = autox(&plugin, "apply -n iter8 -f v.yaml --name other").code(0);
    let _ = autox(&plugin, "delete -n default").code(0);
    let _ = autox(&plugin, "delete -n iter8 --name other").code(0);
    assert_eq!(stored(&server), first);
}
