//! Why no load could be sent at all. What goes wrong with single requests is part of the report.

use crate::report::ErrorKind;

/// Why a run did not take place.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// The plan asks for something impossible.
    #[error("the load cannot be sent: {0}")]
    Plan(String),
    /// The certificates of the plan cannot be used.
    #[error("the TLS settings cannot be used: {0}")]
    Tls(String),
    /// The first request of a run by duration failed, so that the whole run would only measure failures.
    #[error("the first request to {target} failed: {reason}; allow initial errors to measure anyway")]
    InitialRequest {
        /// Scheme, host and port.
        target: String,
        /// How it failed.
        reason: ErrorKind,
    },
    /// No connection could be made to ask the target something before any load.
    #[error("cannot connect to {target}: {reason}{}", detailed(.detail))]
    Unreachable {
        /// Scheme, host and port.
        target: String,
        /// What went wrong.
        reason: ErrorKind,
        /// What the operating system or TLS said of it; may be empty.
        detail: String,
    },
    /// The operating system did not give what the generator needs.
    #[error("cannot {action}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why it failed.
        #[source]
        source: std::io::Error,
    },
}

fn detailed(detail: &str) -> String {
    if detail.is_empty() { String::new() } else { format!(" ({detail})") }
}
