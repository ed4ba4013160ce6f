//! Inputs of the task `run`: a command. Running it is the agent's business.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::credential::{Credential, is_variable};
use crate::duration::GoDuration;
use crate::scalar::Text;
use crate::schema::Problem;

/// Runs a command where the agent runs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Run {
    /// The command: a text that the shell `sh` runs, or a list of a program and its arguments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Command>,
    /// How long it may take: 5m.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Variables of its environment, beside those of the agent.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, Credential>,
}

/// What is run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Command {
    /// By the shell.
    Shell(Text),
    /// A program and its arguments.
    Program(Vec<Text>),
}

/// How long a command may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(300);

impl JsonSchema for Command {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Command".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "array"], "items": Text::json_schema(generator) })
    }
}

impl Run {
    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let program = match &self.command {
            None => None,
            Some(Command::Shell(Text(text))) => Some(text.as_str()),
            Some(Command::Program(words)) => words.first().map(|word| word.0.as_str()),
        };
        if program.is_none_or(|program| program.trim().is_empty()) {
            let message = "is required: give a text for the shell, or a list of a program and its arguments";
            problems.push(Problem::at("command", message));
        }
        if self.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            problems.push(Problem::at("timeout", "must be longer than 0s"));
        }
        for (name, value) in &self.env {
            if !is_variable(name) {
                problems.push(Problem::at("env", format!("has `{name}`, which is not the name of a variable")));
            }
            problems
                .extend(value.reference_problems().into_iter().map(|problem| problem.under(&format!("env.{name}"))));
        }
        problems
    }

    /// How long it may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::task::Task;

    fn parse(with: &Value) -> Result<Run, Vec<String>> {
        match Task::parse("run", with).expect("is a task") {
            Ok(Task::Run(run)) => Ok(run),
            Ok(other) => panic!("not run: {other:?}"),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn a_command_is_a_text_or_a_list_of_words() {
        let run =
            parse(&json!({ "command": "echo a", "env": { "A": 1, "B": { "secret": "s", "key": "k" } } })).unwrap();
        assert_eq!((run.command, run.timeout.is_some()), (Some(Command::Shell(Text("echo a".into()))), false));
        assert_eq!(run.env["A"].plain(), Some("1"));
        let run = parse(&json!({ "command": ["sleep", 5], "timeout": "1s" })).unwrap();
        assert_eq!(run.command, Some(Command::Program(vec![Text("sleep".into()), Text("5".into())])));
        assert_eq!((run.timeout(), Run::default().timeout().as_secs()), (Duration::from_secs(1), 300));
    }

    #[test]
    fn what_cannot_be_run_is_said_with_what_to_do() {
        let required = "`command` is required: give a text for the shell, or a list of a program and its arguments";
        for (with, message) in [
            (json!({}), required),
            (json!({ "command": " " }), required),
            (json!({ "command": [] }), required),
            (json!({ "command": { "a": 1 } }), "`command` must be a text, got a map"),
            (json!({ "command": ["a", ["b"]] }), "`command[1]` must be a text, got a list"),
            (json!({ "command": "a", "timeout": "0s" }), "`timeout` must be longer than 0s"),
            (json!({ "command": "a", "env": { "A B": "c" } }), "`env` has `A B`, which is not the name of a variable"),
            (
                json!({ "command": "a", "env": { "A": { "secret": "s" } } }),
                "`env.A.key` is required with secret: name the key of the Secret that holds the text",
            ),
            (json!({ "comand": "a" }), "`comand` is not a known key; did you mean `command`?"),
        ] {
            assert_eq!(parse(&with).unwrap_err(), [message], "{with}");
        }
    }
}
