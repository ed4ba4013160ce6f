//! The closed set of tasks and their inputs. What a task does is the agent's business.

pub mod abnmetrics;
pub mod assess;
pub mod credential;
pub mod custommetrics;
pub mod grpc;
pub mod http;
pub mod load;
pub mod notify;
pub mod ready;
pub mod run;
mod template_source;

use serde_json::Value;

pub use credential::{Credential, Placed};
pub use template_source::TemplateSource;

use credential::named;
use load::AppVersion;

use crate::schema::{Problem, check, schema_of};

/// A kind of work with its inputs.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// Waits until objects of the cluster are ready.
    Ready(ready::Ready),
    /// Sends HTTP requests and measures the answers.
    Http(Box<http::Http>),
    /// Calls a method of a gRPC service and measures the answers.
    Grpc(Box<grpc::Grpc>),
    /// Brings in metrics from databases and REST APIs.
    CustomMetrics(Box<custommetrics::CustomMetrics>),
    /// Brings in what an A/B/n service measured.
    AbnMetrics(abnmetrics::AbnMetrics),
    /// Judges objectives on what was measured.
    Assess(assess::Assess),
    /// Says in Slack how it goes.
    Slack(notify::Slack),
    /// Starts workflows of a repository on GitHub.
    Github(notify::Github),
    /// Tells any server.
    Webhook(notify::Webhook),
    /// Runs a command.
    Run(run::Run),
}

impl Task {
    /// The names of all tasks, in the order in which they are documented.
    pub const NAMES: [&'static str; 10] =
        ["ready", "http", "grpc", "custommetrics", "abnmetrics", "assess", "slack", "github", "webhook", "run"];

    /// The task's name in a spec and in values.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Ready(_) => "ready",
            Self::Http(_) => "http",
            Self::Grpc(_) => "grpc",
            Self::CustomMetrics(_) => "custommetrics",
            Self::AbnMetrics(_) => "abnmetrics",
            Self::Assess(_) => "assess",
            Self::Slack(_) => "slack",
            Self::Github(_) => "github",
            Self::Webhook(_) => "webhook",
            Self::Run(_) => "run",
        }
    }

    /// First parts of the names of all metrics that the task measures.
    pub fn providers(&self) -> Vec<String> {
        match self {
            Self::Http(http) => {
                let parts = http.parts().into_iter().map(|part| (part.provider, part.load.app_version));
                load_providers(http::PROVIDER, parts)
            }
            Self::Grpc(grpc) => {
                let parts = grpc.parts().into_iter().map(|part| (part.provider, part.calls.app_version));
                load_providers(grpc::PROVIDER, parts)
            }
            Self::AbnMetrics(_) => vec![abnmetrics::PROVIDER.to_owned()],
            Self::CustomMetrics(metrics) => metrics.templates.keys().cloned().collect(),
            Self::Ready(_) | Self::Assess(_) | Self::Slack(_) | Self::Github(_) | Self::Webhook(_) => Vec::new(),
            Self::Run(_) => Vec::new(),
        }
    }

    /// The credentials among its inputs that are one whatever they say. A place that refers to a Secret has to be known to
    /// the chart, which mounts it (`iter8.secrets`).
    pub fn credentials(&self) -> Vec<Placed<'_>> {
        match self {
            Self::CustomMetrics(metrics) => metrics.credentials(),
            Self::Http(http) => http.credentials(),
            Self::Grpc(grpc) => grpc.credentials(),
            Self::Ready(_) | Self::AbnMetrics(_) | Self::Assess(_) => Vec::new(),
            Self::Slack(slack) => placed([("url", slack.url.as_ref())]),
            Self::Github(github) => placed([("token", github.token.as_ref())]),
            Self::Webhook(webhook) => {
                let mut found = placed([("url", webhook.url.as_ref()), ("bearerToken", webhook.bearer_token.as_ref())]);
                found.extend(named("headers", &webhook.headers));
                found
            }
            Self::Run(run) => named("env", &run.env),
        }
    }

    /// The inputs `with` of the task called `name`; None when there is no such task.
    ///
    /// # Errors
    /// Every problem of the inputs, each with its place relative to them.
    pub fn parse(name: &str, with: &Value) -> Option<Result<Self, Vec<Problem>>> {
        match name {
            "ready" => Some(read(with, ready::Ready::validate).map(Self::Ready)),
            "http" => Some(read(with, http::Http::validate).map(|http| Self::Http(Box::new(http)))),
            "grpc" => Some(read(with, grpc::Grpc::validate).map(|grpc| Self::Grpc(Box::new(grpc)))),
            "custommetrics" => Some(
                read(with, custommetrics::CustomMetrics::validate)
                    .map(|metrics| Self::CustomMetrics(Box::new(metrics))),
            ),
            "abnmetrics" => Some(read(with, abnmetrics::AbnMetrics::validate).map(Self::AbnMetrics)),
            "assess" => Some(read(with, assess::Assess::validate).map(Self::Assess)),
            "slack" => Some(read(with, notify::Slack::validate).map(Self::Slack)),
            "github" => Some(read(with, notify::Github::validate).map(Self::Github)),
            "webhook" => Some(read(with, notify::Webhook::validate).map(Self::Webhook)),
            "run" => Some(read(with, run::Run::validate).map(Self::Run)),
            _ => None,
        }
    }
}

/// The first parts of the names of what a load measures: of each endpoint, and of the task when they are of versions.
fn load_providers(task: &str, parts: impl Iterator<Item = (String, AppVersion)>) -> Vec<String> {
    let (mut providers, versions): (Vec<String>, Vec<AppVersion>) = parts.unzip();
    if versions.iter().any(|version| version.name().is_some()) && !providers.iter().any(|provider| provider == task) {
        providers.push(task.to_owned());
    }
    providers
}

/// The credentials of those places that have one.
fn placed<'a, const N: usize>(places: [(&str, Option<&'a Credential>); N]) -> Vec<Placed<'a>> {
    let given = places.into_iter().filter_map(|(path, credential)| Some((path.to_owned(), credential?)));
    given.map(|(path, credential)| Placed { path, credential }).collect()
}

/// Reads inputs strictly: by their schema first, because its messages have places and suggestions, then as a type,
/// then by the rules that span several keys.
fn read<T>(with: &Value, validate: impl Fn(&T) -> Vec<Problem>) -> Result<T, Vec<Problem>>
where
    T: serde::de::DeserializeOwned + schemars::JsonSchema,
{
    let empty = Value::Object(serde_json::Map::new());
    let with = if with.is_null() { &empty } else { with };
    let problems = check(with, &schema_of::<T>());
    if !problems.is_empty() {
        return Err(problems);
    }
    let inputs: T = serde_json::from_value(with.clone()).map_err(|error| vec![Problem::at("", error.to_string())])?;
    let problems = validate(&inputs);
    if problems.is_empty() { Ok(inputs) } else { Err(problems) }
}
