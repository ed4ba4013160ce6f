//! Regular expressions in RE2's syntax, which Go and Rust share.

use gotmpl::Value;
use regex::{NoExpand, Regex, RegexBuilder};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{IntoValue as _, string};

/// Most memory a compiled expression may take, in bytes.
const MOST_MEMORY: usize = 1 << 20;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("regexMatch", 2, matches),
    exactly("mustRegexMatch", 2, matches),
    exactly("regexFind", 2, find),
    exactly("mustRegexFind", 2, find),
    exactly("regexFindAll", 3, find_all),
    exactly("mustRegexFindAll", 3, find_all),
    exactly("regexReplaceAll", 3, replace),
    exactly("mustRegexReplaceAll", 3, replace),
    exactly("regexReplaceAllLiteral", 3, replace_literally),
    exactly("mustRegexReplaceAllLiteral", 3, replace_literally),
    exactly("regexSplit", 3, split),
    exactly("mustRegexSplit", 3, split),
    exactly("regexQuoteMeta", 1, |call| Ok(string(quoted(call.str(0)?)))),
];

fn compiled(call: &Call<'_>) -> gotmpl::Result<Regex> {
    let pattern = call.str(0)?;
    let built = RegexBuilder::new(pattern).size_limit(MOST_MEMORY).build();
    built.map_err(|error| call.error(format!("`{pattern}` is not a usable regular expression: {error}")))
}

fn matches(call: &Call<'_>) -> Outcome {
    Ok(Value::Bool(compiled(call)?.is_match(call.str(1)?)))
}

fn find(call: &Call<'_>) -> Outcome {
    Ok(string(compiled(call)?.find(call.str(1)?).map_or("", |found| found.as_str())))
}

/// A negative limit means all.
fn limit(call: &Call<'_>) -> gotmpl::Result<usize> {
    Ok(usize::try_from(call.int(2)?).unwrap_or(usize::MAX))
}

fn find_all(call: &Call<'_>) -> Outcome {
    let (regex, limit) = (compiled(call)?, limit(call)?);
    let found = regex.find_iter(call.str(1)?).take(limit).map(|found| string(found.as_str()));
    Ok(found.collect::<Vec<_>>().into_value())
}

fn replace(call: &Call<'_>) -> Outcome {
    Ok(string(compiled(call)?.replace_all(call.str(1)?, call.str(2)?).as_ref()))
}

fn replace_literally(call: &Call<'_>) -> Outcome {
    Ok(string(compiled(call)?.replace_all(call.str(1)?, NoExpand(call.str(2)?)).as_ref()))
}

fn split(call: &Call<'_>) -> Outcome {
    let (regex, limit) = (compiled(call)?, limit(call)?);
    Ok(regex.splitn(call.str(1)?, limit).map(string).collect::<Vec<_>>().into_value())
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for letter in text.chars() {
        if r"\.+*?()|[]{}^$".contains(letter) {
            quoted.push('\\');
        }
        quoted.push(letter);
    }
    quoted
}
