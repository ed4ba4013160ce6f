//! What to send, when, for how long, and what counts as an error. Sending it is the engine's business.

use std::time::Duration;

use crate::error::LoadError;
use crate::schedule::Schedule;
use crate::target::{Protocol, Target};
use crate::turns::Turns;

/// A load.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What to send.
    pub target: Target,
    /// When.
    pub arrivals: Arrivals,
    /// When it ends.
    pub limit: Limit,
    /// What is sent before the measurement begins and is no part of it.
    pub warmup: Option<Limit>,
    /// The most connections that are open at the same time.
    pub connections: u32,
    /// The most requests that are under way at the same time on each connection, if the server does not allow fewer; over
    /// HTTP/1 there is always one.
    pub streams: u32,
    /// How long an answer may take from the actual send to its last byte. A request that takes longer is given up.
    pub timeout: Duration,
    /// Status codes that are errors.
    pub error_ranges: Vec<StatusRange>,
    /// With [`Limit::Duration`]: send the load although a first request fails.
    pub allow_initial_errors: bool,
    /// Of several loads that take turns at a schedule: which of its requests are this one's; None for all of them.
    pub turns: Option<Turns>,
    /// Which part of the load this plan is.
    pub share: Share,
}

/// What decides when a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// A schedule, whatever becomes of the requests before: the open model.
    Open {
        /// The times.
        schedule: Schedule,
        /// What becomes of a request that is due while all connections are busy.
        when_busy: WhenBusy,
    },
    /// The end of another request: as many are under way at any time as all connections carry together. What a target
    /// cannot take is then never sent, so that its latency says nothing of a rate.
    Closed,
    /// The same, with a number of requests under way that changes over time. The first level begins at zero.
    Levels(Vec<Level>),
}

/// How many requests are under way from some moment of a closed load on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// From when on, relative to the start.
    pub at: Duration,
    /// How many; no more than all connections carry together.
    pub concurrency: u32,
}

/// What becomes of a request that is due while all connections are busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenBusy {
    /// It waits, and its waiting is part of its latency.
    #[default]
    Queue,
    /// It is not sent, and counted as dropped.
    Drop,
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// After this many requests.
    Requests(u64),
    /// After this time: requests whose intended time is earlier are sent.
    Duration(Duration),
}

/// Status codes from `lower` to `upper`, both included; a missing end is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusRange {
    /// The smallest.
    pub lower: Option<u16>,
    /// The largest.
    pub upper: Option<u16>,
}

/// Every `count`-th request of a load, beginning with the request `index`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// From 0.
    pub index: u64,
    /// At least 1.
    pub count: u64,
}

impl Share {
    /// The whole load.
    pub const WHOLE: Self = Self { index: 0, count: 1 };

    /// The number in the whole load of the one that has this number in the share.
    pub(crate) const fn numbered(self, number: u64) -> u64 {
        self.index + self.count * number
    }
}

impl StatusRange {
    /// Whether `status` lies within.
    pub fn contains(self, status: u16) -> bool {
        self.lower.is_none_or(|lower| lower <= status) && self.upper.is_none_or(|upper| status <= upper)
    }
}

impl Plan {
    /// How many requests share a connection of HTTP/2 if nothing else is asked for: what RFC 9113 (section 6.5.2) recommends
    /// that servers allow at least.
    pub const STREAMS: u32 = 100;

    /// Cuts the load into `parts` shares that together are this one: every request belongs to exactly one of them and
    /// keeps its intended time. Connections are dealt out evenly, at least one to each.
    pub fn split(&self, parts: u32) -> Vec<Self> {
        let parts = parts.max(1);
        (0..parts)
            .map(|part| Self {
                connections: share_of(self.connections, part, parts).max(1),
                arrivals: self.arrivals.split(part, parts),
                share: Share {
                    index: self.share.index + u64::from(part) * self.share.count,
                    count: self.share.count * u64::from(parts),
                },
                ..self.clone()
            })
            .collect()
    }

    /// How many requests may be under way at a time.
    pub(crate) fn lanes(&self) -> u32 {
        self.connections.saturating_mul(self.lanes_each())
    }

    /// How many requests may be under way at a time on each connection.
    pub(crate) const fn lanes_each(&self) -> u32 {
        match self.target.protocol {
            Protocol::Http1 => 1,
            Protocol::Http2 | Protocol::Grpc(_) => self.streams,
        }
    }

    /// The highest rate of this share, in requests a second; endless for a closed load.
    pub(crate) fn peak(&self) -> f64 {
        match &self.arrivals {
            Arrivals::Open { schedule, .. } => schedule.peak() / self.share.count as f64,
            Arrivals::Closed | Arrivals::Levels(_) => f64::INFINITY,
        }
    }

    /// Whether requests have intended times.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.arrivals, Arrivals::Open { .. })
    }

    /// The load that goes before the measurement.
    pub(crate) fn of_warmup(&self) -> Option<Self> {
        Some(Self { limit: self.warmup?, ..self.clone() })
    }

    /// The intended times of the requests of this share, in order. A closed load has as many as it is limited to, all of
    /// them at once.
    pub fn intended(&self) -> impl Iterator<Item = Duration> + '_ {
        let places = (0..).map(|number| self.place(number));
        let times: Box<dyn FnMut(u64) -> Option<Duration>> = match &self.arrivals {
            Arrivals::Open { schedule, .. } => {
                let mut times = schedule.times();
                // The first request of the schedule that has not been passed.
                let mut next = 0;
                Box::new(move |place| {
                    let skipped = usize::try_from(place - next).unwrap_or(usize::MAX);
                    next = place + 1;
                    times.nth(skipped)
                })
            }
            Arrivals::Closed | Arrivals::Levels(_) => Box::new(|_| Some(Duration::ZERO)),
        };
        places
            .scan(times, |times, place| Some((place, times(place)?)))
            .take_while(|(place, at)| self.is_within(*place, *at))
            .map(|(_, at)| at)
    }

    /// The number in the schedule of the request that has this number in the share.
    fn place(&self, number: u64) -> u64 {
        let own = self.share.numbered(number);
        self.turns.as_ref().map_or(own, |turns| turns.place(own))
    }

    fn is_within(&self, number: u64, at: Duration) -> bool {
        match self.limit {
            Limit::Requests(requests) => number < requests,
            Limit::Duration(duration) => at < duration,
        }
    }

    /// How many requests this share asks for; 0 for a closed load by duration, which asks for as many as there come.
    pub fn offered(&self) -> u64 {
        match (self.limit, &self.arrivals) {
            (Limit::Requests(requests), _) => first_where_not(|n| self.place(n) < requests),
            (Limit::Duration(_), Arrivals::Closed | Arrivals::Levels(_)) => 0,
            (Limit::Duration(_), Arrivals::Open { schedule: Schedule::Poisson { .. }, .. }) => {
                self.intended().fold(0, |offered, _| offered + 1)
            }
            (Limit::Duration(duration), Arrivals::Open { schedule, .. }) => first_where_not(|n| {
                let place = usize::try_from(self.place(n)).unwrap_or(usize::MAX);
                schedule.times().nth(place).is_some_and(|at| at < duration)
            }),
        }
    }

    /// Whether `status` is an error by this plan.
    pub fn is_error(&self, status: u16) -> bool {
        self.error_ranges.iter().any(|range| range.contains(status))
    }

    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if let Arrivals::Open { schedule, .. } = &self.arrivals {
            schedule.validate().map_err(LoadError::Plan)?;
            if matches!(self.limit, Limit::Requests(_)) && schedule.last() == 0.0 {
                return Err(LoadError::Plan("its rate ends at 0, and it by a number of requests".to_owned()));
            }
        }
        let problem = match (self.target.url.scheme(), self.target.url.host(), self.limit) {
            (scheme, _, _) if scheme != "http" && scheme != "https" => format!("`{scheme}` is neither http nor https"),
            (_, None, _) => "the URL names no host".to_owned(),
            (_, _, Limit::Duration(duration)) if duration.is_zero() => "it lasts no time".to_owned(),
            (_, _, Limit::Requests(0)) => "it has no requests".to_owned(),
            _ if matches!(&self.arrivals, Arrivals::Levels(levels) if levels.iter().any(|level| level.concurrency == 0)) => {
                "it has times at which no request may be under way".to_owned()
            }
            _ if self.connections == 0 => "it has no connections".to_owned(),
            _ if self.streams == 0 => "its connections carry no requests".to_owned(),
            _ if self.timeout.is_zero() => "the timeout is zero".to_owned(),
            _ => return Ok(()),
        };
        Err(LoadError::Plan(problem))
    }
}

/// The share of one of `parts` in a number that is dealt out evenly.
const fn share_of(number: u32, part: u32, parts: u32) -> u32 {
    number / parts + (part < number % parts) as u32
}

impl Arrivals {
    fn split(&self, part: u32, parts: u32) -> Self {
        match self {
            Self::Open { .. } | Self::Closed => self.clone(),
            Self::Levels(levels) => Self::Levels(
                levels
                    .iter()
                    .map(|level| Level { concurrency: share_of(level.concurrency, part, parts).max(1), ..*level })
                    .collect(),
            ),
        }
    }
}

/// The smallest number for which `holds` is false, which it is from there on.
fn first_where_not(holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (0, 1);
    while holds(high) {
        low = high;
        high *= 2;
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn plan(limit: Limit, rate: f64) -> Plan {
        Plan {
            target: Target::get("http://127.0.0.1/".parse().unwrap()),
            arrivals: Arrivals::Open { schedule: Schedule::Constant { rate }, when_busy: WhenBusy::Queue },
            warmup: None,
            limit,
            connections: 7,
            streams: Plan::STREAMS,
            timeout: Duration::from_secs(1),
            error_ranges: vec![StatusRange { lower: Some(400), upper: None }],
            allow_initial_errors: false,
            turns: None,
            share: Share::WHOLE,
        }
    }

    #[test]
    fn ranges_include_their_ends_and_open_ends_reach_everywhere() {
        let range = |lower, upper| StatusRange { lower, upper };
        assert!(range(Some(400), Some(499)).contains(400) && range(Some(400), Some(499)).contains(499));
        assert!(!range(Some(400), Some(499)).contains(500));
        assert!(range(None, Some(199)).contains(100) && range(Some(500), None).contains(599));
        assert!(plan(Limit::Requests(1), 1.0).is_error(404) && !plan(Limit::Requests(1), 1.0).is_error(399));
    }

    #[test]
    fn a_duration_offers_the_requests_whose_time_lies_within() {
        assert_eq!(plan(Limit::Duration(Duration::from_secs(2)), 50.0).offered(), 100);
        assert_eq!(plan(Limit::Duration(Duration::from_millis(1)), 50.0).offered(), 1);
        assert_eq!(plan(Limit::Requests(200), 50.0).offered(), 200);
        assert_eq!(plan(Limit::Duration(Duration::from_secs(1_000_000)), 1e5).offered(), 100_000_000_000);
    }

    #[test]
    fn impossible_plans_are_refused_with_the_reason() {
        for (bad, part) in [
            (plan(Limit::Requests(0), 1.0), "no requests"),
            (plan(Limit::Requests(1), -1.0), "rate"),
            (Plan { connections: 0, ..plan(Limit::Requests(1), 1.0) }, "no connections"),
            (Plan { streams: 0, ..plan(Limit::Requests(1), 1.0) }, "carry no requests"),
        ] {
            assert!(bad.validate().unwrap_err().to_string().contains(part));
        }
    }

    proptest! {
        #[test]
        fn loads_that_take_turns_are_the_schedule_together(requests in 1u64..300, seed in any::<Option<u64>>(), weights in prop::collection::vec(1u64..5, 1..4)) {
            let mut whole = plan(Limit::Requests(requests), 100.0);
            if let (Some(seed), Arrivals::Open { schedule, .. }) = (seed, &mut whole.arrivals) {
                *schedule = Schedule::Poisson { mean: Box::new(schedule.clone()), seed };
            }
            let loads: Vec<Plan> = Turns::by_weight(&weights).into_iter().map(|turns| Plan { turns: Some(turns), ..whole.clone() }).flat_map(|load| load.split(2)).collect();
            let mut seen: Vec<Duration> = loads.iter().flat_map(Plan::intended).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, whole.intended().collect::<Vec<_>>());
            prop_assert_eq!(loads.iter().map(Plan::offered).sum::<u64>(), requests);
        }

        #[test]
        fn shares_partition_the_load(requests in 1u64..300, rate in 0.5f64..5000.0, seed in any::<Option<u64>>(), parts in 1u32..9, again in 1u32..4) {
            let mut whole = plan(Limit::Requests(requests), rate);
            if let (Some(seed), Arrivals::Open { schedule, .. }) = (seed, &mut whole.arrivals) {
                *schedule = Schedule::Poisson { mean: Box::new(schedule.clone()), seed };
            }
            let shares: Vec<Plan> = whole.split(parts).iter().flat_map(|share| share.split(again)).collect();
            let mut seen: Vec<Duration> = shares.iter().flat_map(Plan::intended).collect();
            seen.sort_unstable();
            prop_assert_eq!(seen, whole.intended().collect::<Vec<_>>());
            prop_assert_eq!(shares.iter().map(Plan::offered).sum::<u64>(), whole.offered());
            prop_assert!(shares.iter().all(|share| share.connections >= 1));
        }
    }
}
