//! Runs the task custommetrics as the agent does, and reads its result.

use std::sync::Mutex;

use iter8_agent::runner::{self, Identity};
use iter8_agent::store::{ResultStore, StoreError};
use iter8_core::{Experiment, ExperimentResult, Phase};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Keeps a result in memory.
#[derive(Default)]
struct Memory(Mutex<Option<ExperimentResult>>);

impl ResultStore for Memory {
    async fn load(&self) -> Result<Option<ExperimentResult>, StoreError> {
        Ok(self.0.lock().expect("nobody panicked").clone())
    }

    async fn save(&self, result: &ExperimentResult) -> Result<(), StoreError> {
        *self.0.lock().expect("nobody panicked") = Some(result.clone());
        Ok(())
    }
}

/// What became of the metrics of a provider.
pub(crate) struct Found {
    provider: &'static str,
    pub(crate) result: ExperimentResult,
}

impl Found {
    /// The value of a metric for each version.
    #[track_caller]
    pub(crate) fn values(&self, metric: &str) -> Vec<Option<f64>> {
        let name = format!("{}/{metric}", self.provider);
        let known = self.result.metrics.keys();
        let found = self.result.metrics.get(&name).unwrap_or_else(|| panic!("there is no {name}, only {known:?}"));
        found.versions.iter().map(|series| series.latest.as_ref().and_then(|latest| latest.value)).collect()
    }

    /// What is said of its value, or why there is none.
    #[track_caller]
    pub(crate) fn said(&self, metric: &str, version: usize) -> &str {
        let series = &self.result.metrics[&format!("{}/{metric}", self.provider)].versions[version];
        series.latest.as_ref().and_then(|latest| latest.source.as_deref()).expect("it says where it comes from")
    }
}

/// When the experiment began.
pub(crate) fn began(hours_ago: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours_ago)
}

/// Asks the built-in template `provider` for each of `versions`, whose values come over the common ones, and judges
/// `upper` limits.
pub(crate) async fn ask(
    provider: &'static str,
    began: Timestamp,
    values: &Value,
    versions: &[Value],
    upper: &Value,
) -> Found {
    let mut values = values.clone();
    values["startingTime"] = began.to_string().into();
    let with = json!({ "templates": { provider: provider }, "values": values, "versionValues": versions });
    let steps = [
        json!({ "task": "custommetrics", "with": with }),
        json!({ "task": "assess", "with": { "SLOs": { "upper": upper } } }),
    ];
    let experiment = json!({ "apiVersion": "iter8.tools/v1", "spec": steps }).to_string();
    let experiment = Experiment::parse(&experiment).unwrap_or_else(|error| panic!("{error}"));
    let identity = Identity {
        group: "default".to_owned(),
        namespace: String::new(),
        revision: 1,
        continues: false,
        recurring: false,
        mounts: None,
    };
    let cancel = CancellationToken::new();
    let result = runner::run(&experiment, &identity, &Memory::default(), None, &cancel, &|_| ()).await;
    let result = result.expect("a result can be kept in memory");
    assert_eq!(result.phase, Phase::Succeeded, "{:?}", result.steps);
    Found { provider, result }
}
