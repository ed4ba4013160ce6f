//! What a condition sees: the experiment by the names that Iter8 v0.13 gave its fields, and what is known of their shapes.

use std::collections::BTreeMap;

use expr::Context;
use serde::Serialize;

use crate::condition::Condition;
use crate::metric::MetricKind;
use crate::result::{ExperimentResult, StepStatus};
use crate::slo::Bound;
use crate::verdict::Verdict;

/// The functions that there are: those of v0.13's experiment, then those of the language.
pub(super) const FUNCTIONS: [&str; 11] =
    ["SLOs", "Completed", "NoFailure", "len", "all", "none", "any", "one", "filter", "map", "count"];

/// What is known of a value before it is there.
pub(super) enum Shape {
    /// A number, a text or a truth value.
    Leaf,
    /// Anything.
    Any,
    /// Elements by their numbers.
    List(&'static Self),
    /// Elements by their names.
    Map(&'static Self),
    /// Members.
    Struct(&'static [(&'static str, Self)]),
}

const METRIC_INFO: Shape =
    Shape::Struct(&[("Description", Shape::Leaf), ("Units", Shape::Leaf), ("Type", Shape::Leaf)]);
const SLO: Shape = Shape::Struct(&[("Metric", Shape::Leaf), ("Limit", Shape::Leaf)]);
const SATISFIED: Shape = Shape::List(&Shape::List(&Shape::Leaf));

/// The values that a condition may begin with.
pub(super) const ROOTS: [(&str, Shape); 2] = [
    ("Spec", Shape::List(&Shape::Any)),
    (
        "Result",
        Shape::Struct(&[
            ("StartTime", Shape::Leaf),
            ("NumLoops", Shape::Leaf),
            ("NumCompletedTasks", Shape::Leaf),
            ("Failure", Shape::Leaf),
            ("Iter8Version", Shape::Leaf),
            ("Revision", Shape::Leaf),
            ("Verdict", Shape::Leaf),
            (
                "Insights",
                Shape::Struct(&[
                    ("NumVersions", Shape::Leaf),
                    ("VersionNames", Shape::List(&Shape::Struct(&[("Version", Shape::Leaf), ("Track", Shape::Leaf)]))),
                    ("MetricsInfo", Shape::Map(&METRIC_INFO)),
                    ("NonHistMetricValues", Shape::List(&Shape::Map(&Shape::List(&Shape::Leaf)))),
                    ("HistMetricValues", Shape::List(&Shape::Map(&Shape::Any))),
                    ("SummaryMetricValues", Shape::List(&Shape::Map(&Shape::Any))),
                    ("SLOs", Shape::Struct(&[("Upper", Shape::List(&SLO)), ("Lower", Shape::List(&SLO))])),
                    ("SLOsSatisfied", Shape::Struct(&[("Upper", SATISFIED), ("Lower", SATISFIED)])),
                ]),
            ),
        ]),
    ),
];

/// What the functions without arguments answer.
pub(super) struct Truths {
    pub(super) slos: bool,
    pub(super) completed: bool,
    pub(super) no_failure: bool,
}

/// The answers for `result`: `SLOs()` as `assert` answers it, `Completed()` and `NoFailure()` of the present loop.
pub(super) fn truths(result: &ExperimentResult) -> Truths {
    let slos = result.verdict == Some(Verdict::Pass) && Condition::Slos.answer(result).holds;
    Truths {
        slos,
        completed: !result.steps.is_empty() && result.completed_steps() == result.steps.len(),
        no_failure: !is_failed(result),
    }
}

fn is_failed(result: &ExperimentResult) -> bool {
    result.steps.iter().any(|step| step.status == StepStatus::Failed)
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Experiment {
    spec: Vec<Step>,
    result: Outcome,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Step {
    task: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Outcome {
    start_time: String,
    num_loops: u32,
    num_completed_tasks: usize,
    failure: bool,
    iter8_version: String,
    revision: u32,
    verdict: String,
    insights: Insights,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Insights {
    num_versions: usize,
    version_names: Vec<VersionName>,
    metrics_info: BTreeMap<String, MetricInfo>,
    non_hist_metric_values: Vec<BTreeMap<String, Vec<f64>>>,
    /// Histograms and summaries are metrics of their own here.
    hist_metric_values: Vec<BTreeMap<String, Vec<f64>>>,
    summary_metric_values: Vec<BTreeMap<String, Vec<f64>>>,
    #[serde(rename = "SLOs")]
    slos: Sides<Slo>,
    #[serde(rename = "SLOsSatisfied")]
    slos_satisfied: Sides<Vec<bool>>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct VersionName {
    version: String,
    track: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct MetricInfo {
    description: String,
    units: String,
    r#type: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Sides<T> {
    upper: Vec<T>,
    lower: Vec<T>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Slo {
    metric: String,
    limit: f64,
}

/// What a condition sees of `result`, whose experiment has so many steps.
pub(super) fn context(result: &ExperimentResult, steps: usize) -> expr::Result<Context> {
    let task = |index: usize| result.steps.get(index).map(|step| step.task.clone()).unwrap_or_default();
    Context::from_serialize(&Experiment {
        spec: (0..steps).map(|index| Step { task: task(index) }).collect(),
        result: Outcome {
            start_time: result.started.map(|time| time.to_string()).unwrap_or_default(),
            num_loops: result.loops.completed,
            num_completed_tasks: result.completed_steps(),
            failure: is_failed(result),
            iter8_version: result.agent_version.clone(),
            revision: result.revision,
            verdict: result.verdict.map(|verdict| verdict.as_str().to_owned()).unwrap_or_default(),
            insights: insights(result),
        },
    })
}

fn insights(result: &ExperimentResult) -> Insights {
    let count = result.versions.len().max(usize::from(!result.metrics.is_empty()));
    let names = result.versions.iter().map(|version| VersionName {
        version: version.version.clone().unwrap_or_default(),
        track: version.track.clone().unwrap_or_default(),
    });
    let info = result.metrics.iter().map(|(name, metric)| {
        let r#type = match metric.kind {
            MetricKind::Counter => "Counter",
            MetricKind::Gauge => "Gauge",
        };
        let units = metric.unit.clone().unwrap_or_default();
        (name.clone(), MetricInfo { description: metric.description.clone(), units, r#type })
    });
    let values = |version: usize| {
        let of_version = result.metrics.iter().filter_map(move |(name, metric)| {
            let series = metric.versions.get(version)?;
            Some((name.clone(), series.history.iter().map(|(_, value)| *value).collect()))
        });
        of_version.collect()
    };
    let sides = |bound| {
        let mut slos: Vec<Slo> = Vec::new();
        let mut satisfied: Vec<Vec<bool>> = Vec::new();
        for slo in result.slos.iter().filter(|slo| slo.bound == bound) {
            // The verdicts of one objective for all versions follow each other.
            let is_next = slos.last().is_some_and(|last| last.metric == slo.metric) && slo.version != Some(0);
            match (is_next, satisfied.last_mut()) {
                (true, Some(last)) => last.push(slo.verdict == Verdict::Pass),
                _ => {
                    slos.push(Slo { metric: slo.metric.clone(), limit: slo.limit });
                    satisfied.push(vec![slo.verdict == Verdict::Pass]);
                }
            }
        }
        (slos, satisfied)
    };
    let ((upper, upper_satisfied), (lower, lower_satisfied)) = (sides(Bound::Upper), sides(Bound::Lower));
    Insights {
        num_versions: count,
        version_names: names.collect(),
        metrics_info: info.collect(),
        non_hist_metric_values: (0..count).map(values).collect(),
        hist_metric_values: vec![BTreeMap::new(); count],
        summary_metric_values: vec![BTreeMap::new(); count],
        slos: Sides { upper, lower },
        slos_satisfied: Sides { upper: upper_satisfied, lower: lower_satisfied },
    }
}
