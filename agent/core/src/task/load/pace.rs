//! When requests are sent and how long a load lasts: what users write, and what it comes to. The rate itself and the
//! limits have other names in each task, which passes them in.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::schedule::{Rate, Schedule};
use crate::duration::GoDuration;
use crate::scalar::{Count, Real};
use crate::schema::Problem;

/// Settings of a load that are the same for every protocol.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pace {
    /// How the rate changes over time, in place of one that stays the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,
    /// How requests lie around the rate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<ArrivalKind>,
    /// Which random moments `arrivals: poisson` means; the same number gives the same moments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<Count>,
    /// What becomes of a request that is due while everything is busy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when_busy: Option<WhenBusy>,
    /// How many requests are sent before the measurement begins, and are no part of it. Wins over `warmupDuration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_num_requests: Option<Count>,
    /// How long requests are sent before the measurement begins, and are no part of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub warmup_duration: Option<GoDuration>,
    /// Percentiles of the latency to report beside 50, 75, 90, 95, 99 and 99.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub percentiles: Vec<Real>,
}

/// How requests lie around a rate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ArrivalKind {
    /// Evenly.
    #[default]
    Even,
    /// At random moments, as requests of many independent users come.
    Poisson,
}

/// What becomes of a request that is due while everything is busy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WhenBusy {
    /// It waits, and its waiting is part of its latency.
    #[default]
    Queue,
    /// It is not sent, and counted as dropped.
    Drop,
}

/// What decides when a request is sent.
#[derive(Clone, Debug, PartialEq)]
pub enum Arrivals {
    /// A rate, whatever becomes of the requests before.
    Open {
        /// The rate.
        rate: Rate,
        /// Random moments instead of even ones.
        seed: Option<u64>,
        /// What becomes of a request that is due while everything is busy.
        when_busy: WhenBusy,
    },
    /// The end of another request: so many are under way at any time.
    Closed {
        /// How many.
        concurrency: u64,
    },
    /// The same, with a number that changes over time.
    Levels(Vec<Level>),
}

/// How many requests are under way from some moment on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// From when on, relative to the start.
    pub at: Duration,
    /// How many.
    pub concurrency: u64,
}

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Limit {
    /// After this many requests.
    Requests(u64),
    /// After this time.
    Duration(Duration),
}

/// A load in time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timing {
    /// When requests are sent.
    pub arrivals: Arrivals,
    /// When it ends.
    pub limit: Limit,
    /// What goes before and is not measured.
    pub warmup: Option<Limit>,
    /// How long an answer may take.
    pub timeout: Duration,
}

/// What `arrivals: poisson` means when no seed is given: runs are comparable by default.
const DEFAULT_SEED: u64 = 1;

impl Arrivals {
    /// The rate in the end, in requests a second, if there is one.
    pub fn last_rate(&self) -> Option<f64> {
        match self {
            Self::Open { rate, .. } => Some(rate.last()),
            Self::Closed { .. } | Self::Levels(_) => None,
        }
    }
}

impl Pace {
    /// What decides when requests are sent: a concurrency, a schedule, or a constant rate of so many requests a second.
    pub fn arrivals(&self, rate: f64, concurrency: Option<u64>) -> Arrivals {
        if let Some(concurrency) = concurrency {
            return Arrivals::Closed { concurrency };
        }
        let rate = match &self.schedule {
            Some(schedule) => Rate::Stages(schedule.stages()),
            None => Rate::Constant(rate),
        };
        let seed = match self.arrivals.unwrap_or_default() {
            ArrivalKind::Even => None,
            ArrivalKind::Poisson => Some(self.seed.map_or(DEFAULT_SEED, |seed| seed.0)),
        };
        Arrivals::Open { rate, seed, when_busy: self.when_busy.unwrap_or_default() }
    }

    /// What is sent before the measurement.
    pub fn warmup(&self) -> Option<Limit> {
        let requests = self.warmup_num_requests.map(|requests| Limit::Requests(requests.0));
        requests.or(self.warmup_duration.map(|duration| Limit::Duration(duration.0)))
    }

    /// How long the schedule lasts, if there is one: the load ends with it when nothing else is said.
    pub fn length(&self) -> Option<Duration> {
        Rate::Stages(self.schedule.as_ref()?.stages()).length()
    }

    /// What is wrong with single keys.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.schedule.iter().flat_map(Schedule::validate).map(|problem| problem.under("schedule")).collect();
        if self.warmup_num_requests == Some(Count(0)) {
            problems.push(Problem::at("warmupNumRequests", "must be at least 1, got 0"));
        }
        if self.warmup_duration.is_some_and(|duration| duration.0.is_zero()) {
            problems.push(Problem::at("warmupDuration", "must be longer than 0s"));
        }
        for percentile in self.percentiles.iter().filter(|p| p.0 <= 0.0 || p.0 >= 100.0) {
            problems.push(Problem::at("percentiles", format!("must lie between 0 and 100, got {}", percentile.0)));
        }
        problems
    }

    /// What contradicts what, in a load with a rate under the key `rate_key`, if it was given, and a concurrency of a
    /// closed load, if there is one.
    pub fn contradictions(&self, rate_key: Option<&str>, concurrency: Option<u64>) -> Vec<Problem> {
        let mut problems = Vec::new();
        let arrivals = self.arrivals.unwrap_or_default();
        if let (Some(key), Some(_)) = (rate_key, &self.schedule) {
            problems.push(Problem::at("schedule", format!("contradicts {key}: give one of them")));
        }
        if let Some(concurrency) = concurrency {
            let set = [
                rate_key,
                self.schedule.as_ref().map(|_| "schedule"),
                self.arrivals.map(|_| "arrivals"),
                self.when_busy.map(|_| "whenBusy"),
            ];
            for key in set.into_iter().flatten() {
                let message = format!(
                    "is {concurrency}, which contradicts {key}: a request is sent when another one ends, so that there is no rate"
                );
                problems.push(Problem::at("concurrency", message));
            }
        }
        if let (Some(seed), ArrivalKind::Even) = (self.seed, arrivals) {
            let message = format!("is {}, which means nothing without arrivals: poisson", seed.0);
            problems.push(Problem::at("seed", message));
        }
        problems
    }
}

impl Timing {
    /// How long the load takes at most when nothing is late, with the wait for its last answers.
    pub fn expected_duration(&self) -> Duration {
        let warmup = self.warmup.map_or(Duration::ZERO, |limit| self.lasts(limit).saturating_add(self.timeout));
        self.lasts(self.limit).saturating_add(warmup).saturating_add(self.timeout)
    }

    /// How long `requests` take at most when so many are under way at any time.
    fn turns(&self, requests: u64, concurrency: u64) -> Duration {
        let turns = u32::try_from(requests.div_ceil(concurrency.max(1))).unwrap_or(u32::MAX);
        self.timeout.saturating_mul(turns)
    }

    fn lasts(&self, limit: Limit) -> Duration {
        match (limit, &self.arrivals) {
            (Limit::Duration(duration), _) => duration,
            // The sum of n exponential times has the deviation √n.
            (Limit::Requests(n), Arrivals::Open { rate, seed: Some(_), .. }) => {
                rate.takes(n as f64 + 5.0 * (n as f64).sqrt())
            }
            (Limit::Requests(n), Arrivals::Open { rate, seed: None, .. }) => rate.takes(n as f64),
            (Limit::Requests(n), Arrivals::Closed { concurrency }) => self.turns(n, *concurrency),
            (Limit::Requests(n), Arrivals::Levels(levels)) => {
                self.turns(n, levels.iter().map(|level| level.concurrency).min().unwrap_or(1))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pace(value: Value) -> Pace {
        serde_json::from_value(value).unwrap()
    }

    fn said(problems: &[Problem]) -> Vec<String> {
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_rate_is_constant_and_even_unless_something_else_is_said() {
        let even = Arrivals::Open { rate: Rate::Constant(8.0), seed: None, when_busy: WhenBusy::Queue };
        assert_eq!(Pace::default().arrivals(8.0, None), even);
        assert_eq!(Pace::default().arrivals(8.0, Some(3)), Arrivals::Closed { concurrency: 3 });
        let random = pace(json!({ "arrivals": "poisson", "whenBusy": "drop" })).arrivals(8.0, None);
        assert_eq!(random, Arrivals::Open { rate: Rate::Constant(8.0), seed: Some(1), when_busy: WhenBusy::Drop });
        let ramp = pace(json!({ "schedule": { "ramp": { "from": 1, "to": 2, "over": "3s" } } }));
        assert!(matches!(ramp.arrivals(8.0, None), Arrivals::Open { rate: Rate::Stages(_), .. }));
        assert_eq!(ramp.length(), Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_number_of_requests_wins_for_a_warm_up() {
        assert_eq!(Pace::default().warmup(), None);
        assert_eq!(pace(json!({ "warmupDuration": "2s" })).warmup(), Some(Limit::Duration(Duration::from_secs(2))));
        assert_eq!(
            pace(json!({ "warmupDuration": "2s", "warmupNumRequests": "5" })).warmup(),
            Some(Limit::Requests(5))
        );
    }

    #[test]
    fn contradictions_are_named() {
        let ramp = json!({ "schedule": { "ramp": { "from": 1, "to": 2, "over": "3s" } } });
        assert_eq!(
            said(&pace(ramp).contradictions(Some("qps"), None)),
            ["`schedule` contradicts qps: give one of them"]
        );
        assert_eq!(
            said(&pace(json!({ "whenBusy": "drop" })).contradictions(Some("qps"), Some(5))),
            [
                "`concurrency` is 5, which contradicts qps: a request is sent when another one ends, so that there is no rate",
                "`concurrency` is 5, which contradicts whenBusy: a request is sent when another one ends, so that there is no rate"
            ]
        );
        assert_eq!(
            said(&pace(json!({ "seed": 7 })).contradictions(None, None)),
            ["`seed` is 7, which means nothing without arrivals: poisson"]
        );
    }

    #[test]
    fn a_load_takes_its_warm_up_and_its_last_answers_too() {
        let timing = |arrivals, limit, warmup| Timing { arrivals, limit, warmup, timeout: Duration::from_secs(3) };
        let even = Pace::default().arrivals(8.0, None);
        let warmup = Some(Limit::Duration(Duration::from_secs(10)));
        assert_eq!(timing(even.clone(), Limit::Requests(80), None).expected_duration(), Duration::from_secs(13));
        assert_eq!(timing(even, Limit::Requests(80), warmup).expected_duration(), Duration::from_secs(26));
        let random = pace(json!({ "arrivals": "poisson" })).arrivals(8.0, None);
        // 64 + 5 · 8 requests.
        assert_eq!(timing(random, Limit::Requests(64), None).expected_duration(), Duration::from_secs(16));
        let closed = Arrivals::Closed { concurrency: 4 };
        assert_eq!(timing(closed, Limit::Requests(9), None).expected_duration(), Duration::from_secs(12));
    }
}
