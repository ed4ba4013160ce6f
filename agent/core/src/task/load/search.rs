//! The search for the highest rate that still meets objectives: what users set, which rate is tried next, and what was
//! found. Pure; sending and judging a probe is the agent's business.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MAX_RATE, MAX_RATE_METRIC, rate_problem};
use crate::assess::significant;
use crate::duration::GoDuration;
use crate::metric::MetricName;
use crate::scalar::Real;
use crate::schema::Problem;
use crate::stats::Interval;
use crate::task::assess::{Assess, Slos};

/// Looks for the highest rate that still meets the objectives, in place of a load at a given rate.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Search {
    /// The rate that is tried first, in requests a second; 10 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Real>,
    /// The highest rate that is tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Real>,
    /// How far the lowest rate that failed may lie above the highest that passed in the end, as a part of it; 0.05 by
    /// default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub precision: Option<Real>,
    /// How long a rate is tried at least, 5s by default; longer when a percentile needs more samples.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe_duration: Option<GoDuration>,
    /// How long the search may take, 5m by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<GoDuration>,
    /// The objectives; those of the first assess step that this task measures when not given.
    #[serde(default, rename = "SLOs", skip_serializing_if = "Option::is_none")]
    pub slos: Option<Slos>,
}

/// A rate that was tried.
#[derive(Clone, Debug, PartialEq)]
pub struct Probe {
    /// Requests a second.
    pub rate: f64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a rate.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// It met all objectives.
    Passed,
    /// It broke one; why.
    Failed(String),
    /// Nobody can tell; why.
    Unclear(String),
    /// The load generator was in trouble itself, so that it says nothing of the target; why.
    Limited(String),
}

/// What a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The highest rate that met the objectives, in requests a second; 0 if none did.
    pub rate: f64,
    /// From there to the lowest rate that failed.
    pub interval: Interval,
    /// Why it is not higher, in a sentence.
    pub reason: String,
    /// Why it is not the target that this is the limit of, if so.
    pub fault: Option<String>,
}

const DEFAULT_FROM: f64 = 10.0;
const DEFAULT_PRECISION: f64 = 0.05;
const DEFAULT_PROBE: Duration = Duration::from_secs(5);
const DEFAULT_MAX: Duration = Duration::from_secs(300);
/// Below this part of the first rate nothing is tried.
const LEAST_PART: f64 = 1.0 / 1024.0;

impl Search {
    /// The rate that is tried first, in requests a second.
    pub fn first_rate(&self) -> f64 {
        self.from.map_or(DEFAULT_FROM, |rate| rate.0)
    }

    fn to(&self) -> f64 {
        self.to.map_or(MAX_RATE, |rate| rate.0)
    }

    /// How long a rate is tried at least.
    pub fn probe_duration(&self) -> Duration {
        self.probe_duration.map_or(DEFAULT_PROBE, |duration| duration.0)
    }

    /// How long the search may take.
    pub fn max_duration(&self) -> Duration {
        self.max_duration.map_or(DEFAULT_MAX, |duration| duration.0)
    }

    /// How long it takes at most when nothing is late and an answer may take `timeout`.
    pub fn expected_duration(&self, timeout: Duration) -> Duration {
        self.max_duration().saturating_add(self.probe_duration()).saturating_add(timeout)
    }

    /// The rate to try after these: twice as much while all pass, then the geometric mean of the highest that passed and the
    /// lowest that did not. None when the two lie as near to each other as they should, or there is nowhere to go.
    pub fn next(&self, probes: &[Probe]) -> Option<f64> {
        let precision = self.precision.map_or(DEFAULT_PRECISION, |precision| precision.0);
        match (passed(probes), not_passed(probes)) {
            (None, None) => Some(self.first_rate().min(self.to())),
            (Some(low), None) => (low < self.to()).then(|| (low * 2.0).min(self.to())),
            (None, Some(high)) => (high.rate > self.first_rate() * LEAST_PART).then_some(high.rate / 2.0),
            (Some(low), Some(high)) => (high.rate - low > low * precision).then(|| (low * high.rate).sqrt()),
        }
    }

    /// What these probes say. `is_out_of_time` tells that more would have been tried.
    pub fn found(&self, probes: &[Probe], is_out_of_time: bool) -> Found {
        let rate = passed(probes).unwrap_or(0.0);
        let failed = probes.iter().filter(|probe| matches!(probe.outcome, Outcome::Failed(_)));
        let upper = failed.map(|probe| probe.rate).min_by(f64::total_cmp);
        let shown = |rate: f64| format!("{}/s", significant(rate, 4));
        let mut fault = None;
        let mut reason = match not_passed(probes) {
            None => format!("no higher rate than {} was tried", shown(rate)),
            Some(Probe { rate, outcome }) => match outcome {
                Outcome::Limited(why) => {
                    let text = format!("the load generator, not the target, was the limit at {}: {why}", shown(*rate));
                    fault = Some(text.clone());
                    text
                }
                Outcome::Failed(why) => format!("at {} {why}", shown(*rate)),
                Outcome::Unclear(why) => format!("at {} nothing can be said: {why}", shown(*rate)),
                Outcome::Passed => String::new(),
            },
        };
        if is_out_of_time {
            reason += "; the search ended because its time was up";
        }
        Found { rate, interval: Interval { lower: Some(rate), upper }, reason, fault }
    }

    /// What is wrong with it in a task whose metrics have this provider. `keys_of_load` are the keys of the task that say at
    /// which rate or for how long it sends.
    pub(crate) fn problems(&self, provider: &str, has_endpoints: bool, keys_of_load: &[&str]) -> Vec<Problem> {
        let mut problems = self.validate();
        let slos = Assess { slos: self.slos.clone(), ..Assess::default() };
        problems.extend(slos.validate());
        let others = self.slos.iter().flat_map(|slos| slos.upper.keys().chain(slos.lower.keys())).filter(|name| {
            let name = name.parse::<MetricName>();
            name.is_ok_and(|name| name.provider != provider || name.name == MAX_RATE_METRIC)
        });
        problems.extend(
            others.map(|name| {
                Problem::at("SLOs", format!("has `{name}`, which a load at a given rate does not measure"))
            }),
        );
        let mut problems: Vec<Problem> = problems.into_iter().map(|problem| problem.under("search")).collect();
        if has_endpoints {
            problems.push(Problem::at("search", "tries one target, and there are endpoints: search them one by one"));
        }
        problems.extend(keys_of_load.iter().map(|key| {
            Problem::at("search", format!("contradicts {key}: it tries rates by itself, each for a while"))
        }));
        problems
    }

    /// What is wrong with it, beside the names of its objectives.
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, rate) in [("from", self.from), ("to", self.to)] {
            problems.extend(rate.and_then(|rate| rate_problem(rate.0)).map(|message| Problem::at(key, message)));
        }
        if self.to() < self.first_rate() {
            let message = format!("is {}, which is below from, {}", self.to(), self.first_rate());
            problems.push(Problem::at("to", message));
        }
        if let Some(precision) = self.precision.filter(|precision| precision.0 < 0.001 || precision.0 > 1.0) {
            problems.push(Problem::at("precision", format!("must be from 0.001 to 1, got {}", precision.0)));
        }
        for (key, duration) in [("probeDuration", self.probe_duration), ("maxDuration", self.max_duration)] {
            if duration.is_some_and(|duration| duration.0.is_zero()) {
                problems.push(Problem::at(key, "must be longer than 0s"));
            }
        }
        if self.max_duration() < self.probe_duration() {
            let message = format!(
                "is {}, which is shorter than probeDuration, {}",
                GoDuration(self.max_duration()),
                GoDuration(self.probe_duration())
            );
            problems.push(Problem::at("maxDuration", message));
        }
        problems
    }
}

/// The highest rate that passed.
fn passed(probes: &[Probe]) -> Option<f64> {
    probes.iter().filter(|probe| probe.outcome == Outcome::Passed).map(|probe| probe.rate).max_by(f64::total_cmp)
}

/// The lowest rate that did not pass.
fn not_passed(probes: &[Probe]) -> Option<&Probe> {
    let failed = probes.iter().filter(|probe| probe.outcome != Outcome::Passed);
    failed.min_by(|a, b| a.rate.total_cmp(&b.rate))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn search(value: serde_json::Value) -> Search {
        serde_json::from_value(value).unwrap()
    }

    /// Tries rates on `target` until the search ends.
    fn run(search: &Search, target: impl Fn(f64) -> Outcome) -> Vec<Probe> {
        let mut probes = Vec::new();
        while let Some(rate) = search.next(&probes) {
            probes.push(Probe { rate, outcome: target(rate) });
            assert!(probes.len() < 100, "{probes:?}");
        }
        probes
    }

    fn of_capacity(capacity: f64) -> impl Fn(f64) -> Outcome {
        move |rate| if rate <= capacity { Outcome::Passed } else { Outcome::Failed("it is slow".into()) }
    }

    #[test]
    fn it_doubles_and_then_halves_the_distance() {
        let probes = run(&search(json!({ "precision": 0.3 })), of_capacity(50.0));
        let rates: Vec<f64> = probes.iter().map(|probe| probe.rate.round()).collect();
        assert_eq!(rates, [10.0, 20.0, 40.0, 80.0, 57.0, 48.0]);
        let found = search(json!({})).found(&probes, false);
        assert_eq!((found.rate.round(), found.fault), (48.0, None));
        assert_eq!(found.reason, "at 56.57/s it is slow");
    }

    #[test]
    fn what_never_fails_ends_at_the_highest_rate_and_what_never_passes_at_nothing() {
        let settings = search(json!({ "to": 35 }));
        let probes = run(&settings, of_capacity(1e9));
        let found = settings.found(&probes, false);
        assert_eq!((found.rate, found.interval.upper), (35.0, None));
        assert_eq!(found.reason, "no higher rate than 35/s was tried");
        let probes = run(&settings, of_capacity(0.0));
        let found = settings.found(&probes, false);
        assert_eq!((found.rate, found.interval.lower), (0.0, Some(0.0)));
        assert!(found.interval.upper.is_some_and(|upper| upper <= 0.01));
    }

    #[test]
    fn a_generator_in_trouble_is_not_the_targets_failure() {
        let settings = search(json!({}));
        let limited = |rate: f64| if rate < 300.0 { Outcome::Passed } else { Outcome::Limited("it sent late".into()) };
        let found = settings.found(&run(&settings, limited), false);
        assert!((285.0..300.0).contains(&found.rate), "{found:?}");
        assert_eq!(found.interval.upper, None);
        assert!(found.fault.is_some_and(|fault| fault.contains("not the target, was the limit at 30")));
        // The target's own limit, found below that of the generator.
        let both = |rate: f64| if rate > 300.0 { Outcome::Limited("late".into()) } else { of_capacity(200.0)(rate) };
        let found = settings.found(&run(&settings, both), false);
        assert!(found.fault.is_none() && found.interval.upper.is_some_and(|upper| upper > 200.0), "{found:?}");
    }

    #[test]
    fn settings_that_mean_nothing_are_named() {
        for (value, message) in [
            (json!({ "from": 0 }), "`from` must be above 0 and at most 1000000 requests a second, got 0"),
            (json!({ "from": 50, "to": 5 }), "`to` is 5, which is below from, 50"),
            (json!({ "precision": 0 }), "`precision` must be from 0.001 to 1, got 0"),
            (json!({ "maxDuration": "2s" }), "`maxDuration` is 2s, which is shorter than probeDuration, 5s"),
        ] {
            let said: Vec<String> = search(value.clone()).validate().iter().map(ToString::to_string).collect();
            assert_eq!(said, [message], "{value}");
        }
    }

    proptest! {
        #[test]
        fn the_interval_holds_the_capacity(capacity in 0.05f64..5e5, from in 0.1f64..1e4, precision in 0.001f64..0.5) {
            let settings = search(json!({ "from": from, "precision": precision }));
            prop_assume!(capacity > from * LEAST_PART);
            let probes = run(&settings, of_capacity(capacity));
            let Found { rate, interval, .. } = settings.found(&probes, false);
            let upper = interval.upper.expect("something failed");
            prop_assert!(rate <= capacity && capacity < upper, "{rate} {capacity} {upper}");
            prop_assert!(upper - rate <= rate * precision * (1.0 + 1e-9));
            prop_assert!(probes.len() <= 50, "{}", probes.len());
        }
    }
}
