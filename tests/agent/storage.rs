//! The result Secret when others write, the API server is away or says no, or the Secret is no longer ours.

use iter8_core::{Phase, Verdict};
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{NAMESPACE, SECRET, Stage, assess, code, experiment, http, secret, text_in};

/// What the log says when something could not be stored for good.
const NOT_SAVED: &str = "the result could not be saved";

/// Ten requests that wait until the target is released, and an objective.
fn held(target: &HttpTarget) -> Value {
    let load = http(&target.url("/"), &json!({ "numRequests": 10, "connections": 10 }));
    experiment([load, assess(&json!({ "http/error-rate": 0 }))])
}

/// A run that stores something four times.
fn short(target: &HttpTarget) -> Value {
    experiment([http(&target.url("/"), &json!({ "numRequests": 10 })), assess(&json!({ "http/error-rate": 0 }))])
}

/// Everything was stored, each time that it was to be.
#[track_caller]
fn assert_whole(stage: &Stage) {
    let result = stage.result();
    assert!(!result.log.iter().any(|line| line.contains(NOT_SAVED)), "{:?}", result.log);
    assert_eq!((result.phase, result.verdict), (Phase::Succeeded, Some(Verdict::Pass)));
    assert_eq!((result.load["http"].completed, result.loops.completed), (10, 1));
}

#[test]
fn a_change_by_somebody_else_is_read_before_the_result_is_written_over_it() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Held));
    let agent = stage.start(&held(&target));
    target.wait_for_requests(10);
    stage.server.edit("secrets", NAMESPACE, SECRET, |secret| secret["metadata"]["labels"]["theirs"] = json!("kept"));
    stage.server.forget_requests();
    target.release();
    agent.wait().code(code::SUCCEEDED);

    assert_whole(&stage);
    let stored = stage.server.get("secrets", NAMESPACE, SECRET).expect("is there");
    assert_eq!(stored["metadata"]["labels"]["theirs"], "kept");
    let answers: Vec<_> =
        stage.server.requests().iter().map(|request| (request.verb, request.status)).take(3).collect();
    assert_eq!(answers, [("patch", Some(409)), ("get", Some(200)), ("patch", Some(200))]);
}

#[test]
fn what_passes_by_itself_is_waited_out() {
    for spoil in [
        |stage: &Stage| stage.server.when("patch", "secrets").times(3).conflict(),
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).internal_error(),
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).unavailable(),
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).too_many_requests(0),
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).drop_connection(),
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).lose_answer(),
        // API servers that start do not know yet who may do what.
        |stage: &Stage| stage.server.when("patch", "secrets").times(2).forbidden(),
        |stage: &Stage| stage.server.when("get", "secrets").times(2).unauthorized(),
        |stage: &Stage| stage.server.when("get", "secrets").times(2).internal_error(),
        |stage: &Stage| stage.server.when("get", "secrets").times(2).drop_connection(),
    ] {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
        spoil(&stage);
        stage.run(&short(&target)).code(code::SUCCEEDED);
        assert_whole(&stage);
        assert_eq!(target.count(), 10);
    }
}

#[test]
fn a_restart_of_the_api_server_loses_nothing() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Held));
    let mut agent = stage.start(&held(&target));
    target.wait_for_requests(10);
    stage.server.stop();
    target.release();
    agent.wait_for("is tried again");
    stage.server.start_again();
    let output = agent.wait().code(code::SUCCEEDED);
    // It was no error in the end.
    assert!(!output.stdout.contains(" ERROR "), "{output}");
    assert_whole(&stage);
}

#[test]
fn a_restart_of_the_api_server_before_the_first_step_only_delays_it() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.server.stop();
    let mut agent = stage.start(&short(&target));
    agent.wait_for("is tried again");
    stage.server.start_again();
    agent.wait().code(code::SUCCEEDED);
    assert_whole(&stage);
}

#[test]
fn an_api_server_that_stays_away_ends_the_run_before_load_is_sent() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.server.stop();
    let output = stage.agent(&short(&target)).args(["--patience", "50ms"]).run().code(code::CLUSTER);
    output.says("failed to load the result: cannot read secret/iter8-web-1-result in namespace shop").says("refused");
    assert_eq!(target.count(), 0);
}

#[test]
fn an_api_server_that_stays_away_at_the_end_is_told_with_what_is_lost() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Held));
    let agent = stage.agent(&held(&target)).args(["--patience", "50ms"]).spawn();
    target.wait_for_requests(10);
    stage.server.stop();
    target.release();
    let output = agent.wait().code(code::CLUSTER);
    // What was measured is at least in the log.
    output.says("step 1 http done: 10 requests").says("failed to save the result: ").says("refused");
}

#[test]
fn what_is_not_allowed_is_told_as_that() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.server.deny("get", "secrets");
    let output = stage.agent(&short(&target)).args(["--patience", "50ms"]).run().code(code::NOT_ALLOWED);
    output.says("User \"tester\" cannot get resource \"secrets\"");
    assert_eq!(target.count(), 0);
}

#[test]
fn a_step_whose_result_could_not_be_stored_is_made_good_by_the_next() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    // What is invalid is not tried again.
    stage.server.when("patch", "secrets").times(1).invalid("no");
    stage.run(&short(&target)).code(code::SUCCEEDED).says(NOT_SAVED);
    let result = stage.result();
    assert_eq!((result.phase, result.load["http"].completed), (Phase::Succeeded, 10));
    assert!(result.log.iter().any(|line| line.contains(NOT_SAVED)), "{:?}", result.log);
}

#[test]
fn a_secret_that_is_gone_is_told_and_not_made_again() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Held));
    let agent = stage.start(&held(&target));
    target.wait_for_requests(10);
    stage.server.remove("secrets", NAMESPACE, SECRET);
    target.release();
    let output = agent.wait().code(code::CLUSTER);
    output.says("secret/iter8-web-1-result in namespace shop, which holds the result, was deleted or replaced");
    assert_eq!(stage.server.list("secrets", NAMESPACE), Vec::<Value>::new());
}

#[test]
fn a_secret_that_is_not_ours_is_never_written() {
    // Another revision's; and that of a new experiment which happens to have the same number.
    for (revision, content) in [("2", None), ("1", None), ("1", Some("theirs"))] {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Held));
        let agent = stage.start(&held(&target));
        target.wait_for_requests(10);
        stage.server.remove("secrets", NAMESPACE, SECRET);
        let theirs = stage.server.put(secret("web", revision, content));
        target.release();
        agent.wait().code(code::CLUSTER).says("was deleted or replaced");
        assert_eq!(stage.server.get("secrets", NAMESPACE, SECRET), Some(theirs));
    }
}

#[test]
fn a_run_does_not_begin_with_the_secret_of_another_revision() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.run(&short(&target)).code(code::SUCCEEDED);
    let theirs = stage.server.get("secrets", NAMESPACE, SECRET);
    assert!(theirs.as_ref().is_some_and(|theirs| text_in(theirs).is_some()));

    let experiment = stage.env.file("experiment.yaml", short(&target).to_string());
    let kubeconfig = stage.server.kubeconfig(stage.env.home());
    for loops in [&[][..], &["--loop"]] {
        let agent = stage.call(&experiment, "2").args(["--kubeconfig".as_ref(), kubeconfig.as_os_str()]).args(loops);
        agent.run().code(code::CLUSTER).says("was deleted or replaced");
    }
    assert_eq!((stage.server.get("secrets", NAMESPACE, SECRET), target.count()), (theirs, 10));
}
