//! A number of requests that the workers of a closed load share: whoever is fast sends more of them, and all end together.
//! When they are sent is not its business.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::Share;

/// Requests that nobody has taken yet.
#[derive(Debug)]
pub(crate) struct Budget {
    /// The part of a load that they are.
    pub(crate) share: Share,
    requests: u64,
    left: AtomicU64,
}

/// The most requests taken at once, so that workers meet here rarely.
const BATCH_MAX: u64 = 32;
/// The share of what is left that is taken at once at most: nobody holds much when the end is near.
const BATCH_SHARE: u64 = 64;

impl Budget {
    pub(crate) const fn new(share: Share, requests: u64) -> Self {
        Self { share, requests, left: AtomicU64::new(requests) }
    }

    /// Takes a few requests, by their numbers in the share; none when there are no more.
    pub(crate) fn take_some(&self) -> Range<u64> {
        let batch = |left: u64| (left / BATCH_SHARE).clamp(1, BATCH_MAX).min(left);
        // Nothing else depends on the order in which workers see this.
        let before = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| Some(left - batch(left)));
        let before = before.unwrap_or_default();
        let first = self.requests - before;
        first..first + batch(before)
    }

    /// Takes all that is left, and says how much that was.
    pub(crate) fn take_all(&self) -> u64 {
        self.left.swap(0, Ordering::Relaxed)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_request_is_taken_once_whoever_takes_it() {
        for requests in [0, 1, 2, 63, 64, 65, 10_000] {
            let budget = Budget::new(Share::WHOLE, requests);
            let all = || {
                let batches = std::iter::repeat_with(|| budget.take_some()).take_while(|batch| !batch.is_empty());
                batches.flatten().collect::<Vec<u64>>()
            };
            let mut taken: Vec<u64> = std::thread::scope(|scope| {
                let takers: Vec<_> = (0..4).map(|_| scope.spawn(all)).collect();
                takers.into_iter().flat_map(|taker| taker.join().unwrap()).collect()
            });
            taken.sort_unstable();
            assert_eq!(taken, (0..requests).collect::<Vec<_>>());
            assert!(budget.is_empty() && budget.take_all() == 0);
        }
    }

    #[test]
    fn near_the_end_nobody_takes_more_than_one() {
        let first = |requests| Budget::new(Share::WHOLE, requests).take_some();
        assert_eq!([first(1_000_000), first(640), first(127)], [0..32, 0..10, 0..1]);
    }
}
