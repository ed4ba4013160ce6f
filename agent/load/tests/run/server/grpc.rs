//! A gRPC server that behaves well, made with tonic. It takes messages as bytes and does what they say.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::{Stream, StreamExt as _, stream};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::Grpc;
use tonic::{Code, Status, Streaming};

pub(crate) struct Server {
    address: SocketAddr,
    is_tls: bool,
    pub(crate) seen: Seen,
    _tasks: JoinSet<()>,
}

/// What a server saw.
#[derive(Clone, Default)]
pub(crate) struct Seen {
    calls: Arc<Mutex<Vec<Call>>>,
    connections: Arc<AtomicU64>,
    under_way: Arc<AtomicU64>,
    most: Arc<AtomicU64>,
}

/// One call as a server saw it.
#[derive(Clone, Default)]
pub(crate) struct Call {
    pub(crate) metadata: HeaderMap,
    pub(crate) messages: Vec<Bytes>,
}

impl Server {
    pub(crate) async fn start() -> Self {
        Self::serve(None).await
    }

    /// Like [`Self::start`] over TLS.
    pub(crate) async fn over_tls(mut config: ServerConfig) -> Self {
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self::serve(Some(TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn serve(tls: Option<TlsAcceptor>) -> Self {
        let is_tls = tls.is_some();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, mut tasks) = (Seen::default(), JoinSet::new());
        let shared = seen.clone();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (seen, tls) = (shared.clone(), tls.clone());
                open.spawn(async move {
                    let service = service_fn(move |request| answer(seen.clone(), request));
                    let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
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
        Self { address, is_tls, seen, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }
}

impl Seen {
    /// All calls, in the order in which they began.
    pub(crate) fn calls(&self) -> Vec<Call> {
        self.calls.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }

    /// The most calls that were under way at a time.
    pub(crate) fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    fn begin(&self, metadata: &HeaderMap) -> usize {
        let under_way = self.under_way.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(under_way, Ordering::SeqCst);
        let mut calls = self.calls.lock().unwrap();
        calls.push(Call { metadata: metadata.clone(), ..Call::default() });
        calls.len() - 1
    }

    fn message(&self, call: usize, message: &Bytes) {
        self.calls.lock().unwrap()[call].messages.push(message.clone());
    }
}

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

async fn answer(seen: Seen, request: Request<Incoming>) -> Result<Response<tonic::body::Body>, Infallible> {
    let number = seen.begin(request.headers());
    let mut grpc =
        Grpc::new(Raw).accept_compressed(CompressionEncoding::Gzip).send_compressed(CompressionEncoding::Gzip);
    let (path, shared) = (request.uri().path().to_owned(), seen.clone());
    let response = match path.as_str() {
        "/test.Echo/Unary" => {
            let unary = async |request: tonic::Request<Bytes>| {
                let message = request.into_inner();
                shared.message(number, &message);
                said(message).await.map(tonic::Response::new)
            };
            grpc.unary(tower::service_fn(|request| Box::pin(unary(request))), request).await
        }
        "/test.Echo/ClientStream" => {
            let collect = move |request: tonic::Request<Streaming<Bytes>>| {
                let shared = shared.clone();
                async move {
                    let mut messages = request.into_inner();
                    while let Some(message) = messages.message().await? {
                        shared.message(number, &message);
                        said(message).await?;
                    }
                    Ok(tonic::Response::new(Bytes::from_static(b"all")))
                }
            };
            grpc.client_streaming(tower::service_fn(collect), request).await
        }
        "/test.Echo/ServerStream" => {
            let serve = move |request: tonic::Request<Bytes>| {
                shared.message(number, request.get_ref());
                std::future::ready(Ok(tonic::Response::new(several(request.get_ref()))))
            };
            grpc.server_streaming(tower::service_fn(serve), request).await
        }
        _ => {
            let echo = move |request: tonic::Request<Streaming<Bytes>>| {
                let shared = shared.clone();
                let answers = request.into_inner().then(move |message| {
                    let shared = shared.clone();
                    async move {
                        let message = message?;
                        shared.message(number, &message);
                        said(message).await
                    }
                });
                std::future::ready(Ok(tonic::Response::new(Box::pin(answers) as Answers)))
            };
            grpc.streaming(tower::service_fn(echo), request).await
        }
    };
    seen.under_way.fetch_sub(1, Ordering::SeqCst);
    Ok(response)
}

/// Does what a message says: `status N message`, `sleep milliseconds`, `bytes N`; anything else is said back.
async fn said(message: Bytes) -> Result<Bytes, Status> {
    let text = String::from_utf8_lossy(&message).into_owned();
    let mut words = text.splitn(3, ' ');
    let (word, number, rest) = (words.next(), words.next(), words.next().unwrap_or_default());
    let number = || number.unwrap().parse::<u64>().unwrap();
    match word {
        Some("status") => Err(Status::new(Code::from(i32::try_from(number()).unwrap()), rest)),
        Some("sleep") => {
            tokio::time::sleep(Duration::from_millis(number())).await;
            Ok(message)
        }
        Some("bytes") => Ok(vec![b'x'; usize::try_from(number()).unwrap()].into()),
        _ => Ok(message),
    }
}

/// `N milliseconds`: so many messages with so long between them; then the status `rest` if there is one.
fn several(message: &Bytes) -> Answers {
    let text = String::from_utf8_lossy(message).into_owned();
    let mut words = text.splitn(3, ' ');
    let mut number = || words.next().unwrap().parse::<u64>().unwrap();
    let (count, between) = (number(), Duration::from_millis(number()));
    let end = words.next().map(|rest| Err(Status::new(Code::Aborted, rest)));
    let messages = stream::iter(0..count).then(move |number| async move {
        if number > 0 && !between.is_zero() {
            tokio::time::sleep(between).await;
        }
        Ok(Bytes::from(number.to_string()))
    });
    Box::pin(messages.chain(stream::iter(end)))
}

/// Messages as they are.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
