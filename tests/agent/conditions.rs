//! Steps with an `if`: those whose condition does not hold are skipped, and the others run.

use iter8_core::result::StepStatus;
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http};

fn when(mut step: Value, condition: &str) -> Value {
    step["if"] = json!(condition);
    step
}

#[test]
fn a_step_runs_when_its_condition_holds_and_is_skipped_when_not() {
    let target = HttpTarget::start(Behaviour::OK);
    let load = |requests: u32| http(&target.url("/"), &json!({ "numRequests": requests, "qps": 100 }));
    let steps = [
        load(3),
        assess(&json!({ "http/error-count": 0 })),
        when(load(5), "not SLOs()"),
        when(load(7), "SLOs() and Result.NumLoops == 0"),
    ];
    let stage = Stage::new();
    let output = stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(
        result.steps.iter().map(|step| step.status).collect::<Vec<_>>(),
        [StepStatus::Succeeded, StepStatus::Succeeded, StepStatus::Skipped, StepStatus::Succeeded]
    );
    assert_eq!(result.steps[2].message, "`not SLOs()` does not hold");
    assert!(output.stdout.contains("step 3 http skipped: `not SLOs()` does not hold"), "{}", output.stdout);
    assert_eq!(target.count(), 3 + 7);
    assert_eq!((result.completed_steps(), result.loops.completed), (4, 1));
}

#[test]
fn a_condition_that_cannot_be_worked_out_fails_its_step() {
    let target = HttpTarget::start(Behaviour::OK);
    let step = when(http(&target.url("/"), &json!({})), "Result.Insights.SLOsSatisfied.Upper[0][0]");
    let stage = Stage::new();
    let _ = stage.run(&experiment([step])).code(code::TASK_FAILED);
    let message = &stage.result().steps[0].message;
    assert!(message.starts_with("its condition `Result.Insights.SLOsSatisfied.Upper[0][0]` is wrong"), "{message}");
    assert_eq!(target.count(), 0);
}

#[test]
fn a_condition_with_a_typo_stops_everything_before_it_begins() {
    let target = HttpTarget::start(Behaviour::OK);
    let steps = [http(&target.url("/"), &json!({})), when(assess(&json!({})), "Result.NumLoop > 1")];
    let output = Stage::new().run(&experiment(steps)).code(code::USAGE);
    let all = output.stdout + &output.stderr;
    assert!(all.contains("step 2 (`assess`): `if`") && all.contains("did you mean `NumLoops`?"), "{all}");
    assert_eq!(target.count(), 0);
}
