//! The result of a revision in its Secret: the plugin reads and watches it, the agent writes it. What a result says is
//! the business of [`iter8_core::result`].

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use iter8_core::{Experiment, ExperimentResult, legacy};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::time::{Instant, sleep, timeout};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{ClusterError, Failure};
use crate::names::{self, Group, Revision};
use crate::parent::{read_parent, secrets};

/// Field manager of what the agent writes.
const AGENT: &str = "iter8-agent";

/// How long one attempt to write may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long permissions are given to arrive: API servers answer 403 while they start.
const PERMISSION: Duration = Duration::from_secs(10);

/// A result as it is stored.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredResult {
    /// The Secret that holds it.
    pub secret: String,
    /// The version of that Secret, for [`write_result`].
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

/// Reads the result that the Secret `name` holds; None when nothing has been written into it yet.
///
/// # Errors
/// [`ClusterError::ResultGone`] when there is no such Secret, [`ClusterError::Corrupt`] when it holds something else.
pub async fn read_secret_result(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<Option<ExperimentResult>, ClusterError> {
    let gone = || ClusterError::ResultGone { secret: name.to_owned(), namespace: namespace.to_owned() };
    parse(&read_secret(client, namespace, name).await?.ok_or_else(gone)?, name, namespace)
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

async fn read_secret(client: &Client, namespace: &str, name: &str) -> Result<Option<Secret>, ClusterError> {
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

/// Writes a result into its Secret and returns the Secret's new version.
///
/// `known` is the version that was last read or written; None reads it first. Outages of the API server are waited out
/// for `patience`.
///
/// # Guarantees
/// The result is written whole or not at all, and only into the Secret of the same group and revision.
///
/// # Errors
/// [`ClusterError::ResultGone`] when the Secret was deleted or belongs to another experiment; otherwise the last failure.
pub async fn write_result(
    client: &Client,
    namespace: &str,
    secret: &str,
    result: &ExperimentResult,
    known: Option<&str>,
    patience: Duration,
) -> Result<String, ClusterError> {
    let text = result.to_json().map_err(|source| ClusterError::Encode { what: "the result", source })?;
    let data = BTreeMap::from([(names::RESULT_KEY, STANDARD.encode(text))]);
    let mut known = known.map(str::to_owned);
    let begun = Instant::now();
    let mut pause = Duration::from_millis(100);
    loop {
        let attempt = attempt(client, namespace, secret, result, &data, known.as_deref());
        let error = match timeout(ATTEMPT, attempt).await {
            Ok(Ok(version)) => return Ok(version),
            Ok(Err(error)) => error,
            Err(_) => ClusterError::TimedOut { what: format!("writing secret/{secret}"), limit: ATTEMPT },
        };
        let left = patience.saturating_sub(begun.elapsed());
        let again = match error.failure() {
            Some(Failure::Conflict) => {
                known = None;
                true
            }
            Some(Failure::Unauthorized | Failure::Forbidden) => begun.elapsed() < PERMISSION,
            Some(failure) => failure.is_transient(),
            None => matches!(error, ClusterError::TimedOut { .. }),
        };
        if !again || left.is_zero() {
            return Err(error);
        }
        sleep(jittered(pause).min(left)).await;
        pause = (pause * 2).min(Duration::from_secs(5));
    }
}

async fn attempt(
    client: &Client,
    namespace: &str,
    name: &str,
    result: &ExperimentResult,
    data: &BTreeMap<&str, String>,
    known: Option<&str>,
) -> Result<String, ClusterError> {
    let gone = || ClusterError::ResultGone { secret: name.to_owned(), namespace: namespace.to_owned() };
    let version = match known {
        Some(version) => version.to_owned(),
        None => {
            let secret = read_secret(client, namespace, name).await?.filter(|secret| is_of(secret, result));
            secret.and_then(|secret| secret.metadata.resource_version).ok_or_else(gone)?
        }
    };
    let patch = json!({ "metadata": { "resourceVersion": version }, "data": data });
    let params = PatchParams { field_manager: Some(AGENT.to_owned()), ..PatchParams::default() };
    match secrets(client, namespace).patch(name, &params, &Patch::Merge(patch)).await {
        Ok(stored) => Ok(stored.metadata.resource_version.unwrap_or_default()),
        Err(error) if Failure::of(&error) == Failure::NotFound => Err(gone()),
        Err(error) => Err(ClusterError::api("write", format_args!("secret/{name}"), namespace)(error)),
    }
}

/// Whether a Secret is there to hold this result. One without iter8's labels was made by hand for it.
fn is_of(secret: &Secret, result: &ExperimentResult) -> bool {
    let label = |key: &str| secret.metadata.labels.as_ref().and_then(|labels| labels.get(key));
    secret.metadata.deletion_timestamp.is_none()
        && label(names::GROUP).is_none_or(|group| *group == result.group)
        && label(names::REVISION).is_none_or(|revision| *revision == result.revision.to_string())
}

/// Between half and all of a pause, so that writers do not meet again.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_secret_of_another_revision_is_not_ours() {
        let result = ExperimentResult::pending("default", "shop", 2, &["http"]);
        let labelled = |revision: &str| {
            let mut secret = Secret::default();
            secret.metadata.labels = Some(BTreeMap::from([(names::REVISION.to_owned(), revision.to_owned())]));
            secret
        };
        assert!(is_of(&labelled("2"), &result));
        assert!(!is_of(&labelled("3"), &result));
        assert!(is_of(&Secret::default(), &result));
    }

    #[test]
    fn jitter_keeps_between_half_and_all_of_a_pause() {
        let pause = Duration::from_secs(2);
        assert!((0..100).map(|_| jittered(pause)).all(|pause| (1.0..=2.0).contains(&pause.as_secs_f64())));
    }
}
