//! Inputs of the task `slack`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::delivery::{Delivery, Method};
use super::url_problems;
use crate::schema::Problem;
use crate::task::credential::Credential;

/// Says in Slack how the experiment went.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Slack {
    /// The URL of an incoming webhook. Who knows it can write to the channel: it is a credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Credential>,
    /// Method; POST when not given.
    #[serde(default)]
    pub method: Method,
    /// How it is delivered.
    #[serde(flatten)]
    pub delivery: Delivery,
}

impl Slack {
    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = url_problems(self.url.as_ref(), "the URL of an incoming webhook of Slack");
        problems.extend(self.delivery.validate(self.method));
        problems
    }
}
