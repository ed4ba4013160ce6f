//! Which kubeconfig counts: `--kubeconfig`, else the files of `KUBECONFIG`, else `~/.kube/config`. Files of the list that
//! do not exist are left out, as kubectl does; the first to say something wins.

use std::path::{Path, PathBuf};

use iter8_core::yaml::YamlError;
use kube::config::{Kubeconfig, KubeconfigError};

use super::env::ConnectEnv;
use super::error::ConnectError;

/// Loads the kubeconfig; None when there is no file at all.
///
/// # Errors
/// A file that was named with `--kubeconfig` and does not exist, or one that cannot be read.
pub(super) fn load(flag: Option<&Path>, env: &ConnectEnv) -> Result<Option<Kubeconfig>, ConnectError> {
    if let Some(path) = flag {
        return read(path).map(Some);
    }
    let paths: Vec<PathBuf> = match &env.kubeconfig {
        Some(list) => std::env::split_paths(list).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => env.home.iter().map(|home| Path::new(home).join(".kube").join("config")).collect(),
    };
    let mut merged: Option<Kubeconfig> = None;
    for path in paths.iter().filter(|path| path.exists()) {
        let next = read(path)?;
        merged = Some(match merged {
            None => next,
            Some(first) => first.merge(next).map_err(|error| failed(path, error))?,
        });
    }
    Ok(merged)
}

fn read(path: &Path) -> Result<Kubeconfig, ConnectError> {
    Kubeconfig::read_from(path).map_err(|error| failed(path, error))
}

/// The library names the file again and goes over several lines.
fn failed(path: &Path, error: KubeconfigError) -> ConnectError {
    let reason = match error {
        KubeconfigError::ReadConfig(error, _) => error.to_string(),
        KubeconfigError::Parse(error) => YamlError::from(*error).to_string(),
        other => other.to_string(),
    };
    ConnectError::Kubeconfig { path: path.to_owned(), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(directory: &Path, name: &str, context: &str) -> PathBuf {
        let path = directory.join(name);
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: {context}\ncontexts: [{{name: {context}, context: {{cluster: c, user: u}}}}]\n"
        );
        std::fs::write(&path, text).unwrap();
        path
    }

    #[test]
    fn the_flag_wins_over_the_variable_and_the_variable_over_the_home() {
        let directory = tempfile::tempdir().unwrap();
        let (one, two) = (config(directory.path(), "one", "one"), config(directory.path(), "two", "two"));
        std::fs::create_dir(directory.path().join(".kube")).unwrap();
        config(&directory.path().join(".kube"), "config", "home");
        let mut env = ConnectEnv { home: Some(directory.path().display().to_string()), ..ConnectEnv::default() };
        let current =
            |flag: Option<&Path>, env: &ConnectEnv| load(flag, env).unwrap().and_then(|config| config.current_context);
        assert_eq!(current(None, &env).as_deref(), Some("home"));
        env.kubeconfig = Some(format!("/no/such/file:{}:{}", two.display(), one.display()));
        assert_eq!(current(None, &env).as_deref(), Some("two"));
        assert_eq!(load(None, &env).unwrap().unwrap().contexts.len(), 2);
        assert_eq!(current(Some(&one), &env).as_deref(), Some("one"));
    }

    #[test]
    fn a_file_that_was_named_must_be_there() {
        let error = load(Some(Path::new("/no/such/file")), &ConnectEnv::default()).unwrap_err();
        assert!(matches!(error, ConnectError::Kubeconfig { .. }));
        assert!(load(None, &ConnectEnv::default()).unwrap().is_none());
    }
}
