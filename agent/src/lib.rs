//! Runs experiments: in a cluster as the program `iter8-agent`, or in process for a local run of the plugin.
//!
//! [`runner::run`] takes the steps of an experiment in order; [`tasks`] holds what each kind of task does; the result
//! goes to a [`store::ResultStore`] at every step. Deciding what a measurement means is iter8-core's business, sending
//! load that of iter8-load.

pub mod args;
pub mod autox;
pub mod credentials;
pub mod fetch;
pub mod lint;
pub mod redact;
pub mod runner;
mod secret_store;
pub mod shutdown;
pub mod store;
pub mod tasks;

/// Latencies as a result keeps them, for whoever draws them.
pub use iter8_load::Histogram;
