//! How versions, metrics and intervals of a result are called and ordered, in whatever form a report has.

use iter8_core::MetricName;
use iter8_core::assess::significant;
use iter8_core::result::{ExperimentResult, Version};
use iter8_core::stats::Interval;

/// What stands in place of a version for a metric that does not tell versions apart.
pub(super) const ALL_VERSIONS: &str = "all";

/// The versions as columns of metrics: the name of each, with its index; and [`ALL_VERSIONS`] when a metric does not tell
/// several versions apart. One version needs no name.
pub(super) fn columns(result: &ExperimentResult) -> Vec<(Option<usize>, String)> {
    if result.versions.len() < 2 {
        return vec![(Some(0), "Value".to_owned())];
    }
    let named = result.versions.iter().enumerate().map(|(index, version)| (Some(index), version_name(version, index)));
    let together = result.metrics.values().any(|metric| metric.versions.len() == 1);
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
