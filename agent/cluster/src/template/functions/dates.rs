//! Points in time, given as seconds of the Unix epoch, and spans of time. The clock is not read.

use gotmpl::Value;
use iter8_core::GoDuration;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::Offset;

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("date", 2, |call| date(call, call.str(0)?, 1)),
    exactly("htmlDate", 1, |call| date(call, "2006-01-02", 0)),
    exactly("duration", 1, |call| Ok(string(span(seconds(call, 0)?)))),
    exactly("durationRound", 1, |call| Ok(string(rounded_span(nanoseconds(call, 0)?)))),
];

/// The words of Go's reference layout, longer ones first where one begins another, and what they mean to strftime.
const LAYOUT: [(&str, &str); 35] = [
    ("January", "%B"),
    ("Monday", "%A"),
    ("-07:00:00", "+00:00:00"),
    ("-070000", "+000000"),
    ("-07:00", "+00:00"),
    ("-0700", "+0000"),
    ("-07", "+00"),
    ("Z07:00:00", "Z"),
    ("Z070000", "Z"),
    ("Z07:00", "Z"),
    ("Z0700", "Z"),
    ("Z07", "Z"),
    ("_2006", "_%Y"),
    ("2006", "%Y"),
    (SHORT_MONTH, "%b"),
    (SHORT_DAY, "%a"),
    ("MST", "UTC"),
    ("__2", "%_j"),
    ("002", "%j"),
    ("01", "%m"),
    ("02", "%d"),
    ("03", "%I"),
    ("04", "%M"),
    ("05", "%S"),
    ("06", "%y"),
    ("15", "%H"),
    ("PM", "%p"),
    ("pm", "%P"),
    ("_2", "%e"),
    ("1", "%-m"),
    ("2", "%-d"),
    ("3", "%-I"),
    ("4", "%-M"),
    ("5", "%-S"),
    ("%", "%%"),
];

const SHORT_MONTH: &str = "Jan";
const SHORT_DAY: &str = "Mon";

fn seconds(call: &Call<'_>, index: usize) -> gotmpl::Result<i64> {
    match &call.args[index] {
        Value::String(text) => {
            text.parse().map_err(|_| call.error(format!("`{text}` is not a whole number of seconds")))
        }
        _ => call.int(index),
    }
}

/// A span as Go writes it, or a number of nanoseconds.
fn nanoseconds(call: &Call<'_>, index: usize) -> gotmpl::Result<u128> {
    match &call.args[index] {
        Value::String(text) => {
            let span: GoDuration = text.strip_prefix('-').unwrap_or(text).parse().map_err(|error| call.error(error))?;
            Ok(span.0.as_nanos())
        }
        _ => Ok(call.int(index)?.unsigned_abs().into()),
    }
}

/// Formats a point in time in UTC: a template must not depend on the zone of the machine that renders it.
fn date(call: &Call<'_>, layout: &str, index: usize) -> Outcome {
    let time = Timestamp::from_second(call.int(index)?).map_err(|error| call.error(error))?;
    let time: DateTime = Offset::UTC.to_datetime(time);
    let formatted = strtime::format(strftime_of(layout), time).map_err(|error| call.error(error))?;
    Ok(string(formatted))
}

fn strftime_of(layout: &str) -> String {
    let mut rest = layout;
    let mut format = String::new();
    while let Some(letter) = rest.chars().next() {
        let found = word(rest).or_else(|| fraction(rest));
        let (taken, written) = found.unwrap_or((letter.len_utf8(), &rest[..letter.len_utf8()]));
        format.push_str(written);
        rest = &rest[taken..];
    }
    format
}

/// The word of the layout that `rest` begins with: its length and its meaning. `Janus` and `Monk` are no dates.
fn word(rest: &str) -> Option<(usize, &'static str)> {
    let found = LAYOUT.iter().find(|(word, _)| {
        let after = rest.strip_prefix(word);
        let short = [SHORT_MONTH, SHORT_DAY].contains(word);
        after.is_some_and(|after| !(short && after.starts_with(|letter: char| letter.is_ascii_lowercase())))
    });
    found.map(|(word, meaning)| (word.len(), *meaning))
}

/// A fraction of a second, which is always nothing: `.000` shows it, `.999` does not.
fn fraction(rest: &str) -> Option<(usize, &str)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    let length = rest.len() - after.len();
    let ends = !after.starts_with(|letter: char| letter.is_ascii_digit());
    ends.then_some((length, if digit == '0' { &rest[..length] } else { "" }))
}

/// Go's writing of a span: `1h2m3s`, the smaller units always after the first.
fn span(seconds: i64) -> String {
    let sign = if seconds < 0 { "-" } else { "" };
    let whole = seconds.unsigned_abs();
    let (hours, minutes, seconds) = (whole / 3600, whole / 60 % 60, whole % 60);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}s"),
        (0, _) => format!("{sign}{minutes}m{seconds}s"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}s"),
    }
}

/// The span in its greatest unit, without a fraction and a sign; months have 30 days and years 365.
fn rounded_span(nanoseconds: u128) -> String {
    const SECOND: u128 = 1_000_000_000;
    const DAY: u128 = 86_400 * SECOND;
    const UNITS: [(u128, &str); 6] =
        [(365 * DAY, "y"), (30 * DAY, "mo"), (DAY, "d"), (3600 * SECOND, "h"), (60 * SECOND, "m"), (SECOND, "s")];
    let unit = UNITS.into_iter().find(|(size, _)| nanoseconds > *size);
    unit.map_or("0s".to_owned(), |(size, name)| format!("{}{name}", nanoseconds / size))
}
