//! The words of iter8 as types, and the decisions made with them.
//!
//! An [`Experiment`] is an ordered list of steps; running it fills an [`ExperimentResult`]; [`assess::assess`] turns the
//! measured metrics and the objectives into a [`Verdict`] that is never better than its evidence.
//!
//! This crate is pure: it has no clock, no files, no network, no environment and no async runtime. Whoever
//! calls it passes the time in and writes the answer out.
#![warn(missing_docs)]

pub mod assess;
pub mod autox;
pub mod condition;
pub mod cron;
pub mod duration;
pub mod exit_code;
pub mod experiment;
pub mod legacy;
pub mod metric;
pub mod record;
pub mod result;
pub mod scalar;
pub mod schema;
pub mod slo;
pub mod stats;
pub mod step_condition;
pub mod suggest;
pub mod summary;
pub mod task;
pub mod values;
pub mod verdict;
pub mod yaml;

pub use duration::GoDuration;
pub use exit_code::ExitCode;
pub use experiment::{Experiment, SpecError, Step};
pub use metric::{Metric, MetricKind, MetricName, Observation};
pub use result::{ExperimentResult, Phase};
pub use task::Task;
pub use verdict::Verdict;
