//! The report as text, whole and in parts.

use iter8_core::metric::{Metric, Observation, Series};
use iter8_core::result::{Phase, Version};
use iter8_core::stats::Interval;
use iter8_core::{assess, legacy};
use proptest::prelude::*;

use super::*;

const PLAIN: Style = Style { width: 80, color: false };

fn measured(values: &[(&str, f64, Option<Interval>, u64)]) -> ExperimentResult {
    let mut result = ExperimentResult::pending("default", "default", 1, &["http", "assess"]);
    result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["http", "assess"]);
    result.versions.push(Version::default());
    for (name, value, interval, samples) in values {
        let mut series = Series::default();
        let (value, samples) = (Some(*value), Some(*samples));
        series.observe(Observation { loop_number: 1, value, interval: *interval, samples, ..Observation::default() });
        let unit = name.contains("latency").then(|| "ms".to_owned());
        result.metrics.insert((*name).to_owned(), Metric { unit, versions: vec![series], ..Metric::default() });
    }
    result.load.insert(
        "http".into(),
        LoadDetails {
            target: "http://httpbin.default/get".into(),
            offered: 200,
            started: 200,
            completed: 200,
            elapsed_seconds: 3.981,
            status_codes: [(200, 200)].into(),
            lag_p99_ms: Some(0.61),
            service_p99_ms: Some(4.2),
            ..LoadDetails::default()
        },
    );
    result
}

fn over(mut result: ExperimentResult, with: &str) -> ExperimentResult {
    let spec = format!("spec: [{{task: assess, with: {with}}}]");
    match iter8_core::Experiment::parse(&spec).unwrap().steps.remove(0).task {
        iter8_core::Task::Assess(inputs) => assess::record(&mut result, &inputs),
        other => panic!("not assess: {other:?}"),
    }
    result.steps.iter_mut().for_each(|step| step.status = StepStatus::Succeeded);
    result.phase = Phase::Succeeded;
    result.loops.completed = 1;
    result.ended = Some("2026-01-02T03:04:09.2Z".parse().unwrap());
    result
}

#[test]
fn a_good_run_fits_a_screen() {
    let values = [
        ("http/request-count", 200.0, None, 200),
        ("http/latency-p99", 6.1, Some(Interval { lower: Some(5.2), upper: None }), 200),
        ("http/latency-p99.9", 6.9, None, 200),
        ("http/latency-p50", 2.0, None, 200),
        ("http/latency-mean", 2.345, Some(Interval::new(2.2, 2.5)), 200),
        ("http/error-count", 0.0, None, 200),
    ];
    let result = over(measured(&values), "{SLOs: {upper: {http/latency-mean: 50, http/error-count: 0}}}");
    insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
    ✔ pass: all 2 objectives are satisfied

    Experiment summary
      Experiment  default, revision 1
      Phase       Succeeded, 2 of 2 done
      Started     2026-01-02 03:04:05 UTC, took 4.2 s

    Service level objectives
     Objective                   Value    95% interval  Samples  Verdict
     http/error-count <= 0             0             -      200  pass
     http/latency-mean <= 50 ms  2.35 ms    2.2 to 2.5      200  pass

    Latest observed values for metrics
     Metric              Value
     http/request-count      200
     http/error-count          0
     http/latency-mean   2.35 ms
     http/latency-p50       2 ms
     http/latency-p99     6.1 ms
     http/latency-p99.9   6.9 ms

    Load (http)
      Target        http://httpbin.default/get
      Requests      200 of 200 in 3.98 s (50.2/s)
      Status codes  200 × 200
      Service p99   4.2 ms once the target had the request
      Generator     p99 0.61 ms late by itself
    "#);
}

#[test]
fn small_differences_and_missing_metrics_can_be_seen() {
    let values = [("http/latency-mean", 50.0004, None, 200), ("http/error-rate", 0.004, None, 200)];
    let with = "{SLOs: {upper: {http/latency-mean: 50, http/error-rate: 0, http/latency-p97: 10}}}";
    insta::assert_snapshot!(draw(&over(measured(&values), with), &PLAIN), @r#"
    ✘ fail: 2 of 3 objectives: http/error-rate is 0.004, above the limit of 0

    Experiment summary
      Experiment  default, revision 1
      Phase       Succeeded, 2 of 2 done
      Started     2026-01-02 03:04:05 UTC, took 4.2 s

    Service level objectives
     Objective                   Value        95% interval  Samples  Verdict
     http/error-rate <= 0              0.004             -      200  fail
     http/latency-mean <= 50 ms   50.0004 ms             -      200  fail
     http/latency-p97 <= 10      unavailable             -        -  inconclusive
      fail: http/error-rate is 0.004, above the limit of 0
      fail: http/latency-mean is 50.0004 ms, above the limit of 50 ms
      inconclusive: http/latency-p97 was not measured

    Latest observed values for metrics
     Metric             Value
     http/error-rate    0.004
     http/latency-mean  50 ms

    Load (http)
      Target        http://httpbin.default/get
      Requests      200 of 200 in 3.98 s (50.2/s)
      Status codes  200 × 200
      Service p99   4.2 ms once the target had the request
      Generator     p99 0.61 ms late by itself
    "#);
}

#[test]
fn what_is_tested_is_named() {
    let mut result = measured(&[]);
    let tested =
        serde_json::json!({ "resource": "deployments.apps", "name": "web", "version": "2.0", "track": "canary" });
    result.trigger = Some(serde_json::from_value(tested).unwrap());
    let report = draw(&result, &Style { width: 80, color: false });
    let line = report.lines().find(|line| line.contains("Tested")).unwrap();
    assert!(line.ends_with("version 2.0 (track canary) of deployments.apps web"), "{report}");
}

#[test]
fn a_failed_task_is_the_first_thing_said() {
    let mut result = ExperimentResult::pending("checkout", "shop", 3, &["ready", "http"]);
    result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["ready", "http"]);
    result.phase = Phase::Failed;
    result.steps[0].status = StepStatus::Failed;
    result.steps[0].message = "not ready after 1m0s: deployment shop/httpbin has 0 of 1 replicas available".into();
    result.verdict = Some(Verdict::Inconclusive);
    result.verdict_reason = "step 1 (ready) failed before any objective was assessed".into();
    insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
    ? inconclusive: step 1 (ready) failed before any objective was assessed

    Experiment summary
      Experiment    checkout, revision 3
      Phase         Failed, 0 of 2 done
      Task failure  step 1 (ready): not ready after 1m0s: deployment shop/httpbin
                    has 0 of 1 replicas available
      Started       2026-01-02 03:04:05 UTC
    "#);
}

#[test]
fn a_load_says_what_came_before_it_and_how_calls_of_grpc_ended() {
    let details = LoadDetails {
        completed: 3,
        warmup_requests: 10,
        grpc_codes: [("OK".to_owned(), 2), ("NOT_FOUND".to_owned(), 1)].into(),
        messages_sent: 6,
        messages_received: 9,
        ..LoadDetails::default()
    };
    let rows = load_rows(&details);
    for row in [
        ("Warm-up", "10 requests before, 0 errors"),
        ("Status codes", "NOT_FOUND × 1, OK × 2"),
        ("Messages", "6 sent, 9 received"),
    ] {
        assert!(rows.contains(&(row.0, row.1.to_owned())), "{rows:?}");
    }
    for latency in ["grpc/latency/", "http/latency-"] {
        let mut names = ["p50", "max", "mean"].map(|what| format!("{latency}{what}"));
        names.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap());
        assert_eq!(names, ["mean", "max", "p50"].map(|what| format!("{latency}{what}")));
    }
}

#[test]
fn errors_of_a_load_are_told_with_their_first_message_and_without_control_characters() {
    let mut result = over(measured(&[("http/error-count", 20.0, None, 20)]), "{SLOs: {upper: {http/error-count: 0}}}");
    let details = result.load.get_mut("http").unwrap();
    details.status_codes = [(500, 20)].into();
    details.errors = vec![iter8_core::result::LoadError {
        kind: "status 500".into(),
        count: 20,
        first: vec!["\u{1b}[31mno database\nat line 1".into()],
    }];
    details.faults = vec![
        "the load generator itself sent late (p99 12.0ms, at most 5.0ms would do): give it more CPU or lower the rate"
            .into(),
    ];
    insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
    ✘ fail: http/error-count is 20, above the limit of 0

    Experiment summary
      Experiment  default, revision 1
      Phase       Succeeded, 2 of 2 done
      Started     2026-01-02 03:04:05 UTC, took 4.2 s

    Service level objectives
     Objective              Value  95% interval  Samples  Verdict
     http/error-count <= 0     20             -       20  fail
      fail: http/error-count is 20, above the limit of 0

    Latest observed values for metrics
     Metric            Value
     http/error-count     20

    Load (http)
      Target        http://httpbin.default/get
      Requests      200 of 200 in 3.98 s (50.2/s)
      Status codes  500 × 20
      Error         status 500 × 20 — [31mno database at line 1
      Service p99   4.2 ms once the target had the request
      Generator     p99 0.61 ms late by itself
      Not trusted   the load generator itself sent late (p99 12.0ms, at most 5.0ms
                    would do): give it more CPU or lower the rate
    "#);
}

#[test]
fn two_versions_stand_side_by_side() {
    let mut result = measured(&[("prom/latency", 12.0, None, 10)]);
    result.load.clear();
    result.versions =
        ["baseline", "candidate"].map(|track| Version { track: Some(track.into()), version: Some("v1".into()) }).into();
    let second = Series { latest: None, ..Series::default() };
    result.metrics.get_mut("prom/latency").unwrap().versions.push(second);
    insta::assert_snapshot!(draw(&over(result, "{SLOs: {upper: {prom/latency: 50}}}"), &PLAIN), @r#"
    ? inconclusive: 1 of 2 objectives: prom/latency was not measured for this
      version

    Experiment summary
      Experiment  default, revision 1
      Phase       Succeeded, 2 of 2 done
      Started     2026-01-02 03:04:05 UTC, took 4.2 s

    Service level objectives
     Objective      Version        Value        95% interval  Samples  Verdict
     prom/latency   baseline (v1)        12 ms             -       10  pass
     <= 50 ms
     prom/latency   candidate      unavailable             -        -  inconclusive
     <= 50 ms       (v1)
      inconclusive of candidate (v1): prom/latency was not measured for this version

    Latest observed values for metrics
     Metric        baseline (v1)  candidate (v1)
     prom/latency          12 ms     unavailable
    "#);
}

#[test]
fn a_metric_of_the_whole_app_stands_beside_those_of_its_versions() {
    let mut result = measured(&[("prom/latency", 12.0, None, 10), ("http/error-count", 0.0, None, 10)]);
    result.load.clear();
    result.versions = ["baseline", "candidate"].map(|v| Version { version: Some(v.into()), track: None }).into();
    let latency = &mut result.metrics.get_mut("prom/latency").unwrap().versions;
    latency.push(latency[0].clone());
    let drawn = draw(&over(result, "{SLOs: {upper: {prom/latency: 50, http/error-count: 0}}}"), &PLAIN);
    insta::assert_snapshot!(drawn.split_once("objectives\n").unwrap().1, @r"
     Objective              Version    Value  95% interval  Samples  Verdict
     http/error-count <= 0  all            0             -       10  pass
     prom/latency <= 50 ms  baseline   12 ms             -       10  pass
     prom/latency <= 50 ms  candidate  12 ms             -       10  pass

    Latest observed values for metrics
     Metric            baseline  candidate  all
     http/error-count         -          -    0
     prom/latency         12 ms      12 ms    -
    ");
}

#[test]
fn a_result_of_v013_is_drawn_too() {
    let text = "spec: [{task: http}]\nresult: {numCompletedTasks: 1, failure: false, insights: {numVersions: 1, nonHistMetricValues: [{http/latency-mean: [3.5]}], SLOs: {Upper: [{metric: http/latency-mean, limit: 2}]}, SLOsSatisfied: {Upper: [[false]]}}}";
    insta::assert_snapshot!(draw(&legacy::parse(text, "default", "").unwrap(), &PLAIN), @r#"
    ✘ fail: Iter8 v0.13 found the objective violated

    Experiment summary
      Experiment  default
      Phase       Succeeded, 1 of 1 done

    Service level objectives
     Objective               Value  95% interval  Samples  Verdict
     http/latency-mean <= 2    3.5             -        -  fail
      fail: Iter8 v0.13 found the objective violated

    Latest observed values for metrics
     Metric             Value
     http/latency-mean    3.5
    "#);
}

proptest! {
    #[test]
    fn no_line_is_wider_than_the_terminal(width in 60usize..200, message in "\\PC{0,300}") {
        let mut result = over(measured(&[("http/latency-mean", 1234.5678, Some(Interval::new(1.0, 2.0)), 200)]), "{SLOs: {upper: {http/latency-mean: 50}}}");
        result.notes = vec![message.clone()];
        result.steps[0].status = StepStatus::Failed;
        result.steps[0].message = message;
        let report = draw(&result, &Style { width, color: false });
        for line in report.lines() {
            prop_assert!(line.chars().count() <= width, "{line:?}");
        }
        let escapes = report.chars().filter(|c| *c == '\x1b').count();
        prop_assert_eq!(escapes, 0);
    }

    #[test]
    fn wrapping_loses_no_word(text in "[a-z]{1,30}( [a-z]{1,30}){0,20}", width in 20usize..100) {
        let words = |text: &str| text.split_whitespace().collect::<String>();
        prop_assert_eq!(words(&wrapped(&text, width, 4)), words(&text));
    }
}
