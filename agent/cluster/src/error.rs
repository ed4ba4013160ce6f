//! What can go wrong with a cluster, in words that name the object, and the classes of API errors that decide what is
//! retried and which exit code the plugin gives. Wording for the terminal and hints are the plugin's business.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use iter8_core::GoDuration;
use kube::core::Status;

use crate::names::{Group, Revision};

/// Any error as a boxed source.
pub type BoxError = Box<dyn StdError + Send + Sync>;

/// Why something could not be done with a cluster.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The API server refused a request, or could not be reached.
    #[error("cannot {action}")]
    Api {
        /// What was tried: `apply secret/iter8-default-1-spec in namespace default`.
        action: String,
        /// The answer.
        #[source]
        source: Box<kube::Error>,
    },
    /// An object that iter8 would write exists and was made by somebody else.
    #[error("{object} in namespace {namespace} exists already and belongs to {owner}")]
    Foreign {
        /// The object: `secret/iter8-default`.
        object: String,
        /// Where it is.
        namespace: String,
        /// Who made it, as far as it can be told.
        owner: String,
    },
    /// Another launch of the same group took over while this one was under way.
    #[error("another launch of group {group} took over from revision {revision}")]
    Superseded {
        /// The group.
        group: Group,
        /// The revision that was not completed.
        revision: Revision,
    },
    /// A quota, the pod security level, or an admission policy refused an object.
    #[error("{object} was rejected: {message}")]
    Rejected {
        /// The object: `job.batch/iter8-default-1`.
        object: String,
        /// The API server's words.
        message: String,
    },
    /// There is no such namespace.
    #[error("namespace {0} does not exist")]
    NamespaceMissing(String),
    /// The namespace is being deleted, so nothing can be made in it.
    #[error("namespace {0} is being deleted")]
    NamespaceTerminating(String),
    /// There is no such group, or not that revision of it.
    #[error("{} in namespace {namespace}", missing(.group, *.revision))]
    NotFound {
        /// The group.
        group: Group,
        /// Where it was looked for.
        namespace: String,
        /// The revision that was asked for, if one was.
        revision: Option<Revision>,
    },
    /// There is no such installation of AutoX.
    #[error("no AutoX {name} in namespace {namespace}")]
    NoAutox {
        /// Its name.
        name: String,
        /// Where it was looked for.
        namespace: String,
    },
    /// Somebody else changed an installation of AutoX while this was under way.
    #[error("AutoX {name} was changed by somebody else at the same time")]
    AutoxChanged {
        /// Its name.
        name: String,
    },
    /// A stored history or result cannot be read.
    #[error("secret/{secret} in namespace {namespace} cannot be read")]
    Corrupt {
        /// The Secret.
        secret: String,
        /// Where it is.
        namespace: String,
        /// What is wrong with its content.
        #[source]
        source: BoxError,
    },
    /// The Secret that holds the result was deleted, or replaced by that of another experiment, while this one ran.
    #[error("secret/{secret} in namespace {namespace}, which holds the result, was deleted or replaced")]
    ResultGone {
        /// The Secret.
        secret: String,
        /// Where it was.
        namespace: String,
    },
    /// A result or a history that cannot be written as JSON.
    #[error("cannot encode {what}")]
    Encode {
        /// What was to be written.
        what: &'static str,
        /// Why not.
        #[source]
        source: serde_json::Error,
    },
    /// The manifests of a revision could not be made.
    #[error("cannot render revision {revision} of group {group}")]
    Render {
        /// The group.
        group: Group,
        /// The revision.
        revision: Revision,
        /// Why not.
        #[source]
        source: BoxError,
    },
    /// A rendered manifest is not one that iter8 applies.
    #[error("a manifest {0}")]
    Manifest(String),
    /// No pod of the revision exists any more, or yet.
    #[error("revision {revision} of group {group} has no pod in namespace {namespace}")]
    NoPod {
        /// The group.
        group: Group,
        /// The revision.
        revision: Revision,
        /// Where it was looked for.
        namespace: String,
    },
    /// Something did not happen in time.
    #[error("{what} took longer than {}", GoDuration(*.limit))]
    TimedOut {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
}

fn missing(group: &Group, revision: Option<Revision>) -> String {
    match revision {
        Some(revision) => format!("no revision {revision} of group {group}"),
        None => format!("no group {group}"),
    }
}

/// The classes of failures of the Kubernetes API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// 404.
    NotFound,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 409.
    Conflict,
    /// 400 or 422: the object is wrong, asking again does not help.
    Invalid,
    /// 429 or 5xx: asking again may help.
    Busy,
    /// No answer: refused, reset, timed out, no such host.
    Unreachable,
    /// An answer that is not Kubernetes', or a client that could not be set up.
    Other,
}

impl Failure {
    /// The class of an error.
    pub fn of(error: &kube::Error) -> Self {
        match error {
            kube::Error::Api(status) => match status.code {
                401 => Self::Unauthorized,
                403 => Self::Forbidden,
                404 => Self::NotFound,
                409 => Self::Conflict,
                400 | 422 => Self::Invalid,
                429 | 500..=599 => Self::Busy,
                _ => Self::Other,
            },
            kube::Error::HyperError(_) | kube::Error::Service(_) | kube::Error::ReadEvents(_) => Self::Unreachable,
            _ => Self::Other,
        }
    }

    /// Whether the same request may succeed a moment later without anybody's doing.
    pub const fn is_transient(self) -> bool {
        match self {
            Self::Busy | Self::Unreachable => true,
            Self::NotFound | Self::Unauthorized | Self::Forbidden | Self::Conflict | Self::Invalid | Self::Other => {
                false
            }
        }
    }
}

impl ClusterError {
    /// Gives an API error its context: the verb, the object it was about and its namespace.
    pub(crate) fn api(verb: &str, object: impl fmt::Display, namespace: &str) -> impl FnOnce(kube::Error) -> Self {
        let object = object.to_string();
        let action = match namespace {
            "" => format!("{verb} {object}"),
            _ => format!("{verb} {object} in namespace {namespace}"),
        };
        let namespace = namespace.to_owned();
        move |source| match &source {
            kube::Error::Api(status) if is_missing_namespace(status) => Self::NamespaceMissing(namespace),
            kube::Error::Api(status) if is_terminating_namespace(status) => Self::NamespaceTerminating(namespace),
            kube::Error::Api(status) if is_rejection(status) => {
                Self::Rejected { object, message: status.message.clone() }
            }
            _ => Self::Api { action, source: Box::new(source) },
        }
    }

    /// The class of the API error behind this one, if there is one.
    pub fn failure(&self) -> Option<Failure> {
        match self {
            Self::Api { source, .. } => Some(Failure::of(source)),
            _ => None,
        }
    }
}

/// An error with its causes, as one sentence. Of an answer of the API server it holds the server's message alone, and
/// causes that the text already holds are not repeated.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut text = shown(error);
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = shown(cause);
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

fn shown(error: &(dyn StdError + 'static)) -> String {
    // Errors of the client and the answers in them have texts for developers. As sources they lie in boxes, which are
    // errors of types of their own.
    let boxed = || error.downcast_ref::<Box<kube::Error>>().map(AsRef::as_ref);
    let of_client = match error.downcast_ref().or_else(boxed) {
        Some(kube::Error::Api(status)) => Some(status.as_ref()),
        _ => None,
    };
    let boxed = || error.downcast_ref::<Box<Status>>().map(AsRef::as_ref);
    let answer = of_client.or_else(|| error.downcast_ref()).or_else(boxed);
    let message = answer.map(|status: &Status| status.message.trim()).filter(|message| !message.is_empty());
    message.map_or_else(|| error.to_string(), str::to_owned)
}

fn is_missing_namespace(status: &Status) -> bool {
    let kind = status.details.as_ref().map(|details| details.kind.as_str());
    status.code == 404 && (kind == Some("namespaces") || status.message.starts_with("namespaces \""))
}

fn is_terminating_namespace(status: &Status) -> bool {
    status.code == 403 && status.message.contains("because it is being terminated")
}

/// Admission plugins answer 403 as missing permissions do; only their words tell the two apart.
fn is_rejection(status: &Status) -> bool {
    let phrases = ["exceeded quota", "violates PodSecurity", "denied the request", "denied request", "LimitRange"];
    matches!(status.code, 400 | 403 | 422) && phrases.iter().any(|phrase| status.message.contains(phrase))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16, message: &str) -> ClusterError {
        let status = Status::failure(message, "").with_code(code);
        ClusterError::api("apply", "job.batch/iter8-a-1", "shop")(kube::Error::Api(status.boxed()))
    }

    #[test]
    fn names_the_object_and_keeps_the_class() {
        let error = answered(403, "jobs.batch is forbidden: User \"eve\" cannot patch resource \"jobs\"");
        assert_eq!(error.to_string(), "cannot apply job.batch/iter8-a-1 in namespace shop");
        assert_eq!(error.failure(), Some(Failure::Forbidden));
    }

    #[test]
    fn tells_admission_and_namespaces_from_permissions() {
        let quota = answered(403, "jobs.batch \"x\" is forbidden: exceeded quota: q, requested: count/jobs.batch=1");
        assert!(quota.to_string().starts_with("job.batch/iter8-a-1 was rejected: jobs.batch"), "{quota}");
        assert!(matches!(answered(404, "namespaces \"shop\" not found"), ClusterError::NamespaceMissing(_)));
        let terminating = "unable to create new content in namespace shop because it is being terminated";
        assert!(matches!(answered(403, terminating), ClusterError::NamespaceTerminating(_)));
        assert!(matches!(answered(404, "jobs.batch \"x\" not found"), ClusterError::Api { .. }));
    }

    #[test]
    fn a_chain_shows_the_message_of_an_answer_and_no_cause_twice() {
        assert_eq!(
            chain(&answered(403, "jobs.batch is forbidden: User \"eve\" cannot patch")),
            "cannot apply job.batch/iter8-a-1 in namespace shop: jobs.batch is forbidden: User \"eve\" cannot patch"
        );
        let io = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
        assert_eq!(chain(&std::io::Error::other(io)), "no such file");
    }

    #[test]
    fn only_outages_are_transient() {
        let class = |code| answered(code, "no").failure().unwrap();
        assert!([429, 500, 503, 504].into_iter().all(|code| class(code).is_transient()));
        assert!([400, 401, 403, 404, 409, 422].into_iter().all(|code| !class(code).is_transient()));
    }
}
