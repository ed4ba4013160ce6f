//! The loads of one task: sends them one after another or side by side, or searches with the only one, and keeps what they
//! measured. What is sent is the business of each task, sending it that of iter8-load.

use std::collections::BTreeMap;
use std::slice;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use iter8_core::ExperimentResult;
use iter8_core::result::{Version, load_key};
use iter8_core::task::load::{Order, Pace, Search};
use iter8_load::{LoadError, Plan, Progress, Report, Turns};
use tokio_util::sync::CancellationToken;

use super::metrics::{Source, percentiles, record};
use super::search::{self, Subject};
use super::versions::Versions;
use super::words::{named, said, shown, summary, together};
use crate::tasks::{TaskContext, TaskError};

/// What is particular to the loads of a task.
pub(crate) struct Manner {
    /// First part of the names of its metrics, if it has no endpoints.
    pub(crate) provider: &'static str,
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
    /// The version of the app that it is sent to, if one is named.
    pub(crate) version: Option<Version>,
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
    mut context: TaskContext<'_>,
) -> Result<String, TaskError> {
    if let (Some(settings), [part]) = (search, parts.as_mut_slice()) {
        return highest_rate(settings, part, manner, context).await;
    }
    if order == Order::SideBySide {
        share(&mut parts);
    }
    let versions = Versions::of(&parts, manner, order, context.result);
    let mut reports = Vec::new();
    let ended = match order {
        Order::Sequence => sequence(&parts, manner, &mut context, &mut reports).await,
        Order::SideBySide => side_by_side(&parts, manner, &mut context, &mut reports).await,
    };
    let is_stopped = matches!(ended, Err(TaskError::Cancelled));
    versions.keep(&reports, is_stopped, context.experiment, context.result);
    ended
}

/// Has all endpoints take turns at one load.
fn share(parts: &mut [Part]) {
    let weights: Vec<u64> = parts.iter().map(|part| part.weight).collect();
    for (part, turns) in parts.iter_mut().zip(Turns::by_weight(&weights)) {
        part.load.plan.turns = Some(turns);
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
    let TaskContext { experiment, result, client, namespace, credentials, cancel, progress } = context;
    let version = part.version.as_ref().and_then(|named| result.number_versions(slice::from_ref(named)).pop());
    let subject = Subject {
        key: manner.search,
        provider: &part.provider,
        version,
        latency: manner.latency,
        target: &part.load.target,
        pace: &part.pace,
        plan: &part.load.plan,
    };
    let again = TaskContext { experiment, result: &mut *result, client, namespace, credentials, cancel, progress };
    let message = search::run(settings, &subject, again).await?;
    part.note_fetched(version, result);
    Ok(message)
}

async fn sequence(
    parts: &[Part],
    manner: &Manner,
    context: &mut TaskContext<'_>,
    reports: &mut Vec<Report>,
) -> Result<String, TaskError> {
    let mut messages = Vec::new();
    for part in parts {
        let tell = |progress: Progress| (context.progress)(part.said(shown(&progress)));
        let report = measure(&part.load, context.cancel, &tell).await;
        let report = report.map_err(|error| named(part.endpoint.as_deref(), error.into()))?;
        let faults: Vec<String> = report.faults.iter().map(ToString::to_string).collect();
        part.keep(&report, &faults, manner, &context.experiment.percentiles(&part.provider), context.result);
        let is_stopped = report.interrupted && context.cancel.is_cancelled();
        messages.push(part.said(summary(&report)));
        reports.push(report);
        if is_stopped {
            return Err(TaskError::Cancelled);
        }
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

/// Runs all loads at the same time. What is wrong with one measurement is wrong with all: they share a generator, and
/// are there to be compared.
async fn side_by_side(
    parts: &[Part],
    manner: &Manner,
    context: &mut TaskContext<'_>,
    reports: &mut Vec<Report>,
) -> Result<String, TaskError> {
    let plans: Vec<Plan> = parts.iter().map(|part| part.load.plan.clone()).collect();
    let far = Mutex::new(vec![Progress::default(); plans.len()]);
    let tell = |index: usize, progress: Progress| {
        let mut far = far.lock().unwrap_or_else(PoisonError::into_inner);
        far[index] = progress;
        (context.progress)(shown(&together(&far)));
    };
    let sent = iter8_load::run_all(&plans, context.cancel, &tell).await;
    *reports = sent.map_err(|(index, error)| named(parts[index].endpoint.as_deref(), error.into()))?;
    let faults = faults_of(parts.iter().zip(reports.iter()));
    for (part, report) in parts.iter().zip(reports.iter()) {
        part.keep(report, &faults, manner, &context.experiment.percentiles(&part.provider), context.result);
    }
    if reports.iter().any(|report| report.interrupted) {
        return Err(TaskError::Cancelled);
    }
    let messages = parts.iter().zip(reports.iter()).map(|(part, report)| part.said(summary(report)));
    Ok(messages.collect::<Vec<_>>().join("; "))
}

/// What is wrong with measurements, each with the name of its endpoint.
pub(super) fn faults_of<'a>(loads: impl Iterator<Item = (&'a Part, &'a Report)>) -> Vec<String> {
    loads.flat_map(|(part, report)| report.faults.iter().map(|fault| part.said(fault.to_string()))).collect()
}

impl Part {
    fn said(&self, text: String) -> String {
        said(self.endpoint.as_deref(), text)
    }

    /// Adds what the load measured to the result, unless it is all that is measured of its version.
    fn keep(&self, report: &Report, faults: &[String], manner: &Manner, needed: &[f64], result: &mut ExperimentResult) {
        if self.endpoint.is_none() && self.version.is_some() {
            return;
        }
        let asked = self.pace.percentiles.iter().map(|percentile| percentile.0);
        let source = Source {
            provider: &self.provider,
            version: None,
            latency: manner.latency,
            target: self.load.target.clone(),
            percentiles: &percentiles(asked, needed),
            faults,
        };
        record(result, &source, report);
        self.note_fetched(None, result);
    }

    fn note_fetched(&self, version: Option<usize>, result: &mut ExperimentResult) {
        if let Some(details) = result.load.get_mut(&load_key(&self.provider, version)) {
            details.fetched.clone_from(&self.load.fetched);
        }
    }
}
