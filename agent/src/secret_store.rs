//! Keeps the result in its Secret. How a Secret is written safely is the business of iter8-cluster.

use std::time::Duration;

use iter8_cluster::result::{read_secret_result, write_result};
use iter8_core::ExperimentResult;
use kube::Client;
use tokio::sync::Mutex;

use crate::store::{ResultStore, StoreError};

/// How long an outage of the API server is waited out between steps, and at the end.
const PATIENCE: Duration = Duration::from_secs(60);

/// The result Secret of one revision.
pub struct SecretStore {
    client: Client,
    namespace: String,
    secret: String,
    /// Version of the Secret as it was last read or written.
    version: Mutex<Option<String>>,
}

impl SecretStore {
    /// The Secret `secret` in `namespace`, which exists.
    pub fn new(client: Client, namespace: &str, secret: &str) -> Self {
        let (namespace, secret) = (namespace.to_owned(), secret.to_owned());
        Self { client, namespace, secret, version: Mutex::new(None) }
    }
}

impl ResultStore for SecretStore {
    async fn load(&self) -> Result<Option<ExperimentResult>, StoreError> {
        Ok(read_secret_result(&self.client, &self.namespace, &self.secret).await?)
    }

    async fn save(&self, result: &ExperimentResult) -> Result<(), StoreError> {
        let mut version = self.version.lock().await;
        let known = version.take();
        let written =
            write_result(&self.client, &self.namespace, &self.secret, result, known.as_deref(), PATIENCE).await?;
        *version = Some(written);
        Ok(())
    }
}
