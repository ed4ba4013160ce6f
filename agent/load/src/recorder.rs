//! Records what comes of requests while they run, without a map or an allocation on the way. What is recorded becomes
//! part of a [`Report`], which merges.

use std::time::Duration;

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
    pub(crate) fn count_status(&mut self, status: u16) {
        if let Some(count) = self.statuses.get_mut(usize::from(status)) {
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
        let Times { intended, free, taken, sent, done } = *times;
        let response = done.saturating_sub(intended);
        let report = &mut self.report;
        report.completed += 1;
        report.service.record(done.saturating_sub(sent));
        let (queue, lag) = (free.saturating_sub(intended), taken.saturating_sub(free.max(intended)));
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
        self.report
    }
}
