//! The engine and hyper read the same bytes and must say the same: which status, which content, and whether the connection
//! may be used again. Where they differ on purpose stands with the reason in the last table.

use std::io;
use std::time::Duration;

use futures_util::StreamExt as _;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use iter8_load::{ErrorKind, Plan, StatusRange};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use crate::plans::{one_by_one, ran};
use crate::server::raw::{Peer, Raw};

/// What a server sends for a request, and then.
#[derive(Clone, Copy)]
enum Then {
    /// Waits for the next request.
    Stay,
    /// Closes.
    Close,
    /// Resets the connection.
    Reset,
}

#[derive(Clone)]
struct Case {
    method: Method,
    bytes: Vec<u8>,
    then: Then,
}

/// What a client makes of it. Why it failed is put differently by everyone.
#[derive(Clone, Debug, PartialEq)]
enum Seen {
    Answer { status: u16, content: String, is_kept: bool },
    Failure,
}

/// Tells the second answer from the first.
const SECOND: u16 = 299;
/// Whatever content is compared fits into what the engine keeps of an error.
const SAMPLE: usize = 300;
/// Longer than any case takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

async fn serve(mut peer: Peer, case: Case, piece: usize) -> io::Result<()> {
    if peer.number == 0 {
        peer.request().await?;
        peer.write_in_pieces(&case.bytes, piece).await?;
        match case.then {
            Then::Stay => {}
            Then::Close => return Ok(()),
            Then::Reset => return peer.reset(),
        }
    }
    peer.request().await?;
    peer.write(format!("HTTP/1.1 {SECOND} \r\nContent-Length: 0\r\n\r\n")).await?;
    peer.until_closed().await
}

async fn server(case: &Case, piece: usize) -> Raw {
    let case = case.clone();
    Raw::start(move |peer| serve(peer, case.clone(), piece)).await
}

/// Two requests, of which the second shows whether the connection was kept.
async fn by_engine(case: &Case, piece: usize) -> Seen {
    let server = server(case, piece).await;
    let mut plan = Plan { timeout: PATIENCE, ..one_by_one(&server.url(), 2) };
    plan.target.method = case.method.clone();
    // Of errors the report shows the content.
    plan.error_ranges = vec![StatusRange { lower: None, upper: None }];
    let report = ran(&plan).await;
    assert!(!report.errors.contains_key(&ErrorKind::Timeout), "{report:?}");
    assert_eq!(report.status_codes.get(&SECOND), Some(&1), "the second request is always answered: {report:?}");
    match report.status_codes.keys().find(|status| **status != SECOND) {
        Some(status) => Seen::Answer {
            status: *status,
            content: report.errors[&ErrorKind::Status(*status)].samples.first().cloned().unwrap_or_default(),
            is_kept: server.accepted() == 1,
        },
        None => Seen::Failure,
    }
}

async fn by_hyper(case: &Case, piece: usize) -> Seen {
    let server = server(case, piece).await;
    let seen = tokio::time::timeout(PATIENCE, async {
        let stream = TcpStream::connect(server.address()).await.ok()?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let mut driver = JoinSet::new();
        driver.spawn(async { drop(connection.await) });
        let request = || Request::builder().method(&case.method).uri("/").body(Empty::<&[u8]>::new()).unwrap();
        let response = sender.send_request(request()).await.ok()?;
        let status = response.status().as_u16();
        let content = response.into_body().collect().await.ok()?.to_bytes();
        let is_kept = sender.ready().await.is_ok()
            && sender.send_request(request()).await.is_ok_and(|second| second.status().as_u16() == SECOND);
        let content = String::from_utf8_lossy(&content[..content.len().min(SAMPLE)]).trim().to_owned();
        Some(Seen::Answer { status, content, is_kept })
    });
    seen.await.expect("hyper comes to an end").unwrap_or(Seen::Failure)
}

fn case(method: Method, text: &str, then: Then) -> Case {
    Case { method, bytes: text.into(), then }
}

/// A head of `lines`, as a server writes it.
fn head(lines: &[&str]) -> String {
    format!("{}\r\n\r\n", lines.join("\r\n"))
}

const OK: &str = "HTTP/1.1 200 OK";
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What both must take for the same.
fn agreed() -> Vec<Case> {
    use Then::{Close, Reset, Stay};
    let get = |text: &str, then| case(Method::GET, text, then);
    let chunked = |text: &str, then| case(Method::GET, &format!("{CHUNKED}{text}"), then);
    let with = |lines: &[&str], content: &str, then| get(&format!("{}{content}", head(lines)), then);
    let many_headers = |count| format!("HTTP/1.1 200 OK\r\n{}Content-Length: 2\r\n\r\nok", "X: y\r\n".repeat(count));
    let long_header = |length| format!("HTTP/1.1 200 OK\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", "x".repeat(length));
    vec![
        // Content-Length.
        with(&[OK, "Content-Length: 2"], "ok", Stay),
        with(&[OK, "Content-Length: 0"], "", Stay),
        with(&[OK, "content-length:2"], "ok", Stay),
        with(&[OK, "CONTENT-LENGTH: \t 2 \t "], "ok", Stay),
        with(&[OK, "Content-Length: 002"], "ok", Stay),
        with(&[OK, "Content-Length: 2, 2"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Content-Length: 2"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Content-Length: 3"], "ok", Close),
        with(&[OK, "Content-Length: 2, 3"], "ok", Close),
        with(&[OK, "Content-Length: 2,"], "ok", Close),
        with(&[OK, "Content-Length: "], "ok", Close),
        with(&[OK, "Content-Length: +2"], "ok", Close),
        with(&[OK, "Content-Length: -2"], "ok", Close),
        with(&[OK, "Content-Length: 0x2"], "ok", Close),
        with(&[OK, "Content-Length: 2 2"], "ok", Close),
        with(&[OK, "Content-Length: 18446744073709551616"], "ok", Close),
        with(&[OK, "Content-Length: 5"], "ok", Close),
        with(&[OK, "Content-Length: 5"], "ok", Reset),
        with(&[OK, "Content-Length: 2"], "ok", Close),
        // Chunks.
        chunked("2\r\nok\r\n0\r\n\r\n", Stay),
        chunked("0\r\n\r\n", Stay),
        chunked("1\r\no\r\n1\r\nk\r\n0\r\n\r\n", Stay),
        chunked("000002\r\nok\r\n0000\r\n\r\n", Stay),
        chunked("000000000000000000000000000002\r\nok\r\n0\r\n\r\n", Stay),
        chunked("a\r\n0123456789\r\n0\r\n\r\n", Stay),
        chunked("A\r\n0123456789\r\n0\r\n\r\n", Stay),
        chunked("2;name=value\r\nok\r\n0;last\r\n\r\n", Stay),
        chunked("2;name=\"a;b\"\r\nok\r\n0\r\n\r\n", Stay),
        chunked("2 ;name\r\nok\r\n0\r\n\r\n", Stay),
        chunked("2\t\r\nok\r\n0\r\n\r\n", Stay),
        chunked("2\r\nok\r\n0\r\nDigest: x\r\nY: z\r\n\r\n", Stay),
        chunked("2;a\nb\r\nok\r\n0\r\n\r\n", Close),
        chunked("2\nok\n0\n\n", Close),
        chunked(" 2\r\nok\r\n0\r\n\r\n", Close),
        chunked("2 2\r\nok\r\n0\r\n\r\n", Close),
        chunked("0x2\r\nok\r\n0\r\n\r\n", Close),
        chunked("-2\r\nok\r\n0\r\n\r\n", Close),
        chunked("\r\n", Close),
        chunked("g\r\n", Close),
        chunked("1\r\nok\r\n0\r\n\r\n", Close),
        chunked("3\r\nok\r\n0\r\n\r\n", Close),
        chunked("2\r\nok0\r\n\r\n", Close),
        chunked("10000000000000000\r\nok", Close),
        chunked("ffffffffffffffff\r\nok", Close),
        chunked("2\r\nok\r\n", Close),
        chunked("2\r\nok\r\n0\r\n", Close),
        chunked("2\r\nok\r\n0\r\nX: y\r\n", Close),
        chunked("2\r\no", Close),
        chunked("2\r", Close),
        chunked("", Close),
        with(&[OK, "Transfer-Encoding: Chunked"], "2\r\nok\r\n0\r\n\r\n", Stay),
        with(&[OK, "Transfer-Encoding: gzip, chunked"], "2\r\nok\r\n0\r\n\r\n", Stay),
        with(&[OK, "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"], "2\r\nok\r\n0\r\n\r\n", Stay),
        with(&[OK, "Transfer-Encoding: chunked, gzip"], "ok", Close),
        with(&[OK, "Transfer-Encoding: chunked", "Transfer-Encoding: gzip"], "ok", Close),
        with(&[OK, "Transfer-Encoding: identity"], "ok", Close),
        with(&[OK, "Transfer-Encoding: xchunked"], "ok", Close),
        with(&[OK, "Transfer-Encoding: "], "ok", Close),
        with(&[OK, "Transfer-Encoding: gzip", "Content-Length: 1"], "ok", Close),
        with(&[OK, "Transfer-Encoding: chunked", "Content-Length: x"], "2\r\nok\r\n0\r\n\r\n", Close),
        // Content that the end of the connection ends.
        with(&[OK], "ok", Close),
        with(&[OK], "", Close),
        with(&[OK], "ok", Reset),
        with(&[OK, "Connection: keep-alive"], "ok", Close),
        with(&["HTTP/1.0 200 OK"], "ok", Close),
        // Persistence.
        with(&[OK, "Content-Length: 2", "Connection: close"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Connection: CLOSE"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Connection: Upgrade, close"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Connection: close", "Connection: keep-alive"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Connection: keep-alive", "Connection: close"], "ok", Stay),
        with(&[OK, "Content-Length: 2", "Connection: closed"], "ok", Stay),
        with(&["HTTP/1.0 200 OK", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.0 200 OK", "Content-Length: 2", "Connection: keep-alive"], "ok", Stay),
        with(&["HTTP/1.0 200 OK", "Content-Length: 2", "Connection: Keep-Alive, X"], "ok", Stay),
        // Statuses and methods without content.
        with(&["HTTP/1.1 204 No Content"], "", Stay),
        with(&["HTTP/1.1 204 No Content", "Content-Length: 5"], "", Stay),
        with(&["HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"], "", Stay),
        with(&["HTTP/1.1 204 No Content", "Content-Length: x"], "", Stay),
        with(&["HTTP/1.1 304 Not Modified", "Content-Length: 5"], "", Stay),
        with(&["HTTP/1.1 205 Reset Content", "Content-Length: 0"], "", Stay),
        case(Method::HEAD, &head(&[OK, "Content-Length: 5000"]), Stay),
        case(Method::HEAD, &head(&[OK, "Transfer-Encoding: chunked"]), Stay),
        case(Method::HEAD, &head(&[OK, "Content-Length: 5, 6"]), Stay),
        case(Method::HEAD, &head(&[OK]), Stay),
        case(Method::HEAD, &head(&["HTTP/1.1 404 Not Found", "Content-Length: 9"]), Stay),
        case(Method::HEAD, &head(&["HTTP/1.0 200 OK"]), Stay),
        // Interim responses.
        get(&format!("{}{}ok", head(&["HTTP/1.1 100 Continue"]), head(&[OK, "Content-Length: 2"])), Stay),
        get(
            &format!(
                "{}{}{}ok",
                head(&["HTTP/1.1 102 Processing"]),
                head(&["HTTP/1.1 103 Early Hints", "Link: </a>", "Content-Length: 7"]),
                head(&[OK, "Content-Length: 2"])
            ),
            Stay,
        ),
        get(&head(&["HTTP/1.1 100 Continue"]), Close),
        get(&format!("{}HTTP/1.1 2", head(&["HTTP/1.1 103 Early Hints"])), Close),
        // Status lines.
        with(&["HTTP/1.1 200", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.1 200 ", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.1 200 All is well \u{e9}", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.1 999 What", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.1 599 What", "Content-Length: 2"], "ok", Stay),
        with(&["HTTP/1.1 099 What", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/1.1 20 OK", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/1.1 2000 OK", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/1.1 abc OK", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/2.0 200 OK", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/1.2 200 OK", "Content-Length: 2"], "ok", Close),
        with(&["http/1.1 200 OK", "Content-Length: 2"], "ok", Close),
        with(&["HTTP/1.1  200 OK", "Content-Length: 2"], "ok", Close),
        with(&["ICY 200 OK", "Content-Length: 2"], "ok", Close),
        // Lines.
        get("HTTP/1.1 200 OK\nContent-Length: 2\n\nok", Stay),
        get("HTTP/1.1 200 OK\r\nContent-Length: 2\n\r\nok", Stay),
        get("\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Stay),
        get("HTTP/1.1 200 OK\rContent-Length: 2\r\n\r\nok", Close),
        with(&[OK, "X: a", " folded", "Content-Length: 2"], "ok", Close),
        with(&[OK, "Content-Length : 2"], "ok", Close),
        with(&[OK, "No colon", "Content-Length: 2"], "ok", Close),
        with(&[OK, ": no name", "Content-Length: 2"], "ok", Close),
        with(&[OK, "X: a\u{0}b", "Content-Length: 2"], "ok", Close),
        with(&[OK, "X: \u{fc}", "Content-Length: 2"], "ok", Stay),
        with(&[OK, "X:", "Content-Length: 2"], "ok", Stay),
        get(&many_headers(90), Stay),
        get(&many_headers(200), Close),
        get(&long_header(60_000), Stay),
        // Ends, and no beginning.
        get("", Close),
        get("", Reset),
        get("HTT", Close),
        get("HTTP/1.1 200 OK\r\nContent-Le", Close),
        get("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n", Close),
        get("\u{16}\u{3}\u{1}\u{2}\u{0}", Close),
        get("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Close),
        get("<html>not found</html>", Close),
        // More than was asked for.
        with(&[OK, "Content-Length: 2"], "okok", Stay),
        with(&[OK, "Content-Length: 2"], "ok\r\n", Stay),
        chunked("2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", Stay),
        with(&["HTTP/1.1 204 No Content"], "oh", Stay),
    ]
}

/// Both in each case, in one piece and in pieces that end in the middle of lines; several cases at a time, because most
/// of it is waiting.
async fn by_both(cases: Vec<Case>) -> Vec<(Case, usize, Seen, Seen)> {
    let in_pieces = cases.into_iter().flat_map(|case| {
        let small = if case.bytes.len() > LONG { LONG } else { 7 };
        [(case.clone(), usize::MAX), (case, small)]
    });
    let seen = futures_util::stream::iter(in_pieces).map(|(case, piece)| async move {
        let (engine, hyper) = tokio::join!(by_engine(&case, piece), by_hyper(&case, piece));
        (case, piece, engine, hyper)
    });
    seen.buffered(8).collect().await
}

/// In small pieces these would take too long.
const LONG: usize = 4_001;

fn told(case: &Case, piece: usize, engine: &Seen, hyper: &Seen) -> String {
    let text = String::from_utf8_lossy(&case.bytes[..case.bytes.len().min(150)]).into_owned();
    format!("{} {text:?} in pieces of {piece}\n  engine {engine:?}\n  hyper  {hyper:?}", case.method)
}

#[tokio::test]
async fn the_engine_and_hyper_agree_on_what_was_answered() {
    let seen = by_both(agreed()).await;
    let different = seen.iter().filter(|(_, _, engine, hyper)| engine != hyper);
    let told: Vec<String> = different.map(|(case, piece, engine, hyper)| told(case, *piece, engine, hyper)).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
}

/// What each makes of it, and why the engine does not do what hyper does.
fn on_purpose() -> Vec<(&'static str, Case, Seen, Seen)> {
    let get = |text: String, then| Case { method: Method::GET, bytes: text.into_bytes(), then };
    let answer = |is_kept| Seen::Answer { status: 200, content: "ok".to_owned(), is_kept };
    let chunks = "2\r\nok\r\n0\r\n\r\n";
    let filler = |length| "x".repeat(length);
    vec![
        (
            "nobody asked for another protocol",
            get(head(&["HTTP/1.1 101 Switching Protocols", "Upgrade: x", "Connection: upgrade"]), Then::Close),
            Seen::Failure,
            Seen::Answer { status: 101, content: String::new(), is_kept: false },
        ),
        (
            "RFC 9112, section 6.1: a message with both framings ends its connection, because whoever stands between may \
             have understood the other one",
            get(head(&[OK, "Transfer-Encoding: chunked", "Content-Length: 9"]) + chunks, Then::Stay),
            answer(false),
            answer(true),
        ),
        (
            "servers do it, and the response is whole; the connection ends, as RFC 9112, section 6.1, says",
            get(
                head(&["HTTP/1.0 200 OK", "Transfer-Encoding: chunked", "Connection: keep-alive"]) + chunks,
                Then::Stay,
            ),
            answer(false),
            Seen::Failure,
        ),
        (
            "the last coding counts, whatever bytes the ones before are made of",
            get(head(&[OK, "Transfer-Encoding: \u{d4}, chunked"]) + chunks, Then::Close),
            answer(false),
            Seen::Answer { status: 200, content: chunks.trim().to_owned(), is_kept: false },
        ),
        (
            "hyper takes at most 100 headers, the engine 128",
            get(format!("{OK}\r\n{}Content-Length: 2\r\n\r\nok", "X: y\r\n".repeat(120)), Then::Stay),
            answer(true),
            Seen::Failure,
        ),
        (
            "a head may take 64 KiB, so that a connection's memory is known; in hyper 408 KiB",
            get(format!("{OK}\r\nX: {}\r\nContent-Length: 2\r\n\r\nok", filler(70_000)), Then::Stay),
            Seen::Failure,
            answer(true),
        ),
        (
            "trailers may take as much as a head; in hyper 16 KiB",
            get(format!("{CHUNKED}2\r\nok\r\n0\r\nX: {}\r\n\r\n", filler(20_000)), Then::Stay),
            answer(true),
            Seen::Failure,
        ),
        (
            "nothing is kept of trailers, so that only their end is looked for",
            get(format!("{CHUNKED}2\r\nok\r\n0\r\nno colon\r\n\r\n"), Then::Stay),
            answer(true),
            Seen::Failure,
        ),
        (
            "what a chunk's extensions take is bounded by line, at 4 KiB; in hyper by response, at 16 KiB",
            get(format!("{CHUNKED}2;{}\r\nok\r\n0\r\n\r\n", filler(5_000)), Then::Stay),
            Seen::Failure,
            answer(true),
        ),
        (
            "the same: a long response of chunks with extensions is still one",
            get(format!("{CHUNKED}{}0\r\n\r\n", format!("1;{}\r\no\r\n", filler(3_000)).repeat(6)), Then::Stay),
            Seen::Answer { status: 200, content: "o".repeat(6), is_kept: true },
            Seen::Failure,
        ),
    ]
}

#[tokio::test]
async fn the_engine_differs_from_hyper_only_where_it_means_to() {
    let (reasons, cases): (Vec<_>, Vec<_>) =
        on_purpose().into_iter().map(|(why, case, engine, hyper)| ((why, engine, hyper), case)).unzip();
    let expected = reasons.iter().flat_map(|expected| [expected, expected]);
    for ((case, piece, engine, hyper), (why, as_engine, as_hyper)) in by_both(cases).await.iter().zip(expected) {
        assert_ne!(as_engine, as_hyper, "{why}");
        assert_eq!((engine, hyper), (as_engine, as_hyper), "{why}: {}", told(case, *piece, engine, hyper));
    }
}
