//! What is wrong with the words of a command line, said as kubectl says it: one sentence with the word, and where the
//! help is.

use std::error::Error as _;
use std::ffi::OsString;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, CommandFactory as _};

use crate::cli::Cli;
use crate::error::CliError;

/// The error for `words`, which begin with the name of the program, that clap refused with `refusal`.
pub(crate) fn error(refusal: &clap::Error, words: &[OsString]) -> CliError {
    let mut cli = Cli::command().ignore_errors(true);
    cli.build();
    let matches = cli.clone().try_get_matches_from(words).ok();
    let (mut command, mut matches) = (&cli, matches.as_ref());
    while let Some((name, below)) = matches.and_then(clap::ArgMatches::subcommand)
        && let Some(found) = command.find_subcommand(name)
    {
        (command, matches) = (found, Some(below));
    }
    let help = command.get_bin_name().unwrap_or("kubectl iter8");
    CliError::usage(format!("{}\nSee '{help} --help' for usage.", sentence(refusal, command)))
}

fn sentence(refusal: &clap::Error, command: &Command) -> String {
    let text = |kind| text(refusal, kind);
    let word = text(ContextKind::InvalidArg);
    let arg = command.get_arguments().find(|arg| arg.to_string() == word);
    let flag = arg.map_or_else(|| word.clone(), names);
    let flag = if arg.is_some_and(Arg::is_positional) { flag } else { format!("\"{flag}\" flag") };
    let value = text(ContextKind::InvalidValue);
    match refusal.kind() {
        ErrorKind::InvalidSubcommand => {
            let unknown = text(ContextKind::InvalidSubcommand);
            let instead = match unknown.as_str() {
                "k" => "; leave it out: what was `iter8 k` is `kubectl iter8`".to_owned(),
                "run" => "; `launch --local` runs an experiment here".to_owned(),
                _ => meant(refusal, ContextKind::SuggestedSubcommand),
            };
            let parent = command.get_bin_name().unwrap_or("kubectl iter8");
            format!("unknown command \"{unknown}\" for \"{parent}\"{instead}")
        }
        ErrorKind::UnknownArgument if word.starts_with("--") => {
            format!("unknown flag: {word}{}", meant(refusal, ContextKind::SuggestedArg))
        }
        ErrorKind::UnknownArgument if word.starts_with('-') => {
            format!("unknown shorthand flag: '{}' in {word}", word.trim_start_matches('-'))
        }
        ErrorKind::UnknownArgument => format!("unexpected argument \"{word}\""),
        ErrorKind::InvalidValue if value.is_empty() => format!("flag needs an argument: {}", flag_alone(&word, arg)),
        ErrorKind::InvalidValue if arg.is_some_and(|arg| arg.get_id() == "output") => format!(
            "unable to match a printer suitable for the output format \"{value}\", allowed formats are: {}",
            allowed(refusal).join(",")
        ),
        ErrorKind::InvalidValue => format!(
            "invalid argument \"{value}\" for {flag}: must be one of {}{}",
            allowed(refusal).join(", "),
            meant(refusal, ContextKind::SuggestedValue)
        ),
        ErrorKind::ValueValidation => {
            let why = refusal.source().map(ToString::to_string).unwrap_or_default();
            format!("invalid argument \"{value}\" for {flag}: {why}")
        }
        ErrorKind::TooManyValues | ErrorKind::TooFewValues | ErrorKind::WrongNumberOfValues => {
            format!("invalid argument \"{value}\" for {flag}")
        }
        ErrorKind::ArgumentConflict => {
            format!("{} cannot be used with {}", bare(&word), bare(&text(ContextKind::PriorArg)))
        }
        ErrorKind::MissingRequiredArgument => format!("{word} is required"),
        _ => first_line(refusal),
    }
}

/// Each suggestion of clap as a question.
fn meant(refusal: &clap::Error, kind: ContextKind) -> String {
    match texts(refusal, kind).first() {
        Some(word) => format!("; did you mean `{word}`?"),
        None => String::new(),
    }
}

/// The names of a flag as cobra writes them: `-o, --output`.
fn names(arg: &Arg) -> String {
    match (arg.get_short(), arg.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long}"),
        (Some(short), None) => format!("-{short}"),
        (None, Some(long)) => format!("--{long}"),
        (None, None) => arg.to_string(),
    }
}

fn flag_alone(word: &str, arg: Option<&Arg>) -> String {
    arg.and_then(Arg::get_long).map_or_else(|| bare(word), |long| format!("--{long}"))
}

/// `--name <VALUE>` without its value.
fn bare(word: &str) -> String {
    word.split([' ', '=', '[']).next().unwrap_or_default().to_owned()
}

fn allowed(refusal: &clap::Error) -> Vec<String> {
    texts(refusal, ContextKind::ValidValue)
}

fn text(refusal: &clap::Error, kind: ContextKind) -> String {
    texts(refusal, kind).join(", ")
}

fn texts(refusal: &clap::Error, kind: ContextKind) -> Vec<String> {
    match refusal.get(kind) {
        Some(ContextValue::String(one)) => vec![one.clone()],
        Some(ContextValue::Strings(several)) => several.clone(),
        _ => Vec::new(),
    }
}

fn first_line(refusal: &clap::Error) -> String {
    let text = refusal.to_string();
    let line = text.lines().next().unwrap_or_default();
    line.strip_prefix("error: ").unwrap_or(line).to_owned()
}
