//! What each task does, one file per task. The set is closed: a new task is a new arm of the match below.

mod abnmetrics;
mod assess;
mod call_template;
mod conversation;
pub(crate) mod custommetrics;
mod grpc;
mod http;
mod load;
pub(crate) mod notify;
mod ready;
mod retry;
mod run;
pub(crate) mod template_source;

use std::path::PathBuf;

use iter8_core::{Experiment, ExperimentResult, Task};
use tokio_util::sync::CancellationToken;

pub use load::tls::TlsError;
pub use notify::NotifyError;
pub use ready::{Readiness, readiness};
pub use run::CommandError;
pub use template_source::TemplateSourceError;

use crate::credentials::{CredentialError, Credentials};

/// What a task works with.
pub struct TaskContext<'a> {
    /// The experiment that the task is a step of.
    pub experiment: &'a Experiment,
    /// The result that it adds to.
    pub result: &'a mut ExperimentResult,
    /// The cluster; None in a local run.
    pub client: Option<&'a kube::Client>,
    /// The experiment's namespace; empty in a local run.
    pub namespace: &'a str,
    /// Where the texts come from that inputs only name.
    pub credentials: &'a Credentials<'a>,
    /// Fires when the task has to stop.
    pub cancel: &'a CancellationToken,
    /// Takes a few words on how far the task is.
    pub progress: &'a (dyn Fn(String) + Sync),
}

/// Why a task did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// Stopped from outside; what it measured is in the result.
    #[error("stopped")]
    Cancelled,
    /// A defect of the task.
    #[error("a defect of iter8: {0}")]
    Panicked(String),
    /// The task needs a cluster and there is none.
    #[error("the task needs a cluster: launch without --local")]
    NoCluster,
    /// Objects were not ready in time.
    #[error("not ready after {timeout}: {missing}")]
    NotReady {
        /// How long it waited.
        timeout: iter8_core::GoDuration,
        /// What is missing.
        missing: String,
    },
    /// An object that was waited for cannot get ready any more.
    #[error("{object} {why}; waiting longer does not help")]
    NeverReady {
        /// The object.
        object: String,
        /// Why, after its name.
        why: String,
    },
    /// Looking at an object is not allowed.
    #[error(
        "cannot read {object}: the account of the experiment needs the right to {verb} {resource} in the namespace {namespace}"
    )]
    Forbidden {
        /// The object.
        object: String,
        /// What is not allowed, in the word of roles.
        verb: &'static str,
        /// To what, with its group.
        resource: String,
        /// Where.
        namespace: String,
        /// What the cluster said.
        #[source]
        source: Box<kube::Error>,
    },
    /// The cluster refused to say whether an object is ready.
    #[error("cannot read {object}")]
    Unreadable {
        /// The object.
        object: String,
        /// What the cluster said.
        #[source]
        source: Box<kube::Error>,
    },
    /// A file with the body of a request cannot be read.
    #[error("cannot read the payload {}", path.display())]
    Payload {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Settings of TLS name what is not there.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// An input that only the task itself could check is wrong.
    #[error("`{key}` is wrong")]
    Input {
        /// Key of the input.
        key: &'static str,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A credential cannot be had.
    #[error("`{key}`")]
    Credential {
        /// Key of the input.
        key: String,
        /// Why.
        #[source]
        source: CredentialError,
    },
    /// Nobody could be told how the experiment goes.
    #[error("not delivered")]
    Notify(#[from] NotifyError),
    /// A command did not succeed.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// One of several endpoints cannot be measured.
    #[error("endpoint `{endpoint}`")]
    Endpoint {
        /// Its name.
        endpoint: String,
        /// Why.
        #[source]
        source: Box<Self>,
    },
    /// A server did not say what its services are.
    #[error("cannot ask the server what it offers")]
    Reflection(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// A template of a metrics provider cannot be used.
    #[error("`custommetrics.templates.{name}`")]
    Template {
        /// Its name among the inputs.
        name: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The A/B/n service did not say what it knows.
    #[error("cannot ask the A/B/n service")]
    AbnService(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The load could not be generated.
    #[error(transparent)]
    Load(#[from] iter8_load::LoadError),
}

/// Runs one task. On success returns what it did, in a sentence.
pub(crate) async fn run(task: &Task, context: TaskContext<'_>) -> Result<String, TaskError> {
    match task {
        Task::Ready(inputs) => ready::run(inputs, context).await,
        Task::Http(inputs) => http::run(inputs, context).await,
        Task::Grpc(inputs) => grpc::run(inputs, context).await,
        Task::CustomMetrics(inputs) => custommetrics::run(inputs, context).await,
        Task::AbnMetrics(inputs) => abnmetrics::run(inputs, context).await,
        Task::Assess(inputs) => Ok(assess::run(inputs, context)),
        Task::Slack(inputs) => notify::slack(inputs, context).await,
        Task::Github(inputs) => notify::github(inputs, context).await,
        Task::Webhook(inputs) => notify::webhook(inputs, context).await,
        Task::Run(inputs) => run::run(inputs, context).await,
    }
}
