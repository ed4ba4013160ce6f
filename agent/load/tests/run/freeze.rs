//! A target that stands still for half a second shows in the percentiles as it did to its users ("coordinated omission").

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use iter8_load::{Limit, Plan, Report};

use crate::plans::{plan, ran};

const RATE: f64 = 2_000.0;
const RUN: Duration = Duration::from_secs(6);
const FROZEN_AFTER: Duration = Duration::from_secs(3);
const FROZEN: Duration = Duration::from_millis(500);

/// What a target shares: when it was first asked.
type Begun = Arc<Mutex<Option<Instant>>>;

/// Answers quickly with a thread for each connection, but for the time in which all stand still.
fn target() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, begun) = (listener.local_addr().unwrap(), Begun::default());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let begun = begun.clone();
            thread::spawn(move || answer(&stream.unwrap(), &begun));
        }
    });
    address
}

fn answer(mut stream: &TcpStream, begun: &Begun) {
    let mut request = [0; 4096];
    stream.set_nodelay(true).unwrap();
    // Requests are small, and one is under way at a time.
    while stream.read(&mut request).is_ok_and(|length| length > 0) {
        let since = begun.lock().unwrap().get_or_insert_with(Instant::now).elapsed();
        if (FROZEN_AFTER..FROZEN_AFTER + FROZEN).contains(&since) {
            thread::sleep(FROZEN_AFTER + FROZEN - since);
        }
        if stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_err() {
            return;
        }
    }
}

/// What follows for the 99th percentile, in seconds: what was due first in the freeze waited 500 ms, what was due last
/// nothing, and a hundredth of all requests are those of its first 60 ms.
fn expected(report: &Report) -> f64 {
    FROZEN.as_secs_f64() - 0.01 * report.completed as f64 / RATE
}

fn measured(report: &Report) -> f64 {
    report.all_responses().quantile(0.99).unwrap().as_secs_f64()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_freeze_of_half_a_second_in_six_gives_the_percentile_that_follows_from_it() {
    // How fast the pile is worked off after the freeze depends on the optimiser.
    let slack = if cfg!(debug_assertions) { 1.03 } else { 1.01 };
    // On a machine that stands still itself, measured again as a user would.
    for last in [false, false, false, true] {
        let load = plan(&format!("http://{}/", target()), 1, RATE);
        let report = ran(&Plan { limit: Limit::Duration(RUN), connections: 64, ..load }).await;
        assert_eq!((report.offered, report.completed, report.error_count()), (12_000, 12_000, 0));
        let (expected, p99) = (expected(&report), measured(&report));
        assert!((expected - 0.44).abs() < 1e-9 && p99 >= expected * 0.99, "{p99}");
        // By service time hardly anything happened: that is what is not to be looked at.
        let by_service = report.service.quantile(0.98).unwrap_or_default();
        if report.faults.is_empty() && p99 <= expected * slack && by_service < FROZEN / 10 {
            return;
        }
        assert!(!last || !report.faults.is_empty() || p99 <= expected * 1.25, "{p99} {by_service:?}");
    }
}
