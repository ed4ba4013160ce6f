//! Closed loads: how their workers share them, and how they end.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iter8_load::{Arrivals, Level, Plan, Report, run};
use tokio_util::sync::CancellationToken;

use crate::plans::{closed, ran};
use crate::server::raw::{Raw, ok};
use crate::server::web::{Behaviour, Server};

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

#[tokio::test]
async fn a_level_bounds_what_is_under_way_until_the_next_one_begins() {
    let server = Server::start(Behaviour::Hang).await;
    let second = Duration::from_millis(400);
    let level = |at, concurrency| Level { at, concurrency };
    let arrivals = Arrivals::Levels(vec![level(Duration::ZERO, 2), level(second, 5)]);
    let load = Plan { arrivals, ..closed(&server.url(), 1_000, 8) };
    let begun = Instant::now();
    let mut seen = Vec::new();
    let watch = async {
        while seen.last().is_none_or(|(requests, _)| *requests < 5) {
            seen.push((server.requests.load(Ordering::SeqCst), begun.elapsed()));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::select! {
        report = ran(&load) => panic!("ended without an answer: {report:?}"),
        () = watch => {}
    }
    assert!(seen.iter().all(|(requests, at)| *requests <= if *at < second { 2 } else { 5 }), "{seen:?}");
    assert!(seen.iter().any(|(requests, _)| *requests == 2), "{seen:?}");
}
