//! The loads of one task: sends them one after another or side by side, or searches with the only one, and keeps what they
//! measured. What is sent is the business of each task, sending it that of iter8-load.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use iter8_core::ExperimentResult;
use iter8_core::task::load::{Order, Pace, Search};
use iter8_load::{LoadError, Plan, Progress, Report, Turns};
use tokio_util::sync::CancellationToken;

use super::metrics::{Source, percentiles, record};
use super::search::{self, Subject};
use super::words::{named, said, shown, summary, together};
use crate::tasks::{TaskContext, TaskError};

/// What is particular to the loads of a task.
pub(crate) struct Manner {
    /// Key of its search.
    pub(crate) search: &'static str,
    /// What stands before `mean`, `p99` and so on in the names of its metrics: `latency-` or `latency/`.
    pub(crate) latency: &'static str,
    /// Connections of a search when nothing else is said: they should not be what ends it.
    pub(crate) search_connections: u32,
}

/// One of the loads of a task.
pub(crate) struct Part {
    /// First part of the names of its metrics.
    pub(crate) provider: String,
    /// Its name, if it is one of several endpoints.
    pub(crate) endpoint: Option<String>,
    /// Its share of a load that endpoints have in common.
    pub(crate) weight: u64,
    /// What is asked of it beside its rate.
    pub(crate) pace: Pace,
    /// Whether its inputs say how many connections there are.
    pub(crate) says_connections: bool,
    /// What it sends.
    pub(crate) load: Planned,
}

/// A load that can be sent, with what is needed to say what it was.
pub(crate) struct Planned {
    pub(crate) plan: Plan,
    /// What is called, without credentials.
    pub(crate) target: String,
    /// Digests of what was fetched for it.
    pub(crate) fetched: BTreeMap<String, String>,
    /// When it ends although it is not through.
    pub(crate) most: Option<Duration>,
}

/// Sends the loads of a task.
pub(crate) async fn run(
    mut parts: Vec<Part>,
    manner: &Manner,
    order: Order,
    search: Option<&Search>,
    context: TaskContext<'_>,
) -> Result<String, TaskError> {
    if let (Some(settings), [part]) = (search, parts.as_mut_slice()) {
        return highest_rate(settings, part, manner, context).await;
    }
    match order {
        Order::Sequence => sequence(&parts, manner, context).await,
        Order::SideBySide => side_by_side(parts, manner, context).await,
    }
}

async fn highest_rate(
    settings: &Search,
    part: &mut Part,
    manner: &Manner,
    context: TaskContext<'_>,
) -> Result<String, TaskError> {
    if !part.says_connections {
        part.load.plan.connections = manner.search_connections;
    }
    let subject = Subject {
        key: manner.search,
        provider: &part.provider,
        latency: manner.latency,
        target: &part.load.target,
        pace: &part.pace,
        plan: &part.load.plan,
    };
    let TaskContext { experiment, result, client, namespace, credentials, cancel, progress } = context;
    let again = TaskContext { experiment, result: &mut *result, client, namespace, credentials, cancel, progress };
    let message = search::run(settings, &subject, again).await?;
    part.note_fetched(result);
    Ok(message)
}

async fn sequence(parts: &[Part], manner: &Manner, context: TaskContext<'_>) -> Result<String, TaskError> {
    let mut messages = Vec::new();
    for part in parts {
        let tell = |progress: Progress| (context.progress)(part.said(shown(&progress)));
        let report = measure(&part.load, context.cancel, &tell).await;
        let report = report.map_err(|error| named(part.endpoint.as_deref(), error.into()))?;
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        part.keep(&report, &faults, manner, &context.experiment.percentiles(&part.provider), context.result);
        if report.interrupted && context.cancel.is_cancelled() {
            return Err(TaskError::Cancelled);
        }
        messages.push(part.said(summary(&report)));
    }
    Ok(messages.join("; "))
}

/// Runs a load, and ends it in time although it is not through.
async fn measure(
    load: &Planned,
    cancel: &CancellationToken,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, LoadError> {
    let stop = cancel.child_token();
    let end = async {
        match load.most {
            Some(most) => tokio::time::sleep(most).await,
            None => std::future::pending().await,
        }
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        report = iter8_load::run(&load.plan, &stop, progress) => report,
        never = end => match never {},
    }
}

/// All endpoints take turns at one load. What is wrong with one measurement is wrong with all: they share a generator, and
/// are there to be compared.
async fn side_by_side(mut parts: Vec<Part>, manner: &Manner, context: TaskContext<'_>) -> Result<String, TaskError> {
    let weights: Vec<u64> = parts.iter().map(|part| part.weight).collect();
    for (part, turns) in parts.iter_mut().zip(Turns::by_weight(&weights)) {
        part.load.plan.turns = Some(turns);
    }
    let plans: Vec<Plan> = parts.iter().map(|part| part.load.plan.clone()).collect();
    let far = Mutex::new(vec![Progress::default(); plans.len()]);
    let tell = |index: usize, progress: Progress| {
        let mut far = far.lock().unwrap_or_else(PoisonError::into_inner);
        far[index] = progress;
        (context.progress)(shown(&together(&far)));
    };
    let reports = iter8_load::run_all(&plans, context.cancel, &tell).await;
    let reports = reports.map_err(|(index, error)| named(parts[index].endpoint.as_deref(), error.into()))?;
    let mut faults = Vec::new();
    for (part, report) in parts.iter().zip(&reports) {
        faults.extend(report.faults.iter().map(|fault| part.said(fault.to_string())));
    }
    for (part, report) in parts.iter().zip(&reports) {
        part.keep(report, &faults, manner, &context.experiment.percentiles(&part.provider), context.result);
    }
    if reports.iter().any(|report| report.interrupted) {
        return Err(TaskError::Cancelled);
    }
    let messages = parts.iter().zip(&reports).map(|(part, report)| part.said(summary(report)));
    Ok(messages.collect::<Vec<_>>().join("; "))
}

impl Part {
    fn said(&self, text: String) -> String {
        said(self.endpoint.as_deref(), text)
    }

    /// Adds what the load measured to the result.
    fn keep(&self, report: &Report, faults: &[String], manner: &Manner, needed: &[f64], result: &mut ExperimentResult) {
        let asked = self.pace.percentiles.iter().map(|percentile| percentile.0);
        let source = Source {
            provider: &self.provider,
            latency: manner.latency,
            target: self.load.target.clone(),
            percentiles: &percentiles(asked, needed),
            faults,
        };
        record(result, &source, report);
        self.note_fetched(result);
    }

    fn note_fetched(&self, result: &mut ExperimentResult) {
        if let Some(details) = result.load.get_mut(&self.provider) {
            details.fetched.clone_from(&self.load.fetched);
        }
    }
}
