//! The task `http`: runs the loads that its inputs ask for, one after another or side by side, and keeps what they measured.
//! Sending is the business of iter8-load, judging that of iter8-core.

mod plan;
mod vary;

use std::sync::{Mutex, PoisonError};

use iter8_core::ExperimentResult;
use iter8_core::task::http::{Http, Part};
use iter8_core::task::load::Order;
use iter8_load::{Plan, Progress, Report, Turns};

use super::load::metrics::{Source, percentiles, record};
use super::load::search;
use super::load::words::{named, said, shown, summary, together};
use super::{TaskContext, TaskError};

/// Connections of a search when nothing else is said: they should not be what ends it.
const SEARCH_CONNECTIONS: u32 = 512;

/// A load that can be sent, with what is needed to say what it was.
struct Planned {
    part: Part,
    plan: Plan,
    /// What is called, without credentials.
    target: String,
}

pub(super) async fn run(inputs: &Http, context: TaskContext<'_>) -> Result<String, TaskError> {
    // Before the first request is sent, everything that is needed for the last one is there.
    let mut planned = Vec::new();
    for part in inputs.parts() {
        let (plan, target) = plan::plan(&part.load).await.map_err(|error| named(part.endpoint.as_deref(), error))?;
        planned.push(Planned { part, plan, target });
    }
    if let (Some(settings), [load]) = (&inputs.search, planned.as_mut_slice()) {
        if load.part.load.connections.is_none() {
            load.plan.connections = SEARCH_CONNECTIONS;
        }
        let subject = search::Subject {
            key: "http.search",
            provider: &load.part.provider,
            latency: "latency-",
            target: &load.target,
            pace: &load.part.load.pace,
            plan: &load.plan,
        };
        return search::run(settings, &subject, context).await;
    }
    match inputs.order() {
        Order::Sequence => sequence(&planned, context).await,
        Order::SideBySide => side_by_side(planned, context).await,
    }
}

async fn sequence(planned: &[Planned], context: TaskContext<'_>) -> Result<String, TaskError> {
    let mut messages = Vec::new();
    for load in planned {
        let tell = |progress: Progress| (context.progress)(said(load.part.endpoint.as_deref(), shown(&progress)));
        let report = iter8_load::run(&load.plan, context.cancel, &tell).await;
        let report = report.map_err(|error| named(load.part.endpoint.as_deref(), error.into()))?;
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        keep(load, &report, &faults, &context.experiment.percentiles(&load.part.provider), context.result);
        if report.interrupted {
            return Err(TaskError::Cancelled);
        }
        messages.push(said(load.part.endpoint.as_deref(), summary(&report)));
    }
    Ok(messages.join("; "))
}

/// All endpoints take turns at one load. What is wrong with one measurement is wrong with all: they share a generator, and
/// are there to be compared.
async fn side_by_side(mut planned: Vec<Planned>, context: TaskContext<'_>) -> Result<String, TaskError> {
    let weights: Vec<u64> = planned.iter().map(|load| load.part.weight).collect();
    for (load, turns) in planned.iter_mut().zip(Turns::by_weight(&weights)) {
        load.plan.turns = Some(turns);
    }
    let plans: Vec<Plan> = planned.iter().map(|load| load.plan.clone()).collect();
    let far = Mutex::new(vec![Progress::default(); plans.len()]);
    let tell = |index: usize, progress: Progress| {
        let mut far = far.lock().unwrap_or_else(PoisonError::into_inner);
        far[index] = progress;
        (context.progress)(shown(&together(&far)));
    };
    let reports = iter8_load::run_all(&plans, context.cancel, &tell).await;
    let reports = reports.map_err(|(index, error)| named(planned[index].part.endpoint.as_deref(), error.into()))?;
    let mut faults = Vec::new();
    for (load, report) in planned.iter().zip(&reports) {
        faults.extend(report.faults.iter().map(|fault| said(load.part.endpoint.as_deref(), fault.to_string())));
    }
    for (load, report) in planned.iter().zip(&reports) {
        keep(load, report, &faults, &context.experiment.percentiles(&load.part.provider), context.result);
    }
    if reports.iter().any(|report| report.interrupted) {
        return Err(TaskError::Cancelled);
    }
    let messages =
        planned.iter().zip(&reports).map(|(load, report)| said(load.part.endpoint.as_deref(), summary(report)));
    Ok(messages.collect::<Vec<_>>().join("; "))
}

/// Adds what a load measured to the result.
fn keep(load: &Planned, report: &Report, faults: &[String], needed: &[f64], result: &mut ExperimentResult) {
    let Planned { part, target, .. } = load;
    let asked = part.load.pace.percentiles.iter().map(|percentile| percentile.0);
    let source = Source {
        provider: &part.provider,
        latency: "latency-",
        target: target.clone(),
        percentiles: &percentiles(asked, needed),
        faults,
    };
    record(result, &source, report);
}
