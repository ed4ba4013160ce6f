//! Service level objectives: limits on metrics, and what came of them. How a verdict is reached is the business of
//! [`crate::assess`].

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::stats::Interval;
use crate::verdict::Verdict;

/// Which side of the limit is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Bound {
    /// The value must not exceed the limit.
    Upper,
    /// The value must not fall below the limit.
    Lower,
}

/// One objective for one version, judged.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SloResult {
    /// Name of the metric.
    pub metric: String,
    /// Which side of the limit is good.
    pub bound: Bound,
    /// The limit, in the metric's unit.
    pub limit: f64,
    /// Index of the version in the result's `versions`; none when there are several and the metric does not tell them apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<usize>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why, in a sentence.
    pub reason: String,
    /// The measured value, in the metric's unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Unit of value, interval and limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// Where the true value lies, at the result's confidence level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// On how many samples the value rests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
    /// Where the value comes from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

impl SloResult {
    /// The objective as a formula: `http/latency-mean <= 50`.
    pub fn objective(&self) -> String {
        format!("{} {} {}", self.metric, self.bound, self.limit)
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Upper => "<=",
            Self::Lower => ">=",
        })
    }
}
