//! `delete`: removes a group with everything that belongs to it.

use std::time::Duration;

use clap::Args;
use iter8_cluster::delete::delete;
use iter8_cluster::error::ClusterError;
use iter8_core::{ExitCode, GoDuration};

use crate::context::Context;
use crate::error::CliError;
use crate::local::{LocalStore, StoreError};
use crate::source::GroupArgs;

/// Delete a group: its experiment, its results and its permissions
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 delete
  kubectl iter8 delete -g checkout --ignore-not-found")]
pub(crate) struct DeleteArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// Succeed when there is no such group
    #[arg(long)]
    ignore_not_found: bool,
    /// How long to wait until everything is gone; 0 does not wait
    #[arg(long, default_value_t = GoDuration(Duration::from_secs(60)))]
    timeout: GoDuration,
}

pub(crate) async fn run(args: DeleteArgs, context: &Context) -> Result<ExitCode, CliError> {
    let group = &args.group.group;
    if args.group.local {
        if LocalStore::of_user()?.delete(group.as_str())? {
            context.printer.data(&format!("local group \"{group}\" deleted\n"))?;
        } else if !args.ignore_not_found {
            return Err(StoreError::NotFound { group: group.to_string(), revision: None }.into());
        }
        return Ok(ExitCode::Satisfied);
    }
    let client = context.client().await?;
    let wait = Some(args.timeout.0).filter(|timeout| !timeout.is_zero());
    match delete(&client, context.namespace()?, group, wait).await {
        Ok(outcomes) => {
            let lines: String = outcomes.iter().map(|outcome| format!("{outcome}\n")).collect();
            context.printer.data(&lines)?;
            Ok(ExitCode::Satisfied)
        }
        Err(ClusterError::NotFound { .. }) if args.ignore_not_found => Ok(ExitCode::Satisfied),
        Err(error) => Err(context.cluster_error(error)),
    }
}
