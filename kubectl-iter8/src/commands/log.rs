//! `log`: shows what the agent logged; from its pod while there is one, else from the result.

use clap::Args;
use futures_util::StreamExt as _;
use iter8_cluster::logs::stream_log;
use iter8_cluster::names::Revision;
use iter8_core::ExitCode;

use crate::context::Context;
use crate::error::CliError;
use crate::source::SourceArgs;

/// Print the log of an experiment
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 log
  kubectl iter8 log -g checkout --follow")]
pub(crate) struct LogArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Go on until the experiment ends
    #[arg(long)]
    follow: bool,
}

pub(crate) async fn run(args: LogArgs, context: &Context) -> Result<ExitCode, CliError> {
    let source = &args.source;
    let kept = source.read(context).await?;
    if !source.group.local && source.filename.is_none() {
        let client = context.client().await?;
        let (namespace, group) = (context.namespace()?, &source.group.group);
        let lines = stream_log(&client, namespace, group, Revision(kept.revision), args.follow).await;
        if let Some(lines) = lines.map_err(|error| context.cluster_error(error))? {
            let mut lines = std::pin::pin!(lines);
            while let Some(line) = lines.next().await {
                let line = line.map_err(|error| context.cluster_error(error))?;
                context.printer.data(&format!("{line}\n"))?;
            }
            return Ok(ExitCode::Satisfied);
        }
    }
    if kept.log.is_empty() {
        context.printer.status("Nothing was logged yet.");
    }
    let text: String = kept.log.iter().map(|line| format!("{line}\n")).collect();
    context.printer.data(&text)?;
    Ok(ExitCode::Satisfied)
}
