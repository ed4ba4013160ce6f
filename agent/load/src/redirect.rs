//! Redirects: which request follows an answer that says to look elsewhere (RFC 9110, section 15.4). Pure; sending it is the
//! carrier's business.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, header};
use url::Url;

use crate::target::Message;

/// The most redirects of one request that are followed.
pub(crate) const HOPS_MAX: u32 = 10;

/// What another origin than the target's gets to see of the target's headers: nothing that may be a credential.
const HARMLESS: [HeaderName; 5] =
    [header::USER_AGENT, header::ACCEPT, header::ACCEPT_LANGUAGE, header::ACCEPT_ENCODING, header::CONTENT_TYPE];
/// What describes a content, and goes with it.
const OF_CONTENT: [HeaderName; 5] = [
    header::CONTENT_TYPE,
    header::CONTENT_LENGTH,
    header::CONTENT_ENCODING,
    header::CONTENT_LANGUAGE,
    header::TRANSFER_ENCODING,
];

/// Whether an answer with this status leads somewhere else.
pub(crate) const fn is_redirect(status: u16) -> bool {
    matches!(status, 301 | 302 | 303 | 307 | 308)
}

/// The request that follows `message`, which was sent to `base`, and where it goes.
///
/// # Errors
/// In words, when it leads nowhere.
pub(crate) fn next(message: &Message, base: &Url, status: u16, location: &str) -> Result<(Message, Url), String> {
    let mut url = base.join(location).map_err(|error| format!("redirected to a location that is no URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("redirected to {}:, which is neither http nor https", url.scheme()));
    }
    url.set_fragment(None);
    // A location's credentials are not the experiment's. Neither can fail for a URL with a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    let mut next = message.clone();
    next.uri = url.as_str().parse().map_err(|error: http::uri::InvalidUri| error.to_string())?;
    if url.origin() != base.origin() {
        let harmless = |name: &HeaderName| HARMLESS.contains(name);
        next.headers = message
            .headers
            .iter()
            .filter(|(name, _)| harmless(name))
            .map(|(n, v)| (n.clone(), v.clone()))
            .collect::<HeaderMap>();
    }
    // After 303 the result is fetched; after 301 and 302 user agents do the same when it was a POST.
    let is_fetched = match status {
        303 => message.method != Method::HEAD,
        301 | 302 => message.method == Method::POST,
        _ => false,
    };
    if is_fetched {
        next.method = Method::GET;
        next.body = Bytes::new();
        OF_CONTENT.iter().for_each(|name| drop(next.headers.remove(name)));
    }
    Ok((next, url))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn message(method: Method) -> (Message, Url) {
        let url: Url = "http://shop.test/a/b?c".parse().unwrap();
        let mut target = Target::get(url.clone());
        target.method = method;
        target.body = Bytes::from_static(b"x");
        for (name, value) in
            [("authorization", "s3cret"), ("x-key", "s3cret"), ("accept", "*/*"), ("content-type", "a/b")]
        {
            target.headers.insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        (target.message().unwrap(), url)
    }

    fn after(method: Method, status: u16, location: &str) -> (String, String, usize, Vec<String>) {
        let (message, base) = message(method);
        let (next, url) = next(&message, &base, status, location).unwrap();
        assert_eq!(next.uri.to_string(), url.as_str());
        let mut names: Vec<String> = next.headers.keys().map(ToString::to_string).collect();
        names.sort_unstable();
        (next.method.to_string(), url.into(), next.body.len(), names)
    }

    #[test]
    fn methods_and_contents_follow_the_rfc() {
        for (method, status, then, body) in [
            (Method::POST, 301, "GET", 0),
            (Method::POST, 302, "GET", 0),
            (Method::PUT, 302, "PUT", 1),
            (Method::PUT, 303, "GET", 0),
            (Method::HEAD, 303, "HEAD", 1),
            (Method::POST, 307, "POST", 1),
            (Method::POST, 308, "POST", 1),
        ] {
            let (method, url, length, names) = after(method, status, "../c");
            assert_eq!((method.as_str(), url.as_str(), length), (then, "http://shop.test/c", body), "{status}");
            assert_eq!(names.contains(&"content-type".to_owned()), body > 0);
            assert!(names.contains(&"authorization".to_owned()) && names.contains(&"x-key".to_owned()));
        }
    }

    #[test]
    fn another_origin_gets_no_credentials() {
        for location in ["http://other.test/", "//shop.test:8080/", "https://shop.test/", "http://u:p@other.test/"] {
            let (_, url, _, names) = after(Method::GET, 307, location);
            assert_eq!(names, ["accept", "content-type", "user-agent"], "{location}");
            assert!(!url.contains('@'));
        }
    }

    #[test]
    fn what_leads_nowhere_is_said() {
        let (message, base) = message(Method::GET);
        for location in ["ftp://shop.test/", "http://", "mailto:a@b"] {
            assert!(next(&message, &base, 302, location).is_err(), "{location}");
        }
    }
}
