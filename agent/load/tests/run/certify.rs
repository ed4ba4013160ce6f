//! Runs that the engine itself does not trust. That it was late because its CPU was gone is shown by the agent's tests, which
//! can stop a process.

use std::time::Duration;

use iter8_load::{Arrivals, Fault, Plan, WhenBusy};

use crate::plans::{closed, plan, ran};
use crate::server::raw::{Raw, ok};

async fn slow() -> Raw {
    Raw::start(|mut peer| async move {
        loop {
            peer.request().await?;
            tokio::time::sleep(Duration::from_millis(5)).await;
            peer.write(ok("ok")).await?;
        }
    })
    .await
}

#[tokio::test]
async fn too_few_connections_for_an_open_load_are_a_fault() {
    let server = slow().await;
    let report = ran(&Plan { connections: 2, ..plan(&server.url(), 150, 1_000.0) }).await;
    assert_eq!(report.completed, 150);
    let full = report.faults.iter().find(|fault| matches!(fault, Fault::Full { connections: 2, .. }));
    assert!(full.unwrap().to_string().contains("raise connections"), "{:?}", report.faults);
}

#[tokio::test]
async fn a_closed_load_keeps_its_connections_busy_without_a_fault() {
    let server = slow().await;
    let report = ran(&closed(&server.url(), 150, 2)).await;
    let full = report.faults.iter().find(|fault| matches!(fault, Fault::Full { .. }));
    assert_eq!((report.completed, full), (150, None));
}

#[tokio::test]
async fn requests_that_are_dropped_are_a_fault() {
    let server = slow().await;
    let mut plan = Plan { connections: 1, ..plan(&server.url(), 150, 2_000.0) };
    if let Arrivals::Open { when_busy, .. } = &mut plan.arrivals {
        *when_busy = WhenBusy::Drop;
    }
    let report = ran(&plan).await;
    assert!(report.dropped > 2 && report.completed + report.dropped == 150, "{report:?}");
    let expected = Fault::NotSent { dropped: report.dropped, offered: 150 };
    assert!(report.faults.contains(&expected), "{:?}", report.faults);
}
