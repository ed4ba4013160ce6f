//! Looks at what only templates and expressions can tell of an experiment, before anything runs and without asking anybody:
//! nothing is fetched. What values and inputs tell by themselves is checked by iter8-core.

use std::collections::{BTreeMap, BTreeSet};

use iter8_cluster::error::chain;
use iter8_core::suggest::nearest;
use iter8_core::task::TemplateSource;
use iter8_core::task::custommetrics::CustomMetrics;
use iter8_core::task::custommetrics::template::{Kind, Query};
use iter8_core::task::notify::{Delivery, Report};
use iter8_core::{Experiment, ExperimentResult, MetricName, Task};
use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::tasks::custommetrics::source::{Template, TemplateFault};
use crate::tasks::custommetrics::{compiled, reading};
use crate::tasks::notify::made_of;
use crate::tasks::template_source::{find, out_of_reach};

/// What was found in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The key, or the metric.
    pub place: String,
    /// What is to be said of it, as the rest of a sentence that begins with the place.
    pub message: String,
    /// How much it matters.
    pub severity: Severity,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The experiment would fail, or its objectives could never be met.
    Problem,
    /// It could not be looked at from here.
    Unchecked,
    /// What became of a sample.
    Remark,
}

/// The time that templates are told has passed.
const ELAPSED: u64 = 60;

/// Everything that can be found. `sample` is an answer of a provider of metrics, to try every jq expression on.
pub async fn lint(experiment: &Experiment, sample: Option<&Value>) -> Vec<Finding> {
    let mut findings = Vec::new();
    // The metrics of each template, as far as they are known.
    let mut measured: BTreeMap<String, Option<BTreeSet<String>>> = BTreeMap::new();
    for step in &experiment.steps {
        match &step.task {
            Task::CustomMetrics(inputs) => {
                for name in inputs.templates.keys() {
                    let (known, mut found) = provider(inputs, name, sample).await;
                    measured.insert(name.clone(), known);
                    findings.append(&mut found);
                }
            }
            Task::Slack(slack) => findings.extend(payload(experiment, "slack", &slack.delivery).await),
            Task::Github(github) => findings.extend(payload(experiment, "github", &github.delivery).await),
            Task::Webhook(webhook) => findings.extend(payload(experiment, "webhook", &webhook.delivery).await),
            Task::Assess(assess) => {
                findings.extend(assess.metrics().filter_map(|name| unknown_metric(name, &measured)));
            }
            Task::Ready(_) | Task::Http(_) | Task::Grpc(_) | Task::AbnMetrics(_) | Task::Run(_) => {}
        }
    }
    let mut seen = Vec::new();
    findings.retain(|finding| {
        !seen.contains(finding) && {
            seen.push(finding.clone());
            true
        }
    });
    findings
}

fn found(place: &str, severity: Severity, message: impl Into<String>) -> Finding {
    Finding { place: place.to_owned(), message: message.into(), severity }
}

/// A template that cannot be looked at from here.
fn unlooked(place: &str, why: &str) -> Finding {
    found(place, Severity::Unchecked, format!("is not looked at: {why}"))
}

/// What the template called `name` measures, if it can be known here, and what is wrong with it.
async fn provider(
    inputs: &CustomMetrics,
    name: &str,
    sample: Option<&Value>,
) -> (Option<BTreeSet<String>>, Vec<Finding>) {
    let place = format!("custommetrics.templates.{name}");
    let text = &inputs.templates[name];
    let source = TemplateSource::of(text);
    if let Some(why) = source.built_in().map_or_else(|| out_of_reach(source), |_| None) {
        return (None, vec![unlooked(&place, &why)]);
    }
    let problem =
        |error: TemplateFault| (None, vec![found(&place, Severity::Problem, format!("is wrong: {}", chain(&error)))]);
    let template = match Template::get(name, text).await {
        Ok(template) => template,
        Err(error) => return problem(error),
    };
    let mut metrics = BTreeSet::new();
    let mut findings = Vec::new();
    for (_, mut values) in inputs.versions() {
        values.insert("elapsedTimeSeconds".to_owned(), ELAPSED.into());
        let rendered = match template.render(&Value::Object(values)) {
            Ok(rendered) => rendered,
            Err(error) => return problem(error),
        };
        for query in &rendered.metrics {
            metrics.extend(names(name, query));
            findings.extend(expression(name, query, sample).await);
        }
    }
    (Some(metrics), findings)
}

/// The names of the metrics of a query, but for percentiles, of which any may be asked for.
fn names(provider: &str, query: &Query) -> Vec<String> {
    let name = format!("{provider}/{}", query.name.0);
    match query.r#type {
        Kind::Counter | Kind::Gauge => vec![name],
        Kind::Histogram => vec![format!("{name}/count"), format!("{name}/p")],
    }
}

async fn expression(provider: &str, query: &Query, sample: Option<&Value>) -> Option<Finding> {
    let name = format!("{provider}/{}", query.name.0);
    let filter = match compiled(&query.jq_expression.0) {
        Ok(filter) => filter,
        Err(what) => return Some(found(&name, Severity::Problem, format!("has a jqExpression that is wrong: {what}"))),
    };
    let read = reading(&filter, query.r#type, sample?.clone()).await;
    Some(match read {
        Ok(value) => found(&name, Severity::Remark, format!("is {value} in the sample")),
        Err(why) => found(&name, Severity::Problem, format!("has no value in the sample: the answer {why}")),
    })
}

fn unknown_metric(name: &str, measured: &BTreeMap<String, Option<BTreeSet<String>>>) -> Option<Finding> {
    let parsed = name.parse::<MetricName>().ok()?;
    let known = measured.get(&parsed.provider)?.as_ref()?;
    let is_percentile =
        parsed.percentile().is_some() && known.contains(&format!("{}/{}/p", parsed.provider, parsed.name));
    if is_percentile || known.contains(&parsed.to_string()) {
        return None;
    }
    let shown: Vec<String> =
        known.iter().map(|name| if name.ends_with("/p") { format!("{name}99") } else { name.clone() }).collect();
    let hint = match nearest(name, shown.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("it gives {}", shown.join(", ")),
    };
    let message = format!("has `{name}`, which the template `{}` does not give; {hint}", parsed.provider);
    Some(found("assess.SLOs", Severity::Problem, message))
}

/// The payload of a notification, by the report of an experiment that has not begun.
async fn payload(experiment: &Experiment, task: &str, delivery: &Delivery) -> Option<Finding> {
    let (key, source) = delivery.template()?;
    let place = format!("{task}.{key}");
    if let Some(why) = out_of_reach(source) {
        return Some(unlooked(&place, &why));
    }
    let text = match find(source).await {
        Ok(found) => found.text,
        Err(error) => return Some(found(&place, Severity::Problem, format!("is wrong: {}", chain(&error)))),
    };
    let result = ExperimentResult::pending("default", "default", 1, &experiment.task_names());
    let report = Report::of(experiment, &result, Timestamp::UNIX_EPOCH);
    match made_of(&place, &text, &report) {
        Err(error) => Some(found(&place, Severity::Problem, format!("is wrong: {}", chain(&error)))),
        Ok(made) if task != "webhook" && serde_json::from_str::<Map<String, Value>>(&made).is_err() => {
            Some(found(&place, Severity::Problem, "makes no JSON object of a report without metrics"))
        }
        Ok(_) => None,
    }
}
