//! Takes an experiment through its steps.

mod event;
mod run;

pub use event::{Event, EventKind};
pub(crate) use run::chain;
pub use run::{Identity, RunError, run};
