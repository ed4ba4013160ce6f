//! Loads that tests send.

use std::time::Duration;

use iter8_load::{Arrivals, Limit, Plan, Report, Schedule, Share, StatusRange, Target, WhenBusy, run};
use tokio_util::sync::CancellationToken;

/// So many requests at a constant rate, over four connections.
pub(crate) fn plan(url: &str, requests: u64, rate: f64) -> Plan {
    Plan {
        target: Target::get(url.parse().unwrap()),
        arrivals: Arrivals::Open { schedule: Schedule::Constant { rate }, when_busy: WhenBusy::Queue },
        warmup: None,
        limit: Limit::Requests(requests),
        connections: 4,
        streams: Plan::STREAMS,
        // No machine is so busy that an answer takes longer.
        timeout: Duration::from_secs(60),
        error_ranges: vec![StatusRange { lower: Some(400), upper: None }],
        allow_initial_errors: false,
        turns: None,
        share: Share::WHOLE,
    }
}

/// So many requests, as many of them under way at any time as there are connections.
pub(crate) fn closed(url: &str, requests: u64, connections: u32) -> Plan {
    Plan { arrivals: Arrivals::Closed, connections, ..plan(url, requests, 1.0) }
}

/// So many requests over one connection, each sent when the one before has ended.
pub(crate) fn one_by_one(url: &str, requests: u64) -> Plan {
    closed(url, requests, 1)
}

pub(crate) async fn ran(plan: &Plan) -> Report {
    run(plan, &CancellationToken::new(), &|_| {}).await.unwrap()
}

/// Tries something that goes wrong when the machine stands still at the wrong moment, again as a user would.
pub(crate) async fn again<T: std::fmt::Debug>(attempt: impl AsyncFn() -> Result<(), T>) {
    let mut wrong = Vec::new();
    while let Err(what) = attempt().await {
        wrong.push(what);
        assert!(wrong.len() < 5, "{wrong:?}");
    }
}
