//! `log`: shows what the agent logged; from its pod while there is one, else from the result.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use iter8_cluster::logs::stream_log;
use iter8_cluster::names::Revision;
use iter8_core::{ExitCode, Phase};
use tokio::time::sleep;

use crate::context::Context;
use crate::error::CliError;
use crate::source::{GroupArgs, SourceArgs, parse_revision};

/// Print the log of an experiment
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 log
  kubectl iter8 log -g checkout -f")]
pub(crate) struct LogArgs {
    #[command(flatten)]
    group: GroupArgs,
    /// Number of the launch; the newest when not given
    #[arg(long, value_name = "N", value_parser = parse_revision)]
    revision: Option<u32>,
    /// Wait for the agent to start, and go on until it ends
    #[arg(short, long)]
    follow: bool,
}

/// How often a log that does not exist yet is asked for.
const POLL: Duration = Duration::from_millis(500);

pub(crate) async fn run(args: LogArgs, context: &Context) -> Result<ExitCode, CliError> {
    let source = SourceArgs { group: args.group, revision: args.revision, filename: None };
    let mut kept = source.read(context).await?;
    if !source.group.local {
        while !print_pod(&source, kept.revision, args.follow, context).await? {
            let may_start = matches!(kept.phase, Phase::Pending | Phase::Running);
            if !args.follow || !may_start {
                return print_kept(&kept.log, context);
            }
            sleep(POLL).await;
            kept = source.read(context).await?;
        }
        return Ok(ExitCode::Satisfied);
    }
    print_kept(&kept.log, context)
}

/// Prints the lines that the result keeps.
fn print_kept(log: &[String], context: &Context) -> Result<ExitCode, CliError> {
    if log.is_empty() {
        context.printer.status("Nothing was logged yet.");
    }
    let text: String = log.iter().map(|line| format!("{line}\n")).collect();
    context.printer.data(&text)?;
    Ok(ExitCode::Satisfied)
}

/// Prints what the pod of a revision logs. Returns whether there is a pod that has started.
async fn print_pod(source: &SourceArgs, revision: u32, follow: bool, context: &Context) -> Result<bool, CliError> {
    let client = context.client().await?;
    let (namespace, group) = (context.namespace()?, &source.group.group);
    let lines = stream_log(&client, namespace, group, Revision(revision), follow).await;
    let Some(lines) = lines.map_err(|error| context.cluster_error(error))? else { return Ok(false) };
    let mut lines = std::pin::pin!(lines);
    while let Some(line) = lines.next().await {
        let line = line.map_err(|error| context.cluster_error(error))?;
        context.printer.data(&format!("{line}\n"))?;
    }
    Ok(true)
}
