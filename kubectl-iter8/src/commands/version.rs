//! `version`: which version this is.

use clap::{Args, ValueEnum};
use iter8_core::ExitCode;
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;

/// Print the version of the plugin
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 version
  kubectl iter8 version -o json")]
pub(crate) struct VersionArgs {
    /// Form of the output
    #[arg(short, long, value_enum)]
    output: Option<VersionFormat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum VersionFormat {
    Json,
    Yaml,
}

pub(crate) fn run(args: &VersionArgs, context: &Context) -> Result<ExitCode, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let text = match args.output {
        None => format!("kubectl-iter8 v{version}\n"),
        Some(VersionFormat::Json) => {
            format!("{:#}\n", json!({ "clientVersion": { "gitVersion": format!("v{version}") } }))
        }
        Some(VersionFormat::Yaml) => format!("clientVersion:\n  gitVersion: v{version}\n"),
    };
    context.printer.data(&text)?;
    Ok(ExitCode::Satisfied)
}
