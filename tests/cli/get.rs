//! The list of groups.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, ended, write, write_text};
use crate::plugin::Plugin;

/// `text` with the column of ages, which depends on the clock, made the same.
pub(crate) fn without_ages(text: &str) -> String {
    let line = |line: &str| match line.rsplit_once("   ") {
        Some((before, age)) if age.ends_with('s') && age.trim_end_matches('s').parse::<u32>().is_ok() => {
            format!("{before}   <age>\n")
        }
        _ => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

#[test]
fn groups_are_listed_by_name_with_how_far_they_are() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 3));
    let _ = plugin.run(&format!("{LAUNCH} -g checkout")).code(0);
    let output = plugin.run("get").code(0);
    assert_snapshot!(without_ages(&output.stdout), @"
    GROUP      REVISION   PHASE       STEPS   VERDICT   AGE
    checkout   1          Pending     0/0     <none>    <age>
    default    1          Succeeded   2/2     fail      <age>
    ");
    assert_snapshot!(plugin.run("get -o name"), @"
    group.iter8.tools/checkout
    group.iter8.tools/default
    ");
}

#[test]
fn a_list_for_programs_has_every_field() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 3));
    let json = plugin.run("get -o json").code(0);
    assert_snapshot!(json, @r#"
    {
      "apiVersion": "iter8.tools/v1",
      "kind": "GroupList",
      "items": [
        {
          "name": "default",
          "namespace": "default",
          "revision": 1,
          "phase": "Succeeded",
          "stepsCompleted": 2,
          "steps": 2,
          "verdict": "fail",
          "launched": "<time>"
        }
      ]
    }
    "#);
    assert_eq!(plugin.run("get -o yaml").code(0).yaml().len(), 1);
    assert_eq!(json.json()["items"][0]["verdict"], "fail");
}

#[test]
fn groups_of_all_namespaces_are_listed_with_their_namespace() {
    let server = ApiServer::start();
    server.create_namespace("books");
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let _ = plugin.run(&format!("{LAUNCH} -n books -g reviews")).code(0);
    let output = plugin.run("get -A").code(0);
    assert_snapshot!(without_ages(&output.stdout), @"
    NAMESPACE   GROUP     REVISION   PHASE     STEPS   VERDICT   AGE
    books       reviews   1          Pending   0/0     <none>    <age>
    default     default   1          Pending   0/0     <none>    <age>
    ");
    assert_eq!(without_ages(&plugin.run("get --all-namespaces").code(0).stdout), without_ages(&output.stdout));
    let _ = plugin.run("get -n books").code(0).says("reviews");
}

#[test]
fn nothing_to_list_is_told_aside_and_is_no_error() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run("get"), @"
    ------- stderr -------
    No experiments found in default namespace.
    ");
    assert_snapshot!(plugin.run("get -A"), @"
    ------- stderr -------
    No experiments found
    ");
    assert_snapshot!(plugin.run("get --local"), @"
    ------- stderr -------
    No local experiments found.
    ");
    assert_snapshot!(plugin.run("get -o name"), @"");
    assert_eq!(plugin.run("get -o json").code(0).json()["items"], serde_json::json!([]));
}

#[test]
fn a_result_that_cannot_be_read_does_not_hide_the_other_groups() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write_text(&server, 1, "{");
    let _ = plugin.run(&format!("{LAUNCH} -g other")).code(0);
    assert_snapshot!(without_ages(&plugin.run("get").code(0).stdout), @"
    GROUP     REVISION   PHASE     STEPS   VERDICT   AGE
    default   1          Unknown   0/0     <none>    <age>
    other     1          Pending   0/0     <none>    <age>
    ");
}

#[test]
fn a_user_who_may_not_list_is_told() {
    let server = ApiServer::start();
    server.deny("list", "secrets");
    assert_snapshot!(Plugin::with(&server).run("get"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets is forbidden: User "tester" cannot list resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
}

#[test]
fn a_watch_prints_a_row_for_each_change_until_interrupted() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let mut watching = plugin.line("get -w").spawn();
    watching.wait_for("Pending");
    write(&server, &crate::agent::running(1));
    watching.wait_for("Running");
    write(&server, &ended(1, 0));
    watching.wait_for("pass");
    watching.signal("INT");
    let output = watching.wait();
    assert_snapshot!(without_ages(&output.stdout), @"
    GROUP     REVISION   PHASE     STEPS   VERDICT   AGE
    default   1          Pending   0/0     <none>    <age>
    default   1          Running   0/2     <none>    <age>
    default   1          Succeeded   2/2     pass      <age>
    ");
    assert_eq!(output.stderr, "");
}

#[test]
fn a_watch_outlives_a_restart_of_the_server() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let mut watching = plugin.line("get --watch").spawn();
    watching.wait_for("Pending");
    server.stop();
    write(&server, &ended(1, 0));
    server.start_again();
    watching.wait_for("pass");
    watching.signal("INT");
    let _ = watching.wait();
}
