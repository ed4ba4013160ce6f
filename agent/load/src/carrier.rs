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
use crate::target::{Message, Protocol, Target, Tls};
use crate::vary::{Places, Varied, Vary};
use url::Url;

/// The request of a load, prepared for its protocol.
pub(crate) enum Requests {
    Http1(http1::Prepared),
    /// Those that differ from one to the next, or that follow redirects.
    Special(Box<Special>),
    Http2(Box<http2::Prepared>),
    /// Those that differ from one to the next.
    Varying(Box<http2::Varying>),
    Grpc(Box<grpc::Prepared>),
}

/// Requests of HTTP/1.1 that take more than sending the same bytes.
pub(crate) struct Special {
    pattern: http1::Pattern,
    vary: Option<Vary>,
    /// What the pattern was made of: what a redirect leads to is made of it too.
    message: Message,
    /// Where redirects begin, with whom they lead to trusted like the target.
    follow: Option<Target>,
}

/// What carries the requests of a lane.
pub(crate) enum Carrier {
    Http1(Http1),
    /// A connection of its own for what is special.
    Special(Writer),
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

/// A connection of its own, with room to write each request in.
#[derive(Default)]
pub(crate) struct Writer {
    http1: Http1,
    varied: Varied,
    request: http1::Prepared,
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
            Requests::Http1(_) => Carrier::Http1(Http1::default()),
            Requests::Special(_) => Carrier::Special(Writer::default()),
            Requests::Http2(_) | Requests::Varying(_) => Carrier::Http2(link()),
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
        match (&target.protocol, &target.vary) {
            (Protocol::Http1, None) if !target.follow_redirects => Ok(Self::Http1(http1::Prepared::new(&message))),
            (Protocol::Http1, vary) => Ok(Self::Special(Box::new(Special {
                pattern: http1::Pattern::new(&message, vary.as_ref().map(Vary::places).unwrap_or(&Places::default())),
                vary: vary.clone(),
                message,
                follow: target.follow_redirects.then(|| target.clone()),
            }))),
            (Protocol::Http2, None) => Ok(Self::Http2(Box::new(http2::Prepared::new(&message)))),
            (Protocol::Http2, Some(vary)) => {
                Ok(Self::Varying(Box::new(http2::Varying { message, vary: vary.clone() })))
            }
            (Protocol::Grpc(call), _) => Ok(Self::Grpc(Box::new(grpc::Prepared::new(&message, call, plan.timeout)?))),
        }
    }
}

impl Carry for Http1 {
    async fn call(
        &mut self,
        means: &Means,
        _: u64,
        now: Instant,
        rested: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        match &*means.requests {
            Requests::Http1(request) => self.send(means, request, now, rested, is_error).await,
            Requests::Special(_) | Requests::Http2(_) | Requests::Varying(_) | Requests::Grpc(_) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
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

impl Carry for Writer {
    async fn call(
        &mut self,
        means: &Means,
        number: u64,
        now: Instant,
        rested: bool,
        is_error: &impl Fn(u16) -> bool,
    ) -> Result<Answer, CallError> {
        let Self { http1, varied, request } = self;
        match &*means.requests {
            Requests::Special(special) => {
                special.write(number, varied, request).map_err(impossible)?;
                let mut answer = http1.send(means, request, now, rested, is_error).await?;
                if let Some(target) = &special.follow
                    && answer.location.is_some()
                {
                    let message = special.message(varied).map_err(impossible)?;
                    // In a box, because it is rare and would make every call as large.
                    answer = Box::pin(follow(target, message, answer, http1, means, is_error)).await?;
                }
                self.rest();
                Ok(answer)
            }
            Requests::Http1(_) | Requests::Http2(_) | Requests::Varying(_) | Requests::Grpc(_) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
        }
    }

    fn reset(&mut self, means: &Means) {
        self.http1.reset(means);
        self.rest();
    }

    fn take_reconnects(&mut self) -> u64 {
        self.http1.take_reconnects()
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
            Requests::Varying(varying) => {
                let request = varying.prepared(number).map_err(impossible)?;
                Box::pin(request.call(self, &means.dialer, is_error)).await
            }
            Requests::Http1(_) | Requests::Special(_) | Requests::Grpc(_) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
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
            Requests::Http1(_) | Requests::Special(_) | Requests::Http2(_) | Requests::Varying(_) => {
                Err(CallError::without_detail(ErrorKind::Protocol))
            }
        }
    }

    fn reset(&mut self, means: &Means) {
        self.given_up(means);
    }
}

impl Writer {
    /// Keeps no more than small requests need, so that lanes with nothing to send are small.
    fn rest(&mut self) {
        self.varied.rest();
        self.request.rest();
    }
}

impl Special {
    /// Writes the request with this number.
    fn write(&self, number: u64, varied: &mut Varied, request: &mut http1::Prepared) -> Result<(), String> {
        if let Some(vary) = &self.vary {
            vary.make(number, varied)?;
        }
        self.pattern.fill(varied, request);
        Ok(())
    }

    /// The request that was written with `varied`.
    fn message(&self, varied: &Varied) -> Result<Message, String> {
        match &self.vary {
            Some(vary) => self.message.varied(vary.places(), varied),
            None => Ok(self.message.clone()),
        }
    }
}

/// Sends the requests that the `answer` to a `message` leads to. All of them count as one.
async fn follow(
    target: &Target,
    mut message: Message,
    mut answer: Answer,
    http1: &mut Http1,
    means: &Means,
    is_error: &impl Fn(u16) -> bool,
) -> Result<Answer, CallError> {
    let mut url: Url =
        message.uri.to_string().parse().map_err(|error: url::ParseError| impossible(error.to_string()))?;
    let (sent, mut hops) = (answer.sent, 0);
    while let (Some(location), Status::Http(status)) = (answer.location.take(), answer.status) {
        hops += 1;
        if hops > HOPS_MAX {
            return Err(impossible(format!("redirected more than {HOPS_MAX} times")));
        }
        (message, url) = redirect::next(&message, &url, status, &location).map_err(impossible)?;
        let (request, now) = (http1::Prepared::new(&message), Instant::now());
        answer = if url.origin() == target.url.origin() {
            http1.send(means, &request, now, false, is_error).await?
        } else {
            let stream = elsewhere(target, &url).await?;
            http1::Connection::new(stream).call(&request, &means.scratch, now, is_error).await?
        };
    }
    Ok(Answer { sent, ..answer })
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

impl Http1 {
    /// Sends a request at the time `now`, on a new connection when there is none that is still open.
    async fn send(
        &mut self,
        means: &Means,
        request: &http1::Prepared,
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
}
