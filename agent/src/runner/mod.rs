//! Takes an experiment through its steps.

mod event;
mod run;

pub use event::{Event, EventKind};
pub use run::{Identity, RunError, run};
