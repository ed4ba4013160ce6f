//! Which functions there are.

use std::sync::{Arc, Weak};

use gotmpl::{FuncMap, Value, ValueFunc};

use super::call::Function;
use super::{dates, dicts, encoding, include, json, lists, logic, math, paths, regexes, semver, strings, yaml};
use crate::template::engine::Set;

/// Functions of Go's `text/template` that the template engine brings itself.
const BUILT_IN: [&str; 19] = [
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

const SUBJECTS: [&[Function]; 12] = [
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
    yaml::FUNCTIONS,
];

fn functions() -> impl Iterator<Item = &'static Function> {
    SUBJECTS.into_iter().flatten()
}

/// The names of all functions.
pub(in crate::template) fn names() -> impl Iterator<Item = &'static str> {
    functions().map(|function| function.name).chain(BUILT_IN).chain(include::NAMES)
}

/// Whether a template may call `name`.
pub(in crate::template) fn is_known(name: &str) -> bool {
    names().any(|known| known == name)
}

/// All functions; `include` and `tpl` look into `set` when they are called.
pub(in crate::template) fn function_map(set: &Weak<Set>) -> FuncMap {
    let pure = functions().map(|function| {
        let body: ValueFunc = Arc::new(move |args: &[Value]| function.call(args));
        (function.name.to_owned(), body)
    });
    pure.chain(include::bound_to(set)).collect()
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
