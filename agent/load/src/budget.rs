//! A number of requests that the workers of a closed load share: whoever is fast sends more of them, and all end together.
//! When they are sent is not its business.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Budget(AtomicU64);

/// The most requests taken at once, so that workers meet here rarely.
const BATCH_MAX: u64 = 32;
/// The share of what is left that is taken at once at most: nobody holds much when the end is near.
const BATCH_SHARE: u64 = 64;

impl Budget {
    pub(crate) const fn new(requests: u64) -> Self {
        Self(AtomicU64::new(requests))
    }

    /// Takes a few requests; none when there are no more.
    pub(crate) fn take_some(&self) -> u64 {
        let batch = |left: u64| (left / BATCH_SHARE).clamp(1, BATCH_MAX).min(left);
        // Nothing else depends on the order in which workers see this.
        let before = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - batch(left)));
        batch(before.unwrap_or_default())
    }

    /// Takes all that is left.
    pub(crate) fn take_all(&self) -> u64 {
        self.0.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_taken_once_whoever_takes_it() {
        for requests in [0, 1, 2, 63, 64, 65, 10_000] {
            let budget = Budget::new(requests);
            let all = || std::iter::repeat_with(|| budget.take_some()).take_while(|some| *some > 0).sum::<u64>();
            let taken = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
                takers.into_iter().map(|taker| taker.join().unwrap()).sum::<u64>()
            });
            assert_eq!(taken, requests);
            assert!(budget.is_empty() && budget.take_all() == 0);
        }
    }

    #[test]
    fn near_the_end_nobody_takes_more_than_one() {
        assert_eq!(Budget::new(1_000_000).take_some(), 32);
        assert_eq!(Budget::new(640).take_some(), 10);
        assert_eq!(Budget::new(127).take_some(), 1);
    }
}
