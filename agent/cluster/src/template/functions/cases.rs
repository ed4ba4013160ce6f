//! Names in several words: `camelCase`, `snake_case`, `kebab-case`. The rules are those of github.com/huandu/xstrings, which
//! Sprig uses.

use super::call::{Function, exactly};
use super::strings::{lower, upper};
use crate::template::value::string;

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("camelcase", 1, |call| Ok(string(camel(call.str(0)?)))),
    exactly("snakecase", 1, |call| Ok(string(joined(call.str(0)?, '_')))),
    exactly("kebabcase", 1, |call| Ok(string(joined(call.str(0)?, '-')))),
];

fn connects(letter: char) -> bool {
    matches!(letter, '-' | '_') || letter.is_whitespace()
}

/// Each word with a capital; of a word in capitals only the first stays one. Of several connectors between words all but
/// the last are kept, and so are those at the beginning and the end.
fn camel(text: &str) -> String {
    let mut written = String::with_capacity(text.len());
    let mut connector = None;
    let mut begun = false;
    let mut capitals = false;
    for letter in text.chars() {
        if connects(letter) {
            written.extend(if begun { connector.replace(letter) } else { Some(letter) });
        } else if !begun || connector.take().is_some() {
            written.push(upper(letter));
            (begun, capitals) = (true, letter.is_uppercase());
        } else {
            capitals &= letter.is_uppercase();
            written.push(if capitals { lower(letter) } else { letter });
        }
    }
    written.extend(connector);
    written
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Number,
    /// Begins with a capital.
    Capital,
    Letters,
    Connectors,
    Punctuation,
    Other,
}

/// Letters but those of Chinese, which have no words.
fn is_letter(letter: char) -> bool {
    let chinese = matches!(letter, '\u{3400}'..='\u{4d85}' | '\u{4e00}'..='\u{9fcc}' | '\u{20000}'..='\u{2b81d}');
    letter.is_alphabetic() && !chinese
}

fn kind(letter: char) -> Kind {
    match letter {
        _ if connects(letter) => Kind::Connectors,
        _ if is_punctuation(letter) => Kind::Punctuation,
        _ if letter.is_uppercase() => Kind::Capital,
        _ if is_letter(letter) => Kind::Letters,
        _ if letter.is_numeric() => Kind::Number,
        _ => Kind::Other,
    }
}

/// Unicode calls some signs of ASCII symbols. Beyond ASCII only the common marks are known.
fn is_punctuation(letter: char) -> bool {
    match letter {
        '$' | '+' | '<' | '=' | '>' | '^' | '`' | '|' | '~' => false,
        '¡' | '§' | '«' | '¶' | '·' | '»' | '¿' | '\u{2010}'..='\u{2027}' | '\u{3001}'..='\u{3003}' => true,
        _ => letter.is_ascii_punctuation(),
    }
}

/// Cuts a text into words: a run of one kind, where a capital takes the small letters after it along, and of several
/// capitals the last belongs to them.
fn words(text: &str) -> Vec<(Kind, &str)> {
    let mut words = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind_of_first = kind(first);
        let run = |of: Kind, from: usize| {
            let end = rest[from..].find(|letter| kind(letter) != of).unwrap_or(rest.len() - from);
            from + end
        };
        let mut end = run(kind_of_first, 0);
        if kind_of_first == Kind::Capital {
            let small = run(Kind::Letters, end);
            let last = rest[..end].char_indices().next_back().map_or(0, |(start, _)| start);
            end = match last {
                _ if small == end => end,
                0 => small,
                _ => last,
            };
        }
        words.push((kind_of_first, &rest[..end]));
        rest = &rest[end..];
    }
    words
}

/// The words in small letters, with `connector` between them. A number belongs to the word before it, unless letters follow
/// at once, which then belong to the number.
fn joined(text: &str, connector: char) -> String {
    let words = words(text);
    let mut written = String::with_capacity(text.len() + 4);
    let mut after: Option<Kind> = None;
    let mut numbered = false;
    for (index, &(kind, word)) in words.iter().enumerate() {
        let next = words.get(index + 1).map(|(kind, _)| *kind);
        let apart = match (after, kind) {
            (None | Some(Kind::Connectors | Kind::Punctuation), _) | (_, Kind::Connectors | Kind::Punctuation) => false,
            (Some(Kind::Number), Kind::Letters | Kind::Number) => false,
            (Some(Kind::Letters), Kind::Letters | Kind::Number) if numbered => false,
            (Some(Kind::Capital | Kind::Letters | Kind::Other), Kind::Number) => next == Some(Kind::Letters),
            (Some(Kind::Number | Kind::Capital | Kind::Letters | Kind::Other), _) => true,
        };
        written.extend(apart.then_some(connector));
        numbered = kind == Kind::Number || (numbered && kind == Kind::Letters);
        written.extend(word.chars().map(|letter| if connects(letter) { connector } else { lower(letter) }));
        after = Some(kind);
    }
    written
}
