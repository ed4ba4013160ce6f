//! Tests of the judge.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::metric::{MetricKind, Series};
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
    let metric = Metric { kind: MetricKind::Gauge, unit, description: String::new(), versions: vec![series] };
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
    assert_eq!((verdict, reason.as_str()), (Verdict::Inconclusive, "http/latency-p99 needs 100 samples and has 99"));
    assert_eq!(judged("http/latency-p99", Observation { samples: Some(100), ..value(1.0) }, &with).0, Verdict::Pass);
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
