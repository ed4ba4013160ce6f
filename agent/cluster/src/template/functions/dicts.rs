//! Dicts: making, reading, picking, merging. No dict is changed; every function returns a new one.

use std::sync::Arc;

use gotmpl::Value;

use super::call::{Call, Function, Outcome, at_least, exactly};
use crate::template::value::{Dict, IntoValue as _, string, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    at_least("dict", 0, dict),
    exactly("get", 2, |call| Ok(call.dict(0)?.get(call.str(1)?).cloned().unwrap_or_else(|| string("")))),
    exactly("hasKey", 2, |call| Ok(Value::Bool(call.dict(0)?.contains_key(call.str(1)?)))),
    at_least("keys", 0, |call| {
        let dicts = (0..call.args.len()).map(|index| call.dict(index)).collect::<gotmpl::Result<Vec<_>>>()?;
        let keys = dicts.iter().flat_map(|dict| dict.keys().cloned().map(Value::String));
        Ok(keys.collect::<Vec<_>>().into_value())
    }),
    exactly("values", 1, |call| Ok(call.dict(0)?.values().cloned().collect::<Vec<_>>().into_value())),
    at_least("pluck", 1, pluck),
    at_least("pick", 1, |call| choose(call, true)),
    at_least("omit", 1, |call| choose(call, false)),
    at_least("dig", 3, dig),
    at_least("merge", 1, |call| merge_all(call, false)),
    at_least("mustMerge", 1, |call| merge_all(call, false)),
    at_least("mergeOverwrite", 1, |call| merge_all(call, true)),
    at_least("mustMergeOverwrite", 1, |call| merge_all(call, true)),
];

fn dict(call: &Call<'_>) -> Outcome {
    let pairs = call.args.chunks(2).map(|pair| (text_of(&pair[0]), pair.get(1).cloned().unwrap_or_else(|| string(""))));
    Ok(pairs.collect::<Dict>().into_value())
}

fn pluck(call: &Call<'_>) -> Outcome {
    let key = call.str(0)?;
    let dicts = (1..call.args.len()).map(|index| call.dict(index)).collect::<gotmpl::Result<Vec<_>>>()?;
    Ok(dicts.iter().filter_map(|dict| dict.get(key).cloned()).collect::<Vec<_>>().into_value())
}

fn choose(call: &Call<'_>, wanted: bool) -> Outcome {
    let keys = (1..call.args.len()).map(|index| call.str(index)).collect::<gotmpl::Result<Vec<_>>>()?;
    let chosen = call.dict(0)?.iter().filter(|(key, _)| keys.contains(&key.as_ref()) == wanted);
    Ok(chosen.map(|(key, value)| (Arc::clone(key), value.clone())).collect::<Dict>().into_value())
}

/// `dig KEY… DEFAULT DICT`.
fn dig(call: &Call<'_>) -> Outcome {
    let (keys, default) = (call.args.len() - 2, &call.args[call.args.len() - 2]);
    call.dict(keys + 1)?;
    let mut found = call.last();
    for index in 0..keys {
        let Value::Map(dict) = found else {
            return Err(call.error(format!("`{}` is not a dict", call.str(index.saturating_sub(1))?)));
        };
        match dict.get(call.str(index)?) {
            Some(value) => found = value,
            None => return Ok(default.clone()),
        }
    }
    Ok(found.clone())
}

fn merge_all(call: &Call<'_>, overwrite: bool) -> Outcome {
    let mut merged = call.dict(0)?.as_ref().clone();
    for index in 1..call.args.len() {
        merge(&mut merged, call.dict(index)?, overwrite);
    }
    Ok(merged.into_value())
}

/// Dicts merge key by key. Of other values, `overwrite` takes the new one; without it, the old one stays unless it is
/// empty in Go's sense, and a new nil is none. The rules are mergo's, which Sprig uses.
fn merge(into: &mut Dict, from: &Dict, overwrite: bool) {
    for (key, value) in from {
        match (into.get_mut(key), value) {
            (_, Value::Nil) if !overwrite => {}
            (Some(Value::Map(old)), Value::Map(new)) => merge(Arc::make_mut(old), new, overwrite),
            (Some(old), new) if overwrite || !old.is_truthy() => *old = new.clone(),
            (Some(_), _) => {}
            (None, new) => {
                into.insert(Arc::clone(key), new.clone());
            }
        }
    }
}
