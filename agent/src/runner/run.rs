//! The ordered loop over steps: run, record, save. What a task does stands in [`crate::tasks`]; what its measurements
//! mean is decided by iter8-core.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Mutex;

use futures_util::FutureExt as _;
use iter8_cluster::error::chain;
use iter8_core::result::{ExperimentResult, Phase, StepStatus};
use iter8_core::step_condition::StepCondition;
use iter8_core::{Experiment, Verdict};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::event::{Event, EventKind};
use crate::credentials::Credentials;
use crate::redact::Redactor;
use crate::store::{ResultStore, StoreError};
use crate::tasks::{self, CommandError, TaskContext, TaskError};

/// Which revision of which group runs.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The line of experiments.
    pub group: String,
    /// Where; empty for a local run.
    pub namespace: String,
    /// The launch, from 1.
    pub revision: u32,
    /// Whether this loop goes on from what earlier ones left.
    pub continues: bool,
    /// Whether more loops may follow.
    pub recurring: bool,
    /// Where the Secrets that its credentials name are mounted; None for a local run, which has none.
    pub mounts: Option<PathBuf>,
}

/// Why an experiment could not be run or its result not be kept.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// What earlier loops left could not be read.
    #[error("failed to load the result")]
    Load(#[source] StoreError),
    /// The final result could not be saved.
    #[error("failed to save the result")]
    Save(#[source] StoreError),
}

/// Runs one loop of `experiment` and returns its result, which has been saved at every step.
///
/// When `cancel` fires, the step under way stops, what it measured is kept and the phase becomes `Cancelled`. A task
/// that fails ends the loop; it is no error of this function, the result says so.
///
/// # Errors
/// When the result of earlier loops cannot be read, or the last save fails. A save that fails between steps is
/// reported as an event and made good by the next one.
pub async fn run(
    experiment: &Experiment,
    identity: &Identity,
    store: &impl ResultStore,
    client: Option<&kube::Client>,
    cancel: &CancellationToken,
    events: &(dyn Fn(&Event) + Sync),
) -> Result<ExperimentResult, RunError> {
    let names = experiment.task_names();
    let earlier = store.load().await.map_err(RunError::Load)?;
    let fresh = || ExperimentResult::pending(&identity.group, &identity.namespace, identity.revision, &names);
    let result = if identity.continues { earlier.unwrap_or_else(fresh) } else { fresh() };
    let mut run = Run { result, redactor: Redactor::of(experiment), store, events };
    let mounts = identity.mounts.as_deref();
    run.result.trigger.clone_from(&experiment.trigger);
    run.result.agent_version = env!("CARGO_PKG_VERSION").to_owned();
    run.result.confidence = experiment.confidence();
    run.result.loops.recurring = identity.recurring;
    run.result.begin_loop(Timestamp::now(), &names);
    let number = run.result.loops.started;
    run.emit(EventKind::LoopStarted { number });
    run.save().await;

    let mut assessed = false;
    let mut phase = Phase::Succeeded;
    for (index, step) in experiment.steps.iter().enumerate() {
        if cancel.is_cancelled() {
            phase = Phase::Cancelled;
            break;
        }
        let task = step.task.name();
        match step.condition.as_ref().map(|condition| condition.holds(&run.result, names.len())) {
            None | Some(Ok(true)) => {}
            Some(Ok(false)) => {
                let text = step.condition.as_ref().map(StepCondition::text).unwrap_or_default();
                run.end_step(index, task, StepStatus::Skipped, &format!("`{text}` does not hold"));
                continue;
            }
            Some(Err(error)) => {
                run.end_step(index, task, StepStatus::Failed, &format!("its condition {error}"));
                phase = Phase::Failed;
                break;
            }
        }
        run.begin_step(index, names.len(), task);
        run.save().await;
        let progress = Mutex::new(String::new());
        let context = TaskContext {
            experiment,
            result: &mut run.result,
            client,
            namespace: &identity.namespace,
            credentials: &Credentials { mounts, namespace: &identity.namespace, redactor: &run.redactor },
            cancel,
            progress: &|message| {
                let message = run.redactor.clean(&message);
                let mut last = progress.lock().expect("no one panics while holding it");
                if *last != message {
                    events(&Event {
                        at: Timestamp::now(),
                        kind: EventKind::Progress { step: index + 1, message: message.clone() },
                    });
                    *last = message;
                }
            },
        };
        // A defect in a task must not take what earlier steps measured with it.
        // In a box, because tasks are nested so deeply that the compiler would give up on those who wait for a run.
        let outcome = AssertUnwindSafe(Box::pin(tasks::run(&step.task, context))).catch_unwind().await;
        match outcome.unwrap_or_else(|panic| Err(TaskError::Panicked(panic_message(panic.as_ref())))) {
            Ok(message) => {
                assessed |= task == "assess";
                run.end_step(index, task, StepStatus::Succeeded, &message);
            }
            Err(TaskError::Cancelled) => {
                let message = "stopped before its end; what it measured is kept";
                run.end_step(index, task, StepStatus::Cancelled, message);
                phase = Phase::Cancelled;
                break;
            }
            Err(TaskError::Command(stopped @ CommandError::Stopped(_))) => {
                run.end_step(index, task, StepStatus::Cancelled, &stopped.to_string());
                phase = Phase::Cancelled;
                break;
            }
            Err(error) => {
                run.end_step(index, task, StepStatus::Failed, &chain(&error));
                phase = Phase::Failed;
                break;
            }
        }
    }
    run.end_loop(phase, assessed);
    run.try_save().await.map_err(RunError::Save)?;
    Ok(run.result)
}

struct Run<'a, S> {
    result: ExperimentResult,
    redactor: Redactor,
    store: &'a S,
    events: &'a (dyn Fn(&Event) + Sync),
}

impl<S: ResultStore> Run<'_, S> {
    fn emit(&mut self, kind: EventKind) {
        let event = Event { at: Timestamp::now(), kind };
        if event.kind.is_logged() {
            self.result.log_line(self.redactor.clean(&event.to_string()));
        }
        (self.events)(&event);
    }

    fn begin_step(&mut self, index: usize, of: usize, task: &'static str) {
        let step = &mut self.result.steps[index];
        step.status = StepStatus::Running;
        step.started = Some(Timestamp::now());
        self.emit(EventKind::StepStarted { step: index + 1, of, task });
    }

    fn end_step(&mut self, index: usize, task: &'static str, status: StepStatus, message: &str) {
        let message = self.redactor.clean(message);
        let step = &mut self.result.steps[index];
        step.status = status;
        step.ended = Some(Timestamp::now());
        step.message.clone_from(&message);
        let step = index + 1;
        self.emit(match status {
            StepStatus::Succeeded => EventKind::StepSucceeded { step, task, message },
            StepStatus::Skipped => EventKind::StepSkipped { step, task, message },
            StepStatus::Pending | StepStatus::Running | StepStatus::Failed | StepStatus::Cancelled => {
                EventKind::StepFailed { step, task, message }
            }
        });
    }

    /// A verdict of an earlier loop does not stand in for one that this loop did not reach.
    fn end_loop(&mut self, phase: Phase, assessed: bool) {
        self.result.phase = phase;
        self.result.ended = Some(Timestamp::now());
        if phase == Phase::Succeeded {
            self.result.loops.completed += 1;
        }
        if !assessed {
            self.result.slos.clear();
            self.result.verdict = Some(Verdict::Inconclusive);
            self.result.verdict_reason = match (phase, self.result.failed_step()) {
                (Phase::Cancelled, _) => "the experiment was stopped before its objectives were assessed".to_owned(),
                (_, Some((number, step))) => {
                    format!("step {number} ({}) failed before any objective was assessed", step.task)
                }
                (_, None) => "no objective was assessed".to_owned(),
            };
        }
        let verdict = self.result.verdict;
        self.emit(EventKind::LoopEnded { phase, verdict });
    }

    async fn save(&mut self) {
        if let Err(error) = self.try_save().await {
            self.emit(EventKind::NotSaved { message: self.redactor.clean(&chain(error.as_ref())) });
        }
    }

    async fn try_save(&mut self) -> Result<(), StoreError> {
        self.redactor.clean_result(&mut self.result);
        self.store.save(&self.result).await
    }
}

fn panic_message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("without a message").to_owned()
}
