//! The check of an experiment's values on behalf of a command: its flag `--validate`, and its errors as the plugin tells
//! them. The check itself is iter8-cluster's.

use clap::ValueEnum;
use iter8_cluster::experiment::{self, Checked, ExperimentError, UnknownKeys};
use iter8_cluster::names::{Group, Revision};
use iter8_core::ExitCode;
use serde_json::Value;

use crate::error::{CliError, chain};

/// How strictly values are checked, in kubectl's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validate {
    /// An unknown key is an error.
    #[default]
    Strict,
    /// An unknown key is left out with a warning.
    Warn,
    /// An unknown key is left out silently.
    Ignore,
}

impl From<Validate> for UnknownKeys {
    fn from(validate: Validate) -> Self {
        match validate {
            Validate::Strict => Self::Refuse,
            Validate::Warn => Self::Warn,
            Validate::Ignore => Self::Ignore,
        }
    }
}

/// Merges what the user set with the chart's defaults and checks it.
pub(crate) fn check(user_values: Value, validate: Validate) -> Result<Checked, CliError> {
    Ok(experiment::check(user_values, validate.into())?)
}

impl From<ExperimentError> for CliError {
    fn from(error: ExperimentError) -> Self {
        match &error {
            ExperimentError::Values(problems) => Self::values(problems),
            ExperimentError::Chart(_) | ExperimentError::Spec(_) => Self::new(ExitCode::Internal, chain(&error)),
        }
    }
}

/// The objects of one revision.
pub(crate) fn objects(
    checked: &Checked,
    group: &Group,
    namespace: &str,
    revision: Revision,
) -> Result<Vec<Value>, CliError> {
    checked.objects(group, namespace, revision).map_err(|error| CliError::usage(chain(error.as_ref())))
}
