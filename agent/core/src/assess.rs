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

/// Judges every objective, for every version when its metric tells versions apart; objectives in the order upper then
/// lower, names ascending.
pub fn assess(metrics: &BTreeMap<String, Metric>, versions: usize, inputs: &Assess) -> Vec<SloResult> {
    judge_all(metrics, versions, inputs, None)
}

/// As [`assess`]; what was observed before the loop `present` is no evidence.
fn judge_all(
    metrics: &BTreeMap<String, Metric>,
    versions: usize,
    inputs: &Assess,
    present: Option<u32>,
) -> Vec<SloResult> {
    let judge = Judge { no_data: inputs.no_data, by_interval: inputs.confidence.is_some(), present };
    let limits = inputs.slos.iter().flat_map(|slos| {
        let upper = slos.upper.iter().map(|(metric, limit)| (Bound::Upper, metric, limit));
        upper.chain(slos.lower.iter().map(|(metric, limit)| (Bound::Lower, metric, limit)))
    });
    limits
        .flat_map(|(bound, name, limit)| {
            let name = name.parse::<MetricName>().map_or_else(|_| name.clone(), |name| name.to_string());
            let apart = metrics.get(&name).is_none_or(Metric::is_per_version);
            let judged: Vec<Option<usize>> = match versions {
                0 | 1 => vec![Some(0)],
                _ if apart => (0..versions).map(Some).collect(),
                _ => vec![None],
            };
            judged.into_iter().map(move |version| (bound, name.clone(), limit.0, version))
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
    result.slos = judge_all(&result.metrics, result.versions.len(), inputs, Some(result.loops.started));
    (result.verdict, result.verdict_reason) = {
        let (verdict, reason) = overall(&result.slos);
        (Some(verdict), reason)
    };
}

struct Judge {
    no_data: NoData,
    by_interval: bool,
    /// The loop whose observations count; None when all do.
    present: Option<u32>,
}

impl Judge {
    fn judge(
        &self,
        metrics: &BTreeMap<String, Metric>,
        bound: Bound,
        metric: String,
        limit: f64,
        version: Option<usize>,
    ) -> SloResult {
        let known = metrics.get(&metric);
        let series = known.and_then(|known| known.versions.get(version.unwrap_or(0)));
        let last = series.and_then(|series| series.latest.as_ref());
        let latest = last.filter(|last| self.present.is_none_or(|present| last.loop_number == present));
        let unit = known.and_then(|known| known.unit.clone());
        let (verdict, reason) = match latest {
            None => self.without_data(match known {
                None => format!("{metric} was not measured"),
                Some(_) if last.is_some() => format!("{metric} was not measured in this loop"),
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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::metric::Series;
    use crate::task::Task;

    fn inputs(with: &serde_json::Value) -> Assess {
        match Task::parse("assess", with) {
            Some(Ok(Task::Assess(assess))) => assess,
            other => panic!("not assess: {other:?}"),
        }
    }

    fn measured(name: &str, observation: Observation) -> BTreeMap<String, Metric> {
        let mut series = Series::default();
        series.observe(observation);
        let unit = name.contains("latency").then(|| "ms".to_owned());
        let metric = Metric { unit, versions: vec![series], ..Metric::default() };
        BTreeMap::from([(name.to_owned(), metric)])
    }

    fn value(value: f64) -> Observation {
        Observation { loop_number: 1, value: Some(value), samples: Some(1_000), ..Observation::default() }
    }

    fn judged(metric: &str, observation: Observation, with: &serde_json::Value) -> (Verdict, String) {
        let slos = assess(&measured(metric, observation), 1, &inputs(with));
        assert_eq!(slos.len(), 1);
        (slos[0].verdict, slos[0].reason.clone())
    }

    #[test]
    fn equality_satisfies_both_bounds() {
        let upper = json!({ "SLOs": { "upper": { "http/error-count": 3 } } });
        let lower = json!({ "SLOs": { "lower": { "http/error-count": 3 } } });
        assert_eq!(judged("http/error-count", value(3.0), &upper).0, Verdict::Pass);
        assert_eq!(judged("http/error-count", value(3.0), &lower).0, Verdict::Pass);
        assert_eq!(judged("http/error-count", value(4.0), &upper).0, Verdict::Fail);
        assert_eq!(judged("http/error-count", value(2.0), &lower).0, Verdict::Fail);
    }

    #[test]
    fn the_reason_shows_enough_digits_to_see_the_difference() {
        let with = json!({ "SLOs": { "upper": { "http/latency-mean": 50 } } });
        let (verdict, reason) = judged("http/latency-mean", value(50.000_4), &with);
        assert_eq!(
            (verdict, reason.as_str()),
            (Verdict::Fail, "http/latency-mean is 50.0004 ms, above the limit of 50 ms")
        );
        let with = json!({ "SLOs": { "upper": { "http/error-rate": 0 } } });
        let (_, reason) = judged("http/error-rate", value(0.004), &with);
        assert_eq!(reason, "http/error-rate is 0.004, above the limit of 0");
    }

    #[test]
    fn a_missing_metric_never_passes() {
        let with = json!({ "SLOs": { "upper": { "http/latency-p97": 50 } } });
        let (verdict, reason) = judged("http/error-count", value(0.0), &with);
        assert_eq!((verdict, reason.as_str()), (Verdict::Inconclusive, "http/latency-p97 was not measured"));
        let with = json!({ "noData": "fail", "SLOs": { "upper": { "http/latency-p97": 50 } } });
        assert_eq!(judged("http/error-count", value(0.0), &with).0, Verdict::Fail);
    }

    #[test]
    fn a_metric_without_a_finite_value_never_passes() {
        let with = json!({ "SLOs": { "upper": { "prom/x": 50 }, "lower": { "prom/x": -50 } } });
        for bad in [None, Some(f64::NAN), Some(f64::INFINITY)] {
            let metrics = measured("prom/x", Observation { loop_number: 1, value: bad, ..Observation::default() });
            for slo in assess(&metrics, 1, &inputs(&with)) {
                assert_eq!(slo.verdict, Verdict::Inconclusive, "{bad:?}");
            }
        }
    }

    #[test]
    fn a_percentile_needs_its_samples() {
        let with = json!({ "SLOs": { "upper": { "http/latency-p99": 50 } } });
        let few = Observation { samples: Some(99), ..value(1.0) };
        let (verdict, reason) = judged("http/latency-p99", few, &with);
        assert_eq!(
            (verdict, reason.as_str()),
            (Verdict::Inconclusive, "http/latency-p99 needs 100 samples and has 99")
        );
        assert_eq!(
            judged("http/latency-p99", Observation { samples: Some(100), ..value(1.0) }, &with).0,
            Verdict::Pass
        );
    }

    #[test]
    fn a_metric_that_does_not_tell_versions_apart_is_judged_once() {
        let with = json!({ "SLOs": { "upper": { "http/latency-mean": 50, "prom/latency": 50 } } });
        let mut metrics = measured("http/latency-mean", value(1.0));
        let mut apart = measured("prom/latency", value(1.0)).remove("prom/latency").unwrap();
        apart.versions.push(Series::default());
        metrics.insert("prom/latency".into(), apart);
        let slos = assess(&metrics, 2, &inputs(&with));
        let judged: Vec<_> = slos.iter().map(|slo| (slo.metric.as_str(), slo.version, slo.verdict)).collect();
        assert_eq!(
            judged,
            [
                ("http/latency-mean", None, Verdict::Pass),
                ("prom/latency", Some(0), Verdict::Pass),
                ("prom/latency", Some(1), Verdict::Inconclusive),
            ]
        );
    }

    #[test]
    fn what_an_earlier_loop_observed_is_no_evidence() {
        let with = inputs(&json!({ "SLOs": { "upper": { "http/latency-mean": 50 } } }));
        let mut result = ExperimentResult::pending("default", "", 1, &["http", "assess"]);
        result.metrics = measured("http/latency-mean", value(1.0));
        result.loops.started = 1;
        record(&mut result, &with);
        assert_eq!(result.verdict, Some(Verdict::Pass));
        result.loops.started = 2;
        record(&mut result, &with);
        assert_eq!(result.verdict, Some(Verdict::Inconclusive));
        assert_eq!(result.slos[0].reason, "http/latency-mean was not measured in this loop");
        assert_eq!(result.slos[0].value, None);
    }

    #[test]
    fn a_fault_of_the_generator_makes_it_invalid_whatever_the_value() {
        let with = json!({ "SLOs": { "upper": { "http/latency-mean": 50 } } });
        for number in [1.0, 99.0] {
            let faulty = Observation { faults: vec!["the generator was throttled".into()], ..value(number) };
            let (verdict, reason) = judged("http/latency-mean", faulty, &with);
            assert_eq!(verdict, Verdict::Invalid);
            assert!(reason.contains("throttled"));
        }
    }

    #[test]
    fn with_a_confidence_the_interval_decides() {
        let with = json!({ "confidence": 0.95, "SLOs": { "upper": { "http/latency-mean": 50 } } });
        for (lower, upper, verdict) in [
            (Some(40.0), Some(50.0), Verdict::Pass),
            (Some(40.0), Some(50.1), Verdict::Inconclusive),
            (Some(50.1), Some(60.0), Verdict::Fail),
            (Some(50.1), None, Verdict::Fail),
            (Some(40.0), None, Verdict::Inconclusive),
        ] {
            let observation = Observation { interval: Some(Interval { lower, upper }), ..value(45.0) };
            assert_eq!(judged("http/latency-mean", observation, &with).0, verdict, "{lower:?}..{upper:?}");
        }
        assert_eq!(judged("http/latency-mean", value(45.0), &with).0, Verdict::Inconclusive);
    }

    #[test]
    fn every_version_is_judged() {
        let with = json!({ "SLOs": { "upper": { "http/latency-mean": 50 } } });
        let mut metrics = measured("http/latency-mean", value(40.0));
        let mut second = Series::default();
        second.observe(value(60.0));
        metrics.get_mut("http/latency-mean").unwrap().versions.push(second);
        let slos = assess(&metrics, 3, &inputs(&with));
        let verdicts: Vec<Verdict> = slos.iter().map(|slo| slo.verdict).collect();
        assert_eq!(verdicts, [Verdict::Pass, Verdict::Fail, Verdict::Inconclusive]);
        assert_eq!(overall(&slos).0, Verdict::Fail);
    }

    #[test]
    fn names_of_percentiles_are_normalised_before_they_are_looked_up() {
        let with = json!({ "SLOs": { "upper": { "http/latency-p95.0": 50 } } });
        assert_eq!(judged("http/latency-p95", value(40.0), &with).0, Verdict::Pass);
    }

    #[test]
    fn no_objective_is_no_pass() {
        assert_eq!(overall(&[]).0, Verdict::Inconclusive);
        let mut result = ExperimentResult::pending("g", "n", 1, &["assess"]);
        record(&mut result, &inputs(&json!({})));
        assert_eq!(result.verdict, Some(Verdict::Inconclusive));
        assert_eq!(result.verdict_reason, "no objective was assessed");
    }

    #[test]
    fn numbers_are_shown_short_and_plain() {
        for (number, text) in [
            (12.345, "12.3"),
            (0.004_21, "0.00421"),
            (1234.5, "1234"),
            (200.0, "200"),
            (0.0, "0"),
            (1e6, "1000000"),
            (-2.0, "-2"),
        ] {
            assert_eq!(significant(number, 3), text);
        }
    }

    proptest! {
        #[test]
        fn a_value_never_reads_as_a_limit_that_it_breaks(value in -1e9f64..1e9, limit in -1e9f64..1e9) {
            prop_assume!(value != limit);
            prop_assert_ne!(distinct(value, limit).parse::<f64>().unwrap(), limit);
        }

        #[test]
        fn pass_and_fail_follow_the_comparison(number in -1e6f64..1e6, limit in -1e6f64..1e6) {
            let with = json!({ "SLOs": { "upper": { "x/y": limit }, "lower": { "x/y": limit } } });
            let slos = assess(&measured("x/y", value(number)), 1, &inputs(&with));
            prop_assert_eq!(slos[0].verdict, if number > limit { Verdict::Fail } else { Verdict::Pass });
            prop_assert_eq!(slos[1].verdict, if number < limit { Verdict::Fail } else { Verdict::Pass });
        }
    }
}
