//! The tasks that tell somebody how an experiment goes: what each sends, and what it makes of the answer. What is said is
//! decided by iter8-core, how it gets there by `send.rs`.

mod error;
mod github;
mod send;
mod slack;
mod template;
mod webhook;

pub(crate) use template::made_of;

pub use error::NotifyError;
use http::header::{HeaderName, HeaderValue};
use iter8_cluster::error::chain;
use iter8_core::task::Credential;
use iter8_core::task::notify::{Delivery, Github, Report, Slack, Webhook};
use jiff::Timestamp;
use send::Answer;
use tokio_util::sync::CancellationToken;
use url::Url;

use super::load::tls::tls;
use super::{TaskContext, TaskError};

pub(super) async fn slack(inputs: &Slack, mut context: TaskContext<'_>) -> Result<String, TaskError> {
    deliver(&inputs.delivery, context.cancel, slack::tell(inputs, &mut context)).await
}

pub(super) async fn github(inputs: &Github, mut context: TaskContext<'_>) -> Result<String, TaskError> {
    deliver(&inputs.delivery, context.cancel, github::tell(inputs, &mut context)).await
}

pub(super) async fn webhook(inputs: &Webhook, mut context: TaskContext<'_>) -> Result<String, TaskError> {
    deliver(&inputs.delivery, context.cancel, webhook::tell(inputs, &mut context)).await
}

/// Waits for the end of a notification. One that fails softly is a success that says why nobody was told.
async fn deliver(
    delivery: &Delivery,
    cancel: &CancellationToken,
    told: impl Future<Output = Result<String, NotifyError>>,
) -> Result<String, TaskError> {
    let told = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(TaskError::Cancelled),
        told = told => told,
    };
    match told {
        Ok(message) => Ok(message),
        Err(error) if delivery.is_soft() => {
            Ok(format!("not delivered, and softFailure lets it pass: {}", chain(&error)))
        }
        Err(error) => Err(error.into()),
    }
}

fn report(context: &TaskContext<'_>) -> Report {
    Report::of(context.experiment, context.result, Timestamp::now())
}

/// The text of an input that may be a reference.
fn resolved(key: &str, credential: Option<&Credential>, context: &TaskContext<'_>) -> Result<String, NotifyError> {
    // Inputs without it do not pass their check.
    let credential = credential.ok_or_else(|| NotifyError::Missing(key.to_owned()))?;
    let text = context.credentials.resolve(credential);
    text.map_err(|source| NotifyError::Credential { key: key.to_owned(), source })
}

fn url(key: &str, credential: Option<&Credential>, context: &TaskContext<'_>) -> Result<Url, NotifyError> {
    let url = Url::parse(resolved(key, credential, context)?.trim()).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.ok_or_else(|| NotifyError::NoUrl(key.to_owned()))
}

/// The settings of TLS.
async fn settings(delivery: &Delivery) -> Result<Option<iter8_load::Tls>, NotifyError> {
    match &delivery.tls {
        Some(settings) => Ok(Some(tls(settings).await?)),
        None => Ok(None),
    }
}

/// A header whose value no log shows.
fn header(key: &str, name: HeaderName, value: &str) -> Result<(HeaderName, HeaderValue), NotifyError> {
    let mut value = HeaderValue::try_from(value.trim()).map_err(|_| NotifyError::NoHeader(key.to_owned()))?;
    value.set_sensitive(true);
    Ok((name, value))
}

/// How many characters of an answer a message shows.
const SHOWN: usize = 200;

/// The beginning of what was answered, on one line and without credentials.
fn said(body: &str, context: &TaskContext<'_>) -> String {
    // Cleaned before it is cut, so that no half of a credential stays.
    let clean = context.credentials.redactor.clean(body);
    let words = clean.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = words.chars().filter(|letter| !letter.is_control()).take(SHOWN).collect();
    if shown.len() < words.len() { shown + "…" } else { shown }
}

/// What was answered when it is a refusal.
fn refused(url: &Url, answer: &Answer, said: String, hint: &'static str) -> NotifyError {
    let whom = url.origin().ascii_serialization();
    match &answer.elsewhere {
        Some(place) => NotifyError::Elsewhere { whom, status: answer.status, place: place.clone() },
        None => NotifyError::Refused { whom, status: answer.status, said, hint },
    }
}
