//! `--set-json`: values in JSON.

use serde_json::{Deserializer, Value};

use super::merge::merge_maps;
use super::set::{Scanner, SetError};

/// Puts `key=JSON` pairs, or one whole JSON object, into `values`.
pub(super) fn apply(values: &mut Value, text: &str) -> Result<(), SetError> {
    if text.trim_start().starts_with('{') {
        let object: Value = serde_json::from_str(text).map_err(|error| not_json(text, &error))?;
        *values = merge_maps(values.take(), object);
        return Ok(());
    }
    let mut scanner = Scanner { rest: text };
    while !scanner.rest.is_empty() {
        let path = scanner.key()?;
        let trimmed = scanner.rest.trim_start();
        let value = if trimmed.is_empty() || trimmed.starts_with(',') {
            scanner.rest = trimmed;
            Value::Null
        } else {
            let mut documents = Deserializer::from_str(trimmed).into_iter::<Value>();
            let value = documents.next().transpose().map_err(|error| not_json(trimmed, &error))?.unwrap_or_default();
            scanner.rest = trimmed[documents.byte_offset()..].trim_start();
            value
        };
        path.put(values, value)?;
        scanner.rest = match scanner.rest.strip_prefix(',') {
            Some(rest) => rest,
            None if scanner.rest.is_empty() => "",
            None => {
                return Err(SetError::Json {
                    text: scanner.rest.to_owned(),
                    reason: "expected a comma or the end".to_owned(),
                });
            }
        };
    }
    Ok(())
}

fn not_json(text: &str, error: &serde_json::Error) -> SetError {
    SetError::Json { text: text.chars().take(60).collect(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn json_goes_where_its_key_says() {
        for (text, expected) in [
            (r#"a={"b":[1,2.5]},c="x,y""#, json!({ "a": { "b": [1, 2.5] }, "c": "x,y" })),
            ("a.b=1.5,c=", json!({ "a": { "b": 1.5 }, "c": null })),
            (r#"{"a":{"b":1}}"#, json!({ "a": { "b": 1 } })),
        ] {
            let mut values = json!({});
            apply(&mut values, text).unwrap();
            assert_eq!(values, expected, "{text}");
        }
        assert!(matches!(apply(&mut json!({}), "a={x"), Err(SetError::Json { .. })));
        assert!(matches!(apply(&mut json!({}), "a=1 2"), Err(SetError::Json { .. })));
    }

    proptest! {
        #[test]
        fn never_panics(text in ".*") {
            let _ = apply(&mut json!({}), &text);
        }
    }
}
