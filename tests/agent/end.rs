//! A run that is stopped: what it had measured is kept, and it ends when it is told to.

use iter8_core::result::StepStatus;
use iter8_core::{Phase, Verdict};
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::json;

use crate::harness::{Stage, assess, code, experiment, http};

/// Long enough not to end by itself.
fn long(url: &str) -> serde_json::Value {
    let objective = assess(&json!({ "http/error-rate": 0 }));
    experiment([http(url, &json!({ "duration": "10m", "qps": 50, "timeout": "1s" })), objective])
}

#[test]
fn a_signal_in_the_middle_of_load_keeps_what_was_measured() {
    for signal in ["TERM", "INT"] {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
        let agent = stage.start(&long(&target.url("/")));
        target.wait_for_requests(5);
        agent.signal(signal);
        agent.wait().code(code::INTERRUPTED).says("experiment cancelled");

        let result = stage.result();
        assert_eq!(result.phase, Phase::Cancelled);
        assert_eq!(
            result.steps.iter().map(|step| step.status).collect::<Vec<_>>(),
            [StepStatus::Cancelled, StepStatus::Pending]
        );
        let load = &result.load["http"];
        // One of the requests asked whether anybody is there.
        assert!(load.completed >= 3, "{load:?}");
        assert_eq!((load.offered, load.completed + load.dropped + load.censored), (30_000, 30_000));
        assert_eq!(
            result.metrics["http/request-count"].versions[0].latest.as_ref().and_then(|latest| latest.samples),
            Some(load.completed)
        );
        assert_eq!(result.verdict, Some(Verdict::Inconclusive));
        assert_eq!(result.verdict_reason, "the experiment was stopped before its objectives were assessed");
        assert_eq!((result.loops.started, result.loops.completed), (1, 0));
    }
}

#[test]
fn a_signal_ends_a_wait_for_objects_at_once() {
    let stage = Stage::new();
    let mut agent =
        stage.start(&experiment([json!({ "task": "ready", "with": { "deploy": "web", "timeout": "10m" } })]));
    stage.server.wait_for("a look at the deployment", |state| state.requests_to("get", "deployments").next().map(drop));
    agent.wait_for("step 1/1 ready started");
    agent.signal("TERM");
    agent.wait().code(code::INTERRUPTED);
    assert_eq!((stage.result().phase, stage.result().steps[0].status), (Phase::Cancelled, StepStatus::Cancelled));
}

#[test]
fn a_second_signal_ends_the_agent_at_once() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let agent = stage.start(&long(&target.url("/")));
    target.wait_for_requests(5);
    // The result of the run that is stopped cannot be stored.
    let hold = stage.server.when("patch", "secrets").hold();
    agent.signal("TERM");
    hold.wait_until_reached();
    agent.signal("TERM");
    agent.wait().code(code::INTERRUPTED).says("stopped by a second signal, the result is as last saved");
    assert_eq!(stage.result().phase, Phase::Running);
}
