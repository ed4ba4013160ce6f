//! The task `http`: from its inputs to the loads that they ask for. Sending is the business of iter8-load, judging that of
//! iter8-core.

mod plan;
mod vary;

use iter8_core::task::http::{Http, PROVIDER};

use super::load::parts::{self, Manner, Part};
use super::load::words::named;
use super::{TaskContext, TaskError};

const MANNER: Manner =
    Manner { provider: PROVIDER, search: "http.search", latency: "latency-", search_connections: 512 };

pub(super) async fn run(inputs: &Http, context: TaskContext<'_>) -> Result<String, TaskError> {
    // Before the first request is sent, everything that is needed for the last one is there.
    let mut parts = Vec::new();
    for part in inputs.parts() {
        let load = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            load = plan::plan(&part.load, context.credentials) =>
                load.map_err(|error| named(part.endpoint.as_deref(), error))?,
        };
        parts.push(Part {
            provider: part.provider,
            endpoint: part.endpoint,
            weight: part.weight,
            says_connections: part.load.connections.is_some(),
            version: part.load.app_version.name(),
            pace: part.load.pace,
            load,
        });
    }
    parts::run(parts, &MANNER, inputs.order(), inputs.search.as_ref(), context).await
}
