//! The spec of an experiment (`experiment.yaml`): text in, checked steps out. Running them is the agent's business.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use crate::autox::Tested;
use crate::metric::MetricName;
use crate::result::API_VERSION;
use crate::scalar::Text;
use crate::schema::Problem;
use crate::stats::DEFAULT_CONFIDENCE;
use crate::step_condition::{ConditionError, StepCondition};
use crate::suggest::nearest;
use crate::task::assess::Assess;
use crate::task::{Task, abnmetrics};
use crate::yaml::{TAGGED, YamlError, tagged_condition};

/// An ordered list of steps.
#[derive(Clone, Debug, PartialEq)]
pub struct Experiment {
    /// What is tested, if that is said.
    pub trigger: Option<Tested>,
    /// The steps, at least one.
    pub steps: Vec<Step>,
}

/// One entry of a spec.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The work with its inputs.
    pub task: Task,
    /// When it is done; None for always.
    pub condition: Option<StepCondition>,
}

/// Why a text is not a spec.
#[derive(Debug, thiserror::Error)]
pub enum SpecError {
    /// Not YAML, or not the shape of a spec.
    #[error("the experiment cannot be read")]
    Yaml(#[source] YamlError),
    /// Written for another version of iter8.
    #[error("the experiment has apiVersion `{0}`; this version of iter8 reads {API_VERSION}")]
    ApiVersion(String),
    /// No steps.
    #[error("the experiment has no steps")]
    Empty,
    /// A step names a task that does not exist.
    #[error("step {step} names `{task}`, which is not a task{}", did_you_mean(.task))]
    UnknownTask {
        /// Number of the step, from 1.
        step: usize,
        /// The name.
        task: String,
    },
    /// A step says in no way what to do.
    #[error("step {step} names no task: write `task: NAME`, or `run: COMMAND`")]
    NoTask {
        /// Number of the step, from 1.
        step: usize,
    },
    /// A step says in two ways what to do.
    #[error("step {step} has `run` and `{key}`: give one of them, as in {{task: run, with: {{command: …}}}}")]
    RunAnd {
        /// Number of the step, from 1.
        step: usize,
        /// What it has beside.
        key: &'static str,
    },
    /// The condition of a step is wrong.
    #[error("step {step} (`{task}`): `if`")]
    Condition {
        /// Number of the step, from 1.
        step: usize,
        /// Its task.
        task: String,
        /// What is wrong with it.
        #[source]
        source: ConditionError,
    },
    /// A condition was written so that YAML does not take it for a text.
    #[error("line {0}: {TAGGED}")]
    Tagged(usize),
    /// Inputs of a step are wrong.
    #[error("step {step} (`{task}`): {}", sentences(.problems))]
    Inputs {
        /// Number of the step, from 1.
        step: usize,
        /// Its task.
        task: String,
        /// What is wrong with them.
        problems: Vec<Problem>,
    },
}

fn did_you_mean(task: &str) -> String {
    match nearest(task, Task::NAMES) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; known are {}", Task::NAMES.join(", ")),
    }
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RawExperiment {
    #[serde(default)]
    api_version: Option<String>,
    #[serde(default)]
    trigger: Option<Tested>,
    #[serde(default)]
    spec: Vec<RawStep>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStep {
    #[serde(default)]
    task: Option<String>,
    /// A command, as Iter8 v0.13 wrote it: the task `run` in short.
    #[serde(default)]
    run: Option<Text>,
    #[serde(default, rename = "if", deserialize_with = "present")]
    condition: Option<Option<Text>>,
    #[serde(default)]
    with: Value,
}

/// Tells an `if` that says nothing from one that is not there.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Option<Text>>, D::Error> {
    Option::<Text>::deserialize(deserializer).map(Some)
}

impl Experiment {
    /// Reads a spec strictly.
    ///
    /// # Errors
    /// The first step that is wrong, with its number, name and every problem of its inputs.
    pub fn parse(text: &str) -> Result<Self, SpecError> {
        let raw: RawExperiment = serde_yaml::from_str(text).map_err(|error| SpecError::Yaml(error.into()))?;
        if let Some(version) = raw.api_version.filter(|version| version != API_VERSION) {
            return Err(SpecError::ApiVersion(version));
        }
        if raw.spec.is_empty() {
            return Err(SpecError::Empty);
        }
        if raw.spec.iter().any(|step| step.condition == Some(None))
            && let Some(line) = tagged_condition(text)
        {
            return Err(SpecError::Tagged(line));
        }
        let steps = raw.spec.into_iter().enumerate().map(|(index, raw)| Step::parse(index + 1, raw));
        Ok(Self { trigger: raw.trigger, steps: steps.collect::<Result<_, _>>()? })
    }

    /// Names of the tasks, in order.
    pub fn task_names(&self) -> Vec<&'static str> {
        self.steps.iter().map(|step| step.task.name()).collect()
    }

    /// The percentiles of `provider`'s latency that some objective of this experiment needs.
    pub fn percentiles(&self, provider: &str) -> Vec<f64> {
        let names = self.objectives().flat_map(Assess::metrics).filter_map(|name| name.parse::<MetricName>().ok());
        let wanted = names.filter(|name| name.provider == provider).filter_map(|name| name.percentile());
        // Through the text form, because floats have no order of their own.
        let sorted: BTreeSet<String> = wanted.map(|percentile| percentile.to_string()).collect();
        sorted.iter().filter_map(|percentile| percentile.parse().ok()).collect()
    }

    /// The confidence level of all intervals: the one that the first `assess` step asks for, or the usual one.
    pub fn confidence(&self) -> f64 {
        self.objectives().find_map(|assess| assess.confidence).map_or(DEFAULT_CONFIDENCE, |level| level.0)
    }

    /// How long one loop takes at most when nothing is late: the loads in full and every wait to its timeout.
    pub fn expected_duration(&self) -> Duration {
        let expected = |step: &Step| match &step.task {
            Task::Ready(ready) => ready.timeout(),
            Task::Http(http) => http.expected_duration(),
            Task::Grpc(grpc) => grpc.expected_duration(),
            Task::CustomMetrics(metrics) => metrics.expected_duration(),
            Task::AbnMetrics(_) => abnmetrics::PATIENCE,
            Task::Assess(_) => Duration::ZERO,
            Task::Slack(slack) => slack.delivery.expected_duration(),
            Task::Github(github) => github.delivery.expected_duration(),
            Task::Webhook(webhook) => webhook.delivery.expected_duration(),
            Task::Run(run) => run.timeout(),
        };
        // A year is longer than any experiment, and small enough for every sum and every field of the cluster.
        self.steps
            .iter()
            .map(expected)
            .fold(Duration::ZERO, Duration::saturating_add)
            .min(Duration::from_secs(31_536_000))
    }

    /// The objectives of the first `assess` step on metrics of `provider`, but for `except`, as they are judged there.
    pub fn objectives_on(&self, provider: &str, except: &str) -> Assess {
        let is_on =
            |name: &str| name.parse::<MetricName>().is_ok_and(|name| name.provider == provider && name.name != except);
        let mut assess = self.objectives().next().cloned().unwrap_or_default();
        if let Some(slos) = &mut assess.slos {
            slos.upper.retain(|name, _| is_on(name));
            slos.lower.retain(|name, _| is_on(name));
        }
        assess
    }

    fn objectives(&self) -> impl Iterator<Item = &Assess> {
        self.steps.iter().filter_map(|step| match &step.task {
            Task::Assess(assess) => Some(assess),
            Task::Ready(_) | Task::Http(_) | Task::Grpc(_) | Task::CustomMetrics(_) | Task::AbnMetrics(_) => None,
            Task::Slack(_) | Task::Github(_) | Task::Webhook(_) | Task::Run(_) => None,
        })
    }
}

impl Step {
    fn parse(step: usize, raw: RawStep) -> Result<Self, SpecError> {
        let condition = raw.condition;
        let (task, with) = match (raw.task, raw.run, raw.with) {
            (Some(_), Some(_), _) => return Err(SpecError::RunAnd { step, key: "task" }),
            (None, Some(_), with) if !with.is_null() => return Err(SpecError::RunAnd { step, key: "with" }),
            (None, Some(Text(command)), _) => ("run".to_owned(), json!({ "command": command })),
            (Some(task), None, with) => (task, with),
            (None, None, _) => return Err(SpecError::NoTask { step }),
        };
        let condition = condition.flatten().map(|text| StepCondition::parse(&text.0)).transpose();
        let condition = condition.map_err(|source| SpecError::Condition { step, task: task.clone(), source })?;
        match Task::parse(&task, &with) {
            None => Err(SpecError::UnknownTask { step, task }),
            Some(Err(problems)) => Err(SpecError::Inputs { step, task, problems }),
            Some(Ok(task)) => Ok(Self { task, condition }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "apiVersion: iter8.tools/v1\nspec:\n- task: http\n  with: {url: 'http://a', numRequests: 5}\n- task: assess\n  with:\n    confidence: 0.9\n    SLOs: {upper: {http/latency-p97.50: 5, grpc/latency/p1: 1}}\n";

    #[test]
    fn reads_the_steps_in_order() {
        let experiment = Experiment::parse(GOOD).unwrap();
        assert_eq!(experiment.task_names(), ["http", "assess"]);
        assert_eq!(experiment.confidence(), 0.9);
        assert_eq!(experiment.percentiles("http"), [97.5]);
        // Five requests at eight a second, and three seconds for the last answer.
        assert_eq!(experiment.expected_duration(), Duration::from_millis(3_625));
    }

    #[test]
    fn a_condition_is_read_with_its_step() {
        let text = "spec: [{task: assess, if: 'not SLOs()'}, {task: assess, if: true}, {task: assess, if: null}]";
        let steps = Experiment::parse(text).unwrap().steps;
        let conditions: Vec<_> = steps.iter().map(|step| step.condition.as_ref().map(StepCondition::text)).collect();
        assert_eq!(conditions, [Some("not SLOs()"), Some("true"), None]);
        let error = Experiment::parse("spec: [{task: assess}, {task: assess, if: SLO()}]").unwrap_err();
        assert_eq!(error.to_string(), "step 2 (`assess`): `if`");
        let source = std::error::Error::source(&error).map(ToString::to_string);
        assert_eq!(
            source.as_deref(),
            Some("`SLO()` is wrong at position 1: there is no function `SLO`; did you mean `SLOs`?")
        );
    }

    #[test]
    fn a_command_may_be_written_as_iter8_v0_13_did() {
        let spec = Experiment::parse("spec: [{run: 'echo a', if: 'not SLOs()'}, {task: assess}]").unwrap();
        assert_eq!(spec.task_names(), ["run", "assess"]);
        let long = Experiment::parse("spec: [{task: run, if: 'not SLOs()', with: {command: echo a}}]").unwrap();
        assert_eq!(spec.steps[0], long.steps[0]);
        assert_eq!(spec.expected_duration(), Duration::from_secs(300));
    }

    #[test]
    fn says_which_step_is_wrong_and_how() {
        for (text, message) in [
            ("spec: [{with: {}}]", "step 1 names no task: write `task: NAME`, or `run: COMMAND`"),
            (
                "spec: [{task: assess, run: a}]",
                "step 1 has `run` and `task`: give one of them, as in {task: run, with: {command: …}}",
            ),
            (
                "spec: [{run: a, with: {timeout: 1s}}]",
                "step 1 has `run` and `with`: give one of them, as in {task: run, with: {command: …}}",
            ),
            (
                "spec: [{run: ''}]",
                "step 1 (`run`): `command` is required: give a text for the shell, or a list of a program and its arguments",
            ),
            ("spec: []", "the experiment has no steps"),
            (
                "apiVersion: v9\nspec: [{task: http}]",
                "the experiment has apiVersion `v9`; this version of iter8 reads iter8.tools/v1",
            ),
            ("spec: [{task: htp}]", "step 1 names `htp`, which is not a task; did you mean `http`?"),
            (
                "spec: [{task: assess}, {task: http, with: {urll: 'http://a'}}]",
                "step 2 (`http`): `urll` is not a known key; did you mean `url`?",
            ),
            (
                "spec: [{task: assess, if: !SLOs()}]",
                "line 1: the `!` of `if` begins a tag of YAML, so that the condition is lost: put it in quotes, or write `not` in its place",
            ),
        ] {
            assert_eq!(Experiment::parse(text).unwrap_err().to_string(), message);
        }
        assert!(matches!(Experiment::parse("spec: [{task: http, iff: x}]"), Err(SpecError::Yaml(_))));
        assert!(matches!(Experiment::parse("spec: [{task: http"), Err(SpecError::Yaml(_))));
    }
}
