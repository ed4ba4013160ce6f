//! Measurements that are not to be trusted: the agent finds out by itself, and decides nothing on them.

use std::thread::sleep;
use std::time::Duration;

use iter8_core::Verdict;
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::json;

use crate::harness::{Stage, assess, code, experiment, http};

#[test]
fn a_load_that_the_agent_itself_sent_late_is_invalid() {
    is_invalid_when_the_agent_stands_still(150);
}

#[test]
fn a_late_load_is_invalid_although_what_piled_up_kept_its_few_connections_busy() {
    is_invalid_when_the_agent_stands_still(1);
}

#[track_caller]
fn is_invalid_when_the_agent_stands_still(connections: u32) {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let load = json!({ "numRequests": 150, "qps": 50, "connections": connections });
    let agent = stage.start(&experiment([http(&target.url("/"), &load), assess(&json!({ "http/error-rate": 0 }))]));
    target.wait_for_requests(1);
    // As if its CPU were gone. This is what the agent is to notice, and nothing waits for it.
    agent.signal("STOP");
    sleep(Duration::from_millis(300));
    agent.signal("CONT");
    agent.wait().code(code::SUCCEEDED).says("verdict invalid");

    let result = stage.result();
    assert_eq!((result.verdict, result.load["http"].completed), (Some(Verdict::Invalid), 150));
    let fault = "the load generator itself sent late";
    assert!(result.load["http"].faults[0].starts_with(fault), "{:?}", result.load["http"].faults);
    assert!(result.verdict_reason.contains(fault), "{}", result.verdict_reason);
}

#[test]
fn a_load_that_could_not_be_sent_for_want_of_connections_is_invalid() {
    // One connection takes a request every 50 ms at best, and a hundred a second are due.
    let target = HttpTarget::start(Behaviour::Late(Duration::from_millis(50)));
    let load = json!({
        "duration": "300ms", "qps": 100, "connections": 1, "timeout": "200ms", "allowInitialErrors": true,
    });
    let stage = Stage::new();
    let steps = [http(&target.url("/"), &load), assess(&json!({ "http/error-rate": 1 }))];
    stage.run(&experiment(steps)).code(code::SUCCEEDED).says("verdict invalid");

    let result = stage.result();
    let load = &result.load["http"];
    assert_eq!((load.offered, load.completed + load.dropped), (30, 30));
    assert_eq!(result.verdict, Some(Verdict::Invalid));
    let fault =
        format!("{} of 30 requests were never sent, because no connection was free until the end", load.dropped);
    assert!(result.verdict_reason.contains(&fault), "{}", result.verdict_reason);
}
