//! What to send, when, for how long, and what counts as an error. Sending it is the engine's business.

use std::time::Duration;

use crate::error::LoadError;
use crate::http2::STREAMS;
use crate::schedule::Schedule;
use crate::target::Target;

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
    /// The most connections that are open at the same time. Of a closed load, also the number of requests that are under
    /// way at any time; over HTTP/2 each connection carries up to a hundred.
    pub connections: u32,
    /// How long an answer may take from the actual send to its last byte. A request that takes longer is given up.
    pub timeout: Duration,
    /// Status codes that are errors.
    pub error_ranges: Vec<StatusRange>,
    /// With [`Limit::Duration`]: send the load although a first request fails.
    pub allow_initial_errors: bool,
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
    /// The end of another request: as many are under way at any time as there are connections. What a target cannot take
    /// is then never sent, so that its latency says nothing of a rate.
    Closed,
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
}

impl StatusRange {
    /// Whether `status` lies within.
    pub fn contains(self, status: u16) -> bool {
        self.lower.is_none_or(|lower| lower <= status) && self.upper.is_none_or(|upper| status <= upper)
    }
}

impl Plan {
    /// Cuts the load into `parts` shares that together are this one: every request belongs to exactly one of them and
    /// keeps its intended time. Connections are dealt out evenly, at least one to each.
    pub fn split(&self, parts: u32) -> Vec<Self> {
        let parts = parts.max(1);
        (0..parts)
            .map(|part| Self {
                connections: (self.connections / parts + u32::from(part < self.connections % parts)).max(1),
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
        match (&self.arrivals, self.target.http2) {
            (Arrivals::Open { .. }, true) => self.connections.saturating_mul(STREAMS),
            (Arrivals::Open { .. }, false) | (Arrivals::Closed, _) => self.connections,
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

    /// Number and intended time of the `n`-th request of this share; None when the load has ended before.
    pub fn intended(&self, n: u64) -> Option<(u64, Duration)> {
        let k = n.checked_mul(self.share.count)?.checked_add(self.share.index)?;
        let at = match &self.arrivals {
            Arrivals::Open { schedule, .. } => schedule.at(k),
            Arrivals::Closed => Duration::ZERO,
        };
        let is_within = match self.limit {
            Limit::Requests(requests) => k < requests,
            Limit::Duration(duration) => at < duration,
        };
        is_within.then_some((k, at))
    }

    /// How many requests this share asks for; 0 for a closed load by duration, which asks for as many as there come.
    pub fn offered(&self) -> u64 {
        if let (Arrivals::Closed, Limit::Duration(_)) = (&self.arrivals, self.limit) {
            return 0;
        }
        let (mut low, mut high) = (0u64, 1u64);
        while self.intended(high).is_some() {
            low = high;
            high *= 2;
        }
        // `intended` is Some for all below the answer and None from it on.
        while low < high {
            let middle = low + (high - low) / 2;
            if self.intended(middle).is_some() {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// Whether `status` is an error by this plan.
    pub fn is_error(&self, status: u16) -> bool {
        self.error_ranges.iter().any(|range| range.contains(status))
    }

    pub(crate) fn validate(&self) -> Result<(), LoadError> {
        if let Arrivals::Open { schedule, .. } = &self.arrivals {
            schedule.validate().map_err(LoadError::Plan)?;
        }
        let problem = match (self.target.url.scheme(), self.target.url.host(), self.limit) {
            (scheme, _, _) if scheme != "http" && scheme != "https" => format!("`{scheme}` is neither http nor https"),
            (_, None, _) => "the URL names no host".to_owned(),
            (_, _, Limit::Duration(duration)) if duration.is_zero() => "it lasts no time".to_owned(),
            (_, _, Limit::Requests(0)) => "it has no requests".to_owned(),
            _ if self.connections == 0 => "it has no connections".to_owned(),
            _ if self.timeout.is_zero() => "the timeout is zero".to_owned(),
            _ => return Ok(()),
        };
        Err(LoadError::Plan(problem))
    }
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
            timeout: Duration::from_secs(1),
            error_ranges: vec![StatusRange { lower: Some(400), upper: None }],
            allow_initial_errors: false,
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
    }

    #[test]
    fn impossible_plans_are_refused_with_the_reason() {
        for (bad, part) in [
            (plan(Limit::Requests(0), 1.0), "no requests"),
            (plan(Limit::Requests(1), -1.0), "rate"),
            (Plan { connections: 0, ..plan(Limit::Requests(1), 1.0) }, "no connections"),
        ] {
            assert!(bad.validate().unwrap_err().to_string().contains(part));
        }
    }

    proptest! {
        #[test]
        fn shares_partition_the_load(requests in 1u64..300, rate in 0.5f64..5000.0, parts in 1u32..9, again in 1u32..4) {
            let whole = plan(Limit::Requests(requests), rate);
            let shares: Vec<Plan> = whole.split(parts).iter().flat_map(|share| share.split(again)).collect();
            let mut seen: Vec<(u64, Duration)> =
                shares.iter().flat_map(|share| (0..share.offered()).filter_map(|n| share.intended(n))).collect();
            seen.sort_unstable();
            let expected: Vec<(u64, Duration)> = (0..requests).filter_map(|n| whole.intended(n)).collect();
            prop_assert_eq!(seen, expected);
            prop_assert!(shares.iter().all(|share| share.connections >= 1));
        }
    }
}
