//! Which functions there are.

use std::sync::{Arc, Weak};

use gotmpl::{FuncMap, TemplateError, Value, ValueFunc};
use serde_json::Value as Json;

use super::call::{Function, expect_count};
use super::{
    cases, dates, dicts, encoding, include, json, lists, logic, math, paths, regexes, semver, strings, urls, yaml,
};
use crate::template::engine::Set;
use crate::template::value::{from_json, to_json};

/// A function that a template may call beside those that are always there. It need not be pure.
pub struct Extra {
    /// Its name.
    pub name: &'static str,
    /// How many arguments it takes.
    pub arity: std::ops::RangeInclusive<usize>,
    /// What it does; an error is told as "NAME: ERROR".
    pub body: fn(&[Json]) -> Result<Json, String>,
}

impl Extra {
    fn call(&self, args: &[Value]) -> gotmpl::Result<Value> {
        expect_count(self.name, args.len(), &self.arity)?;
        let args: Vec<Json> = args.iter().map(to_json).collect();
        let failed = |error| TemplateError::Exec(format!("{}: {error}", self.name));
        (self.body)(&args).map(|value| from_json(&value)).map_err(failed)
    }
}

/// Functions of Go's `text/template` that the template engine brings itself.
const BUILT_IN: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

const SUBJECTS: [&[Function]; 14] = [
    cases::FUNCTIONS,
    dates::FUNCTIONS,
    dicts::FUNCTIONS,
    encoding::FUNCTIONS,
    json::FUNCTIONS,
    lists::FUNCTIONS,
    logic::FUNCTIONS,
    math::FUNCTIONS,
    paths::FUNCTIONS,
    regexes::FUNCTIONS,
    semver::FUNCTIONS,
    strings::FUNCTIONS,
    urls::FUNCTIONS,
    yaml::FUNCTIONS,
];

fn functions() -> impl Iterator<Item = &'static Function> {
    SUBJECTS.into_iter().flatten()
}

/// The names of all functions.
pub(in crate::template) fn names(extras: &[Extra]) -> impl Iterator<Item = &'static str> {
    let extras = extras.iter().map(|extra| extra.name);
    functions().map(|function| function.name).chain(BUILT_IN).chain(include::NAMES).chain(extras)
}

/// Whether a template may call `name`.
pub(in crate::template) fn is_known(extras: &[Extra], name: &str) -> bool {
    names(extras).any(|known| known == name)
}

/// All functions; `include` and `tpl` look into `set` when they are called.
pub(in crate::template) fn function_map(set: &Weak<Set>, extras: &'static [Extra]) -> FuncMap {
    let pure = functions().map(|function| {
        let body: ValueFunc = Arc::new(move |args: &[Value]| function.call(args));
        (function.name.to_owned(), body)
    });
    let extras = extras.iter().map(|extra| {
        let body: ValueFunc = Arc::new(|args: &[Value]| extra.call(args));
        (extra.name.to_owned(), body)
    });
    pure.chain(include::bound_to(set)).chain(extras).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::template::functions::refusal;

    #[test]
    fn no_name_is_given_twice_or_both_known_and_refused() {
        let mut seen = BTreeSet::new();
        for name in functions().map(|function| function.name).chain(include::NAMES) {
            assert!(seen.insert(name), "{name} is there twice");
            assert!(refusal(name).is_none(), "{name} is also refused");
        }
    }
}
