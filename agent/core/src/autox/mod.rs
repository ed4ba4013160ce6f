//! AutoX: experiments that start by themselves when an object, the trigger, gets another version.
//!
//! [`values`] is what users configure, [`object`] what is read of a trigger, [`decide`](mod@decide) the rule for one
//! experiment, [`planner`] the rule applied to all of them over time, and [`refs`] fills a trigger into values. All of
//! it is pure: watching, launching and deleting are the agent's business.

pub mod decide;
pub mod object;
pub mod planner;
pub mod refs;
pub mod values;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::Text;

/// The label that a trigger carries with the value `true`, so that its experiments are launched.
pub const AUTOX_LABEL: &str = "iter8.tools/autox";

/// The label of a trigger that names its version.
pub const VERSION_LABEL: &str = "app.kubernetes.io/version";

/// The label of a trigger that names its track.
pub const TRACK_LABEL: &str = "iter8.tools/track";

/// The name of the group of experiments that a spec of a group of triggers gives.
pub fn experiment_group(group: &str, spec: &str) -> String {
    format!("autox-{group}-{spec}")
}

/// The object whose version an experiment tests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tested {
    /// What it is: deployments.apps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<Text>,
    /// Where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// The version.
    pub version: Text,
    /// The track of the version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Text>,
}

impl fmt::Display for Tested {
    /// `version 2.0 of deployments.apps web`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "version {}", self.version.0)?;
        if let Some(track) = &self.track {
            write!(f, " (track {})", track.0)?;
        }
        let object = [&self.resource, &self.name].into_iter().flatten().map(|text| text.0.as_str());
        let object = object.collect::<Vec<_>>().join(" ");
        if object.is_empty() { Ok(()) } else { write!(f, " of {object}") }
    }
}

/// Why a revision was launched by AutoX. Two launches with the same cause are the same launch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cause {
    /// The AutoX that launched, `NAMESPACE/NAME`: another one leaves the experiment alone.
    pub autox: String,
    /// The name of the trigger's group.
    pub group: String,
    /// The name of the spec in the group.
    pub spec: String,
    /// The version of the trigger.
    pub version: String,
    /// Digest of what the spec says: another one is another experiment.
    pub digest: String,
}

/// The record of an experiment, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// Why it was launched.
    pub cause: Cause,
    /// The number of the launch.
    pub revision: u32,
    /// How far it is.
    pub stage: Stage,
}

/// How far a recorded experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Its launch was begun.
    Launching,
    /// It was launched.
    Launched,
    /// Its deletion was begun.
    Deleting,
}
