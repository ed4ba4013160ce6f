//! Payloads by templates of users: where a template comes from, and what it makes.

use std::path::Path;

use iter8_cluster::template::{Engine, TemplateError};
use iter8_core::task::notify::{Delivery, Report, Template};
use url::Url;

use super::NotifyError;
use crate::fetch::fetch;
use crate::redact::shown_url;

/// The most bytes of a template.
const TEMPLATE_MAX: usize = 1_048_576;

/// What the template of a notification makes of the report, with the key that the template has; None without one.
pub(super) async fn payload(
    task: &str,
    delivery: &Delivery,
    report: &Report,
) -> Result<Option<(&'static str, String)>, NotifyError> {
    let Some((key, template)) = delivery.template() else { return Ok(None) };
    let text = match template {
        Template::Text(text) => text.to_owned(),
        Template::Url(url) => {
            let shown = Url::parse(url).map_or_else(|_| "that is no URL".to_owned(), |url| shown_url(&url));
            let fetched = fetch(url, TEMPLATE_MAX).await;
            let fetched = fetched.map_err(|source| NotifyError::Fetch { url: shown.clone(), source })?;
            String::from_utf8(fetched.bytes).map_err(|_| NotifyError::NotText(shown))?
        }
        Template::Path(path) => {
            let read = tokio::fs::read_to_string(path).await;
            read.map_err(|source| NotifyError::File { path: Path::new(path).to_owned(), source })?
        }
    };
    Ok(Some((key, made_of(&format!("{task}.{key}"), &text, report)?)))
}

/// What the template called `name` makes of the report.
pub(crate) fn made_of(name: &str, text: &str, report: &Report) -> Result<String, TemplateError> {
    Engine::strict(name, text, &[])?.render(name, &report.to_data(text))
}

/// A payload as JSON, in the words in which it was made.
pub(super) fn json(key: &'static str, text: &str) -> Result<serde_json::Value, NotifyError> {
    serde_json::from_str(text).map_err(|source| NotifyError::NotJson { key, source })
}
