//! The task `grpc`: runs the loads that its inputs ask for, one after another, and keeps what they measured. Sending is the
//! business of iter8-load, judging that of iter8-core.

mod data;
mod descriptors;
mod message;
mod metadata;
mod plan;
mod reflection;
mod source;

use std::time::Duration;

use iter8_core::task::grpc::{Grpc, Part};
use iter8_core::task::load::Search;
use iter8_load::{LoadError, Plan, Progress, Report};
use tokio_util::sync::CancellationToken;

use super::load::metrics::{Source, percentiles, record};
use super::load::search::{self, Subject};
use super::load::words::{named, said, shown, summary};
use super::{TaskContext, TaskError};

/// Connections of a search when nothing else is said: they carry as many calls as should not be what ends it.
const SEARCH_CONNECTIONS: u32 = 8;

pub(super) async fn run(inputs: &Grpc, context: TaskContext<'_>) -> Result<String, TaskError> {
    // Before the first call is made, everything that is needed for the last one is there.
    let mut planned = Vec::new();
    for part in inputs.parts() {
        let plan = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            plan = plan::plan(&part.calls) => plan.map_err(|error| named(part.endpoint.as_deref(), error))?,
        };
        planned.push((part, plan));
    }
    if let (Some(settings), [(part, planned)]) = (&inputs.search, planned.as_mut_slice()) {
        return highest_rate(settings, part, planned, context).await;
    }
    let mut messages = Vec::new();
    for (part, planned) in planned {
        let shown = |progress: Progress| (context.progress)(said(part.endpoint.as_deref(), shown(&progress)));
        let report = measure(&planned.plan, planned.most, context.cancel, &shown).await;
        let report = report.map_err(|error| named(part.endpoint.as_deref(), error.into()))?;
        let asked = part.calls.pace.percentiles.iter().map(|percentile| percentile.0);
        let source = Source {
            provider: &part.provider,
            latency: "latency/",
            target: planned.target,
            percentiles: &percentiles(asked, &context.experiment.percentiles(&part.provider)),
            faults: &report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        record(context.result, &source, &report);
        if let Some(details) = context.result.load.get_mut(&part.provider) {
            details.fetched = planned.fetched;
        }
        if context.cancel.is_cancelled() && report.interrupted {
            return Err(TaskError::Cancelled);
        }
        messages.push(said(part.endpoint.as_deref(), summary(&report)));
    }
    Ok(messages.join("; "))
}

async fn highest_rate(
    settings: &Search,
    part: &Part,
    planned: &mut plan::Planned,
    context: TaskContext<'_>,
) -> Result<String, TaskError> {
    if part.calls.connections.is_none() {
        planned.plan.connections = SEARCH_CONNECTIONS;
    }
    let subject = Subject {
        key: "grpc.search",
        provider: &part.provider,
        latency: "latency/",
        target: &planned.target,
        pace: &part.calls.pace,
        plan: &planned.plan,
    };
    let TaskContext { experiment, result, client, namespace, credentials, cancel, progress } = context;
    let again = TaskContext { experiment, result: &mut *result, client, namespace, credentials, cancel, progress };
    let message = search::run(settings, &subject, again).await?;
    if let Some(details) = result.load.get_mut(&part.provider) {
        details.fetched = std::mem::take(&mut planned.fetched);
    }
    Ok(message)
}

/// Runs a load, and ends it after `most` although it is not through.
async fn measure(
    plan: &Plan,
    most: Option<Duration>,
    cancel: &CancellationToken,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, LoadError> {
    let stop = cancel.child_token();
    let end = async {
        match most {
            Some(most) => tokio::time::sleep(most).await,
            None => std::future::pending().await,
        }
        stop.cancel();
        std::future::pending().await
    };
    tokio::select! {
        report = iter8_load::run(plan, &stop, progress) => report,
        never = end => match never {},
    }
}
