//! How an object becomes another: JSON merge patch, and server-side apply as far as one manager for each field goes.

use serde_json::{Map, Value};

/// Applies a JSON merge patch (RFC 7396).
pub(crate) fn merge_patch(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge_patch(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Applies what a manager says of an object: what it says is set, what it `said` last time and no longer says goes.
/// Lists are replaced as a whole.
pub(crate) fn apply(target: &mut Value, says: &Value, said: &Value) {
    let (Value::Object(target), Value::Object(says)) = (&mut *target, says) else {
        *target = says.clone();
        return;
    };
    for (key, value) in says.iter().filter(|(_, value)| !value.is_null()) {
        apply(target.entry(key.clone()).or_insert(Value::Null), value, &said[key]);
    }
    let Value::Object(said) = said else { return };
    for (key, value) in said.iter().filter(|(key, _)| !says.contains_key(*key)) {
        remove(target, key, value);
    }
}

/// Removes what was said under `key`, and leaves what others set beside it.
fn remove(target: &mut Map<String, Value>, key: &str, said: &Value) {
    let is_empty = match (target.get_mut(key), said) {
        (Some(Value::Object(inner)), Value::Object(said)) => {
            said.iter().for_each(|(key, value)| remove(inner, key, value));
            inner.is_empty()
        }
        _ => true,
    };
    if is_empty {
        target.remove(key);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_does_as_its_rfc_says() {
        // From the table of RFC 7396, appendix A.
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!(["a", "b"]), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut target = before;
            merge_patch(&mut target, &patch);
            assert_eq!(target, after, "{patch}");
        }
    }

    #[test]
    fn applying_sets_what_is_said_removes_what_was_said_and_leaves_what_others_set() {
        let said = json!({"labels": {"a": "1", "b": "2"}, "spec": {"n": 1}});
        let says = json!({"labels": {"a": "3"}});
        let mut object = json!({"labels": {"a": "1", "b": "2", "theirs": "x"}, "spec": {"n": 1, "m": 2}});
        apply(&mut object, &says, &said);
        assert_eq!(object, json!({"labels": {"a": "3", "theirs": "x"}, "spec": {"m": 2}}));
    }
}
