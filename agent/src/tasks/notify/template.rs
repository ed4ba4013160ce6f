//! Payloads by templates of users: what a template makes. Where it comes from is not known here.

use iter8_cluster::template::{Engine, TemplateError};
use iter8_core::task::notify::{Delivery, Report};

use super::NotifyError;
use crate::tasks::TaskContext;
use crate::tasks::template_source::{Found, find};

/// What the template of a notification makes of the report, with the key that the template has; None without one. The
/// digest of a template that was fetched goes to the result.
pub(super) async fn payload(
    task: &str,
    delivery: &Delivery,
    report: &Report,
    context: &mut TaskContext<'_>,
) -> Result<Option<(&'static str, String)>, NotifyError> {
    let Some((key, source)) = delivery.template() else { return Ok(None) };
    let place = format!("{task}.{key}");
    let Found { text, digest } = find(source).await?;
    context.result.fetched.extend(digest.map(|digest| (place.clone(), digest)));
    Ok(Some((key, made_of(&place, &text, report)?)))
}

/// What the template called `name` makes of the report.
pub(crate) fn made_of(name: &str, text: &str, report: &Report) -> Result<String, TemplateError> {
    Engine::strict(name, text, &[])?.render(name, &report.to_data(text))
}

/// A payload as JSON, in the words in which it was made.
pub(super) fn json(key: &'static str, text: &str) -> Result<serde_json::Value, NotifyError> {
    serde_json::from_str(text).map_err(|source| NotifyError::NotJson { key, source })
}
