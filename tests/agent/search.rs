//! The search for the highest rate that meets objectives, against servers whose capacity is known.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iter8_core::metric::Observation;
use iter8_core::{ExperimentResult, Verdict};
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, code, experiment};

/// How long the server takes for a request: it does one at a time, so that it takes a hundred a second.
const SERVICE: Duration = Duration::from_millis(10);

/// Starts a server that ends with the test's process.
fn server_of_known_capacity() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has one");
    let free = Arc::new(Mutex::new(Instant::now()));
    std::thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let free = free.clone();
            std::thread::spawn(move || serve(socket, &free));
        }
    });
    address
}

/// Answers requests, each when the server has come to it; a request comes in one piece.
fn serve(mut socket: TcpStream, free: &Mutex<Instant>) {
    while socket.read(&mut [0; 4096]).is_ok_and(|read| read > 0) {
        let done = {
            let mut free = free.lock().expect("nobody panics with it");
            *free = (*free).max(Instant::now()) + SERVICE;
            *free
        };
        // This is the service itself.
        std::thread::sleep(done.saturating_duration_since(Instant::now()));
        if socket.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").is_err() {
            return;
        }
    }
}

fn step(url: &str, search: &Value) -> Value {
    json!({ "task": "http", "with": { "url": url, "timeout": "30s", "search": search } })
}

fn max_rate(result: &ExperimentResult) -> &Observation {
    result.metrics["http/max-rate"].versions[0].latest.as_ref().expect("it was measured")
}

#[test]
fn it_finds_what_a_server_can_take() {
    let address = server_of_known_capacity();
    let search = json!({ "from": 20, "to": 500, "precision": 0.3, "probeDuration": "600ms", "maxDuration": "60s" });
    let slos = json!({ "upper": { "http/latency-p50": 100 }, "lower": { "http/max-rate": 30 } });
    let steps = [step(&format!("http://{address}/"), &search), json!({ "task": "assess", "with": { "SLOs": slos } })];
    // Fewer than a hundred requests at each rate, so that the agent does not judge its own lateness on a busy machine; what
    // is found there may be too low, and is then looked for again.
    let result = (0..5)
        .map(|_| {
            let stage = Stage::new();
            stage.run(&experiment(steps.clone())).code(code::SUCCEEDED);
            stage.result()
        })
        .find(|result| max_rate(result).faults.is_empty() && max_rate(result).value.is_some_and(|rate| rate >= 40.0))
        .expect("one of five searches is not disturbed");
    let found = max_rate(&result);
    let (rate, interval) = (found.value.expect("it has one"), found.interval.expect("it has one"));
    assert!(rate <= 160.0 && interval.lower == Some(rate), "{found:?}");
    assert!(interval.upper.is_some_and(|upper| (80.0..=200.0).contains(&upper) && upper <= rate * 1.31), "{found:?}");
    assert!(found.source.as_ref().is_some_and(|source| source.contains("http/latency-p50 is ")), "{found:?}");
    // What is judged beside it was measured at the rate that passed.
    assert_eq!(result.verdict, Some(Verdict::Pass), "{}", result.verdict_reason);
    assert!(result.steps[0].message.starts_with("the objectives hold up to "), "{}", result.steps[0].message);
}

#[test]
fn it_ends_at_the_highest_rate_that_was_asked_for() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    let slos = json!({ "upper": { "http/error-rate": 0 } });
    let search = json!({ "from": 20, "to": 50, "probeDuration": "200ms", "SLOs": slos });
    stage.run(&experiment([step(&target.url("/"), &search)])).code(code::SUCCEEDED);
    let result = stage.result();
    let found = max_rate(&result);
    assert_eq!((found.value, found.interval.and_then(|interval| interval.upper)), (Some(50.0), None), "{found:?}");
    assert!(result.metrics["http/request-count"].versions[0].latest.is_some());
}

#[test]
fn a_target_that_fails_at_any_rate_has_none() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::status(500)));
    let slos = json!({ "upper": { "http/error-rate": 0 } });
    let inputs = json!({ "from": 100, "probeDuration": "200ms", "maxDuration": "300ms", "SLOs": slos });
    let mut step = step(&target.url("/"), &inputs);
    step["with"]["allowInitialErrors"] = json!(true);
    stage.run(&experiment([step])).code(code::SUCCEEDED);
    let result = stage.result();
    let found = max_rate(&result);
    assert_eq!(
        (found.value, found.interval.and_then(|interval| interval.upper)),
        (Some(0.0), Some(100.0)),
        "{found:?}"
    );
    assert!(found.source.as_ref().is_some_and(|source| source.ends_with("its time was up")), "{found:?}");
}

#[test]
fn without_objectives_there_is_nothing_to_search_for() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.run(&experiment([step(&target.url("/"), &json!({}))])).code(code::TASK_FAILED);
    let message = stage.result().steps[0].message.clone();
    assert!(message.contains("there is no objective that a rate could meet"), "{message}");
    assert_eq!(target.count(), 0);
}
