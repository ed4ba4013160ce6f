//! The one place that turns errors of the libraries into a sentence, hints and an exit code. Printing them is the
//! printer's business.

use std::io;

use iter8_agent::runner::RunError;
use iter8_cluster::error::ClusterError;
pub(crate) use iter8_cluster::error::chain;
use iter8_core::ExitCode;
use iter8_core::schema::Problem;

use crate::connect::{ApiFailure, ConnectError, api_error};
use crate::local::StoreError;
use crate::values::ValuesError;

/// Why a command failed.
#[derive(Debug)]
pub(crate) struct CliError {
    code: ExitCode,
    text: String,
    hints: Vec<String>,
}

impl CliError {
    /// An error in kubectl's form `error: <message>`.
    pub(crate) fn new(code: ExitCode, message: impl AsRef<str>) -> Self {
        Self::verbatim(code, format!("error: {}", message.as_ref()))
    }

    /// An error whose text is complete.
    pub(crate) fn verbatim(code: ExitCode, text: String) -> Self {
        Self { code, text, hints: Vec::new() }
    }

    /// The command line or the values are wrong.
    pub(crate) fn usage(message: impl AsRef<str>) -> Self {
        Self::new(ExitCode::Usage, message)
    }

    /// Values with problems, one line each.
    pub(crate) fn values(problems: &[Problem]) -> Self {
        let text = match problems {
            [one] => format!("error: invalid values: {one}"),
            several => {
                let lines: Vec<String> = several.iter().map(|problem| format!("* {problem}")).collect();
                format!("error: invalid values:\n{}", lines.join("\n"))
            }
        };
        Self::verbatim(ExitCode::Usage, text)
    }

    /// Stdout or a file cannot be written to.
    pub(crate) fn output(error: &io::Error) -> Self {
        Self::new(ExitCode::Cluster, format!("cannot write the output: {error}"))
    }

    /// Adds what to do about it.
    pub(crate) fn hinted(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Says what to do about it instead of what was said.
    pub(crate) fn replaced_hint(mut self, hint: impl Into<String>) -> Self {
        self.hints = vec![hint.into()];
        self
    }

    /// The exit code.
    pub(crate) const fn code(&self) -> ExitCode {
        self.code
    }

    /// The sentence.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// What to do about it.
    pub(crate) fn hints(&self) -> &[String] {
        &self.hints
    }
}

impl From<ValuesError> for CliError {
    fn from(error: ValuesError) -> Self {
        Self::usage(chain(&error))
    }
}

impl From<ConnectError> for CliError {
    fn from(error: ConnectError) -> Self {
        let hint = match &error {
            ConnectError::Plugin { hint, .. } => hint.clone(),
            ConnectError::NoConfiguration(_) => Some(
                "name one with --kubeconfig or KUBECONFIG; without a cluster: --local, or `kubectl iter8 demo`"
                    .to_owned(),
            ),
            ConnectError::NoContext(_) => Some("`kubectl config get-contexts` lists the contexts".to_owned()),
            ConnectError::Kubeconfig { .. }
            | ConnectError::NoCluster(_)
            | ConnectError::NoUser(_)
            | ConnectError::Server(_)
            | ConnectError::Proxy(_)
            | ConnectError::TokenFile { .. }
            | ConnectError::Config(_) => None,
        };
        let made = Self::new(ExitCode::Cluster, chain(&error));
        hint.into_iter().fold(made, Self::hinted)
    }
}

impl From<ClusterError> for CliError {
    fn from(error: ClusterError) -> Self {
        match &error {
            ClusterError::Api { action, source } => of_api(action, source),
            ClusterError::Foreign { .. } => Self::new(ExitCode::Cluster, chain(&error))
                .hinted("choose another group with -g, or delete that object"),
            ClusterError::NotFound { .. } => Self::new(ExitCode::NotFound, chain(&error))
                .hinted("`kubectl iter8 get` lists the groups of a namespace"),
            ClusterError::NamespaceMissing(name) => Self::verbatim(
                ExitCode::NotFound,
                format!("Error from server (NotFound): namespaces \"{name}\" not found"),
            )
            .hinted(format!("kubectl create namespace {name}")),
            ClusterError::NamespaceTerminating(_) => Self::new(ExitCode::Cluster, chain(&error))
                .hinted("wait until it is gone, or choose another namespace with -n"),
            ClusterError::Rejected { .. } => Self::new(ExitCode::NotAllowed, chain(&error)),
            ClusterError::ResultGone { .. } => {
                Self::new(ExitCode::NotFound, chain(&error)).hinted("launch the experiment again")
            }
            ClusterError::Corrupt { secret, .. } => {
                let is_result = secret.ends_with("-result");
                let hint =
                    if is_result { "launch the experiment again" } else { "`kubectl iter8 delete` removes the group" };
                Self::new(ExitCode::Cluster, chain(&error)).hinted(hint)
            }
            ClusterError::NoAutox { .. } => Self::new(ExitCode::NotFound, chain(&error))
                .hinted("name another with --name, or its namespace with -n; `kubectl iter8 autox apply` installs one"),
            ClusterError::AutoxChanged { .. } => Self::new(ExitCode::Cluster, chain(&error))
                .hinted("look at `kubectl iter8 autox status`, then apply again"),
            ClusterError::NoPod { .. } => Self::new(ExitCode::NotFound, chain(&error)),
            ClusterError::Render { .. } | ClusterError::Manifest(_) => Self::usage(chain(&error)),
            ClusterError::TimedOut { .. } => Self::new(ExitCode::TimedOut, chain(&error)),
            ClusterError::Superseded { .. } => {
                Self::new(ExitCode::Cluster, chain(&error)).hinted("launch again when the other launch has ended")
            }
            ClusterError::Encode { .. } => Self::new(ExitCode::Internal, chain(&error)),
        }
    }
}

/// The words are kubectl's; what was tried is added where they do not tell it.
fn of_api(action: &str, source: &kube::Error) -> CliError {
    let (failure, text) = api_error(source);
    match failure {
        ApiFailure::Unreachable => CliError::verbatim(ExitCode::Cluster, text)
            .hinted("`kubectl cluster-info` tells whether kubectl reaches it; --local needs no cluster"),
        ApiFailure::Unauthorized => CliError::verbatim(ExitCode::NotAllowed, text)
            .hinted("log in again, or check --token and the user of the kubeconfig's context"),
        ApiFailure::Forbidden => {
            let without_roles =
                if action.contains("role") { "; without roles: --set serviceAccountName=NAME" } else { "" };
            CliError::verbatim(ExitCode::NotAllowed, text)
                .hinted(format!("`kubectl iter8 check` lists what is missing{without_roles}"))
        }
        ApiFailure::NotFound => CliError::verbatim(ExitCode::NotFound, text),
        ApiFailure::Other => CliError::verbatim(ExitCode::Cluster, format!("{text} (cannot {action})")),
    }
}

impl From<StoreError> for CliError {
    fn from(error: StoreError) -> Self {
        match &error {
            StoreError::NotFound { .. } => Self::new(ExitCode::NotFound, chain(&error))
                .hinted("`kubectl iter8 get --local` lists the groups of this machine"),
            StoreError::NoDirectory => Self::new(ExitCode::Cluster, chain(&error)).hinted("set HOME or XDG_DATA_HOME"),
            StoreError::Io { .. } | StoreError::Corrupt { .. } => Self::new(ExitCode::Cluster, chain(&error)),
        }
    }
}

impl From<RunError> for CliError {
    fn from(error: RunError) -> Self {
        Self::new(ExitCode::Cluster, chain(&error))
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::new(ExitCode::Internal, error.to_string())
    }
}
