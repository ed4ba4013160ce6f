//! What stands in the HTML report, in the words and numbers of the text report. Pure; the template arranges it.

use iter8_agent::Histogram;
use iter8_core::MetricName;
use iter8_core::assess::{distinct, significant};
use iter8_core::result::{ExperimentResult, LoadDetails, StepResult, StepStatus, load_key, load_key_parts};
use iter8_core::slo::SloResult;
use jiff::Timestamp;
use serde::Serialize;

use super::charts::{self, Chart, Gauge};
use crate::report::text::{load_rows, summary_rows};
use crate::report::words::{
    ALL_VERSIONS, Headline, Tone, columns, judged_version, load_name, loads, order, shown_interval, version_name,
};

/// What stands where nothing was measured.
const UNAVAILABLE: &str = "unavailable";
/// What stands where there is nothing to say.
const NOTHING: &str = "-";

/// The whole page.
#[derive(Serialize)]
pub(super) struct View {
    style: &'static str,
    headline: Headline,
    experiment: String,
    reason: String,
    summary: Vec<(String, String)>,
    steps: Vec<Step>,
    notes: Vec<String>,
    /// Whether objectives are for one of several versions.
    several: bool,
    confidence: String,
    objectives: Vec<Objective>,
    columns: Vec<String>,
    metrics: Vec<MetricRow>,
    loads: Vec<Load>,
    log: Vec<String>,
}

#[derive(Serialize)]
struct Step {
    task: String,
    status: &'static str,
    tone: Tone,
    started: String,
    took: String,
    message: String,
}

#[derive(Serialize)]
struct Objective {
    text: String,
    version: String,
    value: String,
    gauge: Option<Gauge>,
    interval: String,
    samples: String,
    verdict: &'static str,
    tone: Tone,
    reason: String,
    source: Option<String>,
}

#[derive(Serialize)]
struct MetricRow {
    name: String,
    description: String,
    cells: Vec<Cell>,
}

/// A metric for a version. Without a value, `value` says so.
#[derive(Default, Serialize)]
struct Cell {
    value: String,
    interval: Option<String>,
    samples: Option<u64>,
    source: Option<String>,
    /// Whether the measurement is not to be trusted.
    distrusted: bool,
    /// Why, as far as the load with the same provider does not say it.
    faults: Vec<String>,
    history: Option<String>,
}

#[derive(Serialize)]
struct Load {
    name: String,
    rows: Vec<(String, String)>,
    faults: Vec<String>,
    charts: Vec<Chart>,
    /// Why charts are missing.
    missing: Vec<&'static str>,
    codes: Vec<Count>,
    errors: Vec<Failure>,
}

#[derive(Serialize)]
struct Count {
    what: String,
    count: u64,
    share: String,
}

#[derive(Serialize)]
struct Failure {
    kind: String,
    count: u64,
    first: Vec<String>,
}

impl View {
    /// The page of a result, with this style sheet.
    pub(super) fn of(result: &ExperimentResult, style: &'static str) -> Self {
        let tested = result.trigger.as_ref().map_or_else(String::new, |tested| format!(", {tested}"));
        let revision = if result.revision == 0 { String::new() } else { format!(", revision {}", result.revision) };
        Self {
            style,
            headline: Headline::of(result),
            experiment: format!("{}{revision}{tested}", result.group),
            reason: result.verdict_reason.clone(),
            summary: summary(result),
            steps: result.steps.iter().map(Step::of).collect(),
            notes: result.notes.clone(),
            several: result.versions.len() > 1,
            confidence: significant(result.confidence * 100.0, 4),
            objectives: result.slos.iter().map(|slo| Objective::of(slo, result)).collect(),
            columns: columns(result).into_iter().map(|(_, name)| name).collect(),
            metrics: metrics(result),
            loads: loads(result).map(|(key, details)| Load::of(key, details, result)).collect(),
            log: result.log.clone(),
        }
    }
}

fn summary(result: &ExperimentResult) -> Vec<(String, String)> {
    let mut rows: Vec<(String, String)> =
        summary_rows(result).into_iter().map(|(name, text)| (name.to_owned(), text)).collect();
    if !result.namespace.is_empty() {
        rows.insert(1, ("Namespace".to_owned(), result.namespace.clone()));
    }
    if let Some(began) = result.began.filter(|began| Some(*began) != result.started) {
        rows.push(("First loop".to_owned(), moment(began)));
    }
    if let Some(ended) = result.ended {
        rows.push(("Ended".to_owned(), moment(ended)));
    }
    if !result.agent_version.is_empty() {
        rows.push(("Agent".to_owned(), result.agent_version.clone()));
    }
    let versions = result.versions.iter().enumerate().filter(|_| result.versions.len() > 1);
    rows.extend(versions.map(|(index, version)| (format!("Version {index}"), version_name(version, index))));
    rows.extend(result.fetched.iter().map(|(key, digest)| (format!("SHA-256 of {key}"), digest.clone())));
    rows
}

fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

impl Step {
    fn of(step: &StepResult) -> Self {
        let (status, tone) = match step.status {
            StepStatus::Pending => ("not begun", Tone::Open),
            StepStatus::Running => ("running", Tone::Open),
            StepStatus::Succeeded => ("succeeded", Tone::Good),
            StepStatus::Skipped => ("skipped", Tone::Open),
            StepStatus::Failed => ("failed", Tone::Bad),
            StepStatus::Cancelled => ("stopped", Tone::Doubtful),
        };
        let took = step.started.zip(step.ended).map(|(from, to)| to.duration_since(from).as_secs_f64());
        Self {
            task: step.task.clone(),
            status,
            tone,
            started: step.started.map_or_else(|| NOTHING.to_owned(), |at| at.strftime("%H:%M:%S").to_string()),
            took: took.map_or_else(|| NOTHING.to_owned(), seconds),
            message: step.message.clone(),
        }
    }
}

/// A time in seconds; what is below a millisecond says no more than that.
fn seconds(time: f64) -> String {
    if time < 1e-3 { "< 0.001 s".to_owned() } else { format!("{} s", significant(time, 3)) }
}

impl Objective {
    fn of(slo: &SloResult, result: &ExperimentResult) -> Self {
        let unit = unit(slo.unit.as_deref());
        let value = slo.value.map(|value| format!("{}{unit}", distinct(value, slo.limit)));
        Self {
            text: format!("{}{unit}", slo.objective()),
            version: judged_version(slo, result).unwrap_or_else(|| ALL_VERSIONS.to_owned()),
            value: value.unwrap_or_else(|| UNAVAILABLE.to_owned()),
            gauge: charts::gauge(slo),
            interval: shown_interval(slo.interval),
            samples: slo.samples.map_or_else(|| NOTHING.to_owned(), |samples| samples.to_string()),
            verdict: slo.verdict.as_str(),
            tone: slo.verdict.into(),
            reason: slo.reason.clone(),
            source: slo.source.clone(),
        }
    }
}

fn unit(unit: Option<&str>) -> String {
    unit.map(|unit| format!(" {unit}")).unwrap_or_default()
}

fn metrics(result: &ExperimentResult) -> Vec<MetricRow> {
    let columns = columns(result);
    let mut names: Vec<&String> = result.metrics.keys().collect();
    names.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    let row = |name: &String| {
        let metric = &result.metrics[name];
        let apart = columns.len() == 1 || metric.is_per_version();
        let cell = |version: Option<usize>| {
            if version.is_some() != apart {
                return Cell { value: NOTHING.to_owned(), ..Cell::default() };
            }
            let series = metric.versions.get(version.unwrap_or(0));
            let latest = series.and_then(|series| series.latest.as_ref());
            let value = latest.and_then(|latest| latest.value);
            let shown = value.map(|value| format!("{}{}", significant(value, 3), unit(metric.unit.as_deref())));
            let interval = latest.and_then(|latest| latest.interval);
            let of = version.filter(|_| metric.is_per_version());
            Cell {
                value: shown.unwrap_or_else(|| UNAVAILABLE.to_owned()),
                interval: interval.map(|interval| shown_interval(Some(interval))),
                samples: latest.and_then(|latest| latest.samples),
                source: latest.and_then(|latest| latest.source.clone()),
                distrusted: latest.is_some_and(|latest| !latest.faults.is_empty()),
                faults: latest.map(|latest| untold(&latest.faults, name, of, result)).unwrap_or_default(),
                history: series.and_then(|series| charts::sparkline(&series.history)),
            }
        };
        let cells = columns.iter().map(|(version, _)| cell(*version)).collect();
        MetricRow { name: name.clone(), description: metric.description.clone(), cells }
    };
    names.into_iter().map(row).collect()
}

/// The faults that the load behind the metric does not tell already.
fn untold(faults: &[String], metric: &str, version: Option<usize>, result: &ExperimentResult) -> Vec<String> {
    let load = metric.split_once('/').and_then(|(provider, _)| result.load.get(&load_key(provider, version)));
    faults.iter().filter(|fault| !load.is_some_and(|load| load.faults.contains(fault))).cloned().collect()
}

impl Load {
    fn of(key: &str, details: &LoadDetails, result: &ExperimentResult) -> Self {
        let (provider, version) = load_key_parts(key);
        // What has a table or a box of its own.
        let apart = ["Status codes", "Error", "Not trusted"];
        let rows = load_rows(details).into_iter().filter(|(name, _)| !apart.contains(name));
        let mut rows: Vec<(String, String)> = rows.map(|(name, text)| (name.to_owned(), text)).collect();
        rows.extend(details.fetched.iter().map(|(key, digest)| (format!("SHA-256 of {key}"), digest.clone())));
        let is_latency = |slo: &&SloResult| {
            let name = slo.metric.parse::<MetricName>().ok();
            let is_of_version = result.versions.len() < 2 || slo.version == version;
            is_of_version && name.is_some_and(|name| name.provider == provider && name.name.starts_with("latency"))
        };
        let objectives: Vec<&SloResult> = result.slos.iter().filter(is_latency).collect();
        // A histogram that cannot be read is a chart less, not a report less.
        let histogram = Histogram::from_base64(&details.histogram).unwrap_or_default();
        let latencies = charts::latencies(&histogram, &objectives);
        let rates = charts::rates(&details.seconds, details.elapsed_seconds);
        let over_time = charts::over_time(&details.seconds, details.elapsed_seconds);
        let missing = [
            latencies.is_none().then_some("The result holds no distribution of latencies."),
            rates.is_none().then_some("The result does not say what happened second by second."),
        ];
        let http = details.status_codes.iter().map(|(code, count)| (code.to_string(), *count));
        let codes = http.chain(details.grpc_codes.iter().map(|(code, count)| (code.clone(), *count)));
        let share = |count: u64| 100.0 * count as f64 / details.completed.max(1) as f64;
        Self {
            name: load_name(key, result),
            rows,
            faults: details.faults.clone(),
            charts: [latencies, rates, over_time].into_iter().flatten().collect(),
            missing: missing.into_iter().flatten().collect(),
            codes: codes
                .map(|(what, count)| Count { what, count, share: format!("{} %", significant(share(count), 3)) })
                .collect(),
            errors: details
                .errors
                .iter()
                .map(|error| Failure { kind: error.kind.clone(), count: error.count, first: error.first.clone() })
                .collect(),
        }
    }
}
