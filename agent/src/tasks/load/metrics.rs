//! What a load comes to in a result: metrics with intervals, and the details beside them. Whatever protocol it was sent by.

use std::collections::BTreeMap;
use std::time::Duration;

use iter8_core::ExperimentResult;
use iter8_core::metric::{MetricKind, Observation};
use iter8_core::record::About;
use iter8_core::result::{LoadDetails, LoadError, LoadSecond, load_key};
use iter8_core::stats::{self, Interval};
use iter8_core::task::load::PERCENTILES;
use iter8_load::{Histogram, Report, Second};
use jiff::Timestamp;

/// How the metrics of a load are called, and what was called.
pub(crate) struct Source<'a> {
    /// First part of the names of its metrics.
    pub(crate) provider: &'a str,
    /// Number of the version that it was sent to, when versions are told apart.
    pub(crate) version: Option<usize>,
    /// What stands before `mean`, `p99` and so on: `latency-` or `latency/`.
    pub(crate) latency: &'a str,
    /// What was called, without credentials.
    pub(crate) target: String,
    /// Percentiles to report.
    pub(crate) percentiles: &'a [f64],
    /// Why the measurement is not to be trusted.
    pub(crate) faults: &'a [String],
}

/// Adds everything that a load measured to the result.
pub(crate) fn record(result: &mut ExperimentResult, source: &Source<'_>, report: &Report) {
    let Source { provider, version, faults, .. } = *source;
    for measured in measured(report, source, result.confidence) {
        let Measured { name, kind, unit, description, value, interval, samples } = measured;
        let about = About { kind, unit: unit.map(str::to_owned), description };
        let observation = Observation {
            at: Some(Timestamp::now()),
            value,
            interval,
            samples: Some(samples),
            faults: faults.to_vec(),
            ..Observation::default()
        };
        result.observe(&format!("{provider}/{name}"), about, version, observation);
    }
    let key = load_key(provider, version);
    let earlier = result.load.get(&key).map(|details| details.histogram.clone()).unwrap_or_default();
    result.load.insert(key, details(report, source, &earlier));
}

/// The percentiles to report: those that always are, those that were asked for and those that objectives need;
/// ascending, each once.
pub(crate) fn percentiles(asked: impl Iterator<Item = f64>, needed: &[f64]) -> Vec<f64> {
    let mut all: Vec<f64> = PERCENTILES.into_iter().chain(asked).chain(needed.iter().copied()).collect();
    all.sort_by(f64::total_cmp);
    all.dedup();
    all
}

/// One metric of the report.
struct Measured {
    name: String,
    kind: MetricKind,
    unit: Option<&'static str>,
    description: String,
    value: Option<f64>,
    interval: Option<Interval>,
    samples: u64,
}

/// Everything that the report says as a metric. Latencies are response times of all requests, whatever their outcome.
fn measured(report: &Report, source: &Source<'_>, confidence: f64) -> Vec<Measured> {
    let named = |what: &str| format!("{}{what}", source.latency);
    let (requests, errors) = (report.completed, report.error_count());
    let moments = &report.moments;
    let rate = (requests > 0).then(|| errors as f64 / requests as f64);
    let ratio = |name: &str, kind, description: &str, value, interval| Measured {
        name: name.to_owned(),
        kind,
        unit: None,
        description: description.to_owned(),
        value,
        interval,
        samples: requests,
    };
    let latency = |name: String, description: String, value, interval| Measured {
        name,
        kind: MetricKind::Gauge,
        unit: Some("ms"),
        description,
        value,
        interval,
        samples: moments.count(),
    };
    let mean_interval = moments.mean().zip(moments.stddev());
    let mean_interval = mean_interval.and_then(|(mean, stddev)| stats::mean(mean, stddev, moments.count(), confidence));
    let mut all = vec![
        ratio("request-count", MetricKind::Counter, "number of requests sent", Some(requests as f64), None),
        ratio("error-count", MetricKind::Counter, "number of responses that were errors", Some(errors as f64), None),
        ratio(
            "error-rate",
            MetricKind::Gauge,
            "fraction of responses that were errors",
            rate,
            stats::proportion(errors, requests, confidence),
        ),
        latency(named("mean"), "mean of the latencies".into(), moments.mean(), mean_interval),
        latency(named("stddev"), "standard deviation of the latencies".into(), moments.stddev(), None),
        latency(named("min"), "smallest latency".into(), moments.min(), None),
        latency(named("max"), "largest latency".into(), moments.max(), None),
    ];
    let histogram = report.all_responses();
    // The histogram rounds to its digits, the ends are known exactly: no percentile may lie beyond them.
    let within = |time: Duration| match (moments.min(), moments.max()) {
        (Some(min), Some(max)) => millis(time).max(min).min(max),
        _ => millis(time),
    };
    all.extend(source.percentiles.iter().map(|percentile| {
        let q = percentile / 100.0;
        let value = histogram.quantile(q).map(within);
        let (lower, upper) = stats::quantile_ranks(q, histogram.len(), confidence);
        let at = |rank: Option<u64>| rank.and_then(|rank| histogram.at_rank(rank)).map(within);
        let interval = Interval { lower: at(lower), upper: at(upper) };
        let description = format!("{percentile}-th percentile of the latencies");
        latency(named(&format!("p{percentile}")), description, value, Some(interval))
    }));
    all
}

/// What happened beyond the metrics. `earlier` is the histogram of the loops before.
fn details(report: &Report, source: &Source<'_>, earlier: &str) -> LoadDetails {
    let mut histogram = Histogram::from_base64(earlier).unwrap_or_default();
    histogram.merge(&report.all_responses());
    let errors = report.errors.iter().map(|(kind, detail)| LoadError {
        kind: kind.to_string(),
        count: detail.count,
        first: detail.samples.clone(),
    });
    LoadDetails {
        target: source.target.clone(),
        offered: report.offered,
        started: report.started,
        completed: report.completed,
        dropped: report.dropped,
        censored: report.censored,
        warmup_requests: report.warmup.completed,
        warmup_errors: report.warmup.errors,
        elapsed_seconds: report.elapsed.as_secs_f64(),
        status_codes: report.status_codes.clone(),
        grpc_codes: report.grpc_codes.iter().map(|(code, count)| (code.name().to_owned(), *count)).collect(),
        messages_sent: report.messages_sent,
        messages_received: report.messages_received,
        fetched: BTreeMap::new(),
        errors: errors.collect(),
        lag_p99_ms: report.lag.quantile(0.99).map(millis),
        service_p99_ms: report.service.quantile(0.99).map(millis),
        faults: source.faults.to_vec(),
        histogram: histogram.to_base64(),
        seconds: report.seconds.iter().filter_map(|(second, counts)| in_second(*second, counts)).collect(),
    }
}

fn in_second(second: u64, counts: &Second) -> Option<LoadSecond> {
    let (mean_ms, max_ms) = (counts.moments.mean()?, counts.moments.max()?);
    Some(LoadSecond { second, requests: counts.completed, errors: counts.errors, mean_ms, max_ms })
}

pub(super) fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(percentiles: &[f64]) -> Source<'_> {
        let (provider, latency) = ("http", "latency-");
        Source { provider, version: None, latency, target: String::new(), percentiles, faults: &[] }
    }

    #[test]
    fn percentiles_come_once_and_in_order() {
        assert_eq!(percentiles([97.5, 50.0].into_iter(), &[1.0]), [1.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.9]);
    }

    #[test]
    fn no_percentile_lies_beyond_the_largest_latency() {
        let mut report = Report { completed: 2, ..Report::default() };
        for micros in [1_000_400, 2_000_700] {
            let time = Duration::from_micros(micros);
            report.response.entry(iter8_load::Outcome::Success).or_default().record(time);
            report.moments.record(time);
        }
        let values: BTreeMap<String, Option<f64>> =
            measured(&report, &source(&[1.0, 99.9]), 0.95).into_iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(values["latency-p99.9"], values["latency-max"]);
        assert!(values["latency-p1"] >= values["latency-min"]);
    }

    #[test]
    fn without_requests_nothing_has_a_value_but_the_counts() {
        let values: BTreeMap<String, Option<f64>> =
            measured(&Report::default(), &source(&[50.0]), 0.95).into_iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(values["request-count"], Some(0.0));
        assert_eq!(values["error-rate"], None);
        assert_eq!(values["latency-mean"], None);
        assert_eq!(values["latency-p50"], None);
    }
}
