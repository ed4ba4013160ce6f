//! Defaults, choices, demands and questions about types.

use gotmpl::{TemplateError, Value};

use super::call::{Function, at_least, exactly};
use crate::template::value::{equal, kind, string, text_of, type_name};

pub(super) const FUNCTIONS: &[Function] = &[
    at_least("default", 1, |call| {
        let given = call.args.get(1).filter(|given| given.is_truthy());
        Ok(given.unwrap_or(&call.args[0]).clone())
    }),
    exactly("empty", 1, |call| Ok(Value::Bool(!call.args[0].is_truthy()))),
    at_least("coalesce", 0, |call| Ok(call.args.iter().find(|value| value.is_truthy()).cloned().unwrap_or(Value::Nil))),
    at_least("all", 0, |call| Ok(Value::Bool(call.args.iter().all(Value::is_truthy)))),
    at_least("any", 0, |call| Ok(Value::Bool(call.args.iter().any(Value::is_truthy)))),
    exactly("ternary", 3, |call| Ok(call.args[usize::from(!call.bool(2)?)].clone())),
    exactly("fail", 1, |call| Err(TemplateError::Exec(call.str(0)?.to_owned()))),
    exactly("required", 2, |call| {
        let missing = matches!(&call.args[1], Value::Nil) || call.args[1].as_str() == Some("");
        if missing { Err(TemplateError::Exec(call.str(0)?.to_owned())) } else { Ok(call.args[1].clone()) }
    }),
    exactly("kindOf", 1, |call| Ok(string(kind(&call.args[0])))),
    exactly("kindIs", 2, |call| Ok(Value::Bool(call.str(0)? == kind(&call.args[1])))),
    exactly("typeOf", 1, |call| Ok(string(type_name(&call.args[0])))),
    exactly("typeIs", 2, |call| Ok(Value::Bool(call.str(0)? == type_name(&call.args[1])))),
    // In Go it also takes a pointer for what it points at; there are no pointers here.
    exactly("typeIsLike", 2, |call| Ok(Value::Bool(call.str(0)? == type_name(&call.args[1])))),
    exactly("deepEqual", 2, |call| Ok(Value::Bool(equal(&call.args[0], &call.args[1])))),
    exactly("deepCopy", 1, |call| Ok(call.args[0].clone())),
    exactly("mustDeepCopy", 1, |call| Ok(call.args[0].clone())),
    exactly("toString", 1, |call| Ok(Value::String(text_of(&call.args[0])))),
    exactly("toStrings", 1, |call| Ok(texts(&call.args[0]))),
    exactly("hello", 0, |_| Ok(string("Hello!"))),
];

fn texts(value: &Value) -> Value {
    match value {
        Value::List(items) => Value::List(
            items.iter().filter(|item| !matches!(item, Value::Nil)).map(|item| Value::String(text_of(item))).collect(),
        ),
        Value::Nil => Value::List([].into()),
        other => Value::List([Value::String(text_of(other))].into()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::call::Outcome;
    use super::*;
    use crate::template::functions::call::Call;

    fn outcome(name: &str, args: &[Value]) -> Outcome {
        FUNCTIONS.iter().find(|function| function.name == name).unwrap().call(args)
    }

    #[test]
    fn zero_false_and_the_empty_give_way_to_the_default() {
        for empty in
            [Value::Nil, Value::Bool(false), Value::Int(0), Value::Float(0.0), string(""), Value::List([].into())]
        {
            assert_eq!(outcome("default", &[Value::Int(7), empty]).unwrap(), Value::Int(7));
        }
    }

    #[test]
    fn required_accepts_zero_and_false() {
        assert_eq!(outcome("required", &[string("m"), Value::Int(0)]).unwrap(), Value::Int(0));
        assert_eq!(outcome("required", &[string("m"), Value::Bool(false)]).unwrap(), Value::Bool(false));
    }

    #[test]
    fn an_argument_of_a_wrong_type_is_named() {
        let call = Call { name: "ternary", args: &[Value::Int(1), Value::Int(2), string("x")] };
        assert_eq!(
            call.bool(2).unwrap_err().to_string(),
            "execution error: ternary: argument 3 must be a boolean, not string"
        );
    }
}
