//! Where results are kept while an experiment runs. The runner saves; tasks never do.

use std::error::Error;

use iter8_core::ExperimentResult;

/// Why a result could not be loaded or saved, in the words of the store.
pub type StoreError = Box<dyn Error + Send + Sync>;

/// Keeps the result of one revision.
pub trait ResultStore {
    /// What was saved last; None when nothing was.
    fn load(&self) -> impl Future<Output = Result<Option<ExperimentResult>, StoreError>> + Send;

    /// Replaces what was saved last.
    fn save(&self, result: &ExperimentResult) -> impl Future<Output = Result<(), StoreError>> + Send;
}
