//! The judge: measured metrics and objectives in, a verdict with its reason for each out. Pure; it neither measures
//! nor stores.
//!
//! A verdict is never better than its evidence. A metric that is missing, rests on too few samples or was measured by
//! a generator that was itself in trouble does not pass; an experiment without objectives does not pass either.

use std::collections::BTreeMap;

use crate::metric::{Metric, MetricName, Observation};
use crate::result::ExperimentResult;
use crate::slo::{Bound, SloResult};
use crate::stats::{Interval, samples_needed};
use crate::task::assess::{Assess, NoData};
use crate::verdict::Verdict;

/// Judges every objective for every version, objectives in the order upper then lower, names ascending.
pub fn assess(metrics: &BTreeMap<String, Metric>, versions: usize, inputs: &Assess) -> Vec<SloResult> {
    let judge = Judge { no_data: inputs.no_data, by_interval: inputs.confidence.is_some() };
    let limits = inputs.slos.iter().flat_map(|slos| {
        let upper = slos.upper.iter().map(|(metric, limit)| (Bound::Upper, metric, limit));
        upper.chain(slos.lower.iter().map(|(metric, limit)| (Bound::Lower, metric, limit)))
    });
    limits
        .flat_map(|(bound, name, limit)| {
            let name = name.parse::<MetricName>().map_or_else(|_| name.clone(), |name| name.to_string());
            (0..versions.max(1)).map(move |version| (bound, name.clone(), limit.0, version))
        })
        .map(|(bound, name, limit, version)| judge.judge(metrics, bound, name, limit, version))
        .collect()
}

/// The verdict of the whole experiment with its reason: the worst of its objectives.
pub fn overall(slos: &[SloResult]) -> (Verdict, String) {
    let Some(worst) = slos.iter().map(|slo| slo.verdict).max() else {
        return (Verdict::Inconclusive, "no objective was assessed".to_owned());
    };
    let count = slos.iter().filter(|slo| slo.verdict == worst).count();
    let first = slos.iter().find(|slo| slo.verdict == worst).map(|slo| slo.reason.clone()).unwrap_or_default();
    let reason = match (worst, count, slos.len()) {
        (Verdict::Pass, 1, _) => "the objective is satisfied".to_owned(),
        (Verdict::Pass, n, _) => format!("all {n} objectives are satisfied"),
        (_, 1, 1) => first,
        (_, n, total) => format!("{n} of {total} objectives: {first}"),
    };
    (worst, reason)
}

/// Judges `result` as it stands and records objectives, verdict and reason in it.
pub fn record(result: &mut ExperimentResult, inputs: &Assess) {
    result.slos = assess(&result.metrics, result.versions.len(), inputs);
    (result.verdict, result.verdict_reason) = {
        let (verdict, reason) = overall(&result.slos);
        (Some(verdict), reason)
    };
}

struct Judge {
    no_data: NoData,
    by_interval: bool,
}

impl Judge {
    fn judge(
        &self,
        metrics: &BTreeMap<String, Metric>,
        bound: Bound,
        metric: String,
        limit: f64,
        version: usize,
    ) -> SloResult {
        let known = metrics.get(&metric);
        let latest = known.and_then(|known| known.versions.get(version)).and_then(|series| series.latest.as_ref());
        let unit = known.and_then(|known| known.unit.clone());
        let (verdict, reason) = match latest {
            None => self.without_data(match known {
                None => format!("{metric} was not measured"),
                Some(_) => format!("{metric} was not measured for this version"),
            }),
            Some(observation) => self.weigh(&metric, unit.as_deref(), bound, limit, observation),
        };
        SloResult {
            metric,
            bound,
            limit,
            version,
            verdict,
            reason,
            value: latest.and_then(|latest| latest.value),
            unit,
            interval: latest.and_then(|latest| latest.interval),
            samples: latest.and_then(|latest| latest.samples),
            source: latest.and_then(|latest| latest.source.clone()),
        }
    }

    fn without_data(&self, reason: String) -> (Verdict, String) {
        match self.no_data {
            NoData::Inconclusive => (Verdict::Inconclusive, reason),
            NoData::Fail => (Verdict::Fail, format!("{reason}, and assess.noData says fail")),
        }
    }

    fn weigh(
        &self,
        metric: &str,
        unit: Option<&str>,
        bound: Bound,
        limit: f64,
        observation: &Observation,
    ) -> (Verdict, String) {
        let Some(value) = observation.value.filter(|value| value.is_finite()) else {
            let why = observation.source.as_deref().map(|why| format!(": {why}")).unwrap_or_default();
            return self.without_data(format!("{metric} has no value{why}"));
        };
        if let Some(fault) = observation.faults.first() {
            return (Verdict::Invalid, format!("{metric} is not to be trusted: {fault}"));
        }
        let percentile = metric.parse::<MetricName>().ok().and_then(|name| name.percentile());
        let needed = percentile.map_or(1, |percentile| samples_needed(percentile / 100.0));
        if let Some(samples) = observation.samples.filter(|samples| *samples < needed) {
            let reason = format!("{metric} needs {needed} samples and has {samples}");
            return self.without_data(reason);
        }
        let unit = unit.map(|unit| format!(" {unit}")).unwrap_or_default();
        let shown = |number: f64| format!("{}{unit}", distinct(number, limit));
        if self.by_interval {
            let Some(interval) = observation.interval else {
                return self.without_data(format!("{metric} has no interval to compare with the limit"));
            };
            let text = format!("{} to {}", end(interval.lower, &shown), end(interval.upper, &shown));
            return match side(interval, bound, limit) {
                Side::Good => {
                    (Verdict::Pass, format!("{metric} lies within {text}, all of it {bound} {}", shown(limit)))
                }
                Side::Bad => {
                    (Verdict::Fail, format!("{metric} lies within {text}, none of it {bound} {}", shown(limit)))
                }
                Side::Both => {
                    let reason =
                        format!("{metric} lies within {text}, on both sides of {}: measure more", shown(limit));
                    (Verdict::Inconclusive, reason)
                }
            };
        }
        match violation(value, bound, limit) {
            None => (Verdict::Pass, format!("{metric} is {}, {bound} {}", shown(value), shown(limit))),
            Some(relation) => (Verdict::Fail, format!("{metric} is {}, {relation} {}", shown(value), shown(limit))),
        }
    }
}

/// How a value breaks a limit; equality keeps it.
fn violation(value: f64, bound: Bound, limit: f64) -> Option<&'static str> {
    match bound {
        Bound::Upper => (value > limit).then_some("above the limit of"),
        Bound::Lower => (value < limit).then_some("below the limit of"),
    }
}

enum Side {
    Good,
    Bad,
    Both,
}

/// On which side of the limit an interval lies; a missing end is unbounded.
fn side(interval: Interval, bound: Bound, limit: f64) -> Side {
    let lower = interval.lower.unwrap_or(f64::NEG_INFINITY);
    let upper = interval.upper.unwrap_or(f64::INFINITY);
    let (all_good, none_good) = match bound {
        Bound::Upper => (upper <= limit, lower > limit),
        Bound::Lower => (lower >= limit, upper < limit),
    };
    match (all_good, none_good) {
        (true, _) => Side::Good,
        (false, true) => Side::Bad,
        (false, false) => Side::Both,
    }
}

fn end(end: Option<f64>, shown: &impl Fn(f64) -> String) -> String {
    end.map_or_else(|| "unbounded".to_owned(), shown)
}

/// `value` with three significant digits, or as many more as it takes to differ from `limit` if it does differ:
/// a mean of 50.004 beside a limit of 50 must not read as 50.
pub fn distinct(value: f64, limit: f64) -> String {
    for digits in 3..=17 {
        let text = significant(value, digits);
        if value == limit || text.parse::<f64>() != Ok(limit) {
            return text;
        }
    }
    value.to_string()
}

/// `value` rounded to `digits` significant digits, as a plain decimal without trailing zeros. Integers below 10^15
/// keep all their digits.
pub fn significant(value: f64, digits: usize) -> String {
    if value == 0.0 || !value.is_finite() || (value.fract() == 0.0 && value.abs() < 1e15) {
        return format!("{value}");
    }
    let magnitude = value.abs().log10().floor() as i32;
    let decimals = (digits as i32 - 1 - magnitude).clamp(0, 17) as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests;
