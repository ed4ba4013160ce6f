//! The parent Secret of a group: it holds the history, says where the group's objects are, and is the lock of a launch
//! through its resourceVersion. The agent never writes it. What a history means is the business of [`crate::history`].

use std::collections::BTreeMap;

use iter8_core::autox::{Record, Stage};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Api, ObjectMeta, PostParams};
use serde_json::{Value, json};

use crate::applyset::{self, Extent};
use crate::error::{ClusterError, Failure};
use crate::history::{History, LaunchState};
use crate::names::{self, Component, Group};

const HISTORY_KEY: &str = "history.json";

/// A group as its parent Secret describes it.
#[derive(Clone, Debug)]
pub struct Parent {
    /// What was launched.
    pub history: History,
    /// Where its objects are.
    pub extent: Extent,
    /// Whether its deletion was begun.
    pub(crate) is_being_deleted: bool,
    group: Group,
    secret: Secret,
}

/// What became of an attempt to write a parent.
#[derive(Debug)]
pub(crate) enum Saved {
    /// It is stored.
    Yes(Box<Parent>),
    /// Somebody else wrote first; nothing is stored.
    Conflict,
}

/// Reads the parent of a group; None when there is none.
///
/// # Errors
/// When the API refuses, when the history is corrupt, and [`ClusterError::Foreign`] when a Secret of that name is not
/// iter8's.
pub async fn read_parent(client: &Client, namespace: &str, group: &Group) -> Result<Option<Parent>, ClusterError> {
    let name = names::parent(group);
    let found = secrets(client, namespace).get_opt(&name).await;
    let found = found.map_err(ClusterError::api("read", format_args!("secret/{name}"), namespace))?;
    found.map(Parent::from_secret).transpose()
}

/// Reads the parent of a group for where its objects are: a history that cannot be read is taken for an empty one.
///
/// # Errors
/// When the API refuses, and [`ClusterError::Foreign`].
pub(crate) async fn find_parent(
    client: &Client,
    namespace: &str,
    group: &Group,
) -> Result<Option<Parent>, ClusterError> {
    let name = names::parent(group);
    let found = secrets(client, namespace).get_opt(&name).await;
    let found = found.map_err(ClusterError::api("read", format_args!("secret/{name}"), namespace))?;
    found.map(Parent::with_any_history).transpose()
}

impl Parent {
    /// The parent of a group that was never launched.
    pub(crate) fn new(namespace: &str, group: &Group) -> Self {
        let name = names::parent(group);
        let mut labels = names::labels(group, None, Component::Group);
        labels.insert(names::APPLYSET_ID.to_owned(), names::applyset_id(&name, namespace));
        let metadata = ObjectMeta {
            name: Some(name),
            namespace: Some(namespace.to_owned()),
            labels: Some(labels),
            ..ObjectMeta::default()
        };
        let secret = Secret { metadata, type_: Some(names::PARENT_TYPE.to_owned()), ..Secret::default() };
        let (history, extent) = Default::default();
        Self { history, extent, is_being_deleted: false, group: group.clone(), secret }
    }

    /// Reads a parent from its Secret.
    ///
    /// # Errors
    /// When the Secret is not iter8's, or its history is corrupt.
    pub fn from_secret(secret: Secret) -> Result<Self, ClusterError> {
        let history = stored_history(&secret);
        let parent = Self::with_any_history(secret)?;
        history.map_err(|error| {
            let (secret, namespace) = (parent.name().to_owned(), parent.namespace().to_owned());
            ClusterError::Corrupt { secret, namespace, source: Box::new(error) }
        })?;
        Ok(parent)
    }

    /// Reads a parent from its Secret; a history that cannot be read is taken for an empty one.
    pub(crate) fn with_any_history(secret: Secret) -> Result<Self, ClusterError> {
        let (name, namespace) = (secret.metadata.name.clone(), secret.metadata.namespace.clone());
        let (name, namespace) = (name.unwrap_or_default(), namespace.unwrap_or_default());
        let annotations = secret.metadata.annotations.as_ref();
        let labelled = secret.metadata.labels.as_ref().and_then(|labels| labels.get(names::GROUP));
        let group = labelled.and_then(|group| Group::new(group).ok()).filter(|_| applyset::is_ours(annotations));
        let Some(group) = group else {
            let owner = owner(&secret.metadata);
            return Err(ClusterError::Foreign { object: format!("secret/{name}"), namespace, owner });
        };
        let extent = Extent::read(annotations);
        let history = stored_history(&secret).unwrap_or_default();
        let is_being_deleted = annotations.is_some_and(|annotations| annotations.contains_key(names::DELETING));
        Ok(Self { history, extent, is_being_deleted, group, secret })
    }

    /// Whether it has been stored.
    pub(crate) fn exists(&self) -> bool {
        self.secret.metadata.resource_version.is_some()
    }

    /// The group it describes.
    pub fn group(&self) -> &Group {
        &self.group
    }

    /// Where it is.
    pub fn namespace(&self) -> &str {
        self.secret.metadata.namespace.as_deref().unwrap_or_default()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.secret.metadata.name.as_deref().unwrap_or_default()
    }

    /// Its identity; empty before it is stored.
    pub(crate) fn uid(&self) -> &str {
        self.secret.metadata.uid.as_deref().unwrap_or_default()
    }

    /// The version of what was read or stored; empty before it is stored.
    pub(crate) fn resource_version(&self) -> &str {
        self.secret.metadata.resource_version.as_deref().unwrap_or_default()
    }

    /// The id of the group's set of objects.
    pub(crate) fn set_id(&self) -> String {
        names::applyset_id(self.name(), self.namespace())
    }

    /// The reference by which an object in the same namespace is deleted together with the group.
    pub(crate) fn owner_reference(&self) -> Value {
        json!({ "apiVersion": "v1", "kind": "Secret", "name": self.name(), "uid": self.uid() })
    }

    /// The Secret as it would be stored.
    pub(crate) fn to_secret(&self) -> Result<Secret, ClusterError> {
        let history = serde_json::to_vec(&self.history)
            .map_err(|source| ClusterError::Encode { what: "the history of the group", source })?;
        let mut secret = self.secret.clone();
        secret.metadata.managed_fields = None;
        let annotations = secret.metadata.annotations.get_or_insert_default();
        annotations.remove(names::APPLYSET_NAMESPACES);
        annotations.extend(self.extent.annotations());
        annotations.remove(names::AUTOX_RECORD);
        annotations.remove(names::DELETING);
        if self.is_being_deleted {
            annotations.insert(names::DELETING.to_owned(), "true".to_owned());
        }
        let labels = secret.metadata.labels.get_or_insert_default();
        labels.remove(names::AUTOX_GROUP);
        if let Some(record) = self.record() {
            let text = serde_json::to_string(&record)
                .map_err(|source| ClusterError::Encode { what: "the record of AutoX", source })?;
            annotations.insert(names::AUTOX_RECORD.to_owned(), text);
            labels.insert(names::AUTOX_GROUP.to_owned(), record.cause.group);
        }
        secret.data = Some(BTreeMap::from([(HISTORY_KEY.to_owned(), ByteString(history))]));
        Ok(secret)
    }

    /// Stores it, if nobody has written it since it was read.
    pub(crate) async fn save(&self, client: &Client) -> Result<Saved, ClusterError> {
        Ok(match store(client, &self.to_secret()?).await? {
            Some(secret) => Saved::Yes(Box::new(Self { secret, ..self.clone() })),
            None => Saved::Conflict,
        })
    }

    /// What AutoX launched, as the history tells it.
    pub fn record(&self) -> Option<Record> {
        let (entry, cause) = self.history.of_autox()?;
        let stage = match entry.state {
            _ if self.is_being_deleted => Stage::Deleting,
            LaunchState::Launched => Stage::Launched,
            LaunchState::Launching | LaunchState::Abandoned => Stage::Launching,
        };
        Some(Record { cause: cause.clone(), revision: entry.revision.0, stage })
    }

    /// Notes that the launch under way is alive, so that the stored object changes.
    pub(crate) fn touch(&mut self, beat: u64) {
        let annotations = self.secret.metadata.annotations.get_or_insert_default();
        annotations.insert(names::HEARTBEAT.to_owned(), beat.to_string());
    }

    /// Notes that somebody goes on with the launch under way.
    pub(crate) fn touch_again(&mut self) {
        let annotations = self.secret.metadata.annotations.as_ref();
        let beat = annotations.and_then(|annotations| annotations.get(names::HEARTBEAT)?.parse::<u64>().ok());
        self.touch(beat.unwrap_or_default() + 1);
    }

    /// Removes the traces of [`Self::touch`].
    pub(crate) fn settle(&mut self) {
        if let Some(annotations) = &mut self.secret.metadata.annotations {
            annotations.remove(names::HEARTBEAT);
        }
    }
}

/// Stores a Secret, if nobody has written it since it was read: with a version it is replaced, without one it is made. None
/// when somebody has.
pub(crate) async fn store(client: &Client, secret: &Secret) -> Result<Option<Secret>, ClusterError> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (name, namespace) = (text(&secret.metadata.name), text(&secret.metadata.namespace));
    let exists = secret.metadata.resource_version.is_some();
    let params = PostParams { field_manager: Some(names::FIELD_MANAGER.to_owned()), ..PostParams::default() };
    let api = secrets(client, &namespace);
    let (verb, answer) = match exists {
        true => ("update", api.replace(&name, &params, secret).await),
        false => ("create", api.create(&params, secret).await),
    };
    match answer {
        Ok(stored) => Ok(Some(stored)),
        Err(error) if Failure::of(&error) == Failure::Conflict => Ok(None),
        // It was deleted since it was read; who saves next finds that out by reading again.
        Err(error) if exists && Failure::of(&error) == Failure::NotFound => Ok(None),
        Err(error) => Err(ClusterError::api(verb, format_args!("secret/{name}"), &namespace)(error)),
    }
}

fn stored_history(secret: &Secret) -> Result<History, serde_json::Error> {
    let stored = secret.data.as_ref().and_then(|data| data.get(HISTORY_KEY));
    stored.map_or(Ok(History::default()), |bytes| serde_json::from_slice(&bytes.0))
}

/// Who made an object, as far as its metadata tell.
pub(crate) fn owner(metadata: &ObjectMeta) -> String {
    let text = |map: &Option<BTreeMap<String, String>>, key: &str| map.as_ref().and_then(|map| map.get(key).cloned());
    let release = text(&metadata.annotations, "meta.helm.sh/release-name").map(|name| format!("Helm release {name}"));
    let tool = text(&metadata.annotations, names::APPLYSET_TOOLING).map(|tool| format!("a set of {tool}"));
    let group = || {
        let set =
            text(&metadata.labels, names::APPLYSET_PART_OF).or_else(|| text(&metadata.labels, names::APPLYSET_ID));
        set.map(|set| format!("the set {set}"))
    };
    let label = || text(&metadata.labels, "app.kubernetes.io/managed-by");
    let manager = || metadata.managed_fields.as_ref()?.iter().find_map(|entry| entry.manager.clone());
    release.or(tool).or_else(group).or_else(label).or_else(manager).unwrap_or_else(|| "somebody else".to_owned())
}

pub(crate) fn secrets(client: &Client, namespace: &str) -> Api<Secret> {
    Api::namespaced(client.clone(), namespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parent_survives_its_secret() {
        let mut parent = Parent::new("shop", &Group::default());
        parent.extent.namespaces.insert("db".into());
        let secret = parent.to_secret().unwrap();
        let labels = secret.metadata.labels.as_ref().unwrap();
        assert_eq!(labels[names::APPLYSET_ID], names::applyset_id("iter8-default", "shop"));
        let read = Parent::from_secret(secret).unwrap();
        assert_eq!((read.group(), read.namespace(), &read.extent), (&Group::default(), "shop", &parent.extent));
        assert!(!read.exists());
    }

    #[test]
    fn a_secret_of_somebody_else_is_refused_by_name() {
        let mut secret = Parent::new("shop", &Group::default()).to_secret().unwrap();
        let annotations = secret.metadata.annotations.as_mut().unwrap();
        annotations.insert(names::APPLYSET_TOOLING.into(), "kubectl/v1.32.0".into());
        annotations.insert("meta.helm.sh/release-name".into(), "web".into());
        let error = Parent::from_secret(secret).unwrap_err();
        assert_eq!(
            error.to_string(),
            "secret/iter8-default in namespace shop exists already and belongs to Helm release web"
        );
    }

    #[test]
    fn a_broken_history_is_corrupt() {
        let mut secret = Parent::new("shop", &Group::default()).to_secret().unwrap();
        secret.data = Some(BTreeMap::from([(HISTORY_KEY.to_owned(), ByteString(b"[{".to_vec()))]));
        assert!(matches!(Parent::from_secret(secret.clone()), Err(ClusterError::Corrupt { .. })));
        assert_eq!(Parent::with_any_history(secret).unwrap().history, History::default());
    }
}
