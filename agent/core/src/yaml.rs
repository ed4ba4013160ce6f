//! What is wrong with YAML that people wrote, as one line with its place; the library's own words are made for
//! programmers and go over several lines.

use std::fmt;

use serde_yaml::{Error, SnippetMode, UserMessageFormatter, render_options};

/// Why a text cannot be read as YAML, or not as what it should be.
#[derive(Debug)]
pub struct YamlError(Box<Error>);

impl From<Error> for YamlError {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = render_options! { formatter: &UserMessageFormatter, snippets: SnippetMode::Off };
        f.write_str(&self.0.render_with_options(options))
    }
}

/// What is wrong with `if: !SLOs()`.
pub const TAGGED: &str = "the `!` of `if` begins a tag of YAML, so that the condition is lost: put it in quotes, or write \
    `not` in its place";

/// The line, from 1, on which a key `if` has a value that begins with `!` outside of quotes. YAML takes the word after it
/// for a tag and the value for nothing.
pub fn tagged_condition(text: &str) -> Option<usize> {
    let is_tagged = |line: &str| {
        line.match_indices("if:").any(|(at, key)| {
            let before = line[..at].chars().next_back();
            before.is_none_or(|before| " -{,\"'".contains(before))
                && line[at + key.len()..].trim_start().starts_with('!')
        })
    };
    text.lines().position(is_tagged).map(|line| line + 1)
}

// It repeats what its cause says, so it has none.
impl std::error::Error for YamlError {}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn an_error_is_one_line_with_its_place() {
        for (text, said) in [
            ("a: b: c", "mapping values are not allowed in this context at line 1, column 5"),
            ("a: 1\na: 2\n", "duplicate mapping key `a` is not allowed here at line 2, column 1"),
            ("a: [1,\nb: 2", "unclosed bracket '[' at line 1, column 4"),
            ("a: *x", "reference to unknown value at line 1, column 4"),
        ] {
            let error = YamlError::from(serde_yaml::from_str::<Value>(text).unwrap_err());
            assert_eq!(error.to_string(), said, "{text}");
        }
    }
}
