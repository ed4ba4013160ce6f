//! Merging maps of values as Helm does.

use serde_json::Value;

/// `over` put over `under`: maps are merged key by key, everything else (lists, scalars, null) replaces.
pub fn merge_maps(under: Value, over: Value) -> Value {
    match (under, over) {
        (Value::Object(mut under), Value::Object(over)) => {
            for (key, value) in over {
                let merged = match under.remove(&key) {
                    Some(earlier) => merge_maps(earlier, value),
                    None => value,
                };
                under.insert(key, merged);
            }
            Value::Object(under)
        }
        (_, over) => over,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn maps_merge_and_everything_else_replaces() {
        let under = json!({ "a": { "x": 1, "y": 2 }, "b": [1, 2], "c": 1, "d": { "z": 1 } });
        let over = json!({ "a": { "y": 3 }, "b": [9], "c": { "n": 1 }, "d": null });
        assert_eq!(merge_maps(under, over), json!({ "a": { "x": 1, "y": 3 }, "b": [9], "c": { "n": 1 }, "d": null }));
    }
}
