//! `/metrics`, `/livez` and `/readyz` over HTTP/1.1.

use std::convert::Infallible;
use std::net::SocketAddr;

use http::header::CONTENT_TYPE;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::metrics::Metrics;

/// How much a request's head may have, in bytes.
const HEAD_MAX: usize = 16 * 1024;

/// A server that is ready to answer.
pub(crate) struct Server {
    listener: TcpListener,
    metrics: Metrics,
    ready: watch::Receiver<bool>,
}

impl Server {
    /// Listens.
    pub(crate) async fn bind(
        address: SocketAddr,
        metrics: Metrics,
        ready: watch::Receiver<bool>,
    ) -> std::io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(address).await?, metrics, ready })
    }

    /// Where.
    pub(crate) fn address(&self) -> std::io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Answers until `cancel`.
    pub(crate) async fn run(self, cancel: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            let stream = tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => stream,
                    Err(error) => {
                        debug!(%error, "a connection could not be accepted");
                        continue;
                    }
                },
                Some(_) = connections.join_next() => continue,
                () = cancel.cancelled() => return,
            };
            let (metrics, ready) = (self.metrics.clone(), self.ready.clone());
            connections.spawn(async move {
                let service = service_fn(move |request| {
                    let answer = answer(&request, &metrics, *ready.borrow());
                    async { Ok::<_, Infallible>(answer) }
                });
                let mut http = http1::Builder::new();
                // A client that sends nothing is let go by hyper's own limit for the head.
                http.timer(TokioTimer::new()).max_buf_size(HEAD_MAX);
                // What goes wrong on a connection is the other side's affair.
                let _ = http.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    }
}

fn answer(request: &Request<Incoming>, metrics: &Metrics, is_ready: bool) -> Response<Full<Bytes>> {
    let (status, kind, text) = match (request.method(), request.uri().path()) {
        (&Method::GET | &Method::HEAD, "/metrics") => {
            (StatusCode::OK, "application/openmetrics-text; version=1.0.0; charset=utf-8", metrics.text())
        }
        (&Method::GET | &Method::HEAD, "/livez") => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") if is_ready => (StatusCode::OK, PLAIN, "ok\n".to_owned()),
        (&Method::GET | &Method::HEAD, "/readyz") => {
            let text = "the configuration, a trigger or the experiments were not read yet\n".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, PLAIN, text)
        }
        (&Method::GET | &Method::HEAD, _) => {
            (StatusCode::NOT_FOUND, PLAIN, "there are /metrics, /livez and /readyz\n".to_owned())
        }
        _ => (StatusCode::METHOD_NOT_ALLOWED, PLAIN, "only GET is answered\n".to_owned()),
    };
    let mut response = Response::new(Full::new(Bytes::from(text)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

const PLAIN: &str = "text/plain; charset=utf-8";
