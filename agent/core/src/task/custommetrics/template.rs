//! What a rendered template of a metrics provider says, in the format of Iter8 v0.13: where to ask, and what to make of the
//! answers. Rendering is the agent's business.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;

use crate::scalar::Text;
use crate::yaml::YamlError;

/// A provider of metrics. What it does not know of v0.13's format is ignored, as there.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Provider {
    /// Where to ask.
    pub url: Text,
    /// What the template calls itself. Metrics are named after the key of the template among the inputs, as in v0.13.
    #[serde(default)]
    pub provider: Option<Text>,
    /// Method of the requests.
    #[serde(default)]
    pub method: Method,
    /// Their headers.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub headers: BTreeMap<String, Text>,
    /// What is asked for.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub metrics: Vec<Query>,
}

/// A metric, and how it is asked for.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Query {
    /// Last part of its name.
    pub name: Text,
    /// What its answer is.
    pub r#type: Kind,
    /// What it says.
    #[serde(default)]
    pub description: Option<Text>,
    /// The unit of its values.
    #[serde(default)]
    pub units: Option<Text>,
    /// Parameters in the query of the URL.
    #[serde(default, deserialize_with = "null_is_empty")]
    pub params: Vec<Param>,
    /// Body of the request.
    #[serde(default)]
    pub body: Option<Text>,
    /// Finds the value in the answer.
    pub jq_expression: Text,
}

/// A parameter.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Param {
    /// Its name.
    pub name: Text,
    /// Its value.
    pub value: Text,
}

/// Method of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub enum Method {
    /// GET
    #[default]
    #[serde(alias = "get")]
    #[serde(rename = "GET")]
    Get,
    /// POST
    #[serde(alias = "post")]
    #[serde(rename = "POST")]
    Post,
}

/// What the answer to a query is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A number of events.
    #[serde(alias = "Counter")]
    Counter,
    /// A value that goes up and down.
    #[serde(alias = "Gauge")]
    Gauge,
    /// The buckets of a histogram as Prometheus counts them.
    #[serde(alias = "Histogram")]
    Histogram,
}

/// Why a rendered template is none of a provider.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Not YAML, or not the shape.
    #[error("it gives no provider of metrics")]
    Yaml(#[source] YamlError),
    /// It is an HTML page, as servers send in place of what was asked for.
    #[error("it is an HTML page, not a template")]
    Html,
    /// A value that the template asks for is not there.
    #[error("it asks for a value that is not there: {0}")]
    Missing(String),
    /// Something in it cannot be.
    #[error("{0}")]
    Wrong(String),
}

fn null_is_empty<'de, D: serde::Deserializer<'de>, T: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<T, D::Error> {
    Ok(Option::<T>::deserialize(deserializer)?.unwrap_or_default())
}

impl Provider {
    /// Reads a rendered template.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn parse(text: &str) -> Result<Self, ProviderError> {
        let begin = text.trim_start();
        if begin.get(..1) == Some("<") {
            return Err(ProviderError::Html);
        }
        // Go writes this for a value that is not there; a query with it finds nothing, and says so to nobody.
        if let Some(line) = text.lines().find(|line| line.contains("<no value>")) {
            return Err(ProviderError::Missing(line.trim().to_owned()));
        }
        let provider: Self = serde_yaml::from_str(text).map_err(|error| ProviderError::Yaml(error.into()))?;
        provider.check().map_err(ProviderError::Wrong)?;
        Ok(provider)
    }

    fn check(&self) -> Result<(), String> {
        let url = self.url.0.trim();
        if !(url.starts_with("http://") || url.starts_with("https://")) {
            return Err(format!("`url` must be a URL such as http://prometheus:9090/api/v1/query, got `{url}`"));
        }
        if self.metrics.is_empty() {
            return Err("`metrics` is empty: name what to ask for".to_owned());
        }
        let mut seen = BTreeSet::new();
        for Query { name, .. } in &self.metrics {
            if !is_word(&name.0) {
                return Err(format!("`metrics` has the name `{}`: use a word, as in error-rate", name.0));
            }
            if !seen.insert(&name.0) {
                return Err(format!("`metrics` has `{}` twice", name.0));
            }
        }
        Ok(())
    }
}

/// Whether a text can be a part of the name of a metric.
pub(super) fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.contains(|char: char| char.is_whitespace() || char == '/')
}

/// The number that an answer gives, which may be a text as Prometheus writes numbers.
///
/// # Errors
/// Why it gives none, as the rest of a sentence that begins with "the answer".
pub fn number(output: &Value) -> Result<f64, String> {
    match output {
        Value::Number(number) => number.as_f64().ok_or_else(|| "is a number too large".to_owned()),
        Value::String(text) => match text.trim() {
            "" => Err("is an empty text".to_owned()),
            word if word.eq_ignore_ascii_case("nan") => Err("is NaN: there was nothing to work it out from".to_owned()),
            word if ["inf", "+inf", "-inf"].contains(&word.to_ascii_lowercase().as_str()) => {
                Err(format!("is {word}, which is no number"))
            }
            word => match word.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(number),
                _ => Err(format!("is the text \"{}\", which is no number", word.chars().take(60).collect::<String>())),
            },
        },
        Value::Null => Err("is null: nothing was found".to_owned()),
        Value::Bool(truth) => Err(format!("is {truth}, which is no number")),
        Value::Array(_) => Err("is a list, which is no number".to_owned()),
        Value::Object(_) => Err("is a map, which is no number".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const GOOD: &str = "url: http://prom/api\nprovider: prom\nmetrics:\n- {name: rate, type: Gauge, units: 1, params: [{name: query, value: 'sum(x)'}], jqExpression: .a}\n- {name: hist, type: histogram, description: null, params: null, jqExpression: .b}\n";

    #[test]
    fn what_v0_13_wrote_is_read() {
        let provider = Provider::parse(GOOD).unwrap();
        assert_eq!((provider.method, provider.headers.len()), (Method::Get, 0));
        assert_eq!(provider.provider.map(|name| name.0).as_deref(), Some("prom"));
        assert_eq!((provider.metrics[0].r#type, provider.metrics[1].r#type), (Kind::Gauge, Kind::Histogram));
        assert_eq!(provider.metrics[0].params[0].value.0, "sum(x)");
        let with = "url: http://a\nprovider: p\nmethod: POST\nheaders: {a: 1}\nnew: x\nmetrics: [{name: a, type: counter, jqExpression: .}]";
        assert_eq!(Provider::parse(with).unwrap().headers["a"].0, "1");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, message) in [
            ("<!DOCTYPE html><p>404", "it is an HTML page, not a template"),
            ("url: <no value>/x\n", "it asks for a value that is not there: url: <no value>/x"),
            ("a: [", "it gives no provider of metrics"),
            ("404 not found", "it gives no provider of metrics"),
            (
                "url: prom\nprovider: p\nmetrics: []",
                "`url` must be a URL such as http://prometheus:9090/api/v1/query, got `prom`",
            ),
            ("url: http://a\nprovider: p\n", "`metrics` is empty: name what to ask for"),
            (
                "url: http://a\nprovider: p\nmetrics: [{name: a, type: gauge, jqExpression: .}, {name: a, type: gauge, jqExpression: .}]",
                "`metrics` has `a` twice",
            ),
        ] {
            assert_eq!(Provider::parse(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn a_number_is_one_or_the_reason_is_said() {
        for (output, expected) in [
            (json!(5), Ok(5.0)),
            (json!("21.76"), Ok(21.76)),
            (json!(" 1e3 "), Ok(1000.0)),
            (json!(null), Err("is null: nothing was found")),
            (json!("NaN"), Err("is NaN: there was nothing to work it out from")),
            (json!("+Inf"), Err("is +Inf, which is no number")),
            (json!("1_000"), Err("is the text \"1_000\", which is no number")),
            (json!(""), Err("is an empty text")),
            (json!(true), Err("is true, which is no number")),
            (json!([1]), Err("is a list, which is no number")),
            (json!({}), Err("is a map, which is no number")),
        ] {
            assert_eq!(number(&output), expected.map_err(str::to_owned), "{output}");
        }
    }
}
