//! Sends load and records what came back.
//!
//! A [`Plan`] says what to send, when and for how long; [`run`] does it; the [`Report`] says what happened, and whether
//! the measurement can be trusted. A plan can be split into shares and reports can be merged without loss, so that load
//! can be spread over workers, processes and machines.
//!
//! The model is open unless a plan says otherwise: every request has an intended time that does not depend on the answers to others, and latency
//! counts from it. A target that stalls therefore cannot hide its stall by holding back the requests that would have
//! seen it ("coordinated omission").
//!
//! Nothing here knows of experiments or Kubernetes.
#![warn(missing_docs)]

mod budget;
mod call;
mod carrier;
mod clock;
mod dial;
mod error;
mod fault;
#[cfg(test)]
mod fuzz;
mod growth;
pub mod grpc;
mod histogram;
mod http1;
mod http2;
mod lane;
mod linger;
mod moments;
mod plan;
mod recorder;
mod redirect;
mod report;
mod run;
mod schedule;
mod target;
mod throttle;
mod turns;
mod vary;
mod worker;

pub use dial::connect;
pub use error::LoadError;
pub use fault::Fault;
pub use histogram::Histogram;
pub use moments::Moments;
pub use plan::{Arrivals, Level, Limit, Plan, Share, StatusRange, WhenBusy};
pub use report::{ErrorDetail, ErrorKind, Outcome, Report, Second, Warmup};
pub use run::{Progress, run, run_all};
pub use schedule::{Schedule, Stage, Times};
pub use target::{Identity, Protocol, Target, Tls};
pub use turns::Turns;
pub use vary::{Make, Places, Varied, Vary};
