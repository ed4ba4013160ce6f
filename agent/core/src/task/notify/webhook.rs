//! Inputs of the task `webhook`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, Method};
use super::url_problems;
use crate::schema::Problem;
use crate::task::credential::Credential;
use crate::task::load::header_problems;

/// Tells any server that speaks HTTP how the experiment went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Webhook {
    /// Whom to tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Credential>,
    /// Method; POST when not given.
    #[serde(default)]
    pub method: Method,
    /// Headers of the request; the content type is that of JSON unless they say otherwise.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Credential>,
    /// A token for the header Authorization, which `Bearer` goes before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<Credential>,
    /// How it is delivered.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl Webhook {
    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = url_problems(self.url.as_ref(), "the URL, as in https://hooks.example.com/iter8");
        problems.extend(header_problems("headers", &self.headers));
        if let Some(token) = &self.bearer_token {
            problems.extend(token.validate().into_iter().map(|problem| problem.under("bearerToken")));
            if self.headers.keys().any(|name| name.eq_ignore_ascii_case("authorization")) {
                problems.push(Problem::at("bearerToken", "contradicts the header Authorization: give one of them"));
            }
        }
        problems.extend(self.delivery.validate(self.method));
        problems
    }

    /// Whether the payload has to be JSON: unless a content type says otherwise.
    pub fn sends_json(&self) -> bool {
        let kind = self.headers.iter().find(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        kind.and_then(|(_, kind)| kind.plain()).is_none_or(|kind| kind.to_ascii_lowercase().contains("json"))
    }
}
