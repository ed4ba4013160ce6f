//! What differs from one request to the next, and whether it can be sent. How it gets into a request is the business of
//! each protocol.

use std::sync::Arc;

use http::HeaderName;
use http::uri::PathAndQuery;

/// Says where the requests of a load differ, and makes what stands there.
#[derive(Clone)]
pub struct Vary {
    places: Places,
    make: Arc<Make>,
}

/// Where requests differ. Everywhere else they are what their target says.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Path and query of the URL.
    pub path_and_query: bool,
    /// The values of the headers with these names. Of a name that stands here twice the last counts.
    pub headers: Vec<HeaderName>,
    /// The body.
    pub body: bool,
}

/// Writes what stands in these places of one request into empty texts. Takes how many requests of the load come before it.
/// An error, in words, ends the request before it is sent.
pub type Make = dyn Fn(u64, &mut Varied) -> Result<(), String> + Send + Sync;

/// What stands in these places of one request. Whoever sends many keeps it from one to the next, so that none needs memory
/// of its own.
#[derive(Default)]
pub struct Varied {
    /// Path and query, percent-encoded.
    pub path_and_query: String,
    /// The body.
    pub body: String,
    headers: Vec<String>,
}

/// The most bytes that a buffer keeps while its lane has nothing to send.
pub(crate) const KEPT: usize = 64 * 1024;

/// The longest path that can be sent, as for paths that are always the same.
const PATH_MAX: usize = 65_534;

impl Vary {
    /// Requests that differ in `places`, by what `make` writes there.
    pub fn new(places: Places, make: impl Fn(u64, &mut Varied) -> Result<(), String> + Send + Sync + 'static) -> Self {
        Self { places, make: Arc::new(make) }
    }

    /// Where requests differ.
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Makes what stands in the places of the request that `number` others of the load come before.
    ///
    /// # Errors
    /// In words, when it cannot be made, or would end the part of the request that it stands in.
    pub fn make(&self, number: u64, varied: &mut Varied) -> Result<(), String> {
        varied.path_and_query.clear();
        varied.body.clear();
        varied.headers.resize_with(self.places.headers.len(), String::new);
        varied.headers.iter_mut().for_each(String::clear);
        (self.make)(number, varied)
            .and_then(|()| self.check(varied))
            .map_err(|why| format!("the request could not be made: {why}"))
    }

    fn check(&self, varied: &mut Varied) -> Result<(), String> {
        let path = &mut varied.path_and_query;
        if self.places.path_and_query && !is_plain_path(path) {
            let checked: PathAndQuery = path.parse().map_err(|error| format!("`{path}` is no path: {error}"))?;
            *path = checked.to_string();
        }
        for (name, value) in self.places.headers.iter().zip(&varied.headers) {
            if !is_field_value(value) {
                return Err(format!("what {name} would be cannot stand in a header"));
            }
        }
        Ok(())
    }
}

impl Varied {
    /// The values of headers, in the order of [`Places::headers`].
    pub fn headers(&self) -> &[String] {
        &self.headers
    }

    /// The values of headers, to be written.
    pub fn headers_mut(&mut self) -> &mut [String] {
        &mut self.headers
    }

    /// Keeps no more than a small request needs.
    pub(crate) fn rest(&mut self) {
        for text in self.headers.iter_mut().chain([&mut self.path_and_query, &mut self.body]) {
            if text.capacity() > KEPT {
                *text = String::new();
            }
        }
    }
}

/// Whether a path with its query has only what RFC 3986, section 3.3, lets stand there. Other paths can be sent as well, but
/// that takes longer to find out.
fn is_plain_path(text: &str) -> bool {
    let is_plain = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'$'..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~')
    };
    text.starts_with('/') && text.len() <= PATH_MAX && text.bytes().all(is_plain)
}

/// Whether a text can be the value of a header (RFC 9110, section 5.5): what would end the line, or the text for those who
/// think that zeros do, cannot.
fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| (byte >= b' ' && byte != 0x7f) || byte == b'\t')
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn made(path: &str, value: &str) -> Result<(String, String), String> {
        let places =
            Places { path_and_query: true, headers: vec![HeaderName::from_static("x-varied")], ..Places::default() };
        let (path, value) = (path.to_owned(), value.to_owned());
        let vary = Vary::new(places, move |_, varied| {
            varied.path_and_query.push_str(&path);
            varied.headers_mut()[0].push_str(&value);
            Ok(())
        });
        let mut varied = Varied::default();
        vary.make(0, &mut varied)?;
        Ok((varied.path_and_query, varied.headers[0].clone()))
    }

    #[test]
    fn what_would_end_a_line_is_refused() {
        for path in ["/a b", "/a\r\nx: y", "/a\n", "/\0", "/a\t", "/\u{7f}", "a", ""] {
            let said = made(path, "").unwrap_err();
            assert!(said.starts_with(&format!("the request could not be made: `{path}` is no path: ")), "{said}");
        }
        for value in ["a\r\nx: y", "a\n", "\r", "a\0", "\u{7f}", "\u{1}"] {
            let said = made("/", value).unwrap_err();
            assert_eq!(said, "the request could not be made: what x-varied would be cannot stand in a header");
        }
    }

    #[test]
    fn what_is_unusual_is_sent_as_one_that_is_always_the_same_would_be() {
        for (path, sent) in [("/a#b", "/a"), ("?q", "/?q"), ("/\u{e4}|{}", "/\u{e4}|{}"), ("*", "*")] {
            assert_eq!(made(path, "").unwrap().0, sent);
        }
        assert!(made(&"/".repeat(PATH_MAX), "").is_ok() && made(&"/".repeat(PATH_MAX + 1), "").is_err());
        assert_eq!(made("/", " a\t\u{e4} ").unwrap().1, " a\t\u{e4} ");
    }

    #[test]
    fn texts_are_empty_when_they_are_written_and_large_ones_are_not_kept() {
        let places = Places { headers: vec![HeaderName::from_static("x-varied")], body: true, ..Places::default() };
        let vary = Vary::new(places, |number, varied| {
            varied.headers_mut()[0].push('v');
            varied.body.push_str(&"b".repeat(usize::try_from(number).unwrap()));
            Ok(())
        });
        let mut varied = Varied::default();
        for number in [KEPT as u64 + 1, 3] {
            vary.make(number, &mut varied).unwrap();
            assert_eq!((varied.body.len() as u64, varied.headers[0].as_str()), (number, "v"));
        }
        varied.rest();
        assert_eq!(varied.body.capacity(), 0);
        vary.make(3, &mut varied).unwrap();
        varied.rest();
        assert_eq!((varied.body.as_str(), varied.headers[0].as_str()), ("bbb", "v"));
    }

    proptest! {
        #[test]
        fn paths_are_those_of_the_crate_http(path in "(/[ -~]{0,8}|/[!-~&&[^\"<>\\\\^`{|}#]]{0,20}|\\PC{0,4}|[\\x00-\\x7f]{0,4})") {
            let checked = path.parse::<PathAndQuery>().map(|path| path.to_string());
            prop_assert_eq!(made(&path, "").map(|(path, _)| path).ok(), checked.ok());
        }

        #[test]
        fn values_are_those_of_the_crate_http(value in "([ -~]{0,8}|\\PC{0,4}|[\\x00-\\x7f]{0,4})") {
            prop_assert_eq!(made("/", &value).is_ok(), HeaderValue::from_str(&value).is_ok() || HeaderValue::from_bytes(value.as_bytes()).is_ok());
        }
    }
}
