//! The task `grpc`: from its inputs to the loads that they ask for. Sending is the business of iter8-load, judging that of
//! iter8-core.

mod data;
mod descriptors;
mod message;
mod metadata;
mod plan;
mod reflection;

use iter8_core::task::grpc::{Grpc, PROVIDER};

use super::load::parts::{self, Manner, Part};
use super::load::words::named;
use super::{TaskContext, TaskError};

/// A connection carries many calls.
const MANNER: Manner = Manner { provider: PROVIDER, search: "grpc.search", latency: "latency/", search_connections: 8 };

pub(super) async fn run(inputs: &Grpc, context: TaskContext<'_>) -> Result<String, TaskError> {
    // Before the first call is made, everything that is needed for the last one is there.
    let mut parts = Vec::new();
    for part in inputs.parts() {
        let load = tokio::select! {
            biased;
            () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
            load = plan::plan(&part.calls, context.credentials) => load.map_err(|error| named(part.endpoint.as_deref(), error))?,
        };
        parts.push(Part {
            provider: part.provider,
            endpoint: part.endpoint,
            weight: part.weight,
            says_connections: part.calls.connections.is_some(),
            version: part.calls.app_version.name(),
            pace: part.calls.pace,
            load,
        });
    }
    parts::run(parts, &MANNER, inputs.order(), inputs.search.as_ref(), context).await
}
