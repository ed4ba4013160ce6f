//! How the rate of a load changes over time, as users write it and as stages that follow one another. When single requests
//! are sent is the load engine's business.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MAX_RATE;
use crate::duration::GoDuration;
use crate::scalar::Real;
use crate::schema::Problem;

/// How the rate changes; exactly one of the keys is given. After its end the last rate goes on, if the load does.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Schedule {
    /// Evenly from one rate to another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ramp: Option<Ramp>,
    /// From one rate to another in steps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<Steps>,
    /// One stage after another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stages: Option<Vec<StageInput>>,
}

/// A rate that changes evenly.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ramp {
    /// Requests a second at the start.
    pub from: Real,
    /// Requests a second at the end.
    pub to: Real,
    /// How long the change takes.
    pub over: GoDuration,
}

/// A rate that changes in steps, each as long as the others.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Steps {
    /// Requests a second in the first step.
    pub from: Real,
    /// Requests a second in the last step.
    pub to: Real,
    /// By how much a step differs from the one before.
    pub by: Real,
    /// How long each step lasts.
    pub every: GoDuration,
}

/// A stage of a schedule: a `rate`, or a rate that changes evenly `from` one `to` another.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StageInput {
    /// Requests a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Real>,
    /// Requests a second at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Real>,
    /// Requests a second at its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Real>,
    /// How long it lasts.
    pub over: GoDuration,
}

/// Requests a second over time.
#[derive(Clone, Debug, PartialEq)]
pub enum Rate {
    /// Always the same.
    Constant(f64),
    /// One stage after another, the last rate from then on.
    Stages(Vec<Stage>),
}

/// A part of a schedule, in which the rate changes evenly; or not at all.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stage {
    /// Requests a second at its start.
    pub from: f64,
    /// Requests a second at its end.
    pub to: f64,
    /// How long it lasts.
    pub over: Duration,
}

/// The most steps of a schedule.
const MAX_STEPS: f64 = 10_000.0;

impl Schedule {
    /// Its stages, in order.
    pub fn stages(&self) -> Vec<Stage> {
        let Self { ramp, step, stages } = self;
        let ramp = ramp.iter().map(|Ramp { from, to, over }| Stage { from: from.0, to: to.0, over: over.0 });
        let stages = stages.iter().flatten().map(|StageInput { rate, from, to, over }| {
            let end = |own: &Option<Real>| own.or(*rate).map_or(0.0, |rate| rate.0);
            Stage { from: end(from), to: end(to), over: over.0 }
        });
        ramp.chain(step.iter().flat_map(Steps::stages)).chain(stages).collect()
    }

    /// Everything that is wrong with it.
    pub fn validate(&self) -> Vec<Problem> {
        let Self { ramp, step, stages } = self;
        let said = usize::from(ramp.is_some()) + usize::from(step.is_some()) + usize::from(stages.is_some());
        if said != 1 {
            return vec![Problem::at("", "must have exactly one of ramp, step and stages")];
        }
        let mut problems = Vec::new();
        if let Some(Ramp { from, to, over }) = ramp {
            problems.extend(rate("ramp.from", *from).into_iter().chain(rate("ramp.to", *to)));
            problems.extend(length("ramp.over", *over));
        }
        if let Some(Steps { from, to, by, every }) = step {
            problems.extend(rate("step.from", *from).into_iter().chain(rate("step.to", *to)));
            problems.extend(length("step.every", *every));
            if by.0 <= 0.0 {
                problems.push(Problem::at("step.by", format!("must be above 0, got {}", by.0)));
            } else if (to.0 - from.0).abs() / by.0 > MAX_STEPS {
                let message = format!("makes more than {MAX_STEPS} steps of {} to {}: raise it", from.0, to.0);
                problems.push(Problem::at("step.by", message));
            }
        }
        for (index, StageInput { rate: one, from, to, over }) in stages.iter().flatten().enumerate() {
            let place = |key: &str| format!("stages[{index}]{}{key}", if key.is_empty() { "" } else { "." });
            if one.is_some() == (from.is_some() && to.is_some()) || from.is_some() != to.is_some() {
                problems.push(Problem::at(&place(""), "must have either rate, or both from and to"));
            }
            for (key, value) in [("rate", one), ("from", from), ("to", to)] {
                problems.extend(value.and_then(|value| rate(&place(key), value)));
            }
            problems.extend(length(&place("over"), *over));
        }
        let all = self.stages();
        if problems.is_empty() && all.iter().all(|stage| stage.from == 0.0 && stage.to == 0.0) {
            problems.push(Problem::at("", "must have a rate above 0 requests a second"));
        }
        problems
    }
}

impl Steps {
    fn stages(&self) -> Vec<Stage> {
        let (from, to, by) = (self.from.0, self.to.0, self.by.0.abs());
        let count = if by > 0.0 { ((to - from).abs() / by).min(MAX_STEPS) } else { 0.0 };
        let count = count.ceil() as u32;
        let rate =
            |number: u32| if number == count { to } else { from + (to - from).signum() * by * f64::from(number) };
        (0..=count).map(|number| Stage { from: rate(number), to: rate(number), over: self.every.0 }).collect()
    }
}

impl Rate {
    /// How long its stages last; nothing for a rate that is always the same.
    pub fn length(&self) -> Option<Duration> {
        match self {
            Self::Constant(_) => None,
            Self::Stages(stages) => {
                Some(stages.iter().fold(Duration::ZERO, |sum, stage| sum.saturating_add(stage.over)))
            }
        }
    }

    /// The rate in the end, in requests a second.
    pub fn last(&self) -> f64 {
        match self {
            Self::Constant(rate) => *rate,
            Self::Stages(stages) => stages.last().map_or(0.0, |stage| stage.to),
        }
    }

    /// How long it takes until so many requests are due, or a little longer: a stage that is begun counts in full.
    pub fn takes(&self, requests: f64) -> Duration {
        let at = |rate: f64, requests: f64| Duration::try_from_secs_f64(requests / rate).unwrap_or(Duration::MAX);
        let Self::Stages(stages) = self else { return at(self.last(), requests) };
        let (mut left, mut begun) = (requests, Duration::ZERO);
        for stage in stages {
            if left <= 0.0 {
                return begun;
            }
            left -= (stage.from + stage.to) / 2.0 * stage.over.as_secs_f64();
            begun = begun.saturating_add(stage.over);
        }
        if left > 0.0 { begun.saturating_add(at(self.last(), left)) } else { begun }
    }
}

fn rate(place: &str, rate: Real) -> Option<Problem> {
    let message = format!("must be from 0 to {MAX_RATE} requests a second, got {}", rate.0);
    (rate.0 < 0.0 || rate.0 > MAX_RATE).then(|| Problem::at(place, message))
}

fn length(place: &str, length: GoDuration) -> Option<Problem> {
    length.0.is_zero().then(|| Problem::at(place, "must be longer than 0s"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn schedule(value: Value) -> Schedule {
        serde_json::from_value(value).unwrap()
    }

    fn stages(value: Value) -> Vec<(f64, f64, u64)> {
        schedule(value).stages().iter().map(|stage| (stage.from, stage.to, stage.over.as_secs())).collect()
    }

    #[test]
    fn every_form_is_a_row_of_stages() {
        assert_eq!(stages(json!({ "ramp": { "from": 0, "to": "50", "over": "10s" } })), [(0.0, 50.0, 10)]);
        assert_eq!(
            stages(json!({ "step": { "from": 10, "to": 35, "by": 10, "every": "5s" } })),
            [(10.0, 10.0, 5), (20.0, 20.0, 5), (30.0, 30.0, 5), (35.0, 35.0, 5)]
        );
        assert_eq!(
            stages(json!({ "step": { "from": 20, "to": 10, "by": 10, "every": "5s" } })),
            [(20.0, 20.0, 5), (10.0, 10.0, 5)]
        );
        assert_eq!(
            stages(json!({ "stages": [{ "rate": 5, "over": "1s" }, { "from": 5, "to": 9, "over": "2s" }] })),
            [(5.0, 5.0, 1), (5.0, 9.0, 2)]
        );
    }

    #[test]
    fn a_schedule_that_means_nothing_is_named_with_its_place() {
        for (value, message) in [
            (json!({}), "must have exactly one of ramp, step and stages"),
            (
                json!({ "ramp": { "from": 1, "to": 2, "over": "1s" }, "stages": [] }),
                "must have exactly one of ramp, step and stages",
            ),
            (
                json!({ "ramp": { "from": -1, "to": 2, "over": "1s" } }),
                "`ramp.from` must be from 0 to 1000000 requests a second, got -1",
            ),
            (json!({ "ramp": { "from": 1, "to": 2, "over": "0" } }), "`ramp.over` must be longer than 0s"),
            (json!({ "step": { "from": 1, "to": 2, "by": 0, "every": "1s" } }), "`step.by` must be above 0, got 0"),
            (
                json!({ "step": { "from": 1, "to": 1e6, "by": 1, "every": "1s" } }),
                "`step.by` makes more than 10000 steps of 1 to 1000000: raise it",
            ),
            (json!({ "stages": [{ "over": "1s" }] }), "`stages[0]` must have either rate, or both from and to"),
            (
                json!({ "stages": [{ "rate": 1, "over": "1s" }, { "from": 1, "over": "1s" }] }),
                "`stages[1]` must have either rate, or both from and to",
            ),
            (json!({ "stages": [{ "rate": 0, "over": "1s" }] }), "must have a rate above 0 requests a second"),
            (json!({ "stages": [] }), "must have a rate above 0 requests a second"),
        ] {
            let said: Vec<String> = schedule(value.clone()).validate().iter().map(ToString::to_string).collect();
            assert_eq!(said, [message], "{value}");
        }
    }

    #[test]
    fn a_number_of_requests_takes_its_stages_and_then_the_last_rate() {
        let rate = Rate::Stages(schedule(json!({ "ramp": { "from": 10, "to": 30, "over": "10s" } })).stages());
        assert_eq!(rate.takes(150.0), Duration::from_secs(10));
        // 200 in the ramp, then 30 a second.
        assert_eq!(rate.takes(230.0), Duration::from_secs(11));
        assert_eq!(Rate::Constant(8.0).takes(100.0), Duration::from_millis(12_500));
    }
}
