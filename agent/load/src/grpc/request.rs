//! What a call sends, prepared as far as all calls have it in common.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header, uri};

use super::call::{Call, CallNumber, Kind, Make, Messages, StreamRule};
use super::frame::{FrameError, frame};
use crate::target::Message;

/// A method and what its calls send, in the form that is cloned for every call.
pub(crate) struct Prepared {
    pub(super) kind: Kind,
    pub(super) stream: StreamRule,
    pub(super) max_receive: usize,
    gzip: bool,
    max_send: usize,
    head: Request<()>,
    source: Source,
}

/// A message as it travels, or why it cannot.
pub(super) type Frame = Result<Bytes, FrameError>;

enum Source {
    Fixed(Arc<[Frame]>),
    Made(Arc<Make>),
}

/// What one call sends.
pub(super) struct Outgoing {
    pub(super) head: Request<()>,
    pub(super) frames: Frames,
}

/// The messages of one call.
pub(super) enum Frames {
    One(Frame),
    Stream(Arc<[Frame]>),
}

/// Fields that belong to the protocol (PROTOCOL-HTTP2, "Call-Definition"), which metadata cannot set.
const RESERVED: [HeaderName; 7] = [
    HeaderName::from_static("grpc-timeout"),
    HeaderName::from_static("grpc-encoding"),
    HeaderName::from_static("grpc-accept-encoding"),
    header::TE,
    header::CONTENT_TYPE,
    header::HOST,
    header::CONNECTION,
];

impl Prepared {
    /// Prepares a call whose answer may take as long as `timeout`.
    ///
    /// # Errors
    /// In words, when it cannot be sent.
    pub(crate) fn new(message: &Message, call: &Call, timeout: Duration) -> Result<Self, String> {
        let mut head = Request::new(());
        *head.method_mut() = Method::POST;
        *head.uri_mut() = uri(message, &call.path)?;
        *head.version_mut() = Version::HTTP_2;
        let headers = head.headers_mut();
        // In the order in which implementations should send them.
        let value = HeaderValue::try_from(deadline(timeout)).map_err(|error| error.to_string())?;
        headers.insert(HeaderName::from_static("grpc-timeout"), value);
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        if call.gzip {
            headers.insert(HeaderName::from_static("grpc-encoding"), HeaderValue::from_static("gzip"));
            headers.insert(HeaderName::from_static("grpc-accept-encoding"), HeaderValue::from_static("gzip"));
        }
        add_metadata(headers, message.headers.clone());
        let source = match &call.messages {
            Messages::Fixed(messages) if messages.is_empty() => return Err("it has no messages".to_owned()),
            Messages::Fixed(messages) => {
                Source::Fixed(messages.iter().map(|message| frame(message, call.gzip, call.max_send)).collect())
            }
            Messages::Made(make) => Source::Made(make.clone()),
        };
        let Call { kind, stream, max_receive, gzip, max_send, .. } = *call;
        Ok(Self { kind, stream, max_receive, gzip, max_send, head, source })
    }

    /// What the call with this number sends.
    ///
    /// # Errors
    /// In words, when it could not be made.
    pub(super) fn outgoing(&self, number: &CallNumber) -> Result<Outgoing, String> {
        let mut head = self.head.clone();
        let is_stream = self.kind.is_client_stream();
        let frames = match &self.source {
            Source::Fixed(frames) if is_stream => Frames::Stream(frames.clone()),
            Source::Fixed(frames) => {
                let index = number.request % frames.len() as u64;
                Frames::One(frames[usize::try_from(index).unwrap_or_default()].clone())
            }
            Source::Made(make) => {
                let made = make(number)?;
                add_metadata(head.headers_mut(), made.metadata);
                let frame = |message| frame(message, self.gzip, self.max_send);
                match made.messages.first() {
                    None => return Err("there is no message to send".to_owned()),
                    Some(_) if is_stream => Frames::Stream(made.messages.iter().map(frame).collect()),
                    Some(first) => Frames::One(frame(first)),
                }
            }
        };
        Ok(Outgoing { head, frames })
    }
}

/// Scheme and authority of the target with the path of the method. A header `host` stands for the authority.
fn uri(message: &Message, path: &str) -> Result<Uri, String> {
    let mut parts = uri::Parts::default();
    parts.scheme = message.uri.scheme().cloned();
    parts.authority = match message.headers.get(header::HOST) {
        Some(host) => Some(host.as_bytes().try_into().map_err(|error: uri::InvalidUri| format!("host: {error}"))?),
        None => message.uri.authority().cloned(),
    };
    parts.path_and_query = Some(path.parse().map_err(|error: uri::InvalidUri| format!("`{path}`: {error}"))?);
    Uri::from_parts(parts).map_err(|error| format!("`{path}`: {error}"))
}

fn add_metadata(headers: &mut HeaderMap, mut metadata: HeaderMap) {
    for name in &RESERVED {
        metadata.remove(name);
    }
    headers.extend(metadata);
}

/// The value of `grpc-timeout`: at most eight digits and a unit, never less than the timeout.
fn deadline(timeout: Duration) -> String {
    const DIGITS_END: u128 = 100_000_000;
    const UNITS: [(char, u128); 5] =
        [('n', 1), ('u', 1_000), ('m', 1_000_000), ('S', 1_000_000_000), ('M', 60_000_000_000)];
    let fitting = UNITS.into_iter().find_map(|(unit, nanos)| {
        let count = timeout.as_nanos().div_ceil(nanos);
        (count < DIGITS_END).then(|| format!("{count}{unit}"))
    });
    fitting.unwrap_or_else(|| format!("{}H", timeout.as_nanos().div_ceil(3_600_000_000_000).min(DIGITS_END - 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_has_at_most_eight_digits_and_is_never_shorter_than_the_timeout() {
        let shown = |nanos| deadline(Duration::from_nanos(nanos));
        assert_eq!(shown(99_999_999), "99999999n");
        assert_eq!(shown(100_000_001), "100001u");
        assert_eq!(shown(20_000_000_000), "20000000u");
        assert_eq!(deadline(Duration::from_secs(100)), "100000m");
        assert_eq!(deadline(Duration::from_secs(86_400)), "86400000m");
        assert_eq!(deadline(Duration::from_secs(200_000_000)), "3333334M");
        assert_eq!(deadline(Duration::MAX), "99999999H");
    }
}
