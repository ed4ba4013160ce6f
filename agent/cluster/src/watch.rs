//! Follows what is stored in the cluster as it changes: the result of a revision, or the groups of a namespace. Reading
//! it once is the business of [`crate::result`] and [`crate::groups`].

use std::time::Duration;

use futures_util::stream::{self, Stream, StreamExt as _};
use iter8_core::ExperimentResult;
use k8s_openapi::api::core::v1::Secret;
use kube::Client;
use kube::api::Api;
use kube::core::PartialObjectMeta;
use kube::runtime::watcher::{self, watch_object, watcher};
use tokio::time::sleep;

use crate::error::{ClusterError, Failure};
use crate::groups::{GroupSummary, list_groups};
use crate::names::{self, Group, Revision};
use crate::parent::secrets;
use crate::result::parse;

/// What a watch saw.
#[derive(Clone, Debug, PartialEq)]
pub enum Seen {
    /// The Secret is there and nothing has been written into it.
    Empty,
    /// The result, as of now.
    Result(Box<ExperimentResult>),
    /// The Secret is not there.
    Gone,
}

/// Follows the result of a revision: its present state at once, then each change.
///
/// Lost connections and restarts of the API server are waited out without a word, for as long as they last; whoever
/// wants a limit puts a timeout around the stream. What is stored but cannot be read, and what the API refuses, is an
/// item; the stream goes on after it.
pub fn watch_result(
    client: &Client,
    namespace: &str,
    group: &Group,
    revision: Revision,
) -> impl Stream<Item = Result<Seen, ClusterError>> + Send + use<> {
    let name = names::result_secret(group, revision.0);
    let namespace = namespace.to_owned();
    let watch = Box::pin(watch_object(secrets(client, &namespace), &name));
    stream::unfold((watch, FIRST_PAUSE), move |(mut watch, mut pause)| {
        let (name, namespace) = (name.clone(), namespace.clone());
        async move {
            loop {
                match watch.next().await? {
                    Ok(None) => return Some((Ok(Seen::Gone), (watch, FIRST_PAUSE))),
                    Ok(Some(secret)) => {
                        let result = parse(&secret, &name, &namespace);
                        let seen =
                            result.map(|result| result.map_or(Seen::Empty, |result| Seen::Result(result.into())));
                        return Some((seen, (watch, FIRST_PAUSE)));
                    }
                    Err(error) => {
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        if let Some(error) = refused(error) {
                            let object = format!("secret/{name}");
                            return Some((Err(ClusterError::api("watch", object, &namespace)(error)), (watch, pause)));
                        }
                    }
                }
            }
        }
    })
}

/// Lists the groups of `namespace`, or of every namespace: at once, and again whenever something of one has changed.
///
/// Outages are waited out as in [`watch_result`].
pub fn watch_groups(
    client: &Client,
    namespace: Option<&str>,
) -> impl Stream<Item = Result<Vec<GroupSummary>, ClusterError>> + Send + use<> {
    let secrets: Api<PartialObjectMeta<Secret>> =
        namespace.map_or_else(|| Api::all(client.clone()), |name| Api::namespaced(client.clone(), name));
    let ours = watcher::Config::default().labels(&format!("{}={}", names::NAME, names::NAME_VALUE));
    // What has changed does not matter, only that something has.
    let changes = watcher(secrets, ours).filter(|event| {
        let is_change = !matches!(event, Ok(watcher::Event::Init | watcher::Event::InitApply(_)));
        std::future::ready(is_change)
    });
    let (client, namespace) = (client.clone(), namespace.map(str::to_owned));
    stream::unfold((Box::pin(changes), FIRST_PAUSE), move |(mut changes, mut pause)| {
        let (client, namespace) = (client.clone(), namespace.clone());
        async move {
            loop {
                match changes.next().await? {
                    Ok(_) => loop {
                        match list_groups(&client, namespace.as_deref()).await {
                            Err(error) if error.failure().is_some_and(Failure::is_transient) => {
                                sleep(pause).await;
                                pause = (pause * 2).min(LONGEST_PAUSE);
                            }
                            list => return Some((list, (changes, FIRST_PAUSE))),
                        }
                    },
                    Err(error) => {
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        if let Some(error) = refused(error) {
                            let place = namespace.as_deref().unwrap_or("every namespace");
                            return Some((Err(ClusterError::api("watch", "secrets", place)(error)), (changes, pause)));
                        }
                    }
                }
            }
        }
    })
}

const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(3);

/// The error when it is an answer rather than an outage. A watch that is too old is begun anew by itself.
fn refused(error: watcher::Error) -> Option<kube::Error> {
    let error = match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => error,
        watcher::Error::WatchError(status) => kube::Error::Api(status),
        watcher::Error::NoResourceVersion => return None,
    };
    matches!(Failure::of(&error), Failure::Unauthorized | Failure::Forbidden | Failure::Invalid).then_some(error)
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn only_refusals_are_told() {
        let answered = |code| {
            let status = Status::failure("no", "").with_code(code);
            refused(watcher::Error::WatchStartFailed(kube::Error::Api(status.boxed()))).is_some()
        };
        assert!([400, 401, 403].into_iter().all(answered));
        assert!(![410, 429, 500, 503].into_iter().any(answered));
    }
}
