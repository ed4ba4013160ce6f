//! An HTTP server that behaves well, as far as a test lets it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

#[derive(Clone, Copy)]
pub(crate) enum Behaviour {
    /// Answers with a status and as many bytes.
    Answer { status: u16, body: usize },
    /// Answers in chunks of a thousand bytes.
    Chunked { chunks: usize },
    /// Says what it was asked.
    Echo,
    /// Never answers.
    Hang,
    /// Closes the connection in place of an answer.
    Cut,
    /// Answers at once, but for one stall.
    StallOnce { after: u64, stall: Duration },
}

pub(crate) struct Server {
    address: SocketAddr,
    is_tls: bool,
    _tasks: JoinSet<()>,
    pub(crate) requests: Arc<AtomicU64>,
    pub(crate) http2_requests: Arc<AtomicU64>,
    pub(crate) connections: Arc<AtomicU64>,
}

impl Server {
    pub(crate) async fn start(behaviour: Behaviour) -> Self {
        Self::serve(None, behaviour).await
    }

    /// Like [`Self::start`] over TLS.
    pub(crate) async fn over_tls(config: ServerConfig, behaviour: Behaviour) -> Self {
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))), behaviour).await
    }

    async fn serve(tls: Option<TlsAcceptor>, behaviour: Behaviour) -> Self {
        let is_tls = tls.is_some();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let [requests, http2_requests, connections]: [Arc<AtomicU64>; 3] = Default::default();
        let (seen, seen_http2, accepted) = (requests.clone(), http2_requests.clone(), connections.clone());
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (seen, seen_http2, tls) = (seen.clone(), seen_http2.clone(), tls.clone());
                open.spawn(async move {
                    let service = service_fn(move |request| {
                        let number = seen.fetch_add(1, Ordering::SeqCst);
                        if request.version() == Version::HTTP_2 {
                            seen_http2.fetch_add(1, Ordering::SeqCst);
                        }
                        answer(behaviour, number, request)
                    });
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
                    // A client that leaves, or does not trust.
                    let _ = match tls {
                        None => builder.serve_connection(TokioIo::new(stream), service).await,
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => builder.serve_connection(TokioIo::new(stream), service).await,
                            Err(error) => Err(error.into()),
                        },
                    };
                });
            }
        });
        Self { address, is_tls, _tasks: tasks, requests, http2_requests, connections }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }
}

type Body = BoxBody<Bytes, Infallible>;

fn full(text: impl Into<Bytes>) -> Body {
    Full::new(text.into()).boxed()
}

async fn answer(
    behaviour: Behaviour,
    number: u64,
    request: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    match behaviour {
        Behaviour::Answer { status, body } => {
            Ok(Response::builder().status(status).body(full("x".repeat(body))).expect("is a response"))
        }
        Behaviour::Chunked { chunks } => {
            let frames = (0..chunks).map(|_| Ok(Frame::data(Bytes::from(vec![b'x'; 1_000]))));
            Ok(Response::new(StreamBody::new(futures_util::stream::iter(frames)).boxed()))
        }
        Behaviour::Echo => {
            let (parts, body) = request.into_parts();
            let body = body.collect().await.map_err(std::io::Error::other)?.to_bytes();
            let tenant = parts.headers["x-tenant"].to_str().unwrap_or_default();
            Ok(Response::new(full(format!(
                "{} {} x-tenant={tenant} {}",
                parts.method,
                parts.uri,
                String::from_utf8_lossy(&body)
            ))))
        }
        Behaviour::Hang => std::future::pending().await,
        Behaviour::Cut => Err(std::io::Error::other("cut")),
        Behaviour::StallOnce { after, stall } => {
            if number == after {
                tokio::time::sleep(stall).await;
            }
            Ok(Response::new(full("ok")))
        }
    }
}
