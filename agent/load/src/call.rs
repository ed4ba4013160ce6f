//! What comes of one request, whatever protocol it was sent by.

use std::error::Error;
use std::io;
use std::time::Instant;

use crate::grpc::Code;
use crate::report::{ErrorKind, SAMPLE_BYTES};

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: Status,
    /// Whether the status is an error, by the plan or by the protocol.
    pub(crate) is_error: bool,
    /// When the request was handed to the connection.
    pub(crate) sent: Instant,
    /// When the last byte of the answer was there.
    pub(crate) done: Instant,
    /// The first bytes of the content, or a message that came with the status, if that is an error.
    pub(crate) sample: Sample,
    /// Whether another request may follow on the connection.
    pub(crate) reusable: bool,
    /// Of a redirect: where to, as it was written.
    pub(crate) location: Option<Box<str>>,
}

/// How the target says that it went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Status {
    Http(u16),
    Grpc(Code),
}

impl Status {
    /// What it is when it is an error.
    pub(crate) const fn error_kind(self) -> ErrorKind {
        match self {
            Self::Http(status) => ErrorKind::Status(status),
            Self::Grpc(code) => ErrorKind::Grpc(code),
        }
    }
}

/// The first bytes of some content. Takes no memory while empty.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sample(Vec<u8>);

impl Sample {
    /// Takes as much of `bytes` as there is room for.
    pub(crate) fn extend(&mut self, bytes: &[u8]) {
        let room = SAMPLE_BYTES.saturating_sub(self.0.len());
        self.0.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// As text, with what is no text replaced.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0).trim().to_owned()
    }
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) kind: ErrorKind,
    pub(crate) detail: String,
    /// Nothing of an answer had come.
    pub(crate) is_unanswered: bool,
}

impl CallError {
    /// An error with the text of its deepest cause.
    pub(crate) fn new(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        let deepest = std::iter::successors(Some(error), |error| (*error).source()).last();
        let detail = deepest.map(ToString::to_string).unwrap_or_default();
        Self { kind, detail: detail.chars().take(SAMPLE_BYTES).collect(), is_unanswered: true }
    }

    pub(crate) const fn without_detail(kind: ErrorKind) -> Self {
        Self { kind, detail: String::new(), is_unanswered: true }
    }

    /// The same error of a call of gRPC, for which some have a status.
    pub(crate) fn in_grpc(self) -> Self {
        match self.kind {
            ErrorKind::Timeout => {
                Self { kind: ErrorKind::Grpc(Code::DeadlineExceeded), detail: "no status in time".to_owned(), ..self }
            }
            _ => self,
        }
    }

    /// What a failed read or write on a connection was.
    pub(crate) fn of_io(error: &io::Error) -> Self {
        let kind = match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => ErrorKind::Reset,
            // rustls wraps what is wrong with a record.
            io::ErrorKind::InvalidData => ErrorKind::Tls,
            _ => ErrorKind::Closed,
        };
        Self::new(kind, error)
    }
}
