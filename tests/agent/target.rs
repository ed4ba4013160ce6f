//! Targets of all kinds: what is measured of them, how their errors are called, and what is decided.

use iter8_core::result::LoadDetails;
use iter8_core::result::StepStatus;
use iter8_core::{ExperimentResult, Verdict};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http};

/// What comes of so many requests to `url`, with an objective that allows no errors.
fn measured(url: &str, requests: u64, more: &Value) -> ExperimentResult {
    let stage = Stage::new();
    let mut inputs = json!({ "numRequests": requests });
    inputs.as_object_mut().expect("is one").extend(more.as_object().expect("is one").clone());
    let _ =
        stage.run(&experiment([http(url, &inputs), assess(&json!({ "http/error-rate": 0 }))])).code(code::SUCCEEDED);
    stage.result()
}

#[track_caller]
fn assert_all_failed(result: &ExperimentResult, kind: &str, requests: u64) {
    let load: &LoadDetails = &result.load["http"];
    let kinds: Vec<(&str, u64)> = load.errors.iter().map(|error| (error.kind.as_str(), error.count)).collect();
    assert_eq!(kinds, [(kind, requests)]);
    assert_eq!((load.completed, result.slos[0].value, result.verdict), (requests, Some(1.0), Some(Verdict::Fail)));
}

#[test]
fn a_target_that_refuses_fails_with_connections_refused() {
    assert_all_failed(&measured(&ClosedPort::reserve().url("/"), 20, &json!({})), "connection refused", 20);
}

#[test]
fn a_target_that_resets_or_closes_fails_with_that() {
    for (behaviour, kind) in [(Behaviour::Reset, "connection reset"), (Behaviour::Close, "connection closed")] {
        let target = HttpTarget::start(behaviour);
        assert_all_failed(&measured(&target.url("/"), 20, &json!({})), kind, 20);
        assert_eq!(target.count(), 20);
    }
}

#[test]
fn a_target_that_never_answers_fails_with_timeouts() {
    let target = HttpTarget::start(Behaviour::Hang);
    let result = measured(&target.url("/"), 8, &json!({ "timeout": "100ms", "connections": 8 }));
    assert_all_failed(&result, "timeout", 8);
    let fastest = result.metrics["http/latency-min"].versions[0].latest.as_ref().and_then(|latest| latest.value);
    assert!(fastest.is_some_and(|fastest| fastest >= 100.0), "{fastest:?} ms");
}

#[test]
fn a_target_that_answers_500_fails_with_the_head_of_what_it_said() {
    let target = HttpTarget::start(Behaviour::Echo { status: 500, after: 0 });
    let result = measured(&target.url("/p?q=1"), 20, &json!({}));
    assert_all_failed(&result, "status 500", 20);
    let load = &result.load["http"];
    assert_eq!(load.status_codes.get(&500), Some(&20));
    assert!(load.errors[0].first[0].starts_with("GET /p?q=1\n"), "{:?}", load.errors[0].first);
}

#[test]
fn only_what_the_error_ranges_name_is_an_error() {
    let target = HttpTarget::start(Behaviour::status(404));
    let result = measured(&target.url("/"), 10, &json!({ "errorRanges": [{ "lower": 500 }] }));
    assert_eq!((result.verdict, result.load["http"].status_codes.get(&404)), (Some(Verdict::Pass), Some(&10)));
}

#[test]
fn large_answers_are_read_to_their_end_on_few_connections() {
    let target = HttpTarget::start(Behaviour::Answer { status: 200, bytes: 200_000 });
    let result = measured(&target.url("/"), 20, &json!({ "connections": 2 }));
    assert_eq!((result.load["http"].completed, result.load["http"].errors.len()), (20, 0));
    // A second connection is only made when a request is due before the one before it has ended.
    assert!(result.verdict == Some(Verdict::Pass) && (1..=2).contains(&target.connections()), "{result:?}");
}

#[test]
fn an_answer_that_breaks_off_is_an_error_although_it_began_well() {
    let target = HttpTarget::start(Behaviour::Cut(100_000));
    assert_all_failed(&measured(&target.url("/"), 10, &json!({})), "connection closed", 10);
}

#[test]
fn a_slow_target_is_measured_at_no_less_than_its_time() {
    let target = HttpTarget::start(Behaviour::Late(std::time::Duration::from_millis(30)));
    let result = measured(&target.url("/"), 10, &json!({ "connections": 10 }));
    let value = |name: &str| result.metrics[name].versions[0].latest.as_ref().and_then(|latest| latest.value);
    let (least, median) = (value("http/latency-min"), value("http/latency-p50"));
    assert!(least.is_some_and(|least| least >= 30.0) && median >= least, "{least:?} and {median:?} ms");
}

#[test]
fn the_target_gets_what_the_inputs_say() {
    let target = HttpTarget::start(Behaviour::OK);
    let inputs =
        json!({ "method": "PUT", "payloadStr": "hello", "contentType": "text/plain", "headers": { "X-Tenant": 7 } });
    measured(&target.url("/p?q=1"), 1, &inputs);
    let last = target.last();
    assert_eq!((last.method.as_str(), last.target.as_str(), &last.body[..]), ("PUT", "/p?q=1", &b"hello"[..]));
    assert_eq!(
        (last.header("content-type"), last.header("x-tenant"), last.header("host")),
        ("text/plain", "7", &*target.authority())
    );
}

#[test]
fn credentials_of_a_url_are_sent_as_they_are_meant() {
    let target = HttpTarget::start(Behaviour::OK);
    measured(&format!("http://me:p%40ss@{}/", target.authority()), 1, &json!({}));
    // me:p@ss
    assert_eq!(target.last().header("authorization"), "Basic bWU6cEBzcw==");
}

#[test]
fn a_percentile_of_few_requests_decides_nothing() {
    for (no_data, verdict) in [("inconclusive", Verdict::Inconclusive), ("fail", Verdict::Fail)] {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
        let assess = json!({ "task": "assess", "with": { "noData": no_data, "SLOs": { "upper": { "http/latency-p99": 60_000 } } } });
        stage.run(&experiment([http(&target.url("/"), &json!({ "numRequests": 20 })), assess])).code(code::SUCCEEDED);
        let result = stage.result();
        assert_eq!(result.verdict, Some(verdict));
        assert!(
            result.verdict_reason.starts_with("http/latency-p99 needs 100 samples and has 20"),
            "{}",
            result.verdict_reason
        );
    }
}

#[test]
fn a_run_by_duration_begins_only_when_the_target_answers_unless_it_is_told_to() {
    let stage = Stage::new();
    let closed = ClosedPort::reserve();
    stage.run(&experiment([http(&closed.url("/"), &json!({ "duration": "10m" }))])).code(code::TASK_FAILED);
    let step = &stage.result().steps[0];
    assert_eq!(step.status, StepStatus::Failed);
    assert!(
        step.message.ends_with("failed: connection refused; allow initial errors to measure anyway"),
        "{}",
        step.message
    );

    let inputs = json!({ "duration": "100ms", "qps": 100, "allowInitialErrors": true });
    stage.run(&experiment([http(&closed.url("/"), &inputs)])).code(code::SUCCEEDED);
    assert_eq!(stage.result().load["http"].errors[0].count, 10);
}

#[test]
fn redirects_are_followed_when_that_is_asked_for() {
    for (follow, status, ends) in [(false, 307, 0), (true, 200, 10)] {
        let target = HttpTarget::start(Behaviour::OK);
        target.on("/old", Behaviour::Elsewhere("/new"));
        let result = measured(&target.url("/old"), 10, &json!({ "followRedirects": follow }));
        assert_eq!(result.load["http"].status_codes.get(&status), Some(&10));
        assert_eq!((target.count_of("/old"), target.count_of("/new")), (10, ends));
    }
}

#[test]
fn without_keep_alive_each_request_has_a_connection_of_its_own() {
    let target = HttpTarget::start(Behaviour::OK);
    let result = measured(&target.url("/"), 10, &json!({ "keepAlive": false }));
    assert_eq!((result.verdict, target.connections()), (Some(Verdict::Pass), 10));
    assert_eq!(target.last().header("connection"), "close");
}

#[test]
fn requests_differ_when_they_are_templates() {
    let target = HttpTarget::start(Behaviour::OK);
    let inputs = json!({ "templates": true, "payloadStr": "n={{.RequestNumber}}", "connections": 1 });
    measured(&target.url("/items/{{.RequestNumber}}"), 5, &inputs);
    assert_eq!((target.count(), target.count_of("/items/0"), target.count_of("/items/4")), (5, 1, 1));
    assert_eq!((target.last().target.as_str(), &target.last().body[..]), ("/items/4", &b"n=4"[..]));
    // Without it a text with the same signs means itself.
    measured(&target.url("/"), 1, &json!({ "payloadStr": "n={{.RequestNumber}} {uuid}" }));
    let body = String::from_utf8(target.last().body.to_vec()).expect("text");
    assert!(body.starts_with("n={{.RequestNumber}} ") && !body.contains("{uuid}") && body.len() == 57, "{body}");
}
