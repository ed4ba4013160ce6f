//! The Secret of a result as the agent keeps it: reads what earlier loops left and writes what is new, waits out outages
//! of the API server, and never writes over what belongs to another experiment. How the plugin reads results is the
//! business of [`crate::result`].

use std::collections::BTreeMap;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_core::ExperimentResult;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

use crate::error::{ClusterError, Failure, chain};
use crate::names::{self, Group, Revision};
use crate::parent::secrets;
use crate::result::{parse, read_secret};

/// Field manager of what the agent writes.
const AGENT: &str = "iter8-agent";

/// How long one attempt to read or write may take.
const ATTEMPT: Duration = Duration::from_secs(10);

/// How long permissions are given to arrive: API servers answer 401 and 403 while they start, and see new roles late.
const PERMISSION: Duration = Duration::from_secs(10);

/// The Secret that holds the result of one revision.
pub struct ResultSecret {
    client: Client,
    namespace: String,
    name: String,
    group: Group,
    revision: Revision,
    patience: Duration,
    /// The Secret as it was last read or written.
    seen: Mutex<Seen>,
}

/// What is known of a Secret.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Seen {
    /// Its identity, which a new Secret of the same name does not share.
    uid: Option<String>,
    /// Its version; None when it has to be read again.
    version: Option<String>,
}

impl ResultSecret {
    /// The Secret `name` in `namespace`, which is there for this revision. Outages of the API server are waited out for
    /// `patience`, each time that something is read or written.
    pub fn new(
        client: Client,
        namespace: &str,
        name: &str,
        group: Group,
        revision: Revision,
        patience: Duration,
    ) -> Self {
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self { client, namespace, name, group, revision, patience, seen: Mutex::default() }
    }

    /// Reads what was stored last; None when nothing was.
    ///
    /// # Errors
    /// [`ClusterError::ResultGone`] when there is no such Secret or it is another revision's, [`ClusterError::Corrupt`]
    /// when it holds something else; otherwise the last failure.
    pub async fn read(&self) -> Result<Option<ExperimentResult>, ClusterError> {
        let mut seen = self.seen.lock().await;
        let mut trial = Trial::begin("reading", self);
        loop {
            match trial.limited(self.look(&mut seen)).await {
                Ok(secret) => return parse(&secret, &self.name, &self.namespace),
                Err(error) => trial.wait(error).await?,
            }
        }
    }

    /// Stores a result in place of what was there.
    ///
    /// # Guarantees
    /// It is stored whole or not at all, and only in the Secret that was read first.
    ///
    /// # Errors
    /// [`ClusterError::ResultGone`] when the Secret was deleted or replaced; otherwise the last failure.
    pub async fn write(&self, result: &ExperimentResult) -> Result<(), ClusterError> {
        let text = result.to_json().map_err(|source| ClusterError::Encode { what: "the result", source })?;
        let data = BTreeMap::from([(names::RESULT_KEY, STANDARD.encode(text))]);
        let mut seen = self.seen.lock().await;
        let mut trial = Trial::begin("writing", self);
        loop {
            match trial.limited(self.replace(&data, &mut seen)).await {
                Ok(()) => return Ok(()),
                Err(error) => trial.wait(error).await?,
            }
        }
    }

    /// Reads the Secret and notes its version.
    async fn look(&self, seen: &mut Seen) -> Result<Secret, ClusterError> {
        let secret = read_secret(&self.client, &self.namespace, &self.name).await?;
        let secret =
            secret.filter(|secret| is_ours(secret, &self.group, self.revision, seen)).ok_or_else(|| self.gone())?;
        *seen = Seen { uid: secret.metadata.uid.clone(), version: secret.metadata.resource_version.clone() };
        Ok(secret)
    }

    /// Replaces the version that is known, or else the one that is there.
    async fn replace(&self, data: &BTreeMap<&str, String>, seen: &mut Seen) -> Result<(), ClusterError> {
        if seen.version.is_none() {
            self.look(seen).await?;
        }
        // Until it is known whether this one is stored, none is known.
        let patch = json!({ "metadata": { "resourceVersion": seen.version.take() }, "data": data });
        let params = PatchParams { field_manager: Some(AGENT.to_owned()), ..PatchParams::default() };
        match secrets(&self.client, &self.namespace).patch(&self.name, &params, &Patch::Merge(patch)).await {
            Ok(stored) => {
                seen.version = stored.metadata.resource_version;
                Ok(())
            }
            Err(error) if Failure::of(&error) == Failure::NotFound => Err(self.gone()),
            Err(error) => Err(ClusterError::api("write", format_args!("secret/{}", self.name), &self.namespace)(error)),
        }
    }

    fn gone(&self) -> ClusterError {
        ClusterError::ResultGone { secret: self.name.clone(), namespace: self.namespace.clone() }
    }
}

/// Attempts at one thing, with pauses between them.
struct Trial {
    what: String,
    begun: Instant,
    patience: Duration,
    pause: Duration,
}

impl Trial {
    fn begin(doing: &str, secret: &ResultSecret) -> Self {
        let what = format!("{doing} secret/{}", secret.name);
        Self { what, begun: Instant::now(), patience: secret.patience, pause: Duration::from_millis(100) }
    }

    /// An attempt that does not last for ever.
    async fn limited<T>(&self, attempt: impl Future<Output = Result<T, ClusterError>>) -> Result<T, ClusterError> {
        let timed_out = |_| Err(ClusterError::TimedOut { what: self.what.clone(), limit: ATTEMPT });
        timeout(ATTEMPT, attempt).await.unwrap_or_else(timed_out)
    }

    /// Waits for the next attempt; gives the error back when there is to be none.
    async fn wait(&mut self, error: ClusterError) -> Result<(), ClusterError> {
        let left = self.patience.saturating_sub(self.begun.elapsed());
        let again = match error.failure() {
            Some(Failure::Conflict) => true,
            Some(Failure::Unauthorized | Failure::Forbidden) => self.begun.elapsed() < PERMISSION,
            Some(failure) => failure.is_transient(),
            None => matches!(error, ClusterError::TimedOut { .. }),
        };
        if !again || left.is_zero() {
            return Err(error);
        }
        tracing::warn!("{} failed and is tried again: {}", self.what, chain(&error));
        sleep(jittered(self.pause).min(left)).await;
        self.pause = (self.pause * 2).min(Duration::from_secs(5));
        Ok(())
    }
}

/// Whether a Secret is the one that was read first, or, before that, there to hold the result of this revision. One
/// without iter8's labels was made by hand for it.
fn is_ours(secret: &Secret, group: &Group, revision: Revision, seen: &Seen) -> bool {
    let label = |key: &str| secret.metadata.labels.as_ref().and_then(|labels| labels.get(key));
    secret.metadata.deletion_timestamp.is_none()
        && label(names::GROUP).is_none_or(|label| label == group.as_str())
        && label(names::REVISION).is_none_or(|label| *label == revision.to_string())
        && (seen.uid.is_none() || seen.uid == secret.metadata.uid)
}

/// Between half and all of a pause, so that writers do not meet again.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().hash_one(0u8) as f64 / u64::MAX as f64;
    pause.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(uid: &str, revision: Option<&str>) -> Secret {
        let mut secret = Secret::default();
        secret.metadata.uid = Some(uid.to_owned());
        secret.metadata.labels =
            revision.map(|revision| BTreeMap::from([(names::REVISION.to_owned(), revision.to_owned())]));
        secret
    }

    #[test]
    fn only_the_secret_that_was_read_first_is_ours() {
        let ours = |secret: &Secret, uid: Option<&str>| {
            let seen = Seen { uid: uid.map(str::to_owned), version: None };
            is_ours(secret, &Group::default(), Revision(2), &seen)
        };
        assert!(ours(&secret("a", Some("2")), None) && ours(&secret("a", Some("2")), Some("a")));
        assert!(!ours(&secret("b", Some("2")), Some("a")));
        assert!(!ours(&secret("a", Some("3")), None));
        assert!(ours(&secret("a", None), None));
    }

    #[test]
    fn jitter_keeps_between_half_and_all_of_a_pause() {
        let pause = Duration::from_secs(2);
        assert!((0..100).map(|_| jittered(pause)).all(|pause| (1.0..=2.0).contains(&pause.as_secs_f64())));
    }
}
