//! The task `github`: an event `repository_dispatch`, by GitHub's REST API.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use iter8_core::task::notify::{Github, event_problem, of_github};
use serde_json::Value;
use url::Url;

use super::send::{Answer, Message, send};
use super::{NotifyError, header, refused, report, resolved, said, settings, template};
use crate::tasks::TaskContext;

/// The version of the API that the request is written for.
const API_VERSION: HeaderValue = HeaderValue::from_static("2022-11-28");

pub(super) async fn tell(inputs: &Github, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let url = Url::parse(&inputs.url()).map_err(|_| NotifyError::NoUrl("github.apiURL".to_owned()))?;
    let token = resolved("github.token", inputs.token.as_ref(), context)?;
    let mut headers = HeaderMap::from_iter([
        (header::ACCEPT, HeaderValue::from_static("application/vnd.github+json")),
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (HeaderName::from_static("x-github-api-version"), API_VERSION),
    ]);
    headers.extend(
        [header("github.token", header::AUTHORIZATION, &format!("Bearer {}", token.trim()))?]
            .map(|(name, value)| (Some(name), value)),
    );
    let body = Some(payload(inputs, context).await?);
    let tls = settings(&inputs.delivery).await?;
    let message = Message { method: Method::POST, url, headers, body, timeout: inputs.delivery.timeout(), tls };
    let answer = send(&message).await?;
    if answer.status.is_success() {
        let name = |text: &Option<iter8_core::scalar::Text>| text.as_ref().map_or(String::new(), |text| text.0.clone());
        return Ok(format!("GitHub took the event for {}/{}", name(&inputs.owner), name(&inputs.repo)));
    }
    Err(refused(&message.url, &answer, why(&answer, context), hint(answer.status)))
}

async fn payload(inputs: &Github, context: &mut TaskContext<'_>) -> Result<String, NotifyError> {
    let report = report(context);
    let Some((key, text)) = template::payload("github", &inputs.delivery, &report, context).await? else {
        return Ok(of_github(&report).to_string());
    };
    match event_problem(&template::json(key, &text)?) {
        Some(problem) => Err(NotifyError::NoEvent { key, problem }),
        None => Ok(text),
    }
}

/// The reason in an answer of GitHub: its message if it has one.
fn why(answer: &Answer, context: &TaskContext<'_>) -> String {
    let body: Option<Value> = serde_json::from_str(&answer.body).ok();
    let message = body.as_ref().and_then(|body| body.get("message")?.as_str());
    said(message.unwrap_or(&answer.body), context)
}

fn hint(status: StatusCode) -> &'static str {
    match status {
        StatusCode::UNAUTHORIZED => ": the token is not valid",
        StatusCode::FORBIDDEN => ": the token may not write contents of the repository",
        StatusCode::NOT_FOUND => ": there is no such repository, or the token may not write its contents",
        _ => "",
    }
}
