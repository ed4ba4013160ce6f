//! One call of a function: its name and typed access to its arguments.

use std::ops::RangeInclusive;
use std::sync::Arc;

use gotmpl::{TemplateError, Value};

use crate::template::value::{Dict, kind};

/// What a function gives.
pub(super) type Outcome = gotmpl::Result<Value>;

/// A row in the table of functions.
pub(super) struct Function {
    pub(super) name: &'static str,
    arity: RangeInclusive<usize>,
    body: fn(&Call<'_>) -> Outcome,
}

/// A function that takes exactly `count` arguments.
pub(super) const fn exactly(name: &'static str, count: usize, body: fn(&Call<'_>) -> Outcome) -> Function {
    Function { name, arity: count..=count, body }
}

/// A function that takes `least` to `most` arguments.
pub(super) const fn between(name: &'static str, least: usize, most: usize, body: fn(&Call<'_>) -> Outcome) -> Function {
    Function { name, arity: least..=most, body }
}

/// A function that takes at least `least` arguments.
pub(super) const fn at_least(name: &'static str, least: usize, body: fn(&Call<'_>) -> Outcome) -> Function {
    Function { name, arity: least..=usize::MAX, body }
}

impl Function {
    pub(super) fn call(&self, args: &[Value]) -> Outcome {
        let call = Call { name: self.name, args };
        call.expect_count(&self.arity)?;
        (self.body)(&call)
    }
}

/// Fails when the function `name` was given another number of arguments than it takes.
pub(super) fn expect_count(name: &str, got: usize, arity: &RangeInclusive<usize>) -> gotmpl::Result<()> {
    if arity.contains(&got) {
        return Ok(());
    }
    let wanted = match (*arity.start(), *arity.end()) {
        (1, 1) => "1 argument".to_owned(),
        (1, usize::MAX) => "at least 1 argument".to_owned(),
        (least, most) if least == most => format!("{least} arguments"),
        (least, usize::MAX) => format!("at least {least} arguments"),
        (least, most) => format!("{least} to {most} arguments"),
    };
    Err(TemplateError::Exec(format!("{name} takes {wanted}, not {got}")))
}

/// One call with its arguments. Argument numbers in code count from 0, in errors from 1.
pub(super) struct Call<'a> {
    pub(super) name: &'static str,
    pub(super) args: &'a [Value],
}

impl<'a> Call<'a> {
    pub(super) fn expect_count(&self, arity: &RangeInclusive<usize>) -> gotmpl::Result<()> {
        expect_count(self.name, self.args.len(), arity)
    }

    /// An error of this call.
    pub(super) fn error(&self, message: impl std::fmt::Display) -> TemplateError {
        TemplateError::Exec(format!("{}: {message}", self.name))
    }

    fn mismatch(&self, index: usize, wanted: &str) -> TemplateError {
        let got = if matches!(self.args[index], Value::Nil) { "nil" } else { kind(&self.args[index]) };
        self.error(format!("argument {} must be {wanted}, not {got}", index + 1))
    }

    pub(super) fn last(&self) -> &'a Value {
        self.args.last().unwrap_or(&Value::Nil)
    }

    pub(super) fn str(&self, index: usize) -> gotmpl::Result<&'a str> {
        self.args[index].as_str().ok_or_else(|| self.mismatch(index, "a string"))
    }

    pub(super) fn int(&self, index: usize) -> gotmpl::Result<i64> {
        match &self.args[index] {
            Value::Int(int) => Ok(*int),
            Value::Uint(uint) => i64::try_from(*uint).map_err(|error| self.error(error)),
            #[expect(clippy::cast_possible_truncation, reason = "a float without a fraction, as YAML may give it")]
            Value::Float(float) if float.fract() == 0.0 => Ok(*float as i64),
            _ => Err(self.mismatch(index, "an integer")),
        }
    }

    /// A count of things, which bounds how much a template may make.
    pub(super) fn count(&self, index: usize) -> gotmpl::Result<usize> {
        const MOST: usize = 65_536;
        let int = self.int(index)?;
        let count = usize::try_from(int).ok().filter(|count| *count <= MOST);
        count.ok_or_else(|| self.error(format!("argument {} must be 0 to {MOST}, not {int}", index + 1)))
    }

    pub(super) fn bool(&self, index: usize) -> gotmpl::Result<bool> {
        match &self.args[index] {
            Value::Bool(truth) => Ok(*truth),
            _ => Err(self.mismatch(index, "a boolean")),
        }
    }

    pub(super) fn list(&self, index: usize) -> gotmpl::Result<&'a [Value]> {
        match &self.args[index] {
            Value::List(items) => Ok(items),
            _ => Err(self.mismatch(index, "a list")),
        }
    }

    pub(super) fn dict(&self, index: usize) -> gotmpl::Result<&'a Arc<Dict>> {
        match &self.args[index] {
            Value::Map(dict) => Ok(dict),
            _ => Err(self.mismatch(index, "a dict")),
        }
    }
}
