//! What happens while an experiment runs, for whoever shows or logs it. The runner and the tasks emit; nobody answers.

use std::fmt;

use iter8_core::{Phase, Verdict};
use jiff::Timestamp;

/// Something that happened.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: EventKind,
}

/// What happened. Steps are numbered from 1.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A loop began.
    LoopStarted {
        /// Its number, from 1.
        number: u32,
    },
    /// A step began.
    StepStarted {
        /// Its number.
        step: usize,
        /// How many steps there are.
        of: usize,
        /// Its task.
        task: &'static str,
    },
    /// A step is under way; emitted as often as there is something new to say.
    Progress {
        /// Its number.
        step: usize,
        /// How far it is, in a few words.
        message: String,
    },
    /// A step is done.
    StepSucceeded {
        /// Its number.
        step: usize,
        /// Its task.
        task: &'static str,
        /// What it did.
        message: String,
    },
    /// A step was not done, because its condition did not hold.
    StepSkipped {
        /// Its number.
        step: usize,
        /// Its task.
        task: &'static str,
        /// Why.
        message: String,
    },
    /// A step failed.
    StepFailed {
        /// Its number.
        step: usize,
        /// Its task.
        task: &'static str,
        /// Why.
        message: String,
    },
    /// The result could not be saved; it is tried again at the next step.
    NotSaved {
        /// Why.
        message: String,
    },
    /// A loop came to its end.
    LoopEnded {
        /// How it ended.
        phase: Phase,
        /// What was decided, if anything.
        verdict: Option<Verdict>,
    },
}

impl EventKind {
    /// Whether it belongs into the log; progress does not.
    pub const fn is_logged(&self) -> bool {
        !matches!(self, Self::Progress { .. })
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::LoopStarted { number } => write!(f, "loop {number} started"),
            Self::StepStarted { step, of, task } => write!(f, "step {step}/{of} {task} started"),
            Self::Progress { step, message } => write!(f, "step {step}: {message}"),
            Self::StepSucceeded { step, task, message } if message.is_empty() => write!(f, "step {step} {task} done"),
            Self::StepSucceeded { step, task, message } => write!(f, "step {step} {task} done: {message}"),
            Self::StepSkipped { step, task, message } => write!(f, "step {step} {task} skipped: {message}"),
            Self::StepFailed { step, task, message } => write!(f, "step {step} {task} failed: {message}"),
            Self::NotSaved { message } => write!(f, "the result could not be saved: {message}"),
            Self::LoopEnded { phase, verdict: None } => write!(f, "experiment {}, no verdict", lower(*phase)),
            Self::LoopEnded { phase, verdict: Some(verdict) } => {
                write!(f, "experiment {}, verdict {verdict}", lower(*phase))
            }
        }
    }
}

const fn lower(phase: Phase) -> &'static str {
    match phase {
        Phase::Pending => "pending",
        Phase::Running => "running",
        Phase::Succeeded => "succeeded",
        Phase::Failed => "failed",
        Phase::Cancelled => "cancelled",
    }
}

/// One line of a log.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3} {}", self.at, self.kind)
    }
}
