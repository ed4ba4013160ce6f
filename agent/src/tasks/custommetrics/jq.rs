//! Expressions of jq, which find a value in an answer. They see nothing but their input, and come to an end.

use std::cell::Cell;
use std::time::{Duration, Instant};

use jaq_core::load::lex::{Lexer, StrPart, Tok, Token};
use jaq_core::load::{self, Arena, File, Loader};
use jaq_core::native::{Fun, bome, run, v};
use jaq_core::{Compiler, Ctx, Error, Vars, compile, data, unwrap_valr};
use jaq_json::Val;
use serde_json::Value;

/// How long an expression may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often an expression may go round in its loops. Each turn may keep a value, and memory is what ends first.
const MAX_TURNS: u32 = 1_000_000;

/// The most bytes that an expression may give.
const OUTPUT_MAX: usize = 1 << 20;

/// Functions that end the process, or see or change what is not their input.
const REFUSED: [&str; 8] =
    ["halt", "halt_error", "env", "debug", "debug_empty", "stderr", "stderr_empty", "input_filename"];

/// What goes round without an end by itself, with each turn counted.
const LOOPS: &str = "
def while(cond; update): def rec: if cond then ., (turn | update | rec) else empty end; rec;
def until(cond; update): def rec: if cond then . else turn | update | rec end; rec;
def repeat(f): def rec: f, (turn | rec); rec;
def recurse(f): def rec: ., (turn | f | rec); rec;
def recurse: recurse(.[]?);
def recurse(f; cond): recurse(f | select(cond));
def range(from; to; by): from as $from | to as $to | by as $by | $from
  | if $by > 0 then while(. < $to; . + $by) elif $by < 0 then while(. > $to; . + $by) else while(. != $to; . + $by) end;
def range(from; to): range(from; to; 1);
def range(to): range(0; to; 1);
";

/// What the loops are defined by.
const BASIC: [&str; 5] = ["empty", "true", "false", "not", "select"];

/// Longer expressions, and such that are nested more deeply, are none that people write.
const LENGTH_MAX: usize = 16 << 10;
const DEPTH_MAX: usize = 100;

/// The stack that they are read and run on.
const STACK: usize = 16 << 20;

type Data = data::JustLut<Val>;

/// An expression, read and ready to be run any number of times.
pub(crate) struct Filter(jaq_core::Filter<Data>);

thread_local! {
    /// Turns that are left to the expression that runs on this thread, and when its time is over.
    static LEFT: Cell<(u32, Option<Instant>)> = const { Cell::new((0, None)) };
}

/// Reads an expression.
///
/// # Errors
/// Says what is wrong with it.
pub(super) fn compile(expression: &str) -> Result<Filter, String> {
    if expression.len() > LENGTH_MAX || depth(expression) > DEPTH_MAX {
        return Err("it is too long, or nested too deeply".to_owned());
    }
    let text = expression.to_owned();
    let thread = std::thread::Builder::new().stack_size(STACK).spawn(move || read(&text));
    let read = thread.map_err(|error| error.to_string())?.join();
    read.unwrap_or_else(|_| Err("it cannot be read".to_owned()))
}

fn read(expression: &str) -> Result<Filter, String> {
    if defines(expression) {
        return Err("`def` is refused: a function that calls itself need not come to an end".to_owned());
    }
    let loops = load::parse(LOOPS, |parser| parser.defs()).unwrap_or_default();
    let looped: Vec<(&str, usize)> = loops.iter().map(|def| (def.name, def.args.len())).collect();
    let is_known = |name: &str, arity| !REFUSED.contains(&name) && !looped.contains(&(name, arity));
    let others = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let others = others.filter(|def| is_known(def.name, def.args.len()));
    let (basic, more): (Vec<_>, Vec<_>) = others.partition(|def| BASIC.contains(&def.name));
    let defs = basic.into_iter().chain(loops).chain(more);
    let own: Fun<Data> = run(("turn", v(0), |(_, value)| bome(turn().map(|()| value))));
    let funs = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let funs = funs.filter(|(name, arity, _)| is_known(name, arity.len())).chain([own]);
    let arena = Arena::default();
    let file = File { code: expression, path: () };
    let modules = Loader::new(defs).load(&arena, file).map_err(|errors| unreadable(&errors))?;
    let compiled = Compiler::default().with_funs(funs).compile(modules);
    compiled.map(Filter).map_err(|errors| undefined(&errors))
}

fn depth(expression: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for byte in expression.bytes() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

/// Whether an expression defines a function, wherever in it.
fn defines(expression: &str) -> bool {
    fn any(tokens: &[Token<&str>]) -> bool {
        tokens.iter().any(|Token(text, kind)| match kind {
            Tok::Word => *text == "def",
            Tok::Block(inner) => any(inner),
            Tok::Str(parts) => parts.iter().any(|part| match part {
                StrPart::Term(inner) => any(std::slice::from_ref(inner)),
                StrPart::Str(_) | StrPart::Char(_) => false,
            }),
            Tok::Var | Tok::Fmt | Tok::Num | Tok::Sym => false,
        })
    }
    Lexer::new(expression).lex().is_ok_and(|tokens| any(&tokens))
}

fn turn() -> Result<(), Error<Val>> {
    let (turns, until) = LEFT.get();
    let over = |what: &str| Err(Error::new(Val::from(what.to_owned())));
    if turns == 0 {
        return over("it goes round without an end");
    }
    LEFT.set((turns - 1, until));
    match until {
        Some(until) if turns.is_multiple_of(64) && Instant::now() > until => over("it takes too long"),
        Some(_) | None => Ok(()),
    }
}

impl Filter {
    /// The first value that the expression gives for `input`, as JSON; None when it gives none.
    fn first(&self, input: &[u8]) -> Result<Option<String>, String> {
        let input = jaq_json::read::parse_single(input).map_err(|error| error.to_string())?;
        LEFT.set((MAX_TURNS, Some(Instant::now() + PATIENCE)));
        let context = Ctx::<Data>::new(&self.0.lut, Vars::new([]));
        let first = self.0.id.run((context, input)).map(unwrap_valr).next();
        let value = first.transpose().map_err(said)?;
        let text = value.map(|value| value.to_string());
        match text {
            Some(text) if text.len() > OUTPUT_MAX => Err(format!("it gives more than {} MiB", OUTPUT_MAX >> 20)),
            text => Ok(text),
        }
    }
}

/// The words of an error: a text stands for itself.
fn said(error: Error<Val>) -> String {
    match error.into_val() {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
    }
}

/// Runs an expression on a thread of its own, for which nobody waits longer than it may take.
///
/// # Errors
/// Says what went wrong.
pub(super) async fn first(filter: &std::sync::Arc<Filter>, input: Value) -> Result<Option<String>, String> {
    let (answer, answered) = tokio::sync::oneshot::channel();
    let filter = filter.clone();
    let started = std::thread::Builder::new().stack_size(STACK).spawn(move || {
        // Nobody is there any more who would want it.
        let _ = answer.send(filter.first(input.to_string().as_bytes()));
    });
    started.map_err(|error| error.to_string())?;
    match tokio::time::timeout(PATIENCE + Duration::from_secs(1), answered).await {
        Ok(Ok(output)) => output,
        Ok(Err(_)) => Err("it cannot be worked out".to_owned()),
        Err(_) => Err("it takes too long".to_owned()),
    }
}

fn unreadable(errors: &load::Errors<&str, ()>) -> String {
    let Some((File { code, .. }, error)) = errors.first() else { return "it is no expression".to_owned() };
    let found = match error {
        load::Error::Io(_) => return "modules are refused".to_owned(),
        load::Error::Lex(errors) => errors.first().map(|(expected, found)| (expected.as_str(), *found)),
        load::Error::Parse(errors) => errors.first().map(|(expected, found)| (expected.as_str(), *found)),
    };
    let Some((expected, found)) = found else { return "it is no expression".to_owned() };
    let rest = match found.is_empty() {
        true => return format!("expected {expected} at its end"),
        false => load::span(code, found).start,
    };
    format!("expected {expected} at `{}`", head(&code[rest..], 30))
}

fn undefined(errors: &compile::Errors<&str, ()>) -> String {
    let first = errors.iter().flat_map(|(_, errors)| errors).next();
    first.map_or_else(
        || "it is no expression".to_owned(),
        |(name, kind)| {
            let reason = if REFUSED.contains(name) {
                "refused: an expression sees nothing but the answer"
            } else {
                "not defined"
            };
            match kind {
                compile::Undefined::Filter(arity) => {
                    format!("the {} `{name}` with {arity} arguments is {reason}", kind.as_str())
                }
                _ => format!("the {} `{name}` is {reason}", kind.as_str()),
            }
        },
    )
}

fn head(text: &str, most: usize) -> String {
    text.chars().take(most).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;

    use super::*;

    async fn given(expression: &str, input: Value) -> Result<Option<String>, String> {
        first(&Arc::new(compile(expression)?), input).await
    }

    #[tokio::test]
    async fn the_first_value_of_an_answer_is_taken() {
        let answer = json!({ "data": { "result": [{ "value": [1, "21.76"] }, { "value": [1, "3"] }] } });
        for (expression, text) in [
            (".data.result[0].value[1]", Some("\"21.76\"")),
            (".data.result.[0].value.[1] | tonumber", Some("21.76")),
            (".data.result[].value[1]", Some("\"21.76\"")),
            ("[.data.result[].value[1] | tonumber] | add", Some("24.76")),
            (".data.none", Some("null")),
            (".data.result[5] | .value[1]", Some("null")),
            ("empty", None),
            ("[range(3)], 5", Some("[0,1,2]")),
            ("[range(6; 0; -2)]", Some("[6,4,2]")),
            ("[limit(3; repeat(1))]", Some("[1,1,1]")),
            ("[.. | numbers] | length", Some("2")),
            ("1 | until(. > 100; . * 2)", Some("128")),
            ("[1 | while(. < 10; . * 2)] | add", Some("15")),
            ("[[1, [2]], 3] | flatten | length", Some("3")),
            ("nan", Some("NaN")),
        ] {
            assert_eq!(given(expression, answer.clone()).await, Ok(text.map(str::to_owned)), "{expression}");
        }
    }

    #[tokio::test]
    async fn what_sees_more_than_its_input_is_not_there() {
        for name in ["halt", "env", "debug", "stderr", "input", "halt_error", "$ENV", "$__prog_args"] {
            let error = given(name, json!(1)).await.unwrap_err();
            assert!(error.contains(name), "{error}");
        }
        assert_eq!(
            given("env.HOME", json!(1)).await.unwrap_err(),
            "the filter `env` with 0 arguments is refused: an expression sees nothing but the answer"
        );
    }

    #[tokio::test]
    async fn every_expression_comes_to_its_end() {
        let endless = [
            "[repeat(1)]",
            "[range(1e15)] | length",
            "last(range(1; 2; 0))",
            "[recurse(.)]",
            "[0 | while(true; . + 1)]",
            "0 | until(false; . + 1)",
            "reduce repeat(1) as $x (0; . + 1)",
        ];
        let ends = endless.map(async |expression| (expression, given(expression, json!(1)).await.unwrap_err()));
        for (expression, error) in futures_util::future::join_all(ends).await {
            assert!(error.contains("without an end") || error.contains("too long"), "{expression}: {error}");
        }
        assert!(compile("def f: 1 + f; f").err().unwrap().contains("`def` is refused"));
        assert!(compile("\"\\(def f: f; f)\"").err().unwrap().contains("`def` is refused"));
        assert!(compile(&"(".repeat(5_000)).err().unwrap().contains("nested too deeply"));
        assert!(compile(&".a|".repeat(4_000)).err().is_some());
        assert_eq!(given("\"def\"", json!(1)).await, Ok(Some("\"def\"".to_owned())));
    }

    #[test]
    fn what_is_no_expression_is_said_with_its_place() {
        for (expression, said) in [
            (".a[", "expected closing bracket at its end"),
            (".a | ", "expected term at its end"),
            (".a nope", "expected nothing at `nope`"),
            ("nope(1)", "the filter `nope` with 1 arguments is not defined"),
            ("$x", "the variable `$x` is not defined"),
        ] {
            assert_eq!(compile(expression).err().as_deref(), Some(said), "{expression}");
        }
    }
}
