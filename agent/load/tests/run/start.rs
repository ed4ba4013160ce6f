//! How loads begin: a target is not met by all connections at once, and by no burst of requests after a warm-up.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use iter8_load::{Limit, Plan};

use crate::plans::{again, closed, plan, ran};
use crate::server::raw::{Raw, ok};

const CONNECTIONS: u32 = 300;
/// Nobody is free again before all have begun, unless the machine is very slow.
const HELD: Duration = Duration::from_millis(400);
const WINDOW: Duration = Duration::from_millis(10);
/// Evenly it would be 20 in a window, from each worker of a closed load. A machine that stands still for a moment bunches
/// them up.
const BURST: usize = 120;

/// The most requests that come within a window, of those of the measurement; each comes on a connection of its own.
async fn most_at_once(plan: impl Fn(&str) -> Plan) -> usize {
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
    let report = ran(&plan(&server.url())).await;
    assert_eq!((report.completed, report.error_count()), (u64::from(CONNECTIONS), 0));
    let mut arrivals = arrivals.lock().unwrap();
    let warmup = usize::try_from(report.warmup.completed).unwrap();
    let arrivals = arrivals.split_off(warmup);
    let within = |from: &Instant| arrivals.iter().filter(|at| *at >= from && at.duration_since(*from) < WINDOW).count();
    arrivals.iter().map(within).max().unwrap()
}

async fn comes_evenly(plan: impl Fn(&str) -> Plan) {
    again(async || {
        let most = most_at_once(&plan).await;
        if most <= BURST { Ok(()) } else { Err(most) }
    })
    .await;
}

#[tokio::test]
async fn connections_of_a_closed_load_begin_one_after_another_and_again_after_a_warm_up() {
    let requests = u64::from(CONNECTIONS);
    for warmup in [None, Some(Limit::Requests(requests))] {
        comes_evenly(|url| Plan { warmup, ..closed(url, requests, CONNECTIONS) }).await;
    }
}

#[tokio::test]
async fn connections_of_an_open_load_come_as_its_requests_do() {
    let requests = u64::from(CONNECTIONS);
    for warmup in [None, Some(Limit::Requests(requests / 2))] {
        comes_evenly(|url| Plan { warmup, connections: CONNECTIONS, ..plan(url, requests, 2_000.0) }).await;
    }
}
