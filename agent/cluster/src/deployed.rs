//! An installed AutoX as it is: what it follows, what is seen of its triggers, and what it launched. Only looks. What follows
//! from it is decided by [`iter8_core::autox::decide`].

use iter8_core::ExperimentResult;
use iter8_core::autox::values::{AutoxValues, TriggerGroup, parse};
use iter8_core::autox::{Record, experiment_group};
use iter8_core::schema::Problem;
use iter8_core::yaml::YamlError;
use jiff::Timestamp;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use kube::{Client, ResourceExt as _};
use serde_json::Value;

use crate::error::{ClusterError, Failure};
use crate::names::{self, Group, Revision};
use crate::parent::{find_parent, owner, secrets};
use crate::result::read_result;
use crate::served::{Served, served};

/// An installation, whoever made it.
#[derive(Debug)]
pub struct Deployed {
    /// What the controller is told to follow; the problems, when it cannot follow that.
    pub autox: Result<AutoxValues, Vec<Problem>>,
    /// How many controllers there should be, and how many are ready.
    pub controllers: (i32, i32),
}

/// Reads what the controllers of an installation read, and how they are.
///
/// # Errors
/// [`ClusterError::NoAutox`], [`ClusterError::Foreign`], and when the API refuses.
pub async fn deployed(client: &Client, namespace: &str, name: &Group) -> Result<Deployed, ClusterError> {
    let config = names::autox_config(name);
    let found = secrets(client, namespace).get_opt(&config).await;
    let found = found.map_err(ClusterError::api("read", format_args!("secret/{config}"), namespace))?;
    let Some(secret) = found else {
        return Err(ClusterError::NoAutox { name: name.to_string(), namespace: namespace.to_owned() });
    };
    if secret.labels().get(names::RELEASE).is_none_or(|release| release != name.as_str()) {
        let (object, owner) = (format!("secret/{config}"), owner(&secret.metadata));
        return Err(ClusterError::Foreign { object, namespace: namespace.to_owned(), owner });
    }
    let text = secret.data.as_ref().and_then(|data| data.get(names::AUTOX_CONFIG_KEY)).map_or(&b""[..], |text| &text.0);
    let autox = serde_yaml::from_slice::<Value>(text)
        .map_err(|error| vec![Problem::at("", format!("the configuration is not YAML: {}", YamlError::from(error)))])
        .and_then(|values| parse(&values, env!("CARGO_PKG_VERSION")));
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), namespace);
    let deployment = deployments.get_opt(name).await;
    let deployment =
        deployment.map_err(ClusterError::api("read", format_args!("deployment.apps/{name}"), namespace))?;
    let wanted = deployment.as_ref().and_then(|deployment| deployment.spec.as_ref()?.replicas).unwrap_or_default();
    let ready = deployment.and_then(|deployment| deployment.status?.ready_replicas).unwrap_or_default();
    Ok(Deployed { autox, controllers: (wanted, ready) })
}

/// What is there of a trigger.
#[derive(Debug)]
pub enum Found {
    /// The object.
    Object(Box<Value>),
    /// Nothing.
    Absent,
    /// It cannot be looked at: why.
    Unknown(String),
}

/// Looks at the trigger of a group.
///
/// # Errors
/// When the API server cannot be reached.
pub async fn trigger(client: &Client, group: &TriggerGroup) -> Result<Found, ClusterError> {
    let trigger = &group.trigger;
    let (namespace, name) = (trigger.namespace.0.as_str(), trigger.name.0.as_str());
    let resource = ApiResource {
        group: trigger.api_group().to_owned(),
        version: trigger.version.0.clone(),
        api_version: trigger.api_version(),
        // Only used for objects that are written.
        kind: String::new(),
        plural: trigger.resource.0.clone(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    match api.get_opt(name).await {
        Ok(Some(object)) => Ok(Found::Object(Box::new(serde_json::to_value(object).unwrap_or_default()))),
        // A kind that is not there answers like an object that is not there.
        Ok(None) => Ok(match served(client, trigger).await? {
            Served::Yes => Found::Absent,
            Served::NotYet(missing) => Found::Unknown(missing),
            Served::No(key, message) => Found::Unknown(format!("its {key} {message}")),
        }),
        Err(error) if Failure::of(&error) == Failure::Forbidden => {
            Ok(Found::Unknown(format!("you may not look at {} there", trigger.qualified_resource())))
        }
        Err(error) => {
            Err(ClusterError::api("read", format_args!("{}/{name}", trigger.qualified_resource()), namespace)(error))
        }
    }
}

/// What is there of an experiment.
#[derive(Debug)]
pub struct Experiment {
    /// What AutoX recorded of it; None when there is none, or it is not AutoX's.
    pub record: Option<Record>,
    /// Whether there is a group of that name which no AutoX launched.
    pub is_foreign: bool,
    /// When the recorded revision was launched.
    pub launched: Option<Timestamp>,
    /// Its result, as far as it is.
    pub result: Option<ExperimentResult>,
}

/// Looks at the experiment of a spec.
///
/// # Errors
/// When the API refuses.
pub async fn experiment(client: &Client, namespace: &str, group: &str, spec: &str) -> Result<Experiment, ClusterError> {
    let nothing = |is_foreign| Experiment { record: None, is_foreign, launched: None, result: None };
    let Ok(name) = Group::new(experiment_group(group, spec)) else { return Ok(nothing(false)) };
    let parent = match find_parent(client, namespace, &name).await {
        Ok(Some(parent)) => parent,
        Ok(None) => return Ok(nothing(false)),
        Err(ClusterError::Foreign { .. }) => return Ok(nothing(true)),
        Err(error) => return Err(error),
    };
    let (Some(record), Some((entry, _))) = (parent.record(), parent.history.of_autox()) else {
        return Ok(nothing(true));
    };
    // A launch that was only begun has no result.
    let result = read_result(client, namespace, &name, Some(Revision(record.revision))).await.ok();
    let result = result.map(|stored| stored.result);
    Ok(Experiment { launched: Some(entry.launched), record: Some(record), is_foreign: false, result })
}
