//! Why nobody was told. No message holds a credential, nor a URL that may be one.

use http::StatusCode;
use iter8_cluster::template::TemplateError;

use super::send::SendError;
use crate::credentials::CredentialError;
use crate::tasks::{TemplateSourceError, TlsError};

/// Why nobody was told.
#[derive(Debug, thiserror::Error)]
pub enum NotifyError {
    /// An input that is required is missing.
    #[error("`{0}` is required")]
    Missing(String),
    /// A credential cannot be had.
    #[error("`{key}` cannot be had")]
    Credential {
        /// Key of the input.
        key: String,
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// What a credential holds is no URL.
    #[error("`{0}` is no URL that can be asked: it must begin with https:// or http:// and name a host")]
    NoUrl(String),
    /// What a credential holds cannot be sent in a header.
    #[error("`{0}` has a character that no header can carry, such as a line break")]
    NoHeader(String),
    /// There is no template of the payload.
    #[error(transparent)]
    Source(#[from] TemplateSourceError),
    /// The template of the payload fails.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What the template makes is not what the receiver reads.
    #[error("what `{key}` makes is not JSON; write texts as {{{{ .Report.verdict | toJson }}}}")]
    NotJson {
        /// Key of the template.
        key: &'static str,
        /// Where it breaks off.
        #[source]
        source: serde_json::Error,
    },
    /// What the template makes is no event.
    #[error("what `{key}` makes is no event of GitHub: {problem}")]
    NoEvent {
        /// Key of the template.
        key: &'static str,
        /// Why.
        problem: String,
    },
    /// Settings of TLS name what is not there.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// There was no answer.
    #[error(transparent)]
    Send(#[from] SendError),
    /// An answer that says no.
    #[error("{whom} answered {status}{}{hint}", after(.said))]
    Refused {
        /// Scheme, host and port.
        whom: String,
        /// The status.
        status: StatusCode,
        /// The beginning of the body.
        said: String,
        /// What to do, after a colon.
        hint: &'static str,
    },
    /// An answer that points somewhere that must not get the credentials.
    #[error("{whom} answered {status} and points to {place}, which is not given the credentials: correct the URL")]
    Elsewhere {
        /// Scheme, host and port.
        whom: String,
        /// The status.
        status: StatusCode,
        /// Scheme, host and port of the other place.
        place: String,
    },
}

fn after(said: &str) -> String {
    if said.is_empty() { String::new() } else { format!(" and said `{said}`") }
}
