//! The task `slack`: an incoming webhook, or what behaves like one.

use http::{HeaderMap, HeaderValue, Method, header};
use iter8_core::task::notify::{Slack, of_slack};
use serde_json::Value;

use super::send::{Answer, Message, send};
use super::{NotifyError, refused, report, said, settings, template, url};
use crate::tasks::TaskContext;

pub(super) async fn tell(inputs: &Slack, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let url = url("slack.url", inputs.url.as_ref(), context)?;
    let body = if inputs.method.has_payload() { Some(payload(inputs, context).await?) } else { None };
    let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let method = inputs.method.as_str().parse().unwrap_or(Method::POST);
    let tls = settings(&inputs.delivery).await?;
    let message = Message { method, url, headers, body, timeout: inputs.delivery.timeout(), tls };
    let answer = send(&message).await?;
    if answer.status.is_success() && is_ok(&answer) {
        return Ok("Slack took the message".to_owned());
    }
    Err(refused(&message.url, &answer, said(&answer.body, context), hint(&answer)))
}

async fn payload(inputs: &Slack, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let report = report(context);
    match template::payload("slack", &inputs.delivery, &report, context).await? {
        Some((key, text)) => template::json(key, &text).map(|_| text),
        None => Ok(of_slack(&report, context.result).to_string()),
    }
}

/// Whether an answer with a good status means it: a webhook says `ok`, and Slack's other interfaces say in JSON whether
/// they took what was sent.
fn is_ok(answer: &Answer) -> bool {
    let body = answer.body.trim();
    match serde_json::from_str::<Value>(body) {
        Ok(said) => said.get("ok").or_else(|| said.get("success")).and_then(Value::as_bool).unwrap_or(true),
        Err(_) => body.is_empty() || body.eq_ignore_ascii_case("ok"),
    }
}

fn hint(answer: &Answer) -> &'static str {
    match answer.body.trim() {
        "invalid_payload" | "invalid_blocks" => ": the payload is not one of Slack",
        "no_service" | "no_active_hooks" | "invalid_token" | "no_team" => ": the webhook was removed or never was",
        "channel_not_found" | "channel_is_archived" => ": the channel of the webhook is gone",
        _ => "",
    }
}
