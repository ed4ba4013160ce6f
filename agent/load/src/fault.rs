//! Whether the generator measured the target or itself: what it observed of itself in, faults out. Pure.
//!
//! That the target holds all connections is the target's doing: those requests wait, and their waiting is part of their
//! latency. Requests that were never sent are part of nothing, so that a run which could not send a good part of its load
//! says less of the target than it seems to.

use std::fmt;
use std::time::Duration;

use crate::report::Report;
use crate::throttle::Pressure;

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
    /// The hypervisor ran somebody else instead of this machine.
    Stolen {
        /// For how long, summed over all CPUs.
        stolen: Duration,
        /// Of how long.
        elapsed: Duration,
    },
    /// All connections were busy nearly all the time: requests waited for the generator's connections as well as for the
    /// target, and nobody can tell the two apart.
    Full {
        /// How many there were.
        connections: u32,
        /// How many requests could be under way at a time on each.
        streams: u32,
        /// The share of their time in which they were busy.
        busy: f64,
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
/// The share of all CPUs' time that may be stolen.
const STOLEN_SHARE: f64 = 0.1;
const STOLEN_ELAPSED: Duration = Duration::from_secs(2);
/// The share of their time in which connections may be busy. At such a load most requests wait for one.
const BUSY_SHARE: f64 = 0.9;
/// The share of the requests that may stay unsent.
const DROPPED_SHARE: f64 = 0.01;
/// Fewer requests say nothing about a 99th percentile.
const LAG_SAMPLES: u64 = 100;

/// What a run is judged by beside its report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Circumstances {
    pub(crate) pressure: Pressure,
    /// How many CPUs this process may use.
    pub(crate) cpus: u32,
    pub(crate) connections: u32,
    /// How many requests could be under way at a time on each connection.
    pub(crate) streams: u32,
    /// Whether requests had intended times.
    pub(crate) is_open: bool,
}

/// The faults of a run.
pub(crate) fn certify(report: &Report, circumstances: Circumstances) -> Vec<Fault> {
    let Circumstances { pressure, cpus, connections, streams, is_open } = circumstances;
    let elapsed = report.elapsed;
    let lag = report.lag_fault();
    let is_throttled = pressure.throttled > elapsed.mul_f64(THROTTLED_SHARE);
    let throttled = is_throttled.then_some(Fault::Throttled { stopped: pressure.throttled, elapsed });
    // The kernel counts it in hundredths of a second, of which a short run has too few to have a share.
    let is_long = elapsed >= STOLEN_ELAPSED && report.lag.len() >= LAG_SAMPLES;
    let is_stolen = is_long && pressure.stolen > (elapsed * cpus).mul_f64(STOLEN_SHARE);
    let stolen = is_stolen.then_some(Fault::Stolen { stolen: pressure.stolen, elapsed });
    let room = elapsed.mul_f64(f64::from(connections) * f64::from(streams));
    let busy = if room.is_zero() { 0.0 } else { report.busy.as_secs_f64() / room.as_secs_f64() };
    let is_full = is_open && !report.interrupted && report.queue.len() >= LAG_SAMPLES && busy > BUSY_SHARE;
    let full = is_full.then_some(Fault::Full { connections, streams, busy });
    let (dropped, offered) = (report.dropped, report.offered);
    // A run that was stopped did not mean to send the rest.
    let is_short = !report.interrupted && dropped as f64 > offered as f64 * DROPPED_SHARE;
    let not_sent = is_short.then_some(Fault::NotSent { dropped, offered });
    [lag, throttled, stolen, full, not_sent].into_iter().flatten().collect()
}

impl Report {
    /// Whether the generator sent late by itself, as far as enough requests were sent to say so. For a report that several
    /// loads were merged into, because each of them may have been too short.
    pub fn lag_fault(&self) -> Option<Fault> {
        let p99 = self.lag.quantile(0.99).filter(|_| self.lag.len() >= LAG_SAMPLES)?;
        let response = self.all_responses().quantile(0.99).unwrap_or_default();
        let limit = LAG_FLOOR.max(response.mul_f64(LAG_SHARE));
        (p99 > limit).then_some(Fault::Lag { p99, limit })
    }
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
            Self::Stolen { stolen, elapsed } => write!(
                f,
                "the hypervisor held this machine back for {stolen:.1?} of {elapsed:.1?}: measure on a quieter one"
            ),
            Self::Full { connections, streams: 1, busy } => write!(
                f,
                "all {connections} connections were busy {:.0} % of the time: raise connections, or lower the rate to what the target can take",
                busy * 100.0
            ),
            Self::Full { connections, streams, busy } => write!(
                f,
                "all {connections} connections with {streams} requests each were busy {:.0} % of the time: raise connections or what each carries, or lower the rate to what the target can take",
                busy * 100.0
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
    use crate::recorder::{Recorder, Times};
    use crate::report::Outcome;

    const QUIET: Circumstances = Circumstances {
        pressure: Pressure { throttled: Duration::ZERO, stolen: Duration::ZERO },
        cpus: 2,
        connections: 10,
        streams: 1,
        is_open: true,
    };

    fn report(lag: Duration, response: Duration) -> Report {
        let mut recorder = Recorder::new();
        for _ in 0..200 {
            let none = Duration::ZERO;
            let times = Times { intended: none, noticed: none, free: none, taken: lag, sent: lag, done: response };
            recorder.count_response(Outcome::Success, &times);
        }
        Report { elapsed: Duration::from_secs(10), ..recorder.finish() }
    }

    #[test]
    fn a_run_in_good_order_has_no_fault() {
        let report = report(Duration::from_millis(1), Duration::from_millis(2));
        assert_eq!(certify(&report, QUIET), []);
    }

    #[test]
    fn lag_counts_when_it_is_long_by_itself_and_beside_the_responses() {
        let late = Duration::from_millis(20);
        let faults = certify(&report(late, Duration::from_millis(30)), QUIET);
        assert!(matches!(faults[..], [Fault::Lag { .. }]));
        assert!(faults[0].to_string().contains("lower the rate"));
        let slow = Circumstances { connections: 100, ..QUIET };
        assert_eq!(certify(&report(late, Duration::from_secs(1)), slow), []);
    }

    #[test]
    fn time_taken_away_counts_when_it_is_a_share_of_the_run() {
        let report = report(Duration::ZERO, Duration::from_millis(2));
        let with = |throttled, stolen| {
            let (throttled, stolen) = (Duration::from_millis(throttled), Duration::from_millis(stolen));
            certify(&report, Circumstances { pressure: Pressure { throttled, stolen }, ..QUIET })
        };
        assert_eq!(with(50, 1_900), []);
        assert!(matches!(with(500, 0)[..], [Fault::Throttled { .. }]));
        assert!(matches!(with(0, 2_100)[..], [Fault::Stolen { .. }]));
        let short = Report { elapsed: Duration::from_millis(200), ..report };
        let pressure = Pressure { throttled: Duration::ZERO, stolen: Duration::from_millis(100) };
        assert_eq!(certify(&short, Circumstances { pressure, connections: 1_000, ..QUIET }), []);
    }

    #[test]
    fn connections_that_are_always_busy_make_an_open_load_invalid() {
        // 200 requests of 480 ms on ten connections take 9.6 of 10 seconds.
        let report = report(Duration::ZERO, Duration::from_millis(480));
        let faults = certify(&report, QUIET);
        assert_eq!(faults, [Fault::Full { connections: 10, streams: 1, busy: 0.96 }]);
        assert!(faults[0].to_string().contains("raise connections"));
        assert_eq!(certify(&report, Circumstances { connections: 11, ..QUIET }), []);
        let shared = certify(&report, Circumstances { connections: 2, streams: 5, ..QUIET });
        assert_eq!(shared, [Fault::Full { connections: 2, streams: 5, busy: 0.96 }]);
        assert!(shared[0].to_string().contains("2 connections with 5 requests each"), "{}", shared[0]);
        assert_eq!(certify(&report, Circumstances { is_open: false, ..QUIET }), []);
    }

    #[test]
    fn requests_that_were_never_sent_count_unless_the_run_was_stopped() {
        let of = |dropped, interrupted| Report { offered: 1000, dropped, interrupted, ..Report::default() };
        let faults = |dropped, interrupted| certify(&of(dropped, interrupted), QUIET);
        assert_eq!(faults(10, false), []);
        assert_eq!(faults(11, false), [Fault::NotSent { dropped: 11, offered: 1000 }]);
        assert_eq!(faults(900, true), []);
    }
}
