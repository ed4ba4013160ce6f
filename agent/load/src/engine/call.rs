//! One request and its answer on one connection.

use std::error::Error;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::Poll;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Request, Response, Version, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use percent_encoding::percent_decode_str;

use crate::report::{ErrorKind, SAMPLE_BYTES};
use crate::target::Target;

type Driver = Pin<Box<dyn Future<Output = Result<(), hyper::Error>> + Send>>;

/// A connection, driven by whoever waits for an answer on it: there is no task behind it.
pub(crate) struct Connection {
    sender: Sender,
    driver: Option<Driver>,
}

pub(super) enum Sender {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    /// When the request was handed to the connection.
    pub(crate) sent: Instant,
    /// When the last byte of the answer was there.
    pub(crate) done: Instant,
    /// The first bytes of the body.
    pub(crate) head: Vec<u8>,
    /// Whether another request may follow.
    pub(crate) reusable: bool,
}

/// Why there is no answer.
#[derive(Debug)]
pub(crate) struct CallError {
    pub(crate) kind: ErrorKind,
    pub(crate) detail: String,
}

impl CallError {
    pub(super) fn new(kind: ErrorKind, error: &(dyn Error + 'static)) -> Self {
        let deepest = std::iter::successors(Some(error), |error| (*error).source()).last();
        let detail = deepest.map(ToString::to_string).unwrap_or_default();
        Self { kind, detail: detail.chars().take(SAMPLE_BYTES).collect() }
    }

    pub(crate) const fn without_detail(kind: ErrorKind) -> Self {
        Self { kind, detail: String::new() }
    }

    /// Sorts hyper's errors by what was really wrong.
    pub(super) fn of_hyper(error: &hyper::Error) -> Self {
        let causes = || std::iter::successors(Some(error as &(dyn Error + 'static)), |error| (*error).source());
        let io_kind = causes().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
        let kind = match io_kind {
            Some(io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe) => ErrorKind::Reset,
            Some(io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionAborted) => ErrorKind::Closed,
            Some(io::ErrorKind::InvalidData) => ErrorKind::Tls,
            _ if error.is_incomplete_message() || error.is_closed() || error.is_canceled() => ErrorKind::Closed,
            _ => ErrorKind::Protocol,
        };
        Self::new(kind, error)
    }
}

impl Connection {
    pub(super) fn new(sender: Sender, driver: impl Future<Output = Result<(), hyper::Error>> + Send + 'static) -> Self {
        Self { sender, driver: Some(Box::pin(driver)) }
    }

    /// Whether the target has not closed it while nothing was under way.
    pub(crate) async fn is_alive(&mut self) -> bool {
        poll_fn(|context| {
            let Some(driver) = &mut self.driver else { return Poll::Ready(false) };
            Poll::Ready(driver.as_mut().poll(context).is_pending())
        })
        .await
            && !self.sender.is_closed()
    }

    /// Sends a request and reads its answer to the end.
    pub(crate) async fn call(&mut self, request: &Request<Bytes>) -> Result<Answer, CallError> {
        let sender = &mut self.sender;
        let exchange = async {
            sender.ready().await.map_err(|error| CallError::of_hyper(&error))?;
            let sent = Instant::now();
            let response = sender.send(request).await.map_err(|error| CallError::of_hyper(&error))?;
            read(response, sent).await
        };
        let mut exchange = std::pin::pin!(exchange);
        let driver = &mut self.driver;
        poll_fn(|context| {
            // The driver first: it moves the bytes that the exchange waits for. When it ends, the exchange may still
            // have an answer to hand out, and if not it knows why.
            if let Some(running) = driver
                && running.as_mut().poll(context).is_ready()
            {
                *driver = None;
            }
            let answer = exchange.as_mut().poll(context);
            if answer.is_pending()
                && let Some(running) = driver
                && running.as_mut().poll(context).is_ready()
            {
                *driver = None;
                return exchange.as_mut().poll(context);
            }
            answer
        })
        .await
    }
}

/// Reads a body of any size without keeping more than its head.
async fn read(response: Response<Incoming>, sent: Instant) -> Result<Answer, CallError> {
    let status = response.status().as_u16();
    let closes = response
        .headers()
        .get_all(header::CONNECTION)
        .iter()
        .any(|value| value.as_bytes().eq_ignore_ascii_case(b"close"));
    let reusable = !closes && response.version() != Version::HTTP_10;
    let mut body = response.into_body();
    let mut head = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| CallError::of_hyper(&error))?;
        if let Some(data) = frame.data_ref() {
            let room = SAMPLE_BYTES - head.len();
            head.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(Answer { status, sent, done: Instant::now(), head, reusable })
}

impl Sender {
    async fn ready(&mut self) -> Result<(), hyper::Error> {
        match self {
            Self::Http1(sender) => sender.ready().await,
            Self::Http2(sender) => sender.ready().await,
        }
    }

    fn is_closed(&self) -> bool {
        match self {
            Self::Http1(sender) => sender.is_closed(),
            Self::Http2(sender) => sender.is_closed(),
        }
    }

    async fn send(&mut self, request: &Request<Bytes>) -> Result<Response<Incoming>, hyper::Error> {
        match self {
            Self::Http1(sender) => sender.send_request(in_origin_form(request)).await,
            Self::Http2(sender) => sender.send_request(request.clone().map(Full::new)).await,
        }
    }
}

/// HTTP/1 names the host in a header and only the path in the request line (RFC 9112, section 3.2.1).
fn in_origin_form(request: &Request<Bytes>) -> Request<Full<Bytes>> {
    let mut request = request.clone().map(Full::new);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = path.map(http::Uri::from).unwrap_or_default();
    request
}

/// The request that a target stands for, with an absolute URI.
pub(crate) fn request_of(target: &Target) -> Result<Request<Bytes>, String> {
    let mut url = target.url.clone();
    url.set_fragment(None);
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let uri: http::Uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    let authority = uri.authority().map(|authority| authority.as_str().to_owned()).unwrap_or_default();
    let mut headers = HeaderMap::new();
    if !target.http2 {
        headers.insert(header::HOST, HeaderValue::from_str(&authority).map_err(|error| error.to_string())?);
    }
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("iter8/", env!("CARGO_PKG_VERSION"))));
    if let Some(credentials) = basic_credentials(&target.url) {
        headers.insert(header::AUTHORIZATION, credentials);
    }
    headers.extend(target.headers.clone());
    let mut request = Request::new(target.body.clone());
    *request.method_mut() = target.method.clone();
    *request.uri_mut() = uri;
    *request.headers_mut() = headers;
    Ok(request)
}

/// User and password of a URL, as RFC 7617 sends them: what is percent-encoded in the URL is sent as it is meant.
fn basic_credentials(url: &url::Url) -> Option<HeaderValue> {
    use base64::Engine as _;
    let meant = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let credentials = [meant(url.username()), meant(url.password().unwrap_or_default())].join(&b':');
    let encoded = base64::engine::general_purpose::STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok().filter(|_| !url.username().is_empty())?;
    value.set_sensitive(true);
    Some(value)
}
