//! Entry point: parses the command line, runs it and prints the chain of an error. Every rule is in a module.

mod agent;
mod cli;
mod digest;
mod elf;
mod layer;
mod oci;
mod reference;
mod tar;

use std::error::Error as _;
use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    let Err(error) = cli::run(cli::Cli::parse(), &mut std::io::stdout()) else { return ExitCode::SUCCESS };
    let mut message = format!("error: {error}");
    let mut cause = error.source();
    while let Some(source) = cause {
        message.push_str(&format!(": {source}"));
        cause = source.source();
    }
    // Nothing is left to do when even stderr is closed.
    let _ = writeln!(std::io::stderr(), "{message}");
    ExitCode::FAILURE
}
