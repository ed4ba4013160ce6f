//! What every command works with: the connection to the cluster (made when first needed), the namespace and the
//! printer.

use std::sync::Arc;

use iter8_cluster::ClusterError;
use iter8_core::ExitCode;
use tokio::sync::OnceCell;

use crate::connect::{ConnectEnv, Connection, GlobalArgs};
use crate::error::CliError;
use crate::printer::Printer;

/// Made once for a command.
pub(crate) struct Context {
    pub(crate) printer: Arc<Printer>,
    globals: GlobalArgs,
    env: ConnectEnv,
    connection: OnceCell<Connection>,
}
