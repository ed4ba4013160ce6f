//! A value that a fake's thread and a test share, with a bell for each: tests wait blocking, tasks of the fake without.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// How long a test waits for what it expects. Far longer than anything takes: it only ends tests that have failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A value whose changes can be waited for.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    value: Mutex<T>,
    /// For tests.
    changed: Condvar,
    /// For tasks.
    version: watch::Sender<u64>,
}

impl<T> Watched<T> {
    pub(crate) fn new(value: T) -> Self {
        Self { value: Mutex::new(value), changed: Condvar::new(), version: watch::Sender::new(0) }
    }

    /// A test that failed while it looked has not spoilt the value for those that still clean up.
    fn lock(&self) -> MutexGuard<'_, T> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.lock())
    }

    pub(crate) fn update<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let answer = change(&mut self.lock());
        self.changed.notify_all();
        self.version.send_modify(|version| *version += 1);
        answer
    }

    /// Waits, blocking, until `look` finds what it looks for. None when it has not come in all patience.
    pub(crate) fn wait<R>(&self, mut look: impl FnMut(&T) -> Option<R>) -> Option<R> {
        let deadline = Instant::now() + PATIENCE;
        let mut value = self.lock();
        loop {
            if let Some(found) = look(&value) {
                return Some(found);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            value = self.changed.wait_timeout(value, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits in a task.
    pub(crate) async fn until(&self, mut look: impl FnMut(&T) -> bool) {
        let mut changed = self.subscribe();
        // The sender lives as long as this, so that there is always a next change to wait for.
        while !self.read(&mut look) && changed.changed().await.is_ok() {}
    }

    /// Learns of every later change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }
}
