//! The task `http`: runs the loads that its inputs ask for, one after another, and keeps what they measured. Sending is the
//! business of iter8-load, judging that of iter8-core.

mod plan;

use iter8_core::task::http::{Http, Part};
use iter8_load::Progress;

use super::load::metrics::{Source, percentiles, record};
use super::load::words::{shown, summary};
use super::{TaskContext, TaskError};
use crate::redact::shown_url;

pub(super) async fn run(inputs: &Http, context: TaskContext<'_>) -> Result<String, TaskError> {
    // Before the first request is sent, everything that is needed for the last one is there.
    let mut planned = Vec::new();
    for part in inputs.parts() {
        let plan = plan::plan(&part.load).await.map_err(|error| named(&part, error))?;
        planned.push((part, plan));
    }
    let mut messages = Vec::new();
    for (part, (plan, url)) in planned {
        let shown = |progress: Progress| (context.progress)(said(&part, shown(&progress)));
        let report = iter8_load::run(&plan, context.cancel, &shown).await;
        let report = report.map_err(|error| named(&part, error.into()))?;
        let asked = part.load.pace.percentiles.iter().map(|percentile| percentile.0);
        let source = Source {
            provider: &part.provider,
            latency: "latency-",
            target: shown_url(&url),
            percentiles: &percentiles(asked, &context.experiment.percentiles(&part.provider)),
            faults: &report.faults.iter().map(ToString::to_string).collect::<Vec<_>>(),
        };
        record(context.result, &source, &report);
        if report.interrupted {
            return Err(TaskError::Cancelled);
        }
        messages.push(said(&part, summary(&report)));
    }
    Ok(messages.join("; "))
}

/// `text` about one of several endpoints.
fn said(part: &Part, text: String) -> String {
    match &part.endpoint {
        Some(endpoint) => format!("{endpoint}: {text}"),
        None => text,
    }
}

/// An error of one of several endpoints.
fn named(part: &Part, error: TaskError) -> TaskError {
    match &part.endpoint {
        Some(endpoint) => TaskError::Endpoint { endpoint: endpoint.clone(), source: Box::new(error) },
        None => error,
    }
}
