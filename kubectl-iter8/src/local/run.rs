//! Runs an experiment in this process. Where its result is kept and what is printed about it is decided elsewhere.

use iter8_agent::runner::{Event, EventKind, Identity, run};
use iter8_agent::shutdown::cancel_on_signal;
use iter8_agent::store::ResultStore;
use iter8_core::{Experiment, ExperimentResult};

use crate::error::CliError;
use crate::printer::Printer;

/// Runs one loop and shows how far it is. The first Ctrl-C stops it and keeps what was measured.
///
/// # Errors
/// When the result cannot be kept.
pub(crate) async fn run_experiment(
    experiment: &Experiment,
    group: &str,
    revision: u32,
    store: &impl ResultStore,
    printer: &Printer,
) -> Result<Option<ExperimentResult>, CliError> {
    let (group, namespace) = (group.to_owned(), String::new());
    let identity = Identity { group, namespace, revision, recurring: false, mounts: None };
    let show = |event: &Event| match &event.kind {
        EventKind::Progress { .. } => printer.progress(&event.kind.to_string()),
        EventKind::NotSaved { message } => printer.warning(message),
        _ => {}
    };
    let ran = cancel_on_signal(async |cancel| run(experiment, &identity, store, None, &cancel, &show).await).await?;
    Ok(ran.transpose()?)
}
