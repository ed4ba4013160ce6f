//! When calls are made: from ghz's keys to a load in time.

use std::time::Duration;

use super::{Calls, DEFAULT_CONCURRENCY, DEFAULT_TOTAL, ScheduleKind};
use crate::task::load::{Arrivals, Level, Limit, MAX_RATE, Rate, Stage, Timing};

/// The most steps of a schedule.
const MAX_STEPS: usize = 10_000;
/// How long a line goes on that has no end; longer than any load.
const ENDLESS: Duration = Duration::from_secs(7 * 86_400);

/// What decides when calls are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Model {
    /// `rps`.
    Rate,
    /// `schedule`.
    Schedule,
    /// `load-schedule`.
    LoadSchedule,
    /// `concurrency`.
    Concurrency,
    /// `concurrency-schedule`.
    ConcurrencySchedule,
}

/// A number that changes over time, in steps or by so many each second.
struct Change {
    start: f64,
    /// Where it stops; nowhere when not given.
    end: Option<f64>,
    step: f64,
    every: Duration,
    /// When it stops at the latest.
    most: Option<Duration>,
}

impl Calls {
    /// When calls are made, and when they end. A duration wins over a number of calls, which is 200 by default; with neither
    /// a load with a `schedule` lasts as long as it.
    pub fn timing(&self) -> Timing {
        let skipped = self.skip_first.map_or(0, |skipped| skipped.0);
        let duration = self.duration.map(|duration| duration.0);
        let schedule = self.total.is_none().then(|| self.pace.length()).flatten();
        let limit = match duration.or(schedule) {
            Some(duration) => Limit::Duration(self.max_duration.map_or(duration, |most| most.0.min(duration))),
            None => Limit::Requests(self.total().saturating_sub(skipped).max(1)),
        };
        let warmup = match self.pace.warmup() {
            None if skipped > 0 => Some(Limit::Requests(skipped)),
            Some(Limit::Requests(warmup)) => Some(Limit::Requests(warmup + skipped)),
            other => other,
        };
        Timing { arrivals: self.arrivals(), limit, warmup, timeout: self.timeout() }
    }

    /// How long the load takes at most when nothing is late.
    pub(super) fn expected_duration(&self) -> Duration {
        let timing = self.timing();
        let most = self.most().map_or(Duration::MAX, |most| {
            let unmeasured = Timing { limit: Limit::Duration(most), ..timing.clone() };
            unmeasured.expected_duration()
        });
        timing.expected_duration().min(most).saturating_add(self.connect_timeout())
    }

    /// When a load that is limited to a number of calls ends although they have not all been made.
    pub fn most(&self) -> Option<Duration> {
        self.max_duration.filter(|_| self.duration.is_none()).map(|most| most.0)
    }

    pub(super) fn total(&self) -> u64 {
        self.total.map_or(DEFAULT_TOTAL, |total| total.0)
    }

    /// Calls under way at any time, if there is no rate.
    pub(super) fn concurrency(&self) -> u64 {
        self.concurrency.map_or(DEFAULT_CONCURRENCY, |concurrency| concurrency.0)
    }

    /// Everything that says when calls are made, of which there may be one.
    pub(super) fn models(&self) -> Vec<Model> {
        let changes = |kind: Option<ScheduleKind>| kind.is_some_and(|kind| kind != ScheduleKind::Const);
        let models = [
            (Model::Rate, self.rps.is_some_and(|rps| rps.0 > 0.0) && !changes(self.load_schedule)),
            (Model::Schedule, self.pace.schedule.is_some()),
            (Model::LoadSchedule, changes(self.load_schedule)),
            (Model::ConcurrencySchedule, changes(self.concurrency_schedule)),
        ];
        models.into_iter().filter(|(_, is_said)| *is_said).map(|(model, _)| model).collect()
    }

    /// The most calls that are under way at the same time on one connection.
    pub fn calls_per_connection(&self) -> Option<u64> {
        let most = match self.arrivals() {
            Arrivals::Open { .. } => return None,
            Arrivals::Closed { concurrency } => concurrency,
            Arrivals::Levels(levels) => levels.iter().map(|level| level.concurrency).max().unwrap_or(1),
        };
        Some(most.div_ceil(self.connections().max(1)).max(1))
    }

    fn arrivals(&self) -> Arrivals {
        let number = |number: Option<crate::scalar::Real>| number.map_or(0.0, |number| number.0);
        match self.models().first().unwrap_or(&Model::Concurrency) {
            Model::Rate | Model::Schedule => self.pace.arrivals(number(self.rps), None),
            Model::LoadSchedule => {
                let change = Change {
                    start: number(self.load_start),
                    end: self.load_end.map(|end| end.0).filter(|end| *end > 0.0),
                    step: number(self.load_step),
                    every: self.load_step_duration.map_or(Duration::ZERO, |every| every.0),
                    most: self.load_max_duration.map(|most| most.0),
                };
                let stages = match self.load_schedule.unwrap_or_default() {
                    ScheduleKind::Line => vec![change.line()],
                    ScheduleKind::Step | ScheduleKind::Const => change.steps(),
                };
                match self.pace.arrivals(1.0, None) {
                    Arrivals::Open { seed, when_busy, .. } => {
                        Arrivals::Open { rate: Rate::Stages(stages), seed, when_busy }
                    }
                    other => other,
                }
            }
            Model::Concurrency => Arrivals::Closed { concurrency: self.concurrency() },
            Model::ConcurrencySchedule => Arrivals::Levels(self.levels()),
        }
    }

    fn levels(&self) -> Vec<Level> {
        let every = match self.concurrency_schedule.unwrap_or_default() {
            // As in ghz a line is steps of a second.
            ScheduleKind::Line => Duration::from_secs(1),
            ScheduleKind::Step | ScheduleKind::Const => self.concurrency_step_duration.map_or(Duration::ZERO, |d| d.0),
        };
        let change = Change {
            start: self.concurrency_start.map_or(1.0, |start| start.0 as f64),
            end: self.concurrency_end.map(|end| end.0 as f64).filter(|end| *end > 0.0),
            step: self.concurrency_step.map_or(0.0, |step| step.0),
            every,
            most: self.concurrency_max_duration.map(|most| most.0),
        };
        let mut at = Duration::ZERO;
        let mut levels = Vec::new();
        for stage in change.steps() {
            levels.push(Level { at, concurrency: (stage.from as u64).max(1) });
            at += stage.over;
        }
        levels
    }
}

impl Change {
    /// The stages of steps. The last goes on for ever.
    fn steps(&self) -> Vec<Stage> {
        let mut stages = Vec::new();
        let mut at = Duration::ZERO;
        loop {
            let value = self.start + self.step * stages.len() as f64;
            let bounded = self.bounded(value);
            stages.push(Stage { from: bounded, to: bounded, over: self.every });
            at += self.every;
            let is_last = self.end.is_some() && bounded.total_cmp(&value).is_ne() || Some(bounded) == self.end;
            if is_last
                || self.most.is_some_and(|most| at >= most)
                || value + self.step <= 0.0
                || value > MAX_RATE
                || at >= ENDLESS
                || self.every.is_zero()
                || stages.len() >= MAX_STEPS
            {
                return stages;
            }
        }
    }

    /// The one stage of a line.
    fn line(&self) -> Stage {
        let to_end = self.end.map(|end| Duration::try_from_secs_f64((end - self.start) / self.step).unwrap_or(ENDLESS));
        let over = to_end.unwrap_or(ENDLESS).min(self.most.unwrap_or(ENDLESS));
        // The rate never leaves what can be sent.
        let room = (MAX_RATE - self.start).max(0.0) / self.step;
        let over = if self.step > 0.0 { over.min(Duration::try_from_secs_f64(room).unwrap_or(ENDLESS)) } else { over };
        let to = self.bounded(self.start + self.step * over.as_secs_f64());
        Stage { from: self.start, to, over }
    }

    fn bounded(&self, value: f64) -> f64 {
        match self.end {
            Some(end) if self.step > 0.0 => value.min(end),
            Some(end) => value.max(end),
            None => value.max(0.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn calls(value: &Value) -> Calls {
        serde_json::from_value(value.clone()).unwrap()
    }

    fn rates(value: &Value) -> Vec<(f64, f64, f64)> {
        match calls(value).timing().arrivals {
            Arrivals::Open { rate: Rate::Stages(stages), .. } => {
                stages.iter().map(|stage| (stage.from, stage.to, stage.over.as_secs_f64())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    fn levels(value: &Value) -> Vec<(u64, u64)> {
        match calls(value).timing().arrivals {
            Arrivals::Levels(levels) => levels.iter().map(|level| (level.at.as_secs(), level.concurrency)).collect(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn defaults_are_those_of_ghz() {
        let timing = calls(&json!({})).timing();
        assert_eq!(timing.limit, Limit::Requests(200));
        assert_eq!(timing.arrivals, Arrivals::Closed { concurrency: 50 });
        assert_eq!((timing.timeout, timing.warmup), (Duration::from_secs(20), None));
        assert_eq!(calls(&json!({})).calls_per_connection(), Some(50));
        assert_eq!(calls(&json!({ "connections": 4 })).calls_per_connection(), Some(13));
    }

    #[test]
    fn a_duration_wins_over_a_number_and_neither_passes_the_longest() {
        let limit = |value: Value| calls(&value).timing().limit;
        assert_eq!(limit(json!({ "total": 10, "duration": "5s" })), Limit::Duration(Duration::from_secs(5)));
        assert_eq!(limit(json!({ "duration": "5s", "max-duration": "2s" })), Limit::Duration(Duration::from_secs(2)));
        assert_eq!(limit(json!({ "total": 10, "max-duration": "2s" })), Limit::Requests(10));
        assert_eq!(calls(&json!({ "total": 10, "max-duration": "2s" })).most(), Some(Duration::from_secs(2)));
        assert_eq!(calls(&json!({ "duration": "5s", "max-duration": "2s" })).most(), None);
    }

    #[test]
    fn a_rate_is_open_and_no_rate_is_closed() {
        assert!(matches!(
            calls(&json!({ "rps": "2.5" })).timing().arrivals,
            Arrivals::Open { rate: Rate::Constant(2.5), .. }
        ));
        let closed = calls(&json!({ "rps": 0, "concurrency": 3 })).timing().arrivals;
        assert_eq!(closed, Arrivals::Closed { concurrency: 3 });
    }

    #[test]
    fn the_first_calls_are_left_out_of_the_number() {
        let timing = calls(&json!({ "total": 10, "skipFirst": 4 })).timing();
        assert_eq!((timing.limit, timing.warmup), (Limit::Requests(6), Some(Limit::Requests(4))));
        let timing = calls(&json!({ "skipFirst": 4, "warmupNumRequests": 3 })).timing();
        assert_eq!((timing.limit, timing.warmup), (Limit::Requests(196), Some(Limit::Requests(7))));
    }

    #[test]
    fn rates_step_up_or_down_to_their_end() {
        let value = json!({ "load-schedule": "step", "load-start": 50, "load-end": 70, "load-step": 10, "load-step-duration": "5s" });
        assert_eq!(rates(&value), [(50.0, 50.0, 5.0), (60.0, 60.0, 5.0), (70.0, 70.0, 5.0)]);
        let value = json!({ "load-schedule": "step", "load-start": 50, "load-end": 25, "load-step": -10, "load-step-duration": "5s" });
        assert_eq!(rates(&value), [(50.0, 50.0, 5.0), (40.0, 40.0, 5.0), (30.0, 30.0, 5.0), (25.0, 25.0, 5.0)]);
        let value = json!({ "load-schedule": "step", "load-start": 50, "load-step": 10, "load-step-duration": "5s", "load-max-duration": "10s" });
        assert_eq!(rates(&value), [(50.0, 50.0, 5.0), (60.0, 60.0, 5.0)]);
    }

    #[test]
    fn rates_follow_a_line_to_their_end() {
        let value = json!({ "load-schedule": "line", "load-start": 200, "load-end": 50, "load-step": -2 });
        assert_eq!(rates(&value), [(200.0, 50.0, 75.0)]);
        let value = json!({ "load-schedule": "line", "load-start": 10, "load-step": 5, "load-max-duration": "4s" });
        assert_eq!(rates(&value), [(10.0, 30.0, 4.0)]);
        let endless = rates(&json!({ "load-schedule": "line", "load-step": 100 }));
        assert_eq!((endless[0].0, endless[0].1), (0.0, MAX_RATE));
    }

    #[test]
    fn concurrency_changes_in_steps_or_each_second() {
        let value = json!({ "concurrency-schedule": "step", "concurrency-start": 5, "concurrency-end": 9, "concurrency-step": 2, "concurrency-step-duration": "3s" });
        assert_eq!(levels(&value), [(0, 5), (3, 7), (6, 9)]);
        assert_eq!(calls(&value).calls_per_connection(), Some(9));
        let value = json!({ "concurrency-schedule": "line", "concurrency-start": 3, "concurrency-end": 1, "concurrency-step": -1 });
        assert_eq!(levels(&value), [(0, 3), (1, 2), (2, 1)]);
        let value = json!({ "concurrency-schedule": "line", "concurrency-step": 1, "concurrency-max-duration": "2s" });
        assert_eq!(levels(&value), [(0, 1), (1, 2)]);
    }
}
