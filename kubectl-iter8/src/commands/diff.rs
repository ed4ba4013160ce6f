//! `diff`: shows what a launch would change in the cluster, as a unified diff of each object.

use clap::Args;
use iter8_cluster::objects::Action;
use iter8_cluster::preview::preview;
use iter8_core::ExitCode;
use serde_json::Value;
use similar::TextDiff;

use super::launch::user_values;
use crate::context::Context;
use crate::error::CliError;
use crate::experiment::{Validate, check};
use crate::source::GroupArgs;
use crate::values::ValuesArgs;

/// Show what a launch would change; exit code 1 when there are differences
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 diff -f values.yaml")]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    values: ValuesArgs,
    /// What to do about keys that nobody knows
    #[arg(long, value_enum, default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    validate: Validate,
}

pub(crate) async fn run(args: DiffArgs, context: &Context) -> Result<ExitCode, CliError> {
    let checked = check(user_values(&args.values, None, &args.group, context).await?, args.validate)?;
    checked.warnings.iter().for_each(|warning| context.printer.warning(warning));
    let client = context.client().await?;
    let (group, namespace) = (&args.group.group, context.namespace()?);
    let render = checked.renderer(group, namespace);
    let plan = checked.plan(group, namespace, &render);
    let differences = preview(&client, &plan).await.map_err(|error| context.cluster_error(error))?;
    let mut text = String::new();
    for difference in &differences {
        let (before, after) = (document(difference.live.as_ref())?, document(difference.merged.as_ref())?);
        if difference.action == Action::Pruned {
            text += &format!("{} would be removed\n", difference.object);
        } else if before != after {
            let diff = TextDiff::from_lines(&before, &after);
            let (live, merged) = (format!("live/{}", difference.object), format!("merged/{}", difference.object));
            text += &diff.unified_diff().header(&live, &merged).to_string();
        }
    }
    context.printer.data(&text)?;
    Ok(if text.is_empty() { ExitCode::Satisfied } else { ExitCode::Unsatisfied })
}

fn document(object: Option<&Value>) -> Result<String, CliError> {
    let Some(object) = object else { return Ok(String::new()) };
    serde_yaml::to_string(object).map_err(|error| CliError::new(ExitCode::Internal, error.to_string()))
}
