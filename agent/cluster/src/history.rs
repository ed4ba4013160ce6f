//! The history of a group: which revisions were launched, with which values, and what came out of them. It is kept by
//! the group's parent Secret under the key `history.json`; reading and writing that is the business of
//! [`crate::parent`].

use iter8_core::Verdict;
use iter8_core::autox::Cause;
use iter8_core::values::Runner;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::names::Revision;

/// How many revisions a group remembers, with their results.
pub const HISTORY_LIMIT: usize = 10;

/// The revisions of a group, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History {
    /// One entry for each revision that is remembered.
    pub entries: Vec<Entry>,
}

/// One revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Its number, from 1.
    pub revision: Revision,
    /// When its launch began.
    pub launched: Timestamp,
    /// How far its launch came.
    pub state: LaunchState,
    /// The values that the user gave, merged.
    pub values: Value,
    /// SHA-256 of the manifests, in hexadecimal.
    pub digest: String,
    /// Image of the agent.
    pub image: String,
    /// What runs it.
    pub runner: Runner,
    /// Why AutoX launched it; None when somebody else did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<Cause>,
    /// Its verdict, filled in when the next revision is launched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    /// Why the verdict is what it is, filled in with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
}

/// How far a launch came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchState {
    /// Under way: nobody else may launch the group.
    Launching,
    /// Done.
    Launched,
    /// Its launcher vanished and another took over; the number is not used again while that one is under way.
    Abandoned,
}

impl History {
    /// The number that the next launch gets.
    pub fn next_revision(&self) -> Revision {
        self.entries.last().map_or(Revision::FIRST, |entry| entry.revision.next())
    }

    /// The entry of a revision.
    pub fn entry(&self, revision: Revision) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.revision == revision)
    }

    /// The newest revision that was launched completely.
    pub fn latest(&self) -> Option<&Entry> {
        self.entries.iter().rev().find(|entry| entry.state == LaunchState::Launched)
    }

    /// The launch that is under way, if one is.
    pub fn under_way(&self) -> Option<&Entry> {
        self.entries.last().filter(|entry| entry.state == LaunchState::Launching)
    }

    /// The launch under way for the same cause, which is completed in place of another.
    pub fn resumable(&self, cause: Option<&Cause>) -> Option<Revision> {
        let entry = self.under_way().filter(|entry| cause.is_some() && entry.cause.as_ref() == cause);
        entry.map(|entry| entry.revision)
    }

    /// The newest revision that AutoX launched, or is launching.
    pub fn of_autox(&self) -> Option<(&Entry, &Cause)> {
        let counts = self.entries.iter().rev().filter(|entry| entry.state != LaunchState::Abandoned);
        counts.filter_map(|entry| Some((entry, entry.cause.as_ref()?))).next()
    }

    /// Begins a launch. One that was under way is abandoned.
    pub fn begin(&mut self, entry: Entry) {
        for earlier in &mut self.entries {
            if earlier.state == LaunchState::Launching {
                earlier.state = LaunchState::Abandoned;
            }
        }
        self.entries.push(entry);
    }

    /// Ends the launch of a revision: it counts from now on, abandoned ones are forgotten, and so are all but the last
    /// `limit`. False when the launch is no longer the one under way, in which case nothing changes.
    #[must_use]
    pub fn finish(&mut self, revision: Revision, limit: usize) -> bool {
        if self.under_way().is_none_or(|entry| entry.revision != revision) {
            return false;
        }
        if let Some(entry) = self.entries.last_mut() {
            entry.state = LaunchState::Launched;
        }
        self.entries.retain(|entry| entry.state == LaunchState::Launched);
        self.entries.drain(..self.entries.len().saturating_sub(limit.max(1)));
        true
    }

    /// Takes back a launch that failed. False when it is no longer the one under way.
    #[must_use]
    pub fn withdraw(&mut self, revision: Revision) -> bool {
        let ours = self.under_way().is_some_and(|entry| entry.revision == revision);
        if ours {
            self.entries.pop();
        }
        ours
    }

    /// Fills in what came out of a revision, if it is not known yet.
    pub fn conclude(&mut self, revision: Revision, verdict: Option<Verdict>, summary: &str) {
        let entry = self.entries.iter_mut().find(|entry| entry.revision == revision && entry.verdict.is_none());
        if let Some(entry) = entry {
            entry.verdict = verdict;
            entry.summary = (!summary.is_empty()).then(|| summary.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(revision: Revision, state: LaunchState) -> Entry {
        Entry {
            revision,
            launched: "2026-01-02T03:04:05Z".parse().unwrap(),
            state,
            values: Value::Null,
            digest: "00".into(),
            image: "iter8-agent:0.1.0".into(),
            runner: Runner::Job,
            cause: None,
            verdict: None,
            summary: None,
        }
    }

    fn begin(history: &mut History) -> Revision {
        let revision = history.next_revision();
        history.begin(entry(revision, LaunchState::Launching));
        revision
    }

    fn revisions(history: &History) -> Vec<u32> {
        history.entries.iter().map(|entry| entry.revision.0).collect()
    }

    #[test]
    fn remembers_the_last_launches() {
        let mut history = History::default();
        for expected in 1..=4 {
            let revision = begin(&mut history);
            assert_eq!(revision.0, expected);
            assert_eq!(
                history.latest().map(|entry| entry.revision.0),
                expected.checked_sub(1).filter(|last| *last > 0)
            );
            assert!(history.finish(revision, 3));
        }
        assert_eq!(revisions(&history), [2, 3, 4]);
        assert_eq!(history.next_revision(), Revision(5));
    }

    #[test]
    fn a_launch_that_was_taken_over_can_neither_finish_nor_withdraw() {
        let mut history = History::default();
        let first = begin(&mut history);
        let second = begin(&mut history);
        assert!(!history.finish(first, 10));
        assert!(!history.withdraw(first));
        assert_eq!(history.entry(first).unwrap().state, LaunchState::Abandoned);
        assert!(history.finish(second, 10));
        assert_eq!(revisions(&history), [2]);
    }

    #[test]
    fn a_withdrawn_launch_leaves_no_trace() {
        let mut history = History::default();
        let first = begin(&mut history);
        assert!(history.finish(first, 10));
        let before = history.clone();
        let second = begin(&mut history);
        assert!(history.withdraw(second));
        assert_eq!(history, before);
    }

    #[test]
    fn only_a_launch_for_the_same_cause_is_resumed() {
        let cause = |version: &str| Cause {
            autox: "iter8/autox".into(),
            group: "web".into(),
            spec: "load".into(),
            version: version.into(),
            digest: "d".into(),
        };
        let mut history = History::default();
        let revision = history.next_revision();
        history.begin(Entry { cause: Some(cause("1")), ..entry(revision, LaunchState::Launching) });
        assert_eq!(history.resumable(Some(&cause("1"))), Some(revision));
        assert_eq!((history.resumable(Some(&cause("2"))), history.resumable(None)), (None, None));
        assert!(history.finish(revision, 10));
        assert_eq!(history.resumable(Some(&cause("1"))), None);
        // Somebody launched by hand since.
        let second = begin(&mut history);
        assert!(history.finish(second, 10));
        assert_eq!(
            history.of_autox().map(|(entry, cause)| (entry.revision, cause.version.as_str())),
            Some((revision, "1"))
        );
    }

    #[test]
    fn a_verdict_is_filled_in_once() {
        let mut history = History::default();
        let first = begin(&mut history);
        history.conclude(first, Some(Verdict::Fail), "too slow");
        history.conclude(first, Some(Verdict::Pass), "fine");
        let entry = history.entry(first).unwrap();
        assert_eq!((entry.verdict, entry.summary.as_deref()), (Some(Verdict::Fail), Some("too slow")));
    }

    #[test]
    fn the_stored_form_is_a_list() {
        let mut history = History::default();
        begin(&mut history);
        let text = serde_json::to_value(&history).unwrap();
        assert_eq!(text[0]["revision"], 1);
        assert_eq!(text[0]["state"], "launching");
        assert_eq!(text[0]["runner"], "job");
        assert_eq!(serde_json::from_value::<History>(text).unwrap(), history);
    }
}
