//! What every command works with: the connection to the cluster (made when first needed), the namespace and the
//! printer.

use std::sync::{Arc, OnceLock};

use iter8_cluster::error::ClusterError;
use kube::Client;
use tokio::sync::OnceCell;

use crate::connect::{ConnectEnv, GlobalArgs, Target};
use crate::error::CliError;
use crate::printer::Printer;

/// Made once for a command.
pub(crate) struct Context {
    pub(crate) printer: Arc<Printer>,
    globals: GlobalArgs,
    env: ConnectEnv,
    target: OnceLock<Target>,
    client: OnceCell<Client>,
}

impl Context {
    pub(crate) fn new(globals: GlobalArgs, env: ConnectEnv, printer: Printer) -> Self {
        Self { printer: Arc::new(printer), globals, env, target: OnceLock::new(), client: OnceCell::new() }
    }

    fn target(&self) -> Result<&Target, CliError> {
        if let Some(target) = self.target.get() {
            return Ok(target);
        }
        let found = Target::find(&self.globals, &self.env)?;
        Ok(self.target.get_or_init(|| found))
    }

    /// The namespace, which may come from the kubeconfig.
    pub(crate) fn namespace(&self) -> Result<&str, CliError> {
        Ok(&self.target()?.namespace)
    }

    /// The namespace for objects that are only shown: without a kubeconfig, the one that was named, or `default`.
    pub(crate) fn namespace_or_default(&self) -> &str {
        self.namespace().unwrap_or_else(|_| self.globals.namespace.as_deref().unwrap_or("default"))
    }

    /// The client of the API server.
    pub(crate) async fn client(&self) -> Result<Client, CliError> {
        let connect = async || {
            let printer = self.printer.clone();
            let warn = Arc::new(move |text: &str| printer.warning(text));
            self.target()?.connect(&self.globals, &self.env, warn).await.map_err(CliError::from)
        };
        self.client.get_or_try_init(connect).await.cloned()
    }

    /// An error of the cluster with what can be done about it.
    pub(crate) fn cluster_error(&self, error: ClusterError) -> CliError {
        error.into()
    }
}
