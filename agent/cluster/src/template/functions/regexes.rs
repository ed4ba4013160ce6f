//! Regular expressions in RE2's syntax, which Go and Rust share but for what [`translated`] does.

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
    let built = RegexBuilder::new(&translated(pattern)).size_limit(MOST_MEMORY).build();
    built.map_err(|error| call.error(format!("`{pattern}` is not a usable regular expression: {error}")))
}

/// In Go, `\d`, `\s`, `\w` and `\b` know ASCII alone, `\<` is a `<`, and in a class `[`, `&` and `~` are nothing
/// special.
fn translated(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len());
    let mut in_class = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(name @ ('d' | 's' | 'w')) if in_class => translated.push_str(ascii(name)),
                Some(name @ ('d' | 's' | 'w')) => translated.push_str(&format!("[{}]", ascii(name))),
                Some(name @ ('D' | 'S' | 'W')) => {
                    translated.push_str(&format!("[^{}]", ascii(name.to_ascii_lowercase())));
                }
                Some(edge @ ('b' | 'B')) => translated.push_str(&format!("(?-u:\\{edge})")),
                Some(sign @ ('<' | '>')) => translated.push(sign),
                escaped => translated.extend(['\\'].into_iter().chain(escaped)),
            },
            '[' if in_class && letters.peek() == Some(&':') => {
                translated.push('[');
                for letter in letters.by_ref() {
                    translated.push(letter);
                    if letter == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' if in_class => translated.extend(['\\', letter]),
            '[' => {
                in_class = true;
                translated.push('[');
                translated.extend(letters.next_if_eq(&'^'));
                // The first one does not end the class.
                if letters.next_if_eq(&']').is_some() {
                    translated.push_str("\\]");
                }
            }
            ']' => {
                in_class = false;
                translated.push(']');
            }
            _ => translated.push(letter),
        }
    }
    translated
}

/// What RE2 means by `\d`, `\s` and `\w`, inside brackets.
fn ascii(name: char) -> &'static str {
    match name {
        'd' => "0-9",
        's' => r"\t\n\f\r ",
        _ => "0-9A-Za-z_",
    }
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

/// As Go's `Regexp.Split`: an empty match at the beginning or the end cuts nothing off.
fn split(call: &Call<'_>) -> Outcome {
    let (regex, limit, text) = (compiled(call)?, limit(call)?, call.str(1)?);
    if limit == 0 || (text.is_empty() && regex.as_str().is_empty()) {
        return Ok(Vec::new().into_value());
    }
    let mut parts = Vec::new();
    let (mut begin, mut end) = (0, 0);
    for found in regex.find_iter(text) {
        if parts.len() + 1 == limit {
            break;
        }
        end = found.start();
        if found.end() != 0 {
            parts.push(string(&text[begin..end]));
        }
        begin = found.end();
    }
    if end != text.len() || text.is_empty() {
        parts.push(string(&text[begin..]));
    }
    Ok(parts.into_value())
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
