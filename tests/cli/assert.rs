//! Questions about an experiment: what `assert` answers, when, and with which exit code.

use insta::assert_snapshot;
use iter8_core::Verdict;
use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, cancelled, ended, failed, running, write, write_text};
use crate::plugin::Plugin;

fn launched() -> (ApiServer, Plugin) {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    (server, plugin)
}

/// Waits until somebody watches the result.
fn is_watched(server: &ApiServer) {
    server.wait_for("a watch of the result", |state| state.requests_to("watch", "secrets").next().map(|_| ()));
}

#[test]
fn every_end_has_its_sentence_and_its_exit_code() {
    let (server, plugin) = launched();
    assert_snapshot!(plugin.run("assert"), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    [exit code 3]
    ");
    write(&server, &running(1));
    assert_snapshot!(plugin.run("assert"), @"
    completed does not hold: 0 of 2 steps are done
    nofailure does not hold: 0 of 2 steps are done
    slos does not hold: 0 of 2 steps are done
    [exit code 3]
    ");
    write(&server, &ended(1, 0));
    assert_snapshot!(plugin.run("assert"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos holds: the objective is satisfied
    ");
    write(&server, &ended(1, 3));
    assert_snapshot!(plugin.run("assert"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos does not hold: http/error-count is 3, above the limit of 0
    [exit code 1]
    ");
    write(&server, &failed(1));
    assert_snapshot!(plugin.run("assert"), @"
    completed does not hold: step 1 (http) failed: connection refused
    nofailure does not hold: step 1 (http) failed: connection refused
    slos does not hold: step 1 (http) failed: connection refused
    [exit code 4]
    ");
    write(&server, &cancelled(1));
    assert_snapshot!(plugin.run("assert"), @"
    completed does not hold: the experiment was stopped before its end
    nofailure does not hold: the experiment was stopped before its end
    slos does not hold: the experiment was stopped before its end
    [exit code 4]
    ");
    let mut unknown = ended(1, 0);
    (unknown.verdict, unknown.verdict_reason) =
        (Some(Verdict::Inconclusive), "http/latency-p99 needs 100 samples and has 20".to_owned());
    write(&server, &unknown);
    assert_snapshot!(plugin.run("assert"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos does not hold: http/latency-p99 needs 100 samples and has 20
    [exit code 5]
    ");
    unknown.verdict = Some(Verdict::Invalid);
    "the load generator was late by itself".clone_into(&mut unknown.verdict_reason);
    write(&server, &unknown);
    assert_snapshot!(plugin.run("assert -c conclusive"), @"
    conclusive does not hold: the load generator was late by itself
    [exit code 5]
    ");
}

#[test]
fn only_what_is_asked_counts() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 3));
    let _ = plugin.run("assert -c completed,nofailure").code(0);
    let _ = plugin.run("assert -c completed -c nofailure").code(0);
    let _ = plugin.run("assert -c conclusive").code(0);
    let _ = plugin.run("assert -c SLOs").code(1);
}

#[test]
fn the_answer_comes_by_a_watch_as_soon_as_the_result_is_written() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert --timeout 50s").spawn();
    is_watched(&server);
    server.forget_requests();
    write(&server, &running(1));
    write(&server, &ended(1, 0));
    assert_snapshot!(waiting.wait(), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos holds: the objective is satisfied
    ");
    assert!(server.requests_to("get", "secrets").is_empty(), "the result was asked for again and again");
}

#[test]
fn a_result_that_comes_before_the_watch_is_not_missed() {
    let (server, plugin) = launched();
    let hold = server.when("watch", "secrets").hold();
    let waiting = plugin.line("assert --timeout 50s").spawn();
    hold.wait_until_reached();
    write(&server, &ended(1, 0));
    hold.release();
    let _ = waiting.wait().code(0);
}

#[test]
fn waiting_ends_when_no_answer_can_change_any_more() {
    for (result, code) in [(ended(1, 3), 1), (failed(1), 4), (cancelled(1), 4)] {
        let (server, plugin) = launched();
        let waiting = plugin.line("assert --timeout 1h").spawn();
        is_watched(&server);
        write(&server, &result);
        let _ = waiting.wait().code(code);
    }
}

#[test]
fn an_objective_that_is_violated_ends_the_wait_before_the_experiment_does() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert -c slos --timeout 1h").spawn();
    is_watched(&server);
    let mut judged = ended(1, 3);
    judged.phase = iter8_core::Phase::Running;
    write(&server, &judged);
    let _ = waiting.wait().code(1);
}

#[test]
fn the_time_to_wait_runs_out_with_exit_code_three() {
    let (server, plugin) = launched();
    write(&server, &running(1));
    assert_snapshot!(plugin.run("assert --timeout 100ms"), @"
    completed does not hold: 0 of 2 steps are done
    nofailure does not hold: 0 of 2 steps are done
    slos does not hold: 0 of 2 steps are done
    [exit code 3]
    ");
}

#[test]
fn a_loop_that_failed_is_not_the_last_word_on_a_cronjob() {
    let (server, plugin) = launched();
    let mut first = ended(1, 3);
    first.loops.recurring = true;
    write(&server, &first);
    let waiting = plugin.line("assert -c slos --timeout 50s").spawn();
    is_watched(&server);
    let mut second = ended(1, 0);
    second.loops.recurring = true;
    second.loops.completed = 2;
    write(&server, &second);
    let _ = waiting.wait().code(0);
}

#[test]
fn an_earlier_revision_can_be_asked_about() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 3));
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(2, 0));
    let _ = plugin.run("assert").code(0);
    let _ = plugin.run("assert --revision 1").code(1);
    assert_snapshot!(plugin.run("assert --revision 9"), @"
    ------- stderr -------
    error: no revision 9 of group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}

#[test]
fn what_does_not_exist_is_exit_code_eleven() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run("assert"), @"
    ------- stderr -------
    error: no group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
    assert_snapshot!(plugin.run("assert -g other --timeout 1h"), @"
    ------- stderr -------
    error: no group other in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}

#[test]
fn a_result_that_is_deleted_while_waiting_is_told() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert --timeout 1h").spawn();
    is_watched(&server);
    server.remove("secrets", "default", "iter8-default-1-result");
    assert_snapshot!(waiting.wait(), @"
    ------- stderr -------
    error: secret/iter8-default-1-result in namespace default, which holds the result, was deleted or replaced
    hint: launch the experiment again
    [exit code 11]
    ");
    assert_snapshot!(plugin.run("assert"), @"
    ------- stderr -------
    error: secret/iter8-default-1-result in namespace default, which holds the result, was deleted or replaced
    hint: launch the experiment again
    [exit code 11]
    ");
}

#[test]
fn a_result_that_cannot_be_read_is_told() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert --timeout 1h").spawn();
    is_watched(&server);
    write_text(&server, 1, "{\"apiVersion\": \"iter8.tools/v1\", \"kind\"");
    assert_snapshot!(waiting.wait(), @"
    ------- stderr -------
    error: secret/iter8-default-1-result in namespace default cannot be read: EOF while parsing an object at line 1 column 39
    hint: launch the experiment again
    [exit code 10]
    ");
    assert_snapshot!(plugin.run("assert"), @"
    ------- stderr -------
    error: secret/iter8-default-1-result in namespace default cannot be read: EOF while parsing an object at line 1 column 39
    hint: launch the experiment again
    [exit code 10]
    ");
}

#[test]
fn a_server_that_restarts_while_waiting_is_waited_out() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert --timeout 50s").spawn();
    is_watched(&server);
    server.stop();
    write(&server, &ended(1, 0));
    server.start_again();
    let _ = waiting.wait().code(0);
}

#[test]
fn a_watch_that_expires_begins_anew() {
    let (server, plugin) = launched();
    let waiting = plugin.line("assert --timeout 50s").spawn();
    is_watched(&server);
    server.expire_watches();
    write(&server, &ended(1, 0));
    let _ = waiting.wait().code(0);
}

#[test]
fn a_user_who_may_not_watch_is_told() {
    let (server, plugin) = launched();
    server.deny("watch", "secrets");
    assert_snapshot!(plugin.run("assert --timeout 50s"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets is forbidden: User "tester" cannot watch resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
}
