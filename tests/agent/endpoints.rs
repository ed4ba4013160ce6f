//! Several endpoints in one task: what each of them gets, and what is measured of it.

use iter8_core::result::StepStatus;
use iter8_core::{ExperimentResult, Verdict};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http};

fn value(result: &ExperimentResult, metric: &str) -> Option<f64> {
    result.metrics.get(metric)?.versions[0].latest.as_ref()?.value
}

/// A step that sends load to these endpoints.
fn endpoints(common: &Value, endpoints: &Value) -> Value {
    let mut step = http("", common);
    let with = step["with"].as_object_mut().expect("is one");
    with.remove("url");
    with.insert("endpoints".to_owned(), endpoints.clone());
    step
}

#[test]
fn each_endpoint_gets_its_own_load_over_what_it_inherits_and_has_metrics_of_its_own() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    target.on("/missing", Behaviour::status(404));
    let common = json!({ "numRequests": 10, "headers": { "X-A": "1", "X-B": "2" }, "percentiles": [97] });
    let steps = [
        endpoints(
            &common,
            &json!({
                "get": { "url": target.url("/get") },
                "gone": { "url": target.url("/missing"), "numRequests": 5, "errorRanges": [{ "lower": 500 }] },
                "post": { "url": target.url("/post"), "payloadStr": "x", "headers": { "x-a": "" } },
            }),
        ),
        assess(&json!({ "http-get/error-count": 0, "http-post/latency-p91": 60_000, "http-gone/error-count": 0 })),
    ];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);

    let result = stage.result();
    assert_eq!((target.count_of("/get"), target.count_of("/missing"), target.count_of("/post")), (10, 5, 10));
    // They run in the order of their names.
    let last = target.last();
    assert_eq!((last.method.as_str(), last.header("x-a"), last.header("x-b")), ("POST", "", "2"));
    assert_eq!(result.verdict, Some(Verdict::Inconclusive), "{}", result.verdict_reason);
    for (provider, requests) in [("http-get", 10.0), ("http-gone", 5.0), ("http-post", 10.0)] {
        assert_eq!(value(&result, &format!("{provider}/request-count")), Some(requests));
        for name in ["error-rate", "latency-mean", "latency-stddev", "latency-max", "latency-p97", "latency-p99.9"] {
            assert!(value(&result, &format!("{provider}/{name}")).is_some(), "{provider}/{name}");
        }
        assert!(!result.load[provider].histogram.is_empty());
    }
    assert!(result.metrics.keys().all(|name| !name.starts_with("http/")));
    assert!(result.steps[0].message.starts_with("get: 10 requests in "), "{}", result.steps[0].message);
}

#[test]
fn an_endpoint_that_cannot_be_measured_is_named_and_what_came_before_is_kept() {
    let (stage, target, closed) = (Stage::new(), HttpTarget::start(Behaviour::OK), ClosedPort::reserve());
    let step = endpoints(
        &json!({ "numRequests": 3 }),
        &json!({ "a": { "url": target.url("/") }, "b": { "url": closed.url("/"), "duration": "10m" } }),
    );
    stage.run(&experiment([step])).code(code::TASK_FAILED);
    let result = stage.result();
    assert_eq!((result.steps[0].status, value(&result, "http-a/request-count")), (StepStatus::Failed, Some(3.0)));
    assert!(result.steps[0].message.starts_with("endpoint `b`: "), "{}", result.steps[0].message);
}

#[test]
fn endpoints_side_by_side_share_one_load_by_their_weights() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let common = json!({ "numRequests": 40, "endpointsOrder": "sideBySide" });
    let step = endpoints(
        &common,
        &json!({
            "a": { "url": target.url("/a"), "weight": 3 },
            "b": { "url": target.url("/b") },
        }),
    );
    stage.run(&experiment([step])).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!((target.count_of("/a"), target.count_of("/b")), (30, 10));
    assert_eq!(value(&result, "http-a/request-count"), Some(30.0));
    assert_eq!(value(&result, "http-b/request-count"), Some(10.0));
    // Both ran for the whole 80 ms of the schedule instead of one after the other.
    let elapsed = |provider: &str| result.load[provider].elapsed_seconds;
    assert!(elapsed("http-a") >= 0.078 && elapsed("http-b") >= 0.070, "{:?}", result.load);
    assert!(result.steps[0].message.starts_with("a: 30 requests in "), "{}", result.steps[0].message);
}

#[test]
fn what_spoils_one_endpoint_side_by_side_spoils_all() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    target.on("/slow", Behaviour::Late(std::time::Duration::from_millis(50)));
    let common = json!({
        "duration": "300ms", "qps": 200, "endpointsOrder": "sideBySide", "timeout": "200ms", "allowInitialErrors": true,
    });
    let of = json!({
        "fast": { "url": target.url("/fast") },
        // One connection takes a request every 50 ms at best, and a hundred a second are due.
        "slow": { "url": target.url("/slow"), "connections": 1 },
    });
    let steps = [endpoints(&common, &of), assess(&json!({ "http-fast/error-rate": 1 }))];
    stage.run(&experiment(steps)).code(code::SUCCEEDED).says("verdict invalid");
    let fault = &stage.result().load["http-fast"].faults[0];
    assert!(fault.starts_with("slow: ") && fault.contains("were never sent"), "{fault}");
}
