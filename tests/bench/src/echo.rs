//! A gRPC server that answers every unary call with its message, on tonic. Of `bench.Echo/Say`, which `echo.proto`
//! describes for those who call it.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;

use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tonic::server::{Grpc, UnaryService};
use tonic_prost::ProstCodec;

/// `bench.Words` of echo.proto.
#[derive(Clone, PartialEq, prost::Message)]
struct Words {
    #[prost(string, tag = "1")]
    text: String,
}

struct Say;

impl UnaryService<Words> for Say {
    type Response = Words;
    type Future = Ready<Result<tonic::Response<Words>, tonic::Status>>;

    fn call(&mut self, request: tonic::Request<Words>) -> Self::Future {
        ready(Ok(tonic::Response::new(request.into_inner())))
    }
}

/// Serves in one thread until `stop` comes, after `listens` heard of the port.
pub(crate) fn serve(listens: impl FnOnce(u16), stop: oneshot::Receiver<()>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        listens(listener.local_addr()?.port());
        tokio::select! {
            ended = accept(&listener) => ended.map(|never| match never {}),
            // Whoever drops the other end wants the same.
            _ = stop => Ok(()),
        }
    })
}

async fn accept(listener: &TcpListener) -> io::Result<Infallible> {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = |request: http::Request<Incoming>| async {
            let codec = ProstCodec::<Words, Words>::default();
            Ok::<_, Infallible>(Grpc::new(codec).unary(Say, request).await)
        };
        let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
            .max_concurrent_streams(1000)
            .serve_connection(TokioIo::new(stream), hyper::service::service_fn(answer));
        // A client that goes away is no trouble of the server.
        connections.spawn(async { connection.await.unwrap_or_default() });
    }
}
