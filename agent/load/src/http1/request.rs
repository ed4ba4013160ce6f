//! A request as the bytes that go over the wire (RFC 9112, sections 3 and 6). What is the same in all requests of a load is
//! written once; what differs is put between it.

use std::io::Write as _;

use http::{HeaderName, HeaderValue, Method, header};

use crate::target::Message;
use crate::vary::{KEPT, Places, Varied};

/// A request that is ready to be sent as often as wanted.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// Head and body.
    pub(crate) bytes: Vec<u8>,
    /// Its response has no content.
    pub(crate) is_head: bool,
    /// Whether sending it twice does no harm (RFC 9110, section 9.2.2).
    pub(crate) is_idempotent: bool,
    /// It says that nothing follows on its connection (RFC 9112, section 9.6).
    pub(crate) closes: bool,
}

/// What requests have in common, with gaps for what differs.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// What is the same, and the gap after it.
    gaps: Vec<(Vec<u8>, Gap)>,
    /// What is the same after the last gap.
    end: Vec<u8>,
    is_head: bool,
    is_idempotent: bool,
    /// What is the same in all requests says that nothing follows.
    closes: bool,
    /// Which of the headers that differ may say so.
    connection: Option<usize>,
    /// Content would be expected: that there is none is said, so that no server waits for it.
    expects_content: bool,
}

#[derive(Clone, Copy, Debug)]
enum Gap {
    /// Path and query.
    Path,
    /// The value of this one of the headers that differ.
    Header(usize),
    /// The whole line with the length of a body that differs, where one is needed.
    Length,
    Body,
}

impl Pattern {
    /// Writes requests in origin form, but for what stands in `places`.
    pub(crate) fn new(message: &Message, places: &Places) -> Self {
        let mut gaps = Vec::new();
        let mut bytes = format!("{} ", message.method).into_bytes();
        let mut gap = |gap: Gap, bytes: &mut Vec<u8>| gaps.push((std::mem::take(bytes), gap));
        if places.path_and_query {
            gap(Gap::Path, &mut bytes);
        } else {
            let path = message.uri.path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
            bytes.extend_from_slice(path.as_bytes());
        }
        bytes.extend_from_slice(b" HTTP/1.1\r\n");
        let mut headers = message.headers.clone();
        for name in &places.headers {
            headers.insert(name, HeaderValue::from_static(""));
        }
        if !headers.contains_key(header::HOST) {
            let authority = message.uri.authority().map_or("", http::uri::Authority::as_str);
            push(format_args!("host: {authority}\r\n"), &mut bytes);
        }
        let place = |name: &HeaderName| places.headers.iter().rposition(|place| place == name);
        for (name, value) in &headers {
            push(format_args!("{name}: "), &mut bytes);
            match place(name) {
                Some(place) => gap(Gap::Header(place), &mut bytes),
                None => bytes.extend_from_slice(value.as_bytes()),
            }
            bytes.extend_from_slice(b"\r\n");
        }
        let expects_content = matches!(message.method, Method::POST | Method::PUT | Method::PATCH);
        let says_length =
            [header::CONTENT_LENGTH, header::TRANSFER_ENCODING].iter().any(|name| headers.contains_key(name));
        if !says_length && places.body {
            gap(Gap::Length, &mut bytes);
        } else if !says_length && (expects_content || !message.body.is_empty()) {
            push_length(message.body.len(), &mut bytes);
        }
        bytes.extend_from_slice(b"\r\n");
        if places.body {
            gap(Gap::Body, &mut bytes);
        } else {
            bytes.extend_from_slice(&message.body);
        }
        Self {
            gaps,
            end: bytes,
            is_head: message.method == Method::HEAD,
            is_idempotent: message.method.is_idempotent(),
            closes: headers.get_all(header::CONNECTION).iter().any(|value| says_close(value.as_bytes())),
            connection: place(&header::CONNECTION),
            expects_content,
        }
    }

    /// Writes a request, with what [`Vary::make`](crate::Vary::make) has made, in place of the one that was there before.
    pub(crate) fn fill(&self, varied: &Varied, request: &mut Prepared) {
        let header = |index: usize| varied.headers().get(index).map(String::as_bytes).unwrap_or_default();
        let bytes = &mut request.bytes;
        bytes.clear();
        for (before, gap) in &self.gaps {
            bytes.extend_from_slice(before);
            match gap {
                Gap::Path => bytes.extend_from_slice(varied.path_and_query.as_bytes()),
                Gap::Header(index) => bytes.extend_from_slice(header(*index)),
                Gap::Length if varied.body.is_empty() && !self.expects_content => {}
                Gap::Length => push_length(varied.body.len(), bytes),
                Gap::Body => bytes.extend_from_slice(varied.body.as_bytes()),
            }
        }
        bytes.extend_from_slice(&self.end);
        request.is_head = self.is_head;
        request.is_idempotent = self.is_idempotent;
        request.closes = self.closes || self.connection.is_some_and(|index| says_close(header(index)));
    }
}

fn push(text: std::fmt::Arguments<'_>, bytes: &mut Vec<u8>) {
    bytes.write_fmt(text).expect("a vector takes everything");
}

/// Writes the line with the length of the content, without the machinery of formats, which would be a third of what it takes
/// to write a request.
fn push_length(length: usize, bytes: &mut Vec<u8>) {
    let (mut digits, mut start, mut left) = ([b'0'; 20], 20, length);
    while left > 0 {
        start -= 1;
        digits[start] += (left % 10) as u8;
        left /= 10;
    }
    bytes.extend_from_slice(b"content-length: ");
    bytes.extend_from_slice(&digits[start.min(19)..]);
    bytes.extend_from_slice(b"\r\n");
}

/// Whether the value of the header `connection` has the option `close` in it.
fn says_close(value: &[u8]) -> bool {
    value.split(|byte| *byte == b',').any(|option| option.trim_ascii().eq_ignore_ascii_case(b"close"))
}

impl Prepared {
    /// Writes a request in origin form.
    pub(crate) fn new(message: &Message) -> Self {
        let mut request = Self::default();
        Pattern::new(message, &Places::default()).fill(&Varied::default(), &mut request);
        request
    }

    /// Keeps no more than a small request needs.
    pub(crate) fn rest(&mut self) {
        if self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::target::Target;
    use crate::vary::Vary;

    fn written(change: impl FnOnce(&mut Target)) -> String {
        let mut target = Target::get("http://shop.test:8080/a/b?c=d#fragment".parse().unwrap());
        change(&mut target);
        let prepared = Prepared::new(&target.message().unwrap());
        let text = String::from_utf8(prepared.bytes).unwrap();
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
        assert!(!written(|target| target.method = Method::DELETE).contains("content-length"));
    }

    #[test]
    fn the_room_of_a_large_request_is_not_kept() {
        let places = Places { body: true, ..Places::default() };
        let pattern = Pattern::new(&Target::get("http://shop.test".parse().unwrap()).message().unwrap(), &places);
        let mut request = Prepared::default();
        for (length, is_kept) in [(KEPT, false), (100, true)] {
            let mut varied = Varied::default();
            varied.body.push_str(&"x".repeat(length));
            pattern.fill(&varied, &mut request);
            request.rest();
            assert_eq!(request.bytes.capacity() > 0, is_kept);
        }
    }

    /// Header names that are the target's, that are new, and that say how the rest is to be read.
    const NAMES: [&str; 7] = ["x-target", "x-new", "x-new", "host", "connection", "content-length", "user-agent"];

    /// Path, values of headers and body of one request.
    type Parts = (String, Vec<String>, String);

    fn places() -> impl Strategy<Value = Places> {
        let headers = prop::sample::subsequence(&NAMES, 0..=NAMES.len()).prop_shuffle();
        (any::<bool>(), headers, any::<bool>()).prop_map(|(path_and_query, names, body)| Places {
            path_and_query,
            headers: names.into_iter().map(HeaderName::from_static).collect(),
            body,
        })
    }

    fn parts() -> impl Strategy<Value = Parts> {
        let path = "(/[!-~&&[^\"<>\\\\^`{|}#]]{0,30}|/[à-þ]{0,5}#|[?]x)";
        let values = vec("(|close|a, Close|[ -~\\t]{0,20}|\\PC{0,5})", NAMES.len());
        (path, values, "(|[ -~\\r\\n]{0,30}|\\PC{0,300})")
    }

    proptest! {
        /// Requests that follow one another in the same buffer have nothing of each other, and are what a message of the
        /// same content would be.
        #[test]
        fn filled_gaps_are_what_would_be_written_anew(
            method in prop::sample::select(vec![Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::DELETE]),
            fixed in "|[ -~]{1,20}",
            places in places(),
            requests in vec(parts(), 1..5),
        ) {
            let mut target = Target::get("http://u:p@shop.test/fixed?q".parse().unwrap());
            target.method = method;
            target.body = fixed.clone().into();
            for (name, value) in [("x-target", "1"), ("x-target", "2"), ("accept", "*/*")] {
                target.headers.append(name, value.parse().unwrap());
            }
            let message = target.message().unwrap();
            let pattern = Pattern::new(&message, &places);
            let all = requests.clone();
            let vary = Vary::new(places, move |number, varied| {
                let (path, values, body) = &all[usize::try_from(number).unwrap()];
                varied.path_and_query.push_str(path);
                varied.headers_mut().iter_mut().zip(values).for_each(|(to, value)| to.push_str(value));
                varied.body.push_str(body);
                Ok(())
            });
            let (mut varied, mut request) = (Varied::default(), Prepared::default());
            for (number, (_, _, body)) in (0..).zip(&requests) {
                vary.make(number, &mut varied).unwrap();
                pattern.fill(&varied, &mut request);
                let anew = message.varied(vary.places(), &varied).unwrap();
                let whole = Prepared::new(&anew);
                prop_assert_eq!(String::from_utf8_lossy(&request.bytes), String::from_utf8_lossy(&whole.bytes));
                prop_assert_eq!(
                    (request.is_head, request.is_idempotent, request.closes),
                    (whole.is_head, whole.is_idempotent, whole.closes)
                );
                read_again(&request.bytes, &anew, if vary.places().body { body } else { &fixed })?;
            }
        }
    }

    /// The request as somebody else reads it is the message.
    fn read_again(bytes: &[u8], message: &Message, body: &str) -> Result<(), TestCaseError> {
        let mut headers = [httparse::EMPTY_HEADER; 32];
        let mut request = httparse::Request::new(&mut headers);
        let httparse::Status::Complete(end) = request.parse(bytes).unwrap() else {
            return Err(TestCaseError::fail("its head does not end"));
        };
        prop_assert_eq!(request.method, Some(message.method.as_str()));
        prop_assert_eq!(request.path, message.uri.path_and_query().map(|path| path.as_str()));
        prop_assert_eq!(&bytes[end..], body.as_bytes());
        let read = |name: &str| -> Vec<&[u8]> {
            request.headers.iter().filter(|header| header.name == name).map(|header| header.value).collect()
        };
        for name in message.headers.keys() {
            let meant: Vec<&[u8]> =
                message.headers.get_all(name).iter().map(|value| value.as_bytes().trim_ascii()).collect();
            prop_assert_eq!(read(name.as_str()), meant);
        }
        let own = [("host", "shop.test".to_owned()), ("content-length", body.len().to_string())];
        for (name, value) in own.iter().filter(|(name, _)| !message.headers.contains_key(*name)) {
            let expects_content = matches!(message.method, Method::POST | Method::PUT);
            let is_needed = *name == "host" || !body.is_empty() || expects_content;
            prop_assert_eq!(read(name), if is_needed { vec![value.as_bytes()] } else { Vec::new() });
        }
        Ok(())
    }
}
