//! Numbers: arithmetic on integers and floats, rounding, conversion.

use gotmpl::Value;

use super::call::{Call, Function, Outcome, at_least, between, exactly};
use crate::template::value::text_of;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("int", 1, |call| Ok(Value::Int(integer(&call.args[0])))),
    exactly("int64", 1, |call| Ok(Value::Int(integer(&call.args[0])))),
    exactly("float64", 1, |call| Ok(Value::Float(float(&call.args[0])))),
    exactly("atoi", 1, |call| Ok(Value::Int(call.str(0)?.parse().unwrap_or(0)))),
    // The name misleads: it reads the digits of an octal number.
    exactly("toDecimal", 1, |call| Ok(Value::Int(i64::from_str_radix(&text_of(&call.args[0]), 8).unwrap_or(0)))),
    at_least("add", 0, |call| Ok(Value::Int(integers(call).fold(0, i64::wrapping_add)))),
    exactly("add1", 1, |call| Ok(Value::Int(integer(&call.args[0]).wrapping_add(1)))),
    exactly("sub", 2, |call| Ok(Value::Int(integer(&call.args[0]).wrapping_sub(integer(&call.args[1]))))),
    at_least("mul", 1, |call| Ok(Value::Int(integers(call).fold(1, i64::wrapping_mul)))),
    exactly("div", 2, |call| divided(call, i64::wrapping_div)),
    exactly("mod", 2, |call| divided(call, i64::wrapping_rem)),
    at_least("max", 1, |call| Ok(Value::Int(integers(call).fold(i64::MIN, i64::max)))),
    at_least("biggest", 1, |call| Ok(Value::Int(integers(call).fold(i64::MIN, i64::max)))),
    at_least("min", 1, |call| Ok(Value::Int(integers(call).fold(i64::MAX, i64::min)))),
    at_least("addf", 0, |call| Ok(Value::Float(tidy(floats(call).fold(0.0, |sum, next| sum + next))))),
    exactly("add1f", 1, |call| Ok(Value::Float(tidy(float(&call.args[0]) + 1.0)))),
    at_least("subf", 1, |call| Ok(Value::Float(folded(call, |a, b| tidy(a - b))))),
    at_least("mulf", 1, |call| Ok(Value::Float(folded(call, |a, b| tidy(a * b))))),
    at_least("divf", 1, |call| {
        if call.args[1..].iter().any(|value| float(value) == 0.0) {
            return Err(call.error("division by zero"));
        }
        Ok(Value::Float(folded(call, |a, b| a / b)))
    }),
    at_least("maxf", 1, |call| Ok(Value::Float(floats(call).fold(f64::NEG_INFINITY, f64::max)))),
    at_least("minf", 1, |call| Ok(Value::Float(floats(call).fold(f64::INFINITY, f64::min)))),
    exactly("ceil", 1, |call| Ok(Value::Float(float(&call.args[0]).ceil()))),
    exactly("floor", 1, |call| Ok(Value::Float(float(&call.args[0]).floor()))),
    between("round", 2, 3, round),
];

/// Sprig's reading of anything as an integer: floats lose their fraction, and what is no number is 0.
pub(super) fn integer(value: &Value) -> i64 {
    match value {
        Value::Int(int) => *int,
        Value::Uint(uint) => i64::try_from(*uint).unwrap_or(i64::MAX),
        #[expect(clippy::cast_possible_truncation, reason = "to lose the fraction is what is asked for")]
        Value::Float(float) => *float as i64,
        Value::Bool(truth) => i64::from(*truth),
        Value::String(text) => integer_of(text).unwrap_or(0),
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Function(_) => 0,
    }
}

/// An integer as Go's source would write it, so that `0x1f` is 31 and `0600` is 384; a fraction of zeros may follow.
fn integer_of(text: &str) -> Option<i64> {
    let whole = match text.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|digit| digit == b'0') => whole,
        _ => text,
    };
    let (sign, digits) = match whole.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", whole.strip_prefix('+').unwrap_or(whole)),
    };
    let prefixes = [("0x", 16), ("0X", 16), ("0b", 2), ("0B", 2), ("0o", 8), ("0O", 8), ("0", 8)];
    let prefixed = prefixes.iter().find_map(|(prefix, base)| Some((digits.strip_prefix(prefix)?, *base)));
    let (digits, base) = prefixed.filter(|(digits, _)| !digits.is_empty()).unwrap_or((digits, 10));
    // Underlines stand between digits, and after the prefix.
    if digits.ends_with('_') || digits.contains("__") || (base == 10 && digits.starts_with('_')) {
        return None;
    }
    let digits = digits.replace('_', "");
    if digits.starts_with(['+', '-']) {
        return None;
    }
    i64::from_str_radix(&format!("{sign}{digits}"), base).ok()
}

/// Sprig's reading of anything as a float: what is no number is 0.
fn float(value: &Value) -> f64 {
    match value {
        Value::Float(float) => *float,
        Value::String(text) => text.parse().unwrap_or(0.0),
        Value::Bool(truth) => f64::from(u8::from(*truth)),
        #[expect(clippy::cast_precision_loss, reason = "a float was asked for")]
        Value::Int(_) | Value::Uint(_) => integer(value) as f64,
        Value::Nil | Value::List(_) | Value::Map(_) | Value::Function(_) => 0.0,
    }
}

fn integers(call: &Call<'_>) -> impl Iterator<Item = i64> {
    call.args.iter().map(integer)
}

fn floats(call: &Call<'_>) -> impl Iterator<Item = f64> {
    call.args.iter().map(float)
}

fn folded(call: &Call<'_>, operation: fn(f64, f64) -> f64) -> f64 {
    floats(call).reduce(operation).unwrap_or(0.0)
}

/// Sprig adds and multiplies in decimal; fifteen significant digits give its answer for all but very long numbers.
fn tidy(number: f64) -> f64 {
    format!("{number:.14e}").parse().unwrap_or(number)
}

fn divided(call: &Call<'_>, operation: fn(i64, i64) -> i64) -> Outcome {
    match integer(&call.args[1]) {
        0 => Err(call.error("division by zero")),
        divisor => Ok(Value::Int(operation(integer(&call.args[0]), divisor))),
    }
}

/// Sprig's rounding: up from `.5` on (or from the third argument on), towards negative infinity below it.
fn round(call: &Call<'_>) -> Outcome {
    let places = i32::try_from(call.int(1)?).map_err(|error| call.error(error))?;
    let threshold = call.args.get(2).map_or(0.5, float);
    let power = 10f64.powi(places);
    let scaled = power * float(&call.args[0]);
    let rounded = if scaled.fract() >= threshold { scaled.ceil() } else { scaled.floor() };
    Ok(Value::Float(rounded / power))
}
