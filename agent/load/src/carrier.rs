//! How one request at a time travels, by each protocol. Which request, and when, is the lane's business.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use crate::call::{Answer, CallError};
use crate::dial::Dialer;
use crate::http1::{self, Scratch};
use crate::http2;
use crate::report::ErrorKind;
use crate::target::{Protocol, Target};

/// The request of a load, prepared for its protocol.
pub(crate) enum Requests {
    Http1(http1::Prepared),
    Http2(Box<http2::Prepared>),
}

/// What carries the requests of a lane.
pub(crate) enum Carrier {
    /// A connection of its own.
    Http1 {
        connection: Option<http1::Connection>,
        /// How often a connection was made and not yet reported.
        dialed: u64,
        is_new: bool,
    },
    /// A stream of the session with this number.
    Http2(usize),
}

/// What all lanes of a worker send with.
pub(crate) struct Means {
    pub(crate) dialer: Dialer,
    pub(crate) requests: Arc<Requests>,
    pub(crate) sessions: Sessions,
    scratch: Scratch,
}

impl Means {
    pub(crate) fn new(dialer: Dialer, requests: Arc<Requests>) -> Self {
        Self { dialer, requests, sessions: Sessions::default(), scratch: Scratch::default() }
    }
}

/// The HTTP/2 sessions of a worker.
#[derive(Default)]
pub(crate) struct Sessions(RefCell<Vec<Rc<http2::Session>>>);

impl Requests {
    /// Prepares what a target stands for.
    ///
    /// # Errors
    /// In words, when its URL cannot be sent.
    pub(crate) fn new(target: &Target) -> Result<Self, String> {
        let message = target.message()?;
        match target.protocol {
            Protocol::Http1 => Ok(Self::Http1(http1::Prepared::new(&message))),
            Protocol::Http2 => Ok(Self::Http2(Box::new(http2::Prepared::new(&message)))),
            Protocol::Grpc(_) => Err("gRPC cannot be sent yet".to_owned()),
        }
    }

    /// The carrier of the lane `number` of a load over so many connections.
    pub(crate) fn carrier(&self, number: usize, connections: usize) -> Carrier {
        match self {
            Self::Http1(_) => Carrier::Http1 { connection: None, dialed: 0, is_new: true },
            Self::Http2(_) => Carrier::Http2(number % connections.max(1)),
        }
    }
}

impl Sessions {
    fn session(&self, number: usize) -> Rc<http2::Session> {
        let mut sessions = self.0.borrow_mut();
        while sessions.len() <= number {
            sessions.push(Rc::default());
        }
        sessions[number].clone()
    }

    /// How often sessions were made anew.
    pub(crate) fn reconnects(&self) -> u64 {
        self.0.borrow().iter().map(|session| session.reconnects()).sum()
    }
}

impl Carrier {
    /// Sends the request at the time `now` and reads its answer to the end, on a new connection when there is none that is
    /// still open. `rested` says whether time has passed since the request before, in which the target may have closed it.
    pub(crate) async fn call(
        &mut self,
        means: &Means,
        now: Instant,
        rested: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        match (self, &*means.requests) {
            (Self::Http1 { connection, dialed, .. }, Requests::Http1(request)) => {
                if rested
                    && let Some(current) = connection
                    && !current.is_alive(&means.scratch).await
                {
                    *connection = None;
                }
                call_http1(connection, dialed, means, request, now, is_error).await
            }
            (Self::Http2(number), Requests::Http2(request)) => {
                let session = means.sessions.session(*number);
                Box::pin(session.call(&means.dialer, request, is_error)).await
            }
            (Self::Http1 { .. }, Requests::Http2(_)) | (Self::Http2(_), Requests::Http1(_)) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
        }
    }

    /// Forgets a connection on which something went wrong.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Http1 { connection, .. } => *connection = None,
            // The session knows itself whether it has ended.
            Self::Http2(_) => {}
        }
    }

    /// How often a connection was made since the last time, beyond the first.
    pub(crate) fn take_reconnects(&mut self) -> u64 {
        match self {
            Self::Http1 { dialed, is_new, .. } => {
                let first = u64::from(*dialed > 0 && std::mem::take(is_new));
                std::mem::take(dialed).saturating_sub(first)
            }
            Self::Http2(_) => 0,
        }
    }
}

async fn call_http1(
    connection: &mut Option<http1::Connection>,
    dialed: &mut u64,
    means: &Means,
    request: &http1::Prepared,
    now: Instant,
    is_error: &impl Fn(u16) -> bool,
) -> Result<Answer, CallError> {
    let mut sent = now;
    loop {
        let current = match connection {
            Some(current) => current,
            None => {
                // In a box, because it is rare and would make every call as large as a handshake.
                let made = Box::pin(means.dialer.dial()).await?;
                *dialed += 1;
                sent = Instant::now();
                connection.insert(http1::Connection::new(made.stream))
            }
        };
        match current.call(request, &means.scratch, sent, is_error).await {
            Ok(answer) => {
                if !answer.reusable {
                    *connection = None;
                }
                return Ok(answer);
            }
            // The server closed a connection at rest in the very instant in which the request was sent. Nothing was
            // answered, so it may be sent again if that does no harm (RFC 9112, section 9.3.1).
            Err(error)
                if current.is_used()
                    && request.is_idempotent
                    && error.is_unanswered
                    && matches!(error.kind, ErrorKind::Closed | ErrorKind::Reset) =>
            {
                *connection = None;
            }
            Err(error) => return Err(error),
        }
    }
}
