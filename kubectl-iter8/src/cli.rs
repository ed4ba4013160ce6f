//! The command line as a tree: which commands there are, and which function answers each. What a command does stands
//! in its own file.

use clap::{Parser, Subcommand};
use iter8_core::ExitCode;

use crate::commands;
use crate::connect::GlobalArgs;
use crate::context::Context;
use crate::error::CliError;

/// Is this version good enough, compared with its objectives and with what runs today, and can the answer be trusted?
#[derive(Debug, Parser)]
#[command(
    name = "iter8",
    bin_name = "kubectl iter8",
    version,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    args_override_self = true,
    max_term_width = 100,
    after_help = "Try it without a cluster:\n  kubectl iter8 demo\n\nUse \"kubectl iter8 <command> --help\" for more about a command."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Launch(commands::launch::LaunchArgs),
    Assert(commands::assert::AssertArgs),
    Report(commands::report::ReportArgs),
    Get(commands::get::GetArgs),
    Log(commands::log::LogArgs),
    Delete(commands::delete::DeleteArgs),
    Render(commands::render::RenderArgs),
    Diff(commands::diff::DiffArgs),
    Demo(commands::demo::DemoArgs),
    Check(commands::check::CheckArgs),
    Completion(commands::completion::CompletionArgs),
    Version(commands::version::VersionArgs),
}

impl Command {
    pub(crate) async fn run(self, context: &Context) -> Result<ExitCode, CliError> {
        match self {
            Self::Launch(args) => commands::launch::run(args, context).await,
            Self::Assert(args) => commands::assert::run(args, context).await,
            Self::Report(args) => commands::report::run(args, context).await,
            Self::Get(args) => commands::get::run(args, context).await,
            Self::Log(args) => commands::log::run(args, context).await,
            Self::Delete(args) => commands::delete::run(args, context).await,
            Self::Render(args) => commands::render::run(args, context).await,
            Self::Diff(args) => commands::diff::run(args, context).await,
            Self::Demo(args) => commands::demo::run(args, context).await,
            Self::Check(args) => commands::check::run(args, context).await,
            Self::Completion(args) => commands::completion::run(&args, context),
            Self::Version(args) => commands::version::run(&args, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
