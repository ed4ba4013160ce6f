//! Closed loads: how they begin, how their workers share them, and how they end.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iter8_load::{Limit, Plan, Report, run};
use tokio_util::sync::CancellationToken;

use crate::plans::{closed, ran};
use crate::server::raw::{Raw, ok};

#[tokio::test]
async fn a_slow_connection_does_not_keep_a_share_of_the_requests_for_itself() {
    let slow = Arc::new(Mutex::new(0));
    let counted = slow.clone();
    let server = Raw::start(move |mut peer| {
        let counted = counted.clone();
        async move {
            loop {
                peer.request().await?;
                if peer.number == 0 {
                    *counted.lock().unwrap() += 1;
                    tokio::time::sleep(Duration::from_millis(300)).await;
                }
                peer.write(ok("ok")).await?;
            }
        }
    })
    .await;
    let report = ran(&closed(&server.url(), 100, 2)).await;
    assert_eq!((report.offered, report.completed, report.status_codes.get(&200)), (100, 100, Some(&100)));
    // With a share of its own it would be half of them.
    let slow = *slow.lock().unwrap();
    assert!((1..25).contains(&slow), "{slow} requests on the slow connection");
}

#[tokio::test]
async fn a_closed_load_that_is_stopped_accounts_for_every_request() {
    let server = Raw::start(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write(ok("ok")).await?;
        }
    })
    .await;
    let cancel = CancellationToken::new();
    let stop = cancel.clone();
    let after_a_few = move |progress: iter8_load::Progress| {
        if progress.completed >= 10 {
            stop.cancel();
        }
    };
    let report: Report = run(&closed(&server.url(), 100_000_000, 4), &cancel, &after_a_few).await.unwrap();
    assert!(report.interrupted && report.completed >= 10);
    assert_eq!((report.offered, report.started + report.dropped), (100_000_000, 100_000_000));
    assert_eq!(report.completed + report.censored, report.started);
}

const CONNECTIONS: u32 = 300;
/// Nobody is free again before all have begun, unless the machine is very slow.
const HELD: Duration = Duration::from_millis(400);

/// The most requests that come within ten milliseconds, of those after the first `skipped`.
async fn most_at_once(warmup: Option<Limit>, skipped: usize) -> usize {
    let arrivals = Arc::new(Mutex::new(Vec::new()));
    let seen = arrivals.clone();
    let server = Raw::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            loop {
                peer.request().await?;
                seen.lock().unwrap().push(Instant::now());
                tokio::time::sleep(HELD).await;
                peer.write(ok("ok")).await?;
            }
        }
    })
    .await;
    let report = ran(&Plan { warmup, ..closed(&server.url(), u64::from(CONNECTIONS), CONNECTIONS) }).await;
    assert_eq!((report.completed, report.error_count()), (u64::from(CONNECTIONS), 0));
    let arrivals = arrivals.lock().unwrap().split_off(skipped);
    assert_eq!(arrivals.len(), CONNECTIONS as usize);
    let within = |from: &Instant| {
        arrivals.iter().filter(|at| *at >= from && at.duration_since(*from) < Duration::from_millis(10)).count()
    };
    arrivals.iter().map(within).max().unwrap()
}

#[tokio::test]
async fn connections_begin_one_after_another_and_again_after_a_warm_up() {
    let warmup = Some(Limit::Requests(u64::from(CONNECTIONS)));
    for (warmup, skipped) in [(None, 0), (warmup, CONNECTIONS as usize)] {
        // Each worker begins one every half millisecond. A machine that stands still for a moment bunches them up.
        let mut counts = Vec::new();
        while counts.iter().all(|count| *count > 120) {
            assert!(counts.len() < 5, "{counts:?} of {CONNECTIONS} at once");
            counts.push(most_at_once(warmup, skipped).await);
        }
    }
}
