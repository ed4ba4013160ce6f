//! Closed loads: how their workers share them, and how they end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use iter8_load::{Report, run};
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
