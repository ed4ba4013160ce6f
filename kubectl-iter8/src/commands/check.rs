//! `check`: whether this cluster and this user have what experiments need, before one is launched.

use clap::Args;
use iter8_cluster::chart::Chart;
use iter8_cluster::preflight::{Finding, Severity, preflight};
use iter8_core::ExitCode;

use crate::context::Context;
use crate::error::{CliError, chain};

/// Check that the cluster can be reached and lets you launch experiments
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 check
  kubectl iter8 check -n checkout --image registry.example.com/iter8-agent:0.1.0")]
pub(crate) struct CheckArgs {
    /// Image of the agent that will be launched; the chart's by default
    #[arg(long)]
    image: Option<String>,
}

pub(crate) async fn run(args: CheckArgs, context: &Context) -> Result<ExitCode, CliError> {
    let chart = Chart::embedded("iter8").map_err(|error| CliError::new(ExitCode::Internal, chain(&error)))?;
    let image = args.image.as_deref().or_else(|| chart.defaults["image"].as_str()).unwrap_or_default();
    let client = context.client().await?;
    let findings = preflight(&client, context.namespace()?, image).await;
    let findings = findings.map_err(|error| context.cluster_error(error))?;
    let text: String = findings.iter().map(line).collect();
    context.printer.data(&text)?;
    let failed = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    Ok(if failed == 0 { ExitCode::Satisfied } else { ExitCode::Unsatisfied })
}

fn line(finding: &Finding) -> String {
    let sign = match finding.severity {
        Severity::Ok => "√",
        Severity::Warning => "‼",
        Severity::Error => "×",
    };
    let hint = finding.hint.as_ref().map(|hint| format!("    {hint}\n")).unwrap_or_default();
    format!("{sign} {}\n{hint}", finding.text)
}
