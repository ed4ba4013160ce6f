//! Many loops of one revision, as a CronJob runs them: what they add up to, and what one of them does not take over
//! from another.

use iter8_core::metric::{HISTORY_MAX, Observation};
use iter8_core::result::StepStatus;
use iter8_core::{ExperimentResult, Phase, Verdict};
use iter8_load::Histogram;
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{NAMESPACE, SECRET, Stage, assess, code, experiment, http, text_in};

/// A loop that fails when the first request does.
fn steps(target: &HttpTarget) -> Value {
    let load = json!({ "duration": "40ms", "qps": 250 });
    experiment([http(&target.url("/"), &load), assess(&json!({ "http/error-rate": 0 }))])
}

fn run_loop(stage: &Stage, target: &HttpTarget, code: i32) -> ExperimentResult {
    stage.agent(&steps(target)).args(["--loop"]).run().code(code);
    stage.result()
}

#[test]
fn loops_add_up() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    for number in 1..=3 {
        let result = run_loop(&stage, &target, code::SUCCEEDED);
        assert_eq!((result.loops.started, result.loops.completed, result.loops.recurring), (number, number, true));
    }
    let result = stage.result();
    let requests = &result.metrics["http/request-count"].versions[0];
    assert_eq!(requests.history, [(1, 10.0), (2, 10.0), (3, 10.0)]);
    // Objectives are judged on the last loop, the latencies of all loops are kept together.
    assert_eq!((result.slos[0].samples, result.load["http"].completed), (Some(10), 10));
    let all = Histogram::from_base64(&result.load["http"].histogram).expect("is a histogram");
    assert_eq!(all.len(), 30);
}

#[test]
fn the_history_of_many_loops_stays_small() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let mut result = run_loop(&stage, &target, code::SUCCEEDED);
    for number in 2..10_000 {
        for series in result.metrics.values_mut().flat_map(|metric| &mut metric.versions) {
            series.observe(Observation { loop_number: number, value: Some(1.0), ..Observation::default() });
        }
        result.loops.started = number;
    }
    stage.store(&result.to_json().expect("can be written"));
    let result = run_loop(&stage, &target, code::SUCCEEDED);
    assert_eq!(result.loops.started, 10_000);
    let series = &result.metrics["http/request-count"].versions[0];
    assert!(series.history.len() <= HISTORY_MAX && series.history.len() > HISTORY_MAX / 4, "{}", series.history.len());
    assert_eq!(series.latest.as_ref().map(|latest| (latest.loop_number, latest.value)), Some((10_000, Some(10.0))));
}

#[test]
fn a_failed_loop_neither_takes_an_earlier_verdict_nor_spoils_a_later_one() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    assert_eq!(run_loop(&stage, &target, code::SUCCEEDED).verdict, Some(Verdict::Pass));

    target.on("/", Behaviour::status(503));
    let failed = run_loop(&stage, &target, code::TASK_FAILED);
    assert_eq!((failed.phase, failed.steps[0].status), (Phase::Failed, StepStatus::Failed));
    assert_eq!((failed.verdict, failed.slos.len()), (Some(Verdict::Inconclusive), 0));
    assert_eq!((failed.loops.started, failed.loops.completed), (2, 1));

    target.on("/", Behaviour::OK);
    let mended = run_loop(&stage, &target, code::SUCCEEDED);
    assert_eq!((mended.phase, mended.verdict), (Phase::Succeeded, Some(Verdict::Pass)));
    assert!(mended.failed_step().is_none());
    assert_eq!((mended.loops.started, mended.loops.completed), (3, 2));
}

#[test]
fn a_run_that_is_no_loop_begins_anew() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    run_loop(&stage, &target, code::SUCCEEDED);
    stage.run(&steps(&target)).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!((result.loops.started, result.loops.recurring), (1, false));
    assert_eq!(result.metrics["http/request-count"].versions[0].history, [(1, 10.0)]);
}

#[test]
fn a_loop_does_not_run_over_a_result_that_it_cannot_read() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.store("{\"apiVersion\": \"iter8.tools/v1\",");
    let output = stage.agent(&steps(&target)).args(["--loop"]).run();
    output.code(code::CLUSTER).says("secret/iter8-web-1-result in namespace shop cannot be read");
    let stored = stage.server.get("secrets", NAMESPACE, SECRET).expect("is there");
    assert_eq!((text_in(&stored).as_deref(), target.count()), (Some("{\"apiVersion\": \"iter8.tools/v1\","), 0));
}
