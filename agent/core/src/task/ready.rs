//! Inputs of the task `ready`: which objects of the cluster have to be ready, and how long to wait for them.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::scalar::Text;
use crate::schema::Problem;

/// Waits until every named object is ready.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Ready {
    /// Name of a Service; ready when it has a ready endpoint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Text>,
    /// Name of a Deployment; ready when its current generation is rolled out and available.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy: Option<Text>,
    /// Name of a Knative Service; ready when its condition Ready is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ksvc: Option<Text>,
    /// Name of a KServe InferenceService; ready when its condition Ready is true.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isvc: Option<Text>,
    /// Name of a Litmus ChaosEngine; ready when it exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chaosengine: Option<Text>,
    /// Namespace of the objects; the experiment's own when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<Text>,
    /// How long to wait for all of them together.
    #[serde(default = "default_timeout")]
    pub timeout: Option<GoDuration>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the type of the field")]
fn default_timeout() -> Option<GoDuration> {
    Some(DEFAULT_TIMEOUT)
}

/// How long `ready` waits when nothing else is said.
pub const DEFAULT_TIMEOUT: GoDuration = GoDuration(Duration::from_secs(60));

/// A kind of object that can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadyKind {
    /// A Service of the core API.
    Service,
    /// A Deployment.
    Deployment,
    /// A Service of Knative Serving.
    KnativeService,
    /// An InferenceService of KServe.
    InferenceService,
    /// A ChaosEngine of Litmus.
    ChaosEngine,
}

impl ReadyKind {
    /// The word for it in messages.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Service => "service",
            Self::Deployment => "deployment",
            Self::KnativeService => "Knative service",
            Self::InferenceService => "inference service",
            Self::ChaosEngine => "chaos engine",
        }
    }
}

impl Ready {
    /// The objects to wait for, in the order in which they are documented.
    pub fn objects(&self) -> Vec<(ReadyKind, &str)> {
        self.named().map(|(_, kind, name)| (kind, name)).collect()
    }

    /// The objects to wait for, each with the key that names it.
    fn named(&self) -> impl Iterator<Item = (&'static str, ReadyKind, &str)> {
        let keys = [
            ("service", ReadyKind::Service, &self.service),
            ("deploy", ReadyKind::Deployment, &self.deploy),
            ("ksvc", ReadyKind::KnativeService, &self.ksvc),
            ("isvc", ReadyKind::InferenceService, &self.isvc),
            ("chaosengine", ReadyKind::ChaosEngine, &self.chaosengine),
        ];
        keys.into_iter().filter_map(|(key, kind, name)| Some((key, kind, name.as_ref()?.0.as_str())))
    }

    /// How long to wait for all objects together.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(DEFAULT_TIMEOUT).0
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.objects().is_empty() {
            problems.push(Problem::at(
                "",
                "names no object to wait for: set one of service, deploy, ksvc, isvc, chaosengine",
            ));
        }
        for (key, _, name) in self.named() {
            if name.is_empty()
                || name.chars().any(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c)))
            {
                let message = format!("must be a name of lower-case letters, digits, `-` and `.`, got `{name}`");
                problems.push(Problem::at(key, message));
            }
        }
        problems
    }
}
