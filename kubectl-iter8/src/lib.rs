//! The kubectl plugin: merges values, launches experiments, waits for verdicts and shows reports.
//!
//! [`main`] turns words into a command (`cli`), a command works with a `context` (connection, namespace, printer), and
//! every failure ends in `error`, the one place that knows exit codes. What an experiment is and how it is judged is the
//! business of iter8-core; what is done to a cluster that of iter8-cluster; how steps run that of iter8-agent.

pub mod connect;
pub mod report;
pub mod table;
pub mod values;

mod cli;
mod commands;
mod completion;
mod context;
mod demo_app;
mod error;
mod experiment;
mod local;
mod printer;
mod source;
mod usage;

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use iter8_core::ExitCode;

use crate::connect::ConnectEnv;
use crate::context::Context;
use crate::printer::{Printer, TerminalEnv};

/// Answers one call of the program. `words` begins with the name it was called by.
pub async fn main(words: Vec<OsString>) -> ExitCode {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let env = ConnectEnv::from_variables(variable);
    let terminal = TerminalEnv {
        no_color: std::env::var_os("NO_COLOR").is_some(),
        term: variable("TERM"),
        columns: variable("COLUMNS").and_then(|columns| columns.parse().ok()),
    };
    let printer = Printer::new(&terminal);
    let called_as = words.first().and_then(|name| Path::new(name).file_name());
    if called_as.is_some_and(|name| name == completion::COMPLETER) {
        return written(printer.data(&completion::answer_kubectl(&words[1..], &env)), &printer);
    }
    let completed = clap_complete::CompleteEnv::with_factory(|| completion::command(&words[1..], &env))
        .bin("kubectl-iter8")
        .try_complete(words.clone(), std::env::current_dir().ok().as_deref());
    if let Ok(true) = completed {
        return ExitCode::Satisfied;
    }
    let cli = match cli::Cli::read(&words) {
        Ok(cli) => cli,
        Err(refusal) => return explain(&refusal, &words, &printer),
    };
    let context = Context::new(cli.globals, env, printer);
    let outcome = cli.command.run(&context).await;
    match context.judged(outcome) {
        Ok(code) => code,
        Err(error) => {
            context.printer.error(&error);
            error.code()
        }
    }
}

/// Help goes to stdout, what is wrong with the words to stderr.
fn explain(refusal: &clap::Error, words: &[OsString], printer: &Printer) -> ExitCode {
    match refusal.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            let help = refusal.render();
            let text = if printer.color() { help.ansi().to_string() } else { help.to_string() };
            written(printer.data(&text), printer)
        }
        _ => {
            let error = usage::error(refusal, words);
            printer.error(&error);
            error.code()
        }
    }
}

fn written(outcome: Result<(), error::CliError>, printer: &Printer) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::Satisfied,
        Err(error) => {
            printer.error(&error);
            error.code()
        }
    }
}
