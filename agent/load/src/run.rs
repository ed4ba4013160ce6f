//! A run from its plan to its report: starts the workers, has them begin at the same moment, and merges what they saw.
//! What a worker does is its own business.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use futures_util::future::try_join_all;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::budget::Budget;
use crate::call::{Answer, CallError};
use crate::carrier::{Carrier, Carry, Means, Requests};
use crate::dial::{Dialer, Route};
use crate::error::LoadError;
use crate::fault::{Circumstances, certify};
use crate::histogram::Histogram;

use crate::plan::{Arrivals, Limit, Plan};
use crate::report::{ErrorKind, Report, Warmup};
use crate::throttle::Pressure;
use crate::turns::Turns;
use crate::worker::{Job, News, PROGRESS_EVERY, Phase, work};

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Progress {
    /// Requests that the plan asks for in total; 0 when it asks for as many as there come.
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

/// The rate that one worker is given at most before another one is started, in requests a second.
const RATE_PER_WORKER: f64 = 10_000.0;
/// Time for all workers to hear of a phase before it begins.
const LEAD: Duration = Duration::from_millis(2);

/// Sends the load and returns when every request has ended, or some time after `cancel` fired.
///
/// The load is generated in threads of its own, at most one for each CPU that this process may use; dropping the future
/// closes all connections and ends them.
///
/// # Errors
/// When nothing can be sent: an impossible plan, unusable certificates, or a first request that fails where the plan
/// does not allow it. Failures of single requests are part of the report.
pub async fn run(
    plan: &Plan,
    cancel: &CancellationToken,
    progress: &(dyn Fn(Progress) + Sync),
) -> Result<Report, LoadError> {
    let reports = run_all(std::slice::from_ref(plan), cancel, &|_, told| progress(told)).await;
    // One report for one plan.
    reports.map(|reports| reports.into_iter().next().unwrap_or_default()).map_err(|(_, error)| error)
}

/// Sends several loads that begin at the same moment, and returns a report for each. `progress` is told which load it is
/// about.
///
/// # Errors
/// As of [`run`], with the number of the plan that it is about.
pub async fn run_all(
    plans: &[Plan],
    cancel: &CancellationToken,
    progress: &(dyn Fn(usize, Progress) + Sync),
) -> Result<Vec<Report>, (usize, LoadError)> {
    let mut crews = Vec::new();
    for (index, plan) in plans.iter().enumerate() {
        crews.push(ready(plan, cancel).await.map_err(|error| (index, error))?);
    }
    let warmups: Vec<Option<Plan>> = plans.iter().map(Plan::of_warmup).collect();
    let warmed = run_crews(&mut crews, warmups.iter().map(Option::as_ref), &|_, _| {}).await?;
    let before = Pressure::so_far();
    let reports = run_crews(&mut crews, plans.iter().map(Some), progress).await?;
    let pressure = Pressure::so_far().since(before);
    let cpus = u32::try_from(cpus()).unwrap_or(u32::MAX);
    let finished = plans.iter().zip(reports.into_iter().zip(warmed)).map(|(plan, (report, warmup))| {
        let (connections, streams) = (plan.connections, plan.lanes_each());
        let circumstances = Circumstances { pressure, cpus, connections, streams, is_open: plan.is_open() };
        let faults = certify(&report, circumstances);
        let warmup = Warmup { completed: warmup.completed, errors: warmup.error_count() };
        Report { faults, warmup, ..report }
    });
    Ok(finished.collect())
}

/// The workers of a load whose first request, if it needs one, has been answered.
async fn ready(plan: &Plan, cancel: &CancellationToken) -> Result<Crew, LoadError> {
    plan.validate()?;
    let requests = Arc::new(Requests::new(plan).map_err(LoadError::Plan)?);
    let route = Route::new(&plan.target)?;
    if matches!(plan.limit, Limit::Duration(_)) && !plan.allow_initial_errors {
        first_request(plan, &route, &requests, cancel).await?;
    }
    Crew::start(plan, &route, &requests, cancel)
}

/// Runs one load on each crew, or none, all from the same moment.
async fn run_crews<'a>(
    crews: &mut [Crew],
    plans: impl Iterator<Item = Option<&'a Plan>>,
    progress: &(dyn Fn(usize, Progress) + Sync),
) -> Result<Vec<Report>, (usize, LoadError)> {
    let start = Instant::now() + LEAD;
    let runs = crews.iter_mut().zip(plans).enumerate().map(|(index, (crew, plan))| async move {
        match plan {
            None => Ok(Report::default()),
            Some(plan) => crew.run(plan, start, &|told| progress(index, told)).await.map_err(|error| (index, error)),
        }
    });
    try_join_all(runs).await
}

/// Tries the target once, so that a run by duration does not measure nothing but a typing error.
async fn first_request(
    plan: &Plan,
    route: &Route,
    requests: &Arc<Requests>,
    cancel: &CancellationToken,
) -> Result<(), LoadError> {
    let local = tokio::task::LocalSet::new();
    let call = local.run_until(async {
        let means = Means::new(Dialer::new(route.clone(), 0), requests.clone());
        match means.carrier(0, plan) {
            Carrier::Http1(carrier) => once(carrier, &means, plan).await,
            Carrier::Special(carrier) => once(carrier, &means, plan).await,
            Carrier::Http2(carrier) => once(carrier, &means, plan).await,
            Carrier::Grpc(carrier) => once(carrier, &means, plan).await,
        }
    });
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => return Ok(()),
        ended = tokio::time::timeout(plan.timeout, call) => ended,
    };
    let reason = match ended {
        Ok(Ok(answer)) if answer.is_error => answer.status.error_kind(),
        Ok(Ok(_)) => return Ok(()),
        Ok(Err(error)) => error.kind,
        Err(_) => ErrorKind::Timeout,
    };
    Err(LoadError::InitialRequest { target: plan.target.origin(), reason })
}

async fn once(mut carrier: impl Carry, means: &Means, plan: &Plan) -> Result<Answer, CallError> {
    carrier.call(means, 0, Instant::now(), false, &|status| plan.is_error(status)).await
}

/// The workers of a run.
struct Crew {
    phases: Vec<UnboundedSender<Phase>>,
    news: UnboundedReceiver<News>,
    threads: Vec<JoinHandle<()>>,
    /// Ends the workers at once when the run is dropped.
    _abort: DropGuard,
}

impl Crew {
    fn start(
        plan: &Plan,
        route: &Route,
        requests: &Arc<Requests>,
        cancel: &CancellationToken,
    ) -> Result<Self, LoadError> {
        let abort = CancellationToken::new();
        let (news, receiver) = unbounded_channel();
        let mut crew =
            Self { phases: Vec::new(), news: receiver, threads: Vec::new(), _abort: abort.clone().drop_guard() };
        for index in 0..workers(plan) {
            let (phase, phases) = unbounded_channel();
            let job = Job {
                index,
                route: route.clone(),
                requests: requests.clone(),
                phases,
                news: news.clone(),
                cancel: cancel.clone(),
                abort: abort.clone(),
            };
            let thread = std::thread::Builder::new().name(format!("load-{index}"));
            let system = |source| LoadError::System { action: "start a thread", source };
            crew.threads.push(thread.spawn(move || work(job)).map_err(system)?);
            crew.phases.push(phase);
        }
        Ok(crew)
    }

    /// Runs one load on all workers.
    async fn run(
        &mut self,
        plan: &Plan,
        start: Instant,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Report, LoadError> {
        let budget = Arc::new(Budget::new(plan.share, plan.offered()));
        let parts = u32::try_from(self.phases.len()).unwrap_or(1);
        for (phase, plan) in self.phases.iter().zip(plan.split(parts)) {
            // A worker that has ended has said why; that is found below.
            let _ = phase.send(Phase { plan, start, budget: budget.clone() });
        }
        let offered = plan.offered();
        let mut state: Vec<(u64, u64, Histogram)> = vec![Default::default(); self.phases.len()];
        let (mut report, mut left) = (Report::default(), self.phases.len());
        let mut ticks = tokio::time::interval(PROGRESS_EVERY);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        while left > 0 {
            tokio::select! {
                biased;
                news = self.news.recv() => match news {
                    Some(News::Progress { worker, completed, errors, responses }) => {
                        state[worker] = (completed, errors, *responses);
                    }
                    Some(News::Done(done)) => {
                        report.merge(&done.map_err(|source| LoadError::System { action: "set a timer", source })?);
                        left -= 1;
                    }
                    None => return Err(self.lost()),
                },
                _ = ticks.tick() => {
                    if self.threads.iter().any(JoinHandle::is_finished) && self.news.is_empty() {
                        return Err(self.lost());
                    }
                    progress(summed(offered, &state));
                }
            }
        }
        let all = report.all_responses();
        progress(summed(offered, &[(report.completed, report.error_count(), all)]));
        Ok(report)
    }

    /// Why a worker ended before its time.
    fn lost(&mut self) -> LoadError {
        let ended = self.threads.iter().position(JoinHandle::is_finished);
        let panic = ended.and_then(|index| self.threads.swap_remove(index).join().err());
        let text = panic.as_deref().and_then(|panic| {
            panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        });
        let source = io::Error::other(format!("a worker ended: {}", text.unwrap_or("without a reason")));
        LoadError::System { action: "go on", source }
    }
}

fn summed(offered: u64, state: &[(u64, u64, Histogram)]) -> Progress {
    let mut responses = Histogram::default();
    state.iter().for_each(|(_, _, histogram)| responses.merge(histogram));
    Progress {
        offered,
        completed: state.iter().map(|(completed, _, _)| completed).sum(),
        errors: state.iter().map(|(_, errors, _)| errors).sum(),
        p50: responses.quantile(0.5),
        p99: responses.quantile(0.99),
    }
}

/// How many CPUs this process may use.
fn cpus() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// How many workers a load needs: as many as its rate, but no more than there are CPUs for this process (by affinity and
/// cgroup quota) or connections.
fn workers(plan: &Plan) -> usize {
    let cpus = cpus();
    let useful = match &plan.arrivals {
        Arrivals::Open { schedule, .. } => {
            let part = plan.turns.as_ref().map_or(1.0, Turns::part);
            (schedule.peak() * part / RATE_PER_WORKER).ceil() as usize
        }
        Arrivals::Closed => cpus,
        // Every worker has a share of every level.
        Arrivals::Levels(levels) => levels.iter().map(|level| level.concurrency as usize).min().unwrap_or(1),
    };
    useful.clamp(1, cpus).min(plan.connections as usize).max(1)
}
