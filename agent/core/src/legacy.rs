//! Reads experiments of Iter8 v0.13 (`experiment.yaml` with `spec` and `result`) as results of this version, so that
//! `report` and `assert` work on old files and Secrets. They are never written.
//!
//! v0.13 matched keys without regard to case and ignored what it did not know; so does this reader.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::assess::overall;
use crate::metric::{Metric, MetricKind, MetricName, Observation, Series};
use crate::result::{ExperimentResult, Phase, StepStatus, Version};
use crate::slo::{Bound, SloResult};
use crate::summary::Summary;
use crate::verdict::Verdict;
use crate::yaml::YamlError;

/// Why a text is not an experiment of Iter8 v0.13.
#[derive(Debug, thiserror::Error)]
pub enum LegacyError {
    /// Not YAML.
    #[error("the experiment cannot be read")]
    Yaml(#[source] YamlError),
    /// YAML of another shape.
    #[error("it has no list `spec`")]
    Shape,
}

/// Reads `experiment.yaml` of the group `group`.
///
/// # Errors
/// When it is not such a file.
pub fn parse(text: &str, group: &str, namespace: &str) -> Result<ExperimentResult, LegacyError> {
    let root: Value = serde_yaml::from_str(text).map_err(|error| LegacyError::Yaml(error.into()))?;
    let root = root.as_object().ok_or(LegacyError::Shape)?;
    let steps = get(root, "spec").and_then(Value::as_array).ok_or(LegacyError::Shape)?;
    let names: Vec<&str> = steps.iter().map(task_name).collect();
    let mut result = ExperimentResult::pending(group, namespace, 0, &names);
    let Some(old) = get(root, "result").and_then(Value::as_object) else { return Ok(result) };

    result.agent_version = text_of(old, "iter8Version").unwrap_or_else(|| "v0.13".to_owned());
    result.started = text_of(old, "startTime").and_then(|time| time.parse::<Timestamp>().ok());
    result.revision = number(old, "revision").map_or(0, |revision| revision as u32);
    read_progress(&mut result, old);
    if let Some(insights) = get(old, "insights").and_then(Value::as_object) {
        read_insights(&mut result, insights);
    }
    if !result.slos.is_empty() {
        let (verdict, reason) = overall(&result.slos);
        (result.verdict, result.verdict_reason) = (Some(verdict), reason);
    }
    Ok(result)
}

fn read_progress(result: &mut ExperimentResult, old: &Map<String, Value>) {
    let completed = number(old, "numCompletedTasks").unwrap_or(0.0) as usize;
    let failed = get(old, "failure").and_then(Value::as_bool).unwrap_or(false);
    for (index, step) in result.steps.iter_mut().enumerate() {
        if index < completed {
            step.status = StepStatus::Succeeded;
        } else if failed && index == completed {
            step.status = StepStatus::Failed;
            step.message = "Iter8 v0.13 did not record why".to_owned();
        }
    }
    let done = completed >= result.steps.len();
    result.phase = match (failed, done, completed) {
        (true, _, _) => Phase::Failed,
        (false, true, _) => Phase::Succeeded,
        (false, false, 0) => Phase::Pending,
        (false, false, _) => Phase::Running,
    };
    // v0.13 counted the loops that began.
    let loops = number(old, "numLoops").map_or(0, |loops| loops as u32);
    result.loops.started = loops.max(u32::from(completed > 0));
    result.loops.completed = result.loops.started.saturating_sub(u32::from(!done));
}

fn read_insights(result: &mut ExperimentResult, insights: &Map<String, Value>) {
    let count = number(insights, "numVersions").map_or(1, |count| count.clamp(1.0, 64.0) as usize);
    let named = get(insights, "versionNames").and_then(Value::as_array);
    result.versions = (0..count)
        .map(|index| {
            let name = named.and_then(|names| names.get(index)).and_then(Value::as_object);
            let part = |key| name.and_then(|name| text_of(name, key)).filter(|text| !text.is_empty());
            Version { version: part("version"), track: part("track") }
        })
        .collect();

    let info = get(insights, "metricsInfo").and_then(Value::as_object);
    let mut reader = Reader { info, versions: count, metrics: BTreeMap::new(), named: named_by_slos(insights) };
    for version in 0..count {
        let of_version = |key| get(insights, key)?.as_array()?.get(version)?.as_object();
        for (name, values) in of_version("nonHistMetricValues").into_iter().flatten() {
            reader.read_values(version, name, values);
        }
        for (name, values) in of_version("histMetricValues").into_iter().flatten() {
            reader.read_histogram(version, name, values);
        }
        for (name, values) in of_version("SummaryMetricValues").into_iter().flatten() {
            reader.read_summary(version, name, values);
        }
    }
    result.metrics = reader.metrics;
    result.slos = read_slos(insights, &result.metrics, count);
}

struct Reader<'a> {
    info: Option<&'a Map<String, Value>>,
    versions: usize,
    metrics: BTreeMap<String, Metric>,
    /// The metrics that objectives are on: of samples, v0.13 worked out only the percentiles that one named.
    named: Vec<MetricName>,
}

impl Reader<'_> {
    /// Counters and gauges report the last value; samples are many values of one metric and report their aggregates.
    fn read_values(&mut self, version: usize, name: &str, values: &Value) {
        let values: Vec<f64> = values.as_array().into_iter().flatten().filter_map(Value::as_f64).collect();
        if self.kind_of(name) == "Sample" {
            let (count, sum) = (values.len() as f64, values.iter().sum::<f64>());
            let mean = sum / count;
            let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
            let bound = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick);
            for (aggregation, value) in [
                ("mean", (count > 0.0).then_some(mean)),
                ("stddev", (count > 0.0).then_some(variance.sqrt())),
                ("min", bound(f64::min)),
                ("max", bound(f64::max)),
            ] {
                self.put(version, name, Some(aggregation), value, Some(values.len() as u64));
            }
            let of_sample = |named: &&MetricName| format!("{}/{}", named.provider, named.name) == name;
            let percentiles: Vec<f64> =
                self.named.iter().filter(of_sample).filter_map(MetricName::percentile).collect();
            for percentile in percentiles {
                let value = sample_percentile(&values, percentile);
                self.put(version, name, Some(&format!("p{percentile}")), value, Some(values.len() as u64));
            }
            return;
        }
        for (index, value) in values.iter().enumerate() {
            self.put_loop(version, name, index as u32 + 1, *value);
        }
        if values.is_empty() {
            self.put(version, name, None, None, None);
        }
    }

    /// A histogram of v0.13 has buckets with ends in the metric's unit: its mean by the middle of each.
    fn read_histogram(&mut self, version: usize, name: &str, buckets: &Value) {
        let bucket = |bucket: &Value| {
            let bucket = bucket.as_object()?;
            Some((number(bucket, "lower")?, number(bucket, "upper")?, number(bucket, "count")?))
        };
        let buckets: Vec<_> = buckets.as_array().into_iter().flatten().filter_map(bucket).collect();
        let count: f64 = buckets.iter().map(|(_, _, count)| count).sum();
        let sum: f64 = buckets.iter().map(|(lower, upper, count)| (lower + upper) / 2.0 * count).sum();
        let samples = Some(count as u64);
        self.put(version, name, Some("mean"), (count > 0.0).then_some(sum / count), samples);
    }

    fn read_summary(&mut self, version: usize, name: &str, summary: &Value) {
        let Ok(summary) = serde_json::from_value::<Summary>(summary.clone()) else { return };
        let count = summary.count();
        for (aggregation, value) in [
            ("count", Some(count as f64)),
            ("mean", summary.mean()),
            ("stddev", summary.stddev()),
            ("min", summary.min()),
            ("max", summary.max()),
        ] {
            self.put(version, name, Some(aggregation), value, Some(count));
        }
    }

    fn kind_of(&self, name: &str) -> String {
        let info = self.info.and_then(|info| info.get(name)).and_then(Value::as_object);
        info.and_then(|info| text_of(info, "type")).unwrap_or_default()
    }

    fn put(&mut self, version: usize, name: &str, aggregation: Option<&str>, value: Option<f64>, samples: Option<u64>) {
        let full = aggregation.map_or_else(|| name.to_owned(), |aggregation| format!("{name}/{aggregation}"));
        let observation = Observation { loop_number: 1, value, samples, ..Observation::default() };
        if let Some(series) = self.series(version, name, &full) {
            series.observe(observation);
        }
    }

    fn put_loop(&mut self, version: usize, name: &str, loop_number: u32, value: f64) {
        let observation = Observation { loop_number, value: Some(value), ..Observation::default() };
        if let Some(series) = self.series(version, name, name) {
            series.observe(observation);
        }
    }

    fn series(&mut self, version: usize, name: &str, full: &str) -> Option<&mut Series> {
        let info = self.info.and_then(|info| info.get(name)).and_then(Value::as_object);
        let part = |key| info.and_then(|info| text_of(info, key)).filter(|text| !text.is_empty());
        let unit = part("units").filter(|_| !full.ends_with("/count"));
        let kind = if self.kind_of(name) == "Counter" { MetricKind::Counter } else { MetricKind::Gauge };
        let versions = self.versions;
        let metric = self.metrics.entry(normalised(full)).or_insert_with(|| Metric {
            kind,
            unit: unit.map(|unit| if unit == "msec" { "ms".to_owned() } else { unit }),
            description: part("description").unwrap_or_default(),
            per_version: versions > 1,
            versions: vec![Series::default(); versions],
        });
        metric.versions.get_mut(version)
    }
}

/// The metrics that the objectives of v0.13 are on.
fn named_by_slos(insights: &Map<String, Value>) -> Vec<MetricName> {
    let slos = get(insights, "SLOs").and_then(Value::as_object);
    let limits = ["upper", "lower"].into_iter().filter_map(|key| get(slos?, key)?.as_array());
    let metrics = limits.flatten().filter_map(|limit| text_of(limit.as_object()?, "metric"));
    metrics.filter_map(|metric| metric.parse().ok()).collect()
}

/// A percentile of samples by the rule of v0.13 (`Percentile` of montanaflynn/stats 0.7): with `k = n·p/100`, the k-th
/// smallest when k is whole, otherwise the mean of the two around it. None when k is below 1, where it had none.
fn sample_percentile(values: &[f64], percentile: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if let [only] = sorted[..] {
        return Some(only);
    }
    let place = percentile / 100.0 * sorted.len() as f64;
    let below = place.floor();
    let kth = |k: f64| sorted.get((k as usize).checked_sub(1)?).copied();
    if place == below { kth(place) } else { Some(f64::midpoint(kth(below)?, kth(below + 1.0)?)) }
}

fn read_slos(insights: &Map<String, Value>, metrics: &BTreeMap<String, Metric>, versions: usize) -> Vec<SloResult> {
    let object = |key| get(insights, key).and_then(Value::as_object);
    let (Some(limits), Some(satisfied)) = (object("SLOs"), object("SLOsSatisfied")) else { return Vec::new() };
    let mut slos = Vec::new();
    for (bound, key) in [(Bound::Upper, "upper"), (Bound::Lower, "lower")] {
        let limits = get(limits, key).and_then(Value::as_array).into_iter().flatten();
        let satisfied = get(satisfied, key).and_then(Value::as_array);
        for (index, limit) in limits.enumerate() {
            let Some(objective) = limit.as_object() else { continue };
            let (Some(metric), Some(limit)) = (text_of(objective, "metric"), number(objective, "limit")) else {
                continue;
            };
            for version in 0..versions {
                let said = satisfied.and_then(|rows| rows.get(index)?.as_array()?.get(version)?.as_bool());
                slos.push(read_slo(metrics, bound, &metric, limit, version, said));
            }
        }
    }
    slos
}

fn read_slo(
    metrics: &BTreeMap<String, Metric>,
    bound: Bound,
    metric: &str,
    limit: f64,
    version: usize,
    said: Option<bool>,
) -> SloResult {
    let known = metrics.get(&normalised(metric));
    let latest = known.and_then(|known| known.versions.get(version)).and_then(|series| series.latest.as_ref());
    let value = latest.and_then(|latest| latest.value);
    let (verdict, reason) = match (said, value) {
        (Some(true), _) => (Verdict::Pass, "Iter8 v0.13 found the objective satisfied".to_owned()),
        // v0.13 recorded a missing metric as a violation.
        (Some(false), None) => (Verdict::Inconclusive, format!("{metric} was not measured")),
        (Some(false), Some(_)) => (Verdict::Fail, "Iter8 v0.13 found the objective violated".to_owned()),
        (None, _) => (Verdict::Inconclusive, "the objective was not assessed".to_owned()),
    };
    SloResult {
        metric: metric.to_owned(),
        bound,
        limit,
        version: Some(version),
        verdict,
        reason,
        value,
        unit: known.and_then(|known| known.unit.clone()),
        interval: None,
        samples: latest.and_then(|latest| latest.samples),
        source: None,
    }
}

fn normalised(name: &str) -> String {
    name.parse::<MetricName>().map_or_else(|_| name.to_owned(), |name| name.to_string())
}

fn task_name(step: &Value) -> &str {
    let step = step.as_object();
    match step.and_then(|step| get(step, "task")).and_then(Value::as_str) {
        Some(task) => task,
        None if step.is_some_and(|step| get(step, "run").is_some()) => "run",
        None => "unknown",
    }
}

fn get<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).or_else(|| map.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, value)| value))
}

fn text_of(map: &Map<String, Value>, key: &str) -> Option<String> {
    get(map, key).and_then(Value::as_str).map(str::to_owned)
}

fn number(map: &Map<String, Value>, key: &str) -> Option<f64> {
    get(map, key).and_then(Value::as_f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::condition::Condition;

    const FILE: &str = r#"
spec:
- task: ready
  with: {name: httpbin, timeout: 60s}
- task: http
  with: {url: "http://httpbin.default/get"}
- task: assess
  with: {SLOs: {Upper: [{metric: http/latency-mean, limit: 50}]}}
result:
  startTime: "2023-02-01T10:11:12Z"
  numLoops: 1
  numCompletedTasks: 3
  failure: false
  iter8Version: v0.13
  insights:
    numVersions: 1
    versionNames: null
    metricsInfo:
      http/request-count: {description: number of requests sent, type: Counter}
      http/latency-mean: {description: mean of observed latency values, units: msec, type: Gauge}
      http/latency: {description: latency histogram, units: msec, type: Histogram}
      grpc/latency: {description: latencies, units: msec, type: Sample}
      abn/sample: {description: a summary, type: Summary}
    nonHistMetricValues: [{http/request-count: [100], http/latency-mean: [12.5, 13.25], grpc/latency: [1, 2, 3, 6]}]
    histMetricValues: [{http/latency: [{lower: 0, upper: 10, count: 3}, {lower: 10, upper: 30, count: 1}]}]
    SummaryMetricValues: [{abn/sample: [2, 6, 2, 4, 20]}]
    SLOs: {Upper: [{metric: http/latency-mean, limit: 50}, {metric: http/latency-p97, limit: 1}]}
    SLOsSatisfied: {Upper: [[true], [false]]}
"#;

    fn latest(result: &ExperimentResult, metric: &str) -> f64 {
        result.metrics[metric].versions[0].latest.as_ref().unwrap().value.unwrap()
    }

    #[test]
    fn a_percentile_of_samples_follows_the_rule_of_v0_13() {
        let ten: Vec<f64> = (1..=10).map(f64::from).collect();
        for (values, percentile, expected) in [
            (&ten[..], 50.0, Some(5.0)),
            (&ten[..], 95.0, Some(9.5)),
            (&ten[..], 10.0, Some(1.0)),
            (&ten[..], 5.0, None),
            (&ten[..1], 99.0, Some(1.0)),
            (&[][..], 99.0, None),
        ] {
            assert_eq!(sample_percentile(values, percentile), expected, "p{percentile} of {values:?}");
        }
    }

    #[test]
    fn an_objective_on_a_percentile_of_samples_that_was_violated_failed() {
        let text = FILE.replace("{metric: http/latency-p97, limit: 1}", "{metric: grpc/latency/p75.0, limit: 1}");
        let result = parse(&text, "default", "default").unwrap();
        assert_eq!(latest(&result, "grpc/latency/p75"), 3.0);
        assert_eq!((result.slos[1].verdict, result.slos[1].value), (Verdict::Fail, Some(3.0)));
    }

    #[test]
    fn reads_every_kind_of_metric() {
        let result = parse(FILE, "default", "default").unwrap();
        assert_eq!(latest(&result, "http/request-count"), 100.0);
        assert_eq!(latest(&result, "http/latency-mean"), 13.25);
        assert_eq!(result.metrics["http/latency-mean"].unit.as_deref(), Some("ms"));
        assert_eq!(latest(&result, "http/latency/mean"), 8.75);
        assert_eq!(latest(&result, "grpc/latency/mean"), 3.0);
        assert_eq!(latest(&result, "grpc/latency/max"), 6.0);
        assert_eq!(latest(&result, "abn/sample/mean"), 3.0);
        assert!((latest(&result, "abn/sample/stddev") - 2f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn reads_progress_objectives_and_verdict() {
        let result = parse(FILE, "default", "default").unwrap();
        assert_eq!((result.phase, result.completed_steps(), result.loops.completed), (Phase::Succeeded, 3, 1));
        let verdicts: Vec<Verdict> = result.slos.iter().map(|slo| slo.verdict).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Inconclusive]);
        assert_eq!(result.verdict, Some(Verdict::Inconclusive));
        assert!(Condition::Completed.answer(&result).holds);
        assert!(!Condition::Slos.answer(&result).holds);
    }

    #[test]
    fn objectives_that_were_never_assessed_are_no_pass() {
        let text = FILE.replace("    SLOsSatisfied: {Upper: [[true], [false]]}\n", "");
        let result = parse(&text, "default", "default").unwrap();
        assert_eq!(result.verdict, None);
        assert!(!Condition::Slos.answer(&result).holds);
    }

    #[test]
    fn a_failed_task_is_found() {
        let text =
            FILE.replace("numCompletedTasks: 3", "numCompletedTasks: 1").replace("failure: false", "failure: true");
        let result = parse(&text, "default", "default").unwrap();
        assert_eq!(result.failed_step().map(|(number, step)| (number, step.task.as_str())), Some((2, "http")));
        assert!(!Condition::NoFailure.answer(&result).holds);
    }

    #[test]
    fn other_files_are_refused() {
        assert!(matches!(parse("kind: Pod", "g", ""), Err(LegacyError::Shape)));
        assert!(matches!(parse("[", "g", ""), Err(LegacyError::Yaml(_))));
    }
}
