//! Loads that are sent to versions of an app: what is measured of each version, over all its endpoints, and what is judged.

use iter8_core::result::Version;
use iter8_core::{ExperimentResult, Phase, Verdict};
use iter8_load::Histogram;
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment};

/// A step that sends load with these inputs. No machine is so busy that an answer takes too long.
fn http(with: &Value) -> Value {
    let mut all = json!({ "qps": 500, "numRequests": 10, "timeout": "30s" });
    all.as_object_mut().expect("is one").extend(with.as_object().expect("inputs are an object").clone());
    json!({ "task": "http", "with": all })
}

/// What was measured in the last loop, version by version.
fn values<const N: usize>(result: &ExperimentResult, metric: &str) -> [Option<f64>; N] {
    let series = |version: usize| result.metrics.get(metric)?.versions.get(version)?.latest.as_ref()?.value;
    std::array::from_fn(series)
}

/// The verdicts on a metric, version by version.
fn verdicts(result: &ExperimentResult, metric: &str) -> Vec<(Option<usize>, Verdict)> {
    result.slos.iter().filter(|slo| slo.metric == metric).map(|slo| (slo.version, slo.verdict)).collect()
}

fn version(track: &str, version: &str) -> Version {
    let part = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    Version { version: part(version), track: part(track) }
}

fn histogram(result: &ExperimentResult, load: &str) -> Histogram {
    Histogram::from_base64(&result.load[load].histogram).expect("is a histogram")
}

#[test]
fn of_two_versions_side_by_side_only_the_slow_one_with_errors_fails() {
    let (stage, old, new) = (Stage::new(), HttpTarget::start(Behaviour::OK), HttpTarget::start(Behaviour::status(500)));
    new.on("/late", Behaviour::Late(std::time::Duration::from_millis(400)));
    let with = json!({
        "numRequests": 40, "endpointsOrder": "sideBySide", "percentiles": [97],
        "endpoints": {
            "old-1": { "url": old.url("/a"), "track": "baseline", "version": "v1" },
            "old-2": { "url": old.url("/b"), "track": "baseline" },
            "new-1": { "url": new.url("/late"), "track": "candidate", "version": "v2", "connections": 20 },
            "new-2": { "url": new.url("/b"), "track": "candidate", "version": "v2", "percentiles": [33] },
        },
    });
    let limits = json!({
        "http/error-rate": 0.1, "http/latency-p91": 60_000, "http-old-1/error-rate": 0, "http/latency-max": 399,
    });
    // Of a machine that is busy the baseline may be slow too; then it is asked again.
    let result = (0..5)
        .map(|_| {
            stage.run(&experiment([http(&with), assess(&limits)])).code(code::SUCCEEDED);
            stage.result()
        })
        .find(|result| values::<2>(result, "http/latency-max")[1] < Some(399.0))
        .expect("one of five loads is not disturbed");
    // In the order of the endpoints' names.
    assert_eq!(result.versions, [version("candidate", "v2"), version("baseline", "v1")]);
    assert_eq!(values(&result, "http/request-count"), [Some(20.0), Some(20.0)]);
    assert_eq!(values(&result, "http/error-count"), [Some(10.0), Some(0.0)]);
    let (fail, pass, unclear) = (Verdict::Fail, Verdict::Pass, Verdict::Inconclusive);
    for (metric, expected) in [
        ("http/error-rate", vec![(Some(0), fail), (Some(1), pass)]),
        ("http/latency-max", vec![(Some(0), fail), (Some(1), pass)]),
        ("http/latency-p91", vec![(Some(0), pass), (Some(1), pass)]),
        ("http-old-1/error-rate", vec![(None, pass)]),
    ] {
        assert_eq!(verdicts(&result, metric), expected, "{metric}: {:?}", result.slos);
    }
    assert!(verdicts(&result, "http/latency-max").iter().all(|(_, verdict)| *verdict != unclear));
    // What an endpoint asks for is asked of its version.
    assert!(
        values::<1>(&result, "http/latency-p33")[0].is_some() && values::<2>(&result, "http/latency-p97")[1].is_some()
    );

    // Each endpoint is kept as without versions, and nothing of it is lost in what its version has.
    assert_eq!(values(&result, "http-new-2/request-count"), [Some(10.0), None]);
    let (first, second) = (histogram(&result, "http-new-1"), histogram(&result, "http-new-2"));
    let mut both = first.clone();
    both.merge(&second);
    assert_eq!(histogram(&result, "http/0"), both);
    let load = &result.load["http/0"];
    assert_eq!(load.status_codes, [(200, 10), (500, 10)].into());
    assert_eq!((load.errors[0].kind.as_str(), load.errors[0].count), ("status 500", 10));
    assert_eq!((load.offered, load.seconds.iter().map(|second| second.requests).sum::<u64>()), (20, 20));
    assert_eq!(load.target, format!("{}, {}", new.url("/late"), new.url("/b")));
    // They ran at the same time.
    let elapsed = |load: &str| result.load[load].elapsed_seconds;
    assert_eq!(elapsed("http/0"), elapsed("http-new-1").max(elapsed("http-new-2")));
    assert!(!result.load.contains_key("http"));
}

#[test]
fn one_after_another_the_times_of_a_version_add_up_and_a_fault_is_of_its_version_alone() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    target.on("/slow", Behaviour::Late(std::time::Duration::from_millis(50)));
    let with = json!({
        "track": "baseline", "numRequests": 30,
        "endpoints": {
            "a": { "url": target.url("/a") },
            // One connection takes a request every 50 ms at best, and sixty are due.
            "b": {
                "url": target.url("/slow"), "track": "candidate", "connections": 1, "duration": "300ms", "qps": 200,
                "timeout": "200ms",
            },
            "c": { "url": target.url("/c"), "numRequests": 15 },
            "d": { "url": target.url("/d"), "track": "candidate" },
        },
    });
    stage.run(&experiment([http(&with), assess(&json!({ "http/error-rate": 1 }))])).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(verdicts(&result, "http/error-rate"), [(Some(0), Verdict::Pass), (Some(1), Verdict::Invalid)]);
    let faults = &result.load["http/1"].faults;
    assert!(faults.len() == 1 && faults[0].starts_with("b: ") && faults[0].contains("were never sent"), "{faults:?}");
    assert_eq!((&result.load["http/0"].faults, &result.load["http-d"].faults), (&Vec::new(), &Vec::new()));
    assert_eq!(result.load["http/0"].completed, 45);
    let elapsed = |load: &str| result.load[load].elapsed_seconds;
    let sum = elapsed("http-a") + elapsed("http-c");
    assert!((elapsed("http/0") - sum).abs() < 1e-6, "{} and {sum}", elapsed("http/0"));
    let seconds: Vec<u64> = result.load["http/0"].seconds.iter().map(|second| second.requests).collect();
    assert_eq!(seconds.iter().sum::<u64>(), 45);
    assert_eq!(seconds.last(), Some(&15), "the second load follows the first: {seconds:?}");
}

#[test]
fn without_endpoints_all_that_a_task_measures_is_of_its_version() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    target.on("/new", Behaviour::status(500));
    let steps = [
        http(&json!({ "url": target.url("/old"), "version": 1.5 })),
        http(&json!({ "url": target.url("/new"), "version": "v2", "track": "candidate", "numRequests": 5 })),
        assess(&json!({ "http/error-rate": 0 })),
    ];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(result.versions, [version("", "1.5"), version("candidate", "v2")]);
    assert_eq!(values(&result, "http/request-count"), [Some(10.0), Some(5.0)]);
    assert_eq!(verdicts(&result, "http/error-rate"), [(Some(0), Verdict::Pass), (Some(1), Verdict::Fail)]);
    assert_eq!((histogram(&result, "http/0").len(), histogram(&result, "http/1").len()), (10, 5));
    assert_eq!(result.load.keys().collect::<Vec<_>>(), ["http/0", "http/1"]);
    assert!(result.steps[0].message.starts_with("10 requests in "), "{}", result.steps[0].message);
}

#[test]
fn a_load_of_one_version_says_nothing_of_those_that_other_tasks_know() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    target.on("/metrics", Behaviour::Text("{\"value\": 1}"));
    let template = format!(
        "url: {}\nprovider: shop\nmethod: GET\nmetrics:\n- name: orders\n  type: gauge\n  jqExpression: .value\n",
        target.url("/metrics")
    );
    let versions = json!([{ "track": "baseline" }, { "track": "candidate" }]);
    let with = json!({ "templates": { "shop": template }, "versionValues": versions });
    let steps = [
        http(&json!({ "url": target.url("/"), "track": "candidate" })),
        json!({ "task": "custommetrics", "with": with }),
        assess(&json!({ "http/error-rate": 0, "shop/orders": 1 })),
    ];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(result.versions, [version("candidate", ""), version("baseline", "")]);
    let (pass, unclear) = (Verdict::Pass, Verdict::Inconclusive);
    assert_eq!(verdicts(&result, "http/error-rate"), [(Some(0), pass), (Some(1), unclear)]);
    assert_eq!(verdicts(&result, "shop/orders"), [(Some(0), pass), (Some(1), pass)]);
}

#[test]
fn a_later_loop_adds_to_the_version_of_its_track() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let steps = |first: (&str, &str), second: (&str, &str)| {
        let endpoint = |(track, version): (&str, &str)| json!({ "url": target.url(&format!("/{track}")), "track": track, "version": version });
        experiment([http(&json!({ "endpoints": { "a": endpoint(first), "b": endpoint(second) } }))])
    };
    stage.agent(&steps(("baseline", "v1"), ("candidate", "v2"))).args(["--loop"]).run().code(code::SUCCEEDED);
    target.on("/candidate", Behaviour::status(404));
    // The endpoints have changed places, and the candidate is another.
    stage.agent(&steps(("candidate", "v3"), ("baseline", "v1"))).args(["--loop"]).run().code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(result.versions, [version("baseline", "v1"), version("candidate", "v3")]);
    let history = |version: usize| result.metrics["http/error-count"].versions[version].history.clone();
    assert_eq!((history(0), history(1)), (vec![(1, 0.0), (2, 0.0)], vec![(1, 0.0), (2, 10.0)]));
    for load in ["http/0", "http/1"] {
        assert_eq!((histogram(&result, load).len(), result.load[load].completed), (20, 10), "{load}");
    }
}

#[test]
fn a_version_that_could_not_be_measured_as_a_whole_has_nothing() {
    let (stage, target, closed) = (Stage::new(), HttpTarget::start(Behaviour::OK), ClosedPort::reserve());
    let with = json!({ "endpoints": {
        "a": { "url": target.url("/"), "track": "baseline" },
        "b": { "url": target.url("/"), "track": "candidate" },
        "c": { "url": closed.url("/"), "track": "candidate", "duration": "10m" },
    } });
    stage.run(&experiment([http(&with)])).code(code::TASK_FAILED);
    let result = stage.result();
    assert_eq!(values(&result, "http/request-count"), [Some(10.0), None]);
    assert_eq!(values(&result, "http-b/request-count"), [Some(10.0)]);
    assert_eq!(result.versions.len(), 2);
}

#[test]
fn what_was_measured_of_versions_is_kept_when_the_run_is_stopped() {
    for order in ["sequence", "sideBySide"] {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
        let with = json!({
            "url": target.url("/"), "duration": "10m", "qps": 50, "endpointsOrder": order,
            "endpoints": { "a": { "track": "baseline" }, "b": { "track": "baseline" } },
        });
        let mut with = http(&with);
        with["with"].as_object_mut().expect("is one").remove("numRequests");
        let agent = stage.start(&experiment([with]));
        target.wait_for_requests(5);
        agent.signal("TERM");
        agent.wait().code(code::INTERRUPTED);
        let result = stage.result();
        assert_eq!(result.phase, Phase::Cancelled);
        let completed = result.load["http/0"].completed;
        let of_endpoints: u64 =
            result.load.iter().filter(|(key, _)| *key != "http/0").map(|(_, load)| load.completed).sum();
        assert!(completed >= 2 && completed == of_endpoints, "{order}: {completed} and {of_endpoints}");
    }
}

#[test]
fn a_search_finds_the_rate_of_the_version_that_it_calls() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let slos = json!({ "upper": { "http/error-rate": 0 } });
    let search = json!({ "from": 20, "to": 20, "probeDuration": "200ms", "SLOs": slos });
    let step = |track: &str| json!({ "task": "http", "with": { "url": target.url("/"), "timeout": "30s", "track": track, "search": search } });
    stage.run(&experiment([step("baseline"), step("candidate")])).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(values(&result, "http/max-rate"), [Some(20.0), Some(20.0)]);
    assert!(values::<2>(&result, "http/request-count")[1].is_some());
    assert_eq!(result.load.keys().collect::<Vec<_>>(), ["http/0", "http/1"]);
}
