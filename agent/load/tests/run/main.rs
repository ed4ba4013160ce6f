//! Whole runs against a real server on loopback.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

mod certify;
mod closed;
mod differential;
mod freeze;
mod grpc;
mod grpc_odd;
mod http1;
mod http2;
mod model;
mod plans;
mod server;
mod start;
mod tls;

use std::sync::atomic::Ordering;
use std::time::Duration;

use iter8_load::{ErrorKind, Limit, LoadError, Outcome, Plan, Protocol, StatusRange, run};
use plans::{plan, ran};
use server::nobody;
use server::web::{Behaviour, Server};
use tokio_util::sync::CancellationToken;

#[tokio::test]
async fn sends_exactly_the_number_that_was_asked_for() {
    let server = Server::start(Behaviour::Answer { status: 200, body: 5 }).await;
    let report = ran(&plan(&server.url(), 100, 500.0)).await;
    assert_eq!((report.offered, report.started, report.completed, report.dropped), (100, 100, 100, 0));
    assert_eq!(report.status_codes.get(&200), Some(&100));
    assert_eq!(server.requests.load(Ordering::SeqCst), 100);
    assert_eq!((report.error_count(), report.all_responses().len()), (0, 100));
    assert!(report.elapsed >= Duration::from_millis(198), "{:?}", report.elapsed);
}

#[tokio::test]
async fn error_statuses_are_errors_and_keep_their_connection() {
    let server = Server::start(Behaviour::Answer { status: 500, body: 5_000 }).await;
    let report = ran(&Plan { connections: 1, ..plan(&server.url(), 30, 500.0) }).await;
    let detail = &report.errors[&ErrorKind::Status(500)];
    assert_eq!((detail.count, detail.samples.len()), (30, 1));
    assert!(detail.samples[0].len() <= 300 && detail.samples[0].starts_with("xxx"));
    assert_eq!((server.connections.load(Ordering::SeqCst), report.reconnects), (1, 0));
    assert_eq!(report.response[&Outcome::ErrorStatus].len(), 30);
}

#[tokio::test]
async fn large_and_chunked_bodies_are_read_to_their_end() {
    for behaviour in [Behaviour::Answer { status: 200, body: 200_000 }, Behaviour::Chunked { chunks: 50 }] {
        let server = Server::start(behaviour).await;
        let report = ran(&plan(&server.url(), 20, 500.0)).await;
        assert_eq!((report.completed, report.error_count()), (20, 0));
    }
}

#[tokio::test]
async fn a_closed_port_is_measured_as_errors() {
    let (_held, url) = nobody();
    let report = ran(&plan(&url, 10, 500.0)).await;
    assert_eq!(report.errors[&ErrorKind::Refused].count, 10);
    assert_eq!((report.completed, report.moments.count()), (10, 10));
}

#[tokio::test]
async fn a_connection_that_is_cut_is_an_error_and_is_made_anew() {
    let server = Server::start(Behaviour::Cut).await;
    let report = ran(&Plan { connections: 1, ..plan(&server.url(), 5, 500.0) }).await;
    let cut: u64 =
        [ErrorKind::Reset, ErrorKind::Closed].iter().filter_map(|kind| report.errors.get(kind)).map(|d| d.count).sum();
    assert_eq!((cut, report.reconnects), (5, 4), "{:?}", report.errors);
}

#[tokio::test]
async fn no_answer_in_time_counts_with_at_least_that_time() {
    let server = Server::start(Behaviour::Hang).await;
    let timeout = Duration::from_millis(100);
    let report = ran(&Plan { timeout, connections: 8, ..plan(&server.url(), 8, 500.0) }).await;
    assert_eq!(report.errors[&ErrorKind::Timeout].count, 8);
    assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
}

#[tokio::test]
async fn a_target_that_stalls_cannot_hide_it() {
    // One connection, a request every 5 ms, and a stall of 300 ms: the requests that were due meanwhile waited.
    let server = Server::start(Behaviour::StallOnce { after: 20, stall: Duration::from_millis(300) }).await;
    let report = ran(&Plan { connections: 1, ..plan(&server.url(), 200, 200.0) }).await;
    let slow = report.all_responses();
    let late = (1..=200).filter(|rank| slow.at_rank(*rank) >= Some(Duration::from_millis(50))).count();
    // (300 - 50) ms / 5 ms = 50 requests waited more than 50 ms; only one of them was slow by service time.
    assert!(late >= 45, "{late} late responses");
    assert!(report.service.quantile(0.5) < Some(Duration::from_millis(250)));
    assert!(report.queue.quantile(1.0) >= Some(Duration::from_millis(200)));
}

#[tokio::test]
async fn stopping_keeps_what_was_measured() {
    let server = Server::start(Behaviour::Answer { status: 200, body: 5 }).await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let after_a_few = move |progress: iter8_load::Progress| {
        if progress.completed >= 10 {
            stop.cancel();
        }
    };
    let report = run(&plan(&server.url(), 1_000_000, 200.0), &cancel, &after_a_few).await.unwrap();
    assert!(report.interrupted && report.completed >= 10);
    assert_eq!(report.completed + report.dropped + report.censored, 1_000_000);
}

#[tokio::test]
async fn a_run_by_duration_needs_a_first_answer_unless_told_otherwise() {
    let server = Server::start(Behaviour::Answer { status: 503, body: 5 }).await;
    let by_duration = Plan { limit: Limit::Duration(Duration::from_millis(50)), ..plan(&server.url(), 1, 100.0) };
    let error = run(&by_duration, &CancellationToken::new(), &|_| {}).await.unwrap_err();
    assert!(matches!(error, LoadError::InitialRequest { reason: ErrorKind::Status(503), .. }), "{error}");
    let report = ran(&Plan { allow_initial_errors: true, ..by_duration }).await;
    assert_eq!((report.completed, report.error_count()), (5, 5));
}

#[tokio::test]
async fn http2_is_spoken_with_prior_knowledge() {
    let server = Server::start(Behaviour::Answer { status: 200, body: 5 }).await;
    let mut plan = plan(&server.url(), 20, 500.0);
    plan.target.protocol = Protocol::Http2;
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count()), (20, 0), "{:?}", report.errors);
    assert_eq!(server.http2_requests.load(Ordering::SeqCst), 20);
}

#[tokio::test]
async fn the_request_carries_method_headers_and_body() {
    let server = Server::start(Behaviour::Echo).await;
    let mut plan = plan(&server.url(), 1, 100.0);
    plan.target.method = http::Method::PUT;
    plan.target.body = bytes::Bytes::from_static(b"payload");
    plan.target.headers.insert("x-tenant", "1".parse().unwrap());
    plan.error_ranges = vec![StatusRange { lower: Some(200), upper: None }];
    let report = ran(&plan).await;
    let echoed = &report.errors[&ErrorKind::Status(200)].samples[0];
    assert_eq!(echoed, "PUT / x-tenant=1 payload");
}
