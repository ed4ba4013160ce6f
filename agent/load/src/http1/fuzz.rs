//! Responses that nobody thought of: reading them never panics, does not depend on how they were cut or on what was read
//! before, and means the same as to hyper wherever the two are to agree.

use http::Request;
use http_body_util::{BodyExt as _, Empty};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::response::{DecodeError, Decoder, Familiar, Head};
use crate::fuzz::{cut, fuzz, inputs};

const WORDS: [&[u8]; 32] = [
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 ",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"204",
    b"304",
    b"101",
    b"Content-Length: ",
    b"Content-Length: 2\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: gzip\r\n",
    b"Connection: close\r\n",
    b"Connection: keep-alive\r\n",
    b"0\r\n\r\n",
    b"1\r\nx\r\n",
    b"ffffffffffffffff",
    b"fffffffffffffff",
    b"18446744073709551615",
    b"18446744073709551616",
    b"-1",
    b"+1",
    b"0x1",
    b";a=b",
    b",",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\xff",
    b"Trailer: x\r\n",
];

/// What came of a response, after which the connection ended.
#[derive(Debug, PartialEq)]
struct Read {
    head: Option<Head>,
    content: Vec<u8>,
    outcome: Result<(), DecodeError>,
}

fn read(pieces: &[&[u8]], familiar: &mut Familiar, is_head_request: bool) -> Read {
    let mut decoder = Decoder::new(is_head_request);
    let (mut pending, mut content) = (Vec::new(), Vec::new());
    let mut outcome = Ok(());
    for piece in pieces {
        pending.extend_from_slice(piece);
        match decoder.decode(&pending, familiar, &mut |_, bytes| content.extend_from_slice(bytes)) {
            Ok(taken) => drop(pending.drain(..taken)),
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
        if decoder.is_done() {
            break;
        }
    }
    let outcome = outcome.and_then(|()| decoder.end(pending.len()));
    Read { head: decoder.head(), content, outcome }
}

fn does_not_depend_on_pieces(input: &[u8]) {
    let mut familiar = Familiar::default();
    for is_head_request in [false, true] {
        let whole = read(&[input], &mut Familiar::default(), is_head_request);
        let single: Vec<&[u8]> = input.chunks(1).collect();
        assert_eq!(read(&single, &mut Familiar::default(), is_head_request), whole, "byte by byte");
        for seed in 0..3 {
            assert_eq!(read(&cut(input, seed), &mut familiar, is_head_request), whole, "in pieces {seed}");
        }
    }
}

#[test]
fn responses_mean_the_same_however_they_are_cut() {
    fuzz("response", &WORDS, does_not_depend_on_pieces);
}

#[test]
fn responses_mean_the_same_cut_at_any_byte() {
    for input in inputs("response") {
        let whole = read(&[&input], &mut Familiar::default(), false);
        for at in 0..=input.len() {
            let (one, other) = input.split_at(at);
            assert_eq!(read(&[one, other], &mut Familiar::default(), false), whole, "{} at {at}", input.escape_ascii());
        }
    }
}

#[test]
fn chunks_mean_the_same_however_they_are_cut() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice();
    fuzz("chunks", &WORDS, |input| does_not_depend_on_pieces(&[head, input].concat()));
}

#[test]
fn responses_mean_the_same_as_to_hyper() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    fuzz("response", &WORDS, |input| {
        let ours = read(&[input], &mut Familiar::default(), false);
        let theirs = runtime.block_on(by_hyper(input));
        let ours = (ours.outcome, ours.head.map(|head| (head.status, ours.content)));
        match (&ours, &theirs) {
            _ if only_hyper_minds(input) => {}
            ((Ok(()), ours), Some(_)) => assert_eq!(*ours, theirs),
            ((Ok(()), _), None) => assert!(only_we_take(input), "only the engine takes it: {ours:?}"),
            ((Err(_), _), Some(_)) => assert!(only_hyper_takes(input), "only hyper takes it: {ours:?} {theirs:?}"),
            ((Err(_), _), None) => {}
        }
    });
}

/// Status and content, if it is a whole response to hyper.
async fn by_hyper(input: &[u8]) -> Option<(u16, Vec<u8>)> {
    let (ours, mut peer) = tokio::io::duplex(input.len().max(1024));
    let serve = async {
        let mut request = [0; 256];
        let mut read = 0;
        while !request[..read].ends_with(b"\r\n\r\n") {
            read += peer.read(&mut request[read..]).await.ok()?;
        }
        peer.write_all(input).await.ok()?;
        peer.shutdown().await.ok()
    };
    let ask = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.ok()?;
        let request = Request::builder().uri("/").body(Empty::<&[u8]>::new()).unwrap();
        let ask = async {
            let response = sender.send_request(request).await.ok()?;
            let status = response.status().as_u16();
            Some((status, response.into_body().collect().await.ok()?.to_bytes().to_vec()))
        };
        let (_, asked) = tokio::join!(connection, ask);
        asked
    };
    let (_, asked) = tokio::join!(serve, ask);
    asked
}

/// What hyper refuses and the engine takes on purpose; the reasons stand in tests/run/differential.rs.
fn only_we_take(input: &[u8]) -> bool {
    // Trailers and the extensions of chunks are not looked at; HTTP/1.0 with chunks is taken.
    has(input, b"transfer-encoding") || input.iter().filter(|byte| **byte == b'\n').count() > 100
}

/// In what hyper does not find a coding that the engine finds.
fn only_hyper_minds(input: &[u8]) -> bool {
    has(input, b"transfer-encoding") && !input.is_ascii()
}

/// What the engine refuses and hyper takes.
fn only_hyper_takes(input: &[u8]) -> bool {
    has(input, b" 101") || input.len() > 4 * 1024
}

/// Whether there is such a word, in whatever letters.
fn has(input: &[u8], word: &[u8]) -> bool {
    input.windows(word.len()).any(|part| part.eq_ignore_ascii_case(word))
}
