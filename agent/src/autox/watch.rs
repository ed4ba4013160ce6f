//! What AutoX watches: its configuration, triggers, and the records of experiments. Each watch tells changes through a
//! channel, level by level: after every beginning the whole state, then each change. What a change means is not known
//! here.
//!
//! One watch serves all triggers of a resource in a namespace, and reads their metadata only, unless a version stands
//! elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use iter8_cluster::error::{Failure, chain};
use iter8_cluster::names::AUTOX_CONFIG_KEY;
use iter8_cluster::records;
use iter8_core::autox::Record;
use iter8_core::autox::object::{Seen, VersionSource};
use iter8_core::autox::planner::{Key, View};
use iter8_core::autox::values::AutoxValues;
use iter8_core::task::ready::{ReadyRule, rule_for};
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject};
use kube::core::{ApiResource, PartialObjectMeta};
use kube::runtime::watcher::{self, Event, watch_object, watcher};
use kube::{Client, ResourceExt as _};
use serde_json::Value;
use tokio::sync::mpsc::Sender;
use tokio::time::sleep;

use super::metrics::{Metrics, Watched};
use crate::tasks::{Readiness, readiness};

/// How long after the first failure a watch is begun again; each further failure doubles it.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// The longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// Something that was seen.
#[derive(Debug)]
pub(crate) enum Change {
    /// The stored configuration; None when there is none.
    Config(Option<String>),
    /// The trigger of a group.
    Trigger { group: String, view: View, kind: Kind },
    /// All records of a namespace.
    Records { namespace: String, records: Vec<(String, Record)> },
    /// One record; None when it is gone.
    Record { key: Key, record: Option<Record> },
    /// The records of a namespace cannot be read.
    NoRecords { namespace: String },
    /// Something cannot be watched, in words.
    Trouble(String),
}

/// What a trigger is, for whoever refers to it: `Deployment`; empty when it is not known.
pub(crate) type Kind = String;

/// Triggers that one watch serves.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Scope {
    group: String,
    version: String,
    resource: String,
    namespace: String,
    /// Whether more than metadata is read.
    whole: bool,
}

/// The objects of a scope that are triggers, by their names: the group of each, and where its version stands.
pub(crate) type Triggers = BTreeMap<String, (String, VersionSource)>;

/// What is to be watched for a configuration.
pub(crate) fn scopes(values: &AutoxValues) -> BTreeMap<Scope, Triggers> {
    let mut scopes: BTreeMap<Scope, Triggers> = BTreeMap::new();
    for (name, group) in &values.groups {
        let trigger = &group.trigger;
        let scope = Scope {
            group: trigger.api_group().to_owned(),
            version: trigger.version.0.clone(),
            resource: trigger.resource.0.clone(),
            namespace: trigger.namespace.0.clone(),
            whole: group.needs_whole_object(),
        };
        let of_group = (name.clone(), group.version_source());
        scopes.entry(scope).or_default().insert(trigger.name.0.clone(), of_group);
    }
    scopes
}

/// The namespaces whose records are to be watched for a configuration.
pub(crate) fn namespaces(values: &AutoxValues) -> BTreeSet<String> {
    values.groups.values().map(|group| group.trigger.namespace.0.clone()).collect()
}

/// Where watches tell what they see.
#[derive(Clone)]
pub(crate) struct Teller {
    pub(crate) client: Client,
    pub(crate) changes: Sender<Change>,
    pub(crate) metrics: Metrics,
}

/// The controller is gone, so that nobody listens.
struct Unheard;

impl Teller {
    /// Watches the configuration for ever.
    pub(crate) async fn config(self, namespace: String, secret: String) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), &namespace);
        let what = format!("secret {secret} in namespace {namespace}");
        let mut pause = Pause::new();
        loop {
            let mut seen = std::pin::pin!(watch_object(api.clone(), &secret));
            while let Some(seen) = seen.next().await {
                let change = match seen {
                    Ok(stored) => {
                        pause.reset();
                        Change::Config(stored.map(|secret| config_text(&secret)))
                    }
                    Err(error) => {
                        self.restarted("secrets");
                        if self.trouble(&mut pause, &what, error).await.is_err() {
                            return;
                        }
                        continue;
                    }
                };
                if self.tell(change).await.is_err() {
                    return;
                }
            }
        }
    }

    /// Watches the records of a namespace for ever.
    pub(crate) async fn records(self, namespace: String) {
        let what = format!("experiments in namespace {namespace}");
        let config = watcher::Config::default().labels(records::SELECTOR);
        let mut seen = std::pin::pin!(watcher(records::parents(&self.client, &namespace), config));
        let mut pause = Pause::new();
        let mut listed = Vec::new();
        while let Some(event) = seen.next().await {
            let of = |parent: &PartialObjectMeta<Secret>| {
                records::group(parent).map(|experiment| Key { namespace: namespace.clone(), experiment })
            };
            let change = match event {
                Ok(Event::Init) => {
                    listed.clear();
                    None
                }
                Ok(Event::InitApply(parent)) => {
                    listed.extend(records::read(&parent));
                    None
                }
                Ok(Event::InitDone) => {
                    pause.reset();
                    Some(Change::Records { namespace: namespace.clone(), records: std::mem::take(&mut listed) })
                }
                Ok(Event::Apply(parent)) => {
                    pause.reset();
                    of(&parent)
                        .map(|key| Change::Record { key, record: records::read(&parent).map(|(_, record)| record) })
                }
                Ok(Event::Delete(parent)) => of(&parent).map(|key| Change::Record { key, record: None }),
                Err(error) => {
                    self.restarted("experiments");
                    let gone = is_refused(&error).then(|| Change::NoRecords { namespace: namespace.clone() });
                    if self.trouble(&mut pause, &what, error).await.is_err() {
                        return;
                    }
                    gone
                }
            };
            if let Some(change) = change
                && self.tell(change).await.is_err()
            {
                return;
            }
        }
    }

    /// Watches the triggers of a scope for ever.
    pub(crate) async fn triggers(self, scope: Scope, triggers: Triggers) {
        let mut pause = Pause::new();
        loop {
            let watched = match self.resource(&scope).await {
                Ok(Some(resource)) => {
                    if scope.whole {
                        let api = Api::namespaced_with(self.client.clone(), &scope.namespace, &resource);
                        self.follow::<DynamicObject>(&scope, &triggers, api, &resource.kind, &mut pause).await
                    } else {
                        let api = Api::namespaced_with(self.client.clone(), &scope.namespace, &resource);
                        self.follow::<PartialObjectMeta<DynamicObject>>(
                            &scope,
                            &triggers,
                            api,
                            &resource.kind,
                            &mut pause,
                        )
                        .await
                    }
                }
                Ok(None) => self.unseen(&scope, &triggers, &mut pause, "the API server does not have it yet").await,
                Err(error) => self.unseen(&scope, &triggers, &mut pause, &chain(&error)).await,
            };
            if watched.is_err() {
                return;
            }
        }
    }

    /// Follows objects until their resource is no longer served.
    async fn follow<K>(
        &self,
        scope: &Scope,
        triggers: &Triggers,
        api: Api<K>,
        kind: &str,
        pause: &mut Pause,
    ) -> Result<(), Unheard>
    where
        K: kube::Resource<DynamicType = ApiResource>
            + Clone
            + std::fmt::Debug
            + serde::de::DeserializeOwned
            + serde::Serialize
            + Send
            + 'static,
    {
        let mut config = watcher::Config::default();
        if let (Some(name), 1) = (triggers.keys().next(), triggers.len()) {
            config = config.fields(&format!("metadata.name={name}"));
        }
        let view =
            |object: &K, source: &VersionSource| view(&serde_json::to_value(object).unwrap_or_default(), scope, source);
        let mut seen = std::pin::pin!(watcher(api, config));
        let mut absent: BTreeSet<&String> = BTreeSet::new();
        while let Some(event) = seen.next().await {
            let (object, is_gone) = match event {
                Ok(Event::Init) => {
                    absent = triggers.keys().collect();
                    continue;
                }
                Ok(Event::InitDone) => {
                    pause.reset();
                    for name in std::mem::take(&mut absent) {
                        self.trigger(&triggers[name].0, View::Absent, kind).await?;
                    }
                    continue;
                }
                Ok(Event::InitApply(object) | Event::Apply(object)) => (object, false),
                Ok(Event::Delete(object)) => (object, true),
                Err(error) => {
                    self.restarted(&scope.to_string());
                    let is_unserved = is_unserved(&error);
                    if is_unserved || is_refused(&error) {
                        self.unseen(scope, triggers, pause, &watch_words(error)).await?;
                    } else {
                        self.trouble(pause, &scope.place(), error).await?;
                    }
                    if is_unserved {
                        return Ok(());
                    }
                    continue;
                }
            };
            let name = object.name_any();
            absent.remove(&name);
            if let Some((group, source)) = triggers.get(&name) {
                let view = if is_gone { View::Absent } else { view(&object, source) };
                self.trigger(group, view, kind).await?;
            }
        }
        Ok(())
    }

    /// What the API server knows of a scope's resource; None when it does not serve it.
    async fn resource(&self, scope: &Scope) -> kube::Result<Option<ApiResource>> {
        let listed = match scope.group.as_str() {
            "" => self.client.list_core_api_resources(&scope.version).await,
            group => self.client.list_api_group_resources(&format!("{group}/{}", scope.version)).await,
        };
        let listed = match listed {
            Err(error) if Failure::of(&error) == Failure::NotFound => return Ok(None),
            listed => listed?,
        };
        let found = listed.resources.into_iter().find(|resource| resource.name == scope.resource);
        Ok(found.map(|found| ApiResource {
            group: scope.group.clone(),
            version: scope.version.clone(),
            api_version: scope.api_version(),
            kind: found.kind,
            plural: found.name,
        }))
    }

    /// Tells that none of the triggers can be seen, and why, and waits a while.
    async fn unseen(&self, scope: &Scope, triggers: &Triggers, pause: &mut Pause, why: &str) -> Result<(), Unheard> {
        for (group, _) in triggers.values() {
            self.trigger(group, View::Unknown, "").await?;
        }
        self.trouble_in_words(pause, &scope.place(), why).await
    }

    async fn trigger(&self, group: &str, view: View, kind: &str) -> Result<(), Unheard> {
        self.tell(Change::Trigger { group: group.to_owned(), view, kind: kind.to_owned() }).await
    }

    /// An outage is waited out in silence; anything else is told once.
    async fn trouble(&self, pause: &mut Pause, what: &str, error: watcher::Error) -> Result<(), Unheard> {
        if is_refused(&error) {
            return self.trouble_in_words(pause, what, &watch_words(error)).await;
        }
        tracing::debug!("the watch of {what} begins again: {}", watch_words(error));
        sleep(pause.next()).await;
        Ok(())
    }

    async fn trouble_in_words(&self, pause: &mut Pause, what: &str, why: &str) -> Result<(), Unheard> {
        let text = format!("cannot watch {what}: {why}");
        if pause.told.as_ref() != Some(&text) {
            pause.told = Some(text.clone());
            self.tell(Change::Trouble(text)).await?;
        }
        sleep(pause.next()).await;
        Ok(())
    }

    fn restarted(&self, resource: &str) {
        self.metrics.watch_restarts.get_or_create(&Watched { resource: resource.to_owned() }).inc();
    }

    async fn tell(&self, change: Change) -> Result<(), Unheard> {
        self.changes.send(change).await.map_err(|_| Unheard)
    }
}

/// How long a watch that failed waits.
struct Pause {
    next: Duration,
    told: Option<String>,
}

impl Pause {
    const fn new() -> Self {
        Self { next: FIRST_PAUSE, told: None }
    }

    fn reset(&mut self) {
        *self = Self::new();
    }

    fn next(&mut self) -> Duration {
        let next = self.next;
        self.next = (next * 2).min(LAST_PAUSE);
        next
    }
}

fn config_text(secret: &Secret) -> String {
    let stored = secret.data.as_ref().and_then(|data| data.get(AUTOX_CONFIG_KEY));
    stored.map(|bytes| String::from_utf8_lossy(&bytes.0).into_owned()).unwrap_or_default()
}

/// What is seen of an object.
fn view(object: &Value, scope: &Scope, source: &VersionSource) -> View {
    let is_rolled_out = scope.whole && is_rolled_out(object, &scope.group, &scope.resource);
    Seen::of(object, source, is_rolled_out).map_or(View::Absent, View::Present)
}

/// Whether the rollout of an object of a resource is done: the newest version is what runs.
pub fn is_rolled_out(object: &Value, group: &str, resource: &str) -> bool {
    match rule_for(group, resource) {
        // A Service has no rollout.
        None | Some(ReadyRule::Service) => true,
        Some(rule) => readiness(rule, Some(object), &[]) == Readiness::Ready,
    }
}

impl Scope {
    fn api_version(&self) -> String {
        if self.group.is_empty() { self.version.clone() } else { format!("{}/{}", self.group, self.version) }
    }

    fn place(&self) -> String {
        format!("{self} ({}) in namespace {}", self.api_version(), self.namespace)
    }
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.resource)
    }
}

fn cause(error: &watcher::Error) -> Option<Failure> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Some(Failure::of(error)),
        watcher::Error::WatchError(status) => Some(Failure::of(&kube::Error::Api(status.clone()))),
        watcher::Error::NoResourceVersion => None,
    }
}

fn is_refused(error: &watcher::Error) -> bool {
    matches!(cause(error), Some(Failure::Unauthorized | Failure::Forbidden | Failure::Invalid))
}

/// Whether the API server does not have the resource any more.
fn is_unserved(error: &watcher::Error) -> bool {
    cause(error) == Some(Failure::NotFound)
}

fn watch_words(error: watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => chain(&error),
        watcher::Error::WatchError(status) => chain(&kube::Error::Api(status)),
        error @ watcher::Error::NoResourceVersion => error.to_string(),
    }
}
