//! The app that the demo tests: answers every request after about two milliseconds. No product code needs it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::error::CliError;

/// A server on loopback, for as long as it is not stopped.
pub(crate) struct DemoApp {
    address: SocketAddr,
    cancel: CancellationToken,
    server: JoinSet<()>,
}

impl DemoApp {
    /// Listens on a free port of 127.0.0.1.
    pub(crate) async fn start() -> Result<Self, CliError> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let cancel = CancellationToken::new();
        let mut server = JoinSet::new();
        server.spawn(serve(listener, cancel.clone()));
        Ok(Self { address, cancel, server })
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Ends it with all its connections.
    pub(crate) async fn stop(mut self) {
        self.cancel.cancel();
        while self.server.join_next().await.is_some() {}
    }
}

async fn serve(listener: TcpListener, cancel: CancellationToken) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer));
                    // A client that goes away in the middle of an answer is no concern of the app.
                    connections.spawn(async { drop(connection.await) });
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn answer(_: Request<hyper::body::Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    Ok(Response::new(Full::new(Bytes::from_static(b"hello from the demo app\n"))))
}
