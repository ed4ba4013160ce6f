//! Points in time, given as seconds of the Unix epoch, and spans of time. The clock is not read.

use gotmpl::Value;
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
    exactly("durationRound", 1, |call| Ok(string(rounded_span(seconds(call, 0)?)))),
];

/// Go's reference layout, longest words first where one begins another, and what they mean to strftime.
const LAYOUT: [(&str, &str); 27] = [
    ("January", "%B"),
    ("Monday", "%A"),
    ("-07:00", "+00:00"),
    ("Z07:00", "Z"),
    ("-0700", "+0000"),
    ("Z0700", "Z"),
    ("2006", "%Y"),
    ("Jan", "%b"),
    ("Mon", "%a"),
    ("MST", "UTC"),
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

fn seconds(call: &Call<'_>, index: usize) -> gotmpl::Result<i64> {
    match &call.args[index] {
        Value::String(text) => {
            text.parse().map_err(|_| call.error(format!("`{text}` is not a whole number of seconds")))
        }
        _ => call.int(index),
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
        let (taken, written) = LAYOUT
            .iter()
            .find(|(word, _)| rest.starts_with(word))
            .map_or((letter.len_utf8(), &rest[..letter.len_utf8()]), |(word, meaning)| (word.len(), meaning));
        format.push_str(written);
        rest = &rest[taken..];
    }
    format
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

/// The span in its greatest unit, without a fraction; months have 30 days and years 365.
fn rounded_span(seconds: i64) -> String {
    const DAY: u64 = 86_400;
    const UNITS: [(u64, &str); 5] = [(365 * DAY, "y"), (30 * DAY, "mo"), (DAY, "d"), (3600, "h"), (60, "m")];
    let whole = seconds.unsigned_abs();
    let (size, name) = UNITS.into_iter().find(|(size, _)| whole > *size).unwrap_or((1, "s"));
    format!("{}{name}", whole / size)
}
