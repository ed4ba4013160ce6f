//! `lint`: looks at values before they are launched, without a cluster and without the network.

use std::path::PathBuf;

use clap::Args;
use iter8_agent::lint::{Severity, lint};
use iter8_core::ExitCode;
use serde_json::Value;

use super::launch::{local_experiment, user_values};
use crate::context::Context;
use crate::error::CliError;
use crate::experiment::{Validate, check};
use crate::source::GroupArgs;
use crate::values::ValuesArgs;

/// Look for mistakes in values, without a cluster and without the network
#[derive(Args, Debug)]
#[command(after_help = "Looks at keys and values, conditions, templates of metrics and notifications, jq expressions,
and at objectives on metrics that nothing measures.

Exit codes:
  0 no mistake    2 at least one

Examples:
  kubectl iter8 lint -f values.yaml

  # Try the jq expressions on an answer of the provider
  kubectl iter8 lint -f values.yaml --sample answer.json")]
pub(crate) struct LintArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    values: ValuesArgs,
    /// An answer of a provider of metrics, in JSON, to try every jq expression on
    #[arg(long, value_name = "FILE")]
    sample: Option<PathBuf>,
}

pub(crate) async fn run(args: LintArgs, context: &Context) -> Result<ExitCode, CliError> {
    let sample = args.sample.as_deref().map(read_sample).transpose()?;
    let checked = check(user_values(&args.values, None, &args.group, context).await?, Validate::Strict)?;
    checked.warnings.iter().for_each(|warning| context.printer.warning(warning));
    let (_, experiment) = local_experiment(&checked, &args.group.group)?;
    let findings = lint(&experiment, sample.as_ref()).await;
    for finding in &findings {
        let line = format!("`{}` {}", finding.place, finding.message);
        match finding.severity {
            Severity::Problem => {}
            Severity::Unchecked => context.printer.warning(&line),
            Severity::Remark => context.printer.data(&format!("{line}\n"))?,
        }
    }
    let problems = findings.iter().filter(|finding| finding.severity == Severity::Problem);
    let problems: Vec<String> = problems.map(|finding| format!("`{}` {}", finding.place, finding.message)).collect();
    match &problems[..] {
        [] => {
            context.printer.status("no mistake was found");
            Ok(ExitCode::Satisfied)
        }
        [one] => Err(CliError::usage(one.clone())),
        several => Err(CliError::usage(format!("{} mistakes:\n* {}", several.len(), several.join("\n* ")))),
    }
}

fn read_sample(path: &std::path::Path) -> Result<Value, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::usage(format!("cannot read {}: {error}", path.display())))?;
    serde_json::from_str(&text).map_err(|error| CliError::usage(format!("{} is no JSON: {error}", path.display())))
}
