//! SIGINT and SIGTERM as a cancellation: the first asks everything to stop and save, a second ends the process at
//! once. What stopping means is the business of whoever holds the token.

use std::io;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Runs `work` with a token that the first signal cancels. Returns what `work` returns; None when a second signal
/// came first.
///
/// # Errors
/// When the signals cannot be listened to.
pub async fn cancel_on_signal<T>(work: impl AsyncFnOnce(CancellationToken) -> T) -> io::Result<Option<T>> {
    let mut interrupts = signal(SignalKind::interrupt())?;
    let mut terminations = signal(SignalKind::terminate())?;
    let cancel = CancellationToken::new();
    let mut work = std::pin::pin!(work(cancel.clone()));
    loop {
        tokio::select! {
            // The work first: when it ends together with a signal, its answer counts.
            biased;
            answer = &mut work => return Ok(Some(answer)),
            _ = interrupts.recv() => {}
            _ = terminations.recv() => {}
        }
        if cancel.is_cancelled() {
            return Ok(None);
        }
        cancel.cancel();
    }
}
