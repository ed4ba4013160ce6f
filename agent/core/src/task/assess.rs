//! Inputs of the task `assess`: the objectives, and how strictly they are judged.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::MetricName;
use crate::scalar::Real;
use crate::schema::Problem;
use crate::suggest::nearest;
use crate::task::{grpc, http};

/// Judges objectives on what the steps before it measured.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Assess {
    /// The objectives.
    #[serde(default, rename = "SLOs", skip_serializing_if = "Option::is_none")]
    pub slos: Option<Slos>,
    /// What becomes of an objective whose metric is missing or rests on too few samples.
    #[serde(default)]
    pub no_data: NoData,
    /// Confidence level between 0.5 and 1, for example 0.95. When given, an objective passes only if the whole
    /// interval keeps the limit and fails only if none of it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Real>,
}

/// Limits by name of metric.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Slos {
    /// The value must not exceed the limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub upper: BTreeMap<String, Real>,
    /// The value must not fall below the limit.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub lower: BTreeMap<String, Real>,
}

/// What a lack of data means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NoData {
    /// Nothing can be said.
    #[default]
    Inconclusive,
    /// The objective fails.
    Fail,
}

impl Assess {
    /// Names of all metrics that have a limit.
    pub fn metrics(&self) -> impl Iterator<Item = &String> {
        self.slos.iter().flat_map(|slos| slos.upper.keys().chain(slos.lower.keys()))
    }

    /// Names of all metrics that have a limit, each with the key it stands under.
    pub(crate) fn places(&self) -> impl Iterator<Item = (&'static str, &String)> {
        self.slos.iter().flat_map(|slos| {
            let upper = slos.upper.keys().map(|name| ("SLOs.upper", name));
            upper.chain(slos.lower.keys().map(|name| ("SLOs.lower", name)))
        })
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.places().filter_map(|(place, name)| Some(Problem::at(place, wrong_name(name)?))).collect();
        if let Some(level) = self.confidence.filter(|level| level.0 < 0.5 || level.0 >= 1.0) {
            problems.push(Problem::at("confidence", format!("must be at least 0.5 and below 1, got {}", level.0)));
        }
        problems
    }
}

/// What is wrong with the name of a metric, if anything. Those of a load are a closed set, so that a misspelt one is
/// found before an hour of load has run.
fn wrong_name(text: &str) -> Option<String> {
    let Ok(name) = text.parse::<MetricName>() else {
        let form = "write it as provider/name, for example http/latency-mean";
        return Some(format!("has `{text}`, which is not a metric name: {form}"));
    };
    let (task, known, percentiles) = if http::is_provider(&name.provider) {
        (http::PROVIDER, &http::METRICS[..], "latency-pX")
    } else if grpc::is_provider(&name.provider) {
        (grpc::PROVIDER, &grpc::METRICS[..], "latency/pX")
    } else {
        return None;
    };
    let rest = text.split_once('/').map_or("", |(_, rest)| rest);
    let is_percentile = name.percentile().is_some() && rest.starts_with(percentiles.trim_end_matches('X'));
    if known.contains(&rest) || is_percentile {
        return None;
    }
    let meant = match nearest(rest, known.iter().copied()) {
        Some(meant) => format!("did you mean `{}/{meant}`?", name.provider),
        None => format!("known are {} and {percentiles} with X between 0 and 100", known.join(", ")),
    };
    Some(format!("has `{text}`, which the task {task} does not measure; {meant}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::task::Task;

    fn problems(with: &serde_json::Value) -> Vec<String> {
        Task::parse("assess", with).expect("is a task").unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn bad_objectives_are_named() {
        for (with, message) in [
            (
                json!({ "SLOs": { "upper": { "latency": 5 } } }),
                "`SLOs.upper` has `latency`, which is not a metric name: write it as provider/name, for example http/latency-mean",
            ),
            (
                json!({ "SLOs": { "lower": { "http/latency-meen": 5 } } }),
                "`SLOs.lower` has `http/latency-meen`, which the task http does not measure; did you mean `http/latency-mean`?",
            ),
            (
                json!({ "SLOs": { "upper": { "http/latency-p100": 5 } } }),
                "`SLOs.upper` has `http/latency-p100`, which the task http does not measure; known are request-count, error-count, error-rate, latency-mean, latency-stddev, latency-min, latency-max, max-rate and latency-pX with X between 0 and 100",
            ),
            (
                json!({ "SLOs": { "upper": { "grpc/latency-mean": 5 } } }),
                "`SLOs.upper` has `grpc/latency-mean`, which the task grpc does not measure; did you mean `grpc/latency/mean`?",
            ),
            (
                json!({ "SLOs": { "upper": { "grpc-a/latency/p100": 5, "grpc-a/latency/p99.9": 5, "grpc/error-rate": 1 } } }),
                "`SLOs.upper` has `grpc-a/latency/p100`, which the task grpc does not measure; known are request-count, error-count, error-rate, latency/mean, latency/stddev, latency/min, latency/max, max-rate and latency/pX with X between 0 and 100",
            ),
            (
                json!({ "SLOs": { "upper": { "http/latency-mean": "fast" } } }),
                "`SLOs.upper.http/latency-mean` must be a number, got \"fast\"",
            ),
            (json!({ "SLOs": { "uper": {} } }), "`SLOs.uper` is not a known key; did you mean `upper`?"),
            (json!({ "slos": {} }), "`slos` is not a known key; did you mean `SLOs`?"),
            (json!({ "confidence": 95 }), "`confidence` must be at least 0.5 and below 1, got 95"),
            (json!({ "noData": "pass" }), "`noData` must be one of inconclusive, fail, got \"pass\""),
        ] {
            assert_eq!(problems(&with), [message], "{with}");
        }
    }
}
