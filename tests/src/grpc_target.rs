//! A gRPC server that calls can be made to: an implementation of the protocol and of server reflection that is not iter8's
//! own (tonic). It knows nothing of messages but their bytes.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::{Buf as _, BufMut as _, Bytes};
use futures_util::stream::{self, Stream};
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::Instant;
use tokio_rustls::TlsAcceptor;
use tonic::body::Body;
use tonic::codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{Grpc, StreamingService};
use tonic::{Status, Streaming};
use tonic_reflection::server::Builder as Reflection;

use crate::loopback::{Port, Service};
use crate::watched::Watched;

/// Which version of server reflection a target offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    /// None.
    Nothing,
    /// Version 1.
    V1,
    /// The version before it.
    V1Alpha,
}

/// One call as it came.
#[derive(Clone, Debug)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: String,
    /// What the client called the server.
    pub authority: String,
    /// Its metadata, with the headers of the protocol.
    pub metadata: HeaderMap,
    /// Its messages, encoded.
    pub messages: Vec<Bytes>,
}

/// A gRPC server on a port of its own, with a thread of its own. A method answers by its name: `Fail` with NOT_FOUND,
/// `Deny` with PERMISSION_DENIED, one whose name begins with `Many` with each message twice, every other one with the
/// last message; `Queue` after a service of [`GrpcTarget::SERVICE`], one call at a time.
#[derive(Debug)]
pub struct GrpcTarget {
    calls: Arc<Watched<Vec<Call>>>,
    port: Port,
    ca: Option<String>,
    _service: Service,
}

impl GrpcTarget {
    /// How long a call of `Queue` is served: the target takes a hundred of them a second.
    pub const SERVICE: Duration = Duration::from_millis(10);

    /// Starts a target that offers reflection of an encoded `FileDescriptorSet`.
    pub fn start(descriptors: &[u8], offers: Offers) -> Self {
        Self::serve(descriptors, offers, None)
    }

    /// Starts a target that wants TLS, with a certificate for `localhost` that [`Self::ca`] vouches for.
    pub fn over_tls(descriptors: &[u8], offers: Offers) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("the name is one");
        let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("the key was just made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let builder = builder.expect("the provider has them").with_no_client_auth();
        let mut config = builder.with_single_cert(vec![made.cert.der().clone()], key).expect("they fit");
        config.alpn_protocols = vec![b"h2".to_vec()];
        Self::serve(descriptors, offers, Some((config, made.cert.pem())))
    }

    fn serve(descriptors: &[u8], offers: Offers, tls: Option<(ServerConfig, String)>) -> Self {
        let calls = Arc::new(Watched::new(Vec::new()));
        let port = Port::reserve();
        let (tls, ca) = tls.map(|(config, ca)| (TlsAcceptor::from(Arc::new(config)), ca)).unzip();
        let shared = Shared { calls: calls.clone(), free: Arc::new(Mutex::new(Instant::now())) };
        let descriptors = Arc::new(descriptors.to_vec());
        let service = port.serve(move |stream| {
            let (shared, descriptors, tls) = (shared.clone(), descriptors.clone(), tls.clone());
            async move {
                match tls {
                    None => connection(stream, shared, descriptors, offers).await,
                    // A client that does not trust is none.
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            connection(stream, shared, descriptors, offers).await;
                        }
                    }
                }
            }
        });
        Self { calls, port, ca, _service: service }
    }

    /// Host and port.
    pub fn host(&self) -> String {
        self.port.address().to_string()
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port.address().port()
    }

    /// The certificate to trust, in PEM.
    ///
    /// # Panics
    /// Without TLS.
    pub fn ca(&self) -> &str {
        self.ca.as_deref().expect("the target wants TLS")
    }

    /// All calls so far, without those of reflection, in the order in which they began.
    pub fn calls(&self) -> Vec<Call> {
        self.calls.read(Vec::clone)
    }
}

/// What all connections of a target have in common.
#[derive(Clone)]
struct Shared {
    calls: Arc<Watched<Vec<Call>>>,
    /// When it is through with all calls of `Queue` that have come.
    free: Arc<Mutex<Instant>>,
}

impl Shared {
    /// Serves a call when all before it are served.
    async fn queue(&self) {
        let done = {
            let mut free = self.free.lock().expect("nobody panics with it");
            *free = (*free).max(Instant::now()) + GrpcTarget::SERVICE;
            *free
        };
        // This is the service itself.
        tokio::time::sleep_until(done).await;
    }
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    shared: Shared,
    descriptors: Arc<Vec<u8>>,
    offers: Offers,
) {
    let service = service_fn(move |request| answer(request, shared.clone(), descriptors.clone(), offers));
    // However it ends, the client learns of it.
    let _ = Builder::new(TokioExecutor::new()).http2_only().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(
    request: Request<Incoming>,
    shared: Shared,
    descriptors: Arc<Vec<u8>>,
    offers: Offers,
) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    if path.starts_with("/grpc.reflection.") {
        return Ok(reflect(request, &path, &descriptors, offers).await);
    }
    let authority = request.uri().authority().map(ToString::to_string).unwrap_or_default();
    let metadata = request.headers().clone();
    let index = shared.calls.update(|calls| {
        calls.push(Call { path: path.clone(), authority, metadata, messages: Vec::new() });
        calls.len() - 1
    });
    let mut grpc =
        Grpc::new(Raw).accept_compressed(CompressionEncoding::Gzip).send_compressed(CompressionEncoding::Gzip);
    let method = path.rsplit('/').next().unwrap_or_default().to_owned();
    Ok(grpc.streaming(Echo { shared, index, method }, request).await)
}

async fn reflect(request: Request<Incoming>, path: &str, descriptors: &[u8], offers: Offers) -> Response<Body> {
    let builder = Reflection::configure().register_encoded_file_descriptor_set(descriptors);
    match offers {
        Offers::V1 if path.contains(".v1.") => {
            let mut service = builder.build_v1().expect("the set is one");
            tonic::codegen::Service::call(&mut service, request).await.unwrap_or_else(|never| match never {})
        }
        Offers::V1Alpha if path.contains(".v1alpha.") => {
            let mut service = builder.build_v1alpha().expect("the set is one");
            tonic::codegen::Service::call(&mut service, request).await.unwrap_or_else(|never| match never {})
        }
        Offers::Nothing | Offers::V1 | Offers::V1Alpha => Status::unimplemented("").into_http(),
    }
}

/// Reads all messages of a call, and answers by the name of its method. On the wire a single message is a stream of one.
struct Echo {
    shared: Shared,
    index: usize,
    method: String,
}

type Answers = Pin<Box<dyn Stream<Item = Result<Bytes, Status>> + Send>>;

impl StreamingService<Bytes> for Echo {
    type Response = Bytes;
    type ResponseStream = Answers;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Answers>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Streaming<Bytes>>) -> Self::Future {
        let (shared, index, method) = (self.shared.clone(), self.index, self.method.clone());
        Box::pin(async move {
            let mut incoming = request.into_inner();
            let mut messages = Vec::new();
            while let Some(message) = incoming.message().await? {
                shared.calls.update(|calls| calls[index].messages.push(message.clone()));
                messages.push(message);
            }
            if method == "Queue" {
                shared.queue().await;
            }
            let answers = match method.as_str() {
                "Fail" => return Err(Status::not_found("there is no such thing")),
                "Deny" => return Err(Status::permission_denied("not you")),
                many if many.starts_with("Many") => messages.into_iter().flat_map(|one| [one.clone(), one]).collect(),
                _ => messages.split_off(messages.len().saturating_sub(1)),
            };
            let answers: Answers = Box::pin(stream::iter(answers.into_iter().map(Ok)));
            Ok(tonic::Response::new(answers))
        })
    }
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
