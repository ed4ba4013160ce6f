//! Deleting a group.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, ended, write};
use crate::launch::stored;
use crate::plugin::Plugin;

#[test]
fn everything_of_the_group_goes_and_nothing_else() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(&format!("{LAUNCH} -g other")).code(0);
    let others = stored(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 0));
    let _ = plugin.run(LAUNCH).code(0);
    assert_snapshot!(plugin.run("delete"), @"
    serviceaccount/iter8-default deleted
    secret/iter8-default-1-result deleted
    secret/iter8-default-2-result deleted
    secret/iter8-default-2-spec deleted
    role.rbac.authorization.k8s.io/iter8-default deleted
    rolebinding.rbac.authorization.k8s.io/iter8-default deleted
    job.batch/iter8-default-2 deleted
    secret/iter8-default deleted
    ");
    assert_eq!(stored(&server), others);
}

#[test]
fn deleting_twice_is_an_error_unless_told_otherwise() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run("delete"), @"
    ------- stderr -------
    error: no group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
    assert_snapshot!(plugin.run("delete --ignore-not-found"), @"");
}

#[test]
fn deleting_waits_until_the_job_is_gone() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    server.linger("jobs", "default", "iter8-default-1");
    let mut deleting = plugin.line("delete").spawn();
    server.wait_for("a look whether the job is gone", |state| {
        let deleted = state.requests().iter().position(|request| request.is("delete", "jobs"))?;
        let mut looks = state.requests()[deleted..].iter().filter(|request| request.is("get", "jobs"));
        looks.nth(1).map(|_| ())
    });
    assert!(!deleting.has_ended());
    server.remove("jobs", "default", "iter8-default-1");
    let _ = deleting.wait().code(0);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn a_job_that_does_not_go_in_time_is_named_and_a_second_try_finds_it() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    server.linger("jobs", "default", "iter8-default-1");
    assert_snapshot!(plugin.run("delete --timeout 100ms"), @"
    ------- stderr -------
    error: deleting job.batch/iter8-default-1 of group default took longer than 100ms
    [exit code 3]
    ");
    server.remove("jobs", "default", "iter8-default-1");
    let _ = plugin.run("delete").code(0);
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn a_user_who_may_not_delete_is_told_and_may_try_again() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    server.when("delete", "secrets").forbidden();
    assert_snapshot!(plugin.run("delete"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets "iter8-default-1-result" is forbidden: User "tester" cannot delete resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
    server.heal();
    let _ = plugin.run("delete").code(0);
    assert_eq!(stored(&server), [""; 0]);
}
