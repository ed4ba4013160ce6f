//! Durations as Go writes them (`1h15m30.5s`, `250ms`): parsing and printing. Not for points in time.
//!
//! The grammar is that of Go's `time.ParseDuration`: an optional sign, then decimal numbers each with a unit
//! (`ns us µs μs ms s m h`), or a bare `0`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A non-negative duration written in Go's form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct GoDuration(pub Duration);

/// Why a text is not a duration.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum DurationError {
    /// The text does not follow the grammar.
    #[error("`{0}` is not a duration: write it as in 500ms, 30s, 5m or 1h30m")]
    Syntax(String),
    /// The text is a duration below zero.
    #[error("`{0}` is negative: a duration must not be below zero")]
    Negative(String),
    /// More than Go's int64 nanoseconds (about 292 years) can hold.
    #[error("`{0}` is too long a duration")]
    Overflow(String),
}

const UNITS: [(&str, u64); 8] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("μs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3_600 * 1_000_000_000),
];

impl FromStr for GoDuration {
    type Err = DurationError;

    fn from_str(text: &str) -> Result<Self, DurationError> {
        let syntax = || DurationError::Syntax(text.to_owned());
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        if unsigned == "0" {
            return Ok(Self(Duration::ZERO));
        }
        if unsigned.is_empty() {
            return Err(syntax());
        }
        let mut nanos: u128 = 0;
        let mut rest = unsigned;
        while !rest.is_empty() {
            let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(syntax)?;
            let (number, tail) = rest.split_at(number_len);
            let unit_len = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
            let (unit, next) = tail.split_at(unit_len);
            let scale = UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale).ok_or_else(syntax)?;
            nanos += scaled(number, scale).ok_or_else(syntax)?;
            if nanos > i64::MAX as u128 {
                return Err(DurationError::Overflow(text.to_owned()));
            }
            rest = next;
        }
        if negative && nanos > 0 {
            return Err(DurationError::Negative(text.to_owned()));
        }
        let nanos = u64::try_from(nanos).map_err(|_| DurationError::Overflow(text.to_owned()))?;
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

/// `number` (digits with at most one point and at least one digit) times `scale`, truncated to whole nanoseconds.
fn scaled(number: &str, scale: u64) -> Option<u128> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) || whole.len() > 19 {
        return None;
    }
    let whole: u128 = if whole.is_empty() { 0 } else { whole.parse().ok()? };
    // Eighteen digits are more than a nanosecond's worth of any unit.
    let fraction = &fraction[..fraction.len().min(18)];
    let part = if fraction.is_empty() {
        0
    } else {
        fraction.parse::<u128>().ok()? * u128::from(scale) / 10u128.pow(fraction.len() as u32)
    };
    Some(whole * u128::from(scale) + part)
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        for (unit, scale) in [("ns", 1u128), ("µs", 1_000), ("ms", 1_000_000)] {
            if nanos < scale * 1_000 {
                return write!(f, "{}{unit}", decimal(nanos, scale));
            }
        }
        let (hours, minutes) = (nanos / 3_600_000_000_000, nanos / 60_000_000_000 % 60);
        if hours > 0 {
            write!(f, "{hours}h")?;
        }
        if hours > 0 || minutes > 0 {
            write!(f, "{minutes}m")?;
        }
        write!(f, "{}s", decimal(nanos % 60_000_000_000, 1_000_000_000))
    }
}

fn decimal(value: u128, scale: u128) -> String {
    let (whole, fraction) = (value / scale, value % scale);
    if fraction == 0 {
        return whole.to_string();
    }
    let digits = scale.ilog10() as usize;
    format!("{whole}.{}", format!("{fraction:0digits$}").trim_end_matches('0'))
}

impl Serialize for GoDuration {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GoDuration {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for GoDuration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "GoDuration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "go-duration" })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_what_go_reads() {
        let cases = [
            ("0", 0),
            ("+0", 0),
            ("-0s", 0),
            ("5s", 5_000_000_000),
            ("1.5h", 5_400_000_000_000),
            (".5s", 500_000_000),
            ("1.s", 1_000_000_000),
            ("3s4h", 14_403_000_000_000),
            ("1h15m30.918s", 4_530_918_000_000),
            ("10µs", 10_000),
            ("10\u{3bc}s", 10_000),
            ("1.999999999999999999999ns", 1),
        ];
        for (text, nanos) in cases {
            assert_eq!(text.parse::<GoDuration>().unwrap().0, Duration::from_nanos(nanos), "{text}");
        }
    }

    #[test]
    fn refuses_what_go_refuses_and_what_is_below_zero() {
        for text in ["", "3", "-", "s", ".", "-.", ".s", "1d", "1h 2m", "1..5s", "5 s", "１s"] {
            assert!(matches!(text.parse::<GoDuration>(), Err(DurationError::Syntax(_))), "{text}");
        }
        assert!(matches!("-1s".parse::<GoDuration>(), Err(DurationError::Negative(_))));
        assert!(matches!("9999999h".parse::<GoDuration>(), Err(DurationError::Overflow(_))));
    }

    #[test]
    fn prints_as_go_prints() {
        for (nanos, text) in [
            (0, "0s"),
            (1, "1ns"),
            (1_100, "1.1µs"),
            (2_200_000, "2.2ms"),
            (3_300_000_000, "3.3s"),
            (245_000_000_000, "4m5s"),
            (245_001_000_000, "4m5.001s"),
            (18_367_001_000_000, "5h6m7.001s"),
            (480_000_000_001, "8m0.000000001s"),
        ] {
            assert_eq!(GoDuration(Duration::from_nanos(nanos)).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn reads_back_what_it_prints(nanos in 0..i64::MAX as u64) {
            let duration = GoDuration(Duration::from_nanos(nanos));
            prop_assert_eq!(duration.to_string().parse::<GoDuration>(), Ok(duration));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = text.parse::<GoDuration>();
        }
    }
}
