//! What templates see: the values of all versions with those of one over them, and the time that has passed.

use jiff::Timestamp;
use serde_json::{Map, Value};

/// The time that metrics are about, among the values.
const STARTING_TIME: &str = "startingTime";

/// Why it is not known how much time has passed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ElapsedError {
    /// Not a time.
    #[error("must be a time such as 2026-01-02T15:04:05Z, got {0}")]
    NoTime(String),
    /// A time to come.
    #[error("{0} is in the future")]
    Future(Timestamp),
}

/// `common` with `own` over it: maps are merged, everything else of `own` replaces what `common` has, also when it is
/// empty. Neither changes.
pub fn merged(common: &Map<String, Value>, own: &Map<String, Value>) -> Map<String, Value> {
    let mut all = common.clone();
    for (key, value) in own {
        let value = match (all.get(key), value) {
            (Some(Value::Object(common)), Value::Object(own)) => Value::Object(merged(common, own)),
            (_, value) => value.clone(),
        };
        all.insert(key.clone(), value);
    }
    all
}

/// `startingTime` among `values`, if it is there.
pub(super) fn starting_time(values: &Map<String, Value>) -> Result<Option<Timestamp>, ElapsedError> {
    match values.get(STARTING_TIME) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => match text.trim().parse() {
            Ok(time) => Ok(Some(time)),
            Err(_) => Err(ElapsedError::NoTime(format!("\"{text}\""))),
        },
        Some(other) => Err(ElapsedError::NoTime(other.to_string())),
    }
}

/// Whole seconds from `startingTime` among `values`, or else from `began`, until `now`; at least one, because no database
/// knows a window without length.
///
/// # Errors
/// `startingTime` is no time, or one to come.
pub fn elapsed_seconds(values: &Map<String, Value>, began: Timestamp, now: Timestamp) -> Result<u64, ElapsedError> {
    let since = starting_time(values)?;
    let elapsed = now.duration_since(since.unwrap_or(began)).as_secs();
    match (u64::try_from(elapsed), since) {
        (Ok(elapsed), _) => Ok(elapsed.max(1)),
        (Err(_), Some(since)) => Err(ElapsedError::Future(since)),
        // The clock was set back.
        (Err(_), None) => Ok(1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    #[test]
    fn maps_are_merged_and_everything_else_replaced() {
        let common = map(&json!({ "labels": { "a": 1, "b": { "c": 2 } }, "list": [1, 2], "text": "x", "n": 1 }));
        let own = map(&json!({ "labels": { "b": { "d": 3 } }, "list": [], "text": "", "n": null, "new": true }));
        assert_eq!(
            Value::Object(merged(&common, &own)),
            json!({ "labels": { "a": 1, "b": { "c": 2, "d": 3 } }, "list": [], "text": "", "n": null, "new": true })
        );
    }

    #[test]
    fn time_passes_from_the_starting_time_or_from_the_beginning() {
        let (began, now) = ("2026-01-02T03:04:05Z".parse().unwrap(), "2026-01-02T03:05:05.9Z".parse().unwrap());
        let elapsed = |values: Value| elapsed_seconds(&map(&values), began, now).map_err(|error| error.to_string());
        assert_eq!(elapsed(json!({})), Ok(60));
        assert_eq!(elapsed(json!({ "startingTime": "2026-01-02T03:05:05.5Z" })), Ok(1));
        assert_eq!(elapsed(json!({ "startingTime": "2026-01-02T03:00:05Z" })), Ok(300));
        assert_eq!(elapsed(json!({ "startingTime": "2026-01-02T05:00:05+02:00" })), Ok(300));
        assert_eq!(
            elapsed(json!({ "startingTime": "2027-01-01T00:00:00Z" })),
            Err("2027-01-01T00:00:00Z is in the future".into())
        );
        assert_eq!(
            elapsed(json!({ "startingTime": 5 })),
            Err("must be a time such as 2026-01-02T15:04:05Z, got 5".into())
        );
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(Value::from),
            "[a-c]?".prop_map(Value::from)
        ];
        leaf.prop_recursive(3, 12, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::Array),
                prop::collection::btree_map("[a-c]", inner, 0..3)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    fn any_map() -> impl Strategy<Value = Map<String, Value>> {
        prop::collection::btree_map("[a-c]", any_value(), 0..3).prop_map(|map| map.into_iter().collect())
    }

    proptest! {
        #[test]
        fn what_one_version_says_is_never_seen_by_another(common in any_map(), first in any_map(), second in any_map()) {
            let alone = merged(&common, &second);
            let _ = merged(&common, &first);
            prop_assert_eq!(&merged(&common, &second), &alone);
            for (key, value) in &second {
                if !value.is_object() { prop_assert_eq!(&alone[key], value); }
            }
            for key in common.keys().chain(second.keys()) { prop_assert!(alone.contains_key(key)); }
            prop_assert_eq!(merged(&alone, &second), alone.clone());
        }
    }
}
