//! Experiments without a cluster: the same runner in process, results in files of the user.

mod run;
mod store;

pub use run::run_experiment;
pub use store::{LocalStore, MemoryStore, StoreError};
