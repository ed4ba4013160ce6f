//! Inputs of the task `github`, and what GitHub takes as a `repository_dispatch`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::delivery::{Delivery, Method};
use crate::scalar::Text;
use crate::schema::Problem;
use crate::task::credential::Credential;
use crate::task::load::is_fetched;

const DEFAULT_API: &str = "https://api.github.com";

/// The most properties of a client payload, and the most bytes of an event, by GitHub's page of the REST API ("Create a
/// repository dispatch event").
const MAX_PROPERTIES: usize = 10;
/// See above; 64 KB are the limit.
pub(super) const MAX_BYTES: usize = 64_000;
/// The most characters of the type of an event, by the same page.
const MAX_EVENT_TYPE: usize = 100;

/// Starts workflows of a repository on GitHub that wait for `repository_dispatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Github {
    /// The user or organisation that the repository belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Text>,
    /// The repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repo: Option<Text>,
    /// A token that may write contents of the repository.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<Credential>,
    /// The API of a GitHub of one's own: https://github.example.com/api/v3.
    #[serde(default, rename = "apiURL", skip_serializing_if = "Option::is_none")]
    pub api_url: Option<Text>,
    /// How it is delivered.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl Github {
    /// Where the event goes.
    pub fn url(&self) -> String {
        let part = |text: &Option<Text>| text.as_ref().map_or(String::new(), |text| text.0.trim().to_owned());
        let api = self.api_url.as_ref().map_or(DEFAULT_API, |url| url.0.trim().trim_end_matches('/'));
        format!("{api}/repos/{}/{}/dispatches", part(&self.owner), part(&self.repo))
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (key, text, example) in [("owner", &self.owner, "octocat"), ("repo", &self.repo, "hello-world")] {
            match text.as_ref().map(|text| text.0.trim()) {
                None | Some("") => {
                    problems
                        .push(Problem::at(key, format!("is required: as in https://github.com/OWNER/REPO, {example}")));
                }
                Some(name) if !is_name(name) => {
                    let message = format!("must be a name alone, as in {example}, got `{name}`");
                    problems.push(Problem::at(key, message));
                }
                Some(_) => {}
            }
        }
        match &self.token {
            None => {
                let message = "is required: give {secret: NAME, key: KEY} of a Secret that holds a token which may write \
                               contents of the repository";
                problems.push(Problem::at("token", message));
            }
            Some(token) => problems.extend(token.validate().into_iter().map(|problem| problem.under("token"))),
        }
        if let Some(Text(url)) = self.api_url.as_ref().filter(|url| !is_fetched(&url.0)) {
            let message = format!("must be a URL, as in https://github.example.com/api/v3, got `{url}`");
            problems.push(Problem::at("apiURL", message));
        }
        problems.extend(self.delivery.validate(Method::POST));
        problems
    }
}

/// What names of owners and repositories are made of.
fn is_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    name.len() <= 100 && name.bytes().all(fits) && name != "." && name != ".."
}

/// Why GitHub would not take an event, if it would not. The rules are those of its page "Create a repository dispatch event".
pub fn event_problem(event: &Value) -> Option<String> {
    let kind = event.get("event_type").and_then(Value::as_str).unwrap_or_default();
    if kind.is_empty() || kind.chars().count() > MAX_EVENT_TYPE {
        return Some(format!("event_type must be a text of 1 to {MAX_EVENT_TYPE} characters"));
    }
    let payload = match event.get("client_payload") {
        None | Some(Value::Null) => return None,
        Some(Value::Object(payload)) => payload,
        Some(Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_)) => {
            return Some("client_payload must be a map".to_owned());
        }
    };
    if payload.len() > MAX_PROPERTIES {
        return Some(format!("client_payload has {} properties; GitHub takes at most {MAX_PROPERTIES}", payload.len()));
    }
    let bytes = event.to_string().len();
    (bytes > MAX_BYTES).then(|| format!("it has {bytes} bytes; GitHub takes at most {MAX_BYTES}"))
}
