//! Requests that differ from one to the next: `{uuid}` in the URL and the body, as Iter8 v0.13 had it, and with
//! `templates: true` the call templates of gRPC in the URL's path and query, the values of headers and the body. What a
//! template may say is not its business.

use http::HeaderName;
use iter8_core::task::http::Load;
use iter8_load::{Places, Varied, Vary};
use url::Url;

use crate::tasks::TaskError;
use crate::tasks::call_template::{Allowed, CallData, CallTemplate, is_template};

/// What stands for a UUID that is made anew.
const UUID: &str = "{uuid}";
/// The same as a template.
const UUID_TEMPLATE: &str = "{{newUUID}}";

/// A text that is made anew for each request.
enum Pattern {
    Template(CallTemplate),
    /// UUIDs between texts in which nothing else is special.
    Uuids {
        between: Vec<String>,
        uuid: CallTemplate,
    },
}

/// What is made anew for each request.
struct Patterns {
    path: Option<PathPattern>,
    /// Of the headers that differ, in their order.
    headers: Vec<Pattern>,
    body: Option<Pattern>,
}

/// The URL of requests, of which only path and query can differ.
struct PathPattern {
    url: Url,
    /// What stands before the path and has nothing special in it; empty where that is not clear.
    origin: String,
    rest: Pattern,
}

/// How the requests of a load differ; None when they are all the same.
///
/// # Errors
/// What is wrong with a template.
pub(super) fn vary(load: &Load, url: &Url, body: &[u8]) -> Result<Option<Vary>, TaskError> {
    let templates = load.templates.is_some_and(|templates| templates.0);
    let text = load.url.as_ref().map(|url| url.0.trim()).unwrap_or_default();
    let mut places = Places::default();
    let mut patterns = Patterns { path: PathPattern::read(text, url, templates)?, headers: Vec::new(), body: None };
    places.path_and_query = patterns.path.is_some();
    // What a credential names is sent as it is.
    let plain = load.headers.iter().filter_map(|(name, value)| Some((name, value.plain()?)));
    for (name, value) in plain.filter(|_| templates) {
        if let Some(pattern) = pattern("http.headers", value, templates)? {
            let name = HeaderName::try_from(name).map_err(|error| wrong("http.headers", error.to_string()))?;
            places.headers.push(name);
            patterns.headers.push(pattern);
        }
    }
    // Content that is no text has nothing in it that could be made.
    if let Ok(text) = std::str::from_utf8(body) {
        let key = match (&load.payload_url, &load.payload_file) {
            (Some(_), _) => "http.payloadURL",
            (None, Some(_)) => "http.payloadFile",
            (None, None) => "http.payloadStr",
        };
        patterns.body = pattern(key, text, templates)?;
        places.body = patterns.body.is_some();
    }
    if patterns.path.is_none() && patterns.headers.is_empty() && patterns.body.is_none() {
        return Ok(None);
    }
    Ok(Some(Vary::new(places, move |number, varied| patterns.write(number, varied))))
}

impl Patterns {
    fn write(&self, number: u64, varied: &mut Varied) -> Result<(), String> {
        let call = CallData::new(0, number, None);
        if let Some(path) = &self.path {
            path.write(&mut varied.path_and_query, &call)?;
        }
        for (pattern, text) in self.headers.iter().zip(varied.headers_mut()) {
            pattern.write(text, &call)?;
        }
        self.body.as_ref().map_or(Ok(()), |pattern| pattern.write(&mut varied.body, &call))
    }
}

impl Pattern {
    /// Appends the text for one request.
    fn write(&self, text: &mut String, call: &CallData<'_>) -> Result<(), String> {
        match self {
            Self::Template(template) => template.render_into(text, call),
            Self::Uuids { between, uuid } => {
                for (index, piece) in between.iter().enumerate() {
                    if index > 0 {
                        uuid.render_into(text, call)?;
                    }
                    text.push_str(piece);
                }
                Ok(())
            }
        }
    }
}

impl PathPattern {
    fn read(text: &str, url: &Url, templates: bool) -> Result<Option<Self>, TaskError> {
        let (origin, rest) = text.split_at(path_start(text).unwrap_or(0));
        let Some(rest) = pattern("http.url", rest, templates)? else { return Ok(None) };
        let read = Self { url: url.clone(), origin: origin.to_owned(), rest };
        let example = read.write(&mut String::new(), &CallData::new(0, 0, None));
        example.map_err(|why| wrong("http.url", why))?;
        Ok(Some(read))
    }

    /// Writes path and query of one request into an empty text, percent-encoded.
    fn write(&self, text: &mut String, call: &CallData<'_>) -> Result<(), String> {
        self.rest.write(text, call)?;
        if self.origin.is_empty() || !is_encoded(text) {
            *text = path_and_query(&format!("{}{text}", self.origin), &self.url)?;
        }
        Ok(())
    }
}

/// Where the path begins in the text of a URL, if nothing before it is special.
fn path_start(text: &str) -> Option<usize> {
    let authority = text.find("://")? + 3;
    let start = authority + text[authority..].find(['/', '?', '#', '\\'])?;
    (text[start..].starts_with('/') && !text[..start].contains('{')).then_some(start)
}

/// Whether a path with its query stays what it is when a URL is made of it (URL Standard, sections 1.3 and 4.4): nothing in
/// it is to be encoded, and nothing may be a segment of dots. There are other such paths, for which it takes longer to find
/// out.
fn is_encoded(text: &str) -> bool {
    let is_kept = |byte: u8| {
        byte.is_ascii_alphanumeric()
            || matches!(byte, b'!' | b'$'..=b'&' | b'('..=b'/' | b':' | b';' | b'=' | b'?' | b'@' | b'_' | b'~')
    };
    let bytes = text.as_bytes();
    let may_be_dots = bytes.windows(2).any(|pair| pair[0] == b'/' && matches!(pair[1], b'.' | b'%'));
    bytes.first() == Some(&b'/') && bytes.iter().copied().all(is_kept) && !may_be_dots
}

/// The pattern in a text; None when nothing in it is special.
fn pattern(key: &'static str, text: &str, templates: bool) -> Result<Option<Pattern>, TaskError> {
    let read = |text: &str| {
        let allowed = Allowed { functions: true, method: false };
        CallTemplate::parse(key, text, allowed, &CallData::new(0, 0, None)).map_err(|why| wrong(key, why))
    };
    if templates {
        let text = text.replace(UUID, UUID_TEMPLATE);
        if text.contains(".WorkerID") {
            return Err(wrong(key, "requests over HTTP have no `.WorkerID`".to_owned()));
        }
        return if is_template(&text) { Ok(Some(Pattern::Template(read(&text)?))) } else { Ok(None) };
    }
    if !text.contains(UUID) {
        return Ok(None);
    }
    let between = text.split(UUID).map(str::to_owned).collect();
    Ok(Some(Pattern::Uuids { between, uuid: read(UUID_TEMPLATE)? }))
}

/// Path and query of a URL that was made, which must lead to the same server.
fn path_and_query(text: &str, url: &Url) -> Result<String, String> {
    let made: Url = text.parse().map_err(|error| format!("what it would be is no URL: {error}"))?;
    if made.origin() != url.origin() {
        return Err("only path and query can differ from one request to the next".to_owned());
    }
    Ok(made[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
}

fn wrong(key: &'static str, why: String) -> TaskError {
    TaskError::Input { key, source: why.into() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn made(yaml: &str) -> Result<Option<Vary>, TaskError> {
        let spec = format!("spec: [{{task: http, with: {yaml}}}]");
        let iter8_core::Task::Http(http) = iter8_core::Experiment::parse(&spec).unwrap().steps.remove(0).task else {
            panic!("not http");
        };
        let load = http.common;
        let url = load.url.as_ref().unwrap().0.parse().unwrap();
        let body = load.payload_str.clone().map(|text| text.0).unwrap_or_default();
        vary(&load, &url, body.as_bytes())
    }

    fn varied(vary: &Vary, number: u64) -> Varied {
        let mut varied = Varied::default();
        vary.make(number, &mut varied).unwrap();
        varied
    }

    #[test]
    fn a_uuid_is_new_wherever_it_stands_and_nothing_else_is_special() {
        let vary = made("{url: 'http://a/{uuid}?x=1', payloadStr: '{{ .Literal }} {uuid} {uuid}'}").unwrap().unwrap();
        let mut seen = BTreeSet::new();
        for number in 0..10 {
            let varied = varied(&vary, number);
            let path = &varied.path_and_query;
            let uuid = path.strip_prefix('/').and_then(|path| path.strip_suffix("?x=1")).unwrap();
            let words: Vec<&str> = varied.body.strip_prefix("{{ .Literal }} ").unwrap().split(' ').collect();
            for uuid in [uuid, words[0], words[1]] {
                assert_eq!((uuid.len(), uuid.matches('-').count()), (36, 4), "{uuid}");
                seen.insert(uuid.to_owned());
            }
        }
        assert_eq!(seen.len(), 30);
        assert!(made("{url: 'http://a/{{x}}', payloadStr: '{{ .x }}', headers: {X: '{uuid}'}}").unwrap().is_none());
    }

    #[test]
    fn templates_are_made_in_path_headers_and_body() {
        let vary = made(
            "{url: 'http://a/items/{{.RequestNumber}}?q={{randomInt 1 2}}', templates: true, headers: {X-N: 'n{{.RequestNumber}}', X-B: b}, payloadStr: '{\"n\": {{.RequestNumber}}}'}",
        );
        let vary = vary.unwrap().unwrap();
        let places = vary.places();
        assert_eq!(
            (places.path_and_query, places.headers.as_slice(), places.body),
            (true, &["x-n".parse().unwrap()][..], true)
        );
        let varied = varied(&vary, 7);
        assert_eq!(varied.path_and_query, "/items/7?q=1");
        assert_eq!(varied.headers(), ["n7"]);
        assert_eq!(varied.body, "{\"n\": 7}");
    }

    #[test]
    fn only_what_has_a_template_differs() {
        for (yaml, path, headers, body) in [
            ("{url: 'http://a/{uuid}', payloadStr: x}", true, 0, false),
            ("{url: 'http://a/', payloadStr: '{uuid}'}", false, 0, true),
            ("{url: 'http://a/', templates: true, headers: {A: '{{.UUID}}', B: '{{.UUID}}', C: c}}", false, 2, false),
        ] {
            let vary = made(yaml).unwrap().unwrap();
            let places = vary.places();
            assert_eq!((places.path_and_query, places.headers.len(), places.body), (path, headers, body), "{yaml}");
        }
    }

    #[test]
    fn the_uuid_of_a_request_is_one_in_all_of_it() {
        let vary = made(
            "{url: 'http://a/{{.UUID}}', templates: true, headers: {X: '{{.UUID}}'}, payloadStr: '{{.UUID}} {{newUUID}}'}",
        );
        let varied = varied(&vary.unwrap().unwrap(), 0);
        let uuid = varied.path_and_query[1..].to_owned();
        let (same, other) = varied.body.split_once(' ').unwrap();
        assert_eq!([same, &varied.headers()[0]], [&uuid, &uuid]);
        assert_ne!(other, uuid);
    }

    #[test]
    fn a_template_that_cannot_work_is_named_before_the_load() {
        for (yaml, key) in [
            ("{url: 'http://a/', templates: true, payloadStr: '{{.RequestNumbr}}'}", "http.payloadStr"),
            ("{url: 'http://a/{{nonsense}}', templates: true}", "http.url"),
            ("{url: 'http://a/', templates: true, headers: {X: '{{.WorkerID}}'}}", "http.headers"),
        ] {
            let error = made(yaml).err().expect("it is wrong");
            assert!(matches!(error, TaskError::Input { key: at, .. } if at == key), "{error:?}");
        }
    }

    #[test]
    fn what_is_made_is_encoded_as_in_any_url() {
        for (url, sent) in [
            ("http://a/x/{{\"a b/ü?c'd#e\"}}", "/x/a%20b/%C3%BC?c%27d"),
            ("http://a/x/y/{{\"../z\"}}", "/x/z"),
            ("http://a/x/y/{{\"%2E%2e/z\"}}", "/x/z"),
            ("http://a/x\\{{\"y\"}}", "/x/y"),
            ("http://a//{{\"y\"}}", "//y"),
            ("http://A:80/{{\"y\"}}", "/y"),
            ("http://u:p@a/{{\"y\"}}@b", "/y@b"),
            ("http://a?{{\"y\"}}", "/?y"),
        ] {
            let vary = made(&format!("{{url: {}, templates: true}}", serde_json::json!(url))).unwrap().unwrap();
            assert_eq!(varied(&vary, 0).path_and_query, sent, "{url}");
        }
    }

    /// All texts of a few of the characters that mean something in a URL or are encoded in one.
    #[test]
    fn a_path_that_seems_encoded_is_what_a_url_makes_of_it() {
        let url = "http://shop.test:8080/".parse().unwrap();
        let mut count = 0;
        for (length, characters) in [(2, " !\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~aE2\tü"), (4, "./%2eE?#'a")] {
            let paths = (0..length).fold(vec!["/".to_owned()], |paths, _| {
                paths.iter().flat_map(|path| characters.chars().map(move |next| format!("{path}{next}"))).collect()
            });
            for path in paths.iter().filter(|path| is_encoded(path)) {
                let made = path_and_query(&format!("http://shop.test:8080{path}"), &url);
                assert_eq!(made.as_ref(), Ok(path));
                count += 1;
            }
        }
        assert!(count > 1000, "{count}");
    }
}
