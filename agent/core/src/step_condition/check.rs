//! What must be right about the words of a condition before it is parsed: names and members that there are, and nothing that
//! the parser cannot bear.

use super::environment::{FUNCTIONS, ROOTS, Shape};
use super::token::{Kind, Token, tokens};
use crate::suggest::nearest;

/// The most bytes of a condition.
const LENGTH_MAX: usize = 4096;
/// The most words of a condition: the parser's stack is not endless.
const TOKENS_MAX: usize = 600;
/// How deeply brackets may nest.
const DEPTH_MAX: usize = 24;
/// The most digits of an end of a range, whose numbers are all kept at once.
const RANGE_DIGITS_MAX: usize = 4;

/// Words of the language that are no names.
const WORDS: [&str; 11] =
    ["and", "or", "not", "in", "contains", "matches", "startsWith", "endsWith", "true", "false", "nil"];

/// What is wrong, with the byte at which it is.
type Problem = (Option<usize>, String);

/// Checks the words of a condition.
pub(super) fn check(text: &str) -> Result<(), Problem> {
    if text.trim().is_empty() {
        return Err((None, "it is empty: leave `if` out, or say when the step runs, as in SLOs()".to_owned()));
    }
    if text.len() > LENGTH_MAX {
        return Err((None, format!("it is longer than {LENGTH_MAX} bytes")));
    }
    let tokens = tokens(text).map_err(|at| (Some(at), "the text has no end".to_owned()))?;
    if tokens.len() > TOKENS_MAX {
        return Err((None, format!("it has more than {TOKENS_MAX} words and signs")));
    }
    brackets(&tokens)?;
    for (index, token) in tokens.iter().enumerate() {
        match token.kind {
            Kind::Name => name(&tokens, index)?,
            Kind::Sign => sign(&tokens, index)?,
            Kind::Number | Kind::Text => {}
        }
    }
    Ok(())
}

fn brackets(tokens: &[Token<'_>]) -> Result<(), Problem> {
    let mut open: Vec<Token<'_>> = Vec::new();
    for token in tokens.iter().filter(|token| token.kind == Kind::Sign) {
        let closes = match token.text {
            "(" | "[" | "{" => {
                open.push(*token);
                if open.len() > DEPTH_MAX {
                    return Err((Some(token.at), format!("brackets are nested more than {DEPTH_MAX} deep")));
                }
                continue;
            }
            ")" => "(",
            "]" => "[",
            "}" => "{",
            _ => continue,
        };
        if open.pop().is_none_or(|opened| opened.text != closes) {
            return Err((Some(token.at), format!("`{}` closes nothing", token.text)));
        }
    }
    match open.last() {
        Some(left) => Err((Some(left.at), format!("`{}` is never closed", left.text))),
        None => Ok(()),
    }
}

fn sign(tokens: &[Token<'_>], index: usize) -> Result<(), Problem> {
    let token = tokens[index];
    let next = tokens.get(index + 1);
    match token.text {
        // A `{` after a comma begins what is asked of each element.
        "{" if index == 0 || tokens[index - 1].text != "," => {
            Err((Some(token.at), "maps cannot be written here".to_owned()))
        }
        "{" if next.is_none_or(|next| next.text == "}")
            || (tokens.get(index + 2).is_some_and(|after| after.text == ":")) =>
        {
            Err((Some(token.at), "maps cannot be written here".to_owned()))
        }
        "|" | ";" | "=" => Err((Some(token.at), format!("`{}` is not part of the language", token.text))),
        ".." => {
            let number = |token: Option<&Token<'_>>| {
                token.is_some_and(|token| token.kind == Kind::Number && token.text.len() <= RANGE_DIGITS_MAX)
            };
            let before = index.checked_sub(1).and_then(|before| tokens.get(before));
            match (number(before), number(next)) {
                (true, true) => Ok(()),
                (is_good, _) => {
                    let at = if is_good { token.at } else { before.map_or(token.at, |before| before.at) };
                    let what = format!("both ends of a range are whole numbers of at most {RANGE_DIGITS_MAX} digits");
                    Err((Some(at), what))
                }
            }
        }
        _ => Ok(()),
    }
}

fn name(tokens: &[Token<'_>], index: usize) -> Result<(), Problem> {
    let token = tokens[index];
    let is_member = index.checked_sub(1).is_some_and(|before| [".", "?."].contains(&tokens[before].text));
    if is_member || token.text.starts_with('#') || WORDS.contains(&token.text) {
        return Ok(());
    }
    let is_called = tokens.get(index + 1).is_some_and(|next| next.text == "(");
    let fail = |what: String| Err((Some(token.at), what));
    match (FUNCTIONS.contains(&token.text), is_called) {
        (true, true) => return Ok(()),
        (true, false) => return fail(format!("{0} is a function: write `{0}()`", token.text)),
        (false, true) => {
            return fail(format!(
                "there is no function `{}`{}",
                token.text,
                instead(token.text, &FUNCTIONS, "there are")
            ));
        }
        (false, false) => {}
    }
    match ROOTS.iter().find(|(root, _)| *root == token.text) {
        Some((root, shape)) => members(tokens, index + 1, root, shape),
        None => {
            let roots = ROOTS.map(|(root, _)| root);
            fail(format!("there is no `{}`{}", token.text, instead(token.text, &roots, "there are")))
        }
    }
}

/// Follows `.member` and `[index]` from the word at `index` on, in what is called `path` and has this shape.
fn members(tokens: &[Token<'_>], mut index: usize, path: &str, mut shape: &'static Shape) -> Result<(), Problem> {
    let mut path = path.to_owned();
    loop {
        match (tokens.get(index).map(|token| token.text), tokens.get(index + 1)) {
            (Some("." | "?."), Some(member)) if member.kind == Kind::Name => {
                shape = match shape {
                    Shape::Struct(known) => match known.iter().find(|(name, _)| *name == member.text) {
                        Some((_, shape)) => shape,
                        None => {
                            let names: Vec<&str> = known.iter().map(|(name, _)| *name).collect();
                            let what = format!(
                                "{path} has no member `{}`{}",
                                member.text,
                                instead(member.text, &names, "it has")
                            );
                            return Err((Some(member.at), what));
                        }
                    },
                    Shape::Map(of) => of,
                    Shape::List(_) | Shape::Leaf => return Err((Some(member.at), format!("{path} has no members"))),
                    Shape::Any => return Ok(()),
                };
                path = format!("{path}.{}", member.text);
                index += 2;
            }
            (Some("["), Some(_)) => {
                shape = match shape {
                    Shape::List(of) | Shape::Map(of) => of,
                    Shape::Struct(_) | Shape::Any => return Ok(()),
                    Shape::Leaf => return Err((Some(tokens[index].at), format!("{path} has no elements"))),
                };
                path += "[…]";
                index = after_bracket(tokens, index);
            }
            _ => return Ok(()),
        }
    }
}

/// The place after the bracket that closes the one at `index`.
fn after_bracket(tokens: &[Token<'_>], index: usize) -> usize {
    let mut depth = 0_usize;
    for (place, token) in tokens.iter().enumerate().skip(index) {
        match token.text {
            "[" => depth += 1,
            "]" if depth == 1 => return place + 1,
            "]" => depth -= 1,
            _ => {}
        }
    }
    tokens.len()
}

fn instead(word: &str, known: &[&str], these: &str) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("; did you mean `{meant}`?"),
        None => format!("; {these} {}", known.join(", ")),
    }
}
