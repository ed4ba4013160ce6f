//! What `report` shows of a result, in each of its forms.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, ended, failed, of_versions, running, write, write_text};
use crate::plugin::Plugin;

fn launched() -> (ApiServer, Plugin) {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    (server, plugin)
}

#[test]
fn a_report_says_how_it_went_from_the_first_moment_to_the_last() {
    let (server, plugin) = launched();
    assert_snapshot!(plugin.run("report"), @"
    … not over

    Experiment summary
      Experiment  default, revision 1
      Phase       Pending, 0 of 2 done
    ");
    write(&server, &running(1));
    assert_snapshot!(plugin.run("report"), @"
    … not over

    Experiment summary
      Experiment  default, revision 1
      Phase       Running, 0 of 2 done
      Started     <time>
    ");
    write(&server, &ended(1, 3));
    assert_snapshot!(plugin.run("report"), @"
    ✘ fail: http/error-count is 3, above the limit of 0

    Experiment summary
      Experiment  default, revision 1
      Phase       Succeeded, 2 of 2 done
      Started     <time>, took 12.5 s

    Service level objectives
     Objective              Value  95% interval  Samples  Verdict
     http/error-count <= 0      3             -      100  fail
      fail: http/error-count is 3, above the limit of 0

    Latest observed values for metrics
     Metric              Value
     http/request-count    100
     http/error-count        3

    Load (http)
      Target        http://app/get
      Requests      100 of 100 in 12.5 s (8/s)
      Status codes  200 × 97, 500 × 3
      Error         status 500 × 3 — out of order
    ");
    write(&server, &failed(1));
    assert_snapshot!(plugin.run("report"), @"
    ? no verdict

    Experiment summary
      Experiment    default, revision 1
      Phase         Failed, 0 of 2 done
      Task failure  step 1 (http): connection refused
      Started       <time>, took 1 s
    ");
}

#[test]
fn json_and_yaml_hold_the_result_as_it_is_stored() {
    let (server, plugin) = launched();
    let result = ended(1, 3);
    write(&server, &result);
    let json = plugin.run("report -o json").code(0);
    assert_eq!(json.json(), serde_json::to_value(&result).unwrap());
    assert_eq!(plugin.run("report -o yaml").code(0).yaml(), [json.json()]);
    assert_eq!(plugin.run("report --outputFormat json"), json);
}

#[test]
fn loads_of_versions_are_called_by_their_names_and_said_once() {
    let (server, plugin) = launched();
    write(&server, &of_versions());
    assert_snapshot!(plugin.run("report").stdout.split_once("objectives\n").unwrap().1, @r"
     Objective              Version         Value  95% interval  Samples  Verdict
     http/error-count <= 0  baseline (v1)       0             -      100  pass
     http/error-count <= 0  candidate (v2)      3             -      100  fail
      fail of candidate (v2): http/error-count is 3, above the limit of 0

    Latest observed values for metrics
     Metric                baseline (v1)  candidate (v2)  all
     http/error-count                  0               3    -
     http-new/error-count              -               -    3

    Load (http-new)
      Target        http://app/new
      Requests      100 of 100 in 12.5 s (8/s)
      Status codes  200 × 97, 500 × 3
      Error         status 500 × 3 — out of order
    Load (http, baseline (v1))
      Target        http://app/get
      Requests      100 of 100 in 12.5 s (8/s)
      Status codes  200 × 100
    Load (http, candidate (v2))
      Target        http://app/new, http://app/newer
      Requests      100 of 100 in 12.5 s (8/s)
      Status codes  200 × 97, 500 × 3
      Error         status 500 × 3 — out of order
    ");
}

#[test]
fn earlier_revisions_stay_readable() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 3));
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(2, 0));
    assert_eq!(plugin.run("report -o json").code(0).json()["revision"], 2);
    assert_eq!(plugin.run("report --revision 1 -o json").code(0).json()["revision"], 1);
    assert_snapshot!(plugin.run("report --revision 3"), @"
    ------- stderr -------
    error: no revision 3 of group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}

#[test]
fn a_result_of_a_newer_version_is_read_as_far_as_it_is_known() {
    let (server, plugin) = launched();
    let mut result = serde_json::to_value(ended(1, 0)).unwrap();
    result["invented"] = serde_json::json!({ "later": true });
    write_text(&server, 1, &result.to_string());
    let _ = plugin.run("report").code(0).says("✔ pass");
}

#[test]
fn what_a_target_answered_cannot_move_the_cursor_of_the_terminal() {
    let (server, plugin) = launched();
    let mut result = ended(1, 3);
    result.load.get_mut("http").unwrap().errors[0].first = vec!["\u{1b}[2J\u{1b}]0;owned\u{7}<h1>".to_owned()];
    write(&server, &result);
    let output = plugin.run("report").code(0);
    assert!(!output.stdout.contains(['\u{1b}', '\u{7}']), "{output}");
}

#[test]
fn the_report_is_as_wide_as_the_terminal() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 3));
    for columns in [60, 80, 120] {
        let output = plugin.line("report").env("COLUMNS", columns.to_string()).run().code(0);
        let widest = output.stdout.lines().map(|line| line.chars().count()).max().unwrap();
        assert!(widest <= columns, "{columns}:\n{output}");
    }
}

#[test]
fn a_group_that_does_not_exist_is_exit_code_eleven() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run("report"), @"
    ------- stderr -------
    error: no group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
    assert_snapshot!(plugin.run("report -g checkout -n default --revision 3"), @"
    ------- stderr -------
    error: no revision 3 of group checkout in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}
