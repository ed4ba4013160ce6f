//! When requests are sent: schedules, random arrivals, closed loads and warm-up, as they reach the target.

use iter8_core::ExperimentResult;
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, code, experiment};

/// What comes of a load with these inputs.
fn measured(target: &HttpTarget, inputs: &Value) -> ExperimentResult {
    let stage = Stage::new();
    let mut with = json!({ "url": target.url("/"), "timeout": "30s" });
    with.as_object_mut().expect("is one").extend(inputs.as_object().expect("is one").clone());
    stage.run(&experiment([json!({ "task": "http", "with": with })])).code(code::SUCCEEDED);
    stage.result()
}

#[test]
fn a_warm_up_is_sent_and_reported_and_not_measured() {
    let target = HttpTarget::start(Behaviour::OK);
    let result = measured(&target, &json!({ "numRequests": 10, "qps": 200, "warmupNumRequests": 7 }));
    let load = &result.load["http"];
    assert_eq!((target.count(), load.completed, load.warmup_requests, load.warmup_errors), (17, 10, 7, 0));
    assert!(result.steps[0].message.ends_with(", after 7 to warm up with 0 errors"), "{}", result.steps[0].message);
}

#[test]
fn a_schedule_sends_what_its_rate_adds_up_to_and_ends_with_it() {
    let target = HttpTarget::start(Behaviour::OK);
    let stages = json!([{ "from": 0, "to": 100, "over": "400ms" }, { "rate": 50, "over": "200ms" }]);
    let result = measured(&target, &json!({ "schedule": { "stages": stages } }));
    assert_eq!(result.load["http"].completed, 30);
    // One more asks whether the target answers at all.
    assert_eq!(target.count(), 31);
    let seconds = &result.load["http"].seconds;
    assert_eq!(seconds.iter().map(|second| (second.second, second.requests)).collect::<Vec<_>>(), [(0, 30)]);
}

#[test]
fn random_arrivals_are_as_many_as_were_asked_for() {
    let target = HttpTarget::start(Behaviour::OK);
    let inputs = json!({ "numRequests": 50, "qps": 500, "arrivals": "poisson", "seed": 3, "whenBusy": "drop" });
    let load = measured(&target, &inputs).load["http"].clone();
    assert_eq!((load.offered, load.completed + load.dropped), (50, 50));
}

#[test]
fn a_closed_load_has_so_many_requests_under_way_and_no_more_connections() {
    let target = HttpTarget::start(Behaviour::Late(std::time::Duration::from_millis(5)));
    let result = measured(&target, &json!({ "numRequests": 30, "concurrency": 3 }));
    assert_eq!((result.load["http"].completed, target.count()), (30, 30));
    assert!((1..=3).contains(&target.connections()), "{}", target.connections());
}
