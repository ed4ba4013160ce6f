//! The task `custommetrics`: asks providers of metrics what their templates ask for, for each version, and keeps the answers.
//! A metric that cannot be had has no value and says why; it never ends the experiment.

mod ask;
mod jq;
pub(crate) mod source;

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::StreamExt as _;
use futures_util::stream;
use http::{HeaderMap, header};
use iter8_core::metric::{MetricKind, Observation};
use iter8_core::record::About;
use iter8_core::result::Version;
use iter8_core::task::Credential;
use iter8_core::task::credential::is_secret_name;
use iter8_core::task::custommetrics::buckets::Buckets;
use iter8_core::task::custommetrics::template::{Kind, Query, number};
use iter8_core::task::custommetrics::{Access, CustomMetrics, elapsed_seconds};
use iter8_core::task::load::PERCENTILES;
use iter8_core::{Experiment, ExperimentResult};
use jiff::Timestamp;
use serde_json::Value;

use self::ask::{Answer, Patience, Question, ask, client, header_of};
use self::jq::Filter;
use self::source::Template;
use super::load::tls::tls;
use super::{TaskContext, TaskError};
use crate::credentials::Credentials;

/// The most queries that are under way at a time. What a provider does not take at once it makes wait.
const PARALLEL_MAX: usize = 100;
/// How much of an answer is shown.
const HEAD_MAX: usize = 300;
/// The most metrics without value that the step's message names.
const NAMED_MAX: usize = 3;

/// A metric of a version, ready to be asked for.
struct Wanted {
    /// `provider/name`.
    name: String,
    query: Query,
    /// Number of the version among those of the inputs; None when there is one without name.
    version: Option<usize>,
    question: Result<Question, String>,
    jq: Arc<Filter>,
    client: reqwest::Client,
    patience: Patience,
}

/// Everything to ask for.
struct Prepared {
    wanted: Vec<Wanted>,
    /// Digests of the templates that were fetched.
    fetched: BTreeMap<String, String>,
}

/// What came of it.
struct Got {
    value: Result<Value, String>,
    /// The query, and what was answered.
    source: String,
}

pub(super) async fn run(inputs: &CustomMetrics, context: TaskContext<'_>) -> Result<String, TaskError> {
    let TaskContext { experiment, result, credentials, cancel, progress, .. } = context;
    let versions = inputs.versions();
    let prepared = prepare(inputs, &versions, result.began.unwrap_or_else(Timestamp::now), credentials);
    let Prepared { wanted, fetched } = tokio::select! {
        biased;
        () = cancel.cancelled() => return Err(TaskError::Cancelled),
        prepared = prepared => prepared?,
    };
    result.fetched.extend(fetched);
    let names: Vec<Version> = versions.iter().filter_map(|(name, _)| name.clone()).collect();
    let numbers = result.number_versions(&names);
    let total = wanted.len();
    let mut answers =
        stream::iter(&wanted).map(async |wanted| (wanted, get(wanted).await)).buffer_unordered(PARALLEL_MAX);
    let (mut done, mut valueless) = (0, Vec::new());
    loop {
        let answer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(TaskError::Cancelled),
            answer = answers.next() => answer,
        };
        let Some((wanted, got)) = answer else { break };
        done += 1;
        progress(format!("{done} of {total} metrics"));
        let version = wanted.version.map(|index| numbers[index]);
        if let Err(why) = record(result, experiment, wanted, version, got) {
            let of = version.map(|number| format!(" of version {number}")).unwrap_or_default();
            valueless.push(format!("{}{of}: the answer {why}", wanted.name));
        }
    }
    valueless.sort();
    Ok(message(total, &valueless))
}

fn message(total: usize, valueless: &[String]) -> String {
    let metrics = if total == 1 { "1 metric".to_owned() } else { format!("{total} metrics") };
    if valueless.is_empty() {
        return metrics;
    }
    let more = match valueless.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    let named = &valueless[..valueless.len().min(NAMED_MAX)];
    format!("{metrics}, {} without value: {}{more}", valueless.len(), named.join("; "))
}

/// Renders every template for every version. Whatever is wrong with a template is wrong before the first query.
async fn prepare(
    inputs: &CustomMetrics,
    versions: &[(Option<Version>, serde_json::Map<String, Value>)],
    began: Timestamp,
    credentials: &Credentials<'_>,
) -> Result<Prepared, TaskError> {
    let now = Timestamp::now();
    let mut known: BTreeMap<String, Arc<Filter>> = BTreeMap::new();
    let (mut wanted, mut fetched) = (Vec::new(), BTreeMap::new());
    for (name, text) in &inputs.templates {
        let fault = |error| TaskError::Template { name: name.clone(), source: error };
        let template = Template::get(name, text).await.map_err(|error| fault(error.into()))?;
        fetched.extend(template.digest.clone().map(|digest| (format!("custommetrics.templates.{name}"), digest)));
        let access = inputs.access(name);
        let headers = headers(&access, credentials)?;
        let settings = match &access.tls {
            Some(settings) => Some(tls(settings).await?),
            None => None,
        };
        let client = client(settings.as_ref()).map_err(|error| fault(error.into()))?;
        let patience = Patience { timeout: access.timeout(), retries: access.retries() };
        for (index, (version, values)) in versions.iter().enumerate() {
            let mut values = values.clone();
            let elapsed = elapsed_seconds(&values, began, now);
            let elapsed = elapsed
                .map_err(|error| TaskError::Input { key: "custommetrics.values.startingTime", source: error.into() })?;
            values.insert("elapsedTimeSeconds".to_owned(), elapsed.into());
            let provider = template.render(&Value::Object(values)).map_err(|error| fault(error.into()))?;
            for (_, value) in provider.headers.iter().filter(|(name, _)| is_secret_name(name)) {
                credentials.redactor.learn(&value.0);
            }
            for query in &provider.metrics {
                let jq = match known.get(&query.jq_expression.0) {
                    Some(jq) => Arc::clone(jq),
                    None => {
                        let wrong =
                            |what: String| fault(format!("the jqExpression of `{}`: {what}", query.name.0).into());
                        let jq = compiled(&query.jq_expression.0).map_err(wrong)?;
                        known.insert(query.jq_expression.0.clone(), Arc::clone(&jq));
                        jq
                    }
                };
                wanted.push(Wanted {
                    name: format!("{name}/{}", query.name.0),
                    query: query.clone(),
                    version: version.as_ref().map(|_| index),
                    question: Question::new(&provider, query, &headers),
                    jq,
                    client: client.clone(),
                    patience,
                });
            }
        }
    }
    Ok(Prepared { wanted, fetched })
}

/// The headers that inputs ask for, with what credentials name.
fn headers(access: &Access, credentials: &Credentials<'_>) -> Result<HeaderMap, TaskError> {
    let wrong = |what: String| TaskError::Input { key: "custommetrics.headers", source: what.into() };
    let resolve = |key: &str, credential: &Credential| {
        let key = format!("custommetrics.{key}");
        credentials.resolve(credential).map_err(|source| TaskError::Credential { key, source })
    };
    let mut headers = HeaderMap::new();
    for (name, value) in &access.headers {
        let value = resolve(&format!("headers.{name}"), value)?;
        let (name, value) = header_of(name, &value).map_err(wrong)?;
        headers.insert(name, value);
    }
    let authorization = match (&access.bearer_token, &access.basic_auth) {
        (Some(token), _) => Some(format!("Bearer {}", resolve("bearerToken", token)?)),
        (None, Some(basic)) => {
            let pair = format!(
                "{}:{}",
                resolve("basicAuth.username", &basic.username)?,
                resolve("basicAuth.password", &basic.password)?
            );
            let encoded = STANDARD.encode(pair);
            credentials.redactor.learn(&encoded);
            Some(format!("Basic {encoded}"))
        }
        (None, None) => None,
    };
    if let Some(authorization) = authorization {
        let (name, value) = header_of(header::AUTHORIZATION.as_str(), &authorization).map_err(wrong)?;
        headers.insert(name, value);
    }
    Ok(headers)
}

async fn get(wanted: &Wanted) -> Got {
    let question = match &wanted.question {
        Ok(question) => question,
        Err(why) => return Got { value: Err(format!("was never asked for: {why}")), source: why.clone() },
    };
    let shown = question.shown();
    match ask(&wanted.client, question, wanted.patience).await {
        Err(why) => Got { source: format!("{shown} {why}"), value: Err(format!("is missing: the query {why}")) },
        Ok(Answer { status, is_csv, body }) => {
            let head = head(&body);
            let source = format!("{shown} was answered with {status}: {head}");
            let value = match status.is_success() {
                true => found(&wanted.jq, is_csv, &body).await.map_err(|why| format!("{why}: {head}")),
                false => Err(format!("is {status}: {head}")),
            };
            Got { value, source }
        }
    }
}

/// A jq expression, ready to be run.
pub(crate) fn compiled(expression: &str) -> Result<Arc<Filter>, String> {
    jq::compile(expression).map(Arc::new)
}

/// What a query of this type says of an answer, in a few words.
///
/// # Errors
/// Why it says nothing, as the rest of a sentence that begins with "the answer".
pub(crate) async fn reading(jq: &Arc<Filter>, kind: Kind, answer: Value) -> Result<String, String> {
    let output = output(jq, answer).await?;
    match kind {
        Kind::Counter | Kind::Gauge => number(&output).map(|value| value.to_string()),
        Kind::Histogram => Buckets::parse(&output).map(|buckets| format!("a histogram of {} values", buckets.count())),
    }
}

/// What the jq expression finds in an answer; one in CSV is a text to it.
async fn found(jq: &Arc<Filter>, is_csv: bool, body: &[u8]) -> Result<Value, String> {
    let input = match is_csv {
        true => Value::String(String::from_utf8_lossy(body).into_owned()),
        false => serde_json::from_slice(body).map_err(|_| "is no JSON".to_owned())?,
    };
    output(jq, input).await
}

async fn output(jq: &Arc<Filter>, input: Value) -> Result<Value, String> {
    match jq::first(jq, input).await {
        Err(why) => Err(format!("does not fit the jqExpression ({why})")),
        Ok(None) => Err("has nothing for the jqExpression to give".to_owned()),
        // Numbers that JSON does not have, such as NaN, are told by their names.
        Ok(Some(text)) => Ok(serde_json::from_str(&text).unwrap_or(Value::String(text))),
    }
}

/// The beginning of an answer, in one line.
fn head(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(4 * HEAD_MAX)]);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > HEAD_MAX { line.chars().take(HEAD_MAX).collect::<String>() + "…" } else { line }
}

/// Adds what came of a query to the result; an error is why there is no value.
fn record(
    result: &mut ExperimentResult,
    experiment: &Experiment,
    wanted: &Wanted,
    version: Option<usize>,
    got: Got,
) -> Result<(), String> {
    let Got { value, source } = got;
    let kind = match wanted.query.r#type {
        Kind::Counter => MetricKind::Counter,
        Kind::Gauge | Kind::Histogram => MetricKind::Gauge,
    };
    let about = |kind| About {
        kind,
        unit: wanted.query.units.as_ref().map(|unit| unit.0.clone()).filter(|unit| !unit.is_empty()),
        description: wanted.query.description.as_ref().map(|text| text.0.clone()).unwrap_or_default(),
    };
    let observation = |value: Result<f64, &String>| Observation {
        at: Some(Timestamp::now()),
        value: value.ok(),
        source: Some(match value {
            Ok(_) => source.clone(),
            Err(why) => format!("the answer {why}; {source}"),
        }),
        ..Observation::default()
    };
    match wanted.query.r#type {
        Kind::Counter | Kind::Gauge => {
            let value = value.and_then(|output| number(&output));
            result.observe(&wanted.name, about(kind), version, observation(value.as_ref().copied()));
            value.map(|_| ())
        }
        Kind::Histogram => {
            let buckets = value.and_then(|output| Buckets::parse(&output));
            let provider = wanted.name.split('/').next().unwrap_or_default();
            let mut percentiles: Vec<f64> = PERCENTILES.into_iter().chain(experiment.percentiles(provider)).collect();
            percentiles.sort_by(f64::total_cmp);
            percentiles.dedup();
            let count = buckets.as_ref().map(Buckets::count);
            let of_count = About { unit: None, ..about(MetricKind::Counter) };
            result.observe(&format!("{}/count", wanted.name), of_count, version, observation(count));
            for percentile in percentiles {
                let empty = "has no values to work a percentile out from".to_owned();
                let quantile = match &buckets {
                    Ok(buckets) => buckets.quantile(percentile / 100.0).ok_or(&empty),
                    Err(why) => Err(why),
                };
                let interval = quantile.ok().map(|(_, interval)| interval);
                let samples = count.ok().map(|count| count as u64);
                let observed = Observation { interval, samples, ..observation(quantile.map(|(value, _)| value)) };
                result.observe(&format!("{}/p{percentile}", wanted.name), about(kind), version, observed);
            }
            buckets.map(|_| ())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_names_a_few_metrics_without_value() {
        let valueless: Vec<String> = (0..5).map(|number| format!("prom/m{number}: the answer is null")).collect();
        assert_eq!(message(1, &[]), "1 metric");
        assert_eq!(message(7, &valueless[..1]), "7 metrics, 1 without value: prom/m0: the answer is null");
        assert!(message(7, &valueless).ends_with("; and 2 more"));
    }

    #[test]
    fn the_beginning_of_an_answer_is_one_short_line() {
        assert_eq!(head(b"<html>\n  <p>404\xff"), "<html> <p>404\u{fffd}");
        assert_eq!(head("é".repeat(1000).as_bytes()).chars().count(), HEAD_MAX + 1);
    }
}
