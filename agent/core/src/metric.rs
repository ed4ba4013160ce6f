//! Metrics: their names, kinds and what was observed of them. Judging them is the business of [`crate::assess`].

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::Interval;

/// `provider/name` or `provider/name/aggregation`, as in `http/latency-p99`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricName {
    /// Who measured it: `http`, `abn`, the name of a metrics provider.
    pub provider: String,
    /// What was measured.
    pub name: String,
    /// How several values became one, where that is part of the name: `mean`, `p95`.
    pub aggregation: Option<String>,
}

/// Why a text is not a metric's name.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{0}` is not a metric name: write it as provider/name, for example http/latency-mean")]
pub struct MetricNameError(pub String);

impl FromStr for MetricName {
    type Err = MetricNameError;

    fn from_str(text: &str) -> Result<Self, MetricNameError> {
        let parts: Vec<&str> = text.split('/').collect();
        let blank = |part: &&str| part.is_empty() || part.chars().any(char::is_whitespace);
        if !(2..=3).contains(&parts.len()) || parts.iter().any(blank) {
            return Err(MetricNameError(text.to_owned()));
        }
        let aggregation = parts.get(2).map(|part| normalised(part, "p"));
        let name = if aggregation.is_none() { normalised(parts[1], "latency-p") } else { parts[1].to_owned() };
        Ok(Self { provider: parts[0].to_owned(), name, aggregation })
    }
}

impl fmt::Display for MetricName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.provider, self.name)?;
        self.aggregation.iter().try_for_each(|aggregation| write!(f, "/{aggregation}"))
    }
}

impl MetricName {
    /// The percentile in the name (`99.9` in `http/latency-p99.9`), between 0 and 100 exclusive.
    pub fn percentile(&self) -> Option<f64> {
        let digits = match &self.aggregation {
            Some(aggregation) => aggregation.strip_prefix('p')?,
            None => self.name.strip_prefix("latency-p")?,
        };
        digits.parse::<f64>().ok().filter(|p| *p > 0.0 && *p < 100.0)
    }
}

/// `p95.0` and `p95` name the same percentile.
fn normalised(part: &str, prefix: &str) -> String {
    match part.strip_prefix(prefix).and_then(|digits| digits.parse::<f64>().ok()) {
        Some(percentile) if percentile.is_finite() => format!("{prefix}{percentile}"),
        _ => part.to_owned(),
    }
}

/// How a metric behaves over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MetricKind {
    /// A number of events; grows.
    Counter,
    /// A value that goes up and down.
    #[default]
    Gauge,
}

/// One metric over all versions and loops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Metric {
    /// How it behaves.
    pub kind: MetricKind,
    /// The unit of its values, as printed after them (`ms`); none for a count or a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it says, in a sentence.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// Whether it tells versions apart. One that does not has one entry, for the app as a whole.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub per_version: bool,
    /// What was observed, one entry for each version of the result, in its order; versions that came later may have none.
    pub versions: Vec<Series>,
}

impl Metric {
    /// Whether it tells versions apart. Results of earlier releases say so by the number of entries alone.
    pub fn is_per_version(&self) -> bool {
        self.per_version || self.versions.len() > 1
    }
}

/// One metric of one version over the loops.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Series {
    /// What the last loop observed; objectives are judged on this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latest: Option<Observation>,
    /// Earlier and present values as `[loop, value]`: those of the loops whose number is a multiple of `stride`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub history: Vec<(u32, f64)>,
    /// Every how many loops a value is kept in `history`. It doubles when the history is full, so that a result
    /// stays small however long an experiment runs.
    #[serde(default = "one")]
    pub stride: u32,
}

fn one() -> u32 {
    1
}

/// The most values that [`Series::history`] holds.
pub const HISTORY_MAX: usize = 128;

/// One measured value with what is needed to judge it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The loop that measured it, from 1.
    #[serde(rename = "loop")]
    pub loop_number: u32,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
    /// The value in the metric's unit. None when nothing could be measured; `source` then says why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Where the true value lies, at the confidence level of the result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// On how many samples the value rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Where the value comes from, or why there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Why the measurement is not to be trusted; empty when it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub faults: Vec<String>,
}

impl Series {
    /// Takes in what a loop observed.
    pub fn observe(&mut self, observation: Observation) {
        self.stride = self.stride.max(1);
        if let Some(value) = observation.value.filter(|value| value.is_finite()) {
            let (number, stride) = (observation.loop_number, self.stride);
            self.history.retain(|(earlier, _)| *earlier != number);
            if number.is_multiple_of(stride) {
                self.history.push((number, value));
            }
            while self.history.len() > HISTORY_MAX {
                self.stride *= 2;
                let stride = self.stride;
                self.history.retain(|(number, _)| number.is_multiple_of(stride));
            }
        }
        self.latest = Some(observation);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observed(loop_number: u32) -> Observation {
        Observation { loop_number, value: Some(f64::from(loop_number)), ..Observation::default() }
    }

    #[test]
    fn names_are_read_and_their_percentiles_made_the_same() {
        for (text, shown) in [
            ("http/latency-mean", "http/latency-mean"),
            ("http/latency-p95.0", "http/latency-p95"),
            ("http-api/latency-p97.50", "http-api/latency-p97.5"),
            ("grpc/latency/p99.90", "grpc/latency/p99.9"),
            ("istio-prom/error-rate", "istio-prom/error-rate"),
        ] {
            assert_eq!(text.parse::<MetricName>().unwrap().to_string(), shown);
        }
        assert_eq!("http/latency-p99.9".parse::<MetricName>().unwrap().percentile(), Some(99.9));
        assert_eq!("http/latency-p100".parse::<MetricName>().unwrap().percentile(), None);
        assert_eq!("http/error-count".parse::<MetricName>().unwrap().percentile(), None);
    }

    #[test]
    fn refuses_names_without_provider_or_with_blanks() {
        for text in ["latency", "", "/", "http/", "http/a/b/c", "http/latency mean"] {
            assert_eq!(text.parse::<MetricName>(), Err(MetricNameError(text.into())));
        }
    }

    #[test]
    fn a_thousand_loops_keep_the_last_value_and_a_bounded_history() {
        let mut series = Series::default();
        (1..=1000).for_each(|number| series.observe(observed(number)));
        assert_eq!(series.latest.as_ref().and_then(|latest| latest.value), Some(1000.0));
        assert!(series.history.len() <= HISTORY_MAX && series.history.len() > HISTORY_MAX / 3);
        assert!(
            series.history.iter().all(|(number, value)| number % series.stride == 0 && f64::from(*number) == *value)
        );
        assert_eq!(series.stride, 8);
    }

    #[test]
    fn a_loop_without_value_replaces_the_latest_and_leaves_the_history() {
        let mut series = Series::default();
        series.observe(observed(1));
        series.observe(Observation { loop_number: 2, source: Some("no data".into()), ..Observation::default() });
        assert_eq!(series.latest.unwrap().value, None);
        assert_eq!(series.history, vec![(1, 1.0)]);
    }
}
