//! Text: case, trimming, cutting, searching, joining, quoting.

use gotmpl::Value;

use super::call::{Call, Function, Outcome, at_least, exactly};
use crate::template::value::{Dict, IntoValue as _, string, text_of};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("upper", 1, |call| Ok(string(call.str(0)?.chars().map(upper).collect::<String>()))),
    exactly("lower", 1, |call| Ok(string(call.str(0)?.chars().map(lower).collect::<String>()))),
    exactly("title", 1, |call| Ok(string(each_first(call.str(0)?, separates, upper)))),
    exactly("untitle", 1, |call| Ok(string(each_first(call.str(0)?, char::is_whitespace, lower)))),
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
    exactly("abbrevboth", 3, abbrev_both),
    exactly("wrap", 2, |call| Ok(string(wrapped(call.str(1)?, call.int(0)?, "\n", false)))),
    exactly("wrapWith", 3, |call| Ok(string(wrapped(call.str(2)?, call.int(0)?, call.str(1)?, true)))),
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
    exactly("split", 2, |call| Ok(numbered(split(call.str(1)?, call.str(0)?, usize::MAX)))),
    exactly("splitn", 3, |call| {
        let limit = usize::try_from(call.int(1)?).unwrap_or(usize::MAX);
        Ok(numbered(split(call.str(2)?, call.str(0)?, limit)))
    }),
    exactly("splitList", 2, |call| {
        let parts = split(call.str(1)?, call.str(0)?, usize::MAX);
        Ok(parts.into_iter().map(string).collect::<Vec<_>>().into_value())
    }),
    exactly("join", 2, join),
    exactly("swapcase", 1, |call| Ok(string(call.str(0)?.chars().map(swapped).collect::<String>()))),
];

/// As in Go, a letter becomes one letter: `ß`, which has no upper case of that kind, stays.
pub(super) fn upper(letter: char) -> char {
    let mut upper = letter.to_uppercase();
    match (upper.next(), upper.next()) {
        (Some(upper), None) => upper,
        _ => letter,
    }
}

pub(super) fn lower(letter: char) -> char {
    letter.to_lowercase().next().unwrap_or(letter)
}

fn swapped(letter: char) -> char {
    if letter.is_uppercase() { lower(letter) } else { upper(letter) }
}

/// Go's idea of what stands between words.
fn separates(letter: char) -> bool {
    if letter.is_ascii() { !letter.is_ascii_alphanumeric() && letter != '_' } else { letter.is_whitespace() }
}

/// Changes the first letter of each word.
fn each_first(text: &str, separates: fn(char) -> bool, change: fn(char) -> char) -> String {
    let mut first = true;
    let changed = text.chars().map(|letter| {
        let changed = if first { change(letter) } else { letter };
        first = separates(letter);
        changed
    });
    changed.collect()
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
    let length = i64::try_from(text.len()).unwrap_or(i64::MAX);
    let (start, end) = if start < 0 { (0, end) } else { (start, if end < 0 { length } else { end.min(length) }) };
    match (usize::try_from(start), usize::try_from(end)) {
        (Ok(from), Ok(to)) if from <= to && to <= text.len() => Ok(string(cut(text, from, to))),
        _ => Err(call.error(format!("there is no {start}..{end} in a text of {length} bytes"))),
    }
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

/// Leaves out what comes before and after a part that is about `right` bytes long and begins about at byte `left`.
fn abbrev_both(call: &Call<'_>) -> Outcome {
    let (left, right, text) = (call.int(0)?, call.int(1)?, call.str(2)?);
    let width = usize::try_from(right).unwrap_or(0);
    if width < 4 || (left > 0 && width < 7) || text.len() <= width {
        return Ok(string(text));
    }
    let part = width - 3;
    let begin = usize::try_from(left).unwrap_or(0).min(text.len() - part);
    Ok(string(if begin <= 4 {
        format!("{}...", cut(text, 0, part))
    } else if begin + part < text.len() {
        format!("...{}...", cut(text, begin, begin + part - 3))
    } else {
        format!("...{}", cut(text, text.len() - part, text.len()))
    }))
}

/// Puts `separator` in place of blanks, so that lines are at most `width` bytes long; a longer word is a line of its own
/// unless it is to be `split`. Blanks at the beginning of a line are left out.
fn wrapped(text: &str, width: i64, separator: &str, split: bool) -> String {
    let width = usize::try_from(width).unwrap_or(0).max(1);
    let separator = if separator.is_empty() { "\n" } else { separator };
    let mut lines = String::with_capacity(text.len());
    let mut rest = text;
    while rest.len() > width {
        if let Some(after) = rest.strip_prefix(' ') {
            rest = after;
            continue;
        }
        let first = rest.chars().next().map_or(1, char::len_utf8);
        let full = rest.floor_char_boundary(width).max(first);
        let blank = cut(rest, 0, width + 1).rfind(' ');
        let blank = if split { blank } else { blank.or_else(|| Some(full + rest[full..].find(' ')?)) };
        let (end, next) = match blank {
            Some(blank) => (blank, blank + 1),
            None if split => (full, full),
            None => break,
        };
        lines.push_str(&rest[..end]);
        lines.push_str(separator);
        rest = &rest[next..];
    }
    lines + rest
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
            _ if letter.is_ascii() || is_printable(letter) => quoted.push(letter),
            '\u{10000}'.. => write!(quoted, "\\U{:08x}", u32::from(letter)).expect("a String takes all"),
            _ => write!(quoted, "\\u{:04x}", u32::from(letter)).expect("a String takes all"),
        }
    }
    quoted.push('"');
    quoted
}

/// Whether a letter leaves a mark of its own on paper, as the debug form of texts sees it. After another letter,
/// because alone it also escapes the marks that join the letter before.
fn is_printable(letter: char) -> bool {
    ['a', letter].iter().collect::<String>().escape_debug().count() == 2
}

fn indented(spaces: usize, text: &str) -> String {
    let pad = " ".repeat(spaces);
    format!("{pad}{}", text.replace('\n', &format!("\n{pad}")))
}

/// At most `limit` parts, of which the last is the rest. As in Go, nothing separates letters.
fn split<'a>(text: &'a str, separator: &str, limit: usize) -> Vec<&'a str> {
    if !separator.is_empty() || limit == 0 {
        return text.splitn(limit, separator).collect();
    }
    let starts = text.char_indices().map(|(start, _)| start).take(limit);
    let ends = text.char_indices().map(|(start, _)| start).take(limit).skip(1).chain([text.len()]);
    starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
}

fn numbered(parts: Vec<&str>) -> Value {
    let named = parts.into_iter().enumerate().map(|(index, part)| (format!("_{index}").into(), string(part)));
    named.collect::<Dict>().into_value()
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
