//! Asks a provider by its built-in template, as the task custommetrics does it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use iter8_cluster::template::{Engine, Extra};
use jaq_core::load::{Arena, File, Loader};
use jaq_core::{Compiler, Ctx, Vars, data, unwrap_valr};
use jaq_json::{Val, read};
use jiff::{SignedDuration, Timestamp};
use reqwest::Method;
use reqwest::header::CONTENT_TYPE;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::program::client;

/// What a template of a provider gives, so far as it matters here.
#[derive(Deserialize)]
struct Provider {
    url: String,
    method: Option<String>,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    metrics: Vec<Metric>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metric {
    name: String,
    #[serde(default)]
    params: Vec<Param>,
    body: Option<String>,
    jq_expression: String,
}

#[derive(Deserialize)]
struct Param {
    name: String,
    value: String,
}

/// The metrics of a provider by name, each with what was found for each version, or why nothing was.
#[derive(Debug)]
pub(crate) struct Found(BTreeMap<String, Vec<Result<f64, String>>>);

impl Found {
    #[track_caller]
    pub(crate) fn values(&self, metric: &str) -> Vec<Option<f64>> {
        self.of(metric).iter().map(|found| found.as_ref().ok().copied()).collect()
    }

    /// Why there is no value of a version.
    #[track_caller]
    pub(crate) fn said(&self, metric: &str, version: usize) -> &str {
        self.of(metric)[version].as_ref().expect_err("there is a value")
    }

    #[track_caller]
    fn of(&self, metric: &str) -> &[Result<f64, String>] {
        self.0.get(metric).unwrap_or_else(|| panic!("there is no {metric}, only {:?}", self.0.keys()))
    }
}

/// When the experiment began.
pub(crate) fn began(hours_ago: i64) -> Timestamp {
    Timestamp::now() - SignedDuration::from_hours(hours_ago)
}

/// Asks the built-in template `name` for each of `versions`, whose values come over the common ones.
pub(crate) async fn ask(name: &str, began: Timestamp, values: &Value, versions: &[Value]) -> Found {
    const CLOCK: &[Extra] = &[Extra { name: "now", arity: 0..=0, body: |_| Ok(Timestamp::now().as_second().into()) }];
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../manifests/templates/metrics").join(name);
    let text = fs::read_to_string(path.with_extension("tpl")).expect("there is such a template");
    let engine = Engine::strict(name, &text, CLOCK).unwrap_or_else(|error| panic!("{error}"));
    let mut found: BTreeMap<String, Vec<_>> = BTreeMap::new();
    for version in versions {
        let mut values = merged(values, version);
        values["elapsedTimeSeconds"] = (Timestamp::now().as_second() - began.as_second()).into();
        let rendered = engine.render(name, &values).unwrap_or_else(|error| panic!("{error}"));
        let provider: Provider = serde_yaml::from_str(&rendered).unwrap_or_else(|error| panic!("{error}\n{rendered}"));
        for metric in &provider.metrics {
            found.entry(metric.name.clone()).or_default().push(measured(&provider, metric).await);
        }
    }
    Found(found)
}

fn merged(values: &Value, over: &Value) -> Value {
    let (Value::Object(values), Value::Object(over)) = (values, over) else { return over.clone() };
    let mut both = values.clone();
    for (key, value) in over {
        both.insert(key.clone(), merged(values.get(key).unwrap_or(&Value::Null), value));
    }
    both.into()
}

async fn measured(provider: &Provider, metric: &Metric) -> Result<f64, String> {
    let method = provider.method.as_deref().unwrap_or("GET");
    let method: Method = method.parse().expect("the template names a method of HTTP");
    let params = metric.params.iter().map(|param| (&param.name, &param.value));
    let mut url = Url::parse(&provider.url).map_err(|error| error.to_string())?;
    if !metric.params.is_empty() {
        url.query_pairs_mut().extend_pairs(params);
    }
    let mut request = client().request(method, url);
    for (name, value) in &provider.headers {
        request = request.header(name, value);
    }
    if let Some(body) = &metric.body {
        request = request.body(body.clone());
    }
    let answer = request.send().await.map_err(|error| error.to_string())?;
    let status = answer.status();
    let content = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let is_csv = content.contains("csv");
    let body = answer.text().await.map_err(|error| error.to_string())?;
    if !status.is_success() {
        return Err(format!("{status}: {body}"));
    }
    let input = if is_csv { Value::from(body).to_string() } else { body };
    match output(&metric.jq_expression, &input)? {
        Value::Null => Err("null".to_owned()),
        Value::String(text) => text.parse().ok().filter(|value: &f64| value.is_finite()).ok_or(text),
        other => other.as_f64().ok_or_else(|| other.to_string()),
    }
}

/// The first output of a jq expression.
fn output(expression: &str, input: &str) -> Result<Value, String> {
    let input = read::parse_single(input.as_bytes()).map_err(|error| format!("{error:?}: {input}"))?;
    let defs = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let (loader, arena) = (Loader::new(defs), Arena::default());
    let modules = loader.load(&arena, File { code: expression, path: () });
    let modules = modules.unwrap_or_else(|_| panic!("`{expression}` is not jq"));
    let filter = Compiler::default().with_funs(funs).compile(modules);
    let filter = filter.unwrap_or_else(|_| panic!("`{expression}` calls what jq does not know"));
    let context = Ctx::<data::JustLut<Val>>::new(&filter.lut, Vars::new([]));
    let first = filter.id.run((context, input)).map(unwrap_valr).next();
    let first = first.ok_or("no output")?.map_err(|error| error.to_string())?;
    serde_json::from_str(&first.to_string()).map_err(|error| format!("{error}: {first}"))
}
