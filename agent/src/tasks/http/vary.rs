//! Requests that differ from one to the next: `{uuid}` in the URL and the body, as Iter8 v0.13 had it, and with
//! `templates: true` the call templates of gRPC in the URL's path and query, the values of headers and the body. What a
//! template may say is not its business.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use iter8_core::task::http::Load;
use iter8_load::{Varied, Vary};
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
    /// The whole URL, whose scheme, host and port are always the same.
    url: Option<Pattern>,
    headers: Vec<(HeaderName, Pattern)>,
    body: Option<Pattern>,
}

/// How the requests of a load differ; None when they are all the same.
///
/// # Errors
/// What is wrong with a template.
pub(super) fn vary(load: &Load, url: &Url, body: &[u8]) -> Result<Option<Vary>, TaskError> {
    let templates = load.templates.is_some_and(|templates| templates.0);
    let text = load.url.as_ref().map(|url| url.0.trim()).unwrap_or_default();
    let mut patterns = Patterns { url: pattern("http.url", text, templates)?, headers: Vec::new(), body: None };
    if let Some(pattern) = &patterns.url {
        let example = pattern.render(0).and_then(|text| path_and_query(&text, url));
        example.map_err(|why| wrong("http.url", why))?;
    }
    // What a credential names is sent as it is.
    let plain = load.headers.iter().filter_map(|(name, value)| Some((name, value.plain()?)));
    for (name, value) in plain.filter(|_| templates) {
        if let Some(pattern) = pattern("http.headers", value, templates)? {
            let name = HeaderName::try_from(name).map_err(|error| wrong("http.headers", error.to_string()))?;
            patterns.headers.push((name, pattern));
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
    }
    if patterns.url.is_none() && patterns.headers.is_empty() && patterns.body.is_none() {
        return Ok(None);
    }
    let url = url.clone();
    Ok(Some(Vary(Arc::new(move |number| patterns.make(number, &url)))))
}

impl Patterns {
    fn make(&self, number: u64, url: &Url) -> Result<Varied, String> {
        let path_and_query = match &self.url {
            None => None,
            Some(pattern) => Some(path_and_query(&pattern.render(number)?, url)?),
        };
        let mut headers = HeaderMap::new();
        for (name, pattern) in &self.headers {
            let value = HeaderValue::try_from(pattern.render(number)?);
            let mut value = value.map_err(|_| format!("what {name} would be cannot stand in a header"))?;
            value.set_sensitive(true);
            headers.insert(name, value);
        }
        let body = self.body.as_ref().map(|pattern| pattern.render(number)).transpose()?.map(Into::into);
        Ok(Varied { path_and_query, headers, body })
    }
}

impl Pattern {
    fn render(&self, number: u64) -> Result<String, String> {
        let call = CallData::new(0, number, None);
        match self {
            Self::Template(template) => template.render(&call),
            Self::Uuids { between, uuid } => {
                let mut text = String::new();
                for (index, piece) in between.iter().enumerate() {
                    if index > 0 {
                        uuid.render_into(&mut text, &call)?;
                    }
                    text.push_str(piece);
                }
                Ok(text)
            }
        }
    }
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

    fn body(varied: &Varied) -> &str {
        std::str::from_utf8(varied.body.as_ref().unwrap()).unwrap()
    }

    #[test]
    fn a_uuid_is_new_wherever_it_stands_and_nothing_else_is_special() {
        let vary = made("{url: 'http://a/{uuid}?x=1', payloadStr: '{{ .Literal }} {uuid} {uuid}'}").unwrap().unwrap();
        let mut seen = BTreeSet::new();
        for number in 0..10 {
            let varied = vary.0(number).unwrap();
            let path = varied.path_and_query.clone().unwrap();
            let uuid = path.strip_prefix('/').and_then(|path| path.strip_suffix("?x=1")).unwrap().to_owned();
            let words: Vec<&str> = body(&varied).strip_prefix("{{ .Literal }} ").unwrap().split(' ').collect();
            for uuid in [uuid.as_str(), words[0], words[1]] {
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
        let varied = vary.unwrap().unwrap().0(7).unwrap();
        assert_eq!(varied.path_and_query.as_deref(), Some("/items/7?q=1"));
        assert_eq!((varied.headers.len(), &varied.headers["x-n"]), (1, &HeaderValue::from_static("n7")));
        assert_eq!(body(&varied), "{\"n\": 7}");
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
}
