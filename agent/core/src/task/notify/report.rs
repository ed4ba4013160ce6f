//! What a notification can say: the report that templates of payloads see as `.Report`. It is made of the result and of the
//! names of the steps, never of their inputs, which may hold credentials.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::experiment::Experiment;
use crate::result::{ExperimentResult, StepStatus};
use crate::slo::Bound;
use crate::verdict::Verdict;

/// How an experiment stands, with the fields that Iter8 v0.13 gave it, and the verdict.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// When it was made.
    pub time_stamp: String,
    /// Whether all steps are done.
    pub completed: bool,
    /// Whether no step failed.
    pub no_task_failures: bool,
    /// How many steps there are.
    pub num_tasks: usize,
    /// How many of them are done.
    pub num_completed_tasks: usize,
    /// Which loop it is, from 1.
    pub num_loops: u32,
    /// The verdict of this loop; null when nothing was assessed in it.
    pub verdict: Option<Verdict>,
    /// Why it is that, in a sentence.
    pub verdict_reason: String,
    /// Names of the steps, and what was measured and judged, as in the stored experiments of Iter8 v0.13.
    pub experiment: Value,
}

impl Report {
    /// The report at `now`.
    pub fn of(experiment: &Experiment, result: &ExperimentResult, now: Timestamp) -> Self {
        // What an earlier loop decided is no verdict of this one.
        let is_assessed = result.steps.iter().any(|step| step.task == "assess" && step.status == StepStatus::Succeeded);
        let completed = result.completed_steps();
        Self {
            time_stamp: format!("{now:.0}"),
            completed: completed == result.steps.len(),
            no_task_failures: result.failed_step().is_none(),
            num_tasks: result.steps.len(),
            num_completed_tasks: completed,
            num_loops: result.loops.started,
            verdict: result.verdict.filter(|_| is_assessed),
            verdict_reason: if is_assessed { result.verdict_reason.clone() } else { String::new() },
            experiment: json!({
                "group": result.group, "namespace": result.namespace, "revision": result.revision,
                "spec": experiment.task_names().iter().map(|task| json!({ "task": task })).collect::<Vec<_>>(),
                "result": {
                    "startTime": result.started.map(|at| format!("{at:.0}")).unwrap_or_default(),
                    "numLoops": result.loops.started, "numCompletedTasks": completed,
                    "failure": result.failed_step().is_some(), "iter8Version": result.agent_version,
                    "insights": insights(result, is_assessed),
                },
            }),
        }
    }

    /// It as data.
    pub fn to_json(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }

    /// What a template sees. Templates of Iter8 v0.13 call fields as Go does, `.Report.NumLoops`: those that this one calls
    /// so are there under both names.
    pub fn to_data(&self, template: &str) -> Value {
        let mut report = self.to_json();
        if let Value::Object(fields) = &mut report {
            let called: Vec<(String, Value)> = fields
                .iter()
                .map(|(name, value)| (go_name(name), value))
                .filter(|(name, _)| template.contains(&format!(".Report.{name}")))
                .map(|(name, value)| (name, with_go_names(value)))
                .collect();
            fields.extend(called);
        }
        json!({ "Report": report })
    }
}

fn go_name(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The names of fields as Go has them; those of metrics, which have a slash, stay.
fn with_go_names(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let named = fields.iter().map(|(name, value)| {
                (if name.contains('/') { name.clone() } else { go_name(name) }, with_go_names(value))
            });
            Value::Object(named.collect())
        }
        Value::Array(items) => Value::Array(items.iter().map(with_go_names).collect()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn insights(result: &ExperimentResult, is_assessed: bool) -> Value {
    let versions = result.versions.len().max(1);
    let info = |metric: &crate::Metric| json!({ "description": metric.description, "units": metric.unit, "type": metric.kind });
    let values = |version: usize| -> Map<String, Value> {
        let latest = result.metrics.iter().filter_map(|(name, metric)| {
            // A metric that does not tell versions apart holds for each.
            let series = metric.versions.get(if metric.is_per_version() { version } else { 0 })?;
            Some((name.clone(), json!([series.latest.as_ref()?.value?])))
        });
        latest.collect()
    };
    let mut insights = json!({
        "numVersions": versions,
        "versionNames": result.versions.iter().map(|v| json!({
            "version": v.version.clone().unwrap_or_default(), "track": v.track.clone().unwrap_or_default(),
        })).collect::<Vec<_>>(),
        "metricsInfo": result.metrics.iter().map(|(name, metric)| (name.clone(), info(metric))).collect::<Map<_, _>>(),
        "nonHistMetricValues": (0..versions).map(values).collect::<Vec<_>>(),
    });
    if is_assessed && !result.slos.is_empty() {
        let (upper, lower) = (of_bound(result, Bound::Upper, versions), of_bound(result, Bound::Lower, versions));
        insights["SLOs"] = json!({ "upper": upper.0, "lower": lower.0 });
        insights["SLOsSatisfied"] = json!({ "upper": upper.1, "lower": lower.1 });
    }
    insights
}

/// The objectives on one side, and whether each holds for each version. One on a metric that does not tell versions apart
/// holds for all or for none.
fn of_bound(result: &ExperimentResult, bound: Bound, versions: usize) -> (Vec<Value>, Vec<Vec<bool>>) {
    let mut satisfied: BTreeMap<&str, (f64, Vec<bool>)> = BTreeMap::new();
    for slo in result.slos.iter().filter(|slo| slo.bound == bound) {
        let (_, holds) = satisfied.entry(&slo.metric).or_insert_with(|| (slo.limit, vec![false; versions]));
        let passes = slo.verdict == Verdict::Pass;
        match slo.version {
            Some(version) => holds.iter_mut().skip(version).take(1).for_each(|holds| *holds = passes),
            None => holds.fill(passes),
        }
    }
    let objectives = satisfied.iter().map(|(metric, (limit, _))| json!({ "metric": metric, "limit": limit }));
    (objectives.collect(), satisfied.values().map(|(_, holds)| holds.clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::{Metric, Observation, Series};
    use crate::result::Version;

    #[test]
    fn a_version_has_its_own_values_and_those_of_the_whole_app() {
        let mut result = ExperimentResult::pending("web", "shop", 1, &["http"]);
        result.versions = vec![Version::default(), Version::default()];
        let mut series = Series::default();
        series.observe(Observation { value: Some(5.0), ..Observation::default() });
        let whole = Metric { versions: vec![series], ..Metric::default() };
        result.metrics.insert("http/error-count".to_owned(), Metric { per_version: true, ..whole.clone() });
        result.metrics.insert("http-a/error-count".to_owned(), whole);
        assert_eq!(
            insights(&result, false)["nonHistMetricValues"],
            json!([{ "http/error-count": [5.0], "http-a/error-count": [5.0] }, { "http-a/error-count": [5.0] }])
        );
    }
}
