//! Steps that run a command: what it is given, what is kept of its output, and that nothing of it outlives its step.

use iter8_core::result::{Phase, StepStatus};
use serde_json::{Value, json};

use crate::harness::{Stage, code, experiment};

fn run(with: &Value) -> Value {
    json!({ "task": "run", "with": with })
}

/// The message of the step, which ends so.
#[track_caller]
fn message(stage: &Stage, step: Value, ends: (i32, StepStatus)) -> String {
    stage.run(&experiment([step])).code(ends.0);
    let step = stage.result().steps.remove(0);
    assert_eq!(step.status, ends.1, "{}", step.message);
    step.message
}

const SUCCEEDED: (i32, StepStatus) = (code::SUCCEEDED, StepStatus::Succeeded);
const FAILED: (i32, StepStatus) = (code::TASK_FAILED, StepStatus::Failed);

#[test]
fn both_streams_of_a_command_are_kept_in_their_order_and_its_exit_code_counts() {
    let stage = Stage::new();
    let text = "echo one; echo two >&2; echo three";
    for step in
        [json!({ "run": text }), run(&json!({ "command": text })), run(&json!({ "command": ["sh", "-c", text] }))]
    {
        assert_eq!(message(&stage, step, SUCCEEDED), "exit code 0; output: one ⏎ two ⏎ three");
    }
    assert_eq!(message(&stage, run(&json!({ "command": "exit 3" })), FAILED), "exit code 3; no output");
    assert_eq!(message(&stage, run(&json!({ "command": "kill -9 $$" })), FAILED), "killed by signal 9; no output");
    assert_eq!(
        message(&stage, run(&json!({ "command": ["echo", "$HOME; a"] })), SUCCEEDED),
        "exit code 0; output: $HOME; a"
    );
}

#[test]
fn variables_come_from_values_and_from_references_and_no_secret_is_shown() {
    let stage = Stage::new();
    let with = json!({
        "command": "echo $PLAIN $FROM $MY_TOKEN",
        "env": { "PLAIN": 5, "FROM": { "env": "ITER8_TEST_CREDENTIAL", "prefix": "Bearer " }, "MY_TOKEN": "t0ps3cr3t" },
    });
    let agent = stage.agent(&experiment([run(&with)])).env("ITER8_TEST_CREDENTIAL", "hidd3n-w0rd");
    agent.run().code(code::SUCCEEDED);
    assert_eq!(stage.result().steps[0].message, "exit code 0; output: 5 Bearer [redacted] [redacted]");
    let with = json!({ "command": "true", "env": { "A": { "env": "ITER8_TEST_NOT_SET" } } });
    let said = message(&stage, run(&with), FAILED);
    assert_eq!(said, "`run.env.A`: the variable ITER8_TEST_NOT_SET is not set in the environment of the agent");
}

#[test]
fn a_program_or_a_shell_that_is_not_there_is_said_with_what_to_do() {
    let stage = Stage::new();
    let said = message(&stage, run(&json!({ "command": ["no-such-program"] })), FAILED);
    assert!(said.starts_with("there is no program `no-such-program`: set iter8Image"), "{said}");
    let agent =
        stage.agent(&experiment([json!({ "run": "echo a" })])).env("PATH", stage.env.home().display().to_string());
    agent.run().code(code::TASK_FAILED);
    let said = stage.result().steps.remove(0).message;
    assert!(said.starts_with("there is no shell `sh` to run the command: set iter8Image"), "{said}");
}

#[test]
fn a_command_that_takes_too_long_is_ended_with_everything_it_started() {
    let stage = Stage::new();
    let with = json!({ "command": "(sleep 300; echo never) & echo begun; wait", "timeout": "500ms" });
    let said = message(&stage, run(&with), FAILED);
    assert_eq!(said, "did not end within 500ms and was stopped; output: begun");
}

#[test]
fn what_a_command_leaves_running_is_ended_with_it() {
    let stage = Stage::new();
    // Were it not, the step would wait for the end of the output.
    let with = json!({ "command": "sleep 300 & echo $!" });
    let said = message(&stage, run(&with), SUCCEEDED);
    let pid: u32 = said.trim_start_matches("exit code 0; output: ").parse().expect("it is a number");
    // A zombie that nobody has asked for yet has no command line.
    let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    assert!(line.is_empty(), "{}", String::from_utf8_lossy(&line));
}

#[test]
fn a_command_is_stopped_with_the_experiment_and_what_it_wrote_is_kept() {
    let stage = Stage::new();
    let agent = stage.agent(&experiment([run(&json!({ "command": "echo it has begun; sleep 300" }))]));
    let mut agent = agent.args(["--log-level", "debug"]).spawn();
    agent.wait_for("it has begun");
    agent.signal("TERM");
    agent.wait().code(code::INTERRUPTED);
    let result = stage.result();
    assert_eq!((result.phase, result.steps[0].status), (Phase::Cancelled, StepStatus::Cancelled));
    assert_eq!(result.steps[0].message, "stopped before its end; output: it has begun");
}
