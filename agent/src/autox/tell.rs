//! Says what is decided and what came of it: a line in the log for everybody who runs AutoX, and an Event on the trigger
//! for whoever looks at that.

use std::collections::BTreeMap;

use iter8_core::autox::decide::{Action, Why};
use iter8_core::autox::planner::{Decision, Key, View};
use iter8_core::autox::values::TriggerGroup;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::Client;
use kube::runtime::events::{Event, EventType, Recorder, Reporter};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, error, info, warn};

use super::metrics::{Decided, Failed, Metrics};
use super::work::Told;

/// The most bytes that the note of an Event may have (events.k8s.io/v1).
const NOTE_MAX: usize = 1024;

/// The most bytes that the action of an Event may have (events.k8s.io/v1).
const ACTION_MAX: usize = 128;

/// How many Events may wait to be published; more are only logged.
const WAITING_MAX: usize = 256;

/// Says things.
pub(crate) struct Voice {
    events: mpsc::Sender<(Event, ObjectReference)>,
    _publishing: JoinSet<()>,
    metrics: Metrics,
    /// How triggers are referred to, by group.
    triggers: BTreeMap<String, ObjectReference>,
    /// Which group an experiment belongs to, for what is told when its configuration is gone.
    groups: BTreeMap<Key, String>,
}

impl Voice {
    /// Begins to publish Events in the name of the replica `identity`.
    pub(crate) fn new(client: Client, identity: String, metrics: Metrics) -> Self {
        let (events, mut waiting) = mpsc::channel::<(Event, ObjectReference)>(WAITING_MAX);
        let recorder = Recorder::new(client, Reporter { controller: "iter8-autox".into(), instance: Some(identity) });
        let mut publishing = JoinSet::new();
        publishing.spawn(async move {
            while let Some((event, trigger)) = waiting.recv().await {
                if let Err(error) = recorder.publish(&event, &trigger).await {
                    debug!("an event could not be published: {}", iter8_cluster::error::chain(&error));
                }
            }
        });
        Self { events, _publishing: publishing, metrics, triggers: BTreeMap::new(), groups: BTreeMap::new() }
    }

    /// Notes how the trigger of a group is referred to.
    pub(crate) fn know(&mut self, name: &str, group: &TriggerGroup, view: &View, kind: &str) {
        let trigger = &group.trigger;
        let uid = match view {
            View::Present(seen) => Some(seen.uid.clone()),
            View::Absent | View::Unknown => None,
        };
        let before = self.triggers.remove(name).unwrap_or_default();
        let reference = ObjectReference {
            api_version: Some(trigger.api_version()),
            kind: if kind.is_empty() { before.kind } else { Some(kind.to_owned()) },
            name: Some(trigger.name.0.clone()),
            namespace: Some(trigger.namespace.0.clone()),
            uid: uid.or(before.uid),
            ..ObjectReference::default()
        };
        self.triggers.insert(name.to_owned(), reference);
    }

    /// Says what was decided.
    pub(crate) fn decided(&mut self, decision: Decision) {
        let Decision { key, group, action, is_first } = decision;
        if let Some(group) = &group {
            self.groups.insert(key.clone(), group.clone());
        }
        let (verb, reason) = match &action {
            Action::Keep(why) => ("keep", why.reason()),
            Action::Hold(why) => ("hold", why.reason()),
            Action::Look => ("look", "EarlierRuns"),
            Action::Launch(_) => ("launch", "NewVersion"),
            Action::Delete(why) => ("delete", why.reason()),
        };
        self.metrics.decisions.get_or_create(&Decided { action: verb, reason }).inc();
        let Key { namespace, experiment } = &key;
        match action {
            Action::Keep(why @ (Why::NotMarked | Why::NoVersion)) => {
                info!("{namespace}/{experiment}: not launched, because {why}");
                // Whoever starts AutoX again learns nothing new of any trigger.
                if !is_first {
                    let note = format!("{experiment} is not launched, because {why}");
                    self.event(&key, EventType::Normal, why.reason(), &note);
                }
            }
            Action::Keep(why @ (Why::NotKnown | Why::Current)) => {
                debug!("{namespace}/{experiment}: nothing to do, because {why}");
            }
            Action::Keep(why) => info!("{namespace}/{experiment}: nothing to do, because {why}"),
            Action::Look => {}
            Action::Hold(why) => {
                info!("{namespace}/{experiment}: held, because {why}");
                self.event(&key, EventType::Normal, why.reason(), &format!("{experiment} is held, because {why}"));
            }
            Action::Launch(cause) => info!("{namespace}/{experiment}: launch for version {}", cause.version),
            Action::Delete(why) => {
                info!("{namespace}/{experiment}: delete, because {why}");
                self.event(&key, EventType::Normal, why.reason(), &format!("{experiment} is deleted, because {why}"));
            }
        }
    }

    /// Says what came of work.
    pub(crate) fn ended(&mut self, key: &Key, told: Told) {
        let Key { namespace, experiment } = key;
        match told {
            Told::Launched { group, cause, revision } => {
                self.groups.insert(key.clone(), group);
                self.metrics.launches.inc();
                info!("{namespace}/{experiment}: launched revision {revision} for version {}", cause.version);
                let note = format!("launched {experiment}, revision {revision}, for version {}", cause.version);
                self.event(key, EventType::Normal, "Launched", &note);
            }
            Told::Deleted => {
                self.metrics.deletions.inc();
                info!("{namespace}/{experiment}: deleted");
            }
            Told::Failed { work, why } => {
                self.metrics.errors.get_or_create(&Failed { work }).inc();
                error!("{namespace}/{experiment}: cannot {work} it: {why}");
                self.event(key, EventType::Warning, "Failed", &format!("cannot {work} {experiment}: {why}"));
            }
        }
    }

    /// Says that something cannot be watched.
    pub(crate) fn trouble(&self, text: &str) {
        warn!("{text}");
    }

    fn event(&self, key: &Key, type_: EventType, reason: &str, note: &str) {
        let trigger = self.groups.get(key).and_then(|group| self.triggers.get(group));
        let Some(trigger) = trigger.filter(|trigger| trigger.kind.is_some()) else { return };
        // Events with one action are counted as one, with the note of the first.
        let action = cut(note, ACTION_MAX);
        let note = Some(cut(note, NOTE_MAX));
        let event = Event { type_, reason: reason.to_owned(), note, action, secondary: None };
        if self.events.try_send((event, trigger.clone())).is_err() {
            debug!("too many events wait, one is left out");
        }
    }
}

/// The beginning of a text, of at most `max` bytes.
fn cut(text: &str, max: usize) -> String {
    text[..text.floor_char_boundary(max)].to_owned()
}
