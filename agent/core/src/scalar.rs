//! Numbers, texts and flags as users write them in values: `--set` makes strings of floats (`http.qps=2.5`) and
//! integers of header values, and both mean what they say. Not for numbers that iter8 itself writes.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, Unexpected, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A whole number, zero or more. Accepts `5`, `5.0`, `"5"` and `1e3`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Count(pub u64);

/// A finite number. Accepts `2.5`, `2` and `"2.5"`.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Real(pub f64);

/// A text. Accepts numbers and booleans too, because `--set key=1` makes them so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Text(pub String);

/// A truth value. Accepts `"true"` and `"false"` too, because `--set-string` makes them so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Flag(pub bool);

struct CountVisitor;

impl Visitor<'_> for CountVisitor {
    type Value = Count;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number, zero or more")
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Count, E> {
        Ok(Count(v))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Count, E> {
        u64::try_from(v).map(Count).map_err(|_| E::invalid_value(Unexpected::Signed(v), &self))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Count, E> {
        // Above 2^53 a float no longer names one integer.
        if v >= 0.0 && v.fract() == 0.0 && v <= 9_007_199_254_740_992.0 {
            Ok(Count(v as u64))
        } else {
            Err(E::invalid_value(Unexpected::Float(v), &self))
        }
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Count, E> {
        match v.trim().parse::<u64>() {
            Ok(n) => Ok(Count(n)),
            Err(_) => match v.trim().parse::<f64>() {
                Ok(n) => self.visit_f64(n),
                Err(_) => Err(E::invalid_value(Unexpected::Str(v), &self)),
            },
        }
    }
}

struct RealVisitor;

impl Visitor<'_> for RealVisitor {
    type Value = Real;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number")
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Real, E> {
        Ok(Real(v as f64))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Real, E> {
        Ok(Real(v as f64))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Real, E> {
        if v.is_finite() { Ok(Real(v)) } else { Err(E::invalid_value(Unexpected::Float(v), &self)) }
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Real, E> {
        match v.trim().parse::<f64>() {
            Ok(n) if n.is_finite() => Ok(Real(n)),
            _ => Err(E::invalid_value(Unexpected::Str(v), &self)),
        }
    }
}

struct TextVisitor;

impl Visitor<'_> for TextVisitor {
    type Value = Text;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Text, E> {
        Ok(Text(v.to_string()))
    }

    fn visit_u64<E: Error>(self, v: u64) -> Result<Text, E> {
        Ok(Text(v.to_string()))
    }

    fn visit_i64<E: Error>(self, v: i64) -> Result<Text, E> {
        Ok(Text(v.to_string()))
    }

    fn visit_f64<E: Error>(self, v: f64) -> Result<Text, E> {
        Ok(Text(v.to_string()))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Text, E> {
        Ok(Text(v.to_owned()))
    }
}

struct FlagVisitor;

impl Visitor<'_> for FlagVisitor {
    type Value = Flag;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("true or false")
    }

    fn visit_bool<E: Error>(self, v: bool) -> Result<Flag, E> {
        Ok(Flag(v))
    }

    fn visit_str<E: Error>(self, v: &str) -> Result<Flag, E> {
        match v {
            "true" => Ok(Flag(true)),
            "false" => Ok(Flag(false)),
            _ => Err(E::invalid_value(Unexpected::Str(v), &self)),
        }
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(CountVisitor)
    }
}

impl<'de> Deserialize<'de> for Real {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RealVisitor)
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(TextVisitor)
    }
}

impl<'de> Deserialize<'de> for Flag {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FlagVisitor)
    }
}

/// Implements an inlined JSON Schema for a scalar; Helm checks a chart's values with the same schema, so every
/// form that is accepted here has to be in it.
macro_rules! scalar_schema {
    ($name:ident, $schema:tt) => {
        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!($schema)
            }
        }
    };
}

scalar_schema!(Count, { "type": ["integer", "string"], "format": "count", "minimum": 0 });
scalar_schema!(Real, { "type": ["number", "string"], "format": "real" });
scalar_schema!(Text, { "type": ["string", "number", "boolean"] });
scalar_schema!(Flag, { "type": ["boolean", "string"], "format": "flag" });

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn counts_are_read_from_every_form_that_names_one() {
        for value in [json!(1000), json!(1000.0), json!(1e3), json!("1000"), json!("1e3"), json!(" 1000 ")] {
            assert_eq!(serde_json::from_value::<Count>(value.clone()).unwrap(), Count(1000), "{value}");
        }
        for value in [json!(-1), json!(1.5), json!("x"), json!(""), json!(true), json!([1]), json!(1e300)] {
            assert!(serde_json::from_value::<Count>(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn reals_are_finite_numbers_or_their_texts() {
        assert_eq!(serde_json::from_value::<Real>(json!("2.5")).unwrap(), Real(2.5));
        assert_eq!(serde_json::from_value::<Real>(json!(-2)).unwrap(), Real(-2.0));
        for value in [json!("NaN"), json!("inf"), json!("2,5"), json!(null)] {
            assert!(serde_json::from_value::<Real>(value.clone()).is_err(), "{value}");
        }
    }

    #[test]
    fn a_header_set_to_a_number_is_its_text() {
        assert_eq!(serde_json::from_value::<Text>(json!(1)).unwrap(), Text("1".into()));
        assert_eq!(serde_json::from_value::<Text>(json!(true)).unwrap(), Text("true".into()));
    }
}
