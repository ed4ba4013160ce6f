//! Metrics of an A/B/n service. The target answers a call with the message that came, and both messages of the method have
//! their text in the same field: what is asked for is what the service knows.

use iter8_testkit::grpc_target::{GrpcTarget, Offers};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment};

fn abnmetrics(endpoint: &str, application: &str) -> Value {
    json!({ "task": "abnmetrics", "with": { "endpoint": endpoint, "application": application } })
}

#[test]
fn each_track_is_a_version_with_its_summaries() {
    let target = GrpcTarget::start(&[], Offers::Nothing);
    let known = json!({
        "name": "shop/backend",
        "tracks": { "backend": "v1", "backend-candidate-1": "v2" },
        "versions": {
            "v1": { "metrics": { "sale": [100, 300, 1, 5, 1000] } },
            "v2": { "metrics": { "sale": [1, 9, 9, 9, 81] } },
        },
    });
    let steps =
        [abnmetrics(&target.host(), &known.to_string()), assess(&json!({ "abn/sale/mean": 4, "abn/sale/stddev": 2 }))];
    let stage = Stage::new();
    let _ = stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    let tracks: Vec<_> = result.versions.iter().map(|version| version.track.as_deref()).collect();
    assert_eq!(tracks, [Some("backend"), Some("backend-candidate-1")]);
    assert_eq!(target.calls()[0].path, "/main.ABN/GetApplicationData");
    let judged: Vec<_> = result.slos.iter().map(|slo| (slo.version, slo.value, slo.verdict.as_str())).collect();
    assert_eq!(
        judged,
        [
            (Some(0), Some(3.0), "pass"),
            (Some(1), Some(9.0), "fail"),
            (Some(0), Some((100.0 / 99.0_f64).sqrt()), "pass"),
            // One value deviates from nothing.
            (Some(1), None, "inconclusive"),
        ]
    );
}

#[test]
fn a_service_that_does_not_answer_as_it_should_fails_the_task() {
    let target = GrpcTarget::start(&[], Offers::Nothing);
    let stage = Stage::new();
    let _ = stage.run(&experiment([abnmetrics(&target.host(), "shop/backend")])).code(code::TASK_FAILED);
    let message = &stage.result().steps[0].message;
    assert!(message.starts_with("cannot ask the A/B/n service: ") && message.contains("cannot be used"), "{message}");
    let _ = stage.run(&experiment([abnmetrics("127.0.0.1:1", "shop/backend")])).code(code::TASK_FAILED);
    let message = &stage.result().steps[0].message;
    assert!(message.contains("connection refused"), "{message}");
}
