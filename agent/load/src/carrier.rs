//! How one request at a time travels, by each protocol. Which request, and when, is the lane's business.

use std::sync::Arc;
use std::time::Instant;

use crate::call::{Answer, CallError, Status};
use crate::dial::{Dialer, Route, Stream};
use crate::grpc;
use crate::http1::{self, Scratch};
use crate::http2;
use crate::plan::Plan;
use crate::redirect::{self, HOPS_MAX};
use crate::report::ErrorKind;
use crate::target::{Message, Protocol, Target, Tls, Vary};
use url::Url;

/// The request of a load, prepared for its protocol.
pub(crate) enum Requests {
    Http1(http1::Prepared),
    Http2(Box<http2::Prepared>),
    /// Those that differ from one to the next, or that follow redirects.
    Special(Box<Special>),
    Grpc(Box<grpc::Prepared>),
}

/// Requests that take more than sending the same bytes.
pub(crate) struct Special {
    message: Message,
    vary: Option<Vary>,
    http2: bool,
    /// Where redirects begin, with whom they lead to trusted like the target.
    follow: Option<Target>,
}

/// What carries the requests of a lane.
pub(crate) enum Carrier {
    Http1(Http1),
    /// Streams of a session, one after another.
    Http2(http2::Link),
    /// Calls over streams of a session, one after another.
    Grpc(grpc::Caller),
}

/// A connection of its own.
#[derive(Default)]
pub(crate) struct Http1 {
    connection: Option<http1::Connection>,
    /// How often a connection was made and not yet reported.
    dialed: u64,
    /// Whether the first was reported.
    is_known: bool,
}

/// Carries one request after another. Each protocol does so by a type of its own, because the call of a lane is moved
/// before it begins: with all protocols in one type every request would copy what the largest needs.
pub(crate) trait Carry {
    /// Sends the request that `number` others of the load come before, at the time `now`, and reads its answer to the end,
    /// on a new connection when there is none that is still open. `rested` says whether time has passed since the request
    /// before, in which the target may have closed it.
    async fn call(
        &mut self,
        means: &Means,
        number: u64,
        now: Instant,
        rested: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError>;

    /// Forgets a connection on which something went wrong, be it that a request was given up.
    fn reset(&mut self, means: &Means);

    /// How often a connection was made since the last time, beyond the first; 0 where sessions count it.
    fn take_reconnects(&mut self) -> u64 {
        0
    }
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
            Requests::Special(special) if special.http2 => Carrier::Http2(link()),
            Requests::Http1(_) | Requests::Special(_) => Carrier::Http1(Http1::default()),
            Requests::Http2(_) => Carrier::Http2(link()),
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
        let target = &plan.target;
        let is_special = target.vary.is_some() || target.follow_redirects;
        if let (true, Protocol::Http1 | Protocol::Http2) = (is_special, &target.protocol) {
            let http2 = matches!(target.protocol, Protocol::Http2);
            let follow = target.follow_redirects.then(|| target.clone());
            return Ok(Self::Special(Box::new(Special { message, vary: target.vary.clone(), http2, follow })));
        }
        match &plan.target.protocol {
            Protocol::Http1 => Ok(Self::Http1(http1::Prepared::new(&message))),
            Protocol::Http2 => Ok(Self::Http2(Box::new(http2::Prepared::new(&message)))),
            Protocol::Grpc(call) => Ok(Self::Grpc(Box::new(grpc::Prepared::new(&message, call, plan.timeout)?))),
        }
    }
}

impl Carry for Http1 {
    async fn call(
        &mut self,
        means: &Means,
        number: u64,
        now: Instant,
        rested: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        let Self { connection, dialed, .. } = self;
        if rested
            && let Some(current) = connection
            && !current.is_alive(&means.scratch).await
        {
            *connection = None;
        }
        match &*means.requests {
            Requests::Http1(request) => call_http1(connection, dialed, means, request, now, is_error).await,
            // In a box, so that calls which are nothing special are no larger for it.
            Requests::Special(special) => {
                Box::pin(special.call_http1(connection, dialed, means, number, now, is_error)).await
            }
            Requests::Http2(_) | Requests::Grpc(_) => Err(CallError::without_detail(ErrorKind::Protocol)),
        }
    }

    fn reset(&mut self, _: &Means) {
        self.connection = None;
    }

    fn take_reconnects(&mut self) -> u64 {
        let dialed = std::mem::take(&mut self.dialed);
        let first = u64::from(dialed > 0 && !std::mem::replace(&mut self.is_known, true));
        dialed - first
    }
}

impl Carry for http2::Link {
    async fn call(
        &mut self,
        means: &Means,
        number: u64,
        _: Instant,
        _: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        match &*means.requests {
            Requests::Http2(request) => request.call(self, &means.dialer, is_error).await,
            Requests::Special(special) => {
                let request = http2::Prepared::new(&special.message(number)?);
                Box::pin(request.call(self, &means.dialer, is_error)).await
            }
            Requests::Http1(_) | Requests::Grpc(_) => Err(CallError::without_detail(ErrorKind::Protocol)),
        }
    }

    fn reset(&mut self, _: &Means) {
        self.given_up();
    }
}

impl Carry for grpc::Caller {
    async fn call(
        &mut self,
        means: &Means,
        number: u64,
        _: Instant,
        _: bool,
        _: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        match &*means.requests {
            Requests::Grpc(request) => self.call_method(request, number, means).await,
            Requests::Http1(_) | Requests::Http2(_) | Requests::Special(_) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
        }
    }

    fn reset(&mut self, means: &Means) {
        self.given_up(means);
    }
}

impl Special {
    /// The request with this number.
    fn message(&self, number: u64) -> Result<Message, CallError> {
        let Some(vary) = &self.vary else { return Ok(self.message.clone()) };
        let made = vary.0(number).and_then(|varied| self.message.varied(varied));
        made.map_err(|why| impossible(format!("the request could not be made: {why}")))
    }

    /// Sends a request, and those that its redirects lead to, as one.
    async fn call_http1(
        &self,
        connection: &mut Option<http1::Connection>,
        dialed: &mut u64,
        means: &Means,
        number: u64,
        now: Instant,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        // A type of its own, so that the compiler makes code of its own for these calls, and that of the others stays in one
        // piece: shared code would cost every request of every load.
        let is_error = &|status| is_error(status);
        let mut message = self.message(number)?;
        let mut answer = call_http1(connection, dialed, means, &http1::Prepared::new(&message), now, is_error).await?;
        let Some(target) = &self.follow else { return Ok(answer) };
        let (sent, mut url, mut hops) = (answer.sent, target.url.clone(), 0);
        while let (Some(location), Status::Http(status)) = (answer.location.take(), answer.status) {
            hops += 1;
            if hops > HOPS_MAX {
                return Err(impossible(format!("redirected more than {HOPS_MAX} times")));
            }
            (message, url) = redirect::next(&message, &url, status, &location).map_err(impossible)?;
            let (request, now) = (http1::Prepared::new(&message), Instant::now());
            answer = if url.origin() == target.url.origin() {
                call_http1(connection, dialed, means, &request, now, is_error).await?
            } else {
                let stream = Box::pin(elsewhere(target, &url)).await?;
                http1::Connection::new(stream).call(&request, &means.scratch, now, is_error).await?
            };
        }
        Ok(Answer { sent, ..answer })
    }
}

/// A connection to another origin, which gets to know nothing of who the load is.
async fn elsewhere(target: &Target, url: &Url) -> Result<Stream, CallError> {
    let tls = Tls { identity: None, server_name: None, ..target.tls.clone() };
    let route = Route::new(&Target { url: url.clone(), tls, ..target.clone() });
    let route = route.map_err(|error| impossible(error.to_string()))?;
    Ok(Dialer::new(route, 0).dial().await?.stream)
}

/// A request that cannot be sent.
fn impossible(why: String) -> CallError {
    CallError { detail: why, ..CallError::without_detail(ErrorKind::Protocol) }
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
