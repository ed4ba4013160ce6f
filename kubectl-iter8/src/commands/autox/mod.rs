//! `autox`: experiments that start by themselves. One file per command below it; what they share is here: the name of an
//! installation, the check of its values, and errors of the cluster with hints that fit.

mod apply;
mod delete;
mod render;
mod status;
mod test;
mod words;

use clap::{Args, Subcommand};
use iter8_cluster::autox::{CheckedAutox, check};
use iter8_cluster::chart::ChartError;
use iter8_cluster::error::{ClusterError, Failure};
use iter8_cluster::names::Group;
use iter8_core::ExitCode;
use iter8_core::autox::{AUTOX_LABEL, VERSION_LABEL};
use serde_json::Value;

use crate::context::Context;
use crate::error::{CliError, chain};
use crate::experiment::Validate;
use crate::values::ValuesArgs;

/// Let experiments start by themselves when a version is deployed
#[derive(Args, Debug)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = after_help()
)]
pub(crate) struct AutoxArgs {
    #[command(subcommand)]
    command: AutoxCommand,
}

#[derive(Debug, Subcommand)]
enum AutoxCommand {
    Apply(apply::ApplyArgs),
    Status(status::StatusArgs),
    Delete(delete::DeleteArgs),
    Render(render::RenderArgs),
    Test(test::TestArgs),
}

fn after_help() -> String {
    format!(
        "AutoX follows objects of the cluster, the triggers. When one carries the label
{AUTOX_LABEL}=true and its version (the label {VERSION_LABEL})
changes, the experiments of the version before are deleted, and those of the new
one are launched in the namespace of the trigger. When a label or the object is
taken away, its experiments are deleted.

Examples:
  # Install AutoX, or change what it follows
  kubectl iter8 autox apply -n iter8 -f values.yaml

  # What it follows, what it launched, and what it would do now
  kubectl iter8 autox status -n iter8

  # Which action would follow for a trigger in a file, without a cluster
  kubectl iter8 autox test -f values.yaml --trigger deploy.yaml

  # Remove it again, with the experiments that it launched
  kubectl iter8 autox delete -n iter8"
    )
}

pub(crate) async fn run(args: AutoxArgs, context: &Context) -> Result<ExitCode, CliError> {
    match args.command {
        AutoxCommand::Apply(args) => apply::run(args, context).await,
        AutoxCommand::Status(args) => status::run(args, context).await,
        AutoxCommand::Delete(args) => delete::run(args, context).await,
        AutoxCommand::Render(args) => render::run(args, context).await,
        AutoxCommand::Test(args) => test::run(args, context).await,
    }
}

/// Which installation is meant.
#[derive(Args, Clone, Debug)]
struct NameArgs {
    /// Name of the installation
    #[arg(long, default_value = "autox", value_parser = parse_name)]
    name: Group,
}

/// The values, and how strictly they are checked.
#[derive(Args, Debug)]
struct CheckArgs {
    #[command(flatten)]
    values: ValuesArgs,
    /// What to do about keys that nobody knows
    #[arg(long, value_enum, default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    validate: Validate,
}

impl CheckArgs {
    /// Reads, merges and checks the values, and tells what is to be said of them.
    async fn check(&self, context: &Context) -> Result<CheckedAutox, CliError> {
        self.values.without_effect().iter().for_each(|remark| context.printer.warning(remark));
        let checked = check(self.values.merge().await?, self.validate.into())?;
        checked.warnings.iter().for_each(|warning| context.printer.warning(warning));
        Ok(checked)
    }
}

fn parse_name(text: &str) -> Result<Group, &'static str> {
    Group::new(text)
        .map_err(|_| "use at most 40 lower-case letters, digits and `-`, with a letter or digit at both ends")
}

/// The objects of an installation.
fn objects(checked: &CheckedAutox, name: &Group, namespace: &str) -> Result<Vec<Value>, CliError> {
    checked.objects(name, namespace).map_err(|error| {
        // What a template refuses is something in the values.
        let code = if matches!(error, ChartError::Template(_)) { ExitCode::Usage } else { ExitCode::Internal };
        CliError::new(code, chain(&error))
    })
}

/// An error of the cluster, with what can be done about it where that differs from a launch.
fn cluster_error(context: &Context, error: ClusterError) -> CliError {
    let hint = match &error {
        ClusterError::Foreign { .. } => "choose another name with --name, or delete that object".to_owned(),
        ClusterError::Corrupt { secret, namespace, .. } => {
            format!("`kubectl delete secret {secret} -n {namespace}` removes this AutoX, but not its experiments")
        }
        ClusterError::Api { source, .. } if Failure::of(source) == Failure::Forbidden => {
            "only who has the permissions that AutoX needs can give them: `kubectl iter8 autox render` shows the Roles"
                .to_owned()
        }
        _ => return context.cluster_error(error),
    };
    context.cluster_error(error).replaced_hint(hint)
}
