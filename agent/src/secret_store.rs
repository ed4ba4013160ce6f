//! Keeps the result in its Secret. How a Secret is written safely is the business of iter8-cluster.

use iter8_cluster::result_secret::ResultSecret;
use iter8_core::ExperimentResult;

use crate::store::{ResultStore, StoreError};

impl ResultStore for ResultSecret {
    async fn load(&self) -> Result<Option<ExperimentResult>, StoreError> {
        Ok(self.read().await?)
    }

    async fn save(&self, result: &ExperimentResult) -> Result<(), StoreError> {
        Ok(self.write(result).await?)
    }
}
