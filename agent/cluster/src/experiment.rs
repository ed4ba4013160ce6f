//! From the values of an experiment to what is launched: merge with the chart's defaults, check, complete, render. Pure.
//! The plugin and AutoX take the same way; where values come from is their business.

use std::sync::OnceLock;
use std::time::Duration;

use iter8_core::schema::{Problem, prune_unknown};
use iter8_core::values::{Runner, plain_credentials, problems, schema};
use iter8_core::{Experiment, SpecError};
use serde_json::{Value, json};

use crate::chart::{Chart, ChartError, Release, coalesce, render};
use crate::error::BoxError;
use crate::names::{Group, MANAGER, Revision};
use crate::plan::{LaunchPlan, Render};

/// What is done about keys that nobody knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum UnknownKeys {
    /// They are problems.
    #[default]
    Refuse,
    /// They are left out with a warning.
    Warn,
    /// They are left out.
    Ignore,
}

/// Why values make no experiment.
#[derive(Debug, thiserror::Error)]
pub enum ExperimentError {
    /// The values are wrong.
    #[error("{}", sentences(.0))]
    Values(Vec<Problem>),
    /// The chart that is part of the program is broken.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// Values that passed every check give no experiment.
    #[error(transparent)]
    Spec(#[from] SpecError),
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// Values that passed every check, with their chart.
#[derive(Debug)]
pub struct Checked {
    chart: &'static Chart,
    /// What the user set, merged; this is what history keeps.
    pub user_values: Value,
    /// With the chart's defaults.
    pub values: Value,
    /// Remarks for the user.
    pub warnings: Vec<String>,
}

/// The chart of experiments, read once: AutoX checks the values of many.
fn chart() -> Result<&'static Chart, ChartError> {
    static CHART: OnceLock<Chart> = OnceLock::new();
    match CHART.get() {
        Some(chart) => Ok(chart),
        None => {
            let chart = Chart::embedded("iter8")?;
            Ok(CHART.get_or_init(|| chart))
        }
    }
}

/// Merges what the user set with the chart's defaults and checks it.
///
/// # Errors
/// Every problem of the values.
pub fn check(user_values: Value, unknown_keys: UnknownKeys) -> Result<Checked, ExperimentError> {
    let chart = chart()?;
    let (mut values, mut warnings) = coalesce(&user_values, &chart.defaults);
    let (unknown, wrong): (Vec<Problem>, Vec<Problem>) = problems(&values).into_iter().partition(|p| p.unknown_key);
    match unknown_keys {
        UnknownKeys::Refuse if !unknown.is_empty() || !wrong.is_empty() => {
            return Err(ExperimentError::Values(wrong.into_iter().chain(unknown).collect()));
        }
        _ if !wrong.is_empty() => return Err(ExperimentError::Values(wrong)),
        UnknownKeys::Refuse | UnknownKeys::Ignore => {}
        UnknownKeys::Warn => warnings.extend(unknown.iter().map(ToString::to_string)),
    }
    if !unknown.is_empty() {
        prune_unknown(&mut values, &schema());
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
fn complete(values: &mut Value) -> Result<(), SpecError> {
    if values.get("activeDeadlineSeconds").is_none_or(Value::is_null) {
        let seconds = (expected(values)? * 2 + DEADLINE_SLACK).as_secs();
        values["activeDeadlineSeconds"] = json!(seconds);
    }
    Ok(())
}

/// What scheduling, pulling an image and waiting for a slow target may take beside the tasks.
const DEADLINE_SLACK: Duration = Duration::from_secs(600);

/// How long the tasks take at most when nothing is late.
fn expected(values: &Value) -> Result<Duration, SpecError> {
    let tasks = values["tasks"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let step = |task| {
        let mut inputs: Value = values[task].clone();
        // The condition of a step is none of its inputs, as in the chart.
        inputs.as_object_mut().and_then(|inputs| inputs.remove("if"));
        json!({ "task": task, "with": inputs })
    };
    let steps: Vec<Value> = tasks.map(step).collect();
    let spec = json!({ "spec": steps }).to_string();
    Ok(Experiment::parse(&spec)?.expected_duration())
}

impl Checked {
    /// The objects of one revision.
    ///
    /// # Errors
    /// A template of the chart fails.
    pub fn objects(&self, group: &Group, namespace: &str, revision: Revision) -> Result<Vec<Value>, BoxError> {
        let (name, namespace) = (group.clone(), namespace.to_owned());
        let release = Release { name, namespace, revision, service: MANAGER.to_owned() };
        Ok(render(self.chart, &release, &self.values)?)
    }

    /// Renders for whatever revision the launch takes.
    pub fn renderer<'a>(
        &'a self,
        group: &'a Group,
        namespace: &'a str,
    ) -> impl Fn(Revision) -> Result<Vec<Value>, BoxError> + Send + Sync + 'a {
        move |revision| self.objects(group, namespace, revision)
    }

    /// The launch of these values.
    pub fn plan<'a>(&'a self, group: &'a Group, namespace: &'a str, render: &'a Render<'a>) -> LaunchPlan<'a> {
        let runner = serde_json::from_value(self.values["runner"].clone()).unwrap_or(Runner::Job);
        // As the chart chooses it: the name that Iter8 v0.13 gave it wins.
        let image = [&self.values["iter8Image"], &self.values["image"]].into_iter().find_map(Value::as_str);
        let image = image.unwrap_or_default();
        LaunchPlan { image, runner, ..LaunchPlan::new(namespace, group, &self.user_values, render) }
    }
}
