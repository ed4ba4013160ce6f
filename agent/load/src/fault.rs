//! Whether the generator measured the target or itself: what it observed of itself in, faults out. Pure.
//!
//! That the target holds all connections is the target's doing: those requests wait, and their waiting is part of their
//! latency. Requests that were never sent are part of nothing, so that a run which could not send a good part of its load
//! says less of the target than it seems to.

use std::fmt;
use std::time::Duration;

use crate::report::Report;
use crate::throttle::Throttling;

/// Why a measurement is not to be trusted, and what to change.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// The generator sent late by itself.
    Lag {
        /// How late, 99th percentile.
        p99: Duration,
        /// How late it may be.
        limit: Duration,
    },
    /// The container's CPU limit stopped the generator.
    Throttled {
        /// For how long in total.
        stopped: Duration,
        /// Of how long.
        elapsed: Duration,
    },
    /// Connections ran out: requests waited for one until the run ended.
    NotSent {
        /// How many.
        dropped: u64,
        /// Of how many.
        offered: u64,
    },
}

/// Below this a lag is not worth a word: what a timer and a busy runtime cost on a small shared machine.
const LAG_FLOOR: Duration = Duration::from_millis(5);
/// The share of the response time's 99th percentile that the lag's may have.
const LAG_SHARE: f64 = 0.05;
/// The share of the run that throttling may take.
const THROTTLED_SHARE: f64 = 0.01;
/// The share of the requests that may stay unsent.
const DROPPED_SHARE: f64 = 0.01;
/// Fewer requests say nothing about a 99th percentile.
const LAG_SAMPLES: u64 = 100;

/// The faults of a run.
pub(crate) fn certify(report: &Report, throttling: Throttling) -> Vec<Fault> {
    let lag = report.lag.quantile(0.99).filter(|_| report.lag.len() >= LAG_SAMPLES).and_then(|p99| {
        let response = report.all_responses().quantile(0.99).unwrap_or_default();
        let limit = LAG_FLOOR.max(response.mul_f64(LAG_SHARE));
        (p99 > limit).then_some(Fault::Lag { p99, limit })
    });
    let elapsed = report.elapsed;
    let is_throttled = throttling.stopped > elapsed.mul_f64(THROTTLED_SHARE);
    let throttled = is_throttled.then_some(Fault::Throttled { stopped: throttling.stopped, elapsed });
    let (dropped, offered) = (report.dropped, report.offered);
    // A run that was stopped did not mean to send the rest.
    let is_short = !report.interrupted && dropped as f64 > offered as f64 * DROPPED_SHARE;
    let not_sent = is_short.then_some(Fault::NotSent { dropped, offered });
    lag.into_iter().chain(throttled).chain(not_sent).collect()
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lag { p99, limit } => write!(
                f,
                "the load generator itself sent late (p99 {p99:.1?}, at most {limit:.1?} would do): give it more CPU or lower the rate"
            ),
            Self::Throttled { stopped, elapsed } => write!(
                f,
                "the CPU limit of its container stopped the load generator for {stopped:.1?} of {elapsed:.1?}: raise or remove the limit"
            ),
            Self::NotSent { dropped, offered } => write!(
                f,
                "{dropped} of {offered} requests were never sent, because no connection was free until the end: raise connections, or lower the rate to what the target can take"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Outcome;

    fn report(lag: Duration, response: Duration) -> Report {
        let mut report = Report { elapsed: Duration::from_secs(10), ..Report::default() };
        for _ in 0..200 {
            report.lag.record(lag);
            report.count_response(Outcome::Success, Duration::ZERO, response);
        }
        report
    }

    #[test]
    fn a_run_in_good_order_has_no_fault() {
        let report = report(Duration::from_millis(1), Duration::from_millis(2));
        assert_eq!(certify(&report, Throttling::default()), []);
    }

    #[test]
    fn lag_counts_when_it_is_long_by_itself_and_beside_the_responses() {
        let late = Duration::from_millis(20);
        let faults = certify(&report(late, Duration::from_millis(30)), Throttling::default());
        assert!(matches!(faults[..], [Fault::Lag { .. }]));
        assert!(faults[0].to_string().contains("lower the rate"));
        assert_eq!(certify(&report(late, Duration::from_secs(1)), Throttling::default()), []);
    }

    #[test]
    fn throttling_counts_when_it_takes_a_share_of_the_run() {
        let report = report(Duration::ZERO, Duration::from_millis(2));
        let stopped = |millis| Throttling { stopped: Duration::from_millis(millis) };
        assert_eq!(certify(&report, stopped(50)), []);
        assert!(matches!(certify(&report, stopped(500))[..], [Fault::Throttled { .. }]));
    }
    #[test]
    fn requests_that_were_never_sent_count_unless_the_run_was_stopped() {
        let of = |dropped, interrupted| Report { offered: 1000, dropped, interrupted, ..Report::default() };
        let faults = |dropped, interrupted| certify(&of(dropped, interrupted), Throttling::default());
        assert_eq!(faults(10, false), []);
        assert_eq!(faults(11, false), [Fault::NotSent { dropped: 11, offered: 1000 }]);
        assert_eq!(faults(900, true), []);
    }
}
