//! The command line as a tree: which commands there are, and which function answers each. What a command does stands
//! in its own file.

use std::ffi::OsString;

use clap::{ArgAction, Command as Clap, CommandFactory as _, Parser, Subcommand};
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

impl Cli {
    /// Reads `words`, which begin with the name of the program.
    pub(crate) fn read(words: &[OsString]) -> Result<Self, clap::Error> {
        Self::try_parse_from(without_booleans(words, &Self::command()))
    }
}

/// `words` with `--flag=true` as `--flag` and without `--flag=false`: kubectl takes both, and scripts use them.
fn without_booleans(words: &[OsString], command: &Clap) -> Vec<OsString> {
    let nested = command.get_subcommands().flat_map(Clap::get_subcommands);
    let all = nested.chain(command.get_subcommands()).chain([command]).flat_map(Clap::get_arguments);
    let switches: Vec<&str> =
        all.filter(|arg| matches!(arg.get_action(), ArgAction::SetTrue)).filter_map(clap::Arg::get_long).collect();
    let plain = |word: &OsString| {
        let pair = word.to_str().and_then(|word| word.strip_prefix("--")).and_then(|word| word.split_once('='));
        match pair.filter(|(name, _)| switches.contains(name)) {
            Some((name, "true")) => Some(OsString::from(format!("--{name}"))),
            Some((_, "false")) => None,
            _ => Some(word.clone()),
        }
    };
    words.iter().filter_map(plain).collect()
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
    Lint(commands::lint::LintArgs),
    Autox(commands::autox::AutoxArgs),
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
            Self::Lint(args) => commands::lint::run(args, context).await,
            Self::Autox(args) => commands::autox::run(args, context).await,
            Self::Demo(args) => commands::demo::run(args, context).await,
            Self::Check(args) => commands::check::run(args, context).await,
            Self::Completion(args) => commands::completion::run(&args, context),
            Self::Version(args) => commands::version::run(&args, context),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn switches_may_be_given_a_value_as_kubectl_allows() {
        let read = |words: &str| {
            let words: Vec<OsString> = words.split(' ').map(OsString::from).collect();
            without_booleans(&words, &Cli::command())
        };
        assert_eq!(
            read("iter8 launch --wait=true --local=false --set=wait=true"),
            ["iter8", "launch", "--wait", "--set=wait=true"]
        );
        assert_eq!(
            read("iter8 autox delete --keep-experiments=true"),
            ["iter8", "autox", "delete", "--keep-experiments"]
        );
        assert_eq!(read("iter8 get --watch=maybe"), ["iter8", "get", "--watch=maybe"]);
    }
}
