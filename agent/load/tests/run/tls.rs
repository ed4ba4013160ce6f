//! TLS: who is trusted, who the client is, what is agreed on, and connections that end or answer too early.

use std::sync::atomic::Ordering;
use std::time::Duration;

use http::Method;
use iter8_load::{ErrorKind, LoadError, Plan, Protocol, Report, Tls, run};
use rustls::ServerConfig;
use tokio_util::sync::CancellationToken;

use crate::plans::{again, one_by_one, plan, ran};
use crate::server::raw::{Peer, Raw, ok};
use crate::server::tls::{Authority, Clients};
use crate::server::web::{Behaviour, Server};

/// Answers every request.
async fn friendly(config: ServerConfig) -> Raw {
    Raw::over_tls(config, |mut peer| async move {
        loop {
            peer.request().await?;
            peer.write(ok("ok")).await?;
        }
    })
    .await
}

fn with(mut plan: Plan, tls: Tls) -> Plan {
    plan.target.tls = tls;
    plan
}

fn trusting(authority: &Authority) -> Tls {
    Tls { ca_pem: Some(authority.pem()), ..Tls::default() }
}

/// The only kind of error, with what was said of it.
fn only_error(report: &Report) -> (ErrorKind, u64, String) {
    let (kind, detail) = report.errors.iter().next().expect("there are errors");
    assert_eq!(report.errors.len(), 1, "{:?}", report.errors);
    (*kind, detail.count, detail.samples.join("\n"))
}

#[tokio::test]
async fn a_server_is_trusted_by_its_authority_and_keeps_its_connection() {
    let authority = Authority::new("ours");
    let server = friendly(authority.server(&["127.0.0.1"], Clients::Anybody)).await;
    let report = ran(&with(one_by_one(&server.url(), 50), trusting(&authority))).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&50), 0), "{:?}", report.errors);
    assert_eq!((server.accepted(), report.reconnects), (1, 0));
}

#[tokio::test]
async fn who_cannot_be_trusted_is_an_error_that_says_why_unless_all_are() {
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let named = |name| ours.server(&[name], Clients::Anybody);
    let cases = [
        (theirs.server(&["127.0.0.1"], Clients::Anybody), "UnknownIssuer"),
        (named("shop.test"), "not valid for name"),
        (ours.expired_server(&["127.0.0.1"]), "expired"),
    ];
    for (config, reason) in cases {
        let server = friendly(config).await;
        let report = ran(&with(one_by_one(&server.url(), 3), trusting(&ours))).await;
        let (kind, count, text) = only_error(&report);
        assert_eq!((kind, count), (ErrorKind::Tls, 3), "{text}");
        assert!(text.contains(reason), "{text}");
        let report = ran(&with(one_by_one(&server.url(), 3), Tls { insecure: true, ..Tls::default() })).await;
        assert_eq!(report.status_codes.get(&200), Some(&3), "{:?}", report.errors);
    }
}

#[tokio::test]
async fn another_name_than_that_of_the_url_can_be_asked_for() {
    let authority = Authority::new("ours");
    let server = friendly(authority.server(&["shop.test"], Clients::Anybody)).await;
    let tls = Tls { server_name: Some("shop.test".to_owned()), ..trusting(&authority) };
    let report = ran(&with(one_by_one(&server.url(), 3), tls)).await;
    assert_eq!(report.status_codes.get(&200), Some(&3), "{:?}", report.errors);
}

#[tokio::test]
async fn a_server_that_wants_to_know_who_the_client_is_is_told() {
    let (authority, stranger) = (Authority::new("ours"), Authority::new("theirs"));
    let server = friendly(authority.server(&["127.0.0.1"], Clients::Of(&authority))).await;
    let tls = |identity| Tls { identity, ..trusting(&authority) };
    let report = ran(&with(one_by_one(&server.url(), 3), tls(Some(authority.client())))).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&3), 0), "{:?}", report.errors);
    for wrong in [None, Some(stranger.client())] {
        let report = ran(&with(one_by_one(&server.url(), 3), tls(wrong))).await;
        let (kind, count, text) = only_error(&report);
        assert_eq!((kind, count), (ErrorKind::Tls, 3), "{text}");
    }
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_before_anything_is_sent() {
    let authority = Authority::new("ours");
    let mut mixed = authority.client();
    mixed.key_pem = authority.client().key_pem;
    let cases = [
        Tls { ca_pem: Some("no certificate".into()), ..Tls::default() },
        Tls { identity: Some(mixed), ..trusting(&authority) },
        Tls { server_name: Some("no name".to_owned()), ..trusting(&authority) },
    ];
    for tls in cases {
        let plan = with(one_by_one("https://127.0.0.1:1/", 1), tls);
        let error = run(&plan, &CancellationToken::new(), &|_| {}).await.unwrap_err();
        assert!(matches!(error, LoadError::Tls(_)), "{error}");
    }
}

#[tokio::test]
async fn http2_is_agreed_on_or_is_an_error() {
    let authority = Authority::new("ours");
    let mut config = authority.server(&["127.0.0.1"], Clients::Anybody);
    let other = friendly(config.clone()).await;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = Server::over_tls(config, Behaviour::Answer { status: 200, body: 5 }).await;
    let mut plan = with(plan(&server.url(), 20, 500.0), trusting(&authority));
    plan.target.protocol = Protocol::Http2;
    let report = ran(&plan).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&20), 0), "{:?}", report.errors);
    assert_eq!(server.http2_requests.load(Ordering::SeqCst), 20);

    plan.target.url = other.url().parse().unwrap();
    let (kind, count, text) = only_error(&ran(&plan).await);
    assert_eq!((kind, count, text.as_str()), (ErrorKind::Protocol, 20, "the server does not agree to HTTP/2"));
}

#[tokio::test]
async fn bodies_of_ten_megabytes_are_read_to_their_end() {
    let authority = Authority::new("ours");
    let config = authority.server(&["127.0.0.1"], Clients::Anybody);
    let server = Server::over_tls(config, Behaviour::Answer { status: 200, body: 10_000_000 }).await;
    let report = ran(&with(one_by_one(&server.url(), 3), trusting(&authority))).await;
    assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&3), 0), "{:?}", report.errors);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// Sends requests one after another, each with so many bytes, to a server with a script.
async fn exchange<F>(requests: u64, body: usize, script: impl Fn(Peer) -> F + Clone + Send + 'static) -> (Report, u64)
where
    F: Future<Output = std::io::Result<()>> + Send,
{
    let authority = Authority::new("ours");
    let server = Raw::over_tls(authority.server(&["127.0.0.1"], Clients::Anybody), script).await;
    let mut plan = with(one_by_one(&server.url(), requests), trusting(&authority));
    if body > 0 {
        (plan.target.method, plan.target.body) = (Method::POST, vec![b'x'; body].into());
    }
    let report = ran(&plan).await;
    (report, server.accepted())
}

#[tokio::test]
async fn an_answer_before_the_request_was_read_counts_as_that_answer() {
    // By its end with bytes unread, a connection is reset; with or without a farewell.
    for farewell in [false, true] {
        let (report, accepted) = exchange(20, 8_000_000, move |mut peer| async move {
            peer.head().await?;
            peer.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 5\r\n\r\nlarge").await?;
            if farewell { peer.half_close().await } else { Ok(()) }
        })
        .await;
        assert_eq!((only_error(&report).0, only_error(&report).1), (ErrorKind::Status(413), 20));
        assert_eq!(accepted, 20);
    }
}

#[tokio::test]
async fn content_that_the_end_of_the_connection_ends_needs_a_farewell() {
    // Without one, anybody on the way could have cut it short (RFC 9112, section 9.8).
    for farewell in [true, false] {
        let (report, _) = exchange(5, 0, move |mut peer| async move {
            peer.request().await?;
            peer.write("HTTP/1.1 200 OK\r\n\r\nuntil the end").await?;
            if farewell { peer.half_close().await } else { Ok(()) }
        })
        .await;
        if farewell {
            assert_eq!((report.status_codes.get(&200), report.error_count()), (Some(&5), 0), "{:?}", report.errors);
        } else {
            assert_eq!((only_error(&report).0, only_error(&report).1), (ErrorKind::Closed, 5));
        }
    }
}

#[tokio::test]
async fn a_connection_that_was_closed_while_idle_is_made_anew_without_an_error() {
    let authority = Authority::new("ours");
    again(async || {
        let server = Raw::over_tls(authority.server(&["127.0.0.1"], Clients::Anybody), |mut peer| async move {
            peer.request().await?;
            peer.write(ok("ok")).await?;
            peer.half_close().await
        })
        .await;
        let report = ran(&with(Plan { connections: 1, ..plan(&server.url(), 3, 2.0) }, trusting(&authority))).await;
        let seen = (report.completed, report.error_count(), server.accepted(), report.reconnects);
        if seen == (3, 0, 3, 2) { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn who_speaks_no_tls_is_an_error_and_who_is_silent_a_timeout() {
    let server = Raw::start(|mut peer| async move {
        peer.bytes(1).await?;
        peer.write("HTTP/1.1 400 Bad Request\r\n\r\n").await?;
        peer.until_closed().await
    })
    .await;
    let https = |server: &Raw| format!("https://{}/", server.address());
    let (kind, count, text) = only_error(&ran(&one_by_one(&https(&server), 3)).await);
    assert_eq!((kind, count), (ErrorKind::Tls, 3), "{text}");

    let server = Raw::start(|mut peer| async move { peer.until_closed().await }).await;
    let timeout = Duration::from_millis(100);
    let (kind, count, _) = only_error(&ran(&Plan { timeout, ..one_by_one(&https(&server), 3) }).await);
    assert_eq!((kind, count), (ErrorKind::Timeout, 3));
}
