//! What all notifications have in common: the template of their payload, how long and how often they are tried, whom they
//! trust, and whether the experiment goes on when they fail.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::scalar::{Flag, Text};
use crate::schema::Problem;
use crate::task::TemplateSource;
use crate::task::load::Tls;

/// How often a notification is sent at most, when the connection fails or the server is too busy.
pub const ATTEMPTS: u32 = 4;
/// The longest wait between two attempts, whatever the server asks for.
pub const LONGEST_WAIT: Duration = Duration::from_secs(30);

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// How a notification is delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Delivery {
    /// A Go template of the payload, as text, or the URL or the path of a file with one; without it the payload is one that
    /// iter8 makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_template: Option<Text>,
    /// The same, under the name that Iter8 v0.13 gave it.
    #[serde(default, rename = "payloadTemplateURL", skip_serializing_if = "Option::is_none")]
    pub payload_template_url: Option<Text>,
    /// Whether the step succeeds although nobody could be told, as it does by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soft_failure: Option<Flag>,
    /// How long an answer may take; 10s when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Whom to trust, and who tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// A method with or without a payload.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Method {
    /// With the payload.
    #[default]
    POST,
    /// With the payload.
    PUT,
    /// With the payload.
    PATCH,
    /// Without a payload: the URL says it all.
    GET,
}

impl Method {
    /// Its name on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::POST => "POST",
            Self::PUT => "PUT",
            Self::PATCH => "PATCH",
            Self::GET => "GET",
        }
    }

    /// Whether a request of it carries the payload.
    pub const fn has_payload(self) -> bool {
        match self {
            Self::POST | Self::PUT | Self::PATCH => true,
            Self::GET => false,
        }
    }
}

impl Delivery {
    /// Where the template is and the key that says so, if there is one. None is built in.
    pub fn template(&self) -> Option<(&'static str, TemplateSource<'_>)> {
        let here = self.payload_template.as_ref().map(|text| ("payloadTemplate", text));
        let given = here.or_else(|| self.payload_template_url.as_ref().map(|text| ("payloadTemplateURL", text)));
        given.map(|(key, text)| (key, TemplateSource::of(text)))
    }

    /// Whether the step succeeds although nobody could be told.
    pub fn is_soft(&self) -> bool {
        self.soft_failure.is_none_or(|soft| soft.0)
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// How long all attempts take at most.
    pub fn expected_duration(&self) -> Duration {
        self.timeout().saturating_mul(ATTEMPTS).saturating_add(LONGEST_WAIT * (ATTEMPTS - 1))
    }

    pub(super) fn validate(&self, method: Method) -> Vec<Problem> {
        let mut problems = Vec::new();
        let keys = [("payloadTemplate", &self.payload_template), ("payloadTemplateURL", &self.payload_template_url)];
        for (key, text) in keys {
            let Some(text) = text else { continue };
            if text.0.trim().is_empty() {
                problems.push(Problem::at(key, "is empty: give a template, or the URL or path of one"));
            }
            if !method.has_payload() {
                let message = format!("contradicts method {}, which carries no payload", method.as_str());
                problems.push(Problem::at(key, message));
            }
        }
        if self.payload_template.is_some() && self.payload_template_url.is_some() {
            problems.push(Problem::at("payloadTemplateURL", "contradicts payloadTemplate: there is one payload"));
        }
        if self.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            problems.push(Problem::at("timeout", "must be longer than 0s"));
        }
        let tls = self.tls.iter().flat_map(Tls::validate_by_host);
        problems.extend(tls.map(|problem| problem.under("tls")));
        problems
    }
}
