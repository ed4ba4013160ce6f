//! `assert`: answers with its exit code whether conditions hold, and waits for the answer if told to.

use std::time::Duration;

use clap::Args;
use futures_util::StreamExt as _;
use iter8_cluster::diagnose::{Trouble, diagnose};
use iter8_cluster::error::ClusterError;
use iter8_cluster::names::{self, Group, Revision};
use iter8_cluster::result::read_result;
use iter8_cluster::watch::{Seen, watch_result};
use iter8_core::condition::{Condition, Obstacle};
use iter8_core::{ExitCode, ExperimentResult, GoDuration};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};

use crate::context::Context;
use crate::error::CliError;
use crate::source::SourceArgs;

/// Check conditions of an experiment; the exit code is the answer
#[derive(Args, Debug)]
#[command(after_help = "Conditions:
  completed   all steps of a loop ran
  nofailure   a loop ran to its end and no task failed
  slos        all objectives are satisfied, on evidence that can be trusted
  conclusive  the verdict is pass or fail

Exit codes:
  0 all conditions hold    1 an objective is violated   3 not over in time
  4 a task failed          5 inconclusive or invalid    10 cluster or API error
  11 not found             12 not allowed               130 interrupted

Examples:
  # Wait for the end, then answer
  kubectl iter8 assert -c completed,nofailure,slos --timeout 60s

  # Only look at what is there
  kubectl iter8 assert -c slos")]
pub(crate) struct AssertArgs {
    #[command(flatten)]
    source: SourceArgs,
    /// Conditions that must hold, separated by commas
    #[arg(short, long = "condition", value_delimiter = ',', value_parser = parse_condition,
          default_value = "completed,nofailure,slos")]
    conditions: Vec<Condition>,
    /// How long to wait for the answer
    #[arg(short, long, default_value_t = GoDuration(Duration::ZERO))]
    timeout: GoDuration,
}

fn parse_condition(text: &str) -> Result<Condition, String> {
    text.trim().parse::<Condition>().map_err(|error| error.to_string())
}

pub(crate) async fn run(args: AssertArgs, context: &Context) -> Result<ExitCode, CliError> {
    let source = &args.source;
    let in_cluster = !source.group.local && source.filename.is_none();
    let answer = if in_cluster {
        wait(context, &source.group.group, source.revision.map(Revision), &args.conditions, args.timeout.0).await?
    } else {
        // A local experiment runs in the foreground: what its result says now is the last word.
        summed_up(&args.conditions, &source.read(context).await?)
    };
    answer.print(context)
}

/// The answer to several conditions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// Each condition with whether it holds and why.
    lines: Vec<(Condition, bool, String)>,
    /// What stands in the way most.
    obstacle: Option<Obstacle>,
    /// Whether it can no longer change.
    is_final: bool,
    /// What the cluster says about an experiment that does not get on.
    trouble: Option<Trouble>,
}

impl Answer {
    /// Prints a line for each condition and gives the exit code.
    pub(crate) fn print(&self, context: &Context) -> Result<ExitCode, CliError> {
        for (condition, holds, reason) in &self.lines {
            let relation = if *holds { "holds" } else { "does not hold" };
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            context.printer.data(&format!("{condition} {relation}{reason}\n"))?;
        }
        if let Some(trouble) = &self.trouble {
            context.printer.warning(&trouble.to_string());
        }
        Ok(self.code())
    }

    pub(crate) fn code(&self) -> ExitCode {
        match (self.obstacle, &self.trouble) {
            (None, _) => ExitCode::Satisfied,
            (Some(Obstacle::NotOver), Some(trouble)) if trouble.is_final => ExitCode::TaskFailed,
            (Some(obstacle), _) => obstacle.into(),
        }
    }
}

/// Answers all conditions on a result as it stands.
pub(crate) fn summed_up(conditions: &[Condition], result: &ExperimentResult) -> Answer {
    let answers: Vec<_> = conditions.iter().map(|condition| (*condition, condition.answer(result))).collect();
    let obstacle = answers.iter().filter_map(|(_, answer)| answer.obstacle).min();
    // One condition that finally does not hold settles the whole; otherwise all have to be settled.
    let lost = answers.iter().any(|(_, answer)| !answer.holds && answer.is_final);
    let is_final = lost || obstacle.is_none() || answers.iter().all(|(_, answer)| answer.is_final);
    let lines = answers.into_iter().map(|(condition, answer)| (condition, answer.holds, answer.reason)).collect();
    Answer { lines, obstacle, is_final, trouble: None }
}

/// How often the cluster is asked why an experiment does not get on.
const DIAGNOSE_EVERY: Duration = Duration::from_secs(1);

/// Watches the result until the answer can no longer change, or until `timeout` has passed.
pub(crate) async fn wait(
    context: &Context,
    group: &Group,
    revision: Option<Revision>,
    conditions: &[Condition],
    timeout: Duration,
) -> Result<Answer, CliError> {
    let client = context.client().await?;
    let namespace = context.namespace()?;
    let deadline = Instant::now() + timeout;
    let stored = read_result(&client, namespace, group, revision);
    let stored = stored.await.map_err(|error| context.cluster_error(error))?;
    let mut answer = summed_up(conditions, &stored.result);
    let result = stored.result;
    // A result of Iter8 v0.13 has no revision, and nothing writes it any more.
    if answer.is_final || result.revision == 0 {
        return Ok(answer);
    }
    let revision = Revision(result.revision);
    if timeout.is_zero() {
        answer.trouble = diagnose(&client, namespace, group, revision).await.ok().flatten();
        return Ok(answer);
    }
    let mut results = std::pin::pin!(watch_result(&client, namespace, group, revision));
    let mut diagnoses = interval(DIAGNOSE_EVERY);
    diagnoses.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            seen = results.next() => match seen {
                Some(Ok(Seen::Result(seen))) => {
                    context.printer.progress(&progress(&seen));
                    // It has begun or gone on: what was in its way is over.
                    answer = summed_up(conditions, &seen);
                    if answer.is_final {
                        return Ok(answer);
                    }
                }
                Some(Ok(Seen::Empty)) => {}
                Some(Ok(Seen::Gone)) => {
                    let secret = names::result_secret(group, revision.0);
                    return Err(ClusterError::ResultGone { secret, namespace: namespace.to_owned() }.into());
                }
                Some(Err(error)) => return Err(context.cluster_error(error)),
                None => return Ok(answer),
            },
            () = sleep_until(deadline) => return Ok(answer),
            _ = diagnoses.tick() => {
                let trouble = diagnose(&client, namespace, group, revision).await;
                // That the cluster cannot say what is wrong is no answer to what was asked.
                if let Ok(Some(trouble)) = trouble {
                    context.printer.progress(&trouble.to_string());
                    if trouble.is_final {
                        // What the agent saved before its end says more than how its pod ended.
                        let stored = read_result(&client, namespace, group, Some(revision)).await;
                        let stored = stored.map_err(|error| context.cluster_error(error))?;
                        answer = summed_up(conditions, &stored.result);
                        answer.trouble = Some(trouble).filter(|_| !answer.is_final);
                        return Ok(answer);
                    }
                    answer.trouble = Some(trouble);
                }
            }
        }
    }
}

fn progress(result: &ExperimentResult) -> String {
    let done = result.completed_steps();
    let current = result.steps.get(done).map(|step| format!(", {}", step.task)).unwrap_or_default();
    format!("{:?}: {done} of {} steps done{current}", result.phase, result.steps.len())
}

#[cfg(test)]
mod tests {
    use iter8_core::Verdict;
    use iter8_core::result::{Phase, StepStatus};

    use super::*;

    const ALL: [Condition; 3] = [Condition::Completed, Condition::NoFailure, Condition::Slos];

    fn result(phase: Phase, verdict: Option<Verdict>) -> ExperimentResult {
        let mut result = ExperimentResult::pending("g", "n", 1, &["http", "assess"]);
        result.phase = phase;
        result.verdict = verdict;
        if phase == Phase::Succeeded {
            result.loops.completed = 1;
            result.steps.iter_mut().for_each(|step| step.status = StepStatus::Succeeded);
        }
        result
    }

    #[test]
    fn each_end_has_its_exit_code() {
        for (phase, verdict, code) in [
            (Phase::Succeeded, Some(Verdict::Pass), ExitCode::Satisfied),
            (Phase::Succeeded, Some(Verdict::Fail), ExitCode::Unsatisfied),
            (Phase::Succeeded, Some(Verdict::Inconclusive), ExitCode::Inconclusive),
            (Phase::Succeeded, Some(Verdict::Invalid), ExitCode::Inconclusive),
            (Phase::Succeeded, None, ExitCode::Inconclusive),
            (Phase::Failed, Some(Verdict::Inconclusive), ExitCode::TaskFailed),
            (Phase::Cancelled, Some(Verdict::Inconclusive), ExitCode::TaskFailed),
            (Phase::Running, None, ExitCode::TimedOut),
        ] {
            assert_eq!(summed_up(&ALL, &result(phase, verdict)).code(), code, "{phase:?} {verdict:?}");
        }
    }

    #[test]
    fn the_answer_is_final_only_when_nothing_can_change_it() {
        assert!(!summed_up(&ALL, &result(Phase::Running, None)).is_final);
        assert!(summed_up(&ALL, &result(Phase::Succeeded, Some(Verdict::Fail))).is_final);
        let mut recurring = result(Phase::Succeeded, Some(Verdict::Fail));
        recurring.loops.recurring = true;
        assert!(!summed_up(&ALL, &recurring).is_final);
        recurring.verdict = Some(Verdict::Pass);
        assert!(summed_up(&ALL, &recurring).is_final);
    }
}
