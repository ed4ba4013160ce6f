//! How one request at a time travels, by each protocol. Which request, and when, is the lane's business.

use std::sync::Arc;
use std::time::Instant;

use crate::call::{Answer, CallError};
use crate::dial::Dialer;
use crate::grpc;
use crate::http1::{self, Scratch};
use crate::http2;
use crate::plan::Plan;
use crate::report::ErrorKind;
use crate::target::{Message, Protocol, Vary};

/// The request of a load, prepared for its protocol.
pub(crate) enum Requests {
    Http1(http1::Prepared),
    Http2(Box<http2::Prepared>),
    /// Each is made when it is to be sent; over HTTP/2 or not.
    Varying {
        message: Box<Message>,
        vary: Vary,
        http2: bool,
    },
    Grpc(Box<grpc::Prepared>),
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
    /// Streams of a session, one after another.
    Http2(http2::Link),
    /// Calls over streams of a session, one after another.
    Grpc(grpc::Caller),
}

/// What all lanes of a worker send with.
pub(crate) struct Means {
    pub(crate) dialer: Dialer,
    pub(crate) requests: Arc<Requests>,
    pub(crate) sessions: http2::Sessions,
    /// Messages of gRPC that went there and came back.
    pub(crate) messages: grpc::Counts,
    scratch: Scratch,
}

impl Means {
    pub(crate) fn new(dialer: Dialer, requests: Arc<Requests>) -> Self {
        let (sessions, messages) = Default::default();
        Self { dialer, requests, sessions, messages, scratch: Scratch::default() }
    }

    /// The carrier of the lane `number` of a load.
    pub(crate) fn carrier(&self, number: usize, plan: &Plan) -> Carrier {
        let link = || self.sessions.link(number % (plan.connections as usize).max(1));
        match &*self.requests {
            Requests::Http1(_) | Requests::Varying { http2: false, .. } => {
                Carrier::Http1 { connection: None, dialed: 0, is_new: true }
            }
            Requests::Http2(_) | Requests::Varying { http2: true, .. } => Carrier::Http2(link()),
            Requests::Grpc(_) => Carrier::Grpc(grpc::Caller::new(link(), plan.share.numbered(number as u64))),
        }
    }
}

impl Requests {
    /// Prepares what the target of a plan stands for.
    ///
    /// # Errors
    /// In words, when it cannot be sent.
    pub(crate) fn new(plan: &Plan) -> Result<Self, String> {
        let message = plan.target.message()?;
        if let (Some(vary), Protocol::Http1 | Protocol::Http2) = (&plan.target.vary, &plan.target.protocol) {
            let http2 = matches!(plan.target.protocol, Protocol::Http2);
            return Ok(Self::Varying { message: Box::new(message), vary: vary.clone(), http2 });
        }
        match &plan.target.protocol {
            Protocol::Http1 => Ok(Self::Http1(http1::Prepared::new(&message))),
            Protocol::Http2 => Ok(Self::Http2(Box::new(http2::Prepared::new(&message)))),
            Protocol::Grpc(call) => Ok(Self::Grpc(Box::new(grpc::Prepared::new(&message, call, plan.timeout)?))),
        }
    }
}

impl Carrier {
    /// Sends the request that `number` others of the load come before, at the time `now`, and reads its answer to the end, on a new connection when there is none that is
    /// still open. `rested` says whether time has passed since the request before, in which the target may have closed it.
    pub(crate) async fn call(
        &mut self,
        means: &Means,
        number: u64,
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
            (Self::Http2(link), Requests::Http2(request)) => request.call(link, &means.dialer, is_error).await,
            (Self::Http1 { connection, dialed, .. }, Requests::Varying { message, vary, .. }) => {
                let request = http1::Prepared::new(&varied(message, vary, number)?);
                if let Some(current) = connection
                    && !current.is_alive(&means.scratch).await
                {
                    *connection = None;
                }
                // In a box, so that calls which do not vary are no larger for it.
                Box::pin(call_http1(connection, dialed, means, &request, now, is_error)).await
            }
            (Self::Http2(link), Requests::Varying { message, vary, .. }) => {
                let request = http2::Prepared::new(&varied(message, vary, number)?);
                Box::pin(request.call(link, &means.dialer, is_error)).await
            }
            (Self::Grpc(caller), Requests::Grpc(request)) => caller.call(request, number, means).await,
            (Self::Http1 { .. } | Self::Http2(_) | Self::Grpc(_), _) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
        }
    }

    /// Forgets a connection on which something went wrong, be it that a request was given up.
    pub(crate) fn reset(&mut self) {
        match self {
            Self::Http1 { connection, .. } => *connection = None,
            Self::Http2(link) => link.given_up(),
            Self::Grpc(caller) => caller.given_up(),
        }
    }

    /// How often a connection was made since the last time, beyond the first.
    pub(crate) fn take_reconnects(&mut self) -> u64 {
        match self {
            Self::Http1 { dialed, is_new, .. } => {
                let first = u64::from(*dialed > 0 && std::mem::take(is_new));
                std::mem::take(dialed).saturating_sub(first)
            }
            Self::Http2(_) | Self::Grpc(_) => 0,
        }
    }
}

/// The request with this number.
fn varied(message: &Message, vary: &Vary, number: u64) -> Result<Message, CallError> {
    vary.0(number).and_then(|varied| message.varied(varied)).map_err(|why| CallError {
        detail: format!("the request could not be made: {why}"),
        ..CallError::without_detail(ErrorKind::Protocol)
    })
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
