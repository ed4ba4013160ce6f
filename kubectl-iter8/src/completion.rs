//! Completion of words: commands and flags from the command line itself, groups from the cluster, keys of `--set` from
//! the schema of the values. kubectl asks through a second name of this program, `kubectl_complete-iter8`.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{Command, CommandFactory as _, FromArgMatches as _};
use clap_complete::engine::{ArgValueCandidates, ArgValueCompleter, CompletionCandidate, complete};
use iter8_cluster::groups::list_groups;
use iter8_core::schema::paths;
use iter8_core::{Task, autox, values};
use serde_json::Value;

use crate::cli::Cli;
use crate::connect::{ConnectEnv, GlobalArgs};
use crate::local::LocalStore;
use crate::printer::{Printer, TerminalEnv};

/// The second name of this program.
pub(crate) const COMPLETER: &str = "kubectl_complete-iter8";

/// Longer than this nobody waits for a word.
const PATIENCE: Duration = Duration::from_secs(1);

/// Candidates for the last of `words` (without the program's name) in the protocol of kubectl: a line for each, with
/// its help after a tab, and `:4` at the end, which tells the shell not to offer files.
pub(crate) fn answer_kubectl(words: &[OsString], env: &ConnectEnv) -> String {
    let mut args = vec![OsString::from("kubectl-iter8")];
    args.extend_from_slice(words);
    let last = args.len() - 1;
    let mut lines = String::new();
    for candidate in complete(&mut command(words, env), args, last, None).unwrap_or_default() {
        if candidate.is_hide_set() {
            continue;
        }
        lines += &candidate.get_value().to_string_lossy();
        if let Some(help) = candidate.get_help() {
            lines += &format!("\t{}", help.to_string().lines().next().unwrap_or_default());
        }
        lines.push('\n');
    }
    lines + ":4\n"
}

/// The command line with what can be said about its values.
pub(crate) fn command(words: &[OsString], env: &ConnectEnv) -> Command {
    let (words, env) = (words.to_owned(), env.clone());
    let mut command = Cli::command();
    let names: Vec<String> = command.get_subcommands().map(|sub| sub.get_name().to_owned()).collect();
    for name in names {
        let (words, env) = (words.clone(), env.clone());
        command = command.mut_subcommand(name, move |mut sub| {
            // Of a command and its alias only one is offered, and that should be the command.
            let aliases: Vec<String> = sub.get_visible_aliases().map(str::to_owned).collect();
            sub = sub.visible_alias(None).aliases(aliases);
            // The commands below have values of their own.
            let below: Vec<String> = sub.get_subcommands().map(|below| below.get_name().to_owned()).collect();
            for name in below {
                sub = sub.mut_subcommand(name, |below| with_values(below, &words, &env, keys_of_autox));
            }
            with_values(sub, &words, &env, keys)
        });
    }
    command
}

/// A command with what can be said about the values of its flags.
fn with_values(
    command: Command,
    words: &[OsString],
    env: &ConnectEnv,
    keys: fn(&OsStr) -> Vec<CompletionCandidate>,
) -> Command {
    let ids: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    ids.into_iter().fold(command, |command, id| {
        let (words, env) = (words.to_owned(), env.clone());
        match id.as_str() {
            "group" => command.mut_arg("group", |arg| arg.add(ArgValueCandidates::new(move || groups(&words, &env)))),
            "set" | "set_string" | "set_json" | "set_file" | "set_literal" => {
                command.mut_arg(id, |arg| arg.add(ArgValueCompleter::new(keys)))
            }
            _ => command,
        }
    })
}

/// Keys of the values of an experiment that begin with what stands there already.
fn keys(current: &OsStr) -> Vec<CompletionCandidate> {
    let typed = current.to_string_lossy();
    if let Some(list) = typed.strip_prefix("tasks={") {
        return tasks(list);
    }
    keys_of(&values::schema(), &typed)
}

/// Keys of the values of AutoX that begin with what stands there already.
fn keys_of_autox(current: &OsStr) -> Vec<CompletionCandidate> {
    keys_of(&autox::values::schema(), &current.to_string_lossy())
}

fn keys_of(schema: &Value, typed: &str) -> Vec<CompletionCandidate> {
    let known = paths(schema);
    let fitting = known.iter().filter(|(path, _)| path.starts_with(typed));
    fitting
        .map(|(path, help)| {
            let has_keys_below = known.iter().any(|(other, _)| other.starts_with(&format!("{path}.")));
            let value = if has_keys_below { format!("{path}.") } else { format!("{path}=") };
            CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.clone().into()))
        })
        .collect()
}

/// Names of tasks after `tasks={` and any that stand there.
fn tasks(list: &str) -> Vec<CompletionCandidate> {
    let (before, typed) = list.rsplit_once(',').map_or(("", list), |(before, typed)| (before, typed));
    let prefix = if before.is_empty() { "tasks={".to_owned() } else { format!("tasks={{{before},") };
    let fitting = Task::NAMES.into_iter().filter(|name| name.starts_with(typed));
    fitting.map(|name| CompletionCandidate::new(format!("{prefix}{name}"))).collect()
}

/// Names of groups where the words so far say to look. Whatever goes wrong, there are just no names.
fn groups(words: &[OsString], env: &ConnectEnv) -> Vec<CompletionCandidate> {
    let names = if words.iter().any(|word| word == "--local") {
        let groups = LocalStore::of_user().and_then(|store| store.groups()).unwrap_or_default();
        groups.into_iter().map(|group| group.name).collect()
    } else {
        let (words, env) = (words.to_owned(), env.clone());
        // The caller sits in a runtime of its own, which must not be blocked on from within.
        std::thread::spawn(move || cluster_groups(&words, env)).join().unwrap_or_default()
    };
    names.into_iter().map(CompletionCandidate::new).collect()
}

fn cluster_groups(words: &[OsString], env: ConnectEnv) -> Vec<String> {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return Vec::new() };
    let typed = [OsString::from("kubectl-iter8")].into_iter().chain(words.iter().cloned());
    let matches = Cli::command().ignore_errors(true).try_get_matches_from(typed);
    let Ok(globals) = matches.and_then(|matches| GlobalArgs::from_arg_matches(&matches)) else { return Vec::new() };
    let context = crate::context::Context::new(globals, env, Printer::new(&TerminalEnv::default()));
    let list = async {
        let client = context.client().await.ok()?;
        list_groups(&client, Some(context.namespace().ok()?)).await.ok()
    };
    let groups = runtime.block_on(async { tokio::time::timeout(PATIENCE, list).await.ok().flatten() });
    groups.unwrap_or_default().into_iter().map(|group| group.group).collect()
}
