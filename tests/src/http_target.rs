//! HTTP servers that a load can be sent to: one that behaves as it is told, path by path, and one that nobody runs.

use std::collections::BTreeMap;
use std::error::Error;
use std::fmt::Write as _;
use std::future::{pending, poll_fn};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::request::Parts;
use http::{HeaderMap, Method, Response, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::yield_now;
use tokio::time::sleep;

use crate::loopback::{Port, Service};
use crate::watched::Watched;

/// What a target does with a request.
#[derive(Clone, Debug)]
pub enum Behaviour {
    /// Answers with this status and a body of so many bytes.
    Answer {
        /// The status.
        status: u16,
        /// The length of the body.
        bytes: usize,
    },
    /// Answers 200 with this body.
    Text(&'static str),
    /// Answers as another server once did.
    Recorded {
        /// The status.
        status: u16,
        /// The type of the body.
        content_type: &'static str,
        /// The body.
        body: &'static str,
    },
    /// Answers with this status, and when one may come again, so many times; then 200 and `ok`.
    Recovers {
        /// The status.
        status: u16,
        /// How many times.
        after: u64,
        /// What `Retry-After` says: seconds or a date.
        retry_after: &'static str,
    },
    /// Answers 200 after this time.
    Late(Duration),
    /// Answers 200 once [`HttpTarget::release`] was called.
    Held,
    /// Answers with this status, and shows the request as it came in: its head, and its body.
    Echo {
        /// The status.
        status: u16,
        /// So many bytes come before what is shown.
        after: usize,
    },
    /// Answers that what is looked for is at this place (307).
    Elsewhere(&'static str),
    /// Answers 200, and closes the connection after so many bytes of a longer body.
    Cut(usize),
    /// Never answers.
    Hang,
    /// Ends the connection without an answer.
    Close,
    /// Resets the connection.
    Reset,
}

impl Behaviour {
    /// Answers 200 with a short body.
    pub const OK: Self = Self::status(200);

    /// Answers with this status and a short body.
    pub const fn status(status: u16) -> Self {
        Self::Answer { status, bytes: 2 }
    }
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its method.
    pub method: Method,
    /// Its path and query, as they were written.
    pub target: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}

impl Received {
    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// An HTTP/1.1 server on a port of its own, with a thread of its own.
#[derive(Debug)]
pub struct HttpTarget {
    state: Arc<Watched<State>>,
    port: Port,
    _service: Service,
}

#[derive(Debug)]
struct State {
    usual: Behaviour,
    by_path: BTreeMap<String, Behaviour>,
    counts: BTreeMap<String, u64>,
    last: Option<Received>,
    connections: u64,
    is_released: bool,
}

impl HttpTarget {
    /// Starts a target that behaves so on every path.
    pub fn start(usual: Behaviour) -> Self {
        let (by_path, counts) = (BTreeMap::new(), BTreeMap::new());
        let state = State { usual, by_path, counts, last: None, connections: 0, is_released: false };
        let state = Arc::new(Watched::new(state));
        let port = Port::reserve();
        let shared = state.clone();
        let service = port.serve(move |stream| connection(stream, shared.clone()));
        Self { state, port, _service: service }
    }

    /// Behaves so on one path, from now on.
    pub fn on(&self, path: &str, behaviour: Behaviour) {
        self.state.update(|state| state.by_path.insert(path.to_owned(), behaviour));
    }

    /// Answers what is [`Behaviour::Held`], now and later.
    pub fn release(&self) {
        self.state.update(|state| state.is_released = true);
    }

    /// A URL of it. `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.port.address())
    }

    /// Host and port, for URLs with more than a path.
    pub fn authority(&self) -> String {
        self.port.address().to_string()
    }

    /// How many requests have come so far.
    pub fn count(&self) -> u64 {
        self.state.read(|state| state.counts.values().sum())
    }

    /// How many of them were for one path.
    pub fn count_of(&self, path: &str) -> u64 {
        self.state.read(|state| state.counts.get(path).copied().unwrap_or(0))
    }

    /// How many connections have been made to it.
    pub fn connections(&self) -> u64 {
        self.state.read(|state| state.connections)
    }

    /// The last request.
    ///
    /// # Panics
    /// When none has come.
    pub fn last(&self) -> Received {
        self.state.read(|state| state.last.clone()).expect("a request has come")
    }

    /// Waits until so many requests have come.
    pub fn wait_for_requests(&self, count: u64) {
        let come = |state: &State| (state.counts.values().sum::<u64>() >= count).then_some(());
        self.state.wait(come).unwrap_or_else(|| panic!("{count} requests did not come, only {}", self.count()));
    }
}

/// A port on 127.0.0.1 that refuses connections, and that nobody else gets.
#[derive(Debug)]
pub struct ClosedPort(Port);

impl ClosedPort {
    /// Takes a port.
    pub fn reserve() -> Self {
        Self(Port::reserve())
    }

    /// A URL of it. `path` begins with a slash.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.0.address())
    }
}

async fn connection(stream: TcpStream, state: Arc<Watched<State>>) {
    state.update(|state| state.connections += 1);
    let resets = AtomicBool::new(false);
    let service = service_fn(|request| Box::pin(answer(request, &state, &resets)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    // However it ends, the client learns of it.
    let _ = poll_fn(|context| connection.poll_without_shutdown(context)).await;
    let stream = connection.into_parts().io.into_inner();
    if resets.load(Ordering::Relaxed) {
        // Without time to linger, closing sends RST instead of FIN.
        stream.set_zero_linger().expect("every TCP socket has this option");
    }
}

/// An error that ends a connection.
fn ended() -> io::Error {
    io::Error::other("the connection ends on purpose")
}

async fn answer(
    request: http::Request<Incoming>,
    state: &Watched<State>,
    resets: &AtomicBool,
) -> Result<Response<UnsyncBoxBody<Bytes, io::Error>>, Box<dyn Error + Send + Sync>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await?.to_bytes();
    let path = head.uri.path().to_owned();
    let (behaviour, count) = state.update(|state| {
        let count = state.counts.entry(path.clone()).or_default();
        *count += 1;
        let count = *count;
        state.last = Some(Received {
            method: head.method.clone(),
            target: head.uri.to_string(),
            headers: head.headers.clone(),
            body: body.clone(),
        });
        (state.by_path.get(&path).unwrap_or(&state.usual).clone(), count)
    });
    let (status, body) = match behaviour {
        Behaviour::Answer { status, bytes } => (status, Bytes::from(vec![b'.'; bytes])),
        Behaviour::Text(text) => (200, Bytes::from_static(text.as_bytes())),
        Behaviour::Recorded { status, content_type, body } => {
            let body = Full::from(body).map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::builder().status(status).header(header::CONTENT_TYPE, content_type).body(body)?);
        }
        Behaviour::Recovers { after, .. } if count > after => (200, Bytes::from_static(b"ok")),
        Behaviour::Recovers { status, retry_after, .. } => {
            let body = Full::default().map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::builder().status(status).header(header::RETRY_AFTER, retry_after).body(body)?);
        }
        Behaviour::Late(delay) => {
            sleep(delay).await;
            (200, Bytes::new())
        }
        Behaviour::Held => {
            state.until(|state| state.is_released).await;
            (200, Bytes::new())
        }
        Behaviour::Echo { status, after } => (status, Bytes::from(".".repeat(after) + &shown(&head, &body))),
        Behaviour::Cut(bytes) => {
            let begin = stream::iter([Ok(Frame::data(Bytes::from(vec![b'.'; bytes])))]);
            // Hyper sends what it has when it has to wait, and would drop it together with the connection.
            let end = stream::once(async {
                yield_now().await;
                Err(ended())
            });
            let body = StreamBody::new(begin.chain(end)).boxed_unsync();
            return Ok(Response::builder().header(header::CONTENT_LENGTH, bytes + 1).body(body)?);
        }
        Behaviour::Elsewhere(place) => {
            let body = Full::default().map_err(|never| match never {}).boxed_unsync();
            return Ok(Response::builder().status(307).header(header::LOCATION, place).body(body)?);
        }
        Behaviour::Hang => pending().await,
        Behaviour::Close => return Err(ended().into()),
        Behaviour::Reset => {
            resets.store(true, Ordering::Relaxed);
            return Err(ended().into());
        }
    };
    let body = Full::new(body).map_err(|never| match never {}).boxed_unsync();
    Ok(Response::builder().status(status).body(body)?)
}

/// A request as text.
fn shown(head: &Parts, body: &Bytes) -> String {
    let mut text = format!("{} {}\n", head.method, head.uri);
    for (name, value) in &head.headers {
        let value = String::from_utf8_lossy(value.as_bytes());
        writeln!(text, "{name}: {value}").expect("a text takes everything");
    }
    text + "\n" + &String::from_utf8_lossy(body)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};

    use super::*;

    /// What comes back, or how the connection ended instead.
    fn get(target: &HttpTarget, path: &str) -> Result<String, ErrorKind> {
        let mut stream = std::net::TcpStream::connect(target.port.address()).expect("it listens");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a\r\nX-Test: 1\r\nConnection: close\r\n\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).map(|_| text).map_err(|error| error.kind())
    }

    #[test]
    fn a_target_behaves_path_by_path_and_counts() {
        let target = HttpTarget::start(Behaviour::OK);
        target.on("/large", Behaviour::Answer { status: 503, bytes: 1000 });
        target.on("/echo", Behaviour::Echo { status: 500, after: 3 });
        target.on("/reset", Behaviour::Reset);
        target.on("/close", Behaviour::Close);
        target.on("/cut", Behaviour::Cut(10));
        assert!(get(&target, "/").expect("an answer").starts_with("HTTP/1.1 200"));
        let large = get(&target, "/large").expect("an answer");
        assert!(large.starts_with("HTTP/1.1 503") && large.ends_with(&".".repeat(1000)));
        assert!(get(&target, "/echo?q=1").expect("an answer").contains("...GET /echo?q=1\nhost: a\nx-test: 1\n"));
        let cut = get(&target, "/cut").expect("an answer");
        assert!(
            cut.contains("content-length: 11") && cut.ends_with(&".".repeat(10)) && !cut.ends_with(&".".repeat(11))
        );
        assert_eq!(get(&target, "/reset"), Err(ErrorKind::ConnectionReset));
        assert_eq!(get(&target, "/close"), Ok(String::new()));
        assert_eq!((target.count(), target.count_of("/echo"), target.connections()), (6, 1, 6));
        assert_eq!((target.last().target.as_str(), target.last().header("x-test")), ("/close", "1"));
    }

    #[test]
    fn what_is_held_waits_for_its_release() {
        let target = HttpTarget::start(Behaviour::Held);
        std::thread::scope(|scope| {
            let answer = scope.spawn(|| get(&target, "/"));
            target.wait_for_requests(1);
            assert!(!answer.is_finished());
            target.release();
            assert!(answer.join().expect("no panic").is_ok());
        });
    }
}
