//! A run from its beginning to its end: what is stored after each step, and which exit code says what.

use iter8_core::result::StepStatus;
use iter8_core::{Phase, Verdict};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::json;

use crate::harness::{NAMESPACE, SECRET, Stage, assess, code, experiment, http};

use StepStatus::{Failed, Pending, Running, Succeeded};

#[test]
fn the_result_is_stored_before_and_after_every_step() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let steps = [http(&target.url("/"), &json!({ "numRequests": 10 })), assess(&json!({ "http/error-rate": 0 }))];
    let output = stage.run(&experiment(steps)).code(code::SUCCEEDED);

    let seen: Vec<(Phase, Vec<StepStatus>)> = stage
        .saved()
        .into_iter()
        .map(|result| (result.phase, result.steps.iter().map(|step| step.status).collect()))
        .collect();
    let expected = [
        (Phase::Running, vec![Pending, Pending]),
        (Phase::Running, vec![Running, Pending]),
        (Phase::Running, vec![Succeeded, Running]),
        (Phase::Succeeded, vec![Succeeded, Succeeded]),
    ];
    assert_eq!(seen, expected, "{output}");
    // What the load measured is stored before the next step begins.
    assert_eq!(stage.saved()[2].load["http"].completed, 10);
}

#[test]
fn the_final_result_says_what_ran_what_was_measured_and_what_was_decided() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let steps = [http(&target.url("/"), &json!({ "numRequests": 10 })), assess(&json!({ "http/error-rate": 0 }))];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);

    let result = stage.result();
    assert_eq!((result.group.as_str(), result.namespace.as_str(), result.revision), ("web", NAMESPACE, 1));
    assert_eq!(result.agent_version, env!("CARGO_PKG_VERSION"));
    assert_eq!((result.loops.started, result.loops.completed, result.loops.recurring), (1, 1, false));
    assert!(result.started.zip(result.ended).is_some_and(|(started, ended)| started <= ended));
    assert_eq!((result.verdict, result.verdict_reason.as_str()), (Some(Verdict::Pass), "the objective is satisfied"));
    assert_eq!((result.slos[0].value, result.slos[0].samples), (Some(0.0), Some(10)));
    let load = &result.load["http"];
    assert_eq!((load.offered, load.started, load.completed, load.dropped), (10, 10, 10, 0));
    assert_eq!(load.status_codes.get(&200), Some(&10));
    assert_eq!(
        result.metrics["http/request-count"].versions[0].latest.as_ref().and_then(|latest| latest.value),
        Some(10.0)
    );
    assert!(result.log.first().is_some_and(|line| line.ends_with("loop 1 started")), "{:?}", result.log);
    assert!(
        result.log.last().is_some_and(|line| line.ends_with("experiment succeeded, verdict pass")),
        "{:?}",
        result.log
    );
    assert_eq!(target.count(), 10);
}

#[test]
fn the_agent_reads_and_patches_its_result_and_nothing_else() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let before = stage.server.get("secrets", NAMESPACE, SECRET).expect("is there");
    stage.run(&experiment([http(&target.url("/"), &json!({ "numRequests": 3 }))])).code(code::SUCCEEDED);

    for request in stage.server.requests() {
        assert!(["get", "patch"].contains(&request.verb), "{request:?}");
        assert_eq!((request.resource.as_str(), request.name.as_str()), ("secrets", SECRET));
        if request.verb == "patch" {
            let patch = request.json();
            let keys = |place: &str| patch[place].as_object().map(|map| map.keys().cloned().collect::<Vec<_>>());
            assert_eq!(keys("metadata"), Some(vec!["resourceVersion".to_owned()]));
            assert_eq!(keys("data"), Some(vec!["result.json".to_owned()]));
        }
    }
    let after = stage.server.get("secrets", NAMESPACE, SECRET).expect("is there");
    assert_eq!((&before["metadata"]["labels"], &before["type"]), (&after["metadata"]["labels"], &after["type"]));
}

#[test]
fn a_violated_objective_is_the_answer_and_no_failure_of_the_agent() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::status(500)));
    let steps = [http(&target.url("/"), &json!({ "numRequests": 5 })), assess(&json!({ "http/error-rate": 0.1 }))];
    stage.run(&experiment(steps)).code(code::SUCCEEDED).says("verdict fail");
    assert_eq!((stage.result().phase, stage.result().verdict), (Phase::Succeeded, Some(Verdict::Fail)));
}

#[test]
fn a_task_that_fails_ends_the_run_and_what_was_measured_before_stays() {
    let (stage, target, closed) = (Stage::new(), HttpTarget::start(Behaviour::OK), ClosedPort::reserve());
    let steps = [
        http(&target.url("/"), &json!({ "numRequests": 5 })),
        http(&closed.url("/"), &json!({ "duration": "1s" })),
        assess(&json!({ "http/error-rate": 0 })),
    ];
    stage.run(&experiment(steps)).code(code::TASK_FAILED).says("step 2 http failed");

    let result = stage.result();
    assert_eq!(result.phase, Phase::Failed);
    assert_eq!(result.steps.iter().map(|step| step.status).collect::<Vec<_>>(), [Succeeded, Failed, Pending]);
    assert!(result.steps[1].message.contains("failed: connection refused"), "{}", result.steps[1].message);
    assert_eq!(result.load["http"].completed, 5);
    assert_eq!(result.verdict, Some(Verdict::Inconclusive));
    assert_eq!(result.verdict_reason, "step 2 (http) failed before any objective was assessed");
    assert_eq!((result.loops.started, result.loops.completed), (1, 0));
}

#[test]
fn an_experiment_that_cannot_be_read_ends_before_the_cluster_is_asked() {
    let stage = Stage::new();
    let unknown = experiment([json!({ "task": "htp" })]);
    stage.run(&unknown).code(code::USAGE).says("step 1 names `htp`, which is not a task; did you mean `http`?");
    let missing = stage.env.home().join("none.yaml");
    let output = stage.call(&missing, "1").run().code(code::USAGE);
    output.says("/none.yaml: No such file or directory");
    assert_eq!(stage.server.requests().len(), 0);
}

#[test]
fn without_a_cluster_the_agent_says_so() {
    let stage = Stage::new();
    let experiment = stage.env.file("experiment.yaml", experiment([http("http://a", &json!({}))]).to_string());
    let output = stage.call(&experiment, "1").run().code(code::CLUSTER);
    output.says("cannot find out how to reach the cluster");
}

#[test]
fn a_word_of_the_command_line_that_is_wrong_is_told() {
    let stage = Stage::new();
    let output = stage.call(&stage.env.home().join("e.yaml"), "first").run().code(code::USAGE);
    output.complains("invalid value 'first' for '--revision <REVISION>'");
}
