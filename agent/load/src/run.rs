//! The loop that sends a load: waits for intended times, hands requests to free connections, records what comes back.
//! One task does all of it; what a request is on the wire is the engine's business.

use std::cell::Cell;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use http::Request;
use tokio_util::sync::CancellationToken;

use crate::clock::Alarm;
use crate::engine::{Answer, CallError, Connection, Dialer, request_of};
use crate::error::LoadError;
use crate::fault::certify;
use crate::plan::{Limit, Plan};
use crate::report::{ErrorKind, Outcome, Report, SAMPLE_BYTES};
use crate::throttle::Throttling;

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Progress {
    /// Requests that the schedule asks for in total.
    pub offered: u64,
    /// Requests that ended so far.
    pub completed: u64,
    /// Those of them that are errors.
    pub errors: u64,
    /// Median response time so far.
    pub p50: Option<Duration>,
    /// 99th percentile of the response times so far.
    pub p99: Option<Duration>,
}

/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How long a run that is stopped waits for requests under way.
const STOP_GRACE: Duration = Duration::from_secs(5);

/// Sends the load and returns when every request has ended, or some time after `cancel` fired.
///
/// Runs in the calling task; dropping the future closes all connections.
///
/// # Errors
/// When nothing can be sent: an impossible plan, unusable certificates, or a first request that fails where the plan
/// does not allow it. Failures of single requests are part of the report.
pub async fn run(
    plan: &Plan,
    cancel: &CancellationToken,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, LoadError> {
    plan.validate()?;
    let request = Arc::new(request_of(&plan.target).map_err(LoadError::Plan)?);
    let dialer = Arc::new(Dialer::new(&plan.target)?);
    let alarm = Alarm::new().map_err(|source| LoadError::System { action: "make a timer", source })?;
    if matches!(plan.limit, Limit::Duration(_)) && !plan.allow_initial_errors {
        first_request(plan, &dialer, &request, cancel).await?;
    }
    let throttling = Throttling::so_far();
    let mut run = Run::new(plan);
    run.send(&dialer, &request, &alarm, cancel, progress).await?;
    let mut report = run.report;
    report.faults = certify(&report, Throttling::so_far().since(throttling));
    Ok(report)
}

/// Tries the target once, so that a run by duration does not measure nothing but a typing error.
async fn first_request(
    plan: &Plan,
    dialer: &Dialer,
    request: &Request<Bytes>,
    cancel: &CancellationToken,
) -> Result<(), LoadError> {
    let dialed = Cell::new(false);
    let attempt = attempt(None, dialer, request, plan.timeout, &dialed);
    let (_, result) = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(()),
        ended = attempt => ended,
    };
    let reason = match result {
        Ok(answer) if plan.is_error(answer.status) => ErrorKind::Status(answer.status),
        Ok(_) => return Ok(()),
        Err(error) => error.kind,
    };
    Err(LoadError::InitialRequest { target: plan.target.origin(), reason })
}

/// A place for one connection.
struct Slot {
    connection: Option<Connection>,
    /// Since when nothing is under way in it.
    free_since: Instant,
    has_connected: bool,
}

/// A request that has its slot.
struct Ended {
    slot: Slot,
    intended: Duration,
    dispatched: Instant,
    reconnected: bool,
    result: Result<Answer, CallError>,
}

struct Run<'a> {
    plan: &'a Plan,
    start: Instant,
    /// Number of the next request of this share.
    next: u64,
    /// Intended times of requests that are due and wait for a connection.
    due: VecDeque<Duration>,
    idle: Vec<Slot>,
    slots: u32,
    report: Report,
}

impl<'a> Run<'a> {
    fn new(plan: &'a Plan) -> Self {
        let report = Report { offered: plan.offered(), ..Report::default() };
        Self { plan, start: Instant::now(), next: 0, due: VecDeque::new(), idle: Vec::new(), slots: 0, report }
    }

    async fn send(
        &mut self,
        dialer: &Arc<Dialer>,
        request: &Arc<Request<Bytes>>,
        alarm: &Alarm,
        cancel: &CancellationToken,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(), LoadError> {
        let mut in_flight = FuturesUnordered::new();
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        let mut give_up: Option<Instant> = None;
        loop {
            let now = Instant::now();
            let stopping = self.report.interrupted;
            while !stopping
                && let Some((_, intended)) = self.plan.intended(self.next)
                && self.start + intended <= now
            {
                self.due.push_back(intended);
                self.next += 1;
            }
            let upcoming = if stopping { None } else { self.plan.intended(self.next).map(|(_, at)| self.start + at) };
            // A run by duration gives requests that still wait at its end as long as any request may take.
            if upcoming.is_none() && give_up.is_none() && matches!(self.plan.limit, Limit::Duration(_)) {
                give_up = Some(now + self.plan.timeout);
            }
            if give_up.is_some_and(|at| at <= now) {
                self.report.dropped += self.due.len() as u64;
                self.due.clear();
            }
            while let Some(intended) = self.due.front().copied()
                && let Some(slot) = self.free_slot()
            {
                self.due.pop_front();
                in_flight.push(self.dispatch(slot, intended, dialer.clone(), request.clone()));
            }
            if upcoming.is_none() && self.due.is_empty() && in_flight.is_empty() {
                break;
            }
            let wake = upcoming.into_iter().chain(give_up.filter(|at| *at > now)).min();
            tokio::select! {
                // Answers before new requests: an answer that lies ready must not wait behind them.
                biased;
                () = cancel.cancelled(), if !stopping => {
                    self.report.interrupted = true;
                    self.report.dropped += self.due.len() as u64;
                    self.due.clear();
                    give_up = Some(now + self.plan.timeout.min(STOP_GRACE));
                }
                Some(ended) = in_flight.next() => self.record(ended),
                waited = alarm.wait_until(wake.unwrap_or(now)), if wake.is_some() => {
                    waited.map_err(|source| LoadError::System { action: "wait for a time", source })?;
                    if stopping && give_up.is_some_and(|at| at <= Instant::now()) {
                        break;
                    }
                }
                _ = ticks.tick() => progress(self.progress()),
            }
        }
        self.report.censored = in_flight.len() as u64;
        self.report.dropped += self.report.offered.saturating_sub(self.report.started + self.report.dropped);
        self.report.elapsed = self.start.elapsed();
        progress(self.progress());
        Ok(())
    }

    /// A slot in which nothing is under way, a new one if there may be more.
    fn free_slot(&mut self) -> Option<Slot> {
        self.idle.pop().or_else(|| {
            (self.slots < self.plan.connections).then(|| {
                self.slots += 1;
                Slot { connection: None, free_since: self.start, has_connected: false }
            })
        })
    }

    fn dispatch(
        &mut self,
        mut slot: Slot,
        intended: Duration,
        dialer: Arc<Dialer>,
        request: Arc<Request<Bytes>>,
    ) -> impl Future<Output = Ended> + use<> {
        let dispatched = Instant::now();
        let due = self.start + intended;
        self.report.started += 1;
        self.report.queue.record(slot.free_since.saturating_duration_since(due));
        self.report.lag.record(dispatched.saturating_duration_since(due.max(slot.free_since)));
        let timeout = self.plan.timeout;
        async move {
            let reconnects = Cell::new(false);
            let attempt = attempt(slot.connection.take(), &dialer, &request, timeout, &reconnects);
            let (connection, result) = attempt.await;
            let reconnected = reconnects.get() && slot.has_connected;
            slot = Slot { connection, free_since: Instant::now(), has_connected: true };
            Ended { slot, intended, dispatched, reconnected, result }
        }
    }

    fn record(&mut self, ended: Ended) {
        let Ended { slot, intended, dispatched, reconnected, result } = ended;
        let report = &mut self.report;
        report.reconnects += u64::from(reconnected);
        report.completed += 1;
        let (outcome, sent, done) = match result {
            Ok(answer) => {
                *report.status_codes.entry(answer.status).or_default() += 1;
                let outcome = if self.plan.is_error(answer.status) {
                    let head = String::from_utf8_lossy(&answer.head).trim().chars().take(SAMPLE_BYTES).collect();
                    report.count_error(ErrorKind::Status(answer.status), Some(head));
                    Outcome::ErrorStatus
                } else {
                    Outcome::Success
                };
                (outcome, answer.sent, answer.done)
            }
            Err(error) => {
                report.count_error(error.kind, Some(error.detail));
                (Outcome::Failure, dispatched, slot.free_since)
            }
        };
        report.service.record(done.saturating_duration_since(sent));
        report.count_response(outcome, intended, done.saturating_duration_since(self.start + intended));
        self.idle.push(slot);
    }

    fn progress(&self) -> Progress {
        let responses = self.report.all_responses();
        Progress {
            offered: self.report.offered,
            completed: self.report.completed,
            errors: self.report.error_count(),
            p50: responses.quantile(0.5),
            p99: responses.quantile(0.99),
        }
    }
}

/// One request on `connection`, or on a new one when there is none or it was closed meanwhile. Returns the connection
/// if another request may follow on it, and sets `dialed` when it made one.
async fn attempt(
    connection: Option<Connection>,
    dialer: &Dialer,
    request: &Request<Bytes>,
    timeout: Duration,
    dialed: &Cell<bool>,
) -> (Option<Connection>, Result<Answer, CallError>) {
    let call = async {
        let mut alive = None;
        if let Some(mut connection) = connection
            && connection.is_alive().await
        {
            alive = Some(connection);
        }
        let mut connection = match alive {
            Some(connection) => connection,
            None => {
                dialed.set(true);
                dialer.dial().await?
            }
        };
        let answer = connection.call(request).await?;
        Ok((answer.reusable.then_some(connection), answer))
    };
    match tokio::time::timeout(timeout, call).await {
        Ok(Ok((connection, answer))) => (connection, Ok(answer)),
        Ok(Err(error)) => (None, Err(error)),
        Err(_) => (None, Err(CallError::without_detail(ErrorKind::Timeout))),
    }
}
