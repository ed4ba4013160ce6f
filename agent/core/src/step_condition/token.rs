//! Cuts the text of a condition into words, as antonmedv/expr does. What they mean together is the parser's business.

/// A word with the byte that it begins at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Token<'a> {
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) text: &'a str,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A name or a word of the language: `Result`, `not`, `#`.
    Name,
    /// `5`, `2.5`.
    Number,
    /// A text in quotes.
    Text,
    /// Everything else: one sign, or one of `..`, `?.`, `??`, `&&`, `||`, `==`, `!=`, `<=`, `>=`, `**`.
    Sign,
}

const LONG_SIGNS: [&str; 10] = ["..", "?.", "??", "&&", "||", "==", "!=", "<=", ">=", "**"];

/// The words of `text`, without blanks and comments.
///
/// # Errors
/// The byte at which a text begins that has no end.
pub(super) fn tokens(text: &str) -> Result<Vec<Token<'_>>, usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = match first {
            ' ' | '\t' | '\r' | '\n' => {
                at += 1;
                continue;
            }
            _ if rest.starts_with("//") => {
                at += rest.find('\n').unwrap_or(rest.len());
                continue;
            }
            _ if rest.starts_with("/*") => {
                at += rest.find("*/").map_or(rest.len(), |end| end + 2);
                continue;
            }
            '"' | '\'' | '`' => quoted(rest, first).ok_or(at)?,
            '#' | '$' | '_' | 'a'..='z' | 'A'..='Z' => 1 + word(&rest[1..]),
            '0'..='9' => number(rest),
            _ => match LONG_SIGNS.iter().find(|sign| rest.starts_with(**sign)) {
                Some(sign) => sign.len(),
                None => first.len_utf8(),
            },
        };
        let kind = match first {
            '"' | '\'' | '`' => Kind::Text,
            '#' | '$' | '_' | 'a'..='z' | 'A'..='Z' => Kind::Name,
            '0'..='9' => Kind::Number,
            _ => Kind::Sign,
        };
        found.push(Token { at, kind, text: &rest[..length] });
        at += length;
    }
    Ok(found)
}

/// Length of a quoted text with its quotes; in backquotes a backslash is one.
fn quoted(rest: &str, quote: char) -> Option<usize> {
    let mut chars = rest.char_indices().skip(1);
    while let Some((index, char)) = chars.next() {
        if char == quote {
            return Some(index + 1);
        }
        if char == '\\' && quote != '`' {
            chars.next();
        }
    }
    None
}

fn word(rest: &str) -> usize {
    rest.find(|char: char| !(char.is_ascii_alphanumeric() || char == '_')).unwrap_or(rest.len())
}

/// A point belongs to a number when it is no range.
fn number(rest: &str) -> usize {
    let whole = word(rest);
    match rest[whole..].strip_prefix('.') {
        Some(after) if after.starts_with(|char: char| char.is_ascii_digit()) => whole + 1 + word(after),
        _ => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_as_they_are_written() {
        let words = |text| tokens(text).map(|found| found.into_iter().map(|token| token.text).collect::<Vec<_>>());
        assert_eq!(
            words("not Result.NumLoops in 1..10"),
            Ok(vec!["not", "Result", ".", "NumLoops", "in", "1", "..", "10"])
        );
        assert_eq!(words("#.x>=2.5 // why\n&&'a\\'b'"), Ok(vec!["#", ".", "x", ">=", "2.5", "&&", "'a\\'b'"]));
        assert_eq!(words("a /* b */ ?.c[`\\`]"), Ok(vec!["a", "?.", "c", "[", "`\\`", "]"]));
        assert_eq!(words("é 'x"), Err(3));
    }
}
