//! How fast an open load may add connections. Pure: whoever asks says what time it is.
//!
//! The schedule spreads requests, and with them the connections that they need. But a generator that was held up finds many
//! requests due at once, and a connection for each of them in the same instant is more than a target's queue of new
//! connections may take: what it drops comes again a second later, and would be measured as the target's slowness.

use std::time::Duration;

/// Adds connections at a steady pace, of which a little may be made up for (a generic cell rate algorithm, ITU-T I.371).
pub(crate) struct Growth {
    step: Duration,
    /// When the next connection would be added if they came evenly.
    next: Duration,
}

/// The pace is at least one in this time, however slow the schedule is.
const STEP_MAX: Duration = Duration::from_micros(500);
/// How much of the pace may be made up for at once.
const CREDIT: Duration = Duration::from_millis(10);

impl Growth {
    /// For a schedule with this many requests a second at most: a connection for each of them is no burst.
    pub(crate) fn new(peak: f64) -> Self {
        let between = Duration::try_from_secs_f64(1.0 / peak).unwrap_or(STEP_MAX);
        Self { step: between.min(STEP_MAX), next: Duration::ZERO }
    }

    /// When the next connection may be added.
    pub(crate) fn earliest(&self) -> Duration {
        self.next.saturating_sub(CREDIT)
    }

    /// Takes note that a connection is added at `now`.
    pub(crate) fn added(&mut self, now: Duration) {
        self.next = self.next.max(now) + self.step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many connections are added by `until` if as many as possible are, from `from` on.
    fn added(growth: &mut Growth, from: Duration, until: Duration) -> u32 {
        let (mut now, mut count) = (from, 0);
        while now < until {
            growth.added(now);
            count += 1;
            now = now.max(growth.earliest());
        }
        count
    }

    #[test]
    fn what_piled_up_does_not_come_at_once() {
        let mut growth = Growth::new(100.0);
        let (late, ms) = (Duration::from_secs(1), Duration::from_millis(1));
        // Ten milliseconds of the pace at once, and the pace from then on.
        assert_eq!(added(&mut growth, late, late + ms / 10), 21);
        assert_eq!(added(&mut growth, late + ms, late + 101 * ms), 201);
    }

    #[test]
    fn a_connection_for_each_request_of_the_schedule_is_never_too_many() {
        for rate in [1.0, 2_000.0, 2_500.0, 50_000.0] {
            let mut growth = Growth::new(rate);
            for request in 0..10_000 {
                let now = Duration::from_secs_f64(f64::from(request) / rate);
                assert!(growth.earliest() <= now, "{request} at {rate}");
                growth.added(now);
            }
        }
    }
}
