//! From a URL to a connection: addresses, TCP, TLS and the protocol that both sides speak. What is said on the connection
//! is not its business.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ClientConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::call::CallError;
use crate::error::LoadError;
use crate::report::ErrorKind;
use crate::target::{Protocol, Target, Tls};

/// Where a target is and how to reach it; the same for all workers.
#[derive(Clone)]
pub(crate) struct Route {
    host: String,
    port: u16,
    tls: Option<(TlsConnector, ServerName<'static>)>,
    http2: bool,
}

/// Makes connections for one worker.
pub(crate) struct Dialer {
    route: Route,
    addresses: tokio::sync::OnceCell<Vec<SocketAddr>>,
    next: Cell<usize>,
}

/// A connection, encrypted or not.
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection with the protocol to speak on it.
pub(crate) struct Dialed {
    pub(crate) stream: Stream,
    pub(crate) http2: bool,
}

impl Route {
    pub(crate) fn new(target: &Target) -> Result<Self, LoadError> {
        let no_host = || LoadError::Plan("the URL names no host".to_owned());
        let host = target.url.host_str().ok_or_else(no_host)?.trim_matches(['[', ']']).to_owned();
        let port = target.url.port_or_known_default().ok_or_else(no_host)?;
        let http2 = match target.protocol {
            Protocol::Http1 => false,
            Protocol::Http2 | Protocol::Grpc(_) => true,
        };
        let tls = match target.url.scheme() {
            "https" => {
                let config = client_config(&target.tls, http2)?;
                let name = target.tls.server_name.clone().unwrap_or_else(|| host.clone());
                let name = ServerName::try_from(name).map_err(|error| LoadError::Tls(error.to_string()))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
            _ => None,
        };
        Ok(Self { host, port, tls, http2 })
    }
}

impl Dialer {
    /// Connections are spread over the target's addresses, beginning with the one numbered `first`.
    pub(crate) const fn new(route: Route, first: usize) -> Self {
        Self { route, addresses: tokio::sync::OnceCell::const_new(), next: Cell::new(first) }
    }

    /// Makes a connection. Addresses are looked up once; when one of them refuses, the next is tried.
    pub(crate) async fn dial(&self) -> Result<Dialed, CallError> {
        let Route { host, port, tls, http2 } = &self.route;
        let resolve = async || {
            let found = tokio::net::lookup_host((host.as_str(), *port)).await;
            let found: Vec<SocketAddr> = found.map_err(|error| CallError::new(ErrorKind::Resolve, &error))?.collect();
            if found.is_empty() { Err(CallError::without_detail(ErrorKind::Resolve)) } else { Ok(found) }
        };
        let addresses = self.addresses.get_or_try_init(resolve).await?;
        let number = self.next.get();
        self.next.set(number.wrapping_add(1));
        let mut connected = Err(CallError::without_detail(ErrorKind::Resolve));
        for offset in 0..addresses.len() {
            let address = addresses[number.wrapping_add(offset) % addresses.len()];
            connected = TcpStream::connect(address).await.map_err(|error| not_connected(&error));
            if connected.is_ok() {
                break;
            }
        }
        let stream = connected?;
        // Small requests must not wait for the answer to the one before.
        stream.set_nodelay(true).map_err(|error| CallError::new(ErrorKind::Connect, &error))?;
        let Some((connector, name)) = tls else { return Ok(Dialed { stream: Stream::Plain(stream), http2: *http2 }) };
        let stream = connector.connect(name.clone(), stream).await;
        let stream = stream.map_err(|error| CallError::new(ErrorKind::Tls, &error))?;
        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        Ok(Dialed { stream: Stream::Tls(Box::new(stream)), http2 })
    }
}

fn not_connected(error: &io::Error) -> CallError {
    let is_refused = error.kind() == io::ErrorKind::ConnectionRefused;
    CallError::new(if is_refused { ErrorKind::Refused } else { ErrorKind::Connect }, error)
}

/// Makes one connection to a target as its load makes them, for whoever has to ask it something first.
///
/// # Errors
/// The target cannot be reached, or its URL or TLS settings cannot be used.
pub async fn connect(target: &Target) -> Result<impl AsyncRead + AsyncWrite + Unpin + Send + use<>, LoadError> {
    let dialed = Dialer::new(Route::new(target)?, 0).dial().await;
    dialed.map(|dialed| dialed.stream).map_err(|error| LoadError::Unreachable {
        target: target.origin(),
        reason: error.kind,
        detail: error.detail,
    })
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

fn client_config(tls: &Tls, http2: bool) -> Result<ClientConfig, LoadError> {
    let wrong = |error: &dyn std::fmt::Display| LoadError::Tls(error.to_string());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| wrong(&error))?;
    let builder = if tls.insecure {
        builder.dangerous().with_custom_certificate_verifier(Arc::new(trust::Everything(provider)))
    } else {
        let mut roots = rustls::RootCertStore::empty();
        match &tls.ca_pem {
            Some(pem) => {
                for certificate in CertificateDer::pem_slice_iter(pem) {
                    roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
                }
                if roots.is_empty() {
                    return Err(wrong(&"the file of certificates to trust has no certificate in PEM"));
                }
            }
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        builder.with_root_certificates(roots)
    };
    let mut config = match &tls.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&identity.cert_pem).collect();
            let key = PrivateKeyDer::from_pem_slice(&identity.key_pem).map_err(|error| wrong(&error))?;
            builder.with_client_auth_cert(chain.map_err(|error| wrong(&error))?, key).map_err(|error| wrong(&error))?
        }
    };
    config.alpn_protocols = if http2 { vec![b"h2".to_vec()] } else { vec![b"http/1.1".to_vec()] };
    Ok(config)
}

/// For targets whose certificates cannot be checked, when the plan says so.
mod trust {
    use std::sync::Arc;

    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{DigitallySignedStruct, Error, SignatureScheme};

    #[derive(Debug)]
    pub(super) struct Everything(pub(super) Arc<CryptoProvider>);

    impl ServerCertVerifier for Everything {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.0.signature_verification_algorithms.supported_schemes()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn when_an_address_refuses_the_next_is_tried() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let open = listener.local_addr().unwrap();
        // The same port of another address, at which nothing listens.
        let shut = SocketAddr::from(([127, 0, 0, 2], open.port()));
        let dialer = |addresses| {
            let route = Route::new(&Target::get("http://shop.test/".parse().unwrap())).unwrap();
            Dialer { route, addresses: tokio::sync::OnceCell::new_with(Some(addresses)), next: Cell::new(0) }
        };
        for addresses in [vec![shut, open], vec![open, shut]] {
            let dialer = dialer(addresses);
            for _ in 0..4 {
                assert!(dialer.dial().await.is_ok());
            }
        }
        let error = dialer(vec![shut, shut]).dial().await.err().unwrap();
        assert_eq!(error.kind, ErrorKind::Refused);
    }
}
