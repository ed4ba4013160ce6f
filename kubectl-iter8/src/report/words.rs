//! How verdicts, versions, metrics and intervals of a result are called and ordered, in whatever form a report has.

use iter8_core::assess::significant;
use iter8_core::result::{ExperimentResult, LoadDetails, Phase, Version, load_key_parts};
use iter8_core::slo::SloResult;
use iter8_core::stats::Interval;
use iter8_core::{MetricName, Verdict};
use serde::Serialize;

/// How good news are; forms choose their colours by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Tone {
    Good,
    Bad,
    Doubtful,
    Open,
}

impl From<Verdict> for Tone {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Good,
            Verdict::Fail => Self::Bad,
            Verdict::Invalid | Verdict::Inconclusive => Self::Doubtful,
        }
    }
}

/// The answer in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Headline {
    pub(super) sign: &'static str,
    pub(super) word: &'static str,
    pub(super) tone: Tone,
}

impl Headline {
    pub(super) fn of(result: &ExperimentResult) -> Self {
        let (sign, word, tone) = match (result.verdict, result.phase) {
            (Some(verdict), _) => {
                let sign = match verdict {
                    Verdict::Pass => "✔",
                    Verdict::Fail => "✘",
                    Verdict::Invalid => "‼",
                    Verdict::Inconclusive => "?",
                };
                (sign, verdict.as_str(), Tone::from(verdict))
            }
            (None, Phase::Pending | Phase::Running) => ("…", "not over", Tone::Open),
            (None, Phase::Succeeded | Phase::Failed | Phase::Cancelled) => ("?", "no verdict", Tone::Doubtful),
        };
        Self { sign, word, tone }
    }
}

/// What stands in place of a version for a metric that does not tell versions apart.
pub(super) const ALL_VERSIONS: &str = "all";

/// The versions as columns of metrics: the name of each, with its index; and [`ALL_VERSIONS`] when a metric does not tell
/// several versions apart. One version needs no name.
pub(super) fn columns(result: &ExperimentResult) -> Vec<(Option<usize>, String)> {
    if result.versions.len() < 2 {
        return vec![(Some(0), "Value".to_owned())];
    }
    let named = result.versions.iter().enumerate().map(|(index, version)| (Some(index), version_name(version, index)));
    let together = result.metrics.values().any(|metric| !metric.is_per_version());
    named.chain(together.then(|| (None, ALL_VERSIONS.to_owned()))).collect()
}

/// What a version is called.
pub(super) fn version_name(version: &Version, index: usize) -> String {
    match (&version.track, &version.version) {
        (Some(track), Some(version)) => format!("{track} ({version})"),
        (Some(name), None) | (None, Some(name)) => name.clone(),
        (None, None) => format!("version {index}"),
    }
}

/// The loads with their keys. One that is all that its version has is not shown beside what is measured of the version,
/// which is the same.
pub(super) fn loads(result: &ExperimentResult) -> impl Iterator<Item = (&String, &LoadDetails)> {
    let is_of_version = |key: &str| load_key_parts(key).1.is_some();
    let again =
        move |details: &LoadDetails| result.load.iter().any(|(key, other)| is_of_version(key) && other == details);
    result.load.iter().filter(move |(key, details)| is_of_version(key) || !again(details))
}

/// What a load is called by its key in a result: its provider, and its version when there are several.
pub(super) fn load_name(key: &str, result: &ExperimentResult) -> String {
    let (provider, version) = load_key_parts(key);
    let named = version.filter(|_| result.versions.len() > 1);
    let named = named.and_then(|index| Some(version_name(result.versions.get(index)?, index)));
    named.map_or_else(|| provider.to_owned(), |name| format!("{provider}, {name}"))
}

/// The version that an objective judges; None for one that does not tell versions apart.
pub(super) fn judged_version(slo: &SloResult, result: &ExperimentResult) -> Option<String> {
    slo.version.and_then(|index| Some(version_name(result.versions.get(index)?, index)))
}

/// An interval in three digits.
pub(super) fn shown_interval(interval: Option<Interval>) -> String {
    let end = |end: Option<f64>| end.map_or_else(|| "?".to_owned(), |end| significant(end, 3));
    interval.map_or_else(|| "-".to_owned(), |interval| format!("{} to {}", end(interval.lower), end(interval.upper)))
}

/// Counts first, then moments, then percentiles by number; other metrics by name.
pub(super) fn order(name: &str) -> (String, u8, f64, String) {
    let Ok(parsed) = name.parse::<MetricName>() else { return (name.to_owned(), 0, 0.0, name.to_owned()) };
    let what = parsed.aggregation.clone().unwrap_or_else(|| parsed.name.clone());
    let what = what.strip_prefix("latency-").unwrap_or(&what);
    let place = ["request-count", "error-count", "error-rate", "mean", "stddev", "min", "max"]
        .iter()
        .position(|known| *known == what);
    let place = match (place, parsed.percentile()) {
        (Some(place), _) => place as u8,
        (None, Some(_)) => 200,
        (None, None) => 100,
    };
    (parsed.provider.clone(), place, parsed.percentile().unwrap_or(0.0), name.to_owned())
}
