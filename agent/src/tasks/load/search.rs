//! The search for the highest rate that meets objectives: sends one probe after another and has each judged as the
//! experiment itself is. Which rate is next, and what it all says, is decided by iter8-core; what is called by each task.

use std::time::{Duration, Instant};

use iter8_core::metric::{MetricKind, MetricName, Observation};
use iter8_core::record::About;
use iter8_core::stats::samples_needed;
use iter8_core::task::assess::Assess;
use iter8_core::task::load::{Found, MAX_RATE_METRIC, Outcome, Pace, Probe, Search};
use iter8_core::{ExperimentResult, Verdict, assess};
use iter8_load::{Arrivals, Limit, Plan, Report, Schedule, WhenBusy};
use jiff::Timestamp;

use super::metrics::{Source, percentiles, record};
use crate::tasks::{TaskContext, TaskError};

/// Fewer requests say nothing, whatever the objective.
const LEAST_REQUESTS: u64 = 20;

/// Which part of a probe goes before it unmeasured, when nothing else is said: what the one before left behind is worked off
/// meanwhile.
const WARMUP_PART: u32 = 10;

/// What a task has searched.
pub(crate) struct Subject<'a> {
    /// Key of the search.
    pub(crate) key: &'static str,
    /// First part of the names of the metrics.
    pub(crate) provider: &'a str,
    /// Number of the version that is called, when versions are told apart.
    pub(crate) version: Option<usize>,
    /// What stands before `mean`, `p99` and so on.
    pub(crate) latency: &'a str,
    /// What is called, without credentials.
    pub(crate) target: &'a str,
    /// What is asked of the load beside its rate.
    pub(crate) pace: &'a Pace,
    /// The load, but for its rate and its end.
    pub(crate) plan: &'a Plan,
}

/// How probes are judged.
struct Judge<'a> {
    /// First part of the names of the metrics.
    provider: &'a str,
    /// Number of the version that is called, when versions are told apart.
    version: Option<usize>,
    /// What stands before `mean`, `p99` and so on.
    latency: &'a str,
    /// What is called, without credentials.
    target: String,
    /// Percentiles to report.
    percentiles: &'a [f64],
    /// The objectives on what the load measures.
    objectives: Assess,
}

/// Searches. What the best probe measured is in the result afterwards, with the rate that was found.
pub(crate) async fn run(
    settings: &Search,
    subject: &Subject<'_>,
    context: TaskContext<'_>,
) -> Result<String, TaskError> {
    let Subject { key, provider, version, latency, target, pace, plan } = *subject;
    let mut objectives = context.experiment.objectives_on(provider, MAX_RATE_METRIC);
    if settings.slos.is_some() {
        objectives.slos.clone_from(&settings.slos);
    }
    if objectives.metrics().next().is_none() {
        let source = format!(
            "there is no objective that a rate could meet: set search.SLOs, or objectives of assess on {provider}/…"
        )
        .into();
        return Err(TaskError::Input { key, source });
    }
    let asked = pace.percentiles.iter().map(|percentile| percentile.0);
    let needed = objectives.metrics().filter_map(|name| name.parse::<MetricName>().ok()?.percentile());
    let needed: Vec<f64> = needed.chain(context.experiment.percentiles(provider)).collect();
    let percentiles = percentiles(asked, &needed);
    let target = target.to_owned();
    let judge = Judge { provider, version, latency, target, percentiles: &percentiles, objectives };
    let send = async |rate: f64, length: Duration, is_first: bool| {
        let plan = probe(plan, rate, length, is_first);
        Ok(iter8_load::run(&plan, context.cancel, &|_| {}).await?)
    };
    search(settings, &judge, context.result, context.progress, send).await
}

/// The load that tries a rate for a time.
fn probe(load: &Plan, rate: f64, length: Duration, is_first: bool) -> Plan {
    let mut plan = load.clone();
    let schedule = Schedule::Constant { rate };
    let schedule = match &plan.arrivals {
        Arrivals::Open { schedule: Schedule::Poisson { seed, .. }, .. } => {
            Schedule::Poisson { mean: Box::new(schedule), seed: *seed }
        }
        Arrivals::Open { .. } | Arrivals::Closed | Arrivals::Levels(_) => schedule,
    };
    let when_busy = match plan.arrivals {
        Arrivals::Open { when_busy, .. } => when_busy,
        Arrivals::Closed | Arrivals::Levels(_) => WhenBusy::Queue,
    };
    plan.arrivals = Arrivals::Open { schedule, when_busy };
    plan.limit = Limit::Duration(length);
    plan.warmup = plan.warmup.or(Some(Limit::Duration(length / WARMUP_PART)));
    // That the target answers at all is asked once.
    plan.allow_initial_errors |= !is_first;
    plan
}

/// Searches. `send` sends a load of a rate, in requests a second, for a time; `tell` takes a few words on how far it is. What
/// the best probe measured is in `result` afterwards, with the rate that was found.
async fn search(
    settings: &Search,
    judge: &Judge<'_>,
    result: &mut ExperimentResult,
    tell: &(dyn Fn(String) + Sync),
    send: impl AsyncFn(f64, Duration, bool) -> Result<Report, TaskError>,
) -> Result<String, TaskError> {
    let begun = Instant::now();
    let mut probes: Vec<Probe> = Vec::new();
    let mut best: Option<(f64, bool, Report)> = None;
    let mut is_out_of_time = false;
    while let Some(rate) = settings.next(&probes) {
        let length = judge.length(settings, rate);
        if !probes.is_empty() && begun.elapsed() + length > settings.max_duration() {
            is_out_of_time = true;
            break;
        }
        tell(said(&probes, rate));
        let report = send(rate, length, probes.is_empty()).await?;
        if report.interrupted {
            return Err(TaskError::Cancelled);
        }
        let outcome = judge.outcome(&report, result.confidence);
        let passed = outcome == Outcome::Passed;
        // The highest that passed, or else the lowest.
        let is_better = best.as_ref().is_none_or(|(known, good, _)| match (passed, *good) {
            (true, true) => rate > *known,
            (true, false) => true,
            (false, true) => false,
            (false, false) => rate < *known,
        });
        if is_better {
            best = Some((rate, passed, report));
        }
        probes.push(Probe { rate, outcome });
    }
    if let Some((_, _, report)) = &best {
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        record(result, &judge.source(&faults), report);
    }
    let found = settings.found(&probes, is_out_of_time);
    observe(result, judge, &found);
    let Found { rate, reason, .. } = found;
    let rate = assess::significant(rate, 4);
    Ok(format!("the objectives hold up to {rate} requests a second: {reason} ({} rates tried)", probes.len()))
}

fn said(probes: &[Probe], rate: f64) -> String {
    let shown = |rate: f64| assess::significant(rate, 4);
    let tried = probes.iter().map(|Probe { rate, outcome }| {
        let word = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed(_) => "failed",
            Outcome::Unclear(_) => "unclear",
            Outcome::Limited(_) => "not to be trusted",
        };
        format!("{}/s {word}", shown(*rate))
    });
    let mut all: Vec<String> = tried.collect();
    all.push(format!("trying {}/s", shown(rate)));
    all.join(", ")
}

/// Adds the rate that was found to the result.
fn observe(result: &mut ExperimentResult, judge: &Judge<'_>, found: &Found) {
    let about = About {
        kind: MetricKind::Gauge,
        unit: Some("/s".to_owned()),
        description: "highest rate of requests that meets the objectives".to_owned(),
    };
    let observation = Observation {
        at: Some(Timestamp::now()),
        value: Some(found.rate),
        interval: Some(found.interval),
        source: Some(found.reason.clone()),
        faults: found.fault.iter().cloned().collect(),
        ..Observation::default()
    };
    result.observe(&format!("{}/{MAX_RATE_METRIC}", judge.provider), about, judge.version, observation);
}

impl Judge<'_> {
    fn source<'a>(&'a self, faults: &'a [String]) -> Source<'a> {
        Source {
            provider: self.provider,
            version: self.version,
            latency: self.latency,
            target: self.target.clone(),
            percentiles: self.percentiles,
            faults,
        }
    }

    /// What a report comes to by the objectives, as `assess` would judge it.
    fn outcome(&self, report: &Report, confidence: f64) -> Outcome {
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        let mut scratch = ExperimentResult::pending("", "", 1, &[]);
        scratch.confidence = confidence;
        record(&mut scratch, &Source { version: None, ..self.source(&faults) }, report);
        let (verdict, reason) = assess::overall(&assess::assess(&scratch.metrics, 1, &self.objectives));
        match (verdict, faults.first()) {
            // A generator in trouble says nothing of the target, whatever objectives there are.
            (_, Some(fault)) => Outcome::Limited(fault.clone()),
            (Verdict::Pass, None) => Outcome::Passed,
            (Verdict::Fail, None) => Outcome::Failed(reason),
            (Verdict::Inconclusive | Verdict::Invalid, None) => Outcome::Unclear(reason),
        }
    }

    /// How long a rate is to be tried: as long as every percentile needs to have its samples.
    fn length(&self, settings: &Search, rate: f64) -> Duration {
        let names = self.objectives.metrics().filter_map(|name| name.parse::<MetricName>().ok());
        let needed = names.filter_map(|name| name.percentile()).map(|percentile| samples_needed(percentile / 100.0));
        let requests = needed.max().unwrap_or_default().max(LEAST_REQUESTS);
        let time = Duration::try_from_secs_f64(requests as f64 / rate).unwrap_or(Duration::MAX);
        settings.probe_duration().max(time)
    }
}
