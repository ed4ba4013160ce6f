//! Where a command finds a result: in the cluster, among the local experiments of this user, or in a file. What is
//! done with it is the command's business.

use std::path::{Path, PathBuf};

use clap::Args;
use iter8_cluster::names::{Group, Revision};
use iter8_cluster::result::read_result;
use iter8_core::{ExitCode, ExperimentResult, legacy};

use crate::context::Context;
use crate::error::{CliError, chain};
use crate::local::LocalStore;

/// Which group is meant, and where it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct GroupArgs {
    /// Name of the line of experiments
    #[arg(short, long, default_value = "default", value_parser = parse_group)]
    pub(crate) group: Group,
    /// Look among the local experiments of this user, not in a cluster
    #[arg(long)]
    pub(crate) local: bool,
}

fn parse_group(text: &str) -> Result<Group, String> {
    text.parse::<Group>().map_err(|error| error.to_string())
}

/// Reads the number of a launch.
pub(crate) fn parse_revision(text: &str) -> Result<u32, &'static str> {
    text.parse().ok().filter(|number| *number > 0).ok_or("launches are numbered from 1")
}

/// Which result is meant, and where it is.
#[derive(Args, Clone, Debug)]
pub(crate) struct SourceArgs {
    #[command(flatten)]
    pub(crate) group: GroupArgs,
    /// Number of the launch; the newest when not given
    #[arg(long, value_name = "N", value_parser = parse_revision)]
    pub(crate) revision: Option<u32>,
    /// Read this file: a stored result, or an experiment.yaml of Iter8 v0.13
    #[arg(short, long, value_name = "FILE", conflicts_with_all = ["local", "revision"])]
    pub(crate) filename: Option<PathBuf>,
}

impl SourceArgs {
    /// Reads the result as it stands.
    pub(crate) async fn read(&self, context: &Context) -> Result<ExperimentResult, CliError> {
        if let Some(path) = &self.filename {
            return read_file(path, self.group.group.as_str());
        }
        if self.group.local {
            return Ok(LocalStore::of_user()?.read(self.group.group.as_str(), self.revision)?);
        }
        let client = context.client().await?;
        let stored = read_result(&client, context.namespace()?, &self.group.group, self.revision.map(Revision));
        Ok(stored.await.map_err(|error| context.cluster_error(error))?.result)
    }
}

/// Reads a stored result, or an experiment of Iter8 v0.13.
pub(crate) fn read_file(path: &Path, group: &str) -> Result<ExperimentResult, CliError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| CliError::new(ExitCode::Usage, format!("cannot read {}: {error}", path.display())))?;
    if let Ok(result) = ExperimentResult::from_json(&text) {
        return Ok(result);
    }
    legacy::parse(&text, group, "").map_err(|error| {
        let message =
            format!("{} is neither a result nor an experiment of Iter8 v0.13: {}", path.display(), chain(&error));
        CliError::usage(message)
    })
}
