//! Values of templates: from and to JSON, and Go's view of them (kinds, emptiness, text).

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;
use serde_json::Value as Json;

/// Greatest integer up to which a float counts every integer: 2^53.
const EXACT_FLOAT: f64 = 9_007_199_254_740_992.0;

pub(super) fn from_json(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::Uint(uint),
            (None, None) => number.as_f64().map_or(Value::Nil, Value::Float),
        },
        Json::String(text) => string(text.as_str()),
        Json::Array(items) => items.iter().map(from_json).collect::<Vec<_>>().into_value(),
        Json::Object(map) => {
            map.iter().map(|(key, item)| (key.as_str().into(), from_json(item))).collect::<Dict>().into_value()
        }
    }
}

/// The JSON of a value. A float without a fraction becomes an integer, as Go writes it; what JSON cannot say (a
/// function, a number that is not finite) becomes null.
pub(super) fn to_json(value: &Value) -> Json {
    match value {
        Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(truth) => Json::Bool(*truth),
        Value::Int(int) => Json::from(*int),
        Value::Uint(uint) => Json::from(*uint),
        #[expect(clippy::cast_possible_truncation, reason = "the range was checked")]
        Value::Float(float) if float.fract() == 0.0 && float.abs() < EXACT_FLOAT => Json::from(*float as i64),
        Value::Float(float) => Json::from(*float),
        Value::String(text) => Json::from(text.as_ref()),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(map) => Json::Object(map.iter().map(|(key, item)| (key.to_string(), to_json(item))).collect()),
    }
}

/// A dict of a template.
pub(super) type Dict = BTreeMap<Arc<str>, Value>;

/// What can be handed back to a template.
pub(super) trait IntoValue {
    fn into_value(self) -> Value;
}

impl IntoValue for Vec<Value> {
    fn into_value(self) -> Value {
        Value::List(self.into())
    }
}

impl IntoValue for Dict {
    fn into_value(self) -> Value {
        Value::Map(Arc::new(self))
    }
}

pub(super) fn string(text: impl Into<Arc<str>>) -> Value {
    Value::String(text.into())
}

/// The text that Go's `%v` gives.
pub(super) fn text_of(value: &Value) -> Arc<str> {
    match value {
        Value::String(text) => Arc::clone(text),
        other => other.to_string().into(),
    }
}

/// The name of the kind in Go's reflection. Integers are `int`, whether they come from data or from the template.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Nil => "invalid",
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Uint(_) => "uint64",
        Value::Float(_) => "float64",
        Value::String(_) => "string",
        Value::List(_) => "slice",
        Value::Map(_) => "map",
        Value::Function(_) => "func",
    }
}

/// The name of the type in Go.
pub(super) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Nil => "<nil>",
        Value::List(_) => "[]interface {}",
        Value::Map(_) => "map[string]interface {}",
        Value::Function(_) => "func()",
        Value::Bool(_) | Value::Int(_) | Value::Uint(_) | Value::Float(_) | Value::String(_) => kind(value),
    }
}

/// Equal as Go's templates would see it: numbers by their value.
pub(super) fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::List(a), Value::List(b)) => a.len() == b.len() && a.iter().zip(b.iter()).all(|(a, b)| equal(a, b)),
        (Value::Map(a), Value::Map(b)) => {
            a.len() == b.len() && a.iter().all(|(key, item)| b.get(key).is_some_and(|other| equal(item, other)))
        }
        (Value::Int(_) | Value::Uint(_) | Value::Float(_), Value::Int(_) | Value::Uint(_) | Value::Float(_)) => {
            to_json(a) == to_json(b)
        }
        (a, b) => a == b,
    }
}
