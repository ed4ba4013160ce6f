//! Checks user-written values by the JSON Schema of the input types, so that every problem has its place, its value
//! and, for a misspelt key, the key that was meant.
//!
//! The schemas are those that schemars makes of this crate's types: `type`, `properties`, `additionalProperties`,
//! `required`, `items`, `enum`, `const`, `oneOf`/`anyOf`, `$ref` into `$defs`, and the formats of [`crate::scalar`] and
//! [`crate::duration`]. It is no general validator.

use std::fmt;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

use crate::duration::GoDuration;
use crate::suggest::nearest;

/// The JSON Schema (draft-07, which Helm reads) of a type as it is read.
pub fn schema_of<T: JsonSchema>() -> Value {
    SchemaSettings::draft07().into_generator().into_root_schema_for::<T>().to_value()
}

/// What is wrong with one place of the values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: keys joined by dots, `[n]` for entries of lists. Empty for the whole.
    pub path: String,
    /// What is wrong there, as the rest of a sentence that begins with the path.
    pub message: String,
    /// Whether it is only a key that nobody knows, which `--validate=warn` lets pass.
    pub unknown_key: bool,
}

impl Problem {
    /// A problem at a place.
    pub fn at(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into(), unknown_key: false }
    }

    /// The same problem seen from outside: `prefix` goes before its path.
    pub fn under(mut self, prefix: &str) -> Self {
        self.path = join(prefix, &self.path);
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "`{}` {}", self.path, self.message) }
    }
}

/// Every problem of `value` by `schema`, in the order of the value.
pub fn check(value: &Value, schema: &Value) -> Vec<Problem> {
    let mut problems = Vec::new();
    Checker { root: schema }.check("", value, schema, &mut problems);
    problems
}

/// Takes out every key that the schema does not know.
pub fn prune_unknown(value: &mut Value, schema: &Value) {
    Checker { root: schema }.prune(value, schema);
}

/// The dotted paths of all keys that a schema knows, with their descriptions, for completion.
pub fn paths(schema: &Value) -> Vec<(String, String)> {
    let mut found = Vec::new();
    Checker { root: schema }.collect("", schema, &mut found);
    found
}

struct Checker<'a> {
    root: &'a Value,
}

impl<'a> Checker<'a> {
    /// Follows `$ref`, the single member of `allOf`, and the non-null branch of an optional type.
    fn resolved(&self, schema: &'a Value) -> &'a Value {
        if let Some(pointer) = schema.get("$ref").and_then(Value::as_str).and_then(|r| r.strip_prefix('#')) {
            return self.root.pointer(pointer).map_or(schema, |target| self.resolved(target));
        }
        if let Some([single]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
            return self.resolved(single);
        }
        let not_null = |branch: &&Value| branch.get("type").and_then(Value::as_str) != Some("null");
        if let Some(branches) = schema.get("anyOf").and_then(Value::as_array) {
            let mut branches = branches.iter().filter(not_null);
            if let (Some(branch), None) = (branches.next(), branches.next()) {
                return self.resolved(branch);
            }
        }
        schema
    }

    fn check(&self, path: &str, value: &Value, schema: &'a Value, problems: &mut Vec<Problem>) {
        let allows_null = |branch: &Value| branch.get("type").and_then(Value::as_str) == Some("null");
        let optional =
            schema.get("anyOf").and_then(Value::as_array).is_some_and(|branches| branches.iter().any(allows_null));
        let Some(rules) = self.resolved(schema).as_object() else { return };
        if value.is_null() && (optional || types(rules).contains(&"null")) {
            return;
        }
        if let Some(allowed) = words(rules) {
            if !value.as_str().is_some_and(|word| allowed.contains(&word)) {
                let message = format!("must be one of {}, got {}", allowed.join(", "), shown(value));
                let hint = value.as_str().and_then(|word| nearest(word, allowed.iter().copied()));
                problems.push(Problem::at(
                    path,
                    message + &hint.map(|word| format!("; did you mean `{word}`?")).unwrap_or_default(),
                ));
            }
            return;
        }
        if let Some(expected) = mismatch(value, rules) {
            problems.push(Problem::at(path, format!("must be {expected}, got {}", shown(value))));
            return;
        }
        match value {
            Value::Object(entries) => self.check_object(path, entries, rules, problems),
            Value::Array(items) => {
                if let Some(item_schema) = rules.get("items") {
                    for (index, item) in items.iter().enumerate() {
                        self.check(&format!("{path}[{index}]"), item, item_schema, problems);
                    }
                }
            }
            _ => {}
        }
    }

    fn check_object(
        &self,
        path: &str,
        entries: &Map<String, Value>,
        rules: &'a Map<String, Value>,
        problems: &mut Vec<Problem>,
    ) {
        let empty = Map::new();
        let properties = rules.get("properties").and_then(Value::as_object);
        for (key, entry) in entries {
            let place = join(path, key);
            match (properties.and_then(|properties| properties.get(key)), rules.get("additionalProperties")) {
                (Some(schema), _) => self.check(&place, entry, schema, problems),
                (None, Some(Value::Bool(false))) => {
                    let known = properties.unwrap_or(&empty).keys().map(String::as_str);
                    let message = match nearest(key, known.clone()) {
                        Some(meant) => format!("is not a known key; did you mean `{meant}`?"),
                        None => format!("is not a known key; known are {}", known.collect::<Vec<_>>().join(", ")),
                    };
                    problems.push(Problem { unknown_key: true, ..Problem::at(&place, message) });
                }
                (None, Some(schema @ Value::Object(_))) => self.check(&place, entry, schema, problems),
                (None, _) => {}
            }
        }
        for key in rules.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !entries.contains_key(key) {
                problems.push(Problem::at(&join(path, key), "is required"));
            }
        }
    }

    fn prune(&self, value: &mut Value, schema: &'a Value) {
        let rules = self.resolved(schema);
        match value {
            Value::Object(entries) => {
                let properties = rules.get("properties").and_then(Value::as_object);
                let others = rules.get("additionalProperties");
                entries.retain(|key, _| {
                    properties.is_some_and(|properties| properties.contains_key(key))
                        || others != Some(&Value::Bool(false))
                });
                for (key, entry) in entries {
                    if let Some(schema) = properties.and_then(|properties| properties.get(key)).or(others) {
                        self.prune(entry, schema);
                    }
                }
            }
            Value::Array(items) => {
                if let Some(schema) = rules.get("items") {
                    items.iter_mut().for_each(|item| self.prune(item, schema));
                }
            }
            _ => {}
        }
    }

    fn collect(&self, path: &str, schema: &'a Value, found: &mut Vec<(String, String)>) {
        let resolved = self.resolved(schema);
        let Some(properties) = resolved.get("properties").and_then(Value::as_object) else { return };
        for (key, property) in properties {
            let place = join(path, key);
            let description = property.get("description").or_else(|| self.resolved(property).get("description"));
            found.push((place.clone(), description.and_then(Value::as_str).unwrap_or_default().replace('\n', " ")));
            self.collect(&place, property, found);
        }
    }
}

fn join(prefix: &str, key: &str) -> String {
    match (prefix, key) {
        ("", key) => key.to_owned(),
        (prefix, "") => prefix.to_owned(),
        (prefix, key) if key.starts_with('[') => format!("{prefix}{key}"),
        (prefix, key) => format!("{prefix}.{key}"),
    }
}

fn types(rules: &Map<String, Value>) -> Vec<&str> {
    match rules.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// The words of an enumeration, whether schemars wrote it as `enum` or as `oneOf` of constants.
fn words(rules: &Map<String, Value>) -> Option<Vec<&str>> {
    if let Some(words) = rules.get("enum").and_then(Value::as_array) {
        return Some(words.iter().filter_map(Value::as_str).collect());
    }
    let branches = rules.get("oneOf")?.as_array()?;
    let word = |branch: &'_ Value| -> Option<Vec<String>> {
        match (branch.get("const"), branch.get("enum")) {
            (Some(word), _) => Some(vec![word.as_str()?.to_owned()]),
            (None, Some(words)) => {
                Some(words.as_array()?.iter().filter_map(|w| w.as_str().map(str::to_owned)).collect())
            }
            (None, None) => None,
        }
    };
    branches.iter().map(word).collect::<Option<Vec<_>>>()?;
    let constants = branches.iter().flat_map(|branch| {
        branch.get("const").into_iter().chain(branch.get("enum").and_then(Value::as_array).into_iter().flatten())
    });
    Some(constants.filter_map(Value::as_str).collect())
}

/// What was expected when the value is not that.
fn mismatch(value: &Value, rules: &Map<String, Value>) -> Option<&'static str> {
    let text = value.as_str().map(str::trim);
    match rules.get("format").and_then(Value::as_str) {
        Some("count") => {
            let number = value.as_f64().or_else(|| text?.parse().ok());
            let whole = number.is_some_and(|n| n >= 0.0 && n.fract() == 0.0 && n <= 9_007_199_254_740_992.0);
            return (!whole && value.as_u64().is_none()).then_some("a whole number, zero or more");
        }
        Some("real") => {
            let number = value.as_f64().or_else(|| text?.parse().ok());
            return (!number.is_some_and(f64::is_finite)).then_some("a number");
        }
        Some("flag") => {
            return (!value.is_boolean() && !matches!(text, Some("true" | "false"))).then_some("true or false");
        }
        Some("go-duration") => {
            let fits = text.is_some_and(|text| text.parse::<GoDuration>().is_ok());
            return (!fits).then_some("a duration such as 500ms, 30s or 5m");
        }
        _ => {}
    }
    let types = types(rules);
    let fits = types.iter().any(|kind| match *kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => true,
    });
    if types.is_empty() || fits {
        return None;
    }
    let expected = types.iter().find(|kind| **kind != "null").copied().unwrap_or("null");
    Some(match expected {
        "object" => "a map",
        "array" => "a list",
        "string" => "a text",
        "number" | "integer" => "a number",
        "boolean" => "true or false",
        _ => "null",
    })
}

/// A value in a message: scalars as they are, the rest by kind.
fn shown(value: &Value) -> String {
    match value {
        Value::Object(_) => "a map".to_owned(),
        Value::Array(_) => "a list".to_owned(),
        Value::Null => "nothing".to_owned(),
        scalar => {
            let text = scalar.to_string();
            if text.chars().count() > 60 { text.chars().take(57).collect::<String>() + "…" } else { text }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn unknown_keys_are_taken_out_and_free_keys_stay() {
        let schema = crate::values::schema();
        let mut values = json!({
            "tasks": ["http"], "htpp": 1,
            "http": { "url": "http://a", "urll": 1, "headers": { "X": "y" }, "errorRanges": [{ "lower": 1, "lowwer": 2 }] },
            "assess": { "SLOs": { "upper": { "http/error-count": 0 }, "uper": {} } },
        });
        prune_unknown(&mut values, &schema);
        let kept = json!({
            "tasks": ["http"],
            "http": { "url": "http://a", "headers": { "X": "y" }, "errorRanges": [{ "lower": 1 }] },
            "assess": { "SLOs": { "upper": { "http/error-count": 0 } } },
        });
        assert_eq!(values, kept);
    }

    #[test]
    fn a_null_is_allowed_where_a_key_is_optional() {
        let schema = crate::values::schema();
        assert_eq!(check(&json!({ "http": null, "image": null }), &schema), []);
    }
}
