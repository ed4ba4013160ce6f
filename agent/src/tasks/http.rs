//! The task `http`: translates its inputs into a load plan, runs it, and turns the report into metrics with intervals.
//! Sending and measuring is the business of iter8-load, judging that of iter8-core.

use std::path::PathBuf;
use std::time::Duration;

use iter8_core::metric::{Metric, MetricKind, Observation, Series};
use iter8_core::result::{LoadDetails, LoadError, Version};
use iter8_core::stats::{self, Interval};
use iter8_core::task::http::{Http, LoadLimit, PERCENTILES, PROVIDER};
use iter8_load::{Arrivals, Histogram, Limit, Plan, Progress, Report, Schedule, Share, StatusRange, Target, WhenBusy};
use jiff::Timestamp;
use url::Url;

use super::{TaskContext, TaskError};
use crate::redact::shown_url;

pub(super) async fn run(inputs: &Http, context: TaskContext<'_>) -> Result<String, TaskError> {
    let (plan, url) = plan(inputs).await?;
    let progress = |progress: Progress| (context.progress)(shown(&progress));
    let report = iter8_load::run(&plan, context.cancel, &progress).await?;
    let percentiles = percentiles(inputs, &context.experiment.percentiles(PROVIDER));
    let interrupted = report.interrupted;
    let message = summary(&report);
    let result = context.result;
    if result.versions.is_empty() {
        result.versions.push(Version::default());
    }
    let loop_number = result.loops.started;
    let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
    for measured in measured(&report, &percentiles, result.confidence) {
        let Measured { name, kind, unit, description, value, interval, samples } = measured;
        let metric = result.metrics.entry(format!("{PROVIDER}/{name}")).or_insert_with(|| Metric {
            kind,
            unit: unit.map(str::to_owned),
            description,
            versions: vec![Series::default()],
        });
        metric.versions[0].observe(Observation {
            loop_number,
            at: Some(Timestamp::now()),
            value,
            interval,
            samples: Some(samples),
            source: None,
            faults: faults.clone(),
        });
    }
    let earlier = result.load.get(PROVIDER).map(|details| details.histogram.clone()).unwrap_or_default();
    result.load.insert(PROVIDER.to_owned(), details(&report, shown_url(&url), &earlier));
    if interrupted { Err(TaskError::Cancelled) } else { Ok(message) }
}

/// The load that the inputs ask for, and the URL for showing.
async fn plan(inputs: &Http) -> Result<(Plan, Url), TaskError> {
    let input =
        |key: &'static str| move |source: Box<dyn std::error::Error + Send + Sync>| TaskError::Input { key, source };
    let text = inputs.url.as_ref().map(|url| url.0.trim()).unwrap_or_default();
    let url: Url = text.parse().map_err(|error: url::ParseError| input("http.url")(error.into()))?;
    let mut target = Target::get(url.clone());
    target.method =
        inputs.method().parse().map_err(|error: http::method::InvalidMethod| input("http.method")(error.into()))?;
    target.body = body(inputs).await?.into();
    let headers = inputs.headers.iter().map(|(name, value)| (name.as_str(), value.0.as_str()));
    let content_type = inputs.content_type.as_ref().map(|kind| ("content-type", kind.0.as_str()));
    for (name, value) in content_type.into_iter().chain(headers) {
        let name = http::HeaderName::try_from(name).map_err(|error| input("http.headers")(error.into()))?;
        let mut value = http::HeaderValue::try_from(value).map_err(|error| input("http.headers")(error.into()))?;
        value.set_sensitive(true);
        target.headers.insert(name, value);
    }
    let limit = match inputs.limit() {
        LoadLimit::Requests(requests) => Limit::Requests(requests),
        LoadLimit::Duration(duration) => Limit::Duration(duration),
    };
    let plan = Plan {
        target,
        arrivals: Arrivals::Open { schedule: Schedule::Constant { rate: inputs.qps() }, when_busy: WhenBusy::Queue },
        limit,
        warmup: None,
        connections: u32::try_from(inputs.connections()).unwrap_or(u32::MAX),
        streams: Plan::STREAMS,
        timeout: inputs.timeout(),
        error_ranges: inputs.error_ranges().into_iter().map(|(lower, upper)| StatusRange { lower, upper }).collect(),
        allow_initial_errors: inputs.allow_initial_errors.is_some_and(|allow| allow.0),
        share: Share::WHOLE,
    };
    Ok((plan, url))
}

async fn body(inputs: &Http) -> Result<Vec<u8>, TaskError> {
    match (&inputs.payload_file, &inputs.payload_str) {
        (Some(path), _) => {
            let path = PathBuf::from(&path.0);
            tokio::fs::read(&path).await.map_err(|source| TaskError::Payload { path, source })
        }
        (None, Some(text)) => Ok(text.0.clone().into_bytes()),
        (None, None) => Ok(Vec::new()),
    }
}

/// The percentiles to report: those that always are, those that were asked for and those that objectives need;
/// ascending, each once.
fn percentiles(inputs: &Http, needed: &[f64]) -> Vec<f64> {
    let asked = inputs.percentiles.iter().map(|percentile| percentile.0);
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
fn measured(report: &Report, percentiles: &[f64], confidence: f64) -> Vec<Measured> {
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
        latency("latency-mean".into(), "mean of the latencies".into(), moments.mean(), mean_interval),
        latency("latency-stddev".into(), "standard deviation of the latencies".into(), moments.stddev(), None),
        latency("latency-min".into(), "smallest latency".into(), moments.min(), None),
        latency("latency-max".into(), "largest latency".into(), moments.max(), None),
    ];
    let histogram = report.all_responses();
    // The histogram rounds to its digits, the ends are known exactly: no percentile may lie beyond them.
    let within = |time: Duration| match (moments.min(), moments.max()) {
        (Some(min), Some(max)) => millis(time).max(min).min(max),
        _ => millis(time),
    };
    all.extend(percentiles.iter().map(|percentile| {
        let q = percentile / 100.0;
        let value = histogram.quantile(q).map(within);
        let (lower, upper) = stats::quantile_ranks(q, histogram.len(), confidence);
        let at = |rank: Option<u64>| rank.and_then(|rank| histogram.at_rank(rank)).map(within);
        let interval = Interval { lower: at(lower), upper: at(upper) };
        let description = format!("{percentile}-th percentile of the latencies");
        latency(format!("latency-p{percentile}"), description, value, Some(interval))
    }));
    all
}

/// What happened beyond the metrics. `earlier` is the histogram of the loops before.
fn details(report: &Report, target: String, earlier: &str) -> LoadDetails {
    let mut histogram = Histogram::from_base64(earlier).unwrap_or_default();
    histogram.merge(&report.all_responses());
    let errors = report.errors.iter().map(|(kind, detail)| LoadError {
        kind: kind.to_string(),
        count: detail.count,
        first: detail.samples.clone(),
    });
    LoadDetails {
        target,
        offered: report.offered,
        started: report.started,
        completed: report.completed,
        dropped: report.dropped,
        censored: report.censored,
        elapsed_seconds: report.elapsed.as_secs_f64(),
        status_codes: report.status_codes.clone(),
        errors: errors.collect(),
        lag_p99_ms: report.lag.quantile(0.99).map(millis),
        service_p99_ms: report.service.quantile(0.99).map(millis),
        faults: report.faults.iter().map(ToString::to_string).collect(),
        histogram: histogram.to_base64(),
    }
}

fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

fn summary(report: &Report) -> String {
    let errors = report.error_count();
    let rate = report.completed as f64 / report.elapsed.as_secs_f64().max(1e-9);
    let mut text = format!(
        "{} requests in {:.1} s ({rate:.0}/s), {errors} errors",
        report.completed,
        report.elapsed.as_secs_f64()
    );
    if let Some((kind, detail)) = report.errors.iter().max_by_key(|(_, detail)| detail.count) {
        text += &format!(" ({kind} × {})", detail.count);
    }
    if report.dropped + report.censored > 0 {
        text += &format!(", {} not sent, {} without end", report.dropped, report.censored);
    }
    text
}

fn shown(progress: &Progress) -> String {
    let quantile =
        |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), |time| format!("{:.1} ms", millis(time)));
    let Progress { offered, completed, errors, p50, p99 } = *progress;
    format!("{completed} of {offered} requests, {errors} errors, p50 {}, p99 {}", quantile(p50), quantile(p99))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn inputs(yaml: &str) -> Http {
        let spec = format!("spec: [{{task: http, with: {yaml}}}]");
        match iter8_core::Experiment::parse(&spec).unwrap().steps.remove(0).task {
            iter8_core::Task::Http(http) => http,
            other => panic!("not http: {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_plan_is_what_the_inputs_say() {
        let inputs = inputs(
            "{url: 'http://a/p', duration: 5s, qps: 2.5, connections: 3, payloadStr: x, contentType: text/plain, headers: {X-Tenant: 1}, errorRanges: [{upper: 199}, {lower: 500, upper: 599}]}",
        );
        let (plan, url) = plan(&inputs).await.unwrap();
        assert_eq!(url.as_str(), "http://a/p");
        assert_eq!((plan.limit, plan.connections), (Limit::Duration(Duration::from_secs(5)), 3));
        let schedule = Schedule::Constant { rate: 2.5 };
        assert_eq!(plan.arrivals, Arrivals::Open { schedule, when_busy: WhenBusy::Queue });
        assert_eq!(plan.target.method, http::Method::POST);
        assert_eq!(plan.target.headers["x-tenant"], "1");
        assert_eq!(plan.target.headers["content-type"], "text/plain");
        assert!(plan.is_error(150) && plan.is_error(503) && !plan.is_error(404));
    }

    #[tokio::test]
    async fn a_payload_file_wins_and_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("body");
        std::fs::write(&path, "from the file").unwrap();
        let with = |path: &std::path::Path| {
            inputs(&format!("{{url: 'http://a', payloadStr: x, payloadFile: '{}'}}", path.display()))
        };
        assert_eq!(plan(&with(&path)).await.unwrap().0.target.body, "from the file");
        let error = plan(&with(&directory.path().join("none"))).await.unwrap_err();
        assert!(matches!(error, TaskError::Payload { .. }), "{error}");
    }

    #[test]
    fn percentiles_come_once_and_in_order() {
        let inputs = inputs("{url: 'http://a', percentiles: [97.5, 50]}");
        assert_eq!(percentiles(&inputs, &[1.0]), [1.0, 50.0, 75.0, 90.0, 95.0, 97.5, 99.0, 99.9]);
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
            measured(&report, &[1.0, 99.9], 0.95).into_iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(values["latency-p99.9"], values["latency-max"]);
        assert!(values["latency-p1"] >= values["latency-min"]);
    }

    #[test]
    fn without_requests_nothing_has_a_value_but_the_counts() {
        let values: BTreeMap<String, Option<f64>> =
            measured(&Report::default(), &[50.0], 0.95).into_iter().map(|m| (m.name, m.value)).collect();
        assert_eq!(values["request-count"], Some(0.0));
        assert_eq!(values["error-rate"], None);
        assert_eq!(values["latency-mean"], None);
        assert_eq!(values["latency-p50"], None);
    }
}
