//! Lists: making, cutting, sorting, searching. No list is changed; every function returns a new one.

use gotmpl::Value;

use super::call::{Call, Function, Outcome, at_least, between, exactly};
use super::math::integer;
use crate::template::value::{IntoValue as _, equal, string, text_of};

/// Most items that a function may make out of nothing.
const MOST_MADE: usize = 65_536;

pub(super) const FUNCTIONS: &[Function] = &[
    at_least("list", 0, |call| Ok(call.args.to_vec().into_value())),
    at_least("tuple", 0, |call| Ok(call.args.to_vec().into_value())),
    exactly("first", 1, |call| Ok(call.list(0)?.first().cloned().unwrap_or(Value::Nil))),
    exactly("mustFirst", 1, |call| Ok(call.list(0)?.first().cloned().unwrap_or(Value::Nil))),
    exactly("last", 1, |call| Ok(call.list(0)?.last().cloned().unwrap_or(Value::Nil))),
    exactly("mustLast", 1, |call| Ok(call.list(0)?.last().cloned().unwrap_or(Value::Nil))),
    exactly("rest", 1, rest),
    exactly("mustRest", 1, rest),
    exactly("initial", 1, initial),
    exactly("mustInitial", 1, initial),
    exactly("append", 2, append),
    exactly("push", 2, append),
    exactly("mustAppend", 2, append),
    exactly("mustPush", 2, append),
    exactly("prepend", 2, prepend),
    exactly("mustPrepend", 2, prepend),
    at_least("concat", 0, |call| {
        let lists = (0..call.args.len()).map(|index| call.list(index)).collect::<gotmpl::Result<Vec<_>>>()?;
        Ok(lists.concat().into_value())
    }),
    exactly("reverse", 1, |call| Ok(call.list(0)?.iter().rev().cloned().collect::<Vec<_>>().into_value())),
    exactly("mustReverse", 1, |call| Ok(call.list(0)?.iter().rev().cloned().collect::<Vec<_>>().into_value())),
    exactly("uniq", 1, uniq),
    exactly("mustUniq", 1, uniq),
    at_least("without", 1, without),
    at_least("mustWithout", 1, without),
    exactly("compact", 1, compact),
    exactly("mustCompact", 1, compact),
    exactly("has", 2, has),
    exactly("mustHas", 2, has),
    between("slice", 1, 3, slice),
    between("mustSlice", 1, 3, slice),
    exactly("chunk", 2, chunk),
    exactly("mustChunk", 2, chunk),
    exactly("sortAlpha", 1, sort_alpha),
    exactly("until", 1, |call| {
        let end = call.int(0)?;
        steps(call, 0, end, if end < 0 { -1 } else { 1 })
    }),
    exactly("untilStep", 3, |call| steps(call, call.int(0)?, call.int(1)?, call.int(2)?)),
    at_least("seq", 0, seq),
];

fn rest(call: &Call<'_>) -> Outcome {
    Ok(call.list(0)?.get(1..).unwrap_or_default().to_vec().into_value())
}

fn initial(call: &Call<'_>) -> Outcome {
    Ok(call.list(0)?.split_last().map_or(&[][..], |(_, items)| items).to_vec().into_value())
}

fn append(call: &Call<'_>) -> Outcome {
    Ok([call.list(0)?, &call.args[1..]].concat().into_value())
}

fn prepend(call: &Call<'_>) -> Outcome {
    Ok([&call.args[1..], call.list(0)?].concat().into_value())
}

fn uniq(call: &Call<'_>) -> Outcome {
    let mut kept: Vec<Value> = Vec::new();
    for item in call.list(0)? {
        if !kept.iter().any(|other| equal(other, item)) {
            kept.push(item.clone());
        }
    }
    Ok(kept.into_value())
}

fn without(call: &Call<'_>) -> Outcome {
    let unwanted = &call.args[1..];
    let wanted = call.list(0)?.iter().filter(|item| !unwanted.iter().any(|other| equal(other, item)));
    Ok(wanted.cloned().collect::<Vec<_>>().into_value())
}

fn compact(call: &Call<'_>) -> Outcome {
    Ok(call.list(0)?.iter().filter(|item| item.is_truthy()).cloned().collect::<Vec<_>>().into_value())
}

fn has(call: &Call<'_>) -> Outcome {
    if matches!(call.args[1], Value::Nil) {
        return Ok(Value::Bool(false));
    }
    Ok(Value::Bool(call.list(1)?.iter().any(|item| equal(item, &call.args[0]))))
}

fn slice(call: &Call<'_>) -> Outcome {
    let items = call.list(0)?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    let start = call.args.get(1).map_or(0, integer);
    let end = call.args.get(2).map_or(i64::try_from(items.len()).unwrap_or(i64::MAX), integer);
    let bounds = usize::try_from(start).ok().zip(usize::try_from(end).ok());
    let part = bounds.and_then(|(start, end)| items.get(start..end));
    part.map(|part| part.to_vec().into_value())
        .ok_or_else(|| call.error(format!("there is no {start}..{end} in a list of {}", items.len())))
}

fn chunk(call: &Call<'_>) -> Outcome {
    let size = call.count(0)?;
    if size == 0 {
        return Err(call.error("argument 1 must not be 0"));
    }
    Ok(call.list(1)?.chunks(size).map(|part| part.to_vec().into_value()).collect::<Vec<_>>().into_value())
}

fn sort_alpha(call: &Call<'_>) -> Outcome {
    let Value::List(items) = &call.args[0] else {
        return Ok(vec![Value::String(text_of(&call.args[0]))].into_value());
    };
    let mut texts: Vec<_> = items.iter().filter(|item| !matches!(item, Value::Nil)).map(text_of).collect();
    texts.sort();
    Ok(texts.into_iter().map(Value::String).collect::<Vec<_>>().into_value())
}

/// The integers from `start` up or down to `end`, which is not among them; none when `step` leads away from it.
fn integers(call: &Call<'_>, start: i64, end: i64, step: i64) -> gotmpl::Result<Vec<i64>> {
    let mut made = Vec::new();
    let mut next = start;
    while step != 0 && (if step > 0 { next < end } else { next > end }) {
        if made.len() == MOST_MADE {
            return Err(call.error(format!("would give more than {MOST_MADE} numbers")));
        }
        made.push(next);
        next = next.saturating_add(step);
    }
    Ok(made)
}

fn steps(call: &Call<'_>, start: i64, end: i64, step: i64) -> Outcome {
    Ok(integers(call, start, end, step)?.into_iter().map(Value::Int).collect::<Vec<_>>().into_value())
}

fn seq(call: &Call<'_>) -> Outcome {
    let numbers = (0..call.args.len()).map(|index| call.int(index)).collect::<gotmpl::Result<Vec<_>>>()?;
    let (start, step, end) = match *numbers {
        [end] => (1, if end < 1 { -1 } else { 1 }, end),
        [start, end] => (start, if end < start { -1 } else { 1 }, end),
        [start, step, end] => (start, step, end),
        _ => return Ok(string("")),
    };
    let beyond = end.saturating_add(if end < start { -1 } else { 1 });
    let texts: Vec<_> = integers(call, start, beyond, step)?.iter().map(ToString::to_string).collect();
    Ok(string(texts.join(" ")))
}
