//! The conditions that `assert` asks about a result: what each means, and whether its answer can still change.

use std::fmt;
use std::str::FromStr;

use crate::result::{ExperimentResult, Phase};
use crate::suggest::nearest;
use crate::verdict::Verdict;

/// A question about a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Have all steps of a loop run?
    Completed,
    /// Has a loop run to its end without a failed task?
    NoFailure,
    /// Are all objectives satisfied?
    Slos,
    /// Is the verdict pass or fail?
    Conclusive,
}

/// Not the name of a condition.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("`{word}` is not a condition{hint}", word = .0, hint = did_you_mean(.0))]
pub struct UnknownCondition(pub String);

fn did_you_mean(word: &str) -> String {
    match nearest(word, Condition::NAMES) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; known are {}", Condition::NAMES.join(", ")),
    }
}

/// The answer to a condition as the result stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whether it holds.
    pub holds: bool,
    /// Whether it can no longer change without a new launch.
    pub is_final: bool,
    /// Why it does not hold, or a remark on why it does.
    pub reason: String,
    /// What stands in its way, when it does not hold.
    pub obstacle: Option<Obstacle>,
}

/// What stands in the way of a condition, from most to least telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Obstacle {
    /// A task failed, or the experiment was stopped.
    TaskFailed,
    /// An objective is violated.
    SloViolated,
    /// The evidence does not suffice or is not to be trusted.
    Inconclusive,
    /// It is not over yet.
    NotOver,
}

impl Condition {
    /// The names of all conditions.
    pub const NAMES: [&'static str; 4] = ["completed", "nofailure", "slos", "conclusive"];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::NoFailure => "nofailure",
            Self::Slos => "slos",
            Self::Conclusive => "conclusive",
        }
    }

    /// Answers the condition for `result` as it stands.
    pub fn answer(self, result: &ExperimentResult) -> Answer {
        // The result of a Job does not change once it is over; that of a CronJob does with its next loop.
        let over = result.phase.is_over() && !result.loops.recurring;
        let failed = failure(result);
        match (self, failed) {
            (Self::Completed | Self::NoFailure, Some(reason)) => Answer::no(reason, over, Obstacle::TaskFailed),
            (Self::Completed | Self::NoFailure, None) if result.is_completed() => {
                Answer::yes("all steps ran".into(), over)
            }
            (Self::Completed | Self::NoFailure, None) => Answer::no(progress(result), over, Obstacle::NotOver),
            (Self::Slos | Self::Conclusive, failed) => self.answer_verdict(result, failed, over),
        }
    }

    fn answer_verdict(self, result: &ExperimentResult, failed: Option<String>, over: bool) -> Answer {
        // Once the task `assess` of a Job has run, later steps do not alter its verdict.
        let decided = over || (!result.loops.recurring && !result.slos.is_empty());
        let holds = match (self, result.verdict) {
            (_, None) => {
                return match failed {
                    Some(reason) => Answer::no(reason, over, Obstacle::TaskFailed),
                    None if over => Answer::no("no objective was assessed".into(), true, Obstacle::Inconclusive),
                    None => Answer::no(progress(result), false, Obstacle::NotOver),
                };
            }
            (Self::Slos, Some(verdict)) => verdict == Verdict::Pass,
            (_, Some(verdict)) => matches!(verdict, Verdict::Pass | Verdict::Fail),
        };
        if holds {
            return Answer::yes(result.verdict_reason.clone(), decided);
        }
        let violated = result.verdict == Some(Verdict::Fail);
        match failed {
            // A task that failed before anything was assessed is the cause, and says more than its effect.
            Some(reason) if !violated && result.slos.is_empty() => Answer::no(reason, over, Obstacle::TaskFailed),
            _ if violated => Answer::no(result.verdict_reason.clone(), decided, Obstacle::SloViolated),
            _ => Answer::no(result.verdict_reason.clone(), decided, Obstacle::Inconclusive),
        }
    }
}

impl Answer {
    const fn yes(reason: String, is_final: bool) -> Self {
        Self { holds: true, is_final, reason, obstacle: None }
    }

    const fn no(reason: String, is_final: bool, obstacle: Obstacle) -> Self {
        Self { holds: false, is_final, reason, obstacle: Some(obstacle) }
    }
}

/// What made the present loop fail.
fn failure(result: &ExperimentResult) -> Option<String> {
    match (result.failed_step(), result.phase) {
        (Some((number, step)), _) => Some(format!("step {number} ({}) failed: {}", step.task, step.message)),
        (None, Phase::Cancelled) => Some("the experiment was stopped before its end".to_owned()),
        (None, Phase::Failed) => Some("the experiment failed".to_owned()),
        (None, Phase::Pending | Phase::Running | Phase::Succeeded) => None,
    }
}

fn progress(result: &ExperimentResult) -> String {
    match result.phase {
        Phase::Pending => "the experiment has not begun".to_owned(),
        _ => format!("{} of {} steps are done", result.completed_steps(), result.steps.len()),
    }
}

impl FromStr for Condition {
    type Err = UnknownCondition;

    fn from_str(text: &str) -> Result<Self, UnknownCondition> {
        match text.to_lowercase().as_str() {
            "completed" => Ok(Self::Completed),
            "nofailure" => Ok(Self::NoFailure),
            "slos" => Ok(Self::Slos),
            "conclusive" => Ok(Self::Conclusive),
            _ => Err(UnknownCondition(text.to_owned())),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::StepStatus;

    fn result(phase: Phase) -> ExperimentResult {
        let mut result = ExperimentResult::pending("g", "n", 1, &["http", "assess"]);
        result.phase = phase;
        result
    }

    fn succeeded(verdict: Option<Verdict>) -> ExperimentResult {
        let mut result = result(Phase::Succeeded);
        result.steps.iter_mut().for_each(|step| step.status = StepStatus::Succeeded);
        result.loops.completed = 1;
        result.verdict = verdict;
        result
    }

    #[test]
    fn names_are_read_without_case_and_misspelt_ones_corrected() {
        assert_eq!("SLOs".parse(), Ok(Condition::Slos));
        assert_eq!("NoFailure".parse(), Ok(Condition::NoFailure));
        let error = "complete".parse::<Condition>().unwrap_err();
        assert_eq!(error.to_string(), "`complete` is not a condition; did you mean `completed`?");
    }

    #[test]
    fn nothing_holds_before_the_experiment_is_over_and_nothing_is_final() {
        for phase in [Phase::Pending, Phase::Running] {
            for condition in [Condition::Completed, Condition::NoFailure, Condition::Slos, Condition::Conclusive] {
                let answer = condition.answer(&result(phase));
                assert_eq!(
                    (answer.holds, answer.is_final, answer.obstacle),
                    (false, false, Some(Obstacle::NotOver)),
                    "{condition}"
                );
            }
        }
    }

    #[test]
    fn objectives_that_nobody_assessed_are_not_satisfied() {
        let answer = Condition::Slos.answer(&succeeded(None));
        assert_eq!((answer.holds, answer.is_final, answer.obstacle), (false, true, Some(Obstacle::Inconclusive)));
    }

    #[test]
    fn only_a_pass_satisfies_the_objectives() {
        for (verdict, slos, conclusive) in [
            (Verdict::Pass, true, true),
            (Verdict::Fail, false, true),
            (Verdict::Inconclusive, false, false),
            (Verdict::Invalid, false, false),
        ] {
            let result = succeeded(Some(verdict));
            assert_eq!(Condition::Slos.answer(&result).holds, slos, "{verdict}");
            assert_eq!(Condition::Conclusive.answer(&result).holds, conclusive, "{verdict}");
            assert!(Condition::Completed.answer(&result).holds);
        }
    }

    #[test]
    fn a_failed_step_is_final_for_a_job_and_not_for_a_cronjob() {
        let mut failed = result(Phase::Failed);
        failed.steps[0].status = StepStatus::Failed;
        failed.steps[0].message = "connection refused".into();
        let answer = Condition::Completed.answer(&failed);
        assert_eq!((answer.is_final, answer.obstacle), (true, Some(Obstacle::TaskFailed)));
        assert_eq!(answer.reason, "step 1 (http) failed: connection refused");
        assert_eq!(Condition::Slos.answer(&failed).obstacle, Some(Obstacle::TaskFailed));
        failed.loops.recurring = true;
        assert!(!Condition::Completed.answer(&failed).is_final);
    }

    #[test]
    fn a_cancelled_experiment_is_not_completed() {
        let answer = Condition::NoFailure.answer(&result(Phase::Cancelled));
        assert_eq!((answer.holds, answer.is_final), (false, true));
    }
}
