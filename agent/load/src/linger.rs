//! Keeps a worker from going to rest for a few microseconds at a time while answers come in quick succession. What the
//! worker does meanwhile is not its business.
//!
//! A server that answers a client at rest has to wake it, which on a virtual machine costs the server more than the answer:
//! a client that rests between two answers slows down the very target whose speed it measures. So a closed load, whose pace
//! is the target's, looks for answers a little longer before it rests, and stops doing so when that does not pay.

use std::convert::Infallible;
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

use crate::lane::Shared;

/// How long an answer is looked for. Answers that are further apart cost the target little to wake for.
const PATIENCE: Duration = Duration::from_micros(20);
/// What looking must last to have paid.
const WORTHWHILE: Duration = PATIENCE.saturating_mul(5);
/// The most answers for which nothing is tried after it did not pay.
const PAUSE_MAX: u32 = 4_096;

/// Never returns, and uses the time of the task that it is polled in only while answers come in quick succession.
pub(crate) async fn linger(shared: &Shared) -> Infallible {
    let mut pause = 1;
    loop {
        after_answers(shared, pause).await;
        let begun = Instant::now();
        let (mut last, mut seen) = (begun, answers(shared));
        while last.elapsed() < PATIENCE {
            // The runtime looks for news without resting when a task yields.
            tokio::task::yield_now().await;
            let now = answers(shared);
            if now != seen {
                (last, seen) = (Instant::now(), now);
            }
        }
        pause = next_pause(pause, begun.elapsed());
    }
}

/// How many answers to let pass before the next attempt, after one that lasted so long.
fn next_pause(pause: u32, lasted: Duration) -> u32 {
    if lasted >= WORTHWHILE { 1 } else { (pause * 2).min(PAUSE_MAX) }
}

fn answers(shared: &Shared) -> u64 {
    shared.queue.borrow().answers()
}

/// Returns when so many more answers have come.
async fn after_answers(shared: &Shared, count: u32) {
    let wanted = answers(shared) + u64::from(count);
    poll_fn(|context| {
        let mut queue = shared.queue.borrow_mut();
        if queue.answers() >= wanted {
            return Poll::Ready(());
        }
        queue.answered = Some((wanted, context.waker().clone()));
        Poll::Pending
    })
    .await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looking_that_does_not_pay_becomes_rare_and_one_success_makes_up_for_it() {
        let fruitless = std::iter::successors(Some(1), |pause| Some(next_pause(*pause, PATIENCE)));
        let pauses: Vec<u32> = fruitless.take(20).collect();
        assert_eq!(pauses[..4], [1, 2, 4, 8]);
        assert_eq!(pauses[19], PAUSE_MAX);
        assert_eq!(next_pause(PAUSE_MAX, WORTHWHILE), 1);
    }
}
