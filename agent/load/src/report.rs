//! What happened, in a form that merges without loss. Whether it can be trusted is decided in [`crate::fault`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::fault::Fault;
use crate::grpc::Code;
use crate::histogram::Histogram;
use crate::moments::Moments;

/// The most samples kept of each kind of error.
const SAMPLES_MAX: usize = 3;
/// The most bytes kept of each sample.
pub(crate) const SAMPLE_BYTES: usize = 300;

/// What came of a load.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// From the start of the schedule to the end of the last request.
    pub elapsed: Duration,
    /// Requests that the schedule asked for.
    pub offered: u64,
    /// Requests that were sent, or for which a connection was tried.
    pub started: u64,
    /// Requests that came to an end: answered, failed or timed out.
    pub completed: u64,
    /// Requests that were never sent, because the run ended first.
    pub dropped: u64,
    /// Requests that were sent and had not ended when a run that was stopped could wait no longer. They are in no
    /// histogram.
    pub censored: u64,
    /// Connections made beyond the first of each slot.
    pub reconnects: u64,
    /// From the intended send to the end, by outcome. Latency, as a user of the target sees it.
    pub response: BTreeMap<Outcome, Histogram>,
    /// From the actual send to the end: how long the target took once it had the request.
    pub service: Histogram,
    /// From the moment when the generator saw that a request was due until a connection was free: the target held all of
    /// them.
    pub queue: Histogram,
    /// From the intended send until the generator saw that the request was due, and from a connection being free until it
    /// took the request up: the generator's own lateness, whatever its connections were doing.
    pub lag: Histogram,
    /// Time that connections were busy, summed over all of them.
    pub busy: Duration,
    /// Requests that were sent before the measurement began, and are in nothing else here.
    pub warmup: Warmup,
    /// Moments of the response times of all requests, whatever their outcome.
    pub moments: Moments,
    /// Answers by status code of HTTP.
    pub status_codes: BTreeMap<u16, u64>,
    /// Calls of gRPC by their status code, which every call has, whatever became of it; empty for other protocols. Calls that
    /// lost their connection or found none are `UNAVAILABLE`, those that took too long `DEADLINE_EXCEEDED`.
    pub grpc_codes: BTreeMap<Code, u64>,
    /// Messages of gRPC that were sent, in all calls.
    pub messages_sent: u64,
    /// Messages of gRPC that were received, in all calls.
    pub messages_received: u64,
    /// Errors by kind.
    pub errors: BTreeMap<ErrorKind, ErrorDetail>,
    /// What happened in each second of the schedule. Bounded: see [`Second`].
    pub seconds: BTreeMap<u64, Second>,
    /// Why the measurement is not to be trusted.
    pub faults: Vec<Fault>,
    /// Whether the run was stopped before its end.
    pub interrupted: bool,
}

/// What was sent before a measurement began.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Warmup {
    /// Requests that ended.
    pub completed: u64,
    /// Those of them that are errors.
    pub errors: u64,
}

/// How a request ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// With a status that is no error.
    Success,
    /// With a status that is an error.
    ErrorStatus,
    /// Without an answer.
    Failure,
}

/// What went wrong with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ErrorKind {
    /// The answer's status is an error.
    Status(u16),
    /// The call of gRPC ended with this status.
    Grpc(Code),
    /// The host's name has no address.
    Resolve,
    /// Nothing listens at the address.
    Refused,
    /// The connection could not be made for another reason.
    Connect,
    /// The TLS handshake failed.
    Tls,
    /// The connection was reset.
    Reset,
    /// The connection was closed before the answer was whole.
    Closed,
    /// What came back is no HTTP.
    Protocol,
    /// No whole answer in time.
    Timeout,
}

/// Errors of one kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorDetail {
    /// How many.
    pub count: u64,
    /// The first few: messages, or heads of bodies.
    pub samples: Vec<String>,
}

/// What happened in one second of the schedule (by intended send). Of a long run several seconds are taken together,
/// so that there are at most [`Second::MAX`] entries: keys are then multiples of a power of two.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Second {
    /// Requests that ended.
    pub completed: u64,
    /// Those of them that are errors.
    pub errors: u64,
    /// Moments of their response times.
    pub moments: Moments,
}

impl Second {
    /// The most entries kept.
    pub const MAX: usize = 512;
}

impl Report {
    /// Requests that ended with an error status or without an answer.
    pub fn error_count(&self) -> u64 {
        self.errors.values().map(|detail| detail.count).sum()
    }

    /// Response times of all requests, whatever their outcome.
    pub fn all_responses(&self) -> Histogram {
        self.response.values().fold(Histogram::default(), |mut all, histogram| {
            all.merge(histogram);
            all
        })
    }

    /// Counts an error.
    pub(crate) fn count_error(&mut self, kind: ErrorKind, sample: Option<String>) {
        let detail = self.errors.entry(kind).or_default();
        detail.count += 1;
        if let Some(sample) = sample.filter(|sample| !sample.is_empty()) {
            detail.add_sample(sample);
        }
    }

    /// Takes in what happened in a second of the schedule.
    pub(crate) fn count_second(&mut self, second: u64, counts: &Second) {
        let width = self.second_width();
        self.seconds.entry(second / width * width).or_default().merge(counts);
        self.bound_seconds();
    }

    /// How many seconds an entry of `seconds` covers.
    fn second_width(&self) -> u64 {
        let last = self.seconds.keys().next_back().copied().unwrap_or(0);
        (last / Second::MAX as u64 + 1).next_power_of_two()
    }

    fn bound_seconds(&mut self) {
        if self.seconds.len() <= Second::MAX {
            return;
        }
        let width = self.second_width();
        for (second, counts) in std::mem::take(&mut self.seconds) {
            self.seconds.entry(second / width * width).or_default().merge(&counts);
        }
    }

    /// Takes in what another share of the same load saw. The order of merging does not matter, but for which samples of
    /// errors are kept.
    pub fn merge(&mut self, other: &Self) {
        self.elapsed = self.elapsed.max(other.elapsed);
        self.offered += other.offered;
        self.started += other.started;
        self.completed += other.completed;
        self.dropped += other.dropped;
        self.censored += other.censored;
        self.reconnects += other.reconnects;
        self.busy += other.busy;
        self.warmup.completed += other.warmup.completed;
        self.warmup.errors += other.warmup.errors;
        for (outcome, histogram) in &other.response {
            self.response.entry(*outcome).or_default().merge(histogram);
        }
        self.service.merge(&other.service);
        self.queue.merge(&other.queue);
        self.lag.merge(&other.lag);
        self.moments.merge(&other.moments);
        for (status, count) in &other.status_codes {
            *self.status_codes.entry(*status).or_default() += count;
        }
        for (code, count) in &other.grpc_codes {
            *self.grpc_codes.entry(*code).or_default() += count;
        }
        self.messages_sent += other.messages_sent;
        self.messages_received += other.messages_received;
        for (kind, theirs) in &other.errors {
            let ours = self.errors.entry(*kind).or_default();
            ours.count += theirs.count;
            theirs.samples.iter().for_each(|sample| ours.add_sample(sample.clone()));
        }
        for (second, counts) in &other.seconds {
            self.seconds.entry(*second).or_default().merge(counts);
        }
        self.bound_seconds();
        for fault in &other.faults {
            if !self.faults.contains(fault) {
                self.faults.push(fault.clone());
            }
        }
        self.interrupted |= other.interrupted;
    }
}

impl Report {
    /// Takes in what a load saw that was sent after this one. Its seconds come after those that are here, as if it had begun
    /// with the next full one, and both times count.
    pub fn append(&mut self, later: &Self) {
        let width = self.second_width().max(later.second_width());
        let begin = self.seconds.keys().next_back().map_or(0, |last| last + self.second_width());
        let begin = begin.max(self.elapsed.as_secs_f64().ceil() as u64).next_multiple_of(width);
        let elapsed = self.elapsed + later.elapsed;
        let seconds = later.seconds.iter().map(|(second, counts)| (begin + second, *counts)).collect();
        self.merge(&Self { seconds, ..later.clone() });
        self.elapsed = elapsed;
    }
}

impl Second {
    fn merge(&mut self, other: &Self) {
        self.completed += other.completed;
        self.errors += other.errors;
        self.moments.merge(&other.moments);
    }
}

impl ErrorDetail {
    fn add_sample(&mut self, sample: String) {
        if self.samples.len() < SAMPLES_MAX && !self.samples.contains(&sample) {
            self.samples.push(sample);
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(f, "status {status}"),
            Self::Grpc(code) => write!(f, "{code}"),
            Self::Resolve => f.write_str("host not found"),
            Self::Refused => f.write_str("connection refused"),
            Self::Connect => f.write_str("connection failed"),
            Self::Tls => f.write_str("TLS failed"),
            Self::Reset => f.write_str("connection reset"),
            Self::Closed => f.write_str("connection closed"),
            Self::Protocol => f.write_str("not HTTP"),
            Self::Timeout => f.write_str("timeout"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::recorder::{Recorder, Times};

    type Call = (u8, u16, u64);

    fn times(intended: Duration, response: Duration) -> Times {
        Times {
            intended,
            noticed: intended,
            free: Duration::ZERO,
            taken: intended,
            sent: intended,
            done: intended + response,
        }
    }

    fn of(calls: &[Call]) -> Report {
        let mut recorder = Recorder::new();
        for (outcome, second, micros) in calls {
            let outcome = match outcome % 3 {
                0 => Outcome::Success,
                1 => {
                    recorder.count_error(ErrorKind::Status(500), None);
                    Outcome::ErrorStatus
                }
                _ => {
                    recorder.count_error(ErrorKind::Timeout, None);
                    Outcome::Failure
                }
            };
            let intended = Duration::from_secs(u64::from(*second % 20));
            recorder.count_response(outcome, &times(intended, Duration::from_micros(*micros)));
        }
        recorder.finish()
    }

    fn calls() -> impl Strategy<Value = Vec<Call>> {
        prop::collection::vec((any::<u8>(), any::<u16>(), 1u64..1_000_000), 0..60)
    }

    #[test]
    fn a_long_run_keeps_a_bounded_number_of_seconds_and_loses_no_request() {
        let mut recorder = Recorder::new();
        for second in 0..100_000 {
            recorder.count_response(Outcome::Success, &times(Duration::from_secs(second), Duration::from_millis(1)));
        }
        let report = recorder.finish();
        assert!(report.seconds.len() <= Second::MAX && report.seconds.len() > Second::MAX / 4);
        assert_eq!(report.seconds.values().map(|second| second.completed).sum::<u64>(), 100_000);
    }

    #[test]
    fn only_the_first_samples_are_kept() {
        let mut report = Report::default();
        (0..10).for_each(|n| report.count_error(ErrorKind::Reset, Some(format!("message {n}"))));
        let detail = &report.errors[&ErrorKind::Reset];
        assert_eq!((detail.count, detail.samples.len()), (10, SAMPLES_MAX));
    }

    #[test]
    fn a_later_load_comes_after_the_one_before() {
        let mut report = Report { elapsed: Duration::from_millis(1_500), ..of(&[(0, 0, 5), (0, 1, 7)]) };
        report.append(&Report { elapsed: Duration::from_millis(2_000), ..of(&[(1, 0, 9), (0, 1, 9), (0, 1, 9)]) });
        let seconds: Vec<_> = report.seconds.iter().map(|(second, counts)| (*second, counts.completed)).collect();
        assert_eq!(seconds, [(0, 1), (1, 1), (2, 1), (3, 2)]);
        assert_eq!((report.elapsed, report.completed, report.error_count()), (Duration::from_millis(3_500), 5, 1));
    }

    proptest! {
        #[test]
        fn what_comes_later_is_merged_but_for_its_times(a in calls(), b in calls()) {
            let (mut merged, mut later) = (of(&a), of(&a));
            merged.merge(&of(&b));
            later.append(&of(&b));
            let sum = |report: &Report| report.seconds.values().fold(Second::default(), |mut sum, second| {
                sum.merge(second);
                sum
            });
            prop_assert_eq!(sum(&later), sum(&merged));
            later.seconds.clone_from(&merged.seconds);
            prop_assert_eq!(later, merged);
        }

        #[test]
        fn merging_shares_is_like_one_run(a in calls(), b in calls()) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }

        #[test]
        fn the_order_of_merging_does_not_matter(a in calls(), b in calls(), c in calls()) {
            let (a, b, c) = (of(&a), of(&b), of(&c));
            let (mut left, mut right) = (a.clone(), c.clone());
            left.merge(&b);
            left.merge(&c);
            right.merge(&a);
            right.merge(&b);
            prop_assert_eq!(left, right);
        }
    }
}
