//! The result of a revision as the plugin reads it from its Secret. Following it is the business of [`crate::watch`],
//! keeping it that of [`crate::result_secret`]; what it says, that of [`iter8_core::result`].

use iter8_core::{Experiment, ExperimentResult, legacy};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;

use crate::error::ClusterError;
use crate::names::{self, Group, Revision};
use crate::parent::{read_parent, secrets};

/// A result as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// The Secret that holds it.
    pub secret: String,
    /// The version of that Secret.
    pub resource_version: Option<String>,
    /// The result.
    pub result: ExperimentResult,
}

/// Reads the result of a revision, or of the latest one. A group without a parent may be one of Iter8 v0.13, whose
/// Secret has the name of the group.
///
/// # Errors
/// [`ClusterError::NotFound`] when there is no such group or revision, [`ClusterError::ResultGone`] when the latest
/// revision has lost its Secret, [`ClusterError::Corrupt`] when what is stored cannot be read.
pub async fn read_result(
    client: &Client,
    namespace: &str,
    group: &Group,
    revision: Option<Revision>,
) -> Result<StoredResult, ClusterError> {
    let missing = || ClusterError::NotFound { group: group.clone(), namespace: namespace.to_owned(), revision };
    let (revision, is_known) = match revision {
        Some(revision) => (revision, false),
        None => match read_parent(client, namespace, group).await {
            Ok(Some(parent)) => (parent.history.latest().ok_or_else(missing)?.revision, true),
            Ok(None) | Err(ClusterError::Foreign { .. }) => return read_legacy(client, namespace, group).await,
            Err(error) => return Err(error),
        },
    };
    let name = names::result_secret(group, revision.0);
    let gone = || ClusterError::ResultGone { secret: name.clone(), namespace: namespace.to_owned() };
    let secret = read_secret(client, namespace, &name).await?;
    let secret = secret.ok_or_else(|| if is_known { gone() } else { missing() })?;
    let resource_version = secret.metadata.resource_version.clone();
    let result = match parse(&secret, &name, namespace)? {
        Some(result) => result,
        None => pending(client, namespace, group, revision).await?,
    };
    Ok(StoredResult { secret: name, resource_version, result })
}

/// The text of a result, if one has been written.
pub(crate) fn stored_text(secret: &Secret) -> Option<&str> {
    let bytes = secret.data.as_ref()?.get(names::RESULT_KEY)?;
    std::str::from_utf8(&bytes.0).ok().filter(|text| !text.trim().is_empty())
}

/// The result in a Secret; None when nothing has been written yet.
pub(crate) fn parse(secret: &Secret, name: &str, namespace: &str) -> Result<Option<ExperimentResult>, ClusterError> {
    let stored = secret.data.as_ref().and_then(|data| data.get(names::RESULT_KEY));
    let Some(bytes) = stored.filter(|bytes| !bytes.0.trim_ascii().is_empty()) else { return Ok(None) };
    let result: Result<ExperimentResult, _> = serde_json::from_slice(&bytes.0);
    result.map(Some).map_err(|error| corrupt(name, namespace, error))
}

fn corrupt(secret: &str, namespace: &str, source: impl std::error::Error + Send + Sync + 'static) -> ClusterError {
    ClusterError::Corrupt { secret: secret.to_owned(), namespace: namespace.to_owned(), source: Box::new(source) }
}

pub(crate) async fn read_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Secret>, ClusterError> {
    let found = secrets(client, namespace).get_opt(name).await;
    found.map_err(ClusterError::api("read", format_args!("secret/{name}"), namespace))
}

/// The result of an experiment that has written none yet, with the steps of its spec.
async fn pending(
    client: &Client,
    namespace: &str,
    group: &Group,
    revision: Revision,
) -> Result<ExperimentResult, ClusterError> {
    let spec = read_secret(client, namespace, &names::spec_secret(group, revision.0)).await?;
    let text = spec.and_then(|spec| text_of(spec.data.as_ref()?.get(names::SPEC_KEY)?));
    // The agent says what is wrong with a spec that cannot be read; here it only means that no steps are known.
    let experiment = text.and_then(|text| Experiment::parse(&text).ok());
    let tasks = experiment.map(|experiment| experiment.task_names()).unwrap_or_default();
    Ok(ExperimentResult::pending(group.as_str(), namespace, revision.0, &tasks))
}

fn text_of(bytes: &ByteString) -> Option<String> {
    String::from_utf8(bytes.0.clone()).ok()
}

async fn read_legacy(client: &Client, namespace: &str, group: &Group) -> Result<StoredResult, ClusterError> {
    let missing = || ClusterError::NotFound { group: group.clone(), namespace: namespace.to_owned(), revision: None };
    let name = group.as_str();
    let secret = read_secret(client, namespace, name).await?.ok_or_else(missing)?;
    let text = secret.data.as_ref().and_then(|data| text_of(data.get(names::SPEC_KEY)?)).ok_or_else(missing)?;
    let result = legacy::parse(&text, name, namespace).map_err(|error| corrupt(name, namespace, error))?;
    Ok(StoredResult { secret: name.to_owned(), resource_version: secret.metadata.resource_version, result })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn secret(text: &str) -> Secret {
        let data = BTreeMap::from([(names::RESULT_KEY.to_owned(), ByteString(text.as_bytes().to_vec()))]);
        Secret { data: Some(data), ..Secret::default() }
    }

    #[test]
    fn an_empty_secret_holds_no_result_and_a_broken_one_is_corrupt() {
        for empty in [Secret::default(), secret(""), secret(" \n")] {
            assert!(parse(&empty, "x", "shop").unwrap().is_none());
        }
        let result = ExperimentResult::pending("default", "shop", 1, &["http"]);
        assert_eq!(parse(&secret(&result.to_json().unwrap()), "x", "shop").unwrap(), Some(result));
        let error = parse(&secret("{\"apiVersion\":"), "x", "shop").unwrap_err();
        assert_eq!(error.to_string(), "secret/x in namespace shop cannot be read");
    }
}
