//! The result of one revision of a group: everything measured and decided, in the form that is stored
//! (`result.json`). Filling it is the agent's business, judging it that of [`crate::assess`].

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::autox::Tested;
use crate::metric::Metric;
use crate::schema::schema_of;
use crate::slo::SloResult;
use crate::stats::DEFAULT_CONFIDENCE;
use crate::verdict::Verdict;

/// Version of the format of specs and results.
pub const API_VERSION: &str = "iter8.tools/v1";

/// The most bytes that a stored result may have, so that it fits a Secret (1 MiB) together with its labels.
pub const RESULT_MAX_BYTES: usize = 900 * 1024;

/// The JSON Schema of a stored result.
pub fn schema() -> Value {
    schema_of::<ExperimentResult>()
}

/// The most lines kept of the log.
pub const LOG_TAIL_MAX: usize = 200;

/// Everything measured and decided for one revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExperimentResult {
    /// `iter8.tools/v1`.
    pub api_version: String,
    /// `Result`.
    pub kind: String,
    /// The line of experiments.
    pub group: String,
    /// Where it ran; empty for a local experiment.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub namespace: String,
    /// The launch, from 1. 0 for a result of Iter8 v0.13, which did not keep it.
    pub revision: u32,
    /// What is tested, if that is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Tested>,
    /// Version of the program that ran it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub agent_version: String,
    /// How far it is.
    pub phase: Phase,
    /// When the first loop began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub began: Option<Timestamp>,
    /// When the present loop began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// When the present loop ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// The loops.
    pub loops: Loops,
    /// What became of each step in the present loop.
    pub steps: Vec<StepResult>,
    /// The versions of the app under test.
    #[serde(default)]
    pub versions: Vec<Version>,
    /// Every metric by name.
    #[serde(default)]
    pub metrics: BTreeMap<String, Metric>,
    /// What the load generator saw, by metrics provider (`http`); of a version with its number in `versions` (`http/0`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub load: BTreeMap<String, LoadDetails>,
    /// SHA-256 of what was fetched for tasks that send no load, by the key that names its URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fetched: BTreeMap<String, String>,
    /// The objectives, judged; empty until the task `assess` has run.
    #[serde(default)]
    pub slos: Vec<SloResult>,
    /// The worst verdict of all objectives. None while nothing is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why the verdict is what it is, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub verdict_reason: String,
    /// Confidence level of every interval in the result.
    #[serde(default = "default_confidence")]
    pub confidence: f64,
    /// What was made coarser to keep the result small, and other remarks on how to read it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// The last lines of the log.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log: Vec<String>,
}

fn default_confidence() -> f64 {
    DEFAULT_CONFIDENCE
}

/// How far an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Phase {
    /// Nothing has run yet.
    Pending,
    /// A loop is under way.
    Running,
    /// The last loop ran all its steps.
    Succeeded,
    /// A step of the last loop failed.
    Failed,
    /// The last loop was stopped from outside; what it had measured is kept.
    Cancelled,
}

impl Phase {
    /// Whether the present loop has come to its end.
    pub const fn is_over(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// How often the steps ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Loops {
    /// Loops that were begun.
    pub started: u32,
    /// Loops that ran all their steps.
    pub completed: u32,
    /// Whether more loops may follow by themselves (a CronJob), so that no answer is final.
    #[serde(default)]
    pub recurring: bool,
}

/// What became of one step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct StepResult {
    /// Name of the task.
    pub task: String,
    /// How far it is.
    pub status: StepStatus,
    /// When it began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub started: Option<Timestamp>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// What it did, or why it failed, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub message: String,
}

/// How far a step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum StepStatus {
    /// Not begun.
    Pending,
    /// Under way.
    Running,
    /// Done.
    Succeeded,
    /// Not done, because its condition did not hold.
    Skipped,
    /// Failed; the steps after it do not run.
    Failed,
    /// Stopped from outside.
    Cancelled,
}

/// A version of the app under test.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Version {
    /// Its version, as in the label `app.kubernetes.io/version`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its part in the experiment: `baseline`, `candidate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<String>,
}

/// What the load generator saw in the last loop, beyond the metrics.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadDetails {
    /// What was called, without credentials.
    pub target: String,
    /// Requests that the schedule asked for.
    pub offered: u64,
    /// Requests that were sent.
    pub started: u64,
    /// Requests that came to an end, good or bad.
    pub completed: u64,
    /// Requests that were never sent, because the run ended before a connection was free.
    pub dropped: u64,
    /// Requests still without answer when the run had waited long enough for them.
    pub censored: u64,
    /// Seconds from the first intended request to the end of the last.
    pub elapsed_seconds: f64,
    /// Requests that were sent before the measurement began; they are in nothing else here.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup_requests: u64,
    /// Those of them that were errors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub warmup_errors: u64,
    /// Answers by status code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub status_codes: BTreeMap<u16, u64>,
    /// Calls of gRPC by the name of their status; empty for other protocols.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub grpc_codes: BTreeMap<String, u64>,
    /// Messages of gRPC that were sent, in all calls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_sent: u64,
    /// Messages of gRPC that were received, in all calls.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub messages_received: u64,
    /// SHA-256 of the files that were fetched for this load, by the key that names their URL.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fetched: BTreeMap<String, String>,
    /// Failures by kind, with the first of each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<LoadError>,
    /// How late the generator itself sent, 99th percentile, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_p99_ms: Option<f64>,
    /// Service time (from the actual send), 99th percentile, in milliseconds: how long the target took once it had
    /// the request. Latency metrics count from the intended send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_p99_ms: Option<f64>,
    /// Why the measurement is not to be trusted; empty when it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
    /// Latencies of all loops: an HdrHistogram in microseconds, V2 format, deflated, in base64.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub histogram: String,
    /// What happened second by second, by the moment at which requests should have been sent. Of a long load several
    /// seconds are taken together.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seconds: Vec<LoadSecond>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What happened in a part of a load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadSecond {
    /// Its first second, from the start of the schedule; it lasts until the next one.
    pub second: u64,
    /// Requests that came to an end, good or bad.
    pub requests: u64,
    /// Those of them that were errors.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub errors: u64,
    /// Mean of their latencies, in milliseconds.
    pub mean_ms: f64,
    /// The largest of their latencies, in milliseconds.
    pub max_ms: f64,
}

/// Failures of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct LoadError {
    /// The kind: `connection refused`, `timeout`, `status 500`.
    pub kind: String,
    /// How many.
    pub count: u64,
    /// The first few, as messages or heads of bodies.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub first: Vec<String>,
}

/// The key in [`ExperimentResult::load`] of what was measured by a provider of metrics: of the version with this number, or of
/// the app as a whole.
pub fn load_key(provider: &str, version: Option<usize>) -> String {
    version.map_or_else(|| provider.to_owned(), |version| format!("{provider}/{version}"))
}

/// What a key of [`load_key`] is made of.
pub fn load_key_parts(key: &str) -> (&str, Option<usize>) {
    let parts = key.split_once('/').and_then(|(provider, version)| Some((provider, version.parse().ok()?)));
    parts.map_or((key, None), |(provider, version)| (provider, Some(version)))
}

impl ExperimentResult {
    /// The result of an experiment that has not begun.
    pub fn pending(group: &str, namespace: &str, revision: u32, tasks: &[&str]) -> Self {
        Self {
            api_version: API_VERSION.to_owned(),
            kind: "Result".to_owned(),
            group: group.to_owned(),
            namespace: namespace.to_owned(),
            revision,
            trigger: None,
            agent_version: String::new(),
            phase: Phase::Pending,
            began: None,
            started: None,
            ended: None,
            loops: Loops::default(),
            steps: tasks.iter().map(|task| StepResult::pending(task)).collect(),
            versions: Vec::new(),
            metrics: BTreeMap::new(),
            load: BTreeMap::new(),
            fetched: BTreeMap::new(),
            slos: Vec::new(),
            verdict: None,
            verdict_reason: String::new(),
            confidence: DEFAULT_CONFIDENCE,
            notes: Vec::new(),
            log: Vec::new(),
        }
    }

    /// Steps of the present loop that are done, or skipped because of their condition.
    pub fn completed_steps(&self) -> usize {
        let is_done = |step: &&StepResult| matches!(step.status, StepStatus::Succeeded | StepStatus::Skipped);
        self.steps.iter().filter(is_done).count()
    }

    /// The first failed step of the present loop with its number from 1.
    pub fn failed_step(&self) -> Option<(usize, &StepResult)> {
        let failed = |(_, step): &(usize, &StepResult)| step.status == StepStatus::Failed;
        self.steps.iter().enumerate().find(failed).map(|(index, step)| (index + 1, step))
    }

    /// Whether a loop ran all its steps, and none of the present loop has failed.
    pub fn is_completed(&self) -> bool {
        self.loops.completed > 0 && self.failed_step().is_none()
    }

    /// Begins a loop: steps are reset, what earlier loops measured stays.
    pub fn begin_loop(&mut self, now: Timestamp, tasks: &[&str]) {
        self.phase = Phase::Running;
        self.began.get_or_insert(now);
        self.started = Some(now);
        self.ended = None;
        self.loops.started += 1;
        self.steps = tasks.iter().map(|task| StepResult::pending(task)).collect();
    }

    /// Adds a line to the log; the oldest goes when there are more than [`LOG_TAIL_MAX`].
    pub fn log_line(&mut self, line: String) {
        self.log.push(line);
        let excess = self.log.len().saturating_sub(LOG_TAIL_MAX);
        self.log.drain(..excess);
    }

    /// The stored form. Above [`RESULT_MAX_BYTES`] the log and the histories are shortened, the seconds of loads are taken
    /// together, and a note says so; no metric's latest value and no verdict is ever given up.
    ///
    /// # Errors
    /// When a number in it is not finite, which JSON cannot hold.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        let text = serde_json::to_string(self)?;
        if text.len() <= RESULT_MAX_BYTES {
            return Ok(text);
        }
        let mut small = self.clone();
        small
            .notes
            .push("the log and the histories of earlier loops were shortened, and the seconds of loads taken together, to keep the result small".to_owned());
        small.log.drain(..small.log.len().saturating_sub(20));
        for series in small.metrics.values_mut().flat_map(|metric| &mut metric.versions) {
            let excess = series.history.len().saturating_sub(8);
            series.history.drain(..excess);
        }
        for details in small.load.values_mut() {
            details.seconds = together(&details.seconds);
        }
        serde_json::to_string(&small)
    }

    /// Reads the stored form.
    ///
    /// # Errors
    /// When the text is not a result of this format.
    pub fn from_json(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }
}

/// The most entries that a row of seconds has in a result that would be too large.
const SECONDS_MIN: usize = 32;

/// Neighbouring seconds as one.
fn together(seconds: &[LoadSecond]) -> Vec<LoadSecond> {
    let merged = seconds.chunks(seconds.len().div_ceil(SECONDS_MIN).max(1)).filter_map(|chunk| {
        let requests: u64 = chunk.iter().map(|second| second.requests).sum();
        let sum: f64 = chunk.iter().map(|second| second.mean_ms * second.requests as f64).sum();
        Some(LoadSecond {
            second: chunk.first()?.second,
            requests,
            errors: chunk.iter().map(|second| second.errors).sum(),
            mean_ms: if requests == 0 { 0.0 } else { sum / requests as f64 },
            max_ms: chunk.iter().map(|second| second.max_ms).fold(0.0, f64::max),
        })
    });
    merged.collect()
}

impl StepResult {
    fn pending(task: &str) -> Self {
        Self { task: task.to_owned(), status: StepStatus::Pending, started: None, ended: None, message: String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{MetricKind, Observation, Series};

    fn result() -> ExperimentResult {
        ExperimentResult::pending("default", "default", 1, &["http", "assess"])
    }

    #[test]
    fn reads_what_it_writes() {
        let mut result = result();
        result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["http", "assess"]);
        result.verdict = Some(Verdict::Fail);
        assert_eq!(ExperimentResult::from_json(&result.to_json().unwrap()).unwrap(), result);
        let json: serde_json::Value = serde_json::from_str(&result.to_json().unwrap()).unwrap();
        assert_eq!(json["verdict"], "fail");
        assert_eq!(json["kind"], "Result");
        assert_eq!(json["phase"], "Running");
    }

    #[test]
    fn a_new_loop_keeps_what_was_measured_and_forgets_an_earlier_failure() {
        let mut result = result();
        result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["http", "assess"]);
        result.steps[0].status = StepStatus::Failed;
        result.metrics.insert(
            "http/request-count".into(),
            Metric { kind: MetricKind::Counter, versions: vec![Series::default()], ..Metric::default() },
        );
        assert!(result.failed_step().is_some());
        result.begin_loop("2026-01-02T03:05:05Z".parse().unwrap(), &["http", "assess"]);
        assert!(result.failed_step().is_none());
        assert_eq!(result.loops, Loops { started: 2, completed: 0, recurring: false });
        assert_eq!(result.metrics.len(), 1);
    }

    #[test]
    fn a_result_too_large_is_made_coarser_and_says_so() {
        let mut result = result();
        for line in 0..LOG_TAIL_MAX {
            result.log_line(format!("{line} {}", "x".repeat(6_000)));
        }
        let mut series = Series::default();
        series.observe(Observation { loop_number: 1, value: Some(1.0), ..Observation::default() });
        let metric = Metric { versions: vec![series], ..Metric::default() };
        result.metrics.insert("http/latency-mean".into(), metric.clone());
        let second =
            |second| LoadSecond { second, requests: 1, mean_ms: second as f64, max_ms: second as f64, errors: 0 };
        let details = LoadDetails { seconds: (0..512).map(second).collect(), ..LoadDetails::default() };
        result.load.insert("http".into(), details);
        let text = result.to_json().unwrap();
        assert!(text.len() <= RESULT_MAX_BYTES);
        let read = ExperimentResult::from_json(&text).unwrap();
        assert_eq!(read.metrics["http/latency-mean"], metric);
        assert!(read.notes[0].contains("shortened"));
        let kept = &read.load["http"].seconds;
        assert_eq!((kept.len(), kept.iter().map(|second| second.requests).sum::<u64>()), (32, 512));
        assert_eq!((kept[1].second, kept[1].mean_ms, kept[1].max_ms), (16, 23.5, 31.0));
    }

    #[test]
    fn the_log_keeps_its_tail() {
        let mut result = result();
        (0..LOG_TAIL_MAX + 5).for_each(|line| result.log_line(line.to_string()));
        assert_eq!(result.log.len(), LOG_TAIL_MAX);
        assert_eq!(result.log[0], "5");
    }
}
