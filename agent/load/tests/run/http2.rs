//! HTTP/2 on the wire: streams that share a connection, connections that end politely, rudely or not at all.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::Builder;
use http::{Method, Response};
use iter8_load::{ErrorKind, Places, Plan, Protocol, Report, Vary};

use crate::plans::{again, closed, plan, ran};
use crate::server::h2::{Manners, Scripted, Stream};
use crate::server::raw::Raw;

fn over_http2(mut plan: Plan) -> Plan {
    plan.target.protocol = Protocol::Http2;
    plan
}

/// So many requests, of which so many are under way at a time on one connection.
fn on_one_connection(url: &str, requests: u64, streams: u32) -> Plan {
    Plan { streams, ..over_http2(closed(url, requests, 1)) }
}

/// So many requests, one after another and far from each other.
fn seldom(url: &str, requests: u64) -> Plan {
    over_http2(Plan { connections: 1, ..plan(url, requests, 2.0) })
}

fn count(report: &Report, kind: ErrorKind) -> u64 {
    report.errors.get(&kind).map_or(0, |detail| detail.count)
}

async fn ok(mut stream: Stream) -> Result<(), h2::Error> {
    stream.answer(200, &[], &[b"ok"], None).await
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_made_anew_without_an_error() {
    for is_rude in [true, false] {
        again(async || {
            let server = Scripted::start(Manners { streams: 1, is_rude, ..Manners::default() }, ok).await;
            let report = ran(&seldom(&server.url(), 3)).await;
            let seen = (report.completed, report.error_count(), server.accepted(), report.reconnects);
            if seen == (3, 0, 3, 2) { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_that_says_goodbye_finishes_what_is_open_and_costs_connections_only() {
    let server = Scripted::start(Manners { streams: 10, ..Manners::default() }, |mut stream: Stream| async move {
        // Other streams are open when the goodbye comes.
        tokio::time::sleep(Duration::from_millis(stream.number % 7)).await;
        stream.answer(200, &[], &[b"ok"], None).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 200, 8)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&200), 0), "{:?}", report.errors);
    assert!(server.accepted() > 1, "{} connections", server.accepted());
}

#[tokio::test]
async fn a_stream_that_is_reset_is_an_error_of_its_own_request_alone() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        if stream.number.is_multiple_of(5) {
            stream.respond.send_reset(Reason::INTERNAL_ERROR);
            return Ok(());
        }
        stream.answer(200, &[], &[b"ok"], None).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 100, 8)).await;
    assert_eq!((report.status_codes.get(&200), count(&report, ErrorKind::Reset)), (Some(&80), 20), "{report:?}");
    assert_eq!((server.accepted(), report.reconnects), (1, 0));
}

#[tokio::test]
async fn a_stream_that_is_refused_is_sent_again() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        if stream.number.is_multiple_of(3) {
            stream.respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(());
        }
        stream.answer(200, &[], &[b"ok"], None).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 50, 1)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&50), 0), "{:?}", report.errors);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_server_that_refuses_everything_is_an_error_and_is_not_asked_for_ever() {
    let asked = Arc::new(AtomicU64::new(0));
    let counted = asked.clone();
    let server = Scripted::start(Manners::default(), move |mut stream: Stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        async move {
            stream.respond.send_reset(Reason::REFUSED_STREAM);
            Ok(())
        }
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 10, 1)).await;
    assert_eq!((report.completed, count(&report, ErrorKind::Reset)), (10, 10), "{:?}", report.errors);
    assert!((20..=50).contains(&asked.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn a_server_that_allows_one_stream_at_a_time_gets_no_more() {
    let (open, most) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (now, highest) = (open.clone(), most.clone());
    let mut builder = Builder::new();
    builder.max_concurrent_streams(1);
    let server = Scripted::start(Manners { builder, ..Manners::default() }, move |mut stream: Stream| {
        let (now, highest) = (now.clone(), highest.clone());
        async move {
            highest.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(1)).await;
            now.fetch_sub(1, Ordering::SeqCst);
            stream.answer(200, &[], &[b"ok"], None).await
        }
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 50, 20)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&50), 0), "{:?}", report.errors);
    assert_eq!((server.accepted(), most.load(Ordering::SeqCst)), (1, 1));
}

#[tokio::test]
async fn a_peer_that_says_nothing_is_given_up_with_its_connection() {
    let server = Raw::start(|mut peer| async move { peer.until_closed().await }).await;
    let timeout = Duration::from_millis(100);
    let report = ran(&Plan { timeout, ..on_one_connection(&server.url(), 8, 4) }).await;
    assert_eq!((report.completed, count(&report, ErrorKind::Timeout)), (8, 8));
    assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
    // The second four found that nothing had come on the first connection.
    assert!(server.accepted() >= 2, "{} connections", server.accepted());
}

#[tokio::test]
async fn a_peer_that_falls_silent_holds_up_nobody_after_the_timeout() {
    // The first connection answers once and is then as good as gone.
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        if (1..4).contains(&stream.number) {
            return std::future::pending().await;
        }
        stream.answer(200, &[], &[b"ok"], None).await
    })
    .await;
    let timeout = Duration::from_secs(1);
    let report = ran(&Plan { timeout, ..on_one_connection(&server.url(), 40, 3) }).await;
    assert_eq!((report.status_codes.get(&200), count(&report, ErrorKind::Timeout)), (Some(&37), 3), "{report:?}");
}

#[tokio::test]
async fn a_request_that_takes_too_long_leaves_the_others_their_connection() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        if stream.number == 5 {
            return std::future::pending().await;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        stream.answer(200, &[], &[b"ok"], None).await
    })
    .await;
    let timeout = Duration::from_secs(2);
    let report = ran(&Plan { timeout, ..on_one_connection(&server.url(), 1_000, 2) }).await;
    assert_eq!((report.status_codes.get(&200), count(&report, ErrorKind::Timeout)), (Some(&999), 1), "{report:?}");
    assert_eq!((server.accepted(), report.reconnects), (1, 0));
}

#[tokio::test]
async fn a_connection_that_breaks_fails_only_what_was_under_way() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let breaks = broken.clone();
    // On the first connection four requests arrive, none is answered, and it is reset.
    let server = Scripted::start(Manners::default(), move |mut stream: Stream| {
        let breaks = breaks.clone();
        async move {
            if stream.number == 3 {
                breaks.notify_waiters();
            }
            if stream.number < 4 {
                return std::future::pending().await;
            }
            stream.answer(200, &[], &[b"ok"], None).await
        }
    })
    .await;
    let address = server.address();
    let front = Raw::start(move |peer| {
        let broken = broken.clone();
        async move {
            if peer.number > 0 {
                return peer.relay(address).await;
            }
            tokio::select! {
                ended = peer.relay(address) => ended,
                () = broken.notified() => Ok(()),
            }
        }
    })
    .await;
    let report = ran(&on_one_connection(&front.url(), 50, 4)).await;
    let failed = count(&report, ErrorKind::Reset) + count(&report, ErrorKind::Closed);
    assert_eq!((report.status_codes.get(&200), failed), (Some(&46), 4), "{:?}", report.errors);
    assert_eq!((front.accepted(), report.reconnects), (2, 1));
}

#[tokio::test]
async fn content_in_tiny_frames_does_not_end_the_connection() {
    const FRAMES: usize = 3_000;
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        stream.answer(200, &[], &[b"x".as_slice(); FRAMES], None).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 40, 4)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&40), 0), "{:?}", report.errors);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn bodies_of_ten_megabytes_are_read_to_their_end() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        stream.answer(200, &[], &[vec![b'x'; 1_000_000].as_slice(); 10], Some(&[("digest", "x")])).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 6, 3)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&6), 0), "{:?}", report.errors);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn error_statuses_keep_the_connection_and_the_head_of_their_content() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        stream.answer(503, &[("retry-after", "1")], &[b"bu", b"sy"], None).await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 100, 4)).await;
    let detail = &report.errors[&ErrorKind::Status(503)];
    assert_eq!((detail.count, detail.samples.clone()), (100, vec!["busy".to_owned()]));
    assert_eq!((server.accepted(), report.reconnects), (1, 0));
}

#[tokio::test]
async fn a_slow_reader_gets_the_whole_of_a_large_request() {
    const SIZE: usize = 1_000_000;
    let received = Arc::new(AtomicU64::new(0));
    let total = received.clone();
    let server = Scripted::start(Manners::default(), move |mut stream: Stream| {
        let total = total.clone();
        async move {
            let body = stream.request.body_mut();
            while let Some(data) = body.data().await {
                let length = data?.len();
                total.fetch_add(length as u64, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_micros(100)).await;
                body.flow_control().release_capacity(length)?;
            }
            stream.answer(200, &[], &[b"ok"], None).await
        }
    })
    .await;
    let mut plan = on_one_connection(&server.url(), 4, 2);
    (plan.target.method, plan.target.body) = (Method::POST, vec![b'x'; SIZE].into());
    let report = ran(&plan).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&4), 0), "{:?}", report.errors);
    assert_eq!((received.load(Ordering::SeqCst), server.accepted()), (4 * SIZE as u64, 1));
}

#[tokio::test]
async fn what_varies_is_made_for_each_stream() {
    let (seen, mut requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Scripted::start(Manners::default(), move |mut stream: Stream| {
        let seen = seen.clone();
        async move {
            let mut body = Vec::new();
            while let Some(data) = stream.request.body_mut().data().await {
                body.extend_from_slice(&data?);
            }
            let (path, header) = (stream.request.uri().path().to_owned(), stream.request.headers()["x-number"].clone());
            let _ = seen.send((path, header, body));
            stream.answer(200, &[], &[b"ok"], None).await
        }
    })
    .await;
    let mut plan = on_one_connection(&server.url(), 20, 4);
    plan.target.method = Method::POST;
    plan.target.headers.insert("x-number", "none".parse().unwrap());
    let places = Places { path_and_query: true, headers: vec!["x-number".parse().unwrap()], body: true };
    plan.target.vary = Some(Vary::new(places, |number, varied| {
        varied.path_and_query.push_str(&format!("/{number}"));
        varied.headers_mut()[0].push_str(if number == 7 { "7\n" } else { "n" });
        varied.body.push_str(&number.to_string());
        Ok(())
    }));
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count(), server.accepted()), (20, 1, 1), "{:?}", report.errors);
    let said = &report.errors[&ErrorKind::Protocol].samples[0];
    assert_eq!(said, "the request could not be made: what x-number would be cannot stand in a header");
    let mut numbers = BTreeSet::new();
    while let Ok((path, header, body)) = requests.try_recv() {
        let number = String::from_utf8(body).unwrap();
        assert_eq!((path, header.as_bytes()), (format!("/{number}"), &b"n"[..]));
        numbers.insert(number);
    }
    assert!(numbers.len() == 19 && !numbers.contains("7"), "{numbers:?}");
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts_as_that_answer() {
    let server = Scripted::start(Manners::default(), |mut stream: Stream| async move {
        let head = Response::builder().status(413).body(()).unwrap();
        let mut body = stream.respond.send_response(head, false)?;
        // That the rest is not wanted is told by a reset without an error (RFC 9113, section 8.1).
        body.send_data(Bytes::from_static(b"large"), true)
    })
    .await;
    let mut plan = on_one_connection(&server.url(), 20, 2);
    (plan.target.method, plan.target.body) = (Method::POST, vec![b'x'; 1_000_000].into());
    let report = ran(&plan).await;
    assert_eq!(count(&report, ErrorKind::Status(413)), 20, "{:?}", report.errors);
    assert_eq!(server.accepted(), 1);
}

#[tokio::test]
async fn a_peer_that_speaks_http_1_is_an_error() {
    let server = Raw::start(|mut peer| async move {
        peer.bytes(16).await?;
        peer.write("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await
    })
    .await;
    let report = ran(&on_one_connection(&server.url(), 6, 2)).await;
    assert_eq!((report.completed, report.error_count()), (6, 6), "{:?}", report.errors);
    assert!(report.status_codes.is_empty());
}
