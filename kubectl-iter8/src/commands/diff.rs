//! `diff`: shows what a launch would change in the cluster, as a unified diff of each object. The number of the
//! revision, which changes with each launch, counts for nothing.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use clap::Args;
use iter8_agent::redact::Redactor;
use iter8_cluster::names;
use iter8_cluster::objects::{Action, Kind, ObjectId};
use iter8_cluster::preview::{Difference, preview};
use iter8_core::{ExitCode, Experiment};
use serde_json::{Value, json};
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
    // What goes because its successor comes is shown as a change of the successor.
    let replaced: BTreeSet<&ObjectId> =
        differences.iter().filter_map(|difference| difference.predecessor.as_ref()).collect();
    let shown =
        differences.iter().filter(|difference| !replaced.contains(&difference.object) && !is_forgotten(difference));
    let text = shown.map(unified).collect::<Result<String, CliError>>()?;
    context.printer.data(&text)?;
    Ok(if text.is_empty() { ExitCode::Satisfied } else { ExitCode::Unsatisfied })
}

/// Secrets of earlier revisions go as newer ones come; that says nothing about what would be launched.
fn is_forgotten(difference: &Difference) -> bool {
    difference.action == Action::Pruned && difference.object.kind == Kind::Secret
}

/// The difference of one object; empty when there is none.
fn unified(difference: &Difference) -> Result<String, CliError> {
    let object = &difference.object;
    if difference.action == Action::Pruned {
        return Ok(format!("{object} would be removed\n"));
    }
    if difference.live == difference.merged {
        return Ok(String::new());
    }
    let before = difference.predecessor.as_ref().unwrap_or(object);
    let (live, merged) = (document(difference.live.as_ref())?, document(difference.merged.as_ref())?);
    if live == merged {
        return Ok(format!("{object} differs in credentials, which are not shown\n"));
    }
    let diff = TextDiff::from_lines(&live, &merged);
    Ok(diff.unified_diff().header(&format!("live/{before}"), &format!("merged/{object}")).to_string())
}

fn document(object: Option<&Value>) -> Result<String, CliError> {
    let Some(object) = object else { return Ok(String::new()) };
    let mut object = object.clone();
    if let Some(text) = experiment(&object) {
        object["data"][names::SPEC_KEY] = json!(text);
    }
    serde_yaml::to_string(&object).map_err(|error| CliError::new(ExitCode::Internal, error.to_string()))
}

/// The experiment in a spec Secret as people read it, without credentials.
fn experiment(object: &Value) -> Option<String> {
    let text = String::from_utf8(STANDARD.decode(object["data"][names::SPEC_KEY].as_str()?).ok()?).ok()?;
    let experiment = Experiment::parse(&text).ok()?;
    Some(Redactor::of(&experiment).clean(&text))
}
