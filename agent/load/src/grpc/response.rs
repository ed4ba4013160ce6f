//! What an answer says: how many messages, and which status. Pure but for the reading itself.

use std::borrow::Cow;

use h2::client::ResponseFuture;
use http::{HeaderMap, HeaderName, StatusCode, header, response};
use percent_encoding::percent_decode;

use super::call::Kind;
use super::code::Code;
use super::exchange::Counts;
use super::frame::{Decoder, Encoding, FrameError, Most};
use crate::call::Sample;

/// Names that are looked up for every call.
static GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
static GRPC_ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// How a call ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) code: Code,
    pub(super) is_error: bool,
    /// What was said beside the code.
    pub(super) sample: Sample,
}

/// What an answer may be.
#[derive(Clone, Copy, Debug)]
pub(super) struct Expected {
    pub(super) kind: Kind,
    /// The most bytes of a message.
    pub(super) max: usize,
    /// After how many messages the call is ended by the client; 0 for never.
    pub(super) enough: u32,
}

/// Reads an answer to its end, or until it need not be read any further.
pub(super) async fn read(response: ResponseFuture, expected: Expected, counts: &Counts) -> Result<Ended, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    let mut answer = Answer::new(&head, expected);
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        let before = answer.decoder.messages();
        let ended = answer.take(&data);
        counts.received(answer.decoder.messages() - before);
        if let Some(ended) = ended {
            return Ok(ended);
        }
    }
    let trailers = body.trailers().await?;
    Ok(answer.end(&head.headers, trailers.as_ref()))
}

/// An answer as far as it has come.
struct Answer {
    expected: Expected,
    http: StatusCode,
    /// Whether its content type says that it is gRPC at all.
    is_grpc: bool,
    decoder: Decoder,
    /// The first bytes of what is no gRPC.
    sample: Sample,
}

impl Answer {
    fn new(head: &response::Parts, expected: Expected) -> Self {
        let encoding = match head.headers.get(&GRPC_ENCODING).map(header::HeaderValue::as_bytes) {
            None | Some(b"identity") => Encoding::Identity,
            Some(b"gzip") => Encoding::Gzip,
            Some(_) => Encoding::Other,
        };
        let most = match (expected.kind.is_server_stream(), expected.enough) {
            (false, _) => Most::One,
            (true, 0) => Most::Any,
            (true, enough) => Most::Enough(enough),
        };
        Self {
            expected,
            http: head.status,
            is_grpc: head.headers.get(header::CONTENT_TYPE).is_some_and(|kind| is_grpc(kind.as_bytes())),
            decoder: Decoder::new(encoding, expected.max, most),
            sample: Sample::default(),
        }
    }

    /// Takes some of its content, and says how the call ends when the rest does not matter.
    fn take(&mut self, data: &[u8]) -> Option<Ended> {
        if !self.is_grpc {
            self.sample.extend(data);
            return None;
        }
        match self.decoder.decode(data) {
            Ok(()) => self.decoder.has_enough().then(Ended::enough),
            Err(error) => Some(Ended::from(error)),
        }
    }

    /// How the call ended when all of it is there. A code that is given counts, whatever the status of HTTP
    /// (doc/http-grpc-status-mapping.md).
    fn end(self, headers: &HeaderMap, trailers: Option<&HeaderMap>) -> Ended {
        let given = trailers.into_iter().chain([headers]).find_map(|fields| Some((fields, fields.get(&GRPC_STATUS)?)));
        let code = given.map(|(_, value)| (Code::parse(value.as_bytes()), value));
        match (code, given) {
            (Some((Code::Ok, _)), _) if self.is_grpc => self.content(),
            (Some((code, value)), Some((fields, _))) if code != Code::Ok => {
                let is_known = code != Code::Unknown || value == "2";
                let message = fields.get("grpc-message").map(|message| decoded(message.as_bytes()));
                match message {
                    Some(message) => Ended::with(code, &message),
                    None if is_known => Ended::with(code, ""),
                    None => Ended::with(code, &format!("grpc-status {}", decoded(value.as_bytes()))),
                }
            }
            (None, _) if self.is_grpc && self.http == StatusCode::OK => {
                let content = self.content();
                if content.code == Code::Internal {
                    content
                } else {
                    Ended::with(Code::Unknown, "there is no grpc-status")
                }
            }
            _ => {
                let kind = headers.get(header::CONTENT_TYPE).map(|kind| decoded(kind.as_bytes()));
                let kind = kind.as_deref().unwrap_or("no content type");
                Ended::with(
                    Code::of_http(self.http),
                    &format!("HTTP status {}, {kind}: {}", self.http.as_u16(), self.sample.text()),
                )
            }
        }
    }

    /// How a call ended whose status is success, by its messages (doc/statuscodes.md).
    fn content(&self) -> Ended {
        if !self.decoder.is_between() {
            return Ended::with(Code::Internal, "the answer ends within a message");
        }
        if !self.expected.kind.is_server_stream() && self.decoder.messages() == 0 {
            return Ended::with(Code::Unimplemented, "no message came back");
        }
        Ended { code: Code::Ok, is_error: false, sample: Sample::default() }
    }
}

impl Ended {
    /// With an error.
    pub(super) fn with(code: Code, message: &str) -> Self {
        let mut sample = Sample::default();
        sample.extend(message.as_bytes());
        Self { code, is_error: true, sample }
    }

    /// By the client, which has had as much as it asked for.
    pub(super) fn enough() -> Self {
        Self { code: Code::Cancelled, is_error: false, sample: Sample::default() }
    }
}

impl From<FrameError> for Ended {
    fn from(error: FrameError) -> Self {
        Self::with(error.code, &error.reason)
    }
}

/// Whether a content type is that of gRPC, in any of its formats.
fn is_grpc(kind: &[u8]) -> bool {
    let rest = kind.strip_prefix(b"application/grpc");
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// A message as it was meant; what is not percent-encoded properly stays as it is.
fn decoded(message: &[u8]) -> Cow<'_, str> {
    percent_decode(message).decode_utf8_lossy()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_type_of_grpc_may_name_a_format() {
        for kind in ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"] {
            assert!(is_grpc(kind.as_bytes()), "{kind}");
        }
        for kind in ["application/grpc-web", "text/html", "application/json", ""] {
            assert!(!is_grpc(kind.as_bytes()), "{kind}");
        }
    }

    #[test]
    fn messages_are_decoded_as_far_as_they_can_be() {
        assert_eq!(decoded(b"50%25 of %C3%A4"), "50% of \u{e4}");
        assert_eq!(decoded(b"100% %zz"), "100% %zz");
        assert_eq!(decoded(b"%ff"), "\u{fffd}");
    }
}
