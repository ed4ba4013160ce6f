//! What AutoX does next: the decisions about all experiments, over time. It knows what is configured, what was seen of
//! triggers and records, what is under way and what failed; it is told the time and never waits.
//!
//! Everything that it forgets when the process ends is seen again by the next one: the records live with the experiments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::decide::{Action, Observed, Recorded, Running, Wanted, Why, decide};
use super::object::Seen;
use super::values::{AutoxValues, Supersede, TriggerGroup};
use super::{Cause, Record, Stage, experiment_group};

/// How long after the first failure the work is tried again; each further failure doubles it.
const FIRST_RETRY: Duration = Duration::from_secs(1);

/// The longest time between two tries.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// How often it is looked whether an earlier run has ended that another version waits for.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// An experiment of AutoX.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Where it is.
    pub namespace: String,
    /// The name of its group of experiments.
    pub experiment: String,
}

/// What was seen of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum View {
    /// It cannot be seen.
    Unknown,
    /// It is not there.
    Absent,
    /// It is there.
    Present(Seen),
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Work {
    /// Launch an experiment.
    Launch {
        /// Which.
        key: Key,
        /// Why.
        cause: Cause,
        /// The trigger as it is.
        seen: Seen,
    },
    /// Delete an experiment.
    Delete {
        /// Which.
        key: Key,
        /// Why.
        why: Why,
    },
    /// See whether an experiment has ended.
    Look {
        /// Which.
        key: Key,
    },
}

/// How work ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Done {
    /// The experiment was launched for this cause, by this launch or an earlier one.
    Launched(Record),
    /// The experiment is gone.
    Deleted,
    /// Whether the experiment runs.
    Looked {
        /// It does.
        runs: bool,
    },
    /// It could not be done.
    Failed,
}

/// A decision that differs from the last one about the same experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The experiment.
    pub key: Key,
    /// The group of the trigger; None when the configuration does not have the experiment.
    pub group: Option<String>,
    /// What is done.
    pub action: Action,
    /// Whether it is the first since the trigger and its experiments are known: then nothing has changed.
    pub is_first: bool,
}

/// What to do now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Turn {
    /// To be begun at once. Each must be ended by [`Planner::done`].
    pub work: Vec<Work>,
    /// To be told.
    pub decisions: Vec<Decision>,
    /// When to ask again, if nothing happens before.
    pub wake: Option<Duration>,
}

/// The state of AutoX.
#[derive(Clone, Debug)]
pub struct Planner {
    autox: String,
    values: AutoxValues,
    wanted: BTreeMap<Key, Slot>,
    triggers: BTreeMap<String, Trigger>,
    experiments: BTreeMap<Key, Experiment>,
    /// Namespaces whose records were read.
    known: BTreeSet<String>,
    /// When there is something to decide again; None when only a change can make it so.
    due: Option<Duration>,
}

/// An experiment in the configuration.
#[derive(Clone, Debug)]
struct Slot {
    group: String,
    spec: String,
    digest: String,
    waits: bool,
}

#[derive(Clone, Debug)]
struct Trigger {
    view: View,
    /// Since when it has its version.
    since: Duration,
}

#[derive(Clone, Debug)]
struct Experiment {
    record: Option<Record>,
    running: Running,
    is_busy: bool,
    failures: u32,
    /// When to try, or look, again.
    due: Duration,
    told: Option<Action>,
}

impl Default for Experiment {
    fn default() -> Self {
        let (record, told) = (None, None);
        Self { record, running: Running::Unknown, is_busy: false, failures: 0, due: Duration::ZERO, told }
    }
}

impl Planner {
    /// An AutoX that knows nothing yet. `autox` is its identity, `NAMESPACE/NAME`.
    pub fn new(autox: impl Into<String>) -> Self {
        Self {
            autox: autox.into(),
            values: AutoxValues::default(),
            wanted: BTreeMap::new(),
            triggers: BTreeMap::new(),
            experiments: BTreeMap::new(),
            known: BTreeSet::new(),
            due: None,
        }
    }

    /// The configuration in force.
    pub fn values(&self) -> &AutoxValues {
        &self.values
    }

    /// Takes a configuration. A trigger that is another one, or read in another way, has to be seen again.
    pub fn configure(&mut self, values: AutoxValues) {
        let is_same = |name: &String, old: &TriggerGroup| {
            values
                .groups
                .get(name)
                .is_some_and(|new| new.trigger == old.trigger && new.needs_whole_object() == old.needs_whole_object())
        };
        let kept: BTreeSet<String> =
            self.values.groups.iter().filter(|(name, old)| is_same(name, old)).map(|(name, _)| name.clone()).collect();
        self.triggers.retain(|name, _| kept.contains(name));
        self.wanted = values.groups.iter().flat_map(|(name, group)| slots(name, group)).collect();
        self.values = values;
        self.experiments.values_mut().for_each(Experiment::hurry);
        self.changed();
    }

    /// Takes what was seen of the trigger of a group.
    pub fn observe(&mut self, group: &str, view: View, now: Duration) {
        if !self.values.groups.contains_key(group) {
            return;
        }
        let version = |view: &View| match view {
            View::Present(seen) => seen.version.clone(),
            View::Unknown | View::Absent => None,
        };
        let before = self.triggers.get(group);
        if before.is_some_and(|trigger| trigger.view == view) {
            return;
        }
        let since = match before {
            Some(trigger) if version(&trigger.view) == version(&view) => trigger.since,
            _ => now,
        };
        self.changed();
        self.triggers.insert(group.to_owned(), Trigger { view, since });
        for (key, _) in self.wanted.iter().filter(|(_, slot)| slot.group == group) {
            if let Some(experiment) = self.experiments.get_mut(key) {
                experiment.hurry();
            }
        }
    }

    /// Takes all records of a namespace.
    pub fn records(&mut self, namespace: &str, records: Vec<(String, Record)>) {
        self.changed();
        self.known.insert(namespace.to_owned());
        let mut records: BTreeMap<String, Record> = records.into_iter().collect();
        for (key, experiment) in self.experiments.iter_mut().filter(|(key, _)| key.namespace == namespace) {
            experiment.take(records.remove(&key.experiment));
        }
        for (experiment, record) in records {
            let key = Key { namespace: namespace.to_owned(), experiment };
            self.experiments.entry(key).or_default().record = Some(record);
        }
    }

    /// Takes what became of one record: None when it is gone.
    pub fn record(&mut self, key: Key, record: Option<Record>) {
        self.changed();
        self.experiments.entry(key).or_default().take(record);
    }

    /// Records of a namespace cannot be read any more.
    pub fn forget_records(&mut self, namespace: &str) {
        self.changed();
        self.known.remove(namespace);
    }

    /// Takes how work ended.
    pub fn done(&mut self, key: &Key, done: Done, now: Duration) {
        self.changed();
        let Some(experiment) = self.experiments.get_mut(key) else { return };
        experiment.is_busy = false;
        match done {
            Done::Launched(record) => {
                experiment.record = Some(record);
                experiment.running = Running::Unknown;
                experiment.hurry();
            }
            Done::Deleted => {
                experiment.record = None;
                experiment.running = Running::Unknown;
                experiment.hurry();
            }
            Done::Looked { runs } => {
                experiment.running = if runs { Running::Yes } else { Running::No };
                experiment.due = now + LOOK_AGAIN;
            }
            Done::Failed => {
                experiment.due = now + retry_after(experiment.failures);
                experiment.failures += 1;
            }
        }
    }

    /// All work that was under way is not any more, and nobody knows how it ended.
    pub fn abandon(&mut self) {
        self.changed();
        self.experiments.values_mut().for_each(|experiment| experiment.is_busy = false);
    }

    /// Everything is to be decided again.
    fn changed(&mut self) {
        self.due = Some(Duration::ZERO);
    }

    /// Decides about every experiment.
    pub fn turn(&mut self, now: Duration) -> Turn {
        let mut turn = Turn::default();
        if self.due.is_none_or(|due| now < due) {
            turn.wake = self.due;
            return turn;
        }
        let keys: BTreeSet<Key> = self.wanted.keys().chain(self.experiments.keys()).cloned().collect();
        for key in keys {
            self.consider(key, now, &mut turn);
        }
        let (wanted, known) = (&self.wanted, &self.known);
        self.experiments.retain(|key, experiment| {
            experiment.is_busy
                || experiment.record.is_some()
                || wanted.contains_key(key)
                || !known.contains(&key.namespace)
        });
        self.due = turn.wake;
        turn
    }

    fn consider(&mut self, key: Key, now: Duration, turn: &mut Turn) {
        let slot = self.wanted.get(&key);
        let group = slot.and_then(|slot| self.values.groups.get(&slot.group));
        let trigger = slot.and_then(|slot| self.triggers.get(&slot.group));
        let settles = match (trigger, group.and_then(|group| group.debounce)) {
            (Some(trigger), Some(debounce)) => trigger.since + debounce.0,
            (Some(_) | None, None) | (None, Some(_)) => Duration::ZERO,
        };
        let observed = observed(trigger, group, now >= settles);
        let wanted = slot.map_or(Wanted::Nothing, |slot| slot.wanted(&self.autox));
        let is_known = self.known.contains(&key.namespace);
        let group = slot.map(|slot| slot.group.clone());
        let experiment = self.experiments.entry(key.clone()).or_default();
        if experiment.is_busy {
            return;
        }
        if experiment.running == Running::Yes && now >= experiment.due {
            experiment.running = Running::Unknown;
        }
        let recorded = experiment.recorded(is_known);
        let action = decide(&observed, &recorded, experiment.running, &wanted);
        let wake = match &action {
            Action::Hold(Why::Debounced) => Some(settles),
            Action::Hold(Why::EarlierRuns) => Some(experiment.due),
            Action::Look | Action::Launch(_) | Action::Delete(_) if now < experiment.due => Some(experiment.due),
            Action::Hold(_) | Action::Keep(_) | Action::Look | Action::Launch(_) | Action::Delete(_) => None,
        };
        turn.wake = turn.wake.into_iter().chain(wake).min();
        if experiment.told.as_ref() != Some(&action) && action != Action::Look {
            let is_first = matches!(experiment.told, None | Some(Action::Keep(Why::NotKnown)));
            experiment.told = Some(action.clone());
            turn.decisions.push(Decision { key: key.clone(), group, action: action.clone(), is_first });
        }
        if now < experiment.due {
            return;
        }
        let work = match (action, trigger.map(|trigger| &trigger.view)) {
            (Action::Launch(cause), Some(View::Present(seen))) => Work::Launch { key, cause, seen: seen.clone() },
            (Action::Delete(why), _) => Work::Delete { key, why },
            (Action::Look, _) => Work::Look { key },
            (Action::Launch(_) | Action::Keep(_) | Action::Hold(_), _) => return,
        };
        experiment.is_busy = true;
        turn.work.push(work);
    }
}

fn retry_after(failures: u32) -> Duration {
    FIRST_RETRY.saturating_mul(1 << failures.min(20)).min(LAST_RETRY)
}

fn slots(name: &str, group: &TriggerGroup) -> Vec<(Key, Slot)> {
    let waits = group.supersede.unwrap_or_default() == Supersede::Wait;
    let slot = |spec: &String| {
        let key = Key { namespace: group.trigger.namespace.0.clone(), experiment: experiment_group(name, spec) };
        let digest = group.specs[spec].digest(&group.trigger);
        (key, Slot { group: name.to_owned(), spec: spec.clone(), digest, waits })
    };
    group.specs.keys().map(slot).collect()
}

fn observed(trigger: Option<&Trigger>, group: Option<&TriggerGroup>, is_settled: bool) -> Observed {
    match trigger.map(|trigger| &trigger.view) {
        None | Some(View::Unknown) => Observed::Unknown,
        Some(View::Absent) => Observed::Absent,
        Some(View::Present(seen)) => Observed::Present {
            is_marked: seen.is_marked(),
            version: seen.version.clone(),
            is_settled,
            is_rolled_out: seen.is_rolled_out || !group.is_some_and(TriggerGroup::awaits_rollout),
        },
    }
}

impl Slot {
    fn wanted(&self, autox: &str) -> Wanted {
        let cause = Cause {
            autox: autox.to_owned(),
            group: self.group.clone(),
            spec: self.spec.clone(),
            version: String::new(),
            digest: self.digest.clone(),
        };
        Wanted::Experiment { cause, waits: self.waits }
    }
}

impl Experiment {
    /// Something has changed: what failed before may succeed now.
    fn hurry(&mut self) {
        (self.failures, self.due) = (0, Duration::ZERO);
    }

    /// Takes a record that was seen, unless it is older than what is known.
    fn take(&mut self, record: Option<Record>) {
        let age = |record: &Record| (record.revision, record.stage);
        match (&self.record, &record) {
            (Some(known), Some(seen)) if age(seen) < age(known) => {}
            _ => self.record = record,
        }
    }

    fn recorded(&self, is_known: bool) -> Recorded {
        let record = self.record.as_ref().map(|record| (record.stage, record.cause.clone()));
        match record {
            Some((Stage::Launching, cause)) => Recorded::Launching(cause),
            Some((Stage::Launched, cause)) => Recorded::Launched(cause),
            Some((Stage::Deleting, _)) => Recorded::Deleting,
            None if is_known => Recorded::Nothing,
            None => Recorded::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
