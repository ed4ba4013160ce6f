//! Sends one request until it is answered: with timeouts, a bounded number of attempts, and credentials that never leave
//! the origin they are meant for. What an answer means is the business of whoever asks, and whether it is sent again that of
//! `retry.rs`.

use std::time::Duration;

use http::{HeaderMap, Method, StatusCode, header};
use iter8_core::task::notify::{ATTEMPTS, LONGEST_WAIT};
use jiff::Timestamp;
use reqwest::redirect::{Attempt, Policy};
use url::Url;

use crate::tasks::load::tls::of_client;
use crate::tasks::retry::Outcome;

/// The most bytes of an answer that are read; what comes after them says nothing more.
const ANSWER_MAX: usize = 64 * 1024;
/// The most redirects of one attempt.
const REDIRECTS_MAX: usize = 5;

/// A request.
pub(super) struct Message {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Option<String>,
    /// How long one attempt may take.
    pub(super) timeout: Duration,
    /// Whom to trust, and who tells.
    pub(super) tls: Option<iter8_load::Tls>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// The beginning of the body.
    pub(super) body: String,
    /// The origin that a redirect points to which was not followed.
    pub(super) elsewhere: Option<String>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    /// No client can be made.
    #[error("no client can be made, see `tls`")]
    Client(#[source] reqwest::Error),
    /// No answer in time.
    #[error("{whom} did not answer within {}", iter8_core::GoDuration(*.timeout))]
    Late {
        /// Scheme, host and port.
        whom: String,
        /// How long it was waited for.
        timeout: Duration,
    },
    /// The connection failed.
    #[error("{whom} cannot be reached, tried {attempts} times")]
    Unreachable {
        /// Scheme, host and port.
        whom: String,
        /// How often it was tried.
        attempts: u32,
        /// Why, without the URL.
        #[source]
        source: reqwest::Error,
    },
}

/// Sends a message and gives the last answer. A connection that fails and a server that is too busy or broken are tried
/// again; an answer that does not come in time is not, because the message may have arrived.
///
/// # Errors
/// When there is no answer.
pub(super) async fn send(message: &Message) -> Result<Answer, SendError> {
    let client = client(message).map_err(|error| SendError::Client(error.without_url()))?;
    let whom = message.url.origin().ascii_serialization();
    let mut attempts = 0;
    loop {
        let (outcome, answer) = match once(&client, message).await {
            Err(error) if error.is_timeout() => return Err(SendError::Late { whom, timeout: message.timeout }),
            Err(error) => (Outcome::NO_ANSWER, Err(error)),
            Ok((outcome, answer)) => (outcome, Ok(answer)),
        };
        attempts += 1;
        let Some(wait) = outcome.wait(attempts.into(), ATTEMPTS.into()) else {
            return answer.map_err(|source| SendError::Unreachable { whom, attempts, source });
        };
        tokio::time::sleep(wait.min(LONGEST_WAIT)).await;
    }
}

fn client(message: &Message) -> Result<reqwest::Client, reqwest::Error> {
    let builder = reqwest::Client::builder()
        .timeout(message.timeout)
        .redirect(Policy::custom(follow))
        // It would show the URL, which may be a credential.
        .referer(false)
        .user_agent(concat!("iter8-agent/", env!("CARGO_PKG_VERSION")));
    match &message.tls {
        Some(tls) => of_client(builder, tls)?.build(),
        None => builder.build(),
    }
}

async fn once(client: &reqwest::Client, message: &Message) -> Result<(Outcome, Answer), reqwest::Error> {
    let request = client.request(message.method.clone(), message.url.clone()).headers(message.headers.clone());
    let request = message.body.iter().fold(request, |request, body| request.body(body.clone()));
    let mut response = request.send().await.map_err(reqwest::Error::without_url)?;
    let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let place = text(header::LOCATION).and_then(|place| response.url().join(place).ok());
    let elsewhere = place.filter(|_| response.status().is_redirection());
    let elsewhere = elsewhere.map(|place| place.origin().ascii_serialization());
    let status = response.status();
    let outcome = Outcome::of_answer(status, response.headers(), Timestamp::now());
    let mut bytes = Vec::new();
    // The status says what counts; a body that breaks off or has no end changes nothing.
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= ANSWER_MAX {
            bytes.truncate(ANSWER_MAX);
            break;
        }
    }
    Ok((outcome, Answer { status, body: String::from_utf8_lossy(&bytes).into_owned(), elsewhere }))
}

/// Follows a redirect within the origin that repeats the request as it is (RFC 9110, 15.4.8 and 15.4.9): others make a GET
/// of it, which tells nobody anything.
fn follow(attempt: Attempt<'_>) -> reqwest::redirect::Action {
    let repeats = matches!(attempt.status(), StatusCode::TEMPORARY_REDIRECT | StatusCode::PERMANENT_REDIRECT);
    let within = attempt.previous().iter().all(|url| url.origin() == attempt.url().origin());
    if repeats && within && attempt.previous().len() <= REDIRECTS_MAX { attempt.follow() } else { attempt.stop() }
}
