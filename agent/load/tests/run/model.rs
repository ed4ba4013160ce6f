//! The model of time: what a response consists of, and whose time is whose, on servers with known delays.

use std::time::Duration;

use iter8_load::{Arrivals, ErrorKind, Histogram, Plan, Report, WhenBusy};

use crate::plans::{one_by_one, plan, ran};
use crate::server::raw::{Raw, ok};

/// Answers each request so long after it came.
async fn slow(delay: Duration) -> Raw {
    Raw::start(move |mut peer| async move {
        loop {
            peer.request().await?;
            tokio::time::sleep(delay).await;
            peer.write(ok("ok")).await?;
        }
    })
    .await
}

/// All times of a histogram together.
fn total(times: &Histogram) -> Duration {
    (1..=times.len()).filter_map(|rank| times.at_rank(rank)).sum()
}

/// How much of the responses is queue, lag and service. The rest is the making of connections.
fn share_of_parts(report: &Report) -> f64 {
    let parts = total(&report.queue) + total(&report.lag) + total(&report.service);
    parts.as_secs_f64() / total(&report.all_responses()).as_secs_f64()
}

/// Three digits each, and a microsecond for what took none.
const EXACT: f64 = 1.01;

#[tokio::test]
async fn requests_that_wait_for_the_only_connection_count_their_waiting() {
    let (delay, interval) = (Duration::from_millis(20), Duration::from_millis(10));
    let server = slow(delay).await;
    let report = ran(&Plan { connections: 1, ..plan(&server.url(), 40, 100.0) }).await;
    assert_eq!((report.completed, report.error_count(), server.accepted()), (40, 0, 1));
    let share = share_of_parts(&report);
    assert!((0.9..EXACT).contains(&share), "{share}");
    let (responses, nearly) = (report.all_responses(), 0.999);
    for before in 0u32..40 {
        // Those before it took their time one after another, while it had been due.
        let least = delay * (before + 1) - interval * before;
        let rank = u64::from(before) + 1;
        assert!(responses.at_rank(rank).unwrap() >= least.mul_f64(nearly), "{before}: {responses:?}");
        assert!(report.service.at_rank(rank).unwrap() >= delay.mul_f64(nearly), "{before}: {:?}", report.service);
    }
    let waited = report.queue.quantile(1.0).unwrap() + report.lag.quantile(1.0).unwrap();
    assert!(waited >= (interval * 39).mul_f64(nearly), "{waited:?}");
}

#[tokio::test]
async fn requests_that_find_a_connection_wait_for_none() {
    let server = slow(Duration::from_millis(50)).await;
    let report = ran(&Plan { connections: 20, ..plan(&server.url(), 20, 1_000.0) }).await;
    assert_eq!((report.completed, report.error_count()), (20, 0));
    assert_eq!(report.queue.quantile(1.0), Some(Duration::from_micros(1)), "{:?}", report.queue);
    assert!(share_of_parts(&report) < EXACT);
    assert_eq!(report.faults, []);
}

#[tokio::test]
async fn a_closed_load_knows_neither_queue_nor_lag() {
    let server = slow(Duration::from_millis(2)).await;
    let report = ran(&one_by_one(&server.url(), 50)).await;
    assert_eq!(report.queue.quantile(1.0), Some(Duration::from_micros(1)), "{:?}", report.queue);
    assert_eq!(report.lag.quantile(1.0), Some(Duration::from_micros(1)), "{:?}", report.lag);
    assert!(share_of_parts(&report) < EXACT);
}

#[tokio::test]
async fn requests_that_are_due_while_all_are_busy_are_dropped_when_that_is_asked_for() {
    let server = slow(Duration::from_millis(500)).await;
    let mut plan = Plan { connections: 2, ..plan(&server.url(), 40, 200.0) };
    if let Arrivals::Open { when_busy, .. } = &mut plan.arrivals {
        *when_busy = WhenBusy::Drop;
    }
    let report = ran(&plan).await;
    assert_eq!((report.offered, report.completed + report.dropped), (40, 40));
    // Two in the first 200 ms, in which all are due. A machine that stands still meanwhile lets some through.
    assert!((2..10).contains(&report.completed), "{} completed", report.completed);
    assert_eq!(report.queue.quantile(1.0), Some(Duration::from_micros(1)), "{:?}", report.queue);
}

#[tokio::test]
async fn a_slow_writer_is_waited_for_until_the_timeout() {
    const PIECE: Duration = Duration::from_millis(5);
    let server = Raw::start(|mut peer| async move {
        loop {
            peer.request().await?;
            for byte in ok("ok").as_bytes() {
                peer.write([*byte]).await?;
                tokio::time::sleep(PIECE).await;
            }
        }
    })
    .await;
    let whole = PIECE * u32::try_from(ok("ok").len() - 1).unwrap();
    let report = ran(&one_by_one(&server.url(), 2)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count(), server.accepted()), (Some(&2), 0, 1));
    assert!(report.service.quantile(0.0).unwrap() >= whole.mul_f64(0.999), "{:?}", report.service);
    let report = ran(&Plan { timeout: whole / 2, ..one_by_one(&server.url(), 2) }).await;
    assert_eq!((report.errors[&ErrorKind::Timeout].count, server.accepted()), (2, 3));
}

#[tokio::test]
async fn a_peer_that_vanishes_costs_one_request_for_each_of_its_connections() {
    // The first two connections answer once and are then as good as gone.
    let server = Raw::start(|mut peer| async move {
        peer.request().await?;
        peer.write(ok("ok")).await?;
        while peer.number >= 2 {
            peer.request().await?;
            peer.write(ok("ok")).await?;
        }
        peer.until_closed().await
    })
    .await;
    let timeout = Duration::from_secs(1);
    let report = ran(&Plan { timeout, connections: 2, ..one_by_one(&server.url(), 60) }).await;
    let timeouts = report.errors[&ErrorKind::Timeout].count;
    assert_eq!((report.status_codes.get(&200), timeouts), (Some(&58), 2), "{:?}", report.errors);
    // Whoever has another first may send all that is left.
    let accepted = server.accepted();
    assert!((3..=4).contains(&accepted) && report.reconnects == accepted - 2, "{accepted} {}", report.reconnects);
}
