//! The task `run`: a command with a time limit, of whose output the end is kept. The command and all that it starts are one
//! group of processes, and none of them outlives the step.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use iter8_core::GoDuration;
use iter8_core::task::run::{self, Run};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use tokio::io::AsyncReadExt as _;
use tokio::net::unix::pipe;
use tokio::task::JoinSet;
use tokio::time::Instant;

use super::{TaskContext, TaskError};
use crate::redact::Redactor;

/// How long a command that was told to end may take to do so before it is killed.
const GRACE: Duration = Duration::from_secs(5);
/// How long what a command has written is waited for after its end.
const DRAIN: Duration = Duration::from_secs(1);
/// The most bytes of output that are kept while it runs. More than is shown, so that no half of a credential is.
const KEPT: usize = 16 * 1024;
/// The most characters of output that are shown.
const SHOWN: usize = 2_000;

/// Why a command did not succeed. Each message has the end of its output, if there is any.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// There is no shell.
    #[error(
        "there is no shell `sh` to run the command: set iter8Image to an image of the agent that has one, or write command as a list of a program and its arguments"
    )]
    NoShell,
    /// There is no such program.
    #[error("there is no program `{0}`: set iter8Image to an image of the agent that has it, or correct the name")]
    NoProgram(String),
    /// It cannot be started.
    #[error("cannot start `{program}`")]
    Start {
        /// The program.
        program: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Its end cannot be waited for.
    #[error("cannot wait for the command")]
    Wait(#[source] io::Error),
    /// It failed.
    #[error("{0}")]
    Failed(Ended),
    /// It took too long.
    #[error("did not end within {timeout} and was stopped; {output}")]
    Late {
        /// How long it could have taken.
        timeout: GoDuration,
        /// The end of what it wrote.
        output: Output,
    },
    /// Stopped from outside.
    #[error("stopped before its end; {0}")]
    Stopped(Output),
}

/// How a command ended.
#[derive(Debug)]
pub struct Ended {
    status: ExitStatus,
    output: Output,
}

/// The end of what a command wrote, as it may be shown.
#[derive(Debug)]
pub struct Output(String);

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.status.code(), self.status.signal()) {
            (Some(code), _) => write!(f, "exit code {code}; {}", self.output),
            (None, Some(signal)) => write!(f, "killed by signal {signal}; {}", self.output),
            (None, None) => write!(f, "{}; {}", self.status, self.output),
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("no output") } else { write!(f, "output: {}", self.0) }
    }
}

pub(super) async fn run(inputs: &Run, context: TaskContext<'_>) -> Result<String, TaskError> {
    let mut command = command(inputs);
    for (name, value) in &inputs.env {
        let text = context.credentials.resolve(value);
        let text = text.map_err(|source| TaskError::Credential { key: format!("run.env.{name}"), source })?;
        command.env(name, text);
    }
    let (mut group, mut output) = Group::start(command, inputs)?;
    let mut waiting = JoinSet::new();
    let pid = group.pid;
    // The process stays a zombie, so that its number names no other group while this one is signalled.
    waiting.spawn_blocking(move || {
        loop {
            match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
                Err(rustix::io::Errno::INTR) => {}
                ended => break ended.map(|_| ()),
            }
        }
    });
    let (mut tail, mut buffer) = (Tail::default(), vec![0; 4096]);
    let mut end = Instant::now() + inputs.timeout();
    let mut stopped: Option<Stop> = None;
    let mut is_open = true;
    loop {
        tokio::select! {
            biased;
            () = context.cancel.cancelled(), if stopped.is_none() => {
                stopped = Some(Stop::Cancelled);
                group.signal(Signal::TERM);
                end = Instant::now() + GRACE;
            }
            () = tokio::time::sleep_until(end) => {
                if stopped.is_none() {
                    stopped = Some(Stop::Late);
                    group.signal(Signal::TERM);
                } else {
                    group.signal(Signal::KILL);
                }
                end = Instant::now() + GRACE;
            }
            ended = waiting.join_next() => match ended {
                Some(Ok(Err(error))) => return Err(CommandError::Wait(error.into()).into()),
                Some(Ok(Ok(())) | Err(_)) | None => break,
            },
            read = output.read(&mut buffer), if is_open => match read {
                Ok(0) | Err(_) => is_open = false,
                Ok(length) => {
                    tail.push(&buffer[..length]);
                    tail.last_line().into_iter().for_each(context.progress);
                }
            },
        }
    }
    let status = group.end().map_err(CommandError::Wait)?;
    while is_open {
        match tokio::time::timeout(DRAIN, output.read(&mut buffer)).await {
            Ok(Ok(length)) if length > 0 => tail.push(&buffer[..length]),
            Ok(_) | Err(_) => is_open = false,
        }
    }
    let output = tail.shown(context.credentials.redactor);
    match stopped {
        Some(Stop::Cancelled) => Err(CommandError::Stopped(output).into()),
        Some(Stop::Late) => Err(CommandError::Late { timeout: GoDuration(inputs.timeout()), output }.into()),
        None if status.success() => Ok(Ended { status, output }.to_string()),
        None => Err(CommandError::Failed(Ended { status, output }).into()),
    }
}

/// Why a command was told to end.
enum Stop {
    Cancelled,
    Late,
}

/// The words of a command, of which the first is the program.
fn words(inputs: &Run) -> Vec<&str> {
    match &inputs.command {
        Some(run::Command::Shell(text)) => vec!["sh", "-c", &text.0],
        Some(run::Command::Program(words)) => words.iter().map(|word| word.0.as_str()).collect(),
        None => Vec::new(),
    }
}

fn command(inputs: &Run) -> Command {
    let words = words(inputs);
    let mut command = Command::new(words.first().copied().unwrap_or_default());
    command.args(words.get(1..).unwrap_or_default()).stdin(Stdio::null()).process_group(0);
    command
}

/// A command with all that it started.
struct Group {
    pid: Pid,
    child: Child,
    is_over: bool,
}

impl Group {
    /// Starts it; both its streams come out of one pipe, in the order in which they are written.
    fn start(mut command: Command, inputs: &Run) -> Result<(Self, pipe::Receiver), CommandError> {
        let program = command.get_program().to_string_lossy().into_owned();
        let failed = |source| CommandError::Start { program: program.clone(), source };
        let (reader, writer) = io::pipe().map_err(failed)?;
        let output = pipe::Receiver::from_owned_fd(OwnedFd::from(reader)).map_err(failed)?;
        command.stdout(writer.try_clone().map_err(failed)?).stderr(writer);
        let child = command.spawn().map_err(|error| match (&inputs.command, error.kind()) {
            (Some(run::Command::Shell(_)), io::ErrorKind::NotFound) => CommandError::NoShell,
            (_, io::ErrorKind::NotFound) => CommandError::NoProgram(program.clone()),
            (_, _) => failed(error),
        })?;
        // The command holds the ends of the pipe that are written to; they are closed here with it.
        drop(command);
        Ok((Self { pid: Pid::from_child(&child), child, is_over: false }, output))
    }

    fn signal(&self, signal: Signal) {
        // It fails when nobody is left, which is what is wanted.
        let _ = kill_process_group(self.pid, signal);
    }

    /// Ends what the command left behind, and says how it ended itself.
    fn end(&mut self) -> io::Result<ExitStatus> {
        self.signal(Signal::KILL);
        self.is_over = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.end();
        }
    }
}

/// The end of an output.
#[derive(Default)]
struct Tail {
    bytes: VecDeque<u8>,
}

impl Tail {
    fn push(&mut self, more: &[u8]) {
        self.bytes.extend(more);
        self.bytes.drain(..self.bytes.len().saturating_sub(KEPT));
    }

    /// The last line that is whole and not empty.
    fn last_line(&self) -> Option<String> {
        let bytes: Vec<u8> = self.bytes.iter().copied().collect();
        let whole = &bytes[..bytes.iter().rposition(|byte| *byte == b'\n')?];
        let line = whole.split(|byte| *byte == b'\n').next_back().map(clean_line)?;
        (!line.trim().is_empty()).then_some(line)
    }

    /// The end as it may be shown: its lines in one, without credentials and control characters.
    fn shown(mut self, redactor: &Redactor) -> Output {
        let text = redactor.clean(&String::from_utf8_lossy(self.bytes.make_contiguous()));
        let lines: Vec<String> =
            text.lines().map(|line| clean_line(line.as_bytes())).filter(|line| !line.trim().is_empty()).collect();
        let line = lines.join(" ⏎ ");
        let cut = line.chars().count().saturating_sub(SHOWN);
        Output(if cut == 0 { line } else { format!("…{}", line.chars().skip(cut).collect::<String>()) })
    }
}

/// A line without what moves a cursor.
fn clean_line(line: &[u8]) -> String {
    String::from_utf8_lossy(line).chars().filter(|char| !char.is_control() || *char == '\t').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_long_output_the_end_is_shown_in_one_line_and_without_secrets() {
        let redactor = Redactor::default();
        redactor.learn("s3cr3t-t0ken");
        let mut tail = Tail::default();
        for _ in 0..2_000 {
            tail.push(b"0123456789");
        }
        tail.push(b"\nred \x1b[31mhere\x1b[0m\n\ntoken s3cr3t-t0ken \xff\n");
        assert_eq!(tail.bytes.len(), KEPT);
        let shown = tail.shown(&redactor).to_string();
        assert!(shown.ends_with("789 ⏎ red [31mhere[0m ⏎ token [redacted] \u{fffd}"), "{shown}");
        assert!(shown.starts_with("output: …") && shown.chars().count() == SHOWN + 9, "{shown}");
        assert_eq!(Tail::default().shown(&redactor).to_string(), "no output");
    }
}
