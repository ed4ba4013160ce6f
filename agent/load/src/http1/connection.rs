//! One connection on which requests follow one another. Making it, and what an answer means, is not its business.

use std::cell::RefCell;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use super::request::Prepared;
use super::response::{DecodeError, Decoder, Familiar, Head};
use crate::call::{Answer, CallError, Sample, Status};
use crate::dial::Stream;
use crate::report::ErrorKind;

/// Where a worker reads into. What is read is looked at before the next read, so that all connections share it and a
/// connection at rest costs a few hundred bytes.
pub(crate) type Scratch = RefCell<Reading>;

/// What reading needs on a worker.
pub(crate) struct Reading {
    buffer: Box<[u8]>,
    familiar: Familiar,
}

/// Size of the buffer that a worker reads into.
const BUFFER: usize = 64 * 1024;

impl Default for Reading {
    fn default() -> Self {
        Self { buffer: vec![0; BUFFER].into_boxed_slice(), familiar: Familiar::default() }
    }
}

/// A connection with nothing under way between two calls.
pub(crate) struct Connection {
    stream: Stream,
    /// Bytes that were read and are not whole enough to be understood.
    pending: Vec<u8>,
    /// How many responses have come on it.
    answers: u64,
}

impl Connection {
    pub(crate) const fn new(stream: Stream) -> Self {
        Self { stream, pending: Vec::new(), answers: 0 }
    }

    /// Whether the other side has left it open and silent while nothing was under way.
    pub(crate) async fn is_alive(&mut self, scratch: &Scratch) -> bool {
        poll_fn(|context| {
            let mut scratch = scratch.borrow_mut();
            let mut buffer = ReadBuf::new(&mut scratch.buffer);
            // Without news this costs no system call: the runtime knows that nothing has come.
            Poll::Ready(Pin::new(&mut self.stream).poll_read(context, &mut buffer).is_pending())
        })
        .await
    }

    /// Sends a request at the time `sent`, which is now, and reads its response to the end. `is_error` says of which
    /// statuses the first bytes are kept.
    pub(crate) async fn call(
        &mut self,
        request: &Prepared,
        scratch: &Scratch,
        sent: Instant,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        let mut exchange = Exchange {
            unsent: &request.bytes,
            is_flushed: false,
            decoder: Decoder::new(request.is_head),
            is_heard: false,
            sample: Sample::default(),
            write_error: None,
        };
        let head = poll_fn(|context| exchange.poll(self, scratch, is_error, context)).await?;
        self.answers += 1;
        // A response that came before the whole request was sent leaves the rest of it in the way.
        let reusable = head.keep_alive && !request.closes && self.pending.is_empty() && exchange.unsent.is_empty();
        let (status, is_error) = (Status::Http(head.status), is_error(head.status));
        Ok(Answer {
            status,
            is_error,
            sent,
            done: Instant::now(),
            sample: exchange.sample,
            reusable,
            location: exchange.decoder.into_location(),
        })
    }

    /// Whether it has answered before: it may then have been closed in the instant in which a request was sent.
    pub(crate) const fn is_used(&self) -> bool {
        self.answers > 0
    }
}

struct Exchange<'a> {
    unsent: &'a [u8],
    is_flushed: bool,
    decoder: Decoder,
    /// Whether anything has come back, be it half a status line: then the server has taken up the request.
    is_heard: bool,
    sample: Sample,
    /// Why sending failed. The response may be there all the same, and says more.
    write_error: Option<io::Error>,
}

impl Exchange<'_> {
    fn poll(
        &mut self,
        connection: &mut Connection,
        scratch: &Scratch,
        is_error: &impl Fn(u16) -> bool,
        context: &mut Context<'_>,
    ) -> Poll<Result<Head, CallError>> {
        if self.write_error.is_none()
            && let Err(error) = self.send(&mut connection.stream, context)
        {
            self.write_error = Some(error);
        }
        let Reading { buffer, familiar } = &mut *scratch.borrow_mut();
        loop {
            let mut buffer = ReadBuf::new(buffer);
            match Pin::new(&mut connection.stream).poll_read(context, &mut buffer) {
                Poll::Pending => match &self.write_error {
                    Some(error) if !is_broken(error) => return Poll::Ready(Err(self.failed(error))),
                    // What came before the connection broke may be there without the runtime knowing of it yet. That the
                    // connection is broken it will hear of as well.
                    Some(_) | None => return Poll::Pending,
                },
                Poll::Ready(Err(error)) => return Poll::Ready(Err(self.failed(&error))),
                Poll::Ready(Ok(())) => {}
            }
            let read = buffer.filled();
            if read.is_empty() {
                let ended = self.decoder.end(connection.pending.len());
                return Poll::Ready(match (ended, &self.write_error) {
                    (Ok(()), _) => self.head(),
                    (Err(_), Some(error)) => Err(self.failed(error)),
                    (Err(error), None) => Err(self.malformed(error)),
                });
            }
            self.is_heard = true;
            if let Err(error) = self.decode(&mut connection.pending, read, familiar, is_error) {
                return Poll::Ready(Err(self.malformed(error)));
            }
            if self.decoder.is_done() {
                return Poll::Ready(self.head());
            }
        }
    }

    /// Sends as much as the socket takes.
    fn send(&mut self, stream: &mut Stream, context: &mut Context<'_>) -> io::Result<()> {
        while !self.unsent.is_empty() {
            match Pin::new(&mut *stream).poll_write(context, self.unsent) {
                Poll::Pending => return Ok(()),
                Poll::Ready(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
                Poll::Ready(Ok(written)) => self.unsent = &self.unsent[written..],
                Poll::Ready(Err(error)) => return Err(error),
            }
        }
        if !self.is_flushed {
            self.is_flushed = Pin::new(stream).poll_flush(context)?.is_ready();
        }
        Ok(())
    }

    /// Reads on in what is pending, if anything, and in what has come.
    fn decode(
        &mut self,
        pending: &mut Vec<u8>,
        read: &[u8],
        familiar: &mut Familiar,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<(), DecodeError> {
        let sample = &mut self.sample;
        let mut content = |status: u16, bytes: &[u8]| {
            if is_error(status) {
                sample.extend(bytes);
            }
        };
        if pending.is_empty() {
            let taken = self.decoder.decode(read, familiar, &mut content)?;
            pending.extend_from_slice(&read[taken..]);
        } else {
            pending.extend_from_slice(read);
            let taken = self.decoder.decode(pending, familiar, &mut content)?;
            pending.drain(..taken);
        }
        Ok(())
    }

    fn head(&self) -> Result<Head, CallError> {
        self.decoder.head().ok_or_else(|| self.malformed(DecodeError::NoResponse))
    }

    fn failed(&self, error: &io::Error) -> CallError {
        CallError { is_unanswered: !self.is_heard, ..CallError::of_io(error) }
    }

    fn malformed(&self, error: DecodeError) -> CallError {
        let kind = match error {
            DecodeError::NoResponse | DecodeError::Truncated => ErrorKind::Closed,
            DecodeError::Head
            | DecodeError::TooLong
            | DecodeError::Length
            | DecodeError::Chunk
            | DecodeError::Switched => ErrorKind::Protocol,
        };
        CallError { is_unanswered: !self.is_heard, ..CallError::new(kind, &error) }
    }
}

/// Whether the other side has closed the connection, so that nothing more can be sent.
fn is_broken(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe)
}
