//! Results of local experiments as files: `<data directory>/iter8/<group>/<revision>/{experiment.yaml,result.json}`.
//! A revision is taken by creating its directory, which only one process can do; files are replaced by renaming, so
//! that a reader never sees half of one.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use iter8_agent::store::ResultStore;
use iter8_core::ExperimentResult;

/// How many revisions of a group are kept.
const REVISIONS_MAX: usize = 10;

/// All groups of this user.
#[derive(Clone, Debug)]
pub(crate) struct LocalStore {
    root: PathBuf,
}

/// One revision that this process has taken.
#[derive(Clone, Debug)]
pub(crate) struct Revision {
    directory: PathBuf,
    /// Its number, from 1.
    pub number: u32,
}

/// A group with its newest result.
#[derive(Clone, Debug)]
pub(crate) struct LocalGroup {
    /// Its name.
    pub name: String,
    /// Its newest revision.
    pub revision: u32,
    /// What that came to; None when it cannot be read.
    pub result: Option<ExperimentResult>,
}

/// Why the store did not answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StoreError {
    /// The user has no data directory.
    #[error("there is no directory for the user's data")]
    NoDirectory,
    /// A file or directory cannot be read or written.
    #[error("cannot {action} {}", path.display())]
    Io {
        /// `read`, `write`, `create` or `delete`.
        action: &'static str,
        /// What.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A result is no result.
    #[error("{} is not a result of iter8", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// There is no such group or revision.
    #[error("no local experiment of group \"{group}\"{}", revision.map(|r| format!(" with revision {r}")).unwrap_or_default())]
    NotFound {
        /// The group.
        group: String,
        /// The revision, when one was asked for.
        revision: Option<u32>,
    },
}

impl StoreError {
    fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { action, path, source }
    }
}

impl LocalStore {
    /// The store below the user's data directory.
    ///
    /// # Errors
    /// When the user has none.
    pub(crate) fn of_user() -> Result<Self, StoreError> {
        let data = dirs::data_dir().ok_or(StoreError::NoDirectory)?;
        Ok(Self { root: data.join("iter8") })
    }

    /// Takes the next revision of `group` and stores its spec.
    ///
    /// # Errors
    /// When the directory cannot be written to.
    pub(crate) fn begin(&self, group: &str, spec: &str) -> Result<Revision, StoreError> {
        let parent = self.root.join(group);
        fs::create_dir_all(&parent).map_err(StoreError::io("create", &parent))?;
        let mut number = self.revisions(group)?.last().copied().unwrap_or(0) + 1;
        let directory = loop {
            let directory = parent.join(number.to_string());
            match fs::create_dir(&directory) {
                Ok(()) => break directory,
                // Another launch took it in the meantime.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(StoreError::io("create", &directory)(error)),
            }
        };
        let revision = Revision { directory, number };
        if let Err(error) = replace(&revision.directory.join("experiment.yaml"), spec) {
            // Without its experiment it is no revision; that it cannot be taken back either is no news.
            let _ = fs::remove_dir_all(&revision.directory);
            return Err(error);
        }
        self.forget_old(group)?;
        Ok(revision)
    }

    /// The result of a revision, the newest by default.
    ///
    /// # Errors
    /// When there is none, or it cannot be read.
    pub(crate) fn read(&self, group: &str, revision: Option<u32>) -> Result<ExperimentResult, StoreError> {
        let not_found = || StoreError::NotFound { group: group.to_owned(), revision };
        let number = match revision {
            Some(number) => number,
            None => self.revisions(group)?.last().copied().ok_or_else(not_found)?,
        };
        let path = self.root.join(group).join(number.to_string()).join("result.json");
        match fs::read_to_string(&path) {
            Ok(text) => ExperimentResult::from_json(&text).map_err(|source| StoreError::Corrupt { path, source }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(not_found()),
            Err(error) => Err(StoreError::io("read", &path)(error)),
        }
    }

    /// Deletes a group with all its revisions. Returns whether there was one.
    ///
    /// # Errors
    /// When its files cannot be deleted.
    pub(crate) fn delete(&self, group: &str) -> Result<bool, StoreError> {
        let path = self.root.join(group);
        match fs::remove_dir_all(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("delete", &path)(error)),
        }
    }

    /// All groups by name that have a revision.
    ///
    /// # Errors
    /// When the directory cannot be read.
    pub(crate) fn groups(&self) -> Result<Vec<LocalGroup>, StoreError> {
        let mut names = names(&self.root)?;
        names.sort();
        let mut groups = Vec::with_capacity(names.len());
        for name in names {
            // What else somebody put there is no group.
            if let Some(revision) = self.revisions(&name).unwrap_or_default().last().copied() {
                groups.push(LocalGroup { result: self.read(&name, Some(revision)).ok(), revision, name });
            }
        }
        Ok(groups)
    }

    /// The numbers of the revisions of a group, ascending.
    fn revisions(&self, group: &str) -> Result<Vec<u32>, StoreError> {
        let mut numbers: Vec<u32> =
            names(&self.root.join(group))?.iter().filter_map(|name| name.parse().ok()).collect();
        numbers.sort_unstable();
        Ok(numbers)
    }

    fn forget_old(&self, group: &str) -> Result<(), StoreError> {
        let numbers = self.revisions(group)?;
        for number in numbers.iter().rev().skip(REVISIONS_MAX) {
            let path = self.root.join(group).join(number.to_string());
            fs::remove_dir_all(&path).map_err(StoreError::io("delete", &path))?;
        }
        Ok(())
    }
}

fn names(directory: &Path) -> Result<Vec<String>, StoreError> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(StoreError::io("read", directory)(error)),
    };
    let names = entries.map(|entry| entry.map(|entry| entry.file_name().to_string_lossy().into_owned()));
    names.collect::<io::Result<_>>().map_err(StoreError::io("read", directory))
}

/// Writes a file beside its place and moves it there. Only the user may read it: a spec may hold credentials.
fn replace(path: &Path, text: &str) -> Result<(), StoreError> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;

    let beside = path.with_extension(format!("{}.tmp", std::process::id()));
    let write = || {
        let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, path)
    };
    write().map_err(|error| {
        // A half-written file must not stay; that it cannot be deleted either is no news.
        let _ = fs::remove_file(&beside);
        StoreError::io("write", path)(error)
    })
}

impl ResultStore for Revision {
    async fn load(&self) -> Result<Option<ExperimentResult>, iter8_agent::store::StoreError> {
        let path = self.directory.join("result.json");
        match fs::read_to_string(&path) {
            Ok(text) => {
                let read = ExperimentResult::from_json(&text);
                Ok(Some(read.map_err(|source| StoreError::Corrupt { path, source })?))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(StoreError::io("read", &path)(error).into()),
        }
    }

    async fn save(&self, result: &ExperimentResult) -> Result<(), iter8_agent::store::StoreError> {
        replace(&self.directory.join("result.json"), &result.to_json()?)?;
        Ok(())
    }
}

/// Keeps a result as long as the process lives.
#[derive(Debug, Default)]
pub(crate) struct MemoryStore {
    result: Mutex<Option<ExperimentResult>>,
}

impl ResultStore for MemoryStore {
    async fn load(&self) -> Result<Option<ExperimentResult>, iter8_agent::store::StoreError> {
        Ok(self.result.lock().expect("no one panics while holding it").clone())
    }

    async fn save(&self, result: &ExperimentResult) -> Result<(), iter8_agent::store::StoreError> {
        *self.result.lock().expect("no one panics while holding it") = Some(result.clone());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, LocalStore) {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore { root: directory.path().join("iter8") };
        (directory, store)
    }

    async fn save(store: &LocalStore, group: &str) -> u32 {
        let revision = store.begin(group, "spec: []").unwrap();
        revision.save(&ExperimentResult::pending(group, "", revision.number, &["http"])).await.unwrap();
        revision.number
    }

    #[tokio::test]
    async fn revisions_count_up_and_the_newest_is_read() {
        let (_directory, store) = store();
        assert_eq!((save(&store, "a").await, save(&store, "a").await, save(&store, "b").await), (1, 2, 1));
        assert_eq!(store.read("a", None).unwrap().revision, 2);
        assert_eq!(store.read("a", Some(1)).unwrap().revision, 1);
        let names: Vec<String> = store.groups().unwrap().into_iter().map(|group| group.name).collect();
        assert_eq!(names, ["a", "b"]);
    }

    #[tokio::test]
    async fn only_the_last_revisions_are_kept() {
        let (_directory, store) = store();
        for _ in 0..REVISIONS_MAX + 2 {
            save(&store, "a").await;
        }
        assert!(matches!(store.read("a", Some(2)), Err(StoreError::NotFound { .. })));
        assert_eq!(store.read("a", Some(3)).unwrap().revision, 3);
    }

    #[tokio::test]
    async fn deleting_leaves_nothing_and_says_whether_there_was_something() {
        let (_directory, store) = store();
        save(&store, "a").await;
        assert!(store.delete("a").unwrap());
        assert!(!store.delete("a").unwrap());
        assert!(matches!(store.read("a", None), Err(StoreError::NotFound { revision: None, .. })));
    }

    #[test]
    fn a_result_that_is_none_is_named() {
        let (_directory, store) = store();
        let revision = store.begin("a", "spec: []").unwrap();
        fs::write(revision.directory.join("result.json"), "{").unwrap();
        assert!(matches!(store.read("a", None), Err(StoreError::Corrupt { .. })));
    }

    #[test]
    fn two_launches_never_share_a_revision() {
        let (_directory, store) = store();
        let numbers: Vec<u32> = std::thread::scope(|scope| {
            let threads: Vec<_> =
                (0..8).map(|_| scope.spawn(|| store.begin("a", "spec: []").unwrap().number)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let mut sorted = numbers.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=8).collect::<Vec<_>>());
    }
}
