//! JSON as Go writes it: keys sorted, `<`, `>` and `&` escaped unless raw.

use std::fmt::Write as _;

use gotmpl::Value;
use serde_json::Value as Json;

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{from_json, string, to_json};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("toJson", 1, |call| Ok(string(written(&call.args[0], true, None)))),
    exactly("mustToJson", 1, |call| Ok(string(written(&call.args[0], true, None)))),
    exactly("toPrettyJson", 1, |call| Ok(string(written(&call.args[0], true, Some(0))))),
    exactly("mustToPrettyJson", 1, |call| Ok(string(written(&call.args[0], true, Some(0))))),
    exactly("toRawJson", 1, |call| Ok(string(written(&call.args[0], false, None)))),
    exactly("mustToRawJson", 1, |call| Ok(string(written(&call.args[0], false, None)))),
    exactly("fromJson", 1, from),
    exactly("fromJsonArray", 1, from),
    exactly("mustFromJson", 1, from),
];

/// Where Helm would put the error into the result, this fails.
fn from(call: &Call<'_>) -> Outcome {
    let json: Json = serde_json::from_str(call.str(0)?).map_err(|error| call.error(error))?;
    Ok(from_json(&json))
}

fn written(value: &Value, html: bool, indent: Option<usize>) -> String {
    let mut out = String::new();
    write(&mut out, &to_json(value), html, indent);
    out
}

fn write(out: &mut String, json: &Json, html: bool, indent: Option<usize>) {
    match json {
        Json::Array(items) if items.is_empty() => out.push_str("[]"),
        Json::Object(map) if map.is_empty() => out.push_str("{}"),
        Json::Array(items) => {
            out.push('[');
            for (index, item) in items.iter().enumerate() {
                separate(out, index, indent);
                write(out, item, html, indent.map(|level| level + 1));
            }
            close(out, indent);
            out.push(']');
        }
        Json::Object(map) => {
            out.push('{');
            for (index, (key, item)) in map.iter().enumerate() {
                separate(out, index, indent);
                write_text(out, key, html);
                out.push_str(if indent.is_some() { ": " } else { ":" });
                write(out, item, html, indent.map(|level| level + 1));
            }
            close(out, indent);
            out.push('}');
        }
        Json::String(text) => write_text(out, text, html),
        Json::Number(number) if number.is_f64() => out.push_str(&float(number.as_f64().unwrap_or_default())),
        Json::Null | Json::Bool(_) | Json::Number(_) => {
            write!(out, "{json}").expect("a String takes all");
        }
    }
}

/// The digits that tell a float from every other, with an exponent where it is very small or large.
fn float(number: f64) -> String {
    if number == 0.0 || (1e-6..1e21).contains(&number.abs()) {
        return number.to_string();
    }
    let written = format!("{number:e}");
    if written.contains("e-") { written } else { written.replace('e', "e+") }
}

fn separate(out: &mut String, index: usize, indent: Option<usize>) {
    if index > 0 {
        out.push(',');
    }
    if let Some(level) = indent {
        out.push('\n');
        out.push_str(&"  ".repeat(level + 1));
    }
}

fn close(out: &mut String, indent: Option<usize>) {
    if let Some(level) = indent {
        out.push('\n');
        out.push_str(&"  ".repeat(level));
    }
}

/// The escapes of Go's `encoding/json`; with `html` also those that make the text safe inside a script element.
fn write_text(out: &mut String, text: &str, html: bool) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            // Those from 7f on Go leaves as they are; then the text is no YAML.
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' => escape(out, letter),
            '<' | '>' | '&' if html => escape(out, letter),
            _ => out.push(letter),
        }
    }
    out.push('"');
}

fn escape(out: &mut String, letter: char) {
    write!(out, "\\u{:04x}", u32::from(letter)).expect("a String takes all");
}
