//! The files of the repository, and Rust sources with code, comments and literals told apart. Knows no rule.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Every file of the repository by its path from the root, in order; dot files and what is built are left out.
pub(crate) fn files() -> &'static [String] {
    static FILES: LazyLock<Vec<String>> = LazyLock::new(|| {
        let mut files = Vec::new();
        walk(&root(), "", &mut files);
        files.sort();
        files
    });
    &FILES
}

fn walk(folder: &Path, place: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository can be read") {
        let entry = entry.expect("a folder of the repository can be read");
        let name = entry.file_name().into_string().expect("names in the repository are UTF-8");
        let path = format!("{place}{name}");
        if name.starts_with('.') || path == "target" {
            continue;
        }
        if entry.file_type().expect("a file of the repository can be looked at").is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}

pub(crate) fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// A Rust file.
pub(crate) struct Source {
    /// Its path from the root.
    pub(crate) path: String,
    pub(crate) text: String,
    /// The text with blanks for comments and the contents of literals; lines are the same.
    pub(crate) code: String,
    /// The literals of strings with the number of the line where they begin.
    pub(crate) literals: Vec<(usize, String)>,
}

/// Every Rust file.
pub(crate) fn sources() -> &'static [Source] {
    static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
        let paths = files().iter().filter(|path| path.ends_with(".rs"));
        paths.map(|path| Source::new(path.clone(), text(path))).collect()
    });
    &SOURCES
}

impl Source {
    fn new(path: String, text: String) -> Self {
        let mut source =
            Self { path, code: String::with_capacity(text.len()), literals: Vec::new(), text: String::new() };
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (length, kind) = next(rest, source.code.chars().next_back());
            let (token, after) = rest.split_at(length);
            match kind {
                Kind::Code => source.code.push_str(token),
                Kind::Comment => source.blank(token),
                Kind::Literal => {
                    source.literals.push((line_at(&source.code, source.code.len()), token.to_owned()));
                    source.blank(token);
                }
            }
            rest = after;
        }
        source.text = text;
        source
    }

    fn blank(&mut self, token: &str) {
        self.code.extend(token.chars().map(|char| if char == '\n' { '\n' } else { ' ' }));
    }

    /// Where `word` stands in the code: `path:line`.
    pub(crate) fn places(&self, word: &str) -> impl Iterator<Item = String> {
        self.code.match_indices(word).map(|(at, _)| self.place(at))
    }

    pub(crate) fn place(&self, at: usize) -> String {
        format!("{}:{}", self.path, line_at(&self.code, at))
    }

    /// The opening comment about the file; empty when there is none.
    pub(crate) fn doc(&self) -> String {
        self.text.lines().map_while(|line| line.strip_prefix("//!")).collect::<Vec<_>>().join("\n")
    }

    /// The line where the tests of the file begin, which stand last in it.
    pub(crate) fn tests_from(&self) -> usize {
        self.code.find("#[cfg(test)]\nmod tests").map_or(usize::MAX, |at| line_at(&self.code, at))
    }
}

fn line_at(text: &str, at: usize) -> usize {
    text[..at].matches('\n').count() + 1
}

enum Kind {
    Code,
    Comment,
    Literal,
}

/// The length of what comes first in `rest`, and what it is.
fn next(rest: &str, before: Option<char>) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if rest.starts_with('"') {
        return (quoted(rest), Kind::Literal);
    }
    // In a name, `r` and `'` begin no literal.
    if !before.is_some_and(|char| char.is_alphanumeric() || char == '_') {
        if let Some(length) = raw_string(rest) {
            return (length, Kind::Literal);
        }
        if let Some(length) = char_literal(rest) {
            return (length, Kind::Comment);
        }
    }
    (rest.chars().next().map_or(0, char::len_utf8), Kind::Code)
}

fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    loop {
        match &rest[at..] {
            open if open.starts_with("/*") => (depth, at) = (depth + 1, at + 2),
            close if close.starts_with("*/") => (depth, at) = (depth - 1, at + 2),
            other => at += other.chars().next().map_or(0, char::len_utf8),
        }
        if depth == 0 || at == rest.len() {
            return at;
        }
    }
}

fn quoted(rest: &str) -> usize {
    let mut escaped = false;
    for (at, char) in rest.char_indices().skip(1) {
        match char {
            '"' if !escaped => return at + 1,
            _ => escaped = char == '\\' && !escaped,
        }
    }
    rest.len()
}

fn raw_string(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix("br").or_else(|| rest.strip_prefix('r'))?;
    let hashes = inner.bytes().take_while(|byte| *byte == b'#').count();
    let body = inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(rest.len() - body.len() + body.find(&end)? + end.len())
}

/// A lifetime is none: it has no second quote.
fn char_literal(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix('\'')?;
    let char = inner.chars().next()?;
    let end = if char == '\\' { 2 + inner[2..].find('\'')? } else { char.len_utf8() };
    inner[end..].starts_with('\'').then_some(1 + end + 1)
}

#[test]
fn code_comments_and_literals_are_told_apart() {
    let text = r##"let a = "x // \" y"; // c "d"
let 'a: b<'static> = r#"q " "#; /* e /* f */ g */ let h = '"'; let i = '\''; for_r"z"; "##;
    let source = Source::new("x.rs".to_owned(), text.to_owned());
    let literals: Vec<&str> = source.literals.iter().map(|(_, literal)| literal.as_str()).collect();
    assert_eq!(literals, [r#""x // \" y""#, r##"r#"q " "#"##, r#""z""#]);
    let code: Vec<&str> = source.code.split_whitespace().collect();
    assert_eq!(code.join(" "), "let a = ; let 'a: b<'static> = ; let h = ; let i = ; for_r ;");
    assert_eq!(source.places("let i").collect::<Vec<_>>(), ["x.rs:2"]);
}
