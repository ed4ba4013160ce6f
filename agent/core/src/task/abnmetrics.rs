//! Inputs of the task `abnmetrics`, and the answer of iter8's A/B/n service: summaries of what the users of each version did.
//! Asking the service is the agent's business.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::metric::{MetricKind, Observation};
use crate::result::Version;
use crate::scalar::Text;
use crate::schema::Problem;
use crate::stats;
use crate::summary::Summary;

/// First part of the names of its metrics.
pub const PROVIDER: &str = "abn";

/// How long the service may take to answer.
pub const PATIENCE: Duration = Duration::from_secs(30);

const DEFAULT_ENDPOINT: &str = "iter8-abn:50051";

/// Brings the metrics of an A/B/n service into the experiment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbnMetrics {
    /// Host and port of the A/B/n service; `iter8-abn:50051` when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<Text>,
    /// The application, as NAMESPACE/NAME; without a namespace, `default` is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<Text>,
}

impl AbnMetrics {
    /// Where the service is.
    pub fn endpoint(&self) -> &str {
        self.endpoint.as_ref().map_or(DEFAULT_ENDPOINT, |endpoint| endpoint.0.trim())
    }

    /// The application.
    pub fn application(&self) -> &str {
        self.application.as_ref().map_or("", |application| application.0.trim())
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.application().is_empty() {
            let message = "is required: name the application of the A/B/n service, as in shop/backend";
            problems.push(Problem::at("application", message));
        }
        let (host, port) = self.endpoint().rsplit_once(':').unwrap_or((self.endpoint(), ""));
        if host.is_empty() || host.contains('/') || port.parse::<u16>().is_err() {
            let message = format!("must be a host and a port, as in {DEFAULT_ENDPOINT}, got `{}`", self.endpoint());
            problems.push(Problem::at("endpoint", message));
        }
        problems
    }
}

/// What the service knows of an application: the JSON in the answer to `GetApplicationData`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
pub struct Application {
    /// The version behind each track.
    #[serde(default)]
    tracks: BTreeMap<String, String>,
    /// What was measured of each version.
    #[serde(default)]
    versions: BTreeMap<String, Measured>,
}

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
struct Measured {
    #[serde(default)]
    metrics: BTreeMap<String, Summary>,
}

/// One aggregate of a metric, and what it says of one version.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    /// `abn/<metric>/<aggregation>`.
    pub name: String,
    /// How it behaves.
    pub kind: MetricKind,
    /// Number of the version in [`Application::versions`].
    pub version: usize,
    /// The value with its interval and samples.
    pub observation: Observation,
}

impl Application {
    /// The versions that have a track, by the names of the tracks: the baseline's is the application's name, so that it
    /// comes before `<name>-candidate-1`.
    pub fn versions(&self) -> Vec<Version> {
        let version = |(track, version): (&String, &String)| Version {
            version: Some(version.clone()).filter(|version| !version.is_empty()),
            track: Some(track.clone()),
        };
        self.tracks.iter().map(version).collect()
    }

    /// Every metric of these versions, at a level of confidence. What a version lacks has no value.
    pub fn aggregates(&self, confidence: f64) -> Vec<Aggregate> {
        let names: BTreeSet<&String> = self
            .tracks
            .values()
            .filter_map(|version| self.versions.get(version))
            .flat_map(|v| v.metrics.keys())
            .collect();
        let mut all = Vec::new();
        for (number, version) in self.tracks.values().enumerate() {
            let measured = self.versions.get(version);
            for name in &names {
                let summary = measured.and_then(|measured| measured.metrics.get(*name));
                all.extend(of_summary(name, number, summary, confidence));
            }
        }
        all
    }
}

fn of_summary(name: &str, version: usize, summary: Option<&Summary>, confidence: f64) -> Vec<Aggregate> {
    let none = Summary::default();
    let summary = summary.unwrap_or(&none);
    let (mean, stddev, samples) = (summary.mean(), summary.stddev(), summary.count());
    let interval = mean.zip(stddev).and_then(|(mean, stddev)| stats::mean(mean, stddev, samples, confidence));
    let aggregate = |aggregation: &str, kind, value, interval| Aggregate {
        name: format!("{PROVIDER}/{name}/{aggregation}"),
        kind,
        version,
        observation: Observation { value, interval, samples: Some(samples), ..Observation::default() },
    };
    vec![
        aggregate("count", MetricKind::Counter, Some(samples as f64), None),
        aggregate("mean", MetricKind::Gauge, mean, interval),
        aggregate("stddev", MetricKind::Gauge, stddev, None),
        aggregate("min", MetricKind::Gauge, summary.min(), None),
        aggregate("max", MetricKind::Gauge, summary.max(), None),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(value: Value) -> Vec<String> {
        let inputs: AbnMetrics = serde_json::from_value(value).unwrap();
        inputs.validate().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_application_is_required_and_an_endpoint_has_a_port() {
        for (value, message) in [
            (json!({}), "`application` is required: name the application of the A/B/n service, as in shop/backend"),
            (
                json!({ "application": "shop/backend", "endpoint": "http://abn:50051/x" }),
                "`endpoint` must be a host and a port, as in iter8-abn:50051, got `http://abn:50051/x`",
            ),
            (
                json!({ "application": "shop/backend", "endpoint": "abn" }),
                "`endpoint` must be a host and a port, as in iter8-abn:50051, got `abn`",
            ),
        ] {
            assert_eq!(said(value), [message]);
        }
        assert_eq!(said(json!({ "application": "backend", "endpoint": "abn.shop:50051" })), Vec::<String>::new());
    }

    fn application() -> Application {
        serde_json::from_value(json!({
            "name": "shop/backend",
            "tracks": { "backend-candidate-1": "v2", "backend": "v1", "backend-candidate-2": "v3" },
            "versions": {
                "v1": { "metrics": { "sale": [2, 6, 2, 4, 20] } },
                "v2": { "metrics": { "sale": [1, -3, -3, -3, 9] } },
                "v0": { "metrics": { "forgotten": [1, 1, 1, 1, 1] } },
            },
        }))
        .unwrap()
    }

    #[test]
    fn versions_come_with_their_tracks_the_baseline_first() {
        let version = |track: &str, version: &str| Version { version: Some(version.into()), track: Some(track.into()) };
        assert_eq!(
            application().versions(),
            [version("backend", "v1"), version("backend-candidate-1", "v2"), version("backend-candidate-2", "v3")]
        );
    }

    #[test]
    fn every_version_has_every_aggregate_and_what_is_unknown_has_no_value() {
        let aggregates = application().aggregates(0.95);
        assert_eq!(aggregates.len(), 3 * 5);
        let value = |name: &str, version: usize| {
            let found = aggregates.iter().find(|aggregate| aggregate.name == name && aggregate.version == version);
            found.unwrap_or_else(|| panic!("no {name} of {version}")).observation.value
        };
        assert_eq!(value("abn/sale/mean", 0), Some(3.0));
        assert_eq!(value("abn/sale/stddev", 0), Some(2f64.sqrt()));
        assert_eq!((value("abn/sale/max", 1), value("abn/sale/stddev", 1)), (Some(-3.0), None));
        assert_eq!((value("abn/sale/count", 2), value("abn/sale/mean", 2)), (Some(0.0), None));
    }
}
