//! What every command works with: the connection to the cluster (made when first needed), the namespace and the
//! printer.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use iter8_cluster::error::ClusterError;
use iter8_core::ExitCode;
use kube::Client;
use tokio::sync::OnceCell;

use crate::connect::{Aside, ConnectEnv, GlobalArgs, LegacyLogLevel, Target, Tell};
use crate::error::CliError;
use crate::printer::Printer;

/// Made once for a command.
pub(crate) struct Context {
    pub(crate) printer: Arc<Printer>,
    globals: GlobalArgs,
    env: ConnectEnv,
    target: OnceLock<Target>,
    client: OnceCell<Client>,
    /// Warnings of the API server so far.
    warnings: Arc<AtomicUsize>,
}

/// The verbosity from which on kubectl shows requests.
const SHOW_REQUESTS: u8 = 6;

impl Context {
    pub(crate) fn new(globals: GlobalArgs, env: ConnectEnv, printer: Printer) -> Self {
        if globals.burst_limit.is_some() {
            printer.warning("--burst-limit has no effect: few requests are made, and the API server says when to wait");
        }
        Self {
            printer: Arc::new(printer),
            globals,
            env,
            target: OnceLock::new(),
            client: OnceCell::new(),
            warnings: Arc::default(),
        }
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
            let tell = self.tell();
            self.target()?.connect(&self.globals, &self.env, tell).await.map_err(CliError::from)
        };
        self.client.get_or_try_init(connect).await.cloned()
    }

    /// What is told about each request to the API server.
    fn tell(&self) -> Tell {
        let (printer, warnings) = (self.printer.clone(), self.warnings.clone());
        let logs_all = self.globals.loglevel.is_some_and(|level| level >= LegacyLogLevel::Debug);
        let shows_requests = self.globals.verbosity >= SHOW_REQUESTS || logs_all;
        Arc::new(move |aside| match aside {
            Aside::Warning(text) => {
                warnings.fetch_add(1, Ordering::Relaxed);
                printer.warning(&text);
            }
            Aside::Request(text) if shows_requests => printer.status(&text),
            Aside::Request(_) => {}
        })
    }

    /// The outcome of a command, after `--warnings-as-errors` has had its say.
    pub(crate) fn judged(&self, outcome: Result<ExitCode, CliError>) -> Result<ExitCode, CliError> {
        match (self.warnings.load(Ordering::Relaxed), outcome) {
            (count @ 1.., Ok(ExitCode::Satisfied)) if self.globals.warnings_as_errors => {
                let plural = if count == 1 { "" } else { "s" };
                Err(CliError::new(ExitCode::Unsatisfied, format!("{count} warning{plural} received")))
            }
            (_, outcome) => outcome,
        }
    }

    /// An error of the cluster with what can be done about it.
    pub(crate) fn cluster_error(&self, error: ClusterError) -> CliError {
        error.into()
    }
}
