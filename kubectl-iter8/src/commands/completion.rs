//! `completion`: scripts for shells, and the second name under which kubectl asks for words.

use std::fs;
use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iter8_core::ExitCode;

use crate::completion::COMPLETER;
use crate::context::Context;
use crate::error::CliError;

/// Print a completion script, or install completion for `kubectl iter8`
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # Let kubectl complete `kubectl iter8 <TAB>`
  kubectl iter8 completion install

  # Complete `kubectl-iter8 <TAB>` in this shell
  source <(kubectl iter8 completion bash)")]
pub(crate) struct CompletionArgs {
    /// A shell, or `install`
    #[arg(value_enum, value_name = "SHELL")]
    what: What,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    Bash,
    Zsh,
    Fish,
    /// Write kubectl_complete-iter8 beside the plugin
    Install,
}

pub(crate) fn run(args: &CompletionArgs, context: &Context) -> Result<ExitCode, CliError> {
    match args.what {
        What::Bash => context.printer.data("source <(COMPLETE=bash kubectl-iter8)\n")?,
        What::Zsh => context.printer.data("source <(COMPLETE=zsh kubectl-iter8)\n")?,
        What::Fish => context.printer.data("COMPLETE=fish kubectl-iter8 | source\n")?,
        What::Install => install(context)?,
    }
    Ok(ExitCode::Satisfied)
}

/// Where the plugin was found, not where a link leads: kubectl looks along the PATH, and krew puts a link there.
fn called_as() -> io::Result<PathBuf> {
    let name = std::env::args_os().next().map(PathBuf::from).unwrap_or_default();
    if name.components().count() > 1 {
        return std::path::absolute(name);
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&folders).map(|folder| folder.join(&name)).find(|path| path.is_file());
    found.map_or_else(std::env::current_exe, Ok)
}

fn install(context: &Context) -> Result<(), CliError> {
    let failed = |path: &std::path::Path, error: &io::Error| {
        let message = format!("cannot write {}: {error}", path.display());
        CliError::new(ExitCode::Cluster, message).hinted("install the plugin where you may write, or link it yourself")
    };
    let plugin = called_as()?;
    let link = plugin.with_file_name(COMPLETER);
    match fs::remove_file(&link) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(&link, &error)),
        _ => {}
    }
    std::os::unix::fs::symlink(&plugin, &link).map_err(|error| failed(&link, &error))?;
    context.printer.status(&format!("wrote {}", link.display()));
    Ok(())
}
