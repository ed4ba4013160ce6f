//! Calls of gRPC of every kind against a server that behaves well.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use iter8_load::grpc::{Call, CallNumber, Code, Kind, MadeCall, Messages, StreamRule};
use iter8_load::{Arrivals, ErrorKind, Limit, LoadError, Outcome, Plan, Protocol, Tls, run};
use tokio_util::sync::CancellationToken;

use crate::plans::{plan, ran};
use crate::server::grpc::Server;
use crate::server::nobody;
use crate::server::tls::{Authority, Clients};

/// A call of the test service that sends these messages.
pub(crate) fn call(kind: Kind, messages: &[&str]) -> Call {
    let path = match kind {
        Kind::Unary => "/test.Echo/Unary",
        Kind::ClientStream => "/test.Echo/ClientStream",
        Kind::ServerStream => "/test.Echo/ServerStream",
        Kind::Bidi => "/test.Echo/Bidi",
    };
    let messages = messages.iter().map(|message| Bytes::copy_from_slice(message.as_bytes())).collect();
    Call::new(path, kind, Messages::Fixed(messages))
}

/// So many calls, at a rate that nothing has to keep.
pub(crate) fn calls(url: &str, requests: u64, call: Call) -> Plan {
    let mut plan = plan(url, requests, 500.0);
    plan.target.protocol = Protocol::Grpc(call);
    plan
}

/// One call after another.
pub(crate) fn one_by_one(url: &str, requests: u64, call: Call) -> Plan {
    Plan { arrivals: Arrivals::Closed, connections: 1, streams: 1, ..calls(url, requests, call) }
}

fn text(messages: &[Bytes]) -> Vec<&str> {
    messages.iter().map(|message| std::str::from_utf8(message).unwrap()).collect()
}

#[tokio::test]
async fn unary_calls_send_the_messages_in_turn_and_end_with_ok() {
    let server = Server::start().await;
    let report = ran(&calls(&server.url(), 120, call(Kind::Unary, &["a", "b", ""]))).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 120)].into(), "{:?}", report.errors);
    assert_eq!((report.messages_sent, report.messages_received), (120, 120));
    assert_eq!((report.response[&Outcome::Success].len(), report.error_count()), (120, 0));
    assert!(report.status_codes.is_empty(), "{:?}", report.status_codes);
    let mut times: BTreeMap<Bytes, usize> = BTreeMap::new();
    for seen in server.seen.calls() {
        assert_eq!(seen.messages.len(), 1);
        *times.entry(seen.messages[0].clone()).or_default() += 1;
    }
    assert_eq!(times, [("".into(), 40), ("a".into(), 40), ("b".into(), 40)].into());
}

#[tokio::test]
async fn every_status_is_counted_by_its_code_with_its_message() {
    let server = Server::start().await;
    let messages: Vec<String> = (0..17).map(|code| format!("status {code} 50% für {code}")).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    let report = ran(&calls(&server.url(), 34, call(Kind::Unary, &messages))).await;
    // A server that says "error" with the code of success has sent no message.
    assert_eq!(report.grpc_codes.len(), 16, "{:?}", report.grpc_codes);
    for code in Code::ALL.into_iter().skip(1) {
        let expected = if code == Code::Unimplemented { 4 } else { 2 };
        assert_eq!(report.grpc_codes[&code], expected, "{code}");
        let detail = &report.errors[&ErrorKind::Grpc(code)];
        assert_eq!(detail.count, expected);
        let sample = format!("50% für {}", code.number());
        assert!(detail.samples.contains(&sample), "{:?}", detail.samples);
    }
    assert_eq!(report.response[&Outcome::ErrorStatus].len(), 34);
}

#[tokio::test]
async fn metadata_and_the_deadline_travel_with_every_call() {
    let server = Server::start().await;
    let make = |_: &CallNumber| {
        let mut metadata = HeaderMap::new();
        metadata.append("x-made", HeaderValue::from_static("1"));
        metadata.append("x-made", HeaderValue::from_static("2"));
        metadata.append("both", HeaderValue::from_static("of the call"));
        metadata.append("grpc-timeout", HeaderValue::from_static("1H"));
        Ok(MadeCall { messages: vec![Bytes::from_static(b"made")], metadata })
    };
    let mut plan =
        one_by_one(&server.url(), 1, Call { messages: Messages::Made(Arc::new(make)), ..call(Kind::Unary, &[]) });
    for (name, value) in
        [("x-tenant", "1"), ("token-bin", "AAEC"), ("both", "of all"), ("content-type", "text/plain"), ("te", "x")]
    {
        plan.target.headers.insert(name, value.parse().unwrap());
    }
    plan.timeout = Duration::from_millis(2_500);
    let report = ran(&plan).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 1)].into(), "{:?}", report.errors);
    let seen = &server.seen.calls()[0];
    let values =
        |name: &str| seen.metadata.get_all(name).iter().map(|value| value.to_str().unwrap()).collect::<Vec<_>>();
    assert_eq!(values("x-made"), ["1", "2"]);
    assert_eq!(values("both"), ["of the call"]);
    assert_eq!((values("x-tenant"), values("token-bin")), (vec!["1"], vec!["AAEC"]));
    assert_eq!((values("content-type"), values("te")), (vec!["application/grpc"], vec!["trailers"]));
    assert_eq!(values("grpc-timeout"), ["2500000u"]);
    assert_eq!(text(&seen.messages), ["made"]);
}

#[tokio::test]
async fn calls_are_made_with_the_number_of_each_request_once() {
    let server = Server::start().await;
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let seen = numbers.clone();
    let make = move |number: &CallNumber| {
        seen.lock().unwrap().push(*number);
        Ok(MadeCall { messages: vec![Bytes::from(number.request.to_string())], ..MadeCall::default() })
    };
    let call = Call { messages: Messages::Made(Arc::new(make)), ..call(Kind::Unary, &[]) };
    for arrivals in [calls(&server.url(), 1, call.clone()).arrivals, Arrivals::Closed] {
        let report = ran(&Plan { arrivals, streams: 3, ..calls(&server.url(), 60, call.clone()) }).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 60)].into());
        let numbers = std::mem::take(&mut *numbers.lock().unwrap());
        let requests: BTreeSet<u64> = numbers.iter().map(|number| number.request).collect();
        assert_eq!((numbers.len(), requests), (60, (0..60).collect()));
        assert!(numbers.iter().all(|number| number.worker < 12), "{numbers:?}");
    }
}

#[tokio::test]
async fn a_call_that_cannot_be_made_is_an_internal_error_with_the_reason() {
    let server = Server::start().await;
    let make = |_: &CallNumber| Err("no such field `nme`".to_owned());
    let call = Call { messages: Messages::Made(Arc::new(make)), ..call(Kind::Unary, &[]) };
    let report = ran(&calls(&server.url(), 3, call)).await;
    assert_eq!(report.errors[&ErrorKind::Grpc(Code::Internal)].samples, ["no such field `nme`"]);
    assert_eq!((report.messages_sent, server.seen.calls().len()), (0, 0));
}

#[tokio::test]
async fn a_client_stream_sends_all_messages_in_order_and_reads_one() {
    let server = Server::start().await;
    let report = ran(&calls(&server.url(), 10, call(Kind::ClientStream, &["a", "b", "c"]))).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 10)].into(), "{:?}", report.errors);
    assert_eq!((report.messages_sent, report.messages_received), (30, 10));
    assert!(server.seen.calls().iter().all(|seen| text(&seen.messages) == ["a", "b", "c"]));
}

#[tokio::test]
async fn a_stream_of_a_certain_length_begins_again_with_the_first_message() {
    let server = Server::start().await;
    for kind in [Kind::ClientStream, Kind::Bidi] {
        for (count, expected) in [(1, vec!["a"]), (5, vec!["a", "b", "a", "b", "a"])] {
            let stream = StreamRule { call_count: count, ..StreamRule::default() };
            let report = ran(&one_by_one(&server.url(), 1, Call { stream, ..call(kind, &["a", "b"]) })).await;
            assert_eq!(report.grpc_codes, [(Code::Ok, 1)].into(), "{:?}", report.errors);
            assert_eq!(text(&server.seen.calls().last().unwrap().messages), expected);
        }
    }
}

#[tokio::test]
async fn messages_of_a_stream_keep_their_distance() {
    let server = Server::start().await;
    for kind in [Kind::ClientStream, Kind::Bidi] {
        let stream = StreamRule { interval: Duration::from_millis(20), ..StreamRule::default() };
        let report = ran(&one_by_one(&server.url(), 1, Call { stream, ..call(kind, &["a", "b", "c", "d"]) })).await;
        assert_eq!((report.messages_sent, report.error_count()), (4, 0), "{:?}", report.errors);
        assert!(report.moments.min() >= Some(60.0), "{:?}", report.moments);
    }
}

#[tokio::test]
async fn a_stream_sends_until_its_time_is_over_and_then_reads_the_status() {
    let server = Server::start().await;
    for kind in [Kind::ClientStream, Kind::Bidi] {
        let stream = StreamRule {
            interval: Duration::from_millis(5),
            call_duration: Some(Duration::from_millis(50)),
            call_count: u32::MAX,
        };
        let report = ran(&one_by_one(&server.url(), 1, Call { stream, ..call(kind, &["a"]) })).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 1)].into(), "{:?}", report.errors);
        assert!((1..=11).contains(&report.messages_sent), "{} messages", report.messages_sent);
        assert!(report.moments.min() >= Some(50.0), "{:?}", report.moments);
    }
}

#[tokio::test]
async fn a_server_stream_is_read_to_its_end() {
    let server = Server::start().await;
    let report =
        ran(&calls(&server.url(), 4, call(Kind::ServerStream, &["25 0", "3 10", "0 0", "2 0 broken off"]))).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 3), (Code::Aborted, 1)].into(), "{:?}", report.errors);
    assert_eq!((report.messages_sent, report.messages_received), (4, 30));
    // The one with two pauses of ten milliseconds.
    assert!(report.moments.max() >= Some(20.0), "{:?}", report.moments);
}

#[tokio::test]
async fn a_server_stream_is_ended_when_there_was_enough_of_it() {
    let server = Server::start().await;
    let [by_count, by_time] = [(3, None), (0, Some(Duration::from_millis(400)))]
        .map(|(call_count, call_duration)| StreamRule { call_count, call_duration, ..StreamRule::default() });
    let endless = call(Kind::ServerStream, &["1000000 5"]);
    let report = ran(&one_by_one(&server.url(), 2, Call { stream: by_count, ..endless.clone() })).await;
    assert_eq!((report.messages_received, report.error_count()), (6, 0), "{:?}", report.errors);
    assert_eq!(report.grpc_codes, [(Code::Cancelled, 2)].into());
    let report = ran(&one_by_one(&server.url(), 1, Call { stream: by_time, ..endless })).await;
    assert_eq!((report.error_count(), report.response[&Outcome::Success].len()), (0, 1));
    assert!(report.moments.min() >= Some(400.0) && report.messages_received >= 1, "{:?}", report.moments);
}

#[tokio::test]
async fn both_sides_of_a_conversation_send_at_the_same_time() {
    let server = Server::start().await;
    let messages: Vec<String> = (0..200).map(|number| format!("{number}{}", "x".repeat(2_000))).collect();
    let messages: Vec<&str> = messages.iter().map(String::as_str).collect();
    // Half a megabyte each way does not fit into any window: nobody may wait for the other to be done.
    let report = ran(&calls(&server.url(), 20, call(Kind::Bidi, &messages))).await;
    assert_eq!(report.grpc_codes, [(Code::Ok, 20)].into(), "{:?}", report.errors);
    assert_eq!((report.messages_sent, report.messages_received), (4_000, 4_000));
}

#[tokio::test]
async fn a_stream_that_the_server_ends_early_has_the_status_that_it_says() {
    let server = Server::start().await;
    for kind in [Kind::ClientStream, Kind::Bidi] {
        let stream = StreamRule { interval: Duration::from_secs(3_600), ..StreamRule::default() };
        let early = Call { stream, ..call(kind, &["status 7 not you", "never"]) };
        let report = ran(&one_by_one(&server.url(), 2, early)).await;
        assert_eq!(report.errors[&ErrorKind::Grpc(Code::PermissionDenied)].samples, ["not you"]);
        assert_eq!(report.messages_sent, 2);
    }
}

#[tokio::test]
async fn gzip_is_sent_when_asked_for_and_understood_when_it_comes() {
    let server = Server::start().await;
    let long = "long ".repeat(1_000);
    for kind in [Kind::Unary, Kind::ClientStream, Kind::Bidi] {
        let gzip = Call { gzip: true, max_send: 1_000, ..call(kind, &[&long]) };
        let report = ran(&one_by_one(&server.url(), 2, gzip)).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 2)].into(), "{:?}", report.errors);
        let seen = server.seen.calls().pop().unwrap();
        assert_eq!(text(&seen.messages), [&long]);
        assert_eq!(
            (&seen.metadata["grpc-encoding"], &seen.metadata["grpc-accept-encoding"]),
            (&"gzip".parse().unwrap(), &"gzip".parse().unwrap())
        );
    }
}

#[tokio::test]
async fn messages_that_are_too_large_are_no_use_in_either_direction() {
    let server = Server::start().await;
    let exhausted = ErrorKind::Grpc(Code::ResourceExhausted);
    for gzip in [false, true] {
        let received = Call { max_receive: 1_000, gzip, ..call(Kind::Unary, &["bytes 1000", "bytes 1001"]) };
        let report = ran(&one_by_one(&server.url(), 2, received)).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 1), (Code::ResourceExhausted, 1)].into());
        assert!(report.errors[&exhausted].samples[0].contains("1000"), "{:?}", report.errors);
    }
    for kind in [Kind::Unary, Kind::Bidi] {
        let sent = Call { max_send: 3, ..call(kind, &["four"]) };
        let report = ran(&one_by_one(&server.url(), 1, sent)).await;
        let sample = "a message that is sent has 4 bytes, at most 3 are allowed";
        assert_eq!((&report.errors[&exhausted].samples[..], report.messages_sent), (&[sample.to_owned()][..], 0));
    }
}

#[tokio::test]
async fn a_call_that_takes_too_long_exceeds_its_deadline_and_counts_with_at_least_it() {
    let server = Server::start().await;
    let timeout = Duration::from_millis(100);
    for call in [call(Kind::Unary, &["sleep 60000"]), call(Kind::ServerStream, &["100000 10"])] {
        let report = ran(&Plan { timeout, ..calls(&server.url(), 8, call) }).await;
        assert_eq!(report.grpc_codes, [(Code::DeadlineExceeded, 8)].into(), "{:?}", report.errors);
        assert_eq!(report.errors.keys().collect::<Vec<_>>(), [&ErrorKind::Grpc(Code::DeadlineExceeded)]);
        assert!(report.moments.min() >= Some(100.0), "{:?}", report.moments);
    }
}

#[tokio::test]
async fn a_stream_that_is_cut_by_its_deadline_leaves_its_connection_to_the_next() {
    let server = Server::start().await;
    let endless = one_by_one(&server.url(), 4, call(Kind::ServerStream, &["100000 5"]));
    let report = ran(&Plan { timeout: Duration::from_millis(400), ..endless }).await;
    assert_eq!(report.grpc_codes, [(Code::DeadlineExceeded, 4)].into(), "{:?}", report.errors);
    assert!(report.messages_received >= 4, "{} messages", report.messages_received);
    assert_eq!((server.seen.connections(), report.reconnects), (1, 0));
}

#[tokio::test]
async fn calls_travel_over_tls_with_the_trust_of_the_plan() {
    let authority = Authority::new("trusted");
    let server = Server::over_tls(authority.server(&["localhost", "127.0.0.1"], Clients::Anybody)).await;
    let mut plan = calls(&server.url(), 20, call(Kind::Bidi, &["a", "b"]));
    let report = ran(&plan).await;
    assert_eq!(report.grpc_codes, [(Code::Unavailable, 20)].into(), "{:?}", report.errors);
    assert_eq!(report.errors[&ErrorKind::Tls].count, 20);
    plan.target.tls = Tls { ca_pem: Some(authority.pem()), ..Tls::default() };
    let report = ran(&plan).await;
    assert_eq!((report.grpc_codes, report.messages_received), ([(Code::Ok, 20)].into(), 40), "{:?}", report.errors);
}

#[tokio::test]
async fn large_messages_travel_both_ways() {
    let server = Server::start().await;
    let large = "x".repeat(3_000_000);
    for kind in [Kind::Unary, Kind::Bidi] {
        let report = ran(&one_by_one(&server.url(), 3, call(kind, &[&large]))).await;
        assert_eq!(report.grpc_codes, [(Code::Ok, 3)].into(), "{:?}", report.errors);
        assert_eq!((report.messages_sent, report.messages_received), (3, 3));
    }
}

#[tokio::test]
async fn a_closed_load_has_as_many_calls_under_way_as_its_connections_carry() {
    let server = Server::start().await;
    // All calls begin before the first one ends, unless the machine is very slow.
    let slow = call(Kind::Unary, &["sleep 400"]);
    let closed = Plan { arrivals: Arrivals::Closed, connections: 1, streams: 50, ..calls(&server.url(), 100, slow) };
    let began = Instant::now();
    let report = ran(&closed).await;
    assert_eq!((report.grpc_codes, server.seen.connections()), ([(Code::Ok, 100)].into(), 1));
    assert_eq!(server.seen.most(), 50);
    assert!(began.elapsed() >= Duration::from_millis(800));
}

#[tokio::test]
async fn calls_that_find_nobody_are_unavailable() {
    let (_held, url) = nobody();
    let report = ran(&calls(&url, 10, call(Kind::Unary, &["a"]))).await;
    assert_eq!(report.grpc_codes, [(Code::Unavailable, 10)].into(), "{:?}", report.errors);
    assert_eq!(report.errors[&ErrorKind::Refused].count, 10);
}

#[tokio::test]
async fn a_run_by_duration_needs_a_first_call_that_succeeds() {
    let server = Server::start().await;
    let failing = Plan {
        limit: Limit::Duration(Duration::from_millis(50)),
        ..calls(&server.url(), 1, call(Kind::Unary, &["status 16 who are you"]))
    };
    let error = run(&failing, &CancellationToken::new(), &|_| {}).await.unwrap_err();
    let expected = ErrorKind::Grpc(Code::Unauthenticated);
    assert!(matches!(error, LoadError::InitialRequest { reason, .. } if reason == expected), "{error}");
}

#[tokio::test]
async fn a_call_without_messages_or_with_a_bad_path_is_refused() {
    let server = Server::start().await;
    let bad_path = Call { path: "no slash".to_owned(), ..call(Kind::Unary, &["a"]) };
    for (call, part) in [(call(Kind::Unary, &[]), "no messages"), (bad_path, "no slash")] {
        let error = run(&calls(&server.url(), 1, call), &CancellationToken::new(), &|_| {}).await.unwrap_err();
        assert!(error.to_string().contains(part), "{error}");
    }
}
