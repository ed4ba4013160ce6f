//! Does what was decided: launches an experiment by the same way as the plugin, deletes one, or looks whether it runs.

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
use iter8_core::autox::refs::of_launch;
use iter8_core::autox::values::{AutoxValues, SpecValues, TriggerGroup};
use iter8_core::autox::{Cause, Record, Stage};
use iter8_core::schema::Problem;
use kube::Client;
use serde_json::Value;

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
            let Some((group, spec)) = group.and_then(|group| Some((group, group.specs.get(&cause.spec)?))) else {
                // The configuration was changed meanwhile; the planner has decided anew.
                return Ended { key, done: Done::Failed, told: None };
            };
            match launch_experiment(client, group, spec, &key, &cause, &seen).await {
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
    spec: &SpecValues,
    key: &Key,
    cause: &Cause,
    seen: &Seen,
) -> Result<(u32, bool), WorkError> {
    let values = of_launch(&group.trigger, spec, &cause.version, seen).map_err(WorkError::Values)?;
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
