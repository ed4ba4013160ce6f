//! A *lane* carries one request at a time: a connection of HTTP/1, or a stream of an HTTP/2 session. The worker puts due
//! requests into a queue; a lane that is free takes the next one by itself, and a lane that finds none parks until the
//! worker hands it one. So a busy worker costs no more than its lanes do. When requests are due is the worker's business.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use crate::budget::Budget;
use crate::call::{Answer, CallError, Status};
use crate::carrier::{Carry, Means, Requests};
use crate::dial::Dialer;
use crate::grpc::Code;
use crate::plan::{Share, StatusRange};
use crate::recorder::{Recorder, Times};
use crate::report::{ErrorKind, Outcome};

/// What lanes have in common.
pub(crate) struct Shared {
    pub(crate) means: Means,
    pub(crate) queue: RefCell<Queue>,
    pub(crate) recorder: RefCell<Recorder>,
    pub(crate) error_ranges: RefCell<Vec<StatusRange>>,
    /// When the schedule begins.
    pub(crate) start: Cell<Instant>,
}

/// The times of a request before a lane takes it, relative to the start of the schedule.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due {
    /// When it was to be sent.
    pub(crate) intended: Duration,
    /// When the worker saw that this time had come. What lies between is the generator's lateness, whatever its lanes were
    /// doing: they may be busy only because of what has piled up.
    pub(crate) noticed: Duration,
}

/// Requests that are due, and lanes that wait for one.
pub(crate) struct Queue {
    pub(crate) due: VecDeque<Due>,
    pub(crate) parked: VecDeque<Rc<Lane>>,
    /// In a closed load: what a free lane may take.
    pub(crate) closed: Option<Closed>,
    /// Which part of the load this is.
    pub(crate) share: Share,
    /// The most requests that may be under way in a closed load.
    pub(crate) most: usize,
    pub(crate) started: u64,
    pub(crate) in_flight: usize,
    /// Whoever waits for `in_flight` to become zero.
    drained: Option<Waker>,
    /// Whoever waits for so many requests to have ended.
    pub(crate) answered: Option<(u64, Waker)>,
}

/// Requests of a closed load, which a lane takes as soon as it is free.
pub(crate) enum Closed {
    /// A number of them.
    Requests {
        /// What other workers may take as well.
        budget: Arc<Budget>,
        /// The numbers of what was taken of it, and by no lane yet.
        left: Range<u64>,
    },
    /// As many as there come until then.
    Until(Instant),
}

/// One lane as the worker sees it.
#[derive(Default)]
pub(crate) struct Lane {
    handed: Cell<Option<Ticket>>,
    waker: RefCell<Option<Waker>>,
    /// Since when a request is under way.
    began: Cell<Option<Instant>>,
    timed_out: Cell<bool>,
    is_parked: Cell<bool>,
    /// A request has just ended on it, and it has not waited since.
    has_ended: Cell<bool>,
}

/// A request that is to be sent.
#[derive(Clone, Copy, Debug)]
struct Ticket {
    /// How many requests of the load were given out before it.
    number: u64,
    /// None for as soon as a lane is free.
    due: Option<Due>,
}

impl Shared {
    pub(crate) fn new(dialer: Dialer, requests: Arc<Requests>) -> Self {
        Self {
            means: Means::new(dialer, requests),
            queue: RefCell::new(Queue {
                due: VecDeque::new(),
                parked: VecDeque::new(),
                closed: None,
                share: Share::WHOLE,
                most: usize::MAX,
                started: 0,
                in_flight: 0,
                drained: None,
                answered: None,
            }),
            recorder: RefCell::new(Recorder::new()),
            error_ranges: RefCell::new(Vec::new()),
            start: Cell::new(Instant::now()),
        }
    }

    /// Returns when nothing is due or under way.
    pub(crate) async fn drained(&self) {
        poll_fn(|context| {
            let mut queue = self.queue.borrow_mut();
            if queue.is_idle() {
                return Poll::Ready(());
            }
            queue.drained = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    fn is_error(&self, status: u16) -> bool {
        self.error_ranges.borrow().iter().any(|range| range.contains(status))
    }

    /// The next request for a lane that has been free since `free`, and whether the lane found it at that very moment.
    fn poll_next(&self, lane: &Rc<Lane>, free: Instant, context: &Context<'_>) -> Poll<(Ticket, bool)> {
        if let Some(ticket) = lane.handed.take() {
            return Poll::Ready((ticket, false));
        }
        lane.listen(context);
        let mut queue = self.queue.borrow_mut();
        let at_once = lane.has_ended.replace(false);
        if let Some(ticket) = queue.take(if at_once { free } else { Instant::now() }) {
            return Poll::Ready((ticket, at_once));
        }
        if !lane.is_parked.replace(true) {
            queue.parked.push_back(lane.clone());
        }
        Poll::Pending
    }

    /// Records a request and lets the worker know when it was the last one.
    fn record(
        &self,
        lane: &Lane,
        ticket: Ticket,
        free: Instant,
        taken: Instant,
        result: Result<Answer, CallError>,
    ) -> Instant {
        let mut recorder = self.recorder.borrow_mut();
        let (outcome, sent, done) = match result {
            Ok(answer) => {
                recorder.count_status(answer.status);
                let outcome = if answer.is_error {
                    recorder.count_error(answer.status.error_kind(), Some(answer.sample.text()));
                    Outcome::ErrorStatus
                } else {
                    Outcome::Success
                };
                (outcome, answer.sent, answer.done)
            }
            Err(error) => {
                let error = if let Requests::Grpc(_) = &*self.means.requests {
                    recorder.count_status(Status::Grpc(Code::of(error.kind)));
                    error.in_grpc()
                } else {
                    error
                };
                recorder.count_error(error.kind, Some(error.detail));
                (Outcome::Failure, taken, Instant::now())
            }
        };
        let start = self.start.get();
        let since = |at: Instant| at.saturating_duration_since(start);
        let taken = since(taken);
        let Due { intended, noticed } = ticket.due.unwrap_or(Due { intended: taken, noticed: taken });
        let times = Times { intended, noticed, free: since(free), taken, sent: since(sent), done: since(done) };
        recorder.count_response(outcome, &times);
        lane.began.set(None);
        lane.has_ended.set(true);
        let mut queue = self.queue.borrow_mut();
        queue.in_flight -= 1;
        if queue.in_flight == 0
            && let Some(waker) = queue.drained.take()
        {
            waker.wake();
        }
        let answers = queue.answers();
        if let Some((_, waker)) = queue.answered.take_if(|(wanted, _)| answers >= *wanted) {
            waker.wake();
        }
        done
    }
}

impl Queue {
    /// The next request, if there is one at the time `now`.
    fn take(&mut self, now: Instant) -> Option<Ticket> {
        let number = self.share.numbered(self.started);
        let ticket = match &mut self.closed {
            None => Ticket { number, due: Some(self.due.pop_front()?) },
            Some(_) if self.in_flight >= self.most => return None,
            Some(closed) => Ticket { number: closed.take(now, number)?, due: None },
        };
        self.started += 1;
        self.in_flight += 1;
        Some(ticket)
    }

    /// Whether no lane may take anything that is not due yet.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.closed.as_ref().is_none_or(Closed::is_exhausted)
    }

    /// How many requests have ended.
    pub(crate) const fn answers(&self) -> u64 {
        self.started - self.in_flight as u64
    }

    /// Whether nothing is due or under way.
    pub(crate) fn is_idle(&self) -> bool {
        self.in_flight == 0 && self.due.is_empty() && self.is_exhausted()
    }

    /// Gives due requests to lanes that wait, the one that has waited longest first.
    pub(crate) fn hand_over(&mut self) {
        let now = Instant::now();
        while self.hand_over_one(now) {}
    }

    /// Gives a due request to a lane that waits, if there are both.
    pub(crate) fn hand_over_one(&mut self, now: Instant) -> bool {
        if !self.parked.is_empty()
            && let Some(ticket) = self.take(now)
            && let Some(lane) = self.parked.pop_front()
        {
            lane.is_parked.set(false);
            lane.handed.set(Some(ticket));
            lane.wake();
            return true;
        }
        false
    }
}

impl Closed {
    /// Takes a request at the time `now`, if there is one: its number in the load, or `next` where nobody counts them all.
    fn take(&mut self, now: Instant, next: u64) -> Option<u64> {
        match self {
            Self::Requests { budget, left } => {
                if left.is_empty() {
                    *left = budget.take_some();
                }
                left.next().map(|number| budget.share.numbered(number))
            }
            Self::Until(until) => (now < *until).then_some(next),
        }
    }

    fn is_exhausted(&self) -> bool {
        match self {
            Self::Requests { budget, left } => left.is_empty() && budget.is_empty(),
            Self::Until(until) => Instant::now() >= *until,
        }
    }
}

impl Lane {
    fn listen(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if waker.as_ref().is_none_or(|waker| !waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// Gives up what is under way if it has taken as long as it may.
    pub(crate) fn expire(&self, now: Instant, timeout: Duration) {
        if self.began.get().is_some_and(|began| now.duration_since(began) >= timeout) {
            self.timed_out.set(true);
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(waker) = &*self.waker.borrow() {
            waker.wake_by_ref();
        }
    }

    /// `call`, until it takes too long. It is pinned by the caller, because moving it would copy all that it may become.
    async fn guarded<T>(&self, mut call: Pin<&mut impl Future<Output = Result<T, CallError>>>) -> Result<T, CallError> {
        poll_fn(|context| {
            if self.timed_out.take() {
                return Poll::Ready(Err(CallError::without_detail(ErrorKind::Timeout)));
            }
            call.as_mut().poll(context)
        })
        .await
    }
}

/// Carries one request after another for as long as the worker lives.
pub(crate) async fn carry(shared: Rc<Shared>, lane: Rc<Lane>, mut carrier: impl Carry) {
    // A lane that has just been made was free all the time: there was nothing for it to do.
    let mut free = shared.start.get();
    loop {
        let (ticket, at_once) = poll_fn(|context| shared.poll_next(&lane, free, context)).await;
        // The clock is asked once for the end of a request and the beginning of the next.
        let taken = if at_once { free } else { Instant::now() };
        lane.timed_out.set(false);
        lane.began.set(Some(taken));
        let is_error = |status| shared.is_error(status);
        let result = {
            let call = carrier.call(&shared.means, ticket.number, taken, !at_once, &is_error);
            lane.guarded(pin!(call)).await
        };
        if result.is_err() {
            carrier.reset(&shared.means);
        }
        let reconnects = carrier.take_reconnects();
        if reconnects > 0 {
            shared.recorder.borrow_mut().report().reconnects += reconnects;
        }
        free = shared.record(&lane, ticket, free, taken, result);
    }
}
