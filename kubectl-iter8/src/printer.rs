//! The only file that writes to the terminal: data to stdout, everything else to stderr. What is written is decided
//! elsewhere.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;

use crate::error::CliError;

/// Writes for people and for pipes.
#[derive(Debug)]
pub(crate) struct Printer {
    color_out: bool,
    color_err: bool,
    interactive: bool,
    width: usize,
    /// Whether a line of progress stands on the terminal that the next message has to replace.
    progress: Mutex<bool>,
}

/// What the environment says about terminals.
#[derive(Clone, Debug, Default)]
pub(crate) struct TerminalEnv {
    /// `NO_COLOR` is set, to whatever.
    pub no_color: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `COLUMNS`.
    pub columns: Option<usize>,
}

const DEFAULT_WIDTH: usize = 80;

impl Printer {
    /// Looks at the terminal once.
    pub(crate) fn new(env: &TerminalEnv) -> Self {
        let capable = !env.no_color && env.term.as_deref() != Some("dumb");
        let terminal_width = || rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col));
        Self {
            color_out: capable && io::stdout().is_terminal(),
            color_err: capable && io::stderr().is_terminal(),
            interactive: io::stderr().is_terminal(),
            width: env.columns.or_else(terminal_width).filter(|width| *width >= 40).unwrap_or(DEFAULT_WIDTH),
            progress: Mutex::new(false),
        }
    }

    /// Whether data may be coloured.
    pub(crate) const fn color(&self) -> bool {
        self.color_out
    }

    /// Columns of the terminal.
    pub(crate) const fn width(&self) -> usize {
        self.width
    }

    /// Writes data as it is. A reader that went away is no error.
    ///
    /// # Errors
    /// When stdout cannot be written to, for example because a disk is full.
    pub(crate) fn data(&self, text: &str) -> Result<(), CliError> {
        self.end_progress();
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(CliError::output(&error)),
            _ => Ok(()),
        }
    }

    /// Writes a message that is no data.
    pub(crate) fn status(&self, text: &str) {
        self.message(text);
    }

    /// Writes a warning in kubectl's form.
    pub(crate) fn warning(&self, text: &str) {
        self.message(&format!("{} {text}", self.paint("Warning:", "33")));
    }

    /// Says what to type next; only to people, never into a pipe.
    pub(crate) fn hint(&self, text: &str) {
        if self.interactive {
            self.message(text);
        }
    }

    /// Shows how far something is: one line that replaces itself on a terminal, nothing elsewhere.
    pub(crate) fn progress(&self, text: &str) {
        if self.interactive {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(self.width.saturating_sub(1)).collect();
            let mut on_screen = self.progress.lock().expect("no one panics while holding it");
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{shown}");
            *on_screen = true;
        }
    }

    /// Writes why a command failed, with hints.
    pub(crate) fn error(&self, error: &CliError) {
        self.message(error.text());
        for hint in error.hints() {
            self.message(&format!("{} {hint}", self.paint("hint:", "36")));
        }
    }

    fn message(&self, text: &str) {
        self.end_progress();
        // Nobody is left to tell when stderr is gone.
        let _ = writeln!(io::stderr().lock(), "{text}");
    }

    fn end_progress(&self) {
        let mut on_screen = self.progress.lock().expect("no one panics while holding it");
        if std::mem::take(&mut *on_screen) {
            let _ = write!(io::stderr().lock(), "\r\x1b[2K");
        }
    }

    fn paint(&self, text: &str, code: &str) -> String {
        if self.color_err { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}
