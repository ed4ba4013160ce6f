//! `report`: shows what was measured and decided.

use clap::Args;
use iter8_core::ExitCode;

use crate::context::Context;
use crate::error::CliError;
use crate::report::{ReportFormat, Style, render};
use crate::source::SourceArgs;

/// Show what an experiment measured and what follows from it
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # The newest result of the group default
  kubectl iter8 report

  # A page to send to others: one file, readable without a network
  kubectl iter8 report -o html > report.html

  # The verdict alone, for a script
  kubectl iter8 report -o json | jq -r .verdict

  # An earlier launch of another group
  kubectl iter8 report -g checkout --revision 3")]
pub(crate) struct ReportArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Form of the report
    #[arg(short, long = "output", visible_alias = "outputFormat", value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
}

pub(crate) async fn run(args: ReportArgs, context: &Context) -> Result<ExitCode, CliError> {
    let result = args.source.read(context).await?;
    let style = Style { width: context.printer.width(), color: context.printer.color() };
    let text = render(&result, args.output, &style)
        .map_err(|error| CliError::new(ExitCode::Internal, crate::error::chain(&error)))?;
    context.printer.data(&text)?;
    Ok(ExitCode::Satisfied)
}
