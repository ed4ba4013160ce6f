//! Asks a provider of metrics by HTTP: one request for a metric, tried again when the provider is busy. What the answer
//! means is not known here, and when it is tried again is said in `retry.rs`.

use std::time::Duration;

use http::{HeaderMap, HeaderValue, StatusCode, header};
use iter8_core::task::custommetrics::template::{Method, Provider, Query};
use jiff::Timestamp;
use reqwest::Client;
use reqwest::redirect::Policy;
use tokio::time::Instant;
use url::Url;

use crate::redact::shown_url;
use crate::tasks::load::tls::of_client;
use crate::tasks::retry::Outcome;

/// The most bytes of an answer.
const ANSWER_MAX: usize = 10 * 1024 * 1024;
const REDIRECTS_MAX: usize = 10;

/// One request.
#[derive(Clone, Debug)]
pub(super) struct Question {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Option<String>,
}

/// How often and for how long it is asked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    pub(super) timeout: Duration,
    pub(super) retries: u64,
}

/// An answer that may hold a value.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Whether it says that it is CSV.
    pub(super) is_csv: bool,
    pub(super) body: Vec<u8>,
}

impl Question {
    /// The request for a metric, with `headers` over those of the template.
    ///
    /// # Errors
    /// What in it cannot be sent.
    pub(super) fn new(provider: &Provider, query: &Query, headers: &HeaderMap) -> Result<Self, String> {
        let mut url = Url::parse(provider.url.0.trim()).map_err(|error| format!("its `url` is no URL: {error}"))?;
        if !query.params.is_empty() {
            url.query_pairs_mut().extend_pairs(query.params.iter().map(|param| (&param.name.0, &param.value.0)));
        }
        let mut all = HeaderMap::new();
        for (name, value) in &provider.headers {
            let (name, value) = header_of(name, &value.0)?;
            all.insert(name, value);
        }
        all.extend(headers.clone());
        if query.body.is_some() && !all.contains_key(header::CONTENT_TYPE) {
            all.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        Ok(Self { method: provider.method, url, headers: all, body: query.body.as_ref().map(|body| body.0.clone()) })
    }

    /// It as people may see it: method, URL and body, without credentials.
    pub(super) fn shown(&self) -> String {
        let method = match self.method {
            Method::Get => "GET",
            Method::Post => "POST",
        };
        let body = self.body.as_ref().map(|body| format!(" with {}", body.trim())).unwrap_or_default();
        format!("{method} {}{body}", shown_url(&self.url))
    }
}

/// A header.
///
/// # Errors
/// Which part of it cannot be sent; never its value.
pub(super) fn header_of(name: &str, value: &str) -> Result<(http::HeaderName, HeaderValue), String> {
    let key = name.trim().parse::<http::HeaderName>().map_err(|_| format!("`{name}` is no name of a header"))?;
    let mut value = value
        .trim()
        .parse::<HeaderValue>()
        .map_err(|_| format!("the value of the header `{name}` has signs that cannot be sent"))?;
    value.set_sensitive(true);
    Ok((key, value))
}

/// A client for everything that is asked with the same settings of TLS: it keeps its connections.
///
/// # Errors
/// The certificates cannot be used.
pub(super) fn client(tls: Option<&iter8_load::Tls>) -> Result<Client, reqwest::Error> {
    // Headers of ours that may be secret must reach nobody else.
    let same_origin = Policy::custom(|attempt| {
        let is_same = attempt.previous().last().is_some_and(|before| before.origin() == attempt.url().origin());
        if !is_same || attempt.previous().len() > REDIRECTS_MAX { attempt.stop() } else { attempt.follow() }
    });
    let builder = Client::builder().redirect(same_origin).user_agent(concat!("iter8/", env!("CARGO_PKG_VERSION")));
    match tls {
        Some(tls) => of_client(builder, tls)?.build(),
        None => builder.build(),
    }
}

/// Asks until there is an answer that is not "later", or patience ends. A wait that outlasts it is not begun.
///
/// # Errors
/// Why there is none, as the rest of a sentence that begins with the question.
pub(super) async fn ask(client: &Client, question: &Question, patience: Patience) -> Result<Answer, String> {
    let deadline = Instant::now() + patience.timeout;
    let mut attempts = 0;
    loop {
        let (outcome, answer) = match tokio::time::timeout_at(deadline, ask_once(client, question)).await {
            Err(_) => return Err(format!("had no answer within {} s", patience.timeout.as_secs_f64())),
            Ok(Err(Failure::Final(why))) => return Err(why),
            Ok(Err(Failure::Passing(why))) => (Outcome::NO_ANSWER, Err(why)),
            Ok(Ok((outcome, answer))) => (outcome, Ok(answer)),
        };
        attempts += 1;
        let wait = outcome.wait(attempts, patience.retries.saturating_add(1));
        match wait.filter(|wait| Instant::now().checked_add(*wait).is_some_and(|next| next < deadline)) {
            Some(wait) => tokio::time::sleep(wait).await,
            None => return answer,
        }
    }
}

enum Failure {
    /// It may work at another time.
    Passing(String),
    Final(String),
}

/// The answer, and what it says of the next attempt.
async fn ask_once(client: &Client, question: &Question) -> Result<(Outcome, Answer), Failure> {
    let request = match question.method {
        Method::Get => client.get(question.url.clone()),
        Method::Post => client.post(question.url.clone()),
    };
    let request = request.headers(question.headers.clone());
    let request = match &question.body {
        Some(body) => request.body(body.clone()),
        None => request,
    };
    let mut response = request.send().await.map_err(failed)?;
    let status = response.status();
    let outcome = Outcome::of_answer(status, response.headers(), Timestamp::now());
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let is_csv = kind.is_some_and(|kind| kind.trim_start().starts_with("text/csv"));
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        body.extend_from_slice(&chunk);
        if body.len() > ANSWER_MAX {
            return Err(Failure::Final(format!("was answered with more than {} MiB", ANSWER_MAX / 1_048_576)));
        }
    }
    Ok((outcome, Answer { status, is_csv, body }))
}

/// The URL is said elsewhere, without credentials.
fn failed(error: reqwest::Error) -> Failure {
    let is_passing = error.is_connect() || error.is_request() || error.is_body();
    let why = format!("failed: {}", iter8_cluster::error::chain(&error.without_url()));
    if is_passing { Failure::Passing(why) } else { Failure::Final(why) }
}
