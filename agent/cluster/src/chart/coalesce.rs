//! A user's values over a chart's defaults, by Helm's rules (`pkg/chartutil/coalesce.go`).

use serde_json::{Map, Value};

/// The values that a chart is rendered with, and warnings about those that do not fit their defaults.
///
/// Tables merge key by key, anything else replaces. A null takes the default of its key away; where there is no
/// default, it stays a null.
pub fn coalesce(user: &Value, defaults: &Value) -> (Value, Vec<String>) {
    let empty = Map::new();
    let mut values = user.as_object().cloned().unwrap_or_default();
    let mut warnings = Vec::new();
    for (key, default) in defaults.as_object().unwrap_or(&empty) {
        match (values.get_mut(key), default) {
            (None, _) => {
                values.insert(key.clone(), default.clone());
            }
            // At the top, Helm takes away a null even where the default is null too.
            (Some(Value::Null), _) => {
                values.shift_remove(key);
            }
            (Some(Value::Object(table)), Value::Object(default)) => merge(table, default, key, &mut warnings),
            (Some(Value::Object(_)), Value::Null) => {}
            (Some(Value::Object(_)), _) => warnings.push(not_a_table(key)),
            (Some(_), _) => {}
        }
    }
    (Value::Object(values), warnings)
}

fn merge(table: &mut Map<String, Value>, defaults: &Map<String, Value>, place: &str, warnings: &mut Vec<String>) {
    for (key, default) in defaults {
        let place = format!("{place}.{key}");
        match (table.get_mut(key), default) {
            (None, _) => {
                table.insert(key.clone(), default.clone());
            }
            (Some(Value::Null), Value::Null) => {}
            (Some(Value::Null), _) => {
                table.shift_remove(key);
            }
            (Some(Value::Object(inner)), Value::Object(default)) => merge(inner, default, &place, warnings),
            (Some(Value::Object(_)), Value::Null) => {}
            (Some(Value::Object(_)), _) => warnings.push(not_a_table(&place)),
            (Some(_), Value::Object(_)) => {
                warnings.push(format!(
                    "`{place}` is a table of several values by default, and is replaced by a single one"
                ));
            }
            (Some(_), _) => {}
        }
    }
}

fn not_a_table(place: &str) -> String {
    format!("`{place}` is a single value by default, and is replaced by a table of several")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(user: &Value, defaults: &Value) -> Value {
        coalesce(user, defaults).0
    }

    #[test]
    fn tables_merge_and_everything_else_replaces() {
        let defaults = json!({"a": {"x": 1, "y": [1, 2]}, "b": 1, "c": 2});
        let user = json!({"a": {"y": [3]}, "b": 5});
        assert_eq!(values(&user, &defaults), json!({"a": {"x": 1, "y": [3]}, "b": 5, "c": 2}));
    }

    #[test]
    fn null_takes_a_default_away_at_every_depth() {
        let defaults = json!({"a": {"x": {"y": 1, "z": 2}}, "b": 1});
        let user = json!({"a": {"x": {"y": null}}, "b": null});
        assert_eq!(values(&user, &defaults), json!({"a": {"x": {"z": 2}}}));
    }

    #[test]
    fn null_stays_where_there_is_no_default() {
        let defaults = json!({"a": {"x": 1}});
        let user = json!({"a": {"n": null}, "b": null, "c": {"n": null}});
        assert_eq!(values(&user, &defaults), json!({"a": {"x": 1, "n": null}, "b": null, "c": {"n": null}}));
    }

    #[test]
    fn null_over_a_null_default_goes_at_the_top_and_stays_below() {
        let defaults = json!({"a": null, "t": {"a": null}, "u": null});
        let user = json!({"a": null, "t": {"a": null}});
        assert_eq!(values(&user, &defaults), json!({"t": {"a": null}, "u": null}));
    }

    #[test]
    fn the_user_wins_between_a_table_and_a_single_value_with_a_warning() {
        let defaults = json!({"a": 1, "t": {"table": {"x": 1}, "single": 1}});
        let user = json!({"a": {"x": 1}, "t": {"table": 5, "single": {"x": 1}}});
        let (values, warnings) = coalesce(&user, &defaults);
        assert_eq!(values, user);
        assert_eq!(warnings.len(), 3, "{warnings:?}");
        assert!(warnings.iter().any(|warning| warning.starts_with("`t.table` is a table")), "{warnings:?}");
    }

    #[test]
    fn a_default_that_is_null_yields_to_a_table_in_silence() {
        let (values, warnings) = coalesce(&json!({"a": {"x": 1}}), &json!({"a": null}));
        assert_eq!((values, warnings), (json!({"a": {"x": 1}}), vec![]));
    }
}
