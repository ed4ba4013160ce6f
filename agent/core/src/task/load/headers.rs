//! Headers and URLs among inputs: what is wrong with them. Sending them is the agent's business.

use std::collections::BTreeMap;

use crate::schema::Problem;
use crate::task::credential::Credential;

/// What is wrong with the headers under `key`. A value may be any text, also an empty one.
pub fn header_problems(key: &str, headers: &BTreeMap<String, Credential>) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (name, value) in headers {
        if !is_token(name) {
            problems.push(Problem::at(key, format!("has `{name}`, which is not the name of a header")));
        }
        let found = value.reference_problems().into_iter();
        problems.extend(found.map(|problem| problem.under(&format!("{key}.{name}"))));
    }
    problems
}

/// A token of RFC 9110, section 5.6.2: what names of headers and methods are made of.
pub fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// Whether a text is a URL that can be fetched, as far as its beginning says.
pub fn is_fetched(text: &str) -> bool {
    let rest = text.trim().strip_prefix("https://").or_else(|| text.trim().strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
}
