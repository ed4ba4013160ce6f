//! HTTP/1.1 on the wire: bodies of any size, connections that are kept, cut, closed and silent.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::Method;
use iter8_load::{ErrorKind, Outcome, Places, Plan, Report, Vary};
use tokio::net::{TcpSocket, TcpStream};

use crate::plans::{again, closed, one_by_one, plan, ran};
use crate::server::nobody;
use crate::server::raw::{Raw, ok};
use crate::server::web::{Behaviour, Server};

fn post(mut plan: Plan, body: impl Into<Bytes>) -> Plan {
    plan.target.method = Method::POST;
    plan.target.body = body.into();
    plan
}

fn count(report: &Report, kind: ErrorKind) -> u64 {
    report.errors.get(&kind).map_or(0, |detail| detail.count)
}

/// How often the connection was cut or closed.
fn broken(report: &Report) -> u64 {
    count(report, ErrorKind::Reset) + count(report, ErrorKind::Closed)
}

#[tokio::test]
async fn bodies_of_200_kilobytes_are_all_successes_on_the_configured_connections() {
    let server = Server::start(Behaviour::Answer { status: 200, body: 200_000 }).await;
    let report = ran(&closed(&server.url(), 600, 8)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count(), report.reconnects), (Some(&600), 0, 0));
    assert_eq!(server.connections.load(Ordering::SeqCst), 8);
}

#[tokio::test]
async fn bodies_of_ten_megabytes_are_read_to_their_end_and_keep_the_connection() {
    let bodies = [Behaviour::Answer { status: 200, body: 10_000_000 }, Behaviour::Chunked { chunks: 10_000 }];
    for behaviour in bodies {
        let server = Server::start(behaviour).await;
        let report = ran(&one_by_one(&server.url(), 3)).await;
        assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&3), 0));
        assert_eq!(server.connections.load(Ordering::SeqCst), 1);
    }
}

#[tokio::test]
async fn error_statuses_do_not_make_a_storm_of_connections() {
    let server = Server::start(Behaviour::Answer { status: 500, body: 5_000 }).await;
    let report = ran(&closed(&server.url(), 600, 8)).await;
    assert_eq!(count(&report, ErrorKind::Status(500)), 600);
    assert_eq!((server.connections.load(Ordering::SeqCst), report.reconnects), (8, 0));
}

#[tokio::test]
async fn responses_of_every_framing_follow_each_other_on_one_connection() {
    let responses: Vec<String> = [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nDigest: x\r\nZ: y\r\n\r\n",
        "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
        "HTTP/1.1 204 No Content\r\n\r\n",
        "HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n",
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok",
    ]
    .map(str::to_owned)
    .into();
    let requests = responses.len() as u64;
    for piece in [1, usize::MAX] {
        let responses = responses.clone();
        let server = Raw::start(move |mut peer| {
            let responses = responses.clone();
            async move {
                for response in responses {
                    peer.request().await?;
                    peer.write_in_pieces(response.as_bytes(), piece).await?;
                }
                peer.until_closed().await
            }
        })
        .await;
        let report = ran(&one_by_one(&server.url(), requests)).await;
        assert_eq!((report.response[&Outcome::Success].len(), server.accepted()), (requests, 1), "{report:?}");
    }
}

#[tokio::test]
async fn content_that_the_end_of_the_connection_ends_is_a_success_on_a_connection_of_its_own() {
    let server = Raw::start(|mut peer| async move {
        peer.request().await?;
        peer.write("HTTP/1.1 200 OK\r\n\r\nuntil the end").await?;
        peer.half_close().await?;
        peer.until_closed().await
    })
    .await;
    let report = ran(&one_by_one(&server.url(), 10)).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&10), 0));
    assert_eq!((server.accepted(), report.reconnects), (10, 9));
}

#[tokio::test]
async fn a_keep_alive_limit_costs_connections_and_no_errors() {
    for says_so in [true, false] {
        let server = Raw::start(move |mut peer| async move {
            for _ in 1..10 {
                peer.request().await?;
                peer.write(ok("ok")).await?;
            }
            peer.request().await?;
            let connection = if says_so { "Connection: close\r\n" } else { "" };
            peer.write(format!("HTTP/1.1 200 OK\r\n{connection}Content-Length: 2\r\n\r\nok")).await
        })
        .await;
        let report = ran(&Plan { connections: 2, ..plan(&server.url(), 200, 1_000.0) }).await;
        assert_eq!((report.completed, report.error_count()), (200, 0), "{:?}", report.errors);
        let connections = server.accepted();
        assert!((20..=22).contains(&connections), "{connections} connections");
        assert!(report.reconnects >= connections - 2, "{} reconnects", report.reconnects);
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_made_anew_without_an_error() {
    // Far enough from each other that the end of the connection is mostly known before the next request is due.
    for method in [Method::GET, Method::POST] {
        again(async || {
            let server = Raw::start(|mut peer| async move {
                peer.request().await?;
                peer.write(ok("ok")).await
            })
            .await;
            let mut plan = Plan { connections: 1, ..plan(&server.url(), 3, 2.0) };
            plan.target.method = method.clone();
            let report = ran(&plan).await;
            let seen = (report.completed, report.error_count(), server.accepted(), report.reconnects);
            if seen == (3, 0, 3, 2) { Ok(()) } else { Err(seen) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_request_that_met_a_closing_connection_is_sent_again_only_if_that_does_no_harm() {
    // The second request of each connection is read, which is to say that it had been sent, and never answered.
    for reset in [false, true] {
        for (method, expected) in [(Method::GET, 0), (Method::PUT, 0), (Method::POST, 4), (Method::PATCH, 4)] {
            let server = Raw::start(move |mut peer| async move {
                peer.request().await?;
                peer.write(ok("ok")).await?;
                peer.request().await?;
                if reset { peer.reset() } else { Ok(()) }
            })
            .await;
            let mut plan = one_by_one(&server.url(), 8);
            plan.target.method = method.clone();
            let report = ran(&plan).await;
            assert_eq!((report.completed, report.error_count()), (8, expected), "{method} {:?}", report.errors);
            assert_eq!(broken(&report), expected);
        }
    }
}

#[tokio::test]
async fn a_response_that_began_is_never_asked_for_again() {
    for beginning in ["HTTP/1.1 100 Continue\r\n\r\n", "HTTP/1.1 2", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no"] {
        for reset in [false, true] {
            let server = Raw::start(move |mut peer| async move {
                if peer.number == 0 {
                    peer.request().await?;
                    peer.write(ok("ok")).await?;
                    peer.request().await?;
                    peer.write_in_pieces(beginning.as_bytes(), usize::MAX).await?;
                    return if reset { peer.reset() } else { Ok(()) };
                }
                loop {
                    peer.request().await?;
                    peer.write(ok("ok")).await?;
                }
            })
            .await;
            let report = ran(&one_by_one(&server.url(), 3)).await;
            assert_eq!((report.status_codes.get(&200), broken(&report)), (Some(&2), 1), "{beginning:?} {reset}");
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_no_reconnect() {
    let (_held, url) = nobody();
    let report = ran(&one_by_one(&url, 5)).await;
    assert_eq!((count(&report, ErrorKind::Refused), report.reconnects), (5, 0));
}

#[tokio::test]
async fn a_slow_reader_gets_the_whole_of_a_large_request() {
    const SIZE: usize = 8_000_000;
    let received = Arc::new(AtomicU64::new(0));
    let total = received.clone();
    let server = Raw::start(move |mut peer| {
        let total = total.clone();
        async move {
            loop {
                peer.head().await?;
                for _ in 0..SIZE / 100_000 {
                    total.fetch_add(peer.bytes(100_000).await?.len() as u64, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_micros(100)).await;
                }
                peer.write(ok("ok")).await?;
            }
        }
    })
    .await;
    let report = ran(&post(one_by_one(&server.url(), 3), vec![b'x'; SIZE])).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&3), 0), "{:?}", report.errors);
    assert_eq!((received.load(Ordering::SeqCst), server.accepted()), (3 * SIZE as u64, 1));
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts_as_that_answer() {
    // By its end with bytes unread, a connection is reset.
    for stays in [false, true] {
        let server = Raw::start(move |mut peer| async move {
            peer.head().await?;
            peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge").await?;
            if stays { peer.until_closed().await } else { Ok(()) }
        })
        .await;
        let report = ran(&post(one_by_one(&server.url(), 40), vec![b'x'; 8_000_000])).await;
        assert_eq!(count(&report, ErrorKind::Status(413)), 40, "{:?}", report.errors);
        // The rest of a request in the way of the next one.
        assert_eq!(server.accepted(), 40);
    }
}

#[tokio::test]
async fn a_peer_that_falls_silent_is_given_up_after_the_timeout_and_not_before() {
    const TIMEOUT: Duration = Duration::from_millis(100);
    for beginning in ["", "HTTP/1.1 200 OK\r\nContent-Le", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc"] {
        let server = Raw::start(move |mut peer| async move {
            peer.request().await?;
            peer.write(beginning).await?;
            peer.until_closed().await
        })
        .await;
        let report = ran(&Plan { timeout: TIMEOUT, ..one_by_one(&server.url(), 3) }).await;
        assert_eq!(count(&report, ErrorKind::Timeout), 3);
        assert!(report.moments.min() >= Some(100.0) && report.service.quantile(0.0) >= Some(TIMEOUT), "{report:?}");
        assert_eq!((server.accepted(), report.reconnects), (3, 2), "a connection is not used again");
    }
}

#[tokio::test]
async fn a_request_that_nobody_reads_is_given_up_after_the_timeout() {
    let server = Raw::start(|peer| async move {
        // Holds the connection without reading.
        let _peer = peer;
        std::future::pending().await
    })
    .await;
    let timeout = Duration::from_millis(100);
    let report = ran(&post(Plan { timeout, ..one_by_one(&server.url(), 2) }, vec![b'x'; 30_000_000])).await;
    assert_eq!(count(&report, ErrorKind::Timeout), 2);
    assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
}

#[tokio::test]
async fn a_connection_that_cannot_be_made_in_time_is_given_up() {
    // A queue of connections that is full and never emptied: to a further one nobody answers.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    let connect = || tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address));
    while let Ok(connected) = connect().await {
        waiting.push(connected.unwrap());
    }
    let timeout = Duration::from_millis(100);
    let report = ran(&Plan { timeout, ..one_by_one(&format!("http://{address}/"), 2) }).await;
    assert_eq!((count(&report, ErrorKind::Timeout), report.reconnects), (2, 0));
    assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
}

#[tokio::test]
async fn an_address_of_version_6_is_reached_and_named_in_brackets() {
    let server = Raw::at("[::1]:0", |mut peer| async move {
        let request = peer.request().await?;
        let host = format!("host: {}\r\n", peer.address()?);
        let status = if String::from_utf8_lossy(&request).contains(&host) { 200 } else { 400 };
        peer.write(format!("HTTP/1.1 {status} \r\nContent-Length: 0\r\n\r\n")).await
    })
    .await;
    let report = ran(&one_by_one(&server.url(), 1)).await;
    assert_eq!(report.status_codes.get(&200), Some(&1), "{report:?}");
}

#[tokio::test]
async fn a_request_that_closes_its_connection_is_the_last_on_it_whatever_the_server_says() {
    let server = Raw::start(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write(ok("ok")).await?;
        }
    })
    .await;
    let mut plan = one_by_one(&server.url(), 5);
    plan.target.headers.insert("connection", "close".parse().unwrap());
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count(), server.accepted()), (5, 0, 5));
}

#[tokio::test]
async fn what_varies_is_made_for_each_request_with_its_length() {
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            loop {
                let request = peer.request().await?;
                let _ = seen.send(request);
                peer.write(ok("ok")).await?;
            }
        }
    })
    .await;
    let mut plan = post(one_by_one(&server.url(), 12), "the same");
    plan.target.headers.insert("x-kept", "1".parse().unwrap());
    plan.target.headers.insert("x-number", "none".parse().unwrap());
    let places = Places { path_and_query: true, headers: vec!["x-number".parse().unwrap()], body: true };
    plan.target.vary = Some(Vary::new(places, |number, varied| {
        if number == 5 {
            return Err("five is right out".to_owned());
        }
        varied.headers_mut()[0].push_str(&number.to_string());
        varied.path_and_query.push_str(&if number > 0 { format!("/items/{number}?q") } else { "/".to_owned() });
        varied.body.push_str(&"x".repeat(usize::try_from(number).unwrap()));
        Ok(())
    }));
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count()), (12, 1));
    let said = &report.errors[&ErrorKind::Protocol].samples[0];
    assert!(said.ends_with("five is right out"), "{said}");
    drop(server);
    let requests: Vec<String> = seen_in(requests);
    assert!(
        requests[0].starts_with("POST / HTTP/1.1\r\n") && requests[0].contains("content-length: 0\r\n"),
        "{requests:?}"
    );
    let last = requests.last().unwrap();
    assert!(last.starts_with("POST /items/11?q HTTP/1.1\r\n") && last.ends_with(&"x".repeat(11)), "{last}");
    assert!(last.contains("x-kept: 1\r\n") && last.contains("x-number: 11\r\n") && !last.contains("none"), "{last}");
    assert!(last.contains("content-length: 11\r\n"), "{last}");
}

#[tokio::test]
async fn what_would_be_another_request_is_not_sent() {
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            loop {
                let request = peer.request().await?;
                let _ = seen.send(request);
                peer.write(ok("ok")).await?;
            }
        }
    })
    .await;
    let mut plan = one_by_one(&server.url(), 4);
    let places = Places { path_and_query: true, headers: vec!["x-varied".parse().unwrap()], body: false };
    plan.target.vary = Some(Vary::new(places, |number, varied| {
        varied.path_and_query.push_str(if number == 1 { "/ HTTP/1.1\r\n\r\nGET /evil" } else { "/good" });
        varied.headers_mut()[0].push_str(if number == 2 { "1\r\n\r\nGET /evil HTTP/1.1" } else { "good" });
        Ok(())
    }));
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count()), (4, 2));
    let said = report.errors[&ErrorKind::Protocol].samples.join("; ");
    assert!(
        said.contains("is no path: ") && said.contains("what x-varied would be cannot stand in a header"),
        "{said}"
    );
    drop(server);
    let requests = seen_in(requests);
    assert_eq!(requests.len(), 2);
    assert!(requests.iter().all(|request| request.starts_with("GET /good HTTP/1.1\r\n")), "{requests:?}");
}

#[tokio::test]
async fn a_request_that_says_close_where_it_differs_is_the_last_on_its_connection() {
    let server = Raw::start(|mut peer| async move {
        loop {
            peer.request().await?;
            peer.write(ok("ok")).await?;
        }
    })
    .await;
    let mut plan = one_by_one(&server.url(), 6);
    let places = Places { headers: vec!["connection".parse().unwrap()], ..Places::default() };
    plan.target.vary = Some(Vary::new(places, |number, varied| {
        varied.headers_mut()[0].push_str(if number % 2 == 1 { "close" } else { "keep-alive" });
        Ok(())
    }));
    let report = ran(&plan).await;
    assert_eq!((report.completed, report.error_count(), server.accepted()), (6, 0, 3));
}

fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Elsewhere\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n").into_bytes()
}

#[tokio::test]
async fn redirects_are_followed_as_a_part_of_the_request_and_tell_nobody_else_who_it_is() {
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    let other = Raw::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            let request = peer.request().await?;
            let _ = seen.send(request);
            peer.write(ok("found")).await
        }
    })
    .await;
    let there = format!("{}/there", other.url().trim_end_matches('/'));
    let server = Raw::start(move |mut peer| {
        let there = there.clone();
        async move {
            loop {
                let request = String::from_utf8_lossy(&peer.request().await?).into_owned();
                let answer = if request.starts_with("POST / ") {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    redirect(303, "/next")
                } else if request.starts_with("GET /next ") && request.contains("authorization: s3cret") {
                    redirect(307, &there)
                } else {
                    redirect(302, "/again")
                };
                peer.write(answer).await?;
            }
        }
    })
    .await;
    let mut plan = post(one_by_one(&server.url(), 5), "x=1");
    plan.target.headers.insert("authorization", "s3cret".parse().unwrap());
    let report = ran(&plan).await;
    assert_eq!(report.status_codes.get(&303), Some(&5), "unless it is asked for, none is followed");

    plan.target.follow_redirects = true;
    let report = ran(&plan).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&5), 0), "{:?}", report.errors);
    assert!(report.moments.min().is_some_and(|least| least >= 20.0), "the wait for the redirect counts");
    let requests = seen_in(requests);
    assert_eq!(requests.len(), 5);
    assert!(
        requests.iter().all(|request| request.starts_with("GET /there ") && !request.contains("s3cret")),
        "{requests:?}"
    );

    plan.target.url.set_path("/loop");
    let report = ran(&plan).await;
    assert_eq!(report.errors[&ErrorKind::Protocol].samples, ["redirected more than 10 times"]);
}

#[tokio::test]
async fn a_redirect_leads_on_from_the_request_as_it_was_made() {
    let (seen, requests) = tokio::sync::mpsc::unbounded_channel();
    let server = Raw::start(move |mut peer| {
        let seen = seen.clone();
        async move {
            loop {
                let request = String::from_utf8_lossy(&peer.request().await?).into_owned();
                let is_redirected = request.contains("/items/ HTTP/1.1");
                let _ = seen.send(request.into_bytes());
                peer.write(if is_redirected { redirect(307, "../found") } else { ok("found").into_bytes() }).await?;
            }
        }
    })
    .await;
    let mut plan = post(one_by_one(&server.url(), 3), "the same");
    plan.target.url.set_path("/never");
    plan.target.follow_redirects = true;
    let places = Places { path_and_query: true, headers: vec!["x-number".parse().unwrap()], body: true };
    plan.target.vary = Some(Vary::new(places, |number, varied| {
        varied.path_and_query.push_str(&format!("/shop/{number}/items/"));
        varied.headers_mut()[0].push_str(&number.to_string());
        varied.body.push_str(&format!("body {number}"));
        Ok(())
    }));
    let report = ran(&plan).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&3), 0), "{:?}", report.errors);
    drop(server);
    let requests = seen_in(requests);
    assert_eq!(requests.len(), 6);
    for (number, two) in requests.chunks(2).enumerate() {
        for (request, path) in two.iter().zip([format!("/shop/{number}/items/"), format!("/shop/{number}/found")]) {
            assert!(request.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{request}");
            assert!(request.contains(&format!("x-number: {number}\r\n")), "{request}");
            assert!(request.ends_with(&format!("content-length: 6\r\n\r\nbody {number}")), "{request}");
        }
    }
}

/// Every request that was seen, as text.
fn seen_in(mut requests: tokio::sync::mpsc::UnboundedReceiver<Vec<u8>>) -> Vec<String> {
    std::iter::from_fn(|| requests.try_recv().ok()).map(|request| String::from_utf8(request).unwrap()).collect()
}
