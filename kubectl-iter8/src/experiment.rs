//! From values to what is launched: merge, check, complete, render. Pure; reading values and applying objects happen
//! elsewhere.

use std::time::Duration;

use clap::ValueEnum;
use iter8_cluster::chart::{Chart, Release, coalesce, render};
use iter8_cluster::error::BoxError;
use iter8_cluster::names::{Group, Revision};
use iter8_cluster::plan::{LaunchPlan, Render};
use iter8_core::schema::Problem;
use iter8_core::values::{Runner, plain_credentials, problems, schema};
use iter8_core::{ExitCode, Experiment};
use serde_json::{Value, json};

use crate::error::{CliError, chain};

/// How strictly values are checked, in kubectl's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Validate {
    /// An unknown key is an error.
    #[default]
    Strict,
    /// An unknown key is left out with a warning.
    Warn,
    /// An unknown key is left out silently.
    Ignore,
}

/// Values that passed every check, with their chart.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) chart: Chart,
    /// What the user set, merged; this is what history keeps.
    pub(crate) user_values: Value,
    /// With the chart's defaults.
    pub(crate) values: Value,
    /// Remarks for the user.
    pub(crate) warnings: Vec<String>,
}

/// Merges what the user set with the chart's defaults and checks it.
pub(crate) fn check(user_values: Value, validate: Validate) -> Result<Checked, CliError> {
    let chart = Chart::embedded("iter8").map_err(internal)?;
    let (mut values, mut warnings) = coalesce(&user_values, &chart.defaults);
    let (unknown, wrong): (Vec<Problem>, Vec<Problem>) = problems(&values).into_iter().partition(|p| p.unknown_key);
    match validate {
        Validate::Strict if !unknown.is_empty() || !wrong.is_empty() => {
            let all: Vec<Problem> = wrong.into_iter().chain(unknown).collect();
            return Err(CliError::values(&all));
        }
        _ if !wrong.is_empty() => return Err(CliError::values(&wrong)),
        Validate::Strict | Validate::Ignore => {}
        Validate::Warn => warnings.extend(unknown.iter().map(ToString::to_string)),
    }
    if !unknown.is_empty() {
        iter8_core::schema::prune_unknown(&mut values, &schema());
    }
    warnings.extend(plain_credentials(&values).into_iter().map(|place| {
        format!(
            "`{place}` stands in the values as it is, and so in Secrets of this experiment: {{secret: NAME, key: KEY}} in its place takes it from a Secret of yours"
        )
    }));
    complete(&mut values)?;
    Ok(Checked { chart, user_values, values, warnings })
}

/// Fills in what follows from the tasks: a job that takes far longer than they can is stopped by the cluster.
fn complete(values: &mut Value) -> Result<(), CliError> {
    if values.get("activeDeadlineSeconds").is_none_or(Value::is_null) {
        let seconds = (expected(values)? * 2 + DEADLINE_SLACK).as_secs();
        values["activeDeadlineSeconds"] = json!(seconds);
    }
    Ok(())
}

/// What scheduling, pulling an image and waiting for a slow target may take beside the tasks.
const DEADLINE_SLACK: Duration = Duration::from_secs(600);

/// How long the tasks take at most when nothing is late.
fn expected(values: &Value) -> Result<Duration, CliError> {
    let tasks = values["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let step = |task| {
        let mut inputs: Value = values[task].clone();
        // The condition of a step is none of its inputs, as in the chart.
        inputs.as_object_mut().and_then(|inputs| inputs.remove("if"));
        json!({ "task": task, "with": inputs })
    };
    let steps: Vec<Value> = tasks.map(step).collect();
    let spec = json!({ "spec": steps }).to_string();
    let experiment = Experiment::parse(&spec).map_err(internal)?;
    Ok(experiment.expected_duration())
}

impl Checked {
    /// The objects of one revision.
    pub(crate) fn render(&self, group: &Group, namespace: &str, revision: Revision) -> Result<Vec<Value>, CliError> {
        self.objects(group, namespace, revision).map_err(|error| CliError::usage(chain(error.as_ref())))
    }

    fn objects(&self, group: &Group, namespace: &str, revision: Revision) -> Result<Vec<Value>, BoxError> {
        let (name, namespace) = (group.clone(), namespace.to_owned());
        let release = Release { name, namespace, revision, service: "kubectl-iter8".to_owned() };
        Ok(render(&self.chart, &release, &self.values)?)
    }

    /// Renders for whatever revision the launch takes.
    pub(crate) fn renderer<'a>(
        &'a self,
        group: &'a Group,
        namespace: &'a str,
    ) -> impl Fn(Revision) -> Result<Vec<Value>, BoxError> + Send + Sync + 'a {
        move |revision| self.objects(group, namespace, revision)
    }

    /// The launch of these values.
    pub(crate) fn plan<'a>(&'a self, group: &'a Group, namespace: &'a str, render: &'a Render<'a>) -> LaunchPlan<'a> {
        let runner = serde_json::from_value(self.values["runner"].clone()).unwrap_or(Runner::Job);
        // As the chart chooses it: the name that Iter8 v0.13 gave it wins.
        let image = [&self.values["iter8Image"], &self.values["image"]].into_iter().find_map(Value::as_str);
        let image = image.unwrap_or_default();
        LaunchPlan { image, runner, ..LaunchPlan::new(namespace, group, &self.user_values, render) }
    }
}

fn internal(error: impl std::error::Error + 'static) -> CliError {
    CliError::new(ExitCode::Internal, chain(&error))
}
