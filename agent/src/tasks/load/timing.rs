//! When requests are sent, from the words of an experiment to those of the load engine.

use iter8_core::task::load::{self, Rate};
use iter8_load::{Arrivals, Level, Limit, Schedule, Stage, WhenBusy};

/// What decides when requests are sent.
pub(crate) fn arrivals(arrivals: &load::Arrivals) -> Arrivals {
    match arrivals {
        load::Arrivals::Closed { .. } => Arrivals::Closed,
        load::Arrivals::Levels(levels) => {
            let level = |level: &load::Level| Level {
                at: level.at,
                concurrency: u32::try_from(level.concurrency).unwrap_or(u32::MAX),
            };
            Arrivals::Levels(levels.iter().map(level).collect())
        }
        load::Arrivals::Open { rate, seed, when_busy } => {
            let mean = schedule(rate);
            let schedule = match seed {
                None => mean,
                Some(seed) => Schedule::Poisson { mean: Box::new(mean), seed: *seed },
            };
            let when_busy = match when_busy {
                load::WhenBusy::Queue => WhenBusy::Queue,
                load::WhenBusy::Drop => WhenBusy::Drop,
            };
            Arrivals::Open { schedule, when_busy }
        }
    }
}

/// When a load ends.
pub(crate) const fn limit(limit: load::Limit) -> Limit {
    match limit {
        load::Limit::Requests(requests) => Limit::Requests(requests),
        load::Limit::Duration(duration) => Limit::Duration(duration),
    }
}

fn schedule(rate: &Rate) -> Schedule {
    match rate {
        Rate::Constant(rate) => Schedule::Constant { rate: *rate },
        Rate::Stages(stages) => {
            let stage = |stage: &load::Stage| Stage { from: stage.from, to: stage.to, over: stage.over };
            Schedule::Stages(stages.iter().map(stage).collect())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn everything_that_is_said_of_time_reaches_the_engine() {
        let stages = vec![load::Stage { from: 1.0, to: 2.0, over: Duration::from_secs(3) }];
        let wanted =
            load::Arrivals::Open { rate: Rate::Stages(stages), seed: Some(7), when_busy: load::WhenBusy::Drop };
        let mean = Box::new(Schedule::Stages(vec![Stage { from: 1.0, to: 2.0, over: Duration::from_secs(3) }]));
        let schedule = Schedule::Poisson { mean, seed: 7 };
        assert_eq!(arrivals(&wanted), Arrivals::Open { schedule, when_busy: WhenBusy::Drop });
        assert_eq!(arrivals(&load::Arrivals::Closed { concurrency: 3 }), Arrivals::Closed);
        assert_eq!(limit(load::Limit::Requests(5)), Limit::Requests(5));
    }
}
