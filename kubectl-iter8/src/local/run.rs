//! Runs an experiment in this process, once or in several loops. Where its result is kept and what is printed about it is
//! decided elsewhere.

use std::time::Duration;

use iter8_agent::runner::{Event, EventKind, Identity, RunError, run};
use iter8_agent::shutdown::cancel_on_signal;
use iter8_agent::store::ResultStore;
use iter8_core::{Experiment, ExperimentResult};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::error::CliError;
use crate::printer::Printer;

/// How many loops there are, and how far apart they begin.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Loops {
    /// At least one.
    pub(crate) count: u32,
    /// From the beginning of one to that of the next. A loop that takes longer is followed by the next at once.
    pub(crate) interval: Duration,
}

impl Loops {
    pub(crate) const ONE: Self = Self { count: 1, interval: Duration::ZERO };
}

/// How an experiment ended.
pub(crate) struct Ran {
    pub(crate) result: ExperimentResult,
    /// Whether it was stopped before its last loop came to its end.
    pub(crate) is_stopped: bool,
}

/// Runs all loops and shows how far they are. The first Ctrl-C stops them and keeps what was measured; after a second there
/// is no answer. A loop that fails is followed by the next, as in a cluster.
///
/// # Errors
/// When the result cannot be kept.
pub(crate) async fn run_experiment(
    experiment: &Experiment,
    group: &str,
    revision: u32,
    loops: Loops,
    store: &impl ResultStore,
    printer: &Printer,
) -> Result<Option<Ran>, CliError> {
    let all = async |cancel: CancellationToken| -> Result<Ran, CliError> {
        let begun = Instant::now();
        let mut number = 0;
        loop {
            number += 1;
            let identity = Identity {
                group: group.to_owned(),
                namespace: String::new(),
                revision,
                continues: number > 1,
                recurring: number < loops.count,
                mounts: None,
            };
            let of = if loops.count > 1 { format!("loop {number} of {}: ", loops.count) } else { String::new() };
            let show = |event: &Event| match &event.kind {
                EventKind::Progress { .. } => printer.progress(&format!("{of}{}", event.kind)),
                EventKind::NotSaved { message } => printer.warning(message),
                _ => {}
            };
            let mut result = run(experiment, &identity, store, None, &cancel, &show).await?;
            if number == loops.count {
                return Ok(Ran { result, is_stopped: cancel.is_cancelled() });
            }
            if !cancel.is_cancelled() {
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {}
                    () = sleep_until(begun + loops.interval * number) => {}
                }
            }
            if cancel.is_cancelled() {
                result.loops.recurring = false;
                store.save(&result).await.map_err(RunError::Save)?;
                return Ok(Ran { result, is_stopped: true });
            }
        }
    };
    cancel_on_signal(all).await?.transpose()
}
