//! The look at a cluster before anything is launched.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::plugin::Plugin;

#[test]
fn a_cluster_that_has_everything_is_good() {
    let server = ApiServer::start();
    assert_snapshot!(Plugin::with(&server).run("check"), @r#"
    √ Kubernetes v1.34.4 answers
    √ namespace "default" is there, Pod Security level privileged; the agent's pod keeps to "restricted"
    √ you may launch experiments in namespace "default"
    ‼ no node says that it has image iter8/iter8-agent:0.1.0
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    "#);
    assert!(server.objects().is_empty(), "looking changed something");
}

#[test]
fn the_security_level_of_the_namespace_is_told() {
    let server = ApiServer::start();
    server.edit("namespaces", "", "default", |namespace| {
        namespace["metadata"]["labels"] = json!({ "pod-security.kubernetes.io/enforce": "restricted" });
    });
    let _ = Plugin::with(&server).run("check").code(0).says("Pod Security level restricted");
}

#[test]
fn a_namespace_that_is_missing_or_being_deleted_is_told() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run("check -n books"), @r#"
    √ Kubernetes v1.34.4 answers
    × namespace "books" does not exist
        create it with `kubectl create namespace books`, or choose another with -n
    √ you may launch experiments in namespace "books"
    ‼ no node says that it has image iter8/iter8-agent:0.1.0
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    [exit code 1]
    "#);
    server.create_namespace("books");
    server.terminate_namespace("books");
    assert_snapshot!(plugin.run("check -n books"), @r#"
    √ Kubernetes v1.34.4 answers
    × namespace "books" is being deleted
        wait until it is gone, or choose another with -n
    √ you may launch experiments in namespace "books"
    ‼ no node says that it has image iter8/iter8-agent:0.1.0
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    [exit code 1]
    "#);
}

#[test]
fn each_permission_that_is_missing_is_told() {
    for (verb, resource) in [
        ("get", "secrets"),
        ("list", "secrets"),
        ("watch", "secrets"),
        ("create", "secrets"),
        ("patch", "secrets"),
        ("delete", "secrets"),
        ("patch", "serviceaccounts"),
        ("delete", "serviceaccounts"),
        ("patch", "roles"),
        ("patch", "rolebindings"),
        ("patch", "jobs"),
        ("delete", "jobs"),
        ("patch", "cronjobs"),
        ("list", "pods"),
        ("get", "pods/log"),
    ] {
        let server = ApiServer::start();
        server.deny(verb, resource);
        let _ = Plugin::with(&server)
            .run("check")
            .code(1)
            .says(&format!("× you may not {verb} {resource} in namespace \"default\"\n"));
    }
}

#[test]
fn who_may_make_no_roles_is_told_a_way_round() {
    let server = ApiServer::start();
    server.deny("patch", "roles");
    server.deny("patch", "rolebindings");
    assert_snapshot!(Plugin::with(&server).run("check"), @r#"
    √ Kubernetes v1.34.4 answers
    √ namespace "default" is there, Pod Security level privileged; the agent's pod keeps to "restricted"
    × you may not patch roles, patch rolebindings in namespace "default"
        without them, let somebody make a service account and name it with --set serviceAccountName=NAME
    ‼ no node says that it has image iter8/iter8-agent:0.1.0
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    [exit code 1]
    "#);
}

#[test]
fn a_user_who_may_not_read_namespaces_is_only_warned() {
    let server = ApiServer::start();
    server.deny("get", "namespaces");
    assert_snapshot!(Plugin::with(&server).run("check"), @r#"
    √ Kubernetes v1.34.4 answers
    ‼ namespace "default" cannot be looked at
        you may not read namespaces; a launch does not need it
    √ you may launch experiments in namespace "default"
    ‼ no node says that it has image iter8/iter8-agent:0.1.0
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    "#);
}

#[test]
fn an_image_that_no_node_has_is_told() {
    let server = ApiServer::start();
    let node = |images: &serde_json::Value| {
        server.put(json!({
            "apiVersion": "v1", "kind": "Node", "metadata": { "name": "n1" }, "status": { "images": images },
        }));
    };
    let plugin = Plugin::with(&server);
    node(&json!([{ "names": ["docker.io/iter8/iter8-agent:0.1.0"] }]));
    assert_snapshot!(plugin.run("check"), @r#"
    √ Kubernetes v1.34.4 answers
    √ namespace "default" is there, Pod Security level privileged; the agent's pod keeps to "restricted"
    √ you may launch experiments in namespace "default"
    √ 1 of 1 nodes have image iter8/iter8-agent:0.1.0
    "#);
    assert_snapshot!(plugin.run("check --image registry.example.com/agent:1"), @r#"
    √ Kubernetes v1.34.4 answers
    √ namespace "default" is there, Pod Security level privileged; the agent's pod keeps to "restricted"
    √ you may launch experiments in namespace "default"
    ‼ no node says that it has image registry.example.com/agent:1
        the nodes have to pull it; another one is chosen with --set image=IMAGE
    "#);
}
