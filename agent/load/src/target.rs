//! What is sent to whom. Debug output never shows values of headers or keys.

use std::fmt;

use bytes::Bytes;
use http::{HeaderMap, Method};
use url::Url;

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
    /// Speak HTTP/2: agreed by ALPN over TLS, with prior knowledge over plain TCP.
    pub http2: bool,
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
        Self { method: Method::GET, url, headers, body: Bytes::new(), tls: Tls::default(), http2: false }
    }

    /// Scheme, host and port, for messages.
    pub fn origin(&self) -> String {
        self.url.origin().ascii_serialization()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.headers.keys().map(http::HeaderName::as_str).collect();
        f.debug_struct("Target")
            .field("method", &self.method)
            .field("origin", &self.origin())
            .field("headers", &names)
            .field("body_bytes", &self.body.len())
            .field("http2", &self.http2)
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
