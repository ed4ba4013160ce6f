//! The agent's log: of its pod while there is one, else what the result keeps of it.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::agent::{LAUNCH, container, ended, pod, running, write};
use crate::plugin::Plugin;

const POD: &str = "iter8-default-1-x7k2p";

fn launched() -> (ApiServer, Plugin) {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    (server, plugin)
}

#[test]
fn before_anything_is_logged_that_is_said_aside() {
    let (_server, plugin) = launched();
    assert_snapshot!(plugin.run("log"), @"
    ------- stderr -------
    Nothing was logged yet.
    ");
}

#[test]
fn the_log_of_a_pod_is_printed_as_it_is() {
    let (server, plugin) = launched();
    write(&server, &running(1));
    pod(&server, 1, &container("Running", &json!({ "running": {} })));
    server.write_log("default", POD, "line one\nline two\n");
    server.end_log("default", POD);
    assert_snapshot!(plugin.run("log"), @"
    line one
    line two
    ");
}

#[test]
fn without_a_pod_the_result_tells_the_last_lines() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 0));
    assert_snapshot!(plugin.run("log"), @"
    <time> step 1/2 http started
    <time> experiment succeeded, verdict pass
    ");
}

#[test]
fn the_log_is_followed_until_it_ends() {
    let (server, plugin) = launched();
    let mut following = plugin.line("log -f").spawn();
    pod(&server, 1, &container("Running", &json!({ "running": {} })));
    server.write_log("default", POD, "line one\n");
    following.wait_for("line one\n");
    server.write_log("default", POD, "line two\n");
    following.wait_for("line two\n");
    server.end_log("default", POD);
    assert_eq!(following.wait().code(0).stdout, "line one\nline two\n");
}

#[test]
fn the_log_of_an_earlier_revision_is_kept() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 0));
    let _ = plugin.run(LAUNCH).code(0);
    let _ = plugin.run("log --revision 1").code(0).says("experiment succeeded");
    assert_snapshot!(plugin.run("log --revision 0"), @r#"
    ------- stderr -------
    error: invalid argument "0" for "--revision" flag: launches are numbered from 1
    See 'kubectl iter8 log --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("log --revision 5"), @"
    ------- stderr -------
    error: no revision 5 of group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}

#[test]
fn a_user_who_may_not_read_logs_is_told() {
    let (server, plugin) = launched();
    pod(&server, 1, &container("Running", &json!({ "running": {} })));
    server.deny("get", "pods/log");
    assert_snapshot!(plugin.run("log"), @r#"
    ------- stderr -------
    Error from server (Forbidden): pods "iter8-default-1-x7k2p" is forbidden: User "tester" cannot get resource "pods/log" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
}
