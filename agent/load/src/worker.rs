//! One worker: sends its share of a load from a thread of its own and has what comes back recorded, sharing nothing with
//! other workers but the number of requests of a closed load. When requests are due is decided by the plan, how they
//! travel by the lanes.

use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::budget::Budget;
use crate::carrier::{Carrier, Requests};
use crate::clock::{self, Alarm};
use crate::dial::{Dialer, Route};
use crate::growth::Growth;
use crate::histogram::Histogram;
use crate::lane::{Closed, Due, Lane, Shared, carry};
use crate::linger::linger;
use crate::plan::{Arrivals, Level, Limit, Plan, WhenBusy};
use crate::recorder::Recorder;
use crate::report::Report;

/// What a worker is made with.
pub(crate) struct Job {
    pub(crate) index: usize,
    pub(crate) route: Route,
    pub(crate) requests: Arc<Requests>,
    pub(crate) phases: UnboundedReceiver<Phase>,
    pub(crate) news: UnboundedSender<News>,
    /// Asks for the end: what is under way may finish.
    pub(crate) cancel: CancellationToken,
    /// Ends everything at once.
    pub(crate) abort: CancellationToken,
}

/// A share of a load with the moment at which its schedule begins.
pub(crate) struct Phase {
    pub(crate) plan: Plan,
    pub(crate) start: Instant,
    /// What a closed load by number shares among the workers in place of its shares.
    pub(crate) budget: Arc<Budget>,
}

/// What a worker tells.
pub(crate) enum News {
    /// How far a phase is.
    Progress { worker: usize, completed: u64, errors: u64, responses: Box<Histogram> },
    /// A phase is over.
    Done(Box<io::Result<Report>>),
}

/// How often progress is told.
pub(crate) const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// How long a run that is stopped waits for requests under way.
const STOP_GRACE: Duration = Duration::from_secs(5);
/// The lanes of a closed load begin over at most this time, so that the target feels no burst.
const STAGGER: Duration = Duration::from_millis(900);
/// Time between two lanes of a closed load, unless there are too many for that.
const STAGGER_STEP: Duration = Duration::from_micros(500);
/// How much of a delay in making connections of a closed load is made up for at once: what the lanes that have begun take
/// of the worker's time when there are many.
const MADE_UP: Duration = Duration::from_millis(5);
/// Requests that are due nearer to each other than this share a wake-up.
const QUANTUM: Duration = Duration::from_micros(40);

/// Runs phases until there are no more.
pub(crate) fn work(job: Job) {
    match clock::runtime() {
        Ok(runtime) => runtime.block_on(run_phases(job)),
        Err(error) => {
            let _ = job.news.send(News::Done(Box::new(Err(error))));
        }
    }
}

async fn run_phases(job: Job) {
    let Job { index, route, requests, mut phases, news, cancel, abort } = job;
    let alarm = match Alarm::new() {
        Ok(alarm) => alarm,
        Err(error) => {
            // Whoever waits for it has ended.
            let _ = news.send(News::Done(Box::new(Err(error))));
            return;
        }
    };
    let shared = Rc::new(Shared::new(Dialer::new(route, index), requests));
    let mut lanes = Lanes { shared, all: Vec::new(), tasks: JoinSet::new() };
    while let Some(phase) = phases.recv().await {
        let tell = |completed, errors, responses| {
            let responses = Box::new(responses);
            let _ = news.send(News::Progress { worker: index, completed, errors, responses });
        };
        let report = tokio::select! {
            biased;
            () = abort.cancelled() => return,
            report = lanes.run(&phase, &alarm, &cancel, &tell) => report,
        };
        let _ = news.send(News::Done(Box::new(report)));
    }
}

/// All lanes of a worker.
struct Lanes {
    shared: Rc<Shared>,
    all: Vec<Rc<Lane>>,
    tasks: JoinSet<()>,
}

impl Lanes {
    async fn run(
        &mut self,
        phase: &Phase,
        alarm: &Alarm,
        cancel: &CancellationToken,
        tell: &impl Fn(u64, u64, Histogram),
    ) -> io::Result<Report> {
        let Phase { plan, start, .. } = phase;
        let shared = self.shared.clone();
        shared.start.set(*start);
        shared.error_ranges.borrow_mut().clone_from(&plan.error_ranges);
        *shared.recorder.borrow_mut() = Recorder::new();
        let reconnects_before = shared.means.sessions.reconnects();
        shared.means.messages.take();
        {
            let mut queue = shared.queue.borrow_mut();
            (queue.started, queue.closed, queue.share) = (0, None, plan.share);
        }
        let tally = match &plan.arrivals {
            Arrivals::Open { when_busy, .. } => self.send_open(plan, *start, *when_busy, alarm, cancel, tell).await?,
            Arrivals::Closed => self.send_closed(phase, &[], alarm, cancel, tell).await?,
            Arrivals::Levels(levels) => self.send_closed(phase, levels, alarm, cancel, tell).await?,
        };
        let elapsed = start.elapsed();
        let recorder = std::mem::replace(&mut *shared.recorder.borrow_mut(), Recorder::new());
        let mut report = recorder.finish();
        report.elapsed = elapsed;
        report.interrupted = tally.interrupted;
        report.started = shared.queue.borrow().started;
        report.dropped = tally.dropped;
        report.censored = tally.censored;
        report.offered = tally.offered;
        report.reconnects += shared.means.sessions.reconnects() - reconnects_before;
        (report.messages_sent, report.messages_received) = shared.means.messages.take();
        Ok(report)
    }

    /// Adds a lane while there may be more.
    fn grow(&mut self, plan: &Plan) -> bool {
        if self.all.len() >= plan.lanes() as usize {
            return false;
        }
        let lane = Rc::new(Lane::default());
        let carrier = self.shared.means.carrier(self.all.len(), plan);
        self.all.push(lane.clone());
        let shared = self.shared.clone();
        match carrier {
            Carrier::Http1(carrier) => self.tasks.spawn_local(carry(shared, lane, carrier)),
            Carrier::Special(carrier) => self.tasks.spawn_local(carry(shared, lane, carrier)),
            Carrier::Http2(carrier) => self.tasks.spawn_local(carry(shared, lane, carrier)),
            Carrier::Grpc(carrier) => self.tasks.spawn_local(carry(shared, lane, carrier)),
        };
        true
    }

    async fn send_open(
        &mut self,
        plan: &Plan,
        start: Instant,
        when_busy: WhenBusy,
        alarm: &Alarm,
        cancel: &CancellationToken,
        tell: &impl Fn(u64, u64, Histogram),
    ) -> io::Result<Tally> {
        let mut tally = Tally { offered: plan.offered(), ..Tally::default() };
        let mut intended = plan.intended();
        let mut upcoming = intended.next();
        let mut house = House::new(plan)?;
        let mut growth = Growth::new(plan.peak());
        alarm.wait_until(start).await?;
        loop {
            let now = start.elapsed();
            {
                let mut queue = self.shared.queue.borrow_mut();
                while let Some(at) = upcoming.filter(|at| *at <= now) {
                    queue.due.push_back(Due { intended: at, noticed: now });
                    upcoming = intended.next();
                }
                queue.hand_over();
            }
            let growing = self.spread(plan, when_busy, now, &mut growth, &mut tally);
            let Some(next) = upcoming.into_iter().chain(growing).min() else { break };
            // Nearer wake-ups than this would only take time from the lanes.
            let wake = start + next.max(now + QUANTUM);
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    tally.interrupted = true;
                    break;
                }
                waited = until(alarm, wake) => waited?,
                ticked = house.tick() => {
                    ticked?;
                    house.keep(&self.all, &self.shared, tell);
                }
            }
        }
        // A run by duration gives requests that still wait at its end as long as any request may take.
        let is_timed = matches!(plan.limit, Limit::Duration(_));
        let patience = if is_timed { Some(plan.timeout) } else { None };
        self.drain(plan, patience, tally, cancel, &mut house, tell).await
    }

    /// Makes lanes for due requests that found none, or gives the requests up. Returns when there may be another lane, if
    /// one is wanted.
    fn spread(
        &mut self,
        plan: &Plan,
        when_busy: WhenBusy,
        now: Duration,
        growth: &mut Growth,
        tally: &mut Tally,
    ) -> Option<Duration> {
        let mut waiting = self.shared.queue.borrow().due.len();
        while waiting > 0 && growth.earliest() <= now && self.grow(plan) {
            growth.added(now);
            waiting -= 1;
        }
        if waiting > 0 && self.all.len() < plan.lanes() as usize {
            return Some(growth.earliest());
        }
        if waiting > 0 && when_busy == WhenBusy::Drop {
            let mut queue = self.shared.queue.borrow_mut();
            let keep = queue.due.len() - waiting;
            queue.due.truncate(keep);
            tally.dropped += waiting as u64;
        }
        None
    }

    async fn send_closed(
        &mut self,
        phase: &Phase,
        levels: &[Level],
        alarm: &Alarm,
        cancel: &CancellationToken,
        tell: &impl Fn(u64, u64, Histogram),
    ) -> io::Result<Tally> {
        let Phase { plan, start, budget } = phase;
        let (closed, end) = match plan.limit {
            Limit::Requests(_) => (Closed::Requests { budget: budget.clone(), left: 0..0 }, None),
            Limit::Duration(duration) => (Closed::Until(*start + duration), Some(*start + duration)),
        };
        let mut tally = Tally::default();
        let mut house = House::new(plan)?;
        alarm.wait_until(*start).await?;
        let mut levels = levels.iter().peekable();
        {
            let mut queue = self.shared.queue.borrow_mut();
            queue.closed = Some(closed);
            queue.most = levels.next().map_or(usize::MAX, |level| level.concurrency as usize);
        }
        // Lanes begin one after another, those that were made before the measurement as well.
        let step = (STAGGER / plan.lanes().max(1)).min(STAGGER_STEP);
        let (mut begun, mut next) = (0, *start);
        let shared = self.shared.clone();
        let mut lingering = pin!(linger(&shared));
        loop {
            if self.shared.queue.borrow().is_exhausted() {
                break;
            }
            let is_beginning = begun < plan.lanes();
            let now = Instant::now();
            if is_beginning && now >= next {
                let handed = self.shared.queue.borrow_mut().hand_over_one(now);
                begun = if handed || self.grow(plan) { begun + 1 } else { plan.lanes() };
                // Whoever is late makes up for it, but only for a little of it at once.
                next = (next + step).max(now.checked_sub(MADE_UP).unwrap_or(now));
                continue;
            }
            while let Some(level) = levels.next_if(|level| now >= *start + level.at) {
                let mut queue = self.shared.queue.borrow_mut();
                queue.most = level.concurrency as usize;
                queue.hand_over();
            }
            let change = levels.peek().map(|level| *start + level.at);
            let wake = if is_beginning { Some(next) } else { end };
            let wake = wake.into_iter().chain(change).min();
            tokio::select! {
                biased;
                () = cancel.cancelled() => {
                    tally.interrupted = true;
                    break;
                }
                waited = until(alarm, wake.unwrap_or(*start)), if wake.is_some() => waited?,
                () = self.shared.drained(), if !is_beginning => {}
                never = &mut lingering => match never {},
                ticked = house.tick() => {
                    ticked?;
                    house.keep(&self.all, &self.shared, tell);
                }
            }
        }
        if let Some(Closed::Requests { budget, left }) = self.shared.queue.borrow_mut().closed.take()
            && tally.interrupted
        {
            tally.dropped = left.end - left.start + budget.take_all();
        }
        let mut tally = self.drain(plan, None, tally, cancel, &mut house, tell).await?;
        tally.offered = self.shared.queue.borrow().started + tally.dropped;
        Ok(tally)
    }

    /// Waits until nothing is due or under way any more, or until patience ends.
    async fn drain(
        &mut self,
        plan: &Plan,
        patience: Option<Duration>,
        mut tally: Tally,
        cancel: &CancellationToken,
        house: &mut House,
        tell: &impl Fn(u64, u64, Histogram),
    ) -> io::Result<Tally> {
        let mut deadline = patience.map(|patience| Instant::now() + patience);
        let mut is_stopping = tally.interrupted;
        loop {
            if is_stopping && tally.interrupted {
                self.give_up_due(&mut tally);
                deadline = Some(Instant::now() + plan.timeout.min(STOP_GRACE));
                is_stopping = false;
            }
            let is_late = deadline.is_some_and(|deadline| Instant::now() >= deadline);
            if is_late && !tally.interrupted {
                // What is under way ends by its own timeout.
                self.give_up_due(&mut tally);
                deadline = None;
            }
            if self.shared.queue.borrow().is_idle() {
                break;
            }
            if is_late && tally.interrupted {
                tally.censored = self.shared.queue.borrow().in_flight as u64;
                self.abandon();
                break;
            }
            tokio::select! {
                biased;
                () = cancel.cancelled(), if !tally.interrupted => {
                    tally.interrupted = true;
                    is_stopping = true;
                }
                () = self.shared.drained() => {}
                ticked = house.tick() => {
                    ticked?;
                    house.keep(&self.all, &self.shared, tell);
                }
            }
        }
        if tally.interrupted {
            let started = self.shared.queue.borrow().started;
            tally.dropped = tally.offered.saturating_sub(started).max(tally.dropped);
        }
        Ok(tally)
    }

    fn give_up_due(&self, tally: &mut Tally) {
        let mut queue = self.shared.queue.borrow_mut();
        tally.dropped += queue.due.len() as u64;
        queue.due.clear();
    }

    /// Ends all lanes with what is under way on them.
    fn abandon(&mut self) {
        self.tasks = JoinSet::new();
        self.all.clear();
        let mut queue = self.shared.queue.borrow_mut();
        queue.parked.clear();
        queue.in_flight = 0;
    }
}

/// Returns at `at`, and lets the lanes run first when it has come already.
async fn until(alarm: &Alarm, at: Instant) -> io::Result<()> {
    if at <= Instant::now() {
        tokio::task::yield_now().await;
    }
    alarm.wait_until(at).await
}

/// What became of the requests that were not carried to an end.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    offered: u64,
    dropped: u64,
    censored: u64,
    interrupted: bool,
}

/// What a worker does now and then: give up requests that take too long, and tell how far it is.
struct House {
    alarm: Alarm,
    next: Instant,
    period: Duration,
    timeout: Duration,
    told: Instant,
}

/// The coarsest watch over requests that take too long.
const SWEEP_MAX: Duration = Duration::from_millis(50);

impl House {
    fn new(plan: &Plan) -> io::Result<Self> {
        let (now, period) = (Instant::now(), (plan.timeout / 20).clamp(Duration::from_millis(1), SWEEP_MAX));
        Ok(Self { alarm: Alarm::new()?, next: now + period, period, timeout: plan.timeout, told: now })
    }

    /// Returns when it is time to look after things.
    async fn tick(&self) -> io::Result<()> {
        self.alarm.wait_until(self.next).await
    }

    fn keep(&mut self, lanes: &[Rc<Lane>], shared: &Shared, tell: &impl Fn(u64, u64, Histogram)) {
        let now = Instant::now();
        self.next = now + self.period;
        lanes.iter().for_each(|lane| lane.expire(now, self.timeout));
        if now.duration_since(self.told) >= PROGRESS_EVERY {
            self.told = now;
            let recorder = shared.recorder.borrow();
            let (completed, errors) = recorder.progress();
            tell(completed, errors, recorder.responses());
        }
    }
}
