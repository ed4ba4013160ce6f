//! What AutoX does about an experiment, in words: what follows the name of the experiment in a sentence.

use iter8_core::autox::Record;
use iter8_core::autox::decide::{Action, Why};

/// What is done. `record` is what is known of the experiment before.
pub(super) fn action(action: &Action, record: Option<&Record>) -> String {
    match action {
        Action::Keep(why @ Why::Current) => format!("stays, because {why}"),
        Action::Keep(why) if record.is_some() => format!("stays, because {why}"),
        Action::Keep(why) => format!("is not launched, because {why}"),
        Action::Hold(why) => format!("waits, because {why}"),
        Action::Look => "waits, until it is known whether the one of the version before has ended".to_owned(),
        Action::Delete(why) => format!("is to be deleted, because {why}"),
        Action::Launch(cause) => {
            let version = &cause.version;
            match record.map(|record| &record.cause) {
                None => format!("is to be launched, because version {version} was not tested yet"),
                Some(before) if before.version != *version => {
                    format!("is to be launched anew, because the version changed from {} to {version}", before.version)
                }
                Some(before) if before == cause => {
                    "is to be launched, because its launch was begun and not ended".to_owned()
                }
                Some(_) => "is to be launched anew, because what it does has changed".to_owned(),
            }
        }
    }
}

/// The word for what is done, and for the reason, for programs.
pub(super) const fn codes(action: &Action) -> (&'static str, &'static str) {
    match action {
        Action::Keep(why) => ("keep", why.reason()),
        Action::Hold(why) => ("hold", why.reason()),
        Action::Look => ("look", Why::EarlierRuns.reason()),
        Action::Delete(why) => ("delete", why.reason()),
        Action::Launch(_) => ("launch", "NewVersion"),
    }
}
