//! Text: case, trimming, cutting, searching, joining, quoting.

use gotmpl::Value;

use super::call::{Call, Function, Outcome, at_least, exactly};
use crate::template::value::{Dict, IntoValue as _, string, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("upper", 1, |call| Ok(string(call.str(0)?.to_uppercase()))),
    exactly("lower", 1, |call| Ok(string(call.str(0)?.to_lowercase()))),
    exactly("title", 1, |call| Ok(string(each_word(call.str(0)?, |first| first.to_uppercase().collect())))),
    exactly("untitle", 1, |call| Ok(string(each_word(call.str(0)?, |first| first.to_lowercase().collect())))),
    exactly("initials", 1, |call| {
        Ok(string(call.str(0)?.split_whitespace().filter_map(|word| word.chars().next()).collect::<String>()))
    }),
    exactly("trim", 1, |call| Ok(string(call.str(0)?.trim()))),
    exactly("trimAll", 2, trim_all),
    exactly("trimall", 2, trim_all),
    exactly("trimPrefix", 2, |call| {
        let text = call.str(1)?;
        Ok(string(text.strip_prefix(call.str(0)?).unwrap_or(text)))
    }),
    exactly("trimSuffix", 2, |call| {
        let text = call.str(1)?;
        Ok(string(text.strip_suffix(call.str(0)?).unwrap_or(text)))
    }),
    exactly("nospace", 1, |call| {
        Ok(string(call.str(0)?.chars().filter(|letter| !letter.is_whitespace()).collect::<String>()))
    }),
    exactly("trunc", 2, trunc),
    exactly("substr", 3, substr),
    exactly("abbrev", 2, abbrev),
    exactly("repeat", 2, |call| {
        let (count, text) = (call.count(0)?, call.str(1)?);
        if count.saturating_mul(text.len()) > 1 << 20 {
            return Err(call.error("the result would be over 1 MiB"));
        }
        Ok(string(text.repeat(count)))
    }),
    exactly("replace", 3, |call| Ok(string(call.str(2)?.replace(call.str(0)?, call.str(1)?)))),
    exactly("plural", 3, |call| Ok(call.args[usize::from(call.int(2)? != 1)].clone())),
    exactly("contains", 2, |call| Ok(Value::Bool(call.str(1)?.contains(call.str(0)?)))),
    exactly("hasPrefix", 2, |call| Ok(Value::Bool(call.str(1)?.starts_with(call.str(0)?)))),
    exactly("hasSuffix", 2, |call| Ok(Value::Bool(call.str(1)?.ends_with(call.str(0)?)))),
    at_least("quote", 0, |call| Ok(each_present(call, |text| go_quoted(&text)))),
    at_least("squote", 0, |call| Ok(each_present(call, |text| format!("'{text}'")))),
    at_least("cat", 0, |call| Ok(each_present(call, |text| text))),
    exactly("indent", 2, |call| Ok(string(indented(call.count(0)?, call.str(1)?)))),
    exactly("nindent", 2, |call| Ok(string(format!("\n{}", indented(call.count(0)?, call.str(1)?))))),
    exactly("split", 2, |call| Ok(parts(call.str(1)?.split(call.str(0)?)))),
    exactly("splitn", 3, |call| Ok(parts(call.str(2)?.splitn(call.count(1)?, call.str(0)?)))),
    exactly("splitList", 2, |call| Ok(call.str(1)?.split(call.str(0)?).map(string).collect::<Vec<_>>().into_value())),
    exactly("join", 2, join),
    exactly("swapcase", 1, |call| Ok(string(call.str(0)?.chars().flat_map(swapped).collect::<String>()))),
];

fn each_word(text: &str, change: fn(char) -> String) -> String {
    let mut start = true;
    let mut changed = String::with_capacity(text.len());
    for letter in text.chars() {
        if start && !letter.is_whitespace() {
            changed.push_str(&change(letter));
        } else {
            changed.push(letter);
        }
        start = letter.is_whitespace();
    }
    changed
}

fn swapped(letter: char) -> Vec<char> {
    if letter.is_uppercase() { letter.to_lowercase().collect() } else { letter.to_uppercase().collect() }
}

fn trim_all(call: &Call<'_>) -> Outcome {
    let cut = call.str(0)?;
    Ok(string(call.str(1)?.trim_matches(|letter| cut.contains(letter))))
}

/// Positions count bytes, as in Go; one inside a letter moves back to the letter's start rather than break it.
fn cut(text: &str, start: usize, end: usize) -> &str {
    let end = text.floor_char_boundary(end);
    &text[text.floor_char_boundary(start).min(end)..end]
}

fn trunc(call: &Call<'_>) -> Outcome {
    let (length, text) = (call.int(0)?, call.str(1)?);
    let size = usize::try_from(length.unsigned_abs()).unwrap_or(usize::MAX);
    Ok(string(match length {
        _ if size >= text.len() => text,
        0.. => cut(text, 0, size),
        _ => cut(text, text.len() - size, text.len()),
    }))
}

fn substr(call: &Call<'_>) -> Outcome {
    let (start, end, text) = (call.int(0)?, call.int(1)?, call.str(2)?);
    let end = usize::try_from(end).map_or(text.len(), |end| end.min(text.len()));
    Ok(string(cut(text, usize::try_from(start).unwrap_or(0), end)))
}

fn abbrev(call: &Call<'_>) -> Outcome {
    let (width, text) = (call.int(0)?, call.str(1)?);
    let width = usize::try_from(width).unwrap_or(0);
    Ok(string(if width < 4 || text.len() <= width {
        text.to_owned()
    } else {
        format!("{}...", cut(text, 0, width - 3))
    }))
}

fn each_present(call: &Call<'_>, write: impl Fn(String) -> String) -> Value {
    let present = call.args.iter().filter(|value| !matches!(value, Value::Nil));
    string(present.map(|value| write(text_of(value).to_string())).collect::<Vec<_>>().join(" "))
}

/// As Go's `%q`: double quotes with escapes, letters beyond ASCII as they are.
fn go_quoted(text: &str) -> String {
    use std::fmt::Write as _;
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for letter in text.chars() {
        match letter {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{7}' => quoted.push_str("\\a"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            '\u{b}' => quoted.push_str("\\v"),
            _ if letter.is_ascii_control() => {
                write!(quoted, "\\x{:02x}", u32::from(letter)).expect("a String takes all");
            }
            _ if letter.is_control() || "\u{a0}\u{2028}\u{2029}\u{feff}".contains(letter) => {
                write!(quoted, "\\u{:04x}", u32::from(letter)).expect("a String takes all");
            }
            _ => quoted.push(letter),
        }
    }
    quoted.push('"');
    quoted
}

fn indented(spaces: usize, text: &str) -> String {
    let pad = " ".repeat(spaces);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

fn parts<'a>(parts: impl Iterator<Item = &'a str>) -> Value {
    parts.enumerate().map(|(index, part)| (format!("_{index}").into(), string(part))).collect::<Dict>().into_value()
}

fn join(call: &Call<'_>) -> Outcome {
    let separator = call.str(0)?;
    let texts: Vec<_> = match &call.args[1] {
        Value::List(items) => items.iter().filter(|item| !matches!(item, Value::Nil)).map(text_of).collect(),
        Value::Nil => Vec::new(),
        other => vec![text_of(other)],
    };
    Ok(string(texts.join(separator)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cuts_never_break_a_letter() {
        assert_eq!(cut("héllo", 0, 2), "h");
        assert_eq!(cut("héllo", 2, 4), "él");
        assert_eq!(cut("abc", 2, 1), "");
    }

    #[test]
    fn quotes_control_characters_as_go_does() {
        assert_eq!(go_quoted("a\"b\\\n\u{1}\u{7f}é"), r#""a\"b\\\n\x01\x7fé""#);
    }
}
