//! `autox render`: prints the objects that `autox apply` would apply, without a cluster.

use clap::Args;
use iter8_core::ExitCode;

use super::super::render::manifest;
use super::{CheckArgs, NameArgs, objects};
use crate::context::Context;
use crate::error::CliError;

/// Print the objects of AutoX as YAML
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 autox render -n iter8 -f values.yaml

  # The permissions that it needs
  kubectl iter8 autox render -f values.yaml | grep -A 60 'kind: Role$'")]
pub(super) struct RenderArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    check: CheckArgs,
}

pub(super) async fn run(args: RenderArgs, context: &Context) -> Result<ExitCode, CliError> {
    let checked = args.check.check(context).await?;
    let objects = objects(&checked, &args.name.name, context.namespace_or_default())?;
    context.printer.data(&manifest(&objects)?)?;
    Ok(ExitCode::Satisfied)
}
