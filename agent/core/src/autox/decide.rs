//! The decision about one experiment: a pure function of what is seen of the trigger, what is recorded of the
//! experiment, and what the configuration wants.
//!
//! It holds no state and knows no events, so a missed event, a restart or a second look changes nothing: the same state
//! gives the same action.

use std::fmt;

use super::{AUTOX_LABEL, Cause};

/// What is known of a trigger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing: it was not looked at yet, its kind is not installed, or it may not be read. Nothing is decided on
    /// ignorance.
    Unknown,
    /// It is not there, or is being deleted.
    Absent,
    /// It is there.
    Present {
        /// Whether `iter8.tools/autox` is `true`.
        is_marked: bool,
        /// Its version, if it has one.
        version: Option<String>,
        /// Whether the version has stood for as long as the group wants it to.
        is_settled: bool,
        /// Whether the rollout is done, or need not be.
        is_rolled_out: bool,
    },
}

/// What is known of an experiment of AutoX.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recorded {
    /// Nothing: its record was not read yet.
    Unknown,
    /// There is none.
    Nothing,
    /// Its launch was begun, and nobody has ended it.
    Launching(Cause),
    /// It was launched.
    Launched(Cause),
    /// Its deletion was begun, and nobody has ended it.
    Deleting,
}

/// Whether the experiment that is there has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Running {
    /// Not looked at.
    Unknown,
    /// It runs.
    Yes,
    /// It has ended, or there is none.
    No,
}

/// What the configuration wants of an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// No group has it any more.
    Nothing,
    /// It is to be launched for each version.
    Experiment {
        /// All of the cause but the version.
        cause: Cause,
        /// A run that is under way is not ended for another version.
        waits: bool,
    },
}

/// What to do about an experiment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Nothing: there is what should be there.
    Keep(Why),
    /// Nothing yet.
    Hold(Why),
    /// Look whether the earlier run has ended.
    Look,
    /// Launch it; what was there before goes.
    Launch(Cause),
    /// Delete it.
    Delete(Why),
}

/// The reason of an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Trigger or record are not known.
    NotKnown,
    /// The version was launched already.
    Current,
    /// The trigger is not there.
    TriggerAbsent,
    /// The trigger is not marked with `iter8.tools/autox=true`.
    NotMarked,
    /// The trigger has no version.
    NoVersion,
    /// The configuration has no such experiment.
    NotConfigured,
    /// Its deletion was begun.
    HalfDeleted,
    /// The version has not stood for long enough.
    Debounced,
    /// The rollout is not done.
    RollingOut,
    /// An earlier experiment runs, and is not to be replaced.
    EarlierRuns,
}

/// Decides about one experiment.
pub fn decide(observed: &Observed, recorded: &Recorded, running: Running, wanted: &Wanted) -> Action {
    let (launched, is_complete) = match recorded {
        Recorded::Unknown => return Action::Keep(Why::NotKnown),
        Recorded::Nothing => (None, true),
        Recorded::Launching(cause) => (Some(cause), false),
        Recorded::Launched(cause) => (Some(cause), true),
        // Some of it may be gone already, whatever is wanted by now.
        Recorded::Deleting => return Action::Delete(Why::HalfDeleted),
    };
    let without = |why| if launched.is_some() { Action::Delete(why) } else { Action::Keep(why) };
    let Wanted::Experiment { cause, waits } = wanted else { return without(Why::NotConfigured) };
    let (is_marked, version, is_settled, is_rolled_out) = match observed {
        Observed::Unknown => return Action::Keep(Why::NotKnown),
        Observed::Absent => return without(Why::TriggerAbsent),
        Observed::Present { is_marked, version, is_settled, is_rolled_out } => {
            (*is_marked, version.as_ref(), *is_settled, *is_rolled_out)
        }
    };
    if !is_marked {
        return without(Why::NotMarked);
    }
    let Some(version) = version else { return without(Why::NoVersion) };
    let cause = Cause { version: version.clone(), ..cause.clone() };
    if launched == Some(&cause) {
        // A launch that nobody ended is completed, not begun anew.
        return if is_complete { Action::Keep(Why::Current) } else { Action::Launch(cause) };
    }
    if !is_settled {
        return Action::Hold(Why::Debounced);
    }
    if !is_rolled_out {
        return Action::Hold(Why::RollingOut);
    }
    match (launched.is_some() && *waits, running) {
        (true, Running::Unknown) => Action::Look,
        (true, Running::Yes) => Action::Hold(Why::EarlierRuns),
        (true, Running::No) | (false, _) => Action::Launch(cause),
    }
}

impl Why {
    /// The word for it, for events and metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::NotKnown => "NotKnown",
            Self::Current => "Current",
            Self::TriggerAbsent => "TriggerAbsent",
            Self::NotMarked => "NotMarked",
            Self::NoVersion => "NoVersion",
            Self::NotConfigured => "NotConfigured",
            Self::HalfDeleted => "HalfDeleted",
            Self::Debounced => "Debounced",
            Self::RollingOut => "RollingOut",
            Self::EarlierRuns => "EarlierRuns",
        }
    }
}

/// The reason as the rest of a sentence that begins with `because`.
impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotMarked => return write!(f, "the trigger does not carry the label {AUTOX_LABEL}=true"),
            Self::NotKnown => "the trigger or its experiments could not be read yet",
            Self::Current => "this version was launched already",
            Self::TriggerAbsent => "the trigger is not there",
            Self::NoVersion => "the trigger has no version",
            Self::NotConfigured => "the configuration does not have it any more",
            Self::HalfDeleted => "its deletion was begun and not ended",
            Self::Debounced => "the version has not stood for long enough",
            Self::RollingOut => "the rollout of the trigger is not done",
            Self::EarlierRuns => "the experiment of the version before still runs",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cause(version: &str) -> Cause {
        Cause {
            autox: "iter8/autox".into(),
            group: "web".into(),
            spec: "load".into(),
            version: version.into(),
            digest: "d".into(),
        }
    }

    fn wanted(waits: bool) -> Wanted {
        Wanted::Experiment { cause: cause(""), waits }
    }

    fn present(version: &str) -> Observed {
        let version = (!version.is_empty()).then(|| version.to_owned());
        Observed::Present { is_marked: true, version, is_settled: true, is_rolled_out: true }
    }

    fn unmarked() -> Observed {
        Observed::Present { is_marked: false, version: Some("1".into()), is_settled: true, is_rolled_out: true }
    }

    fn decided(observed: &Observed, recorded: &Recorded) -> Action {
        decide(observed, recorded, Running::Unknown, &wanted(false))
    }

    #[test]
    fn both_labels_launch_a_version_once() {
        assert_eq!(decided(&present("1"), &Recorded::Nothing), Action::Launch(cause("1")));
        assert_eq!(decided(&present("1"), &Recorded::Launched(cause("1"))), Action::Keep(Why::Current));
        assert_eq!(decided(&present("2"), &Recorded::Launched(cause("1"))), Action::Launch(cause("2")));
        assert_eq!(decided(&unmarked(), &Recorded::Nothing), Action::Keep(Why::NotMarked));
    }

    #[test]
    fn without_a_label_or_the_trigger_the_experiment_goes() {
        let launched = Recorded::Launched(cause("1"));
        assert_eq!(decided(&unmarked(), &launched), Action::Delete(Why::NotMarked));
        assert_eq!(decided(&present(""), &launched), Action::Delete(Why::NoVersion));
        assert_eq!(decided(&Observed::Absent, &launched), Action::Delete(Why::TriggerAbsent));
        assert_eq!(decided(&Observed::Absent, &Recorded::Launching(cause("1"))), Action::Delete(Why::TriggerAbsent));
        let nobody = decide(&present("1"), &launched, Running::Unknown, &Wanted::Nothing);
        assert_eq!(nobody, Action::Delete(Why::NotConfigured));
    }

    #[test]
    fn nothing_is_decided_on_ignorance() {
        assert_eq!(decided(&Observed::Unknown, &Recorded::Launched(cause("1"))), Action::Keep(Why::NotKnown));
        for observed in [present("1"), unmarked(), Observed::Absent] {
            assert_eq!(decided(&observed, &Recorded::Unknown), Action::Keep(Why::NotKnown));
        }
    }

    #[test]
    fn a_launch_that_nobody_ended_is_completed_whatever_is_waited_for() {
        let unready =
            Observed::Present { is_marked: true, version: Some("1".into()), is_settled: false, is_rolled_out: false };
        assert_eq!(decided(&unready, &Recorded::Launching(cause("1"))), Action::Launch(cause("1")));
    }

    #[test]
    fn a_deletion_that_nobody_ended_is_completed_whatever_is_wanted_by_now() {
        for observed in [present("1"), unmarked(), Observed::Absent, Observed::Unknown] {
            assert_eq!(decided(&observed, &Recorded::Deleting), Action::Delete(Why::HalfDeleted));
        }
    }

    #[test]
    fn another_experiment_under_the_same_name_is_launched_anew() {
        let other = Cause { digest: "other".into(), ..cause("1") };
        assert_eq!(decided(&present("1"), &Recorded::Launched(other)), Action::Launch(cause("1")));
    }

    #[test]
    fn a_version_waits_for_its_time_its_rollout_and_the_run_before() {
        let hold = |is_settled, is_rolled_out| {
            let observed = Observed::Present { is_marked: true, version: Some("2".into()), is_settled, is_rolled_out };
            decided(&observed, &Recorded::Nothing)
        };
        assert_eq!(hold(false, true), Action::Hold(Why::Debounced));
        assert_eq!(hold(true, false), Action::Hold(Why::RollingOut));
        let after = |running| decide(&present("2"), &Recorded::Launched(cause("1")), running, &wanted(true));
        assert_eq!(after(Running::Unknown), Action::Look);
        assert_eq!(after(Running::Yes), Action::Hold(Why::EarlierRuns));
        assert_eq!(after(Running::No), Action::Launch(cause("2")));
        let first = decide(&present("2"), &Recorded::Nothing, Running::Unknown, &wanted(true));
        assert_eq!(first, Action::Launch(cause("2")));
    }
}
