//! What is sent to whom. Debug output never shows values of headers or keys.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Uri, header};
use percent_encoding::percent_decode_str;
use url::Url;

use crate::grpc;
use crate::vary::{Places, Varied, Vary};

/// One kind of request.
#[derive(Clone)]
pub struct Target {
    /// Method.
    pub method: Method,
    /// Where to: `http` or `https`.
    pub url: Url,
    /// Headers beside `host` and `content-length`, which follow from the rest.
    pub headers: HeaderMap,
    /// Body.
    pub body: Bytes,
    /// Settings for `https`.
    pub tls: Tls,
    /// What is spoken with it.
    pub protocol: Protocol,
    /// What differs from one request to the next; None when they are all the same. Not for gRPC, whose calls have
    /// messages of their own.
    pub vary: Option<Vary>,
    /// Follow redirects, as a part of the same request. Over HTTP/1.1 only.
    pub follow_redirects: bool,
}

/// What is spoken with a target.
#[derive(Clone, Debug)]
pub enum Protocol {
    /// HTTP/1.1.
    Http1,
    /// HTTP/2: agreed by ALPN over TLS, with prior knowledge over plain TCP.
    Http2,
    /// gRPC over HTTP/2. Path, method and body of the requests are those of the call, and the target's are not used; its
    /// headers are metadata of every call.
    Grpc(grpc::Call),
}

/// Settings for TLS.
#[derive(Clone, Default)]
pub struct Tls {
    /// Certificates to trust instead of the system's, in PEM.
    pub ca_pem: Option<Bytes>,
    /// Who the client is.
    pub identity: Option<Identity>,
    /// Accept any certificate.
    pub insecure: bool,
    /// Name to ask for and to find in the certificate, instead of the URL's host.
    pub server_name: Option<String>,
}

/// A client certificate with its key, both in PEM.
#[derive(Clone)]
pub struct Identity {
    /// The certificate chain.
    pub cert_pem: Bytes,
    /// The private key.
    pub key_pem: Bytes,
}

impl Target {
    /// A GET without headers.
    pub fn get(url: Url) -> Self {
        let headers = HeaderMap::new();
        Self {
            method: Method::GET,
            url,
            headers,
            body: Bytes::new(),
            tls: Tls::default(),
            protocol: Protocol::Http1,
            vary: None,
            follow_redirects: false,
        }
    }

    /// The request without anything that depends on the protocol.
    ///
    /// # Errors
    /// In words, when the URL cannot be sent.
    pub(crate) fn message(&self) -> Result<Message, String> {
        let mut url = self.url.clone();
        url.set_fragment(None);
        // Neither can fail for a URL with a host, which the plan makes sure of.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        let uri: Uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
        let mut headers = HeaderMap::new();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("iter8/", env!("CARGO_PKG_VERSION"))));
        if let Some(credentials) = basic_credentials(&self.url) {
            headers.insert(header::AUTHORIZATION, credentials);
        }
        headers.extend(self.headers.clone());
        Ok(Message { method: self.method.clone(), uri, headers, body: self.body.clone() })
    }

    /// Scheme, host and port, for messages.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

/// A request, whatever protocol it is sent by.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) method: Method,
    /// Absolute, without credentials.
    pub(crate) uri: Uri,
    /// All but those that frame the message.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Message {
    /// The message with what stands in the places of one request.
    ///
    /// # Errors
    /// In words, when that cannot be sent.
    pub(crate) fn varied(&self, places: &Places, varied: &Varied) -> Result<Self, String> {
        let mut message = self.clone();
        if places.path_and_query {
            let mut parts = message.uri.into_parts();
            let path: Result<_, http::uri::InvalidUri> = varied.path_and_query.parse();
            parts.path_and_query = Some(path.map_err(|error| error.to_string())?);
            message.uri = Uri::from_parts(parts).map_err(|error| error.to_string())?;
        }
        for (name, value) in places.headers.iter().zip(varied.headers()) {
            let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|error| error.to_string())?;
            value.set_sensitive(true);
            message.headers.insert(name, value);
        }
        if places.body {
            message.body = Bytes::copy_from_slice(varied.body.as_bytes());
        }
        Ok(message)
    }
}

/// User and password of a URL, as RFC 7617 sends them: what is percent-encoded in the URL is sent as it is meant.
fn basic_credentials(url: &Url) -> Option<HeaderValue> {
    let meant = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let credentials = [meant(url.username()), meant(url.password().unwrap_or_default())].join(&b':');
    let encoded = STANDARD.encode(credentials);
    let mut value = HeaderValue::try_from(format!("Basic {encoded}")).ok().filter(|_| !url.username().is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Target")
            .field("method", &self.method)
            .field("origin", &self.origin())
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("protocol", &self.protocol)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_output_shows_no_credential() {
        let mut target = Target::get("http://user:pa55@host/?token=t0ken".parse().unwrap());
        target.headers.insert("authorization", "Bearer s3cret".parse().unwrap());
        let shown = format!("{target:?}");
        assert!(shown.contains("authorization") && shown.contains("http://host"), "{shown}");
        for secret in ["pa55", "t0ken", "s3cret"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
