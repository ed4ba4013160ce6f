//! Go's reference layout, which shows how 2 January 2006, 15:04:05 at -07:00 would be written: writing and reading points in
//! time in it, in whole seconds. Source of its words and of what is read leniently: the documentation of Go's package
//! `time`. Which functions there are is not its business.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};

/// A piece of a layout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part<'a> {
    /// Stands for itself.
    Text(&'a str),
    Year,
    YearOfCentury,
    MonthName,
    MonthShort,
    Month(Fill),
    WeekdayName,
    WeekdayShort,
    Day(Fill),
    DayOfYear(Fill),
    Hour,
    HourOfHalfDay(Fill),
    Minute(Fill),
    Second(Fill),
    /// `AM` or `PM`, or the same in small letters.
    HalfDay {
        small: bool,
    },
    ZoneName,
    Offset(OffsetForm),
    /// A fraction of a second: the digits with the sign before them. Without `always` only when there is one.
    Fraction {
        text: &'a str,
        always: bool,
    },
}

/// What stands before a number of fewer digits than it may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fill {
    Nothing,
    Blank,
    Zero,
}

/// How far a zone is ahead of UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct OffsetForm {
    /// `Z` for none.
    z: bool,
    colons: bool,
    minutes: bool,
    seconds: bool,
}

const fn offset(z: bool, colons: bool, minutes: bool, seconds: bool) -> Part<'static> {
    Part::Offset(OffsetForm { z, colons, minutes, seconds })
}

/// The words of a layout, longer ones first where one begins another.
const WORDS: [(&str, Part<'static>); 33] = [
    ("January", Part::MonthName),
    ("Monday", Part::WeekdayName),
    ("-07:00:00", offset(false, true, true, true)),
    ("-070000", offset(false, false, true, true)),
    ("-07:00", offset(false, true, true, false)),
    ("-0700", offset(false, false, true, false)),
    ("-07", offset(false, false, false, false)),
    ("Z07:00:00", offset(true, true, true, true)),
    ("Z070000", offset(true, false, true, true)),
    ("Z07:00", offset(true, true, true, false)),
    ("Z0700", offset(true, false, true, false)),
    ("Z07", offset(true, false, false, false)),
    ("2006", Part::Year),
    ("Jan", Part::MonthShort),
    ("Mon", Part::WeekdayShort),
    ("MST", Part::ZoneName),
    ("__2", Part::DayOfYear(Fill::Blank)),
    ("002", Part::DayOfYear(Fill::Zero)),
    ("01", Part::Month(Fill::Zero)),
    ("02", Part::Day(Fill::Zero)),
    ("03", Part::HourOfHalfDay(Fill::Zero)),
    ("04", Part::Minute(Fill::Zero)),
    ("05", Part::Second(Fill::Zero)),
    ("06", Part::YearOfCentury),
    ("15", Part::Hour),
    ("PM", Part::HalfDay { small: false }),
    ("pm", Part::HalfDay { small: true }),
    ("_2", Part::Day(Fill::Blank)),
    ("1", Part::Month(Fill::Nothing)),
    ("2", Part::Day(Fill::Nothing)),
    ("3", Part::HourOfHalfDay(Fill::Nothing)),
    ("4", Part::Minute(Fill::Nothing)),
    ("5", Part::Second(Fill::Nothing)),
];

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS: [&str; 7] = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];

fn parts(layout: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = layout;
    let mut text = 0;
    while text < rest.len() {
        let after = &rest[text..];
        // In `_2006` the line is one, and no blank before a day.
        let found = if after.starts_with("_2006") { None } else { word(after).or_else(|| fraction(after)) };
        match found {
            Some((length, part)) => {
                parts.extend((text > 0).then(|| Part::Text(&rest[..text])));
                parts.push(part);
                rest = &after[length..];
                text = 0;
            }
            None => text += after.chars().next().map_or(1, char::len_utf8),
        }
    }
    parts.extend((!rest.is_empty()).then_some(Part::Text(rest)));
    parts
}

/// The word that `rest` begins with: its length and its meaning. `Janus` and `Monk` are no dates.
fn word(rest: &str) -> Option<(usize, Part<'static>)> {
    let found = WORDS.iter().find(|(word, part)| {
        let short = matches!(part, Part::MonthShort | Part::WeekdayShort);
        let after = rest.strip_prefix(word);
        after.is_some_and(|after| !(short && after.starts_with(|letter: char| letter.is_ascii_lowercase())))
    });
    found.map(|(word, part)| (word.len(), *part))
}

fn fraction(rest: &str) -> Option<(usize, Part<'_>)> {
    let digits = rest.strip_prefix(['.', ','])?;
    let digit = digits.chars().next().filter(|digit| matches!(digit, '0' | '9'))?;
    let after = digits.trim_start_matches(digit);
    let length = rest.len() - after.len();
    let ends = !after.starts_with(|letter: char| letter.is_ascii_digit());
    ends.then_some((length, Part::Fraction { text: &rest[..length], always: digit == '0' }))
}

/// Writes a point in time as `zone` sees it.
pub(super) fn write(layout: &str, time: Timestamp, zone: &TimeZone) -> String {
    let info = zone.to_offset_info(time);
    let civil = info.offset().to_datetime(time);
    let written = parts(layout).into_iter().map(|part| match part {
        Part::Text(text) => text.to_owned(),
        Part::Year => format!("{:04}", civil.year()),
        Part::YearOfCentury => format!("{:02}", civil.year().rem_euclid(100)),
        Part::MonthName => month_name(civil).to_owned(),
        Part::MonthShort => month_name(civil)[..3].to_owned(),
        Part::Month(fill) => filled(civil.month().into(), 2, fill),
        Part::WeekdayName => weekday_name(civil).to_owned(),
        Part::WeekdayShort => weekday_name(civil)[..3].to_owned(),
        Part::Day(fill) => filled(civil.day().into(), 2, fill),
        Part::DayOfYear(fill) => filled(civil.day_of_year(), 3, fill),
        Part::Hour => filled(civil.hour().into(), 2, Fill::Zero),
        Part::HourOfHalfDay(fill) => filled((i16::from(civil.hour()) + 11) % 12 + 1, 2, fill),
        Part::Minute(fill) => filled(civil.minute().into(), 2, fill),
        Part::Second(fill) => filled(civil.second().into(), 2, fill),
        Part::HalfDay { small } => half_day(civil.hour() >= 12, small).to_owned(),
        Part::ZoneName => info.abbreviation().to_owned(),
        Part::Offset(form) => written_offset(info.offset(), form),
        Part::Fraction { text, always } => if always { text } else { "" }.to_owned(),
    });
    written.collect()
}

fn month_name(civil: DateTime) -> &'static str {
    MONTHS[usize::from(civil.month().unsigned_abs()) - 1]
}

fn weekday_name(civil: DateTime) -> &'static str {
    WEEKDAYS[usize::from(civil.weekday().to_monday_zero_offset().unsigned_abs())]
}

fn half_day(second: bool, small: bool) -> &'static str {
    match (second, small) {
        (false, false) => "AM",
        (false, true) => "am",
        (true, false) => "PM",
        (true, true) => "pm",
    }
}

fn filled(number: i16, width: usize, fill: Fill) -> String {
    match fill {
        Fill::Nothing => number.to_string(),
        Fill::Blank => format!("{number:width$}"),
        Fill::Zero => format!("{number:0width$}"),
    }
}

fn written_offset(offset: Offset, form: OffsetForm) -> String {
    if form.z && offset.is_zero() {
        return "Z".to_owned();
    }
    let seconds = offset.seconds();
    let (sign, ahead) = (if seconds < 0 { '-' } else { '+' }, seconds.unsigned_abs());
    let colon = if form.colons { ":" } else { "" };
    let mut written = format!("{sign}{:02}", ahead / 3600);
    if form.minutes {
        written.push_str(&format!("{colon}{:02}", ahead / 60 % 60));
    }
    if form.seconds {
        written.push_str(&format!("{colon}{:02}", ahead % 60));
    }
    written
}

/// What has been read of a point in time.
#[derive(Default)]
struct Read {
    year: i16,
    month: Option<i8>,
    day: Option<i8>,
    day_of_year: Option<i16>,
    hour: i8,
    minute: i8,
    second: i8,
    second_half: Option<bool>,
    /// Seconds ahead of UTC.
    offset: i64,
}

/// Reads a point in time; without a zone it is in UTC.
///
/// # Errors
/// Says which piece of the layout does not fit, or why there is no such time. A fraction of a second and a zone that is
/// only named are refused: a point in time is a whole number of seconds here, and names of zones are ambiguous.
pub(super) fn read(layout: &str, text: &str) -> Result<Timestamp, String> {
    let mut read = Read::default();
    let mut rest = text;
    let parts = parts(layout);
    for (index, part) in parts.iter().enumerate() {
        let after = read.take(*part, rest).and_then(|after| match (part, parts.get(index + 1)) {
            // A fraction may follow without being asked for.
            (Part::Second(_), next) if !matches!(next, Some(Part::Fraction { .. })) => zero_fraction(after, None),
            _ => Ok(after),
        });
        rest = after.map_err(|wrong| format!("`{text}` does not fit the layout `{layout}`: {wrong}"))?;
    }
    if !rest.is_empty() {
        return Err(format!("`{text}` does not fit the layout `{layout}`: `{rest}` is left over"));
    }
    read.timestamp().ok_or_else(|| format!("there is no such time as `{text}`"))
}

impl Read {
    /// Takes what `part` stands for from the beginning of `rest` and gives what follows.
    fn take<'a>(&mut self, part: Part<'_>, rest: &'a str) -> Result<&'a str, String> {
        let (after, number) = match part {
            Part::Text(text) => return skip(text, rest),
            Part::MonthName | Part::MonthShort => {
                let (index, after) = named(&MONTHS, part == Part::MonthShort, rest).ok_or_else(|| no("month", rest))?;
                self.month = i8::try_from(index + 1).ok();
                return Ok(after);
            }
            Part::WeekdayName | Part::WeekdayShort => {
                let found = named(&WEEKDAYS, part == Part::WeekdayShort, rest);
                return found.map(|(_, after)| after).ok_or_else(|| no("day of the week", rest));
            }
            Part::HalfDay { small } => {
                for second in [false, true] {
                    if let Some(after) = rest.strip_prefix(half_day(second, small)) {
                        self.second_half = Some(second);
                        return Ok(after);
                    }
                }
                return Err(no("half of a day", rest));
            }
            Part::ZoneName => {
                let after = rest.strip_prefix("UTC").or_else(|| rest.strip_prefix("GMT"));
                return after.ok_or_else(|| format!("`{rest}` begins with no zone but UTC or GMT: write its offset"));
            }
            Part::Offset(form) => {
                let (offset, after) = read_offset(form, rest).ok_or_else(|| no("offset of a zone", rest))?;
                self.offset = offset;
                return Ok(after);
            }
            Part::Fraction { text, always } => return zero_fraction(rest, always.then_some(text.len())),
            Part::Year => number(rest, 4, 4)?,
            Part::YearOfCentury => number(rest, 2, 2)?,
            Part::Hour => number(rest, 1, 2)?,
            Part::DayOfYear(fill) => number(unfilled(rest, fill, 2), if fill == Fill::Zero { 3 } else { 1 }, 3)?,
            Part::Month(fill)
            | Part::Day(fill)
            | Part::HourOfHalfDay(fill)
            | Part::Minute(fill)
            | Part::Second(fill) => number(unfilled(rest, fill, 1), if fill == Fill::Zero { 2 } else { 1 }, 2)?,
        };
        let small = i8::try_from(number).unwrap_or(i8::MAX);
        match part {
            Part::Year => self.year = number,
            // Two digits from 69 on are of the last century.
            Part::YearOfCentury => self.year = number + if number >= 69 { 1900 } else { 2000 },
            Part::Month(_) => self.month = Some(small),
            Part::Day(_) => self.day = Some(small),
            Part::DayOfYear(_) => self.day_of_year = Some(number),
            Part::HourOfHalfDay(_) if small > 12 => return Err(format!("{small} is no hour of half a day")),
            Part::Hour | Part::HourOfHalfDay(_) => self.hour = small,
            Part::Minute(_) => self.minute = small,
            Part::Second(_) => self.second = small,
            Part::Text(_)
            | Part::MonthName
            | Part::MonthShort
            | Part::WeekdayName
            | Part::WeekdayShort
            | Part::HalfDay { .. }
            | Part::ZoneName
            | Part::Offset(_)
            | Part::Fraction { .. } => {}
        }
        Ok(after)
    }

    fn timestamp(&self) -> Option<Timestamp> {
        let hour = match self.second_half {
            Some(true) if self.hour < 12 => self.hour + 12,
            Some(false) if self.hour == 12 => 0,
            Some(_) | None => self.hour,
        };
        let time = Time::new(hour, self.minute, self.second, 0).ok().filter(|_| self.second < 60)?;
        let utc = Offset::UTC.to_timestamp(self.date()?.to_datetime(time)).ok()?;
        Timestamp::from_second(utc.as_second().checked_sub(self.offset)?).ok()
    }

    fn date(&self) -> Option<Date> {
        let Some(day_of_year) = self.day_of_year else {
            return Date::new(self.year, self.month.unwrap_or(1), self.day.unwrap_or(1)).ok();
        };
        let date = Date::new(self.year, 1, 1).ok()?.with().day_of_year(day_of_year).build().ok()?;
        let agrees =
            self.month.is_none_or(|month| month == date.month()) && self.day.is_none_or(|day| day == date.day());
        agrees.then_some(date)
    }
}

fn no(what: &str, rest: &str) -> String {
    format!("`{rest}` begins with no {what}")
}

/// Passes over what stands for itself. Any number of blanks is as good as any other, but where there should be one and
/// something else stands.
fn skip<'a>(text: &str, rest: &'a str) -> Result<&'a str, String> {
    let mut rest = rest;
    let mut wanted = text;
    while let Some(letter) = wanted.chars().next() {
        if letter == ' ' {
            if !rest.is_empty() && !rest.starts_with(' ') {
                return Err(format!("`{rest}` does not begin with a blank"));
            }
            (wanted, rest) = (wanted.trim_start_matches(' '), rest.trim_start_matches(' '));
        } else {
            wanted = &wanted[letter.len_utf8()..];
            rest = rest.strip_prefix(letter).ok_or_else(|| format!("`{rest}` does not begin with `{letter}`"))?;
        }
    }
    Ok(rest)
}

/// Which of `names` comes first in `rest`, in large or small letters, and what follows.
fn named<'a>(names: &[&str], short: bool, rest: &'a str) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(index, name)| {
        let name = if short { &name[..3] } else { name };
        let begin = rest.get(..name.len())?;
        begin.eq_ignore_ascii_case(name).then(|| (index, &rest[name.len()..]))
    })
}

/// Without the blanks that may stand before a number.
fn unfilled(rest: &str, fill: Fill, most: usize) -> &str {
    let mut rest = rest;
    for _ in 0..if fill == Fill::Blank { most } else { 0 } {
        rest = rest.strip_prefix(' ').unwrap_or(rest);
    }
    rest
}

/// A number of at least `least` and at most `most` digits, after what follows it.
fn number(rest: &str, least: usize, most: usize) -> Result<(&str, i16), String> {
    let digits = rest.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let read = (digits >= least).then(|| rest[..digits].parse().ok()).flatten();
    read.map(|number| (&rest[digits..], number)).ok_or_else(|| no("number of so many digits", rest))
}

fn read_offset(form: OffsetForm, rest: &str) -> Option<(i64, &str)> {
    if form.z
        && let Some(after) = rest.strip_prefix('Z')
    {
        return Some((0, after));
    }
    let ahead = rest.starts_with('+');
    let mut rest = rest.strip_prefix(['+', '-'])?;
    let mut seconds = 0;
    // Some write an offset of a whole day, or of sixty minutes.
    for (wanted, size, most) in [(true, 3600, 24), (form.minutes, 60, 60), (form.seconds, 1, 60)] {
        if !wanted {
            continue;
        }
        if form.colons && size < 3600 {
            rest = rest.strip_prefix(':')?;
        }
        let (after, number) = number(rest, 2, 2).ok()?;
        seconds += size * i64::from(Some(number).filter(|number| *number <= most)?);
        rest = after;
    }
    Some((if ahead { seconds } else { -seconds }, rest))
}

/// Passes over a fraction of a second that is nothing: of `length` letters if that is given, else of any length or none.
fn zero_fraction(rest: &str, length: Option<usize>) -> Result<&str, String> {
    let digits = rest.strip_prefix(['.', ',']).map_or(0, |after| after.bytes().take_while(u8::is_ascii_digit).count());
    let found = if digits == 0 { 0 } else { digits + 1 };
    let length = match length {
        Some(length) if found < length => return Err(no("fraction of so many digits", rest)),
        Some(length) => length,
        None => found,
    };
    match rest[..length].trim_start_matches(['.', ',']).trim_start_matches('0') {
        "" => Ok(&rest[length..]),
        _ => Err("fractions of a second are not kept".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let time = Timestamp::from_second(1_700_000_000).unwrap();
        for layout in [
            "2006-01-02T15:04:05Z07:00",
            "Mon, 02 Jan 2006 15:04:05 -0700",
            "Monday January _2 3:04:05PM 2006 MST",
            "2006 __2 150405.000",
            "06/1/2 03:4:5 pm -07:00:00",
        ] {
            let written = write(layout, time, &TimeZone::UTC);
            assert_eq!(read(layout, &written), Ok(time), "{layout}: {written}");
        }
    }

    #[test]
    fn says_what_does_not_fit() {
        for (layout, text, wrong) in [
            ("2006-01-02", "2006-13-02", "no such time"),
            ("2006-01-02", "2023-02-29", "no such time"),
            ("2006-01-02", "2006-1-02", "`1-02` begins with no number"),
            ("2006-01-02", "2006-01-02x", "`x` is left over"),
            ("15:04:05", "01:02:03.5", "fractions of a second are not kept"),
            ("15:04 MST", "01:02 CET", "write its offset"),
            ("2006 002 Jan", "2006 040 Jan", "no such time"),
            ("3 PM", "13 PM", "13 is no hour of half a day"),
        ] {
            let error = read(layout, text).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
