//! Calls of gRPC to servers and proxies that do not behave: which status a call has then.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use h2::Reason;
use iter8_load::grpc::{Call, Code, Kind};
use iter8_load::{Arrivals, ErrorKind, Plan, Report};

use crate::grpc::{call, calls, one_by_one};
use crate::plans::ran;
use crate::server::h2::{Manners, Scripted};
use crate::server::raw::Raw;

type Fields = &'static [(&'static str, &'static str)];

/// What a server answers.
#[derive(Clone)]
struct Odd {
    status: u16,
    headers: Fields,
    content: Vec<Vec<u8>>,
    trailers: Option<Fields>,
}

const GRPC: Fields = &[("content-type", "application/grpc")];
const GZIP: Fields = &[("content-type", "application/grpc"), ("grpc-encoding", "gzip")];
const OK: Option<Fields> = Some(&[("grpc-status", "0")]);
/// A message of two bytes as it travels.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 2, b'h', b'i'];

fn odd(status: u16, headers: Fields, content: &[&[u8]], trailers: Option<Fields>) -> Odd {
    Odd { status, headers, content: content.iter().map(|piece| piece.to_vec()).collect(), trailers }
}

fn gzipped(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(content).unwrap();
    flagged(1, &encoder.finish().unwrap())
}

/// A message that begins with this byte.
fn flagged(flag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&[flag], &length[..], content].concat()
}

async fn answered(odd: Odd, call: Call) -> Report {
    let odd = Arc::new(odd);
    let server = Scripted::start(Manners::default(), move |mut stream| {
        let odd = odd.clone();
        async move {
            let content: Vec<&[u8]> = odd.content.iter().map(Vec::as_slice).collect();
            stream.answer(odd.status, odd.headers, &content, odd.trailers).await
        }
    })
    .await;
    ran(&one_by_one(&server.url(), 2, call)).await
}

/// The code of two calls that are answered alike, and what was said beside it.
async fn ended(odd: Odd, call: Call) -> (Code, String) {
    let report = answered(odd, call).await;
    assert_eq!(report.grpc_codes.values().collect::<Vec<_>>(), [&2], "{:?}", report.grpc_codes);
    let (code, _) = report.grpc_codes.first_key_value().unwrap();
    let detail = report.errors.get(&ErrorKind::Grpc(*code));
    assert_eq!(detail.map_or(0, |detail| detail.count), if *code == Code::Ok { 0 } else { 2 });
    (*code, detail.and_then(|detail| detail.samples.first().cloned()).unwrap_or_default())
}

#[tokio::test]
async fn a_unary_call_ends_as_its_answer_says() {
    let half = &MESSAGE[..6];
    let two = [MESSAGE, MESSAGE].concat();
    let html: Fields = &[("content-type", "text/html")];
    let snappy: Fields = &[("content-type", "application/grpc"), ("grpc-encoding", "snappy")];
    let trailers_only: Fields =
        &[("content-type", "application/grpc"), ("grpc-status", "5"), ("grpc-message", "no%20one")];
    let ok_only: Fields = &[("content-type", "application/grpc"), ("grpc-status", "0")];
    let zipped = gzipped(b"hi");
    let bomb = gzipped(&vec![0; 100_000]);
    let cases: Vec<(Odd, Code, &str)> = vec![
        (odd(200, GRPC, &[MESSAGE], OK), Code::Ok, ""),
        (odd(200, &[("content-type", "application/grpc+proto")], &[MESSAGE], OK), Code::Ok, ""),
        // Cut anywhere.
        (odd(200, GRPC, &MESSAGE.chunks(1).collect::<Vec<_>>(), OK), Code::Ok, ""),
        (odd(200, GRPC, &[half, &MESSAGE[6..]], OK), Code::Ok, ""),
        // Compressed, and not in spite of what was announced.
        (odd(200, GZIP, &[&zipped], OK), Code::Ok, ""),
        (odd(200, GZIP, &[MESSAGE], OK), Code::Ok, ""),
        (odd(200, snappy, &[MESSAGE], OK), Code::Ok, ""),
        (odd(200, GRPC, &[&zipped], OK), Code::Internal, "no grpc-encoding"),
        (odd(200, snappy, &[&zipped], OK), Code::Internal, "another way than gzip"),
        (odd(200, GZIP, &[&flagged(1, b"no gzip at all")], OK), Code::Internal, "no gzip"),
        (odd(200, GZIP, &[&flagged(1, &zipped[5..15])], OK), Code::Internal, "no gzip"),
        (odd(200, GZIP, &[&bomb], OK), Code::ResourceExhausted, "more than 1000"),
        (odd(200, GRPC, &[&flagged(2, b"hi")], OK), Code::Internal, "begins with 2"),
        // Messages that are missing, too many, too large, not whole.
        (odd(200, GRPC, &[], OK), Code::Unimplemented, "no message"),
        (odd(200, ok_only, &[], None), Code::Unimplemented, "no message"),
        (odd(200, GRPC, &[&two], OK), Code::Unimplemented, "more than one"),
        (odd(200, GRPC, &[&flagged(0, &[0; 1_001])], OK), Code::ResourceExhausted, "1001 bytes, at most 1000"),
        (odd(200, GRPC, &[half], OK), Code::Internal, "within a message"),
        (odd(200, GRPC, &[&MESSAGE[..3]], OK), Code::Internal, "within a message"),
        (odd(200, GRPC, &[half], None), Code::Internal, "within a message"),
        // A status in the head, in both places, of no known number.
        (odd(200, trailers_only, &[], None), Code::NotFound, "no one"),
        (odd(200, trailers_only, &[MESSAGE], OK), Code::Ok, ""),
        (odd(200, GRPC, &[MESSAGE], Some(&[("grpc-status", "99")])), Code::Unknown, "grpc-status 99"),
        (
            odd(200, GRPC, &[], Some(&[("grpc-status", "9"), ("grpc-message", "100% %C3%A4")])),
            Code::FailedPrecondition,
            "100% ä",
        ),
        // No status.
        (odd(200, GRPC, &[MESSAGE], None), Code::Unknown, "no grpc-status"),
        (odd(200, GRPC, &[MESSAGE], Some(&[("other", "1")])), Code::Unknown, "no grpc-status"),
        // Something that is no gRPC.
        (odd(200, html, &[b"<h1>Log in</h1>"], None), Code::Unknown, "HTTP status 200, text/html: <h1>Log in"),
        (odd(200, &[], &[MESSAGE], OK), Code::Unknown, "no content type"),
        (odd(503, html, &[b"no healthy upstream"], None), Code::Unavailable, "503, text/html: no healthy"),
        (odd(502, &[], &[], None), Code::Unavailable, "502"),
        (odd(504, &[], &[], None), Code::Unavailable, "504"),
        (odd(429, &[], &[], None), Code::Unavailable, "429"),
        (odd(404, &[], &[], None), Code::Unimplemented, "404"),
        (odd(403, &[], &[], None), Code::PermissionDenied, "403"),
        (odd(401, &[], &[], None), Code::Unauthenticated, "401"),
        (odd(400, &[], &[], None), Code::Internal, "400"),
        (odd(418, &[], &[], None), Code::Unknown, "418"),
        (odd(503, GRPC, &[], None), Code::Unavailable, "503"),
        // "If grpc-status was provided, it must be used."
        (odd(503, trailers_only, &[], None), Code::NotFound, "no one"),
        (odd(503, GRPC, &[MESSAGE], OK), Code::Ok, ""),
    ];
    for (number, (odd, code, part)) in cases.into_iter().enumerate() {
        let unary = Call { max_receive: 1_000, ..call(Kind::Unary, &["a"]) };
        let (ended, said) = ended(odd, unary).await;
        assert_eq!(ended, code, "case {number}: {said}");
        assert!(said.contains(part), "case {number}: {said}");
    }
}

#[tokio::test]
async fn several_messages_may_come_in_one_piece_and_one_in_several() {
    let five = MESSAGE.repeat(5);
    for cut in [1, 3, 7, 8, 35] {
        let pieces: Vec<&[u8]> = five.chunks(cut).collect();
        let report = answered(odd(200, GRPC, &pieces, OK), call(Kind::ServerStream, &["a"])).await;
        assert_eq!((report.messages_received, report.error_count()), (10, 0), "{:?}", report.errors);
    }
}

#[tokio::test]
async fn a_stream_that_is_reset_has_the_code_of_the_reason() {
    for (reason, code) in [
        (Reason::NO_ERROR, Code::Internal),
        (Reason::PROTOCOL_ERROR, Code::Internal),
        (Reason::INTERNAL_ERROR, Code::Internal),
        (Reason::FLOW_CONTROL_ERROR, Code::Internal),
        (Reason::REFUSED_STREAM, Code::Unavailable),
        (Reason::CANCEL, Code::Cancelled),
        (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
        (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
    ] {
        let server = Scripted::start(Manners::default(), move |mut stream| async move {
            stream.read().await?;
            stream.respond.send_reset(reason);
            Ok(())
        })
        .await;
        let report = ran(&one_by_one(&server.url(), 3, call(Kind::Unary, &["a"]))).await;
        assert_eq!(report.grpc_codes, [(code, 3)].into(), "{reason}: {:?}", report.errors);
        assert_eq!((report.errors[&ErrorKind::Grpc(code)].count, server.accepted()), (3, 1));
    }
}

#[tokio::test]
async fn a_stream_that_is_refused_once_is_sent_again() {
    let server = Scripted::start(Manners::default(), |mut stream| async move {
        if stream.number % 2 == 0 {
            stream.respond.send_reset(Reason::REFUSED_STREAM);
            return Ok(());
        }
        stream.answer(200, GRPC, &[MESSAGE], OK).await
    })
    .await;
    let report = ran(&one_by_one(&server.url(), 20, call(Kind::Unary, &["a"]))).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 20)].into(), "{:?}", report.errors);
}

#[tokio::test]
async fn a_server_that_says_goodbye_costs_connections_and_no_calls() {
    let manners = Manners { streams: 10, ..Manners::default() };
    let server =
        Scripted::start(manners, |mut stream| async move { stream.answer(200, GRPC, &[MESSAGE], OK).await }).await;
    for plan in [
        one_by_one(&server.url(), 100, call(Kind::Unary, &["a"])),
        Plan { connections: 2, ..calls(&server.url(), 200, call(Kind::Unary, &["a"])) },
    ] {
        let report = ran(&plan).await;
        assert_eq!(report.error_count(), 0, "{:?}", report.errors);
        assert!(report.reconnects > 0);
    }
}

#[tokio::test]
async fn a_server_that_allows_one_call_at_a_time_gets_no_more() {
    let mut manners = Manners::default();
    manners.builder.max_concurrent_streams(1);
    let server =
        Scripted::start(manners, |mut stream| async move { stream.answer(200, GRPC, &[MESSAGE], OK).await }).await;
    let one = Plan { connections: 1, ..calls(&server.url(), 200, call(Kind::Unary, &["a"])) };
    for plan in [Plan { arrivals: Arrivals::Closed, streams: 20, ..one.clone() }, one] {
        let report = ran(&plan).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 200)].into(), "{:?}", report.errors);
    }
}

#[tokio::test]
async fn a_peer_that_says_nothing_exceeds_the_deadline() {
    let server = Raw::start(|mut peer| async move { peer.until_closed().await }).await;
    let timeout = Duration::from_millis(100);
    let report = ran(&Plan { timeout, ..calls(&server.url(), 5, call(Kind::Unary, &["a"])) }).await;
    assert_eq!(report.grpc_codes, [(Code::DeadlineExceeded, 5)].into(), "{:?}", report.errors);
    assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
}

#[tokio::test]
async fn a_peer_that_speaks_something_else_is_no_success() {
    for banner in ["HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n", "SSH-2.0-OpenSSH_9.2\r\n"] {
        let server = Raw::start(move |mut peer| async move {
            peer.write(banner).await?;
            peer.until_closed().await
        })
        .await;
        let report = ran(&one_by_one(&server.url(), 3, call(Kind::Unary, &["a"]))).await;
        let codes: Vec<Code> = report.grpc_codes.into_keys().collect();
        assert!(codes == [Code::Internal] || codes == [Code::Unavailable], "{codes:?} {:?}", report.errors);
    }
}

#[tokio::test]
async fn a_connection_that_breaks_makes_its_calls_unavailable() {
    let server = Raw::start(|mut peer| async move {
        peer.bytes(24).await?;
        // SETTINGS without any, so that calls are sent.
        peer.write([0, 0, 0, 4, 0, 0, 0, 0, 0]).await?;
        peer.bytes(60).await?;
        Ok(())
    })
    .await;
    let report = ran(&one_by_one(&server.url(), 3, call(Kind::Unary, &["a"]))).await;
    assert_eq!(report.grpc_codes, [(Code::Unavailable, 3)].into(), "{:?}", report.errors);
}
