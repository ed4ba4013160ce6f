//! Records what comes of requests while they run, without a map or an allocation on the way. What is recorded becomes
//! part of a [`Report`], which merges.

use std::time::Duration;

use crate::call::Status;
use crate::grpc::Code;
use crate::histogram::Histogram;
use crate::report::{ErrorKind, Outcome, Report, Second};

/// Status codes have three digits.
const STATUSES: usize = 1_000;

/// What one worker saw in one phase.
pub(crate) struct Recorder {
    report: Report,
    success: Histogram,
    error_status: Histogram,
    failure: Histogram,
    statuses: Box<[u64; STATUSES]>,
    codes: [u64; Code::ALL.len()],
    /// The second that is being counted.
    second: (u64, Second),
    errors: u64,
    /// Requests that found a connection free, and those that were taken up at once.
    unqueued: u64,
    punctual: u64,
}

/// Times up to this are the shortest that a histogram tells apart.
const SHORTEST: Duration = Duration::from_micros(1);

/// The times of one request, relative to the start of the schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    /// When it was to be sent.
    pub(crate) intended: Duration,
    /// When the generator saw that this time had come.
    pub(crate) noticed: Duration,
    /// When a connection was free for it.
    pub(crate) free: Duration,
    /// When it was taken up.
    pub(crate) taken: Duration,
    /// When it was sent.
    pub(crate) sent: Duration,
    /// When it had ended.
    pub(crate) done: Duration,
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            report: Report::default(),
            success: Histogram::default(),
            error_status: Histogram::default(),
            failure: Histogram::default(),
            statuses: Box::new([0; STATUSES]),
            codes: [0; Code::ALL.len()],
            second: (0, Second::default()),
            errors: 0,
            unqueued: 0,
            punctual: 0,
        }
    }

    /// Everything that is counted rarely.
    pub(crate) const fn report(&mut self) -> &mut Report {
        &mut self.report
    }

    /// Requests that ended, and how many of them were errors.
    pub(crate) const fn progress(&self) -> (u64, u64) {
        (self.report.completed, self.errors)
    }

    /// Response times so far, whatever the outcome.
    pub(crate) fn responses(&self) -> Histogram {
        let mut all = self.success.clone();
        all.merge(&self.error_status);
        all.merge(&self.failure);
        all
    }

    /// Counts a status code.
    pub(crate) fn count_status(&mut self, status: Status) {
        let count = match status {
            Status::Http(status) => self.statuses.get_mut(usize::from(status)),
            Status::Grpc(code) => self.codes.get_mut(usize::from(code.number())),
        };
        if let Some(count) = count {
            *count += 1;
        }
    }

    /// Counts an error.
    pub(crate) fn count_error(&mut self, kind: ErrorKind, sample: Option<String>) {
        self.errors += 1;
        self.report.count_error(kind, sample);
    }

    /// Counts a request that ended.
    pub(crate) fn count_response(&mut self, outcome: Outcome, times: &Times) {
        let Times { intended, noticed, free, taken, sent, done } = *times;
        let response = done.saturating_sub(intended);
        let report = &mut self.report;
        report.completed += 1;
        report.service.record(done.saturating_sub(sent));
        // It waits for a connection from when it was noticed; all else that passes before it is taken up is lateness.
        let queue = free.saturating_sub(noticed);
        let lag = taken.saturating_sub(intended).saturating_sub(queue);
        // Most requests are of these kinds, and counting is cheaper than recording.
        if queue <= SHORTEST {
            self.unqueued += 1;
        } else {
            report.queue.record(queue);
        }
        if lag <= SHORTEST {
            self.punctual += 1;
        } else {
            report.lag.record(lag);
        }
        report.busy += done.saturating_sub(taken);
        match outcome {
            Outcome::Success => self.success.record(response),
            Outcome::ErrorStatus => self.error_status.record(response),
            Outcome::Failure => self.failure.record(response),
        }
        let second = intended.as_secs();
        if second != self.second.0 {
            self.close_second();
            self.second.0 = second;
        }
        let counts = &mut self.second.1;
        counts.completed += 1;
        counts.errors += u64::from(outcome != Outcome::Success);
        counts.moments.record(response);
    }

    fn close_second(&mut self) {
        let (second, counts) = std::mem::take(&mut self.second);
        if counts.completed > 0 {
            self.report.moments.merge(&counts.moments);
            self.report.count_second(second, &counts);
        }
    }

    /// What was recorded.
    pub(crate) fn finish(mut self) -> Report {
        self.close_second();
        self.report.queue.record_many(SHORTEST, self.unqueued);
        self.report.lag.record_many(SHORTEST, self.punctual);
        let outcomes = [
            (Outcome::Success, self.success),
            (Outcome::ErrorStatus, self.error_status),
            (Outcome::Failure, self.failure),
        ];
        self.report.response = outcomes.into_iter().filter(|(_, histogram)| !histogram.is_empty()).collect();
        let counted = self.statuses.iter().zip(0u16..).filter(|(count, _)| **count > 0);
        self.report.status_codes = counted.map(|(count, status)| (status, *count)).collect();
        let counted = Code::ALL.into_iter().zip(self.codes).filter(|(_, count)| *count > 0);
        self.report.grpc_codes = counted.collect();
        self.report
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// So few that the histogram is exact.
    fn us(micros: u64) -> Duration {
        Duration::from_micros(micros)
    }

    /// Queue, lag and response of a request.
    fn parts(intended: u64, noticed: u64, free: u64, taken: u64, done: u64) -> [Duration; 3] {
        let mut recorder = Recorder::new();
        let times = Times {
            intended: us(intended),
            noticed: us(noticed),
            free: us(free),
            taken: us(taken),
            sent: us(taken),
            done: us(done),
        };
        recorder.count_response(Outcome::Success, &times);
        let report = recorder.finish();
        [&report.queue, &report.lag, &report.all_responses()].map(|times| times.quantile(1.0).unwrap())
    }

    #[test]
    fn waiting_for_a_connection_is_the_targets_and_not_noticing_the_generators() {
        assert_eq!(parts(100, 100, 0, 100, 110), [SHORTEST, SHORTEST, us(10)], "in time");
        assert_eq!(parts(100, 100, 150, 150, 160), [us(50), SHORTEST, us(60)], "all connections busy");
        assert_eq!(parts(100, 130, 0, 130, 140), [SHORTEST, us(30), us(40)], "noticed late");
        assert_eq!(parts(100, 100, 0, 130, 140), [SHORTEST, us(30), us(40)], "taken up late");
        assert_eq!(parts(100, 400, 410, 410, 420), [us(10), us(300), us(320)], "noticed late and then all busy");
        assert_eq!(parts(100, 400, 350, 420, 430), [SHORTEST, us(320), us(330)], "free again before it was noticed");
    }

    proptest! {
        #[test]
        fn the_parts_of_a_response_add_up(intended in 1u64..200, late in 0u64..200, free in 0u64..600, slow in 0u64..50, service in 1u64..200) {
            let noticed = intended + late;
            let taken = noticed.max(free) + slow;
            let [queue, lag, response] = parts(intended, noticed, free, taken, taken + service);
            // What is nothing counts as a microsecond.
            let parts = queue + lag + us(service);
            prop_assert!(parts >= response && parts <= response + 2 * SHORTEST, "{parts:?} {response:?}");
        }
    }
}
