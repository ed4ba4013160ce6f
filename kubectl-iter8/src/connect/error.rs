//! What goes wrong on the way to a cluster, and the wording of the API server's errors, which is kubectl's. Exit codes
//! are decided elsewhere.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use super::manners::NoAnswer;

/// Why no client could be made.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// A kubeconfig cannot be read.
    #[error("error loading config file \"{}\": {reason}", path.display())]
    Kubeconfig {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no kubeconfig, no `--server`, and this is no pod.
    #[error("{0}")]
    NoConfiguration(&'static str),
    /// The kubeconfig has no such context.
    #[error("context \"{0}\" does not exist")]
    NoContext(String),
    /// The kubeconfig has no such cluster.
    #[error("cluster \"{0}\" does not exist")]
    NoCluster(String),
    /// The kubeconfig has no such user.
    #[error("auth info \"{0}\" does not exist")]
    NoUser(String),
    /// The address of the API server is none.
    #[error("the server \"{0}\" is not a URL")]
    Server(String),
    /// The address of the proxy is none.
    #[error("the proxy \"{0}\" is not a URL")]
    Proxy(String),
    /// A file with a token cannot be read.
    #[error("cannot read the token file {}", path.display())]
    TokenFile {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A credential plugin failed.
    #[error("getting credentials: exec: executable {command} failed: {reason}")]
    Plugin {
        /// The plugin's program.
        command: String,
        /// How.
        reason: String,
        /// What the kubeconfig says on how to install it.
        hint: Option<String>,
    },
    /// Settings from which no client can be made.
    #[error("the client cannot be made")]
    Config(#[source] Box<dyn Error + Send + Sync>),
}

/// The classes of answers that lead to different exit codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiFailure {
    /// No answer.
    Unreachable,
    /// 401.
    Unauthorized,
    /// 403.
    Forbidden,
    /// 404.
    NotFound,
    /// Everything else.
    Other,
}

/// Class and text, in kubectl's words, of an error of the API or of the way to it.
pub fn api_error(error: &kube::Error) -> (ApiFailure, String) {
    match error {
        kube::Error::Api(status) => match status.code {
            401 => {
                let message = if status.message.is_empty() { "Unauthorized" } else { &status.message };
                (ApiFailure::Unauthorized, format!("error: You must be logged in to the server ({message})"))
            }
            code => {
                let reason = if status.reason.is_empty() { String::new() } else { format!(" ({})", status.reason) };
                let text = format!("Error from server{reason}: {}", status.message);
                let failure = match code {
                    403 => ApiFailure::Forbidden,
                    404 => ApiFailure::NotFound,
                    _ => ApiFailure::Other,
                };
                (failure, text)
            }
        },
        kube::Error::HyperError(_) | kube::Error::Service(_) => (ApiFailure::Unreachable, unreachable_text(error)),
        other => (ApiFailure::Other, format!("error: {other}")),
    }
}

fn unreachable_text(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |error| (*error).source());
    let refused = causes.clone().find_map(|cause| cause.downcast_ref::<io::Error>());
    let address = causes.clone().find_map(|cause| cause.downcast_ref::<NoAnswer>());
    let address = address.map(|no_answer| format!(" {}", no_answer.address)).unwrap_or_default();
    if refused.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
        return format!("The connection to the server{address} was refused - did you specify the right host or port?");
    }
    let deepest = causes.last().map(ToString::to_string).unwrap_or_default();
    format!("Unable to connect to the server{address}: {deepest}")
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    fn status(code: u16, reason: &str, message: &str) -> kube::Error {
        let status = serde_json::json!({ "code": code, "reason": reason, "message": message, "status": "Failure" });
        kube::Error::Api(Box::new(serde_json::from_value::<Status>(status).unwrap()))
    }

    #[test]
    fn the_words_are_kubectls() {
        for (error, failure, text) in [
            (
                status(404, "NotFound", "secrets \"x\" not found"),
                ApiFailure::NotFound,
                "Error from server (NotFound): secrets \"x\" not found",
            ),
            (
                status(403, "Forbidden", "secrets is forbidden"),
                ApiFailure::Forbidden,
                "Error from server (Forbidden): secrets is forbidden",
            ),
            (
                status(401, "Unauthorized", "Unauthorized"),
                ApiFailure::Unauthorized,
                "error: You must be logged in to the server (Unauthorized)",
            ),
            (
                kube::Error::Service(io::Error::from(io::ErrorKind::ConnectionRefused).into()),
                ApiFailure::Unreachable,
                "The connection to the server was refused - did you specify the right host or port?",
            ),
        ] {
            assert_eq!(api_error(&error), (failure, text.to_owned()));
        }
    }
}
