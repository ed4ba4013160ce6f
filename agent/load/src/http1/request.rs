//! A request as the bytes that go over the wire, made once for a whole load (RFC 9112, sections 3 and 6).

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderName, Method, header};

use crate::target::Message;

/// A request that is ready to be sent as often as wanted.
#[derive(Clone, Debug)]
pub(crate) struct Prepared {
    /// Head and body.
    pub(crate) bytes: Bytes,
    /// Its response has no content.
    pub(crate) is_head: bool,
    /// Whether sending it twice does no harm (RFC 9110, section 9.2.2).
    pub(crate) is_idempotent: bool,
    /// It says that nothing follows on its connection (RFC 9112, section 9.6).
    pub(crate) closes: bool,
}

impl Prepared {
    /// Writes a request in origin form.
    pub(crate) fn new(message: &Message) -> Self {
        let path = message.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        let authority = message.uri.authority().map_or("", http::uri::Authority::as_str);
        let mut head = format!("{} {path} HTTP/1.1\r\n", message.method);
        let line = |name: &HeaderName, value: &[u8], head: &mut Vec<u8>| {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        };
        if !message.headers.contains_key(header::HOST) {
            let _ = write!(head, "host: {authority}\r\n");
        }
        let mut bytes = head.into_bytes();
        for (name, value) in &message.headers {
            line(name, value.as_bytes(), &mut bytes);
        }
        // A length of zero is said where content would be expected, so that no server waits for it.
        let expects_content = matches!(message.method, Method::POST | Method::PUT | Method::PATCH);
        let says_length = [header::CONTENT_LENGTH, header::TRANSFER_ENCODING];
        if (!message.body.is_empty() || expects_content)
            && !says_length.iter().any(|name| message.headers.contains_key(name))
        {
            line(&header::CONTENT_LENGTH, message.body.len().to_string().as_bytes(), &mut bytes);
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&message.body);
        Self {
            bytes: bytes.into(),
            is_head: message.method == Method::HEAD,
            is_idempotent: message.method.is_idempotent(),
            closes: message.headers.get_all(header::CONNECTION).iter().any(|value| {
                let options = value.to_str().unwrap_or_default().split(',');
                options.into_iter().any(|option| option.trim().eq_ignore_ascii_case("close"))
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn written(change: impl FnOnce(&mut Target)) -> String {
        let mut target = Target::get("http://shop.test:8080/a/b?c=d#fragment".parse().unwrap());
        change(&mut target);
        let prepared = Prepared::new(&target.message().unwrap());
        let text = String::from_utf8(prepared.bytes.to_vec()).unwrap();
        text.replace(concat!("iter8/", env!("CARGO_PKG_VERSION")), "iter8/VERSION")
    }

    #[test]
    fn the_request_line_has_the_path_and_the_host_is_a_header() {
        assert_eq!(
            written(|_| ()),
            "GET /a/b?c=d HTTP/1.1\r\nhost: shop.test:8080\r\nuser-agent: iter8/VERSION\r\n\r\n"
        );
    }

    #[test]
    fn content_comes_with_its_length() {
        let text = written(|target| {
            target.method = Method::POST;
            target.body = Bytes::from_static(b"x=1");
            target.headers.insert("host", "other".parse().unwrap());
        });
        assert_eq!(
            text,
            "POST /a/b?c=d HTTP/1.1\r\nuser-agent: iter8/VERSION\r\nhost: other\r\ncontent-length: 3\r\n\r\nx=1"
        );
        assert!(written(|target| target.method = Method::PUT).contains("content-length: 0\r\n"));
    }
}
