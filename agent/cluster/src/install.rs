//! Installs AutoX, and removes it: the objects of its chart as a set (see [`crate::applyset`]) whose parent keeps the values
//! that the user gave. What values mean is the business of [`crate::autox`].
//!
//! # Guarantees
//! - Foreign objects are refused before anything is written.
//! - The parent names every kind and namespace before anything is made there, and every experiment that is to go before
//!   it goes, so that whoever comes after a crash finds them.
//! - Experiments that the new values do not have any more are deleted, because the controller may have lost its
//!   permissions where they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::future::{join_all, try_join_all};
use futures_util::stream;
use iter8_core::autox::values::AutoxValues;
use k8s_openapi::ByteString;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use kube::api::{Api, DeleteParams, DynamicObject, ObjectMeta};
use kube::{Client, ResourceExt as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::applyset::{self, Extent, Member, to_prune};
use crate::autox::experiments;
use crate::delete::{Removal, delete, remove};
use crate::error::{ClusterError, Failure};
use crate::launch::{action, apply, apply_patiently};
use crate::names::{self, Group};
use crate::objects::{Action, Kind, ObjectId, Outcome};
use crate::parent::{find_parent, owner, secrets, store};
use crate::plan::{Planned, in_order, member, own};
use crate::survey::{Found, foreign, members, read};

const KEY: &str = "autox.json";

/// What is installed.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Where.
    pub namespace: &'a str,
    /// The name of the installation.
    pub name: &'a Group,
    /// The values that the user gave, merged; the parent keeps them.
    pub user_values: &'a Value,
    /// The same with defaults, read.
    pub autox: &'a AutoxValues,
    /// The manifests.
    pub objects: Vec<Value>,
    /// How long experiments that go are given to end.
    pub wait: Duration,
}

/// What an installation did.
#[derive(Debug, Default)]
pub struct Installed {
    /// What became of each object.
    pub outcomes: Vec<Outcome>,
    /// Namespaces that do not exist, in which nothing was made.
    pub missing: Vec<String>,
    /// Why experiments that should go are left; the next installation tries again.
    pub left: Vec<ClusterError>,
}

/// A group of experiments.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Experiment {
    namespace: String,
    group: Group,
}

/// What the parent keeps.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Kept {
    /// What the user gave.
    values: Value,
    /// Every experiment that the values have.
    experiments: BTreeSet<Experiment>,
    /// Those that earlier values had, until they are deleted.
    leaving: BTreeSet<Experiment>,
}

/// An installation as its parent Secret describes it.
#[derive(Clone, Debug)]
struct Installation {
    kept: Kept,
    extent: Extent,
    secret: Secret,
}

/// Reads an installation; None when there is none.
///
/// # Errors
/// When the API refuses, [`ClusterError::Foreign`] when a Secret of that name is something else, and
/// [`ClusterError::Corrupt`].
async fn installation(client: &Client, namespace: &str, name: &Group) -> Result<Option<Installation>, ClusterError> {
    let found = secrets(client, namespace).get_opt(name).await;
    let found = found.map_err(ClusterError::api("read", format_args!("secret/{name}"), namespace))?;
    found.map(|secret| Installation::read(secret, name)).transpose()
}

impl Installation {
    fn new(namespace: &str, name: &Group) -> Self {
        let mut labels = names::installation_labels(name);
        labels.insert(names::APPLYSET_ID.to_owned(), names::applyset_id(name, namespace));
        let metadata = ObjectMeta {
            name: Some(name.to_string()),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let secret = Secret { metadata, type_: Some(names::INSTALLATION_TYPE.to_owned()), ..Secret::default() };
        Self { kept: Kept::default(), extent: Extent::default(), secret }
    }

    fn read(secret: Secret, name: &Group) -> Result<Self, ClusterError> {
        let namespace = secret.namespace().unwrap_or_default();
        let is_ours = applyset::is_ours(Some(secret.annotations()))
            && secret.labels().get(names::RELEASE).is_some_and(|release| release == name.as_str());
        if !is_ours {
            let owner = owner(&secret.metadata);
            return Err(ClusterError::Foreign { object: format!("secret/{name}"), namespace, owner });
        }
        let stored = secret.data.as_ref().and_then(|data| data.get(KEY)).map_or(&b"{}"[..], |bytes| &bytes.0);
        let kept = serde_json::from_slice(stored).map_err(|source| ClusterError::Corrupt {
            secret: name.to_string(),
            namespace,
            source: Box::new(source),
        })?;
        Ok(Self { kept, extent: Extent::read(Some(secret.annotations())), secret })
    }

    fn exists(&self) -> bool {
        self.secret.metadata.resource_version.is_some()
    }

    fn namespace(&self) -> &str {
        self.secret.metadata.namespace.as_deref().unwrap_or_default()
    }

    fn name(&self) -> &str {
        self.secret.metadata.name.as_deref().unwrap_or_default()
    }

    fn set_id(&self) -> String {
        names::applyset_id(self.name(), self.namespace())
    }

    fn member(&self) -> Member {
        let (namespace, name) = (self.namespace().to_owned(), self.name().to_owned());
        let uid = self.secret.metadata.uid.clone().unwrap_or_default();
        Member { object: ObjectId { kind: Kind::Secret, namespace, name }, uid }
    }

    fn owner_reference(&self) -> Value {
        json!({ "apiVersion": "v1", "kind": "Secret", "name": self.name(), "uid": self.member().uid })
    }

    /// Stores it; None when somebody else wrote it since it was read.
    async fn save(&self, client: &Client) -> Result<Option<Self>, ClusterError> {
        let kept = serde_json::to_vec(&self.kept)
            .map_err(|source| ClusterError::Encode { what: "the values of AutoX", source })?;
        let mut secret = self.secret.clone();
        secret.metadata.managed_fields = None;
        secret.labels_mut().extend(names::installation_labels(self.name()));
        let annotations = secret.annotations_mut();
        annotations.remove(names::APPLYSET_NAMESPACES);
        annotations.extend(self.extent.annotations());
        secret.data = Some(BTreeMap::from([(KEY.to_owned(), ByteString(kept))]));
        Ok(store(client, &secret).await?.map(|secret| Self { secret, ..self.clone() }))
    }

    /// Whether the values in force are still these.
    fn is_of(&self, plan: &Plan<'_>) -> bool {
        self.kept.values == *plan.user_values
    }
}

/// What there is, and what is to be.
struct Survey {
    parent: Installation,
    planned: Vec<Planned>,
    live: Vec<Option<DynamicObject>>,
    members: Vec<Member>,
    missing: Vec<String>,
}

async fn survey(client: &Client, plan: &Plan<'_>) -> Result<Survey, ClusterError> {
    let parent = installation(client, plan.namespace, plan.name).await?;
    let parent = parent.unwrap_or_else(|| Installation::new(plan.namespace, plan.name));
    let set_id = parent.set_id();
    let planned = plan.objects.iter().map(|manifest| member(manifest.clone(), plan.namespace, &set_id));
    let mut planned = in_order(planned.collect::<Result<_, _>>()?)?;
    let missing = missing_namespaces(client, &planned, plan.namespace).await?;
    planned.retain(|planned| !missing.contains(&planned.object.namespace));
    let live = try_join_all(planned.iter().map(|planned| read(client, &planned.object))).await?;
    for (planned, live) in planned.iter().zip(&live) {
        if let Some(owner) = live.as_ref().and_then(|live| foreign(live, &set_id)) {
            let (object, namespace) = (planned.object.to_string(), planned.object.namespace.clone());
            return Err(ClusterError::Foreign { object, namespace, owner });
        }
    }
    let members = members(client, &parent.extent, plan.namespace, &set_id).await?;
    let members = members.into_iter().map(|found: Found| found.member).collect();
    Ok(Survey { parent, planned, live, members, missing: missing.into_iter().collect() })
}

/// The namespaces of others that do not exist. One that may not be looked at is taken to exist.
async fn missing_namespaces(
    client: &Client,
    planned: &[Planned],
    home: &str,
) -> Result<BTreeSet<String>, ClusterError> {
    let api: Api<Namespace> = Api::all(client.clone());
    let others: BTreeSet<&str> = planned
        .iter()
        .map(|planned| planned.object.namespace.as_str())
        .filter(|namespace| *namespace != home)
        .collect();
    let mut missing = BTreeSet::new();
    for namespace in others {
        match api.get_metadata_opt(namespace).await {
            Ok(None) => drop(missing.insert(namespace.to_owned())),
            Ok(Some(_)) => {}
            Err(error) if Failure::of(&error) == Failure::Forbidden => {}
            Err(error) => return Err(ClusterError::api("read", format_args!("namespace/{namespace}"), home)(error)),
        }
    }
    Ok(missing)
}

/// Installs AutoX, or changes an installation.
///
/// # Errors
/// [`ClusterError::Foreign`] before anything is written; otherwise the first object that could not be applied. Trying again
/// goes on where this ended.
pub async fn install(client: &Client, plan: &Plan<'_>) -> Result<Installed, ClusterError> {
    let (mut parent, survey) = loop {
        let survey = survey(client, plan).await?;
        let mut parent = survey.parent.clone();
        let to_be = experiments(plan.autox).map(|(namespace, group)| Experiment { namespace, group }).collect();
        let before = &parent.kept.leaving | &parent.kept.experiments;
        parent.kept = Kept { values: plan.user_values.clone(), leaving: &before - &to_be, experiments: to_be };
        parent.extent = parent.extent.union(&extent(&survey.planned, plan.namespace));
        if let Some(parent) = parent.save(client).await? {
            break (parent, survey);
        }
    };
    let mut done = Installed { missing: survey.missing.clone(), ..Installed::default() };
    let mut applied = BTreeSet::new();
    for phase in phases(&survey.planned) {
        let answers = join_all(phase.iter().map(|index| {
            let Planned { object, manifest } = &survey.planned[*index];
            let mut manifest = manifest.clone();
            if object.namespace == plan.namespace {
                own(&mut manifest, &parent.owner_reference());
            }
            async move { apply_patiently(client, object, &manifest).await }
        }))
        .await;
        for (index, answer) in phase.into_iter().zip(answers) {
            let stored = answer?;
            applied.extend(stored.uid());
            let object = survey.planned[index].object.clone();
            done.outcomes.push(Outcome { object, action: action(survey.live[index].as_ref(), &stored) });
        }
    }
    let leaving = &parent.kept.leaving;
    let (outcomes, _) = delete_all(client, &parent, leaving, plan.wait).await;
    done.outcomes.extend(outcomes);
    for member in to_prune(&survey.members, &applied, &BTreeSet::new()) {
        remove(client, member).await?;
        done.outcomes.push(Outcome { object: member.object.clone(), action: Action::Pruned });
    }
    // A controller that had not read its new configuration yet may have launched meanwhile. Now it may not any more.
    let (outcomes, errors) = delete_all(client, &parent, leaving, plan.wait).await;
    done.outcomes.extend(outcomes);
    let left: BTreeSet<Experiment> = errors.iter().map(|(experiment, _)| experiment.clone()).collect();
    done.left = errors.into_iter().map(|(_, error)| error).collect();
    loop {
        if !parent.is_of(plan) {
            return Err(ClusterError::AutoxChanged { name: plan.name.to_string() });
        }
        parent.kept.leaving.clone_from(&left);
        parent.extent = extent(&survey.planned, plan.namespace);
        if parent.save(client).await?.is_some() {
            return Ok(done);
        }
        let read = installation(client, plan.namespace, plan.name).await?;
        parent = read.ok_or_else(|| ClusterError::AutoxChanged { name: plan.name.to_string() })?;
    }
}

fn extent(planned: &[Planned], home: &str) -> Extent {
    Extent::of(planned.iter().map(|planned| &planned.object), home)
}

/// Indices of the planned objects in groups that are applied one after another: a role before its binding, all permissions
/// before the configuration that needs them, and everything before the controller.
fn phases(planned: &[Planned]) -> Vec<Vec<usize>> {
    let phase = |kind| match kind {
        Kind::ServiceAccount | Kind::Role => 0,
        Kind::RoleBinding => 1,
        Kind::Secret | Kind::PodDisruptionBudget => 2,
        Kind::Deployment | Kind::CronJob | Kind::Job => 3,
    };
    let mut phases = vec![Vec::new(); 4];
    for (index, planned) in planned.iter().enumerate() {
        phases[phase(planned.object.kind)].push(index);
    }
    phases
}

/// How many experiments are deleted at once.
const AT_ONCE: usize = 8;

/// Deletes experiments that an AutoX launched. What it did, and what could not be deleted.
async fn delete_all(
    client: &Client,
    parent: &Installation,
    experiments: &BTreeSet<Experiment>,
    wait: Duration,
) -> (Vec<Outcome>, Vec<(Experiment, ClusterError)>) {
    let identity = names::autox(parent.namespace(), parent.name());
    let each = experiments.iter().map(|experiment| {
        let identity = identity.as_str();
        async move { (experiment, delete_experiment(client, identity, experiment, wait).await) }
    });
    let answers: Vec<_> = stream::iter(each).buffered(AT_ONCE).collect().await;
    let (mut outcomes, mut errors) = (Vec::new(), Vec::new());
    for (experiment, answer) in answers {
        match answer {
            Ok(done) => outcomes.extend(done),
            Err(error) => errors.push((experiment.clone(), error)),
        }
    }
    (outcomes, errors)
}

/// Deletes an experiment, if this AutoX launched it; one that is not there is no error.
async fn delete_experiment(
    client: &Client,
    identity: &str,
    experiment: &Experiment,
    wait: Duration,
) -> Result<Vec<Outcome>, ClusterError> {
    let Experiment { namespace, group } = experiment;
    let Some(parent) = find_parent(client, namespace, group).await? else { return Ok(Vec::new()) };
    if parent.record().is_none_or(|record| record.cause.autox != identity) {
        return Ok(Vec::new());
    }
    match delete(client, namespace, group, Some(wait)).await {
        // The controller deleted it meanwhile.
        Err(ClusterError::NotFound { .. }) => Ok(Vec::new()),
        answer => answer,
    }
}

/// What an installation would do to each object, as far as the API server can tell; nothing is stored.
///
/// # Errors
/// The first object that would be refused.
pub async fn preview(client: &Client, plan: &Plan<'_>) -> Result<Installed, ClusterError> {
    let survey = survey(client, plan).await?;
    let mut done = Installed { missing: survey.missing.clone(), ..Installed::default() };
    let answers = join_all(survey.planned.iter().map(|Planned { object, manifest }| {
        let mut manifest = manifest.clone();
        if survey.parent.exists() && object.namespace == plan.namespace {
            own(&mut manifest, &survey.parent.owner_reference());
        }
        async move { apply(client, object, &manifest, true).await }
    }))
    .await;
    for ((planned, live), answer) in survey.planned.iter().zip(&survey.live).zip(answers) {
        let action = match answer {
            Ok(stored) => action(live.as_ref(), &stored),
            // Its role is one of the objects that are not made yet.
            Err(error) if planned.object.kind == Kind::RoleBinding && error.failure() == Some(Failure::NotFound) => {
                Action::Created
            }
            Err(error) => return Err(error),
        };
        done.outcomes.push(Outcome { object: planned.object.clone(), action });
    }
    let uids: BTreeSet<String> = survey.live.iter().flatten().filter_map(|live| live.uid()).collect();
    let pruned = to_prune(&survey.members, &uids, &BTreeSet::new()).into_iter();
    done.outcomes.extend(pruned.map(|member| Outcome { object: member.object.clone(), action: Action::Pruned }));
    Ok(done)
}

/// Removes AutoX: the controller first, so that it launches nothing any more, then its experiments unless they are kept, then
/// the parent.
///
/// # Errors
/// [`ClusterError::NoAutox`], [`ClusterError::Foreign`], [`ClusterError::TimedOut`] when something is still there after `wait`;
/// the parent then stays, so that a second try finds it.
pub async fn uninstall(
    client: &Client,
    namespace: &str,
    name: &Group,
    keeps_experiments: bool,
    wait: Duration,
) -> Result<Vec<Outcome>, ClusterError> {
    let Some(parent) = installation(client, namespace, name).await? else {
        return Err(ClusterError::NoAutox { name: name.to_string(), namespace: namespace.to_owned() });
    };
    let found = members(client, &parent.extent, namespace, &parent.set_id()).await?;
    let mut removal = Removal::of(client, found.into_iter().map(|found| found.member).collect());
    removal.begin().await?;
    removal.wait(wait, &format!("AutoX {name}")).await?;
    delete_lease(client, namespace, name).await?;
    let deleted = |member: &Member| Outcome { object: member.object.clone(), action: Action::Deleted };
    let mut outcomes: Vec<Outcome> = removal.members().iter().map(deleted).collect();
    if !keeps_experiments {
        let experiments = &parent.kept.experiments | &parent.kept.leaving;
        let (deleted, errors) = delete_all(client, &parent, &experiments, wait).await;
        outcomes.extend(deleted);
        if let Some((_, error)) = errors.into_iter().next() {
            return Err(error);
        }
    }
    let parent = parent.member();
    remove(client, &parent).await?;
    outcomes.push(deleted(&parent));
    Ok(outcomes)
}

/// Deletes the Lease that the controllers made for themselves. One that may not be deleted is in nobody's way.
async fn delete_lease(client: &Client, namespace: &str, name: &Group) -> Result<(), ClusterError> {
    let api: Api<Lease> = Api::namespaced(client.clone(), namespace);
    let ours = match api.get_opt(name).await {
        Ok(found) => found.filter(|lease| lease.labels().get(names::RELEASE).is_some_and(|of| of == name.as_str())),
        Err(error) => return passed_over(error, "read", name, namespace),
    };
    match ours {
        Some(_) => match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(error) => passed_over(error, "delete", name, namespace),
        },
        None => Ok(()),
    }
}

fn passed_over(error: kube::Error, verb: &str, name: &Group, namespace: &str) -> Result<(), ClusterError> {
    match Failure::of(&error) {
        Failure::NotFound | Failure::Forbidden => Ok(()),
        Failure::Unauthorized
        | Failure::Conflict
        | Failure::Invalid
        | Failure::Busy
        | Failure::Unreachable
        | Failure::Other => Err(ClusterError::api(verb, format_args!("lease/{name}"), namespace)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_installation_survives_its_secret() {
        let name = Group::new("autox").unwrap();
        let mut installed = Installation::new("iter8", &name);
        installed.secret.annotations_mut().extend(installed.extent.annotations());
        let kept = Kept { values: json!({ "groups": {} }), ..Kept::default() };
        let bytes = ByteString(serde_json::to_vec(&kept).unwrap());
        installed.secret.data = Some(BTreeMap::from([(KEY.to_owned(), bytes)]));
        let read = Installation::read(installed.secret.clone(), &name).unwrap();
        assert_eq!((&read.kept, read.set_id()), (&kept, names::applyset_id("autox", "iter8")));
        let other = Group::new("other").unwrap();
        assert!(matches!(Installation::read(installed.secret, &other), Err(ClusterError::Foreign { .. })));
    }
}
