//! Launches that fail: whatever they had made is taken back, and what stands in their way is named.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::agent::{LAUNCH, end_job, ended, running, write};
use crate::launch::{history, stored};
use crate::plugin::Plugin;

#[test]
fn a_user_who_may_make_no_roles_is_told_a_way_round() {
    let server = ApiServer::start();
    server.deny("patch", "roles");
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run(LAUNCH), @r#"
    ------- stderr -------
    Error from server (Forbidden): roles.rbac.authorization.k8s.io "iter8-default" is forbidden: User "tester" cannot patch resource "roles" in API group "rbac.authorization.k8s.io" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing; without roles: --set serviceAccountName=NAME
    [exit code 12]
    "#);
    assert_eq!(stored(&server), [""; 0]);
    let _ = plugin.run(&format!("{LAUNCH} --set serviceAccountName=tester")).code(0);
}

#[test]
fn a_quota_that_allows_no_job_is_told_in_its_words() {
    let server = ApiServer::start();
    server.when("patch", "jobs").rejected("exceeded quota: few, requested: count/jobs.batch=1, used: 5, limited: 5");
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @r#"
    ------- stderr -------
    error: job.batch/iter8-default-1 was rejected: jobs.batch "iter8-default-1" is forbidden: exceeded quota: few, requested: count/jobs.batch=1, used: 5, limited: 5
    [exit code 12]
    "#);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn an_admission_webhook_is_told_in_its_words() {
    let server = ApiServer::start();
    let message = "admission webhook \"policy.example.com\" denied the request: jobs need an owner";
    server.when("patch", "jobs").refuse(http::StatusCode::BAD_REQUEST, "", message);
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @r#"
    ------- stderr -------
    error: job.batch/iter8-default-1 was rejected: admission webhook "policy.example.com" denied the request: jobs need an owner
    [exit code 12]
    "#);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn an_object_that_the_server_finds_invalid_is_named_with_its_field() {
    let server = ApiServer::start();
    server.when("patch", "jobs").invalid("spec.template.spec.nodeSelector: Invalid value: \"a b\"");
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @r#"
    ------- stderr -------
    Error from server (Invalid): Job.batch "iter8-default-1" is invalid: spec.template.spec.nodeSelector: Invalid value: "a b" (cannot apply job.batch/iter8-default-1 in namespace default)
    [exit code 10]
    "#);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn whichever_object_fails_nothing_is_left_of_a_first_launch() {
    for resource in ["secrets", "serviceaccounts", "roles", "rolebindings", "jobs"] {
        let server = ApiServer::start();
        server.deny("patch", resource);
        let output = Plugin::with(&server).run(LAUNCH).code(12);
        assert!(output.stderr.contains(&format!("cannot patch resource \"{resource}\"")), "{output}");
        assert_eq!(stored(&server), [""; 0], "{resource}");
    }
}

#[test]
fn a_failed_launch_leaves_history_and_results_of_earlier_ones() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 0));
    end_job(&server, 1, &json!({ "type": "Complete", "status": "True" }));
    let before = stored(&server);
    server.deny("patch", "jobs");
    let _ = plugin.run(LAUNCH).code(12);
    assert_eq!(stored(&server), before);
    assert_eq!(history(&server).len(), 1);
    let _ = plugin.run("assert").code(0);
}

#[test]
fn a_launch_that_is_refused_leaves_the_running_experiment_alone() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &running(1));
    let before = stored(&server);
    server.when("patch", "jobs").rejected("exceeded quota: few");
    let output = plugin.run(LAUNCH).code(12);
    assert!(output.stderr.contains("exceeded quota: few"), "{output}");
    assert_eq!(stored(&server), before, "the job of the first launch is still there");
    assert_eq!(history(&server).len(), 1);
}

#[test]
fn a_server_that_goes_away_in_the_middle_is_named_and_the_next_launch_clears_up() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    server.when("patch", "jobs").drop_connection();
    server.when("delete", "*").drop_connection();
    let _ = plugin.run(LAUNCH).code(10);
    assert!(!stored(&server).is_empty(), "nothing could be taken back");
    server.heal();
    let _ = plugin.run("delete").code(0);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn a_lost_answer_does_not_lose_a_launch() {
    let server = ApiServer::start();
    server.when("patch", "jobs").times(1).lose_answer();
    let output = Plugin::with(&server).run(LAUNCH);
    assert!(output.code == Some(0) || stored(&server).is_empty(), "{output}");
}

#[test]
fn a_secret_of_somebody_else_is_not_touched() {
    let server = ApiServer::start();
    let theirs = server.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "iter8-default" }, "data": { "password": "c2VjcmV0" },
    }));
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run(LAUNCH), @"
    ------- stderr -------
    error: secret/iter8-default in namespace default exists already and belongs to somebody else
    hint: choose another group with -g, or delete that object
    [exit code 10]
    ");
    assert_snapshot!(plugin.run("delete"), @"
    ------- stderr -------
    error: secret/iter8-default in namespace default exists already and belongs to somebody else
    hint: choose another group with -g, or delete that object
    [exit code 10]
    ");
    assert_eq!(server.objects(), [theirs]);
    let _ = plugin.run(&format!("{LAUNCH} -g other")).code(0);
}

#[test]
fn a_set_of_another_tool_is_not_touched() {
    let server = ApiServer::start();
    let theirs = server.put(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "iter8-default",
            "labels": { "applyset.kubernetes.io/id": "applyset-x-v1", "iter8.tools/group": "default" },
            "annotations": { "applyset.kubernetes.io/tooling": "kubectl/v1.34.1" },
        },
    }));
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @"
    ------- stderr -------
    error: secret/iter8-default in namespace default exists already and belongs to a set of kubectl/v1.34.1
    hint: choose another group with -g, or delete that object
    [exit code 10]
    ");
    assert_eq!(server.objects(), [theirs]);
}

#[test]
fn an_object_that_helm_made_is_not_taken_over() {
    let server = ApiServer::start();
    let theirs = server.put(json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {
            "name": "iter8-default", "labels": { "app.kubernetes.io/managed-by": "Helm" },
            "annotations": { "meta.helm.sh/release-name": "web", "meta.helm.sh/release-namespace": "default" },
        },
    }));
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @"
    ------- stderr -------
    error: serviceaccount/iter8-default in namespace default exists already and belongs to Helm release web
    hint: choose another group with -g, or delete that object
    [exit code 10]
    ");
    assert_eq!(server.objects(), [theirs]);
}
