//! `autox delete`: removes AutoX, with the experiments that it launched.

use std::time::Duration;

use clap::Args;
use iter8_cluster::error::ClusterError;
use iter8_cluster::install::uninstall;
use iter8_core::{ExitCode, GoDuration};

use super::{NameArgs, cluster_error};
use crate::context::Context;
use crate::error::CliError;

/// Remove AutoX and the experiments that it launched
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 autox delete -n iter8

  # Leave the experiments and their results where they are
  kubectl iter8 autox delete -n iter8 --keep-experiments")]
pub(super) struct DeleteArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Leave the experiments, with their results
    #[arg(long)]
    keep_experiments: bool,
    /// Succeed when there is no such AutoX
    #[arg(long)]
    ignore_not_found: bool,
    /// How long to wait until everything is gone
    #[arg(long, default_value_t = GoDuration(Duration::from_secs(60)))]
    timeout: GoDuration,
}

pub(super) async fn run(args: DeleteArgs, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client().await?;
    let (name, namespace) = (&args.name.name, context.namespace()?);
    match uninstall(&client, namespace, name, args.keep_experiments, args.timeout.0).await {
        Ok(outcomes) => {
            let lines: String = outcomes.iter().map(|outcome| format!("{outcome}\n")).collect();
            context.printer.data(&lines)?;
            Ok(ExitCode::Satisfied)
        }
        Err(ClusterError::NoAutox { .. }) if args.ignore_not_found => Ok(ExitCode::Satisfied),
        Err(error) => Err(cluster_error(context, error)),
    }
}
