//! Experiments without a cluster: the same runner in process, results in files of the user.

mod run;
mod store;

pub(crate) use run::{Loops, Ran, run_experiment};
pub(crate) use store::{LocalGroup, LocalStore, MemoryStore, StoreError};
