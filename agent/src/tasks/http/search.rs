//! The search of the task `http` for the highest rate that meets objectives: which they are, and how a probe is sent.

use std::time::Duration;

use iter8_core::task::load::{MAX_RATE_METRIC, Search};
use iter8_load::{Arrivals, Limit, Plan, Schedule, WhenBusy};

use super::Planned;
use crate::tasks::load::metrics::percentiles;
use crate::tasks::load::search::{Judge, search};
use crate::tasks::{TaskContext, TaskError};

/// Connections of a search when nothing else is said: they should not be what ends it.
const CONNECTIONS: u32 = 512;
/// Which part of a probe goes before it unmeasured, when nothing else is said: what the one before left behind is worked off
/// meanwhile.
const WARMUP_PART: u32 = 10;

pub(super) async fn run(settings: &Search, load: &Planned, context: TaskContext<'_>) -> Result<String, TaskError> {
    let provider = load.part.provider.as_str();
    let mut objectives = context.experiment.objectives_on(provider, MAX_RATE_METRIC);
    if settings.slos.is_some() {
        objectives.slos.clone_from(&settings.slos);
    }
    if objectives.metrics().next().is_none() {
        let source =
            "there is no objective that a rate could meet: set search.SLOs, or objectives of assess on http/…".into();
        return Err(TaskError::Input { key: "http.search", source });
    }
    let asked = load.part.load.pace.percentiles.iter().map(|percentile| percentile.0);
    let needed = objectives.metrics().filter_map(|name| name.parse::<iter8_core::MetricName>().ok()?.percentile());
    let needed: Vec<f64> = needed.chain(context.experiment.percentiles(provider)).collect();
    let judge = Judge {
        provider,
        latency: "latency-",
        target: load.target.clone(),
        percentiles: &percentiles(asked, &needed),
        objectives,
    };
    let send = async |rate: f64, length: Duration, is_first: bool| {
        let plan = probe(load, rate, length, is_first);
        Ok(iter8_load::run(&plan, context.cancel, &|_| {}).await?)
    };
    search(settings, &judge, context.result, context.progress, send).await
}

/// The load that tries a rate for a time.
fn probe(load: &Planned, rate: f64, length: Duration, is_first: bool) -> Plan {
    let mut plan = load.plan.clone();
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
    if load.part.load.connections.is_none() {
        plan.connections = CONNECTIONS;
    }
    plan
}
