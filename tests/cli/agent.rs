//! Plays the part of the pods and of what looks after them: writes results as the agent does, and gives jobs, pods and
//! events the states that controllers and kubelets give them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_core::assess::{assess, overall};
use iter8_core::metric::{Metric, MetricKind, Observation, Series};
use iter8_core::result::{LoadDetails, LoadError, StepStatus, Version};
use iter8_core::{ExperimentResult, Phase, Task};
use iter8_testkit::api_server::ApiServer;
use jiff::Timestamp;
use serde_json::{Value, json};

/// The group and the namespace of every launch here.
pub(crate) const GROUP: &str = "default";

/// Words of a launch of `http` and `assess`.
pub(crate) const LAUNCH: &str =
    "launch --set tasks={http,assess} --set http.url=http://app/get --set assess.SLOs.upper.http/error-count=0";

fn moment(text: &str) -> Timestamp {
    text.parse().expect("is a time")
}

/// A result of `http` and `assess` that has just begun.
pub(crate) fn running(revision: u32) -> ExperimentResult {
    let mut result = ExperimentResult::pending(GROUP, "default", revision, &["http", "assess"]);
    result.begin_loop(moment("2026-01-02T03:04:05Z"), &["http", "assess"]);
    result.agent_version = "0.1.0".to_owned();
    result.versions = vec![Version::default()];
    result.steps[0].status = StepStatus::Running;
    result.log_line("2026-01-02T03:04:05.000Z step 1/2 http started".to_owned());
    result
}

/// A result of which `errors` of 100 requests failed, judged by the objective of [`LAUNCH`].
pub(crate) fn ended(revision: u32, errors: u64) -> ExperimentResult {
    let mut result = running(revision);
    let counted =
        |value: u64| Metric { kind: MetricKind::Counter, versions: vec![series(value as f64)], ..Metric::default() };
    result.metrics = BTreeMap::from([
        ("http/request-count".to_owned(), counted(100)),
        ("http/error-count".to_owned(), counted(errors)),
    ]);
    result.load = BTreeMap::from([("http".to_owned(), load(errors))]);
    let inputs = json!({ "SLOs": { "upper": { "http/error-count": 0 } } });
    let Some(Ok(Task::Assess(inputs))) = Task::parse("assess", &inputs) else {
        panic!("the inputs of assess are good")
    };
    result.slos = assess(&result.metrics, 1, &inputs);
    let (verdict, reason) = overall(&result.slos);
    (result.verdict, result.verdict_reason) = (Some(verdict), reason);
    for step in &mut result.steps {
        step.status = StepStatus::Succeeded;
    }
    result.phase = Phase::Succeeded;
    result.loops.completed = 1;
    result.ended = Some(moment("2026-01-02T03:04:17.5Z"));
    result.log_line(format!("2026-01-02T03:04:17.500Z experiment succeeded, verdict {verdict}"));
    result
}

/// A result of two versions, of which the candidate failed: its two endpoints, and the only one of the baseline.
pub(crate) fn of_versions() -> ExperimentResult {
    let mut result = ended(1, 3);
    let version =
        |track: &str, version: &str| Version { track: Some(track.to_owned()), version: Some(version.to_owned()) };
    result.versions = vec![version("baseline", "v1"), version("candidate", "v2")];
    let of_versions = Metric {
        kind: MetricKind::Counter,
        per_version: true,
        versions: vec![series(0.0), series(3.0)],
        ..Metric::default()
    };
    let of_endpoint = Metric { kind: MetricKind::Counter, versions: vec![series(3.0)], ..Metric::default() };
    result.metrics = BTreeMap::from([
        ("http/error-count".to_owned(), of_versions),
        ("http-new/error-count".to_owned(), of_endpoint),
    ]);
    let both = LoadDetails { target: "http://app/new, http://app/newer".to_owned(), ..load(3) };
    result.load = BTreeMap::from([
        ("http-old".to_owned(), load(0)),
        ("http-new".to_owned(), LoadDetails { target: "http://app/new".to_owned(), ..load(3) }),
        ("http/0".to_owned(), load(0)),
        ("http/1".to_owned(), both),
    ]);
    let inputs = json!({ "SLOs": { "upper": { "http/error-count": 0 } } });
    let Some(Ok(Task::Assess(inputs))) = Task::parse("assess", &inputs) else {
        panic!("the inputs of assess are good")
    };
    result.slos = assess(&result.metrics, 2, &inputs);
    (result.verdict, result.verdict_reason) = {
        let (verdict, reason) = overall(&result.slos);
        (Some(verdict), reason)
    };
    result
}

fn series(value: f64) -> Series {
    let mut series = Series::default();
    series.observe(Observation { loop_number: 1, value: Some(value), samples: Some(100), ..Observation::default() });
    series
}

fn load(errors: u64) -> LoadDetails {
    let first = vec!["out of order".to_owned()];
    let failed = LoadError { kind: "status 500".to_owned(), count: errors, first };
    LoadDetails {
        target: "http://app/get".to_owned(),
        offered: 100,
        started: 100,
        completed: 100,
        elapsed_seconds: 12.5,
        status_codes: [(200, 100 - errors), (500, errors)].into_iter().filter(|(_, count)| *count > 0).collect(),
        errors: Some(failed).filter(|failed| failed.count > 0).into_iter().collect(),
        ..LoadDetails::default()
    }
}

/// A result whose first step failed.
pub(crate) fn failed(revision: u32) -> ExperimentResult {
    let mut result = running(revision);
    result.steps[0].status = StepStatus::Failed;
    result.steps[0].message = "connection refused".to_owned();
    result.phase = Phase::Failed;
    result.ended = Some(moment("2026-01-02T03:04:06Z"));
    result
}

/// A result that was stopped from outside.
pub(crate) fn cancelled(revision: u32) -> ExperimentResult {
    let mut result = running(revision);
    result.steps[0].status = StepStatus::Cancelled;
    result.phase = Phase::Cancelled;
    result
}

/// Stores a result where the agent does.
pub(crate) fn write(server: &ApiServer, result: &ExperimentResult) {
    write_text(server, result.revision, &result.to_json().expect("its numbers are finite"));
}

/// Stores any text where the agent stores a result.
pub(crate) fn write_text(server: &ApiServer, revision: u32, text: &str) {
    let name = format!("iter8-{GROUP}-{revision}-result");
    server.edit("secrets", "default", &name, |secret| secret["data"] = json!({ "result.json": STANDARD.encode(text) }));
}

/// Gives the job of a revision a pod with this status.
pub(crate) fn pod(server: &ApiServer, revision: u32, status: &Value) {
    let job = format!("iter8-{GROUP}-{revision}");
    server.put(json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {
            "name": format!("{job}-x7k2p"), "namespace": "default",
            "labels": {
                "batch.kubernetes.io/job-name": job, "iter8.tools/group": GROUP, "iter8.tools/revision": revision.to_string(),
            },
        },
        "spec": { "containers": [{ "name": "iter8", "image": "iter8/iter8-agent:0.1.0" }] },
        "status": status,
    }));
}

/// The status of a pod whose container is in this state.
pub(crate) fn container(phase: &str, state: &Value) -> Value {
    let container = json!({
        "name": "iter8", "image": "iter8/iter8-agent:0.1.0", "imageID": "", "ready": false, "restartCount": 0, "state": state,
    });
    json!({ "phase": phase, "containerStatuses": [container] })
}

/// Ends the job of a revision, well or not.
pub(crate) fn end_job(server: &ApiServer, revision: u32, condition: &Value) {
    let job = format!("iter8-{GROUP}-{revision}");
    server.edit("jobs", "default", &job, |job| job["status"] = json!({ "conditions": [condition] }));
}
