//! `render`: prints the objects that a launch would apply, without a cluster.

use clap::Args;
use iter8_cluster::names::Revision;
use iter8_core::ExitCode;
use serde_json::Value;

use super::launch::user_values;
use crate::context::Context;
use crate::error::CliError;
use crate::experiment::{Validate, check, objects};
use crate::source::{GroupArgs, parse_revision};
use crate::values::ValuesArgs;

/// Print the objects of an experiment as YAML
#[derive(Args, Debug)]
#[command(
    visible_alias = "gen",
    after_help = "Examples:
  kubectl iter8 render -f values.yaml
  kubectl iter8 render -f values.yaml | kubectl apply --server-side -f -"
)]
pub(crate) struct RenderArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    values: ValuesArgs,
    /// What to do about keys that nobody knows
    #[arg(long, value_enum, default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    validate: Validate,
    /// Number of the launch to render for
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = parse_revision)]
    revision: u32,
}

pub(crate) async fn run(args: RenderArgs, context: &Context) -> Result<ExitCode, CliError> {
    let checked = check(user_values(&args.values, None, &args.group, context).await?, args.validate)?;
    checked.warnings.iter().for_each(|warning| context.printer.warning(warning));
    let objects = objects(&checked, &args.group.group, context.namespace_or_default(), Revision(args.revision))?;
    context.printer.data(&manifest(&objects)?)?;
    Ok(ExitCode::Satisfied)
}

/// Objects as a stream of YAML documents.
pub(super) fn manifest(objects: &[Value]) -> Result<String, CliError> {
    let document = |object| {
        let yaml =
            serde_yaml::to_string(object).map_err(|error| CliError::new(ExitCode::Internal, error.to_string()))?;
        Ok(format!("---\n{}\n", yaml.trim_end()))
    };
    objects.iter().map(document).collect()
}
