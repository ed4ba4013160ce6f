//! Does what was decided: launches an experiment by the same way as the plugin, deletes one, or looks whether it runs.

use std::collections::BTreeMap;

use iter8_cluster::delete::delete;
use iter8_cluster::error::{ClusterError, chain};
use iter8_cluster::experiment::{ExperimentError, UnknownKeys, check};
use iter8_cluster::groups::is_running;
use iter8_cluster::history::HISTORY_LIMIT;
use iter8_cluster::launch::launch;
use iter8_cluster::names::{Group, InvalidGroup};
use iter8_cluster::parent::read_parent;
use iter8_cluster::plan::LaunchPlan;
use iter8_core::autox::object::Seen;
use iter8_core::autox::planner::{Done, Key, Work};
use iter8_core::autox::values::{AutoxValues, TriggerGroup};
use iter8_core::autox::{Cause, Record, Stage, Tested, refs};
use iter8_core::scalar::Text;
use iter8_core::schema::Problem;
use kube::Client;
use serde_json::{Map, Value};

/// Work that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) key: Key,
    pub(crate) done: Done,
    /// What is to be told of it.
    pub(crate) told: Option<Told>,
}

/// What is told of work.
#[derive(Debug)]
pub(crate) enum Told {
    /// An experiment was launched.
    Launched { group: String, cause: Cause, revision: u32 },
    /// An experiment was deleted.
    Deleted,
    /// Something failed.
    Failed { work: &'static str, why: String },
}

#[derive(Debug, thiserror::Error)]
enum WorkError {
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Values(Vec<Problem>),
    #[error(transparent)]
    Experiment(#[from] ExperimentError),
    #[error(transparent)]
    Group(#[from] InvalidGroup),
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

/// Does one piece of work to its end.
pub(crate) async fn perform(client: &Client, autox: &str, values: &AutoxValues, work: Work) -> Ended {
    match work {
        Work::Launch { key, cause, seen } => {
            let group = values.groups.get(&cause.group);
            let Some(group) = group.filter(|group| group.specs.contains_key(&cause.spec)) else {
                // The configuration was changed meanwhile; the planner has decided anew.
                return Ended { key, done: Done::Failed, told: None };
            };
            match launch_experiment(client, group, &key, &cause, &seen).await {
                Ok((revision, is_new)) => {
                    let record = Record { cause: cause.clone(), revision, stage: Stage::Launched };
                    let told = Told::Launched { group: cause.group.clone(), cause, revision };
                    Ended { key, done: Done::Launched(record), told: is_new.then_some(told) }
                }
                Err(error) => failed(key, "launch", &error),
            }
        }
        Work::Delete { key, .. } => match delete_experiment(client, autox, &key).await {
            Ok(was_there) => Ended { key, done: Done::Deleted, told: was_there.then_some(Told::Deleted) },
            Err(error) => failed(key, "delete", &error),
        },
        Work::Look { key } => match look(client, &key).await {
            Ok(runs) => Ended { key, done: Done::Looked { runs }, told: None },
            Err(error) => failed(key, "look at", &error),
        },
    }
}

fn failed(key: Key, work: &'static str, error: &WorkError) -> Ended {
    let why = chain(error);
    Ended { key, done: Done::Failed, told: Some(Told::Failed { work, why }) }
}

/// Launches; the revision, and whether anything had to be done for it.
async fn launch_experiment(
    client: &Client,
    group: &TriggerGroup,
    key: &Key,
    cause: &Cause,
    seen: &Seen,
) -> Result<(u32, bool), WorkError> {
    let values = experiment_values(group, cause, seen)?;
    let checked = check(Value::Object(values), UnknownKeys::Refuse)?;
    let name = Group::new(key.experiment.clone())?;
    let render = checked.renderer(&name, &key.namespace);
    let keeps = group.keep_history.is_some_and(|flag| flag.0);
    let plan = LaunchPlan {
        cause: Some(cause),
        history_limit: if keeps { HISTORY_LIMIT } else { 1 },
        ..checked.plan(&name, &key.namespace, &render)
    };
    let launched = launch(client, &plan).await?;
    if let Some(error) = &launched.prune_error {
        tracing::warn!("{}/{}: objects of earlier revisions are left: {}", key.namespace, key.experiment, chain(error));
    }
    Ok((launched.revision.0, !launched.outcomes.is_empty()))
}

/// The values of an experiment for the trigger as it is.
fn experiment_values(group: &TriggerGroup, cause: &Cause, seen: &Seen) -> Result<Map<String, Value>, WorkError> {
    let trigger = &group.trigger;
    let labels: BTreeMap<&str, &str> = seen.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    let facts = refs::Trigger {
        name: &trigger.name.0,
        namespace: &trigger.namespace.0,
        version: &cause.version,
        track: seen.track().unwrap_or_default(),
        labels,
    };
    let spec = group.specs.get(&cause.spec).map(|spec| &spec.values);
    let mut values = refs::fill(spec.unwrap_or(&Map::new()), &facts).map_err(WorkError::Values)?;
    let tested = Tested {
        resource: Some(Text(trigger.qualified_resource())),
        namespace: Some(trigger.namespace.clone()),
        name: Some(trigger.name.clone()),
        version: Text(cause.version.clone()),
        track: seen.track().map(|track| Text(track.to_owned())),
    };
    values.insert("trigger".to_owned(), serde_json::to_value(tested).unwrap_or_default());
    Ok(values)
}

/// Deletes an experiment that is this AutoX's; whether there was one.
async fn delete_experiment(client: &Client, autox: &str, key: &Key) -> Result<bool, WorkError> {
    let name = Group::new(key.experiment.clone())?;
    let parent = read_parent(client, &key.namespace, &name).await?;
    let is_ours = |record: Record| record.cause.autox == autox;
    if !parent.and_then(|parent| parent.record()).is_some_and(is_ours) {
        return Ok(false);
    }
    match delete(client, &key.namespace, &name, None).await {
        Ok(_) => Ok(true),
        Err(ClusterError::NotFound { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

async fn look(client: &Client, key: &Key) -> Result<bool, WorkError> {
    let name = Group::new(key.experiment.clone())?;
    Ok(is_running(client, &key.namespace, &name).await?)
}

#[cfg(test)]
mod tests {
    use iter8_core::autox::VERSION_LABEL;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_values_of_an_experiment_know_what_is_tested() {
        let group: TriggerGroup = serde_json::from_value(json!({
            "trigger": { "name": "web", "namespace": "shop", "group": "apps", "version": "v1", "resource": "deployments" },
            "specs": { "load": { "name": "iter8", "values": {
                "tasks": ["http"], "http": { "url": "http://{{ .trigger.name }}.{{ .trigger.namespace }}/{{ .trigger.version }}" },
            } } },
        }))
        .unwrap();
        let cause = Cause {
            autox: "iter8/autox".into(),
            group: "web".into(),
            spec: "load".into(),
            version: "2.0".into(),
            digest: "d".into(),
        };
        let seen = Seen { labels: [(VERSION_LABEL.to_owned(), "2.0".to_owned())].into(), ..Seen::default() };
        let values = Value::Object(experiment_values(&group, &cause, &seen).unwrap());
        assert_eq!(values["http"]["url"], "http://web.shop/2.0");
        assert_eq!(
            values["trigger"],
            json!({ "resource": "deployments.apps", "namespace": "shop", "name": "web", "version": "2.0" })
        );
        assert!(check(values, UnknownKeys::Refuse).is_ok());
    }
}
