//! The task `webhook`: a request to any server.

use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use iter8_core::task::notify::Webhook;

use super::send::{Message, send};
use super::{NotifyError, header, refused, report, resolved, said, settings, template, url};
use crate::tasks::TaskContext;

pub(super) async fn tell(inputs: &Webhook, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let url = url("webhook.url", inputs.url.as_ref(), context)?;
    let headers = headers(inputs, context)?;
    let body = if inputs.method.has_payload() { Some(payload(inputs, context).await?) } else { None };
    let method = inputs.method.as_str().parse().unwrap_or(Method::POST);
    let tls = settings(&inputs.delivery).await?;
    let message = Message { method, url, headers, body, timeout: inputs.delivery.timeout(), tls };
    let answer = send(&message).await?;
    let origin = message.url.origin().ascii_serialization();
    if answer.status.is_success() {
        return Ok(format!("{origin} answered {}", answer.status));
    }
    Err(refused(&message.url, &answer, said(&answer.body, context), ""))
}

fn headers(inputs: &Webhook, context: &TaskContext<'_>) -> Result<HeaderMap, NotifyError> {
    let mut headers = HeaderMap::new();
    if inputs.method.has_payload() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    for (name, value) in &inputs.headers {
        let key = format!("webhook.headers.{name}");
        let value = match value.plain() {
            Some(text) => text.to_owned(),
            None => resolved(&key, Some(value), context)?,
        };
        let name = HeaderName::try_from(name).map_err(|_| NotifyError::NoHeader(key.clone()))?;
        let (name, value) = header(&key, name, &value)?;
        headers.insert(name, value);
    }
    if let Some(token) = &inputs.bearer_token {
        let token = resolved("webhook.bearerToken", Some(token), context)?;
        let (name, value) = header("webhook.bearerToken", header::AUTHORIZATION, &format!("Bearer {}", token.trim()))?;
        headers.insert(name, value);
    }
    Ok(headers)
}

async fn payload(inputs: &Webhook, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let report = report(context);
    match template::payload("webhook", &inputs.delivery, &report, context).await? {
        Some((key, text)) if inputs.sends_json() => template::json(key, &text).map(|_| text),
        Some((_, text)) => Ok(text),
        None => Ok(report.to_json().to_string()),
    }
}
