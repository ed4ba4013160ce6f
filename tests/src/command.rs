//! A hermetic place to run a program in: a home of its own, no variable of whoever runs the tests, a fixed width of the
//! terminal; and what the program wrote, with everything that differs from run to run under a name of its own. Which
//! program and what it should write is the business of the tests.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, ErrorKind, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::terminal;

/// No program in a test takes this long; one that does is ended, and its test fails.
const LIMIT: Duration = Duration::from_secs(60);

/// A home for programs, which goes with everything in it.
#[derive(Debug)]
pub struct TestEnv {
    home: TempDir,
    variables: BTreeMap<OsString, OsString>,
    stand_ins: Vec<(String, String)>,
}

/// A call of a program that has not begun.
#[derive(Debug)]
#[must_use = "a command does nothing before it is run"]
pub struct TestCommand {
    command: Command,
    stdin: Option<Vec<u8>>,
    stand_ins: Vec<(String, String)>,
}

/// A program at work. It is ended when this goes away.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<Line>,
    stdout: String,
    stderr: String,
    stand_ins: Vec<(String, String)>,
    called: String,
}

/// What a program wrote, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandOutput {
    /// What it wrote to stdout.
    pub stdout: String,
    /// What it wrote to stderr.
    pub stderr: String,
    /// Its exit code; None when a signal ended it.
    pub code: Option<i32>,
    stand_ins: Vec<(String, String)>,
}

/// A line with its end, if it has one, and where it was written.
#[derive(Debug)]
enum Line {
    Out(Vec<u8>),
    Err(Vec<u8>),
}

impl Default for TestEnv {
    fn default() -> Self {
        Self::new()
    }
}

impl TestEnv {
    /// An empty home.
    pub fn new() -> Self {
        let home = tempfile::tempdir().expect("a temporary directory can be made");
        let path = home.path().to_owned();
        let stand_ins = vec![(path.display().to_string(), "$HOME".to_owned())];
        let variables = [
            ("HOME", path.clone().into_os_string()),
            ("XDG_DATA_HOME", path.join("data").into_os_string()),
            ("XDG_CONFIG_HOME", path.join("config").into_os_string()),
            ("TMPDIR", path.into_os_string()),
            ("PATH", "/usr/bin:/bin".into()),
            ("COLUMNS", "80".into()),
            ("LANG", "C.UTF-8".into()),
        ];
        let variables = variables.map(|(name, value)| (name.into(), value));
        Self { home, variables: variables.into(), stand_ins }
    }

    /// The directory that programs take for the user's home.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// Sets a variable for every program from now on.
    pub fn set(&mut self, name: &str, value: impl AsRef<OsStr>) {
        self.variables.insert(name.into(), value.as_ref().to_owned());
    }

    /// Shows `text` in the output of every program from now on as `stand_in`.
    pub fn hide(&mut self, text: impl Into<String>, stand_in: &str) {
        self.stand_ins.push((text.into(), stand_in.to_owned()));
    }

    /// Writes a file below the home and returns its path.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home().join(name);
        fs::create_dir_all(path.parent().expect("is below the home")).expect("the home can be written to");
        fs::write(&path, content).expect("the home can be written to");
        path
    }

    /// Writes a program in the language of `sh` below the home and returns its path.
    pub fn script(&self, name: &str, text: &str) -> PathBuf {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.file(name, format!("#!/bin/sh\n{text}"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("the home can be written to");
        path
    }

    /// Every file below the home by its path from there, in order.
    pub fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.home().to_owned()];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).expect("the home can be read") {
                let path = entry.expect("the home can be read").path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let below = path.strip_prefix(self.home()).expect("is below the home");
                    found.push(below.display().to_string());
                }
            }
        }
        found.sort();
        found
    }

    /// A call of `program` with these words, begun in the home.
    pub fn command(
        &self,
        program: impl AsRef<OsStr>,
        words: impl IntoIterator<Item = impl AsRef<OsStr>>,
    ) -> TestCommand {
        let mut command = Command::new(program);
        command.args(words).env_clear().envs(&self.variables).current_dir(self.home());
        TestCommand { command, stdin: None, stand_ins: self.stand_ins.clone() }
    }
}

impl TestCommand {
    /// Adds words.
    pub fn args(mut self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(words);
        self
    }

    /// Sets a variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Takes a variable away.
    pub fn without(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// What the program reads from stdin; nothing when not given.
    pub fn stdin(mut self, text: impl Into<Vec<u8>>) -> Self {
        self.stdin = Some(text.into());
        self
    }

    /// Runs it to its end.
    #[must_use = "look at the exit code or at what was written"]
    #[track_caller]
    pub fn run(self) -> CommandOutput {
        self.spawn().wait()
    }

    /// Runs it to its end on a terminal with so many columns; what stood there is all in `stdout`.
    #[must_use = "look at the exit code or at what was written"]
    pub fn on_terminal(self, columns: u16) -> CommandOutput {
        let (stdout, code) = terminal::run(self.command, columns);
        CommandOutput { stdout, stderr: String::new(), code, stand_ins: self.stand_ins }
    }

    /// Starts it.
    #[track_caller]
    pub fn spawn(mut self) -> Running {
        let called = format!("{:?}", self.command);
        let stdin = if self.stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = loop {
            match self.command.spawn() {
                Ok(child) => break child,
                // A program that another test starts has a file that we just wrote open too, until it has become that
                // program.
                Err(error) if error.kind() == ErrorKind::ExecutableFileBusy => thread::yield_now(),
                Err(error) => panic!("{called} does not start: {error}"),
            }
        };
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), self.stdin) {
            // A program that does not read is none of our business, and one that reads late must not hold us up.
            thread::spawn(move || pipe.write_all(&text));
        }
        let (sender, lines) = channel();
        let (out, err) = (sender.clone(), sender);
        let (stdout, stderr) = (child.stdout.take().expect("is piped"), child.stderr.take().expect("is piped"));
        thread::spawn(move || send_lines(stdout, |line| out.send(Line::Out(line)).is_ok()));
        thread::spawn(move || send_lines(stderr, |line| err.send(Line::Err(line)).is_ok()));
        let (stdout, stderr) = (String::new(), String::new());
        Running { child, lines, stdout, stderr, stand_ins: self.stand_ins, called }
    }
}

fn send_lines(pipe: impl Read, send: impl Fn(Vec<u8>) -> bool) {
    let mut pipe = BufReader::new(pipe);
    let mut line = Vec::new();
    while pipe.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) && send(std::mem::take(&mut line)) {}
}

impl Running {
    /// The number of the process.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("a child can be waited for").is_some()
    }

    /// Sends the signal with this name, as `INT` and `TERM`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status();
        assert!(sent.is_ok_and(|status| status.success()), "{} cannot be sent SIG{name}", self.called);
    }

    /// Waits until it has written `text`, to stdout or stderr, and returns the line with it.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        while !self.stdout.contains(text) && !self.stderr.contains(text) {
            assert!(
                self.read(deadline),
                "{} ended without writing {text:?}:\n{}{}",
                self.called,
                self.stdout,
                self.stderr
            );
        }
        let mut lines = self.stdout.lines().chain(self.stderr.lines());
        lines.find(|line| line.contains(text)).unwrap_or(text).to_owned()
    }

    /// Waits for its end.
    #[must_use = "look at the exit code or at what was written"]
    #[track_caller]
    pub fn wait(mut self) -> CommandOutput {
        let deadline = Instant::now() + LIMIT;
        while self.read(deadline) {}
        let status = self.child.wait().expect("a child can be waited for");
        CommandOutput {
            stdout: std::mem::take(&mut self.stdout),
            stderr: std::mem::take(&mut self.stderr),
            code: status.code(),
            stand_ins: std::mem::take(&mut self.stand_ins),
        }
    }

    /// Takes one more line; false when there are none to come.
    #[track_caller]
    fn read(&mut self, deadline: Instant) -> bool {
        match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Line::Out(line)) => self.stdout += &String::from_utf8_lossy(&line),
            Ok(Line::Err(line)) => self.stderr += &String::from_utf8_lossy(&line),
            Err(RecvTimeoutError::Disconnected) => return false,
            Err(RecvTimeoutError::Timeout) => {
                panic!("{} took longer than {LIMIT:?}:\n{}{}", self.called, self.stdout, self.stderr)
            }
        }
        true
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended already when it was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl CommandOutput {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub fn code(self, code: i32) -> Self {
        assert_eq!(self.code, Some(code), "{self}");
        self
    }

    /// Asserts that stdout holds `text`.
    #[track_caller]
    pub fn says(self, text: &str) -> Self {
        assert!(self.stdout.contains(text), "stdout does not hold {text:?}:\n{self}");
        self
    }

    /// Asserts that stderr holds `text`.
    #[track_caller]
    pub fn complains(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "stderr does not hold {text:?}:\n{self}");
        self
    }

    /// Stdout as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("stdout is no JSON: {error}\n{self}"))
    }

    /// Stdout as documents of YAML.
    #[track_caller]
    pub fn yaml(&self) -> Vec<Value> {
        serde_yaml::from_multiple(&self.stdout).unwrap_or_else(|error| panic!("stdout is no YAML: {error}\n{self}"))
    }
}

/// As snapshots hold it: stdout, stderr below a line, the exit code unless it is 0; with stand-ins for what differs from
/// run to run.
impl fmt::Display for CommandOutput {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hide(&self.stdout, &self.stand_ins))?;
        if !self.stderr.is_empty() {
            write!(f, "------- stderr -------\n{}", hide(&self.stderr, &self.stand_ins))?;
        }
        match self.code {
            Some(0) => Ok(()),
            Some(code) => writeln!(f, "[exit code {code}]"),
            None => writeln!(f, "[ended by a signal]"),
        }
    }
}

/// `text` with stand-ins for what differs from run to run; moments of time get `<time>`.
fn hide(text: &str, stand_ins: &[(String, String)]) -> String {
    let shown = stand_ins.iter().fold(text.to_owned(), |shown, (text, stand_in)| shown.replace(text, stand_in));
    without_times(&shown)
}

/// Moments as `2026-01-02T03:04:05.678Z` and `2026-01-02 03:04:05 UTC`.
fn without_times(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find(|c: char| c.is_ascii_digit()) {
        let (before, from) = rest.split_at(found);
        shown += before;
        let digits = from.find(|c: char| !c.is_ascii_digit()).unwrap_or(from.len());
        let length = moment(from).unwrap_or(digits);
        shown += if length == digits { &from[..length] } else { "<time>" };
        rest = &from[length..];
    }
    shown + rest
}

/// The length of the moment that `text` begins with, if it does.
fn moment(text: &str) -> Option<usize> {
    const FORM: &[u8] = b"dddd-dd-ddTdd:dd:dd";
    let fits = |(form, byte): (&u8, u8)| match form {
        b'd' => byte.is_ascii_digit(),
        b'T' => byte == b'T' || byte == b' ',
        other => *other == byte,
    };
    if text.len() < FORM.len() || !FORM.iter().zip(text.bytes()).all(fits) {
        return None;
    }
    let rest = &text[FORM.len()..];
    let fraction = rest
        .strip_prefix('.')
        .map_or(0, |digits| 1 + digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()));
    let zone = ["Z", " UTC"].into_iter().find(|zone| rest[fraction..].starts_with(zone)).map_or(0, str::len);
    Some(FORM.len() + fraction + zone)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_sees_nothing_of_who_runs_the_tests() {
        let mut env = TestEnv::new();
        env.set("OWN", "1");
        let output = env.command("env", [""; 0]).env("MORE", "2").run().code(0);
        let expected = "COLUMNS=80\nHOME=$HOME\nLANG=C.UTF-8\nMORE=2\nOWN=1\nPATH=/usr/bin:/bin\nTMPDIR=$HOME\n\
            XDG_CONFIG_HOME=$HOME/config\nXDG_DATA_HOME=$HOME/data\n";
        let shown = output.to_string();
        let mut lines: Vec<&str> = shown.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected.lines().collect::<Vec<_>>());
    }

    #[test]
    fn output_code_and_input_are_told_apart() {
        let env = TestEnv::new();
        let script = env.script("x", "cat; echo oops at 2026-01-02T03:04:05.678Z >&2; exit 3");
        let output = env.command(&script, [""; 0]).stdin("hello\n").run();
        assert_eq!(output.to_string(), "hello\n------- stderr -------\noops at <time>\n[exit code 3]\n");
        assert_eq!(env.files(), ["x"]);
    }

    #[test]
    fn a_program_at_work_can_be_waited_for_and_signalled() {
        let env = TestEnv::new();
        let script = env.script("x", "trap 'echo stopped; exit 7' INT; echo ready; while :; do sleep 0.1; done");
        let mut running = env.command(&script, [""; 0]).spawn();
        running.wait_for("ready\n");
        running.signal("INT");
        assert_eq!(running.wait().code(7).stdout, "ready\nstopped\n");
    }

    #[test]
    fn moments_are_hidden_and_other_numbers_stay() {
        for (text, shown) in [
            ("at 2026-01-02 03:04:05 UTC, took 5 s", "at <time>, took 5 s"),
            ("2026-01-02T03:04:05Z", "<time>"),
            ("2026-01-02T03:04:05.123456Z x", "<time> x"),
            ("12026-01-02, 2026-01, v1.34", "12026-01-02, 2026-01, v1.34"),
        ] {
            assert_eq!(without_times(text), shown);
        }
    }
}
