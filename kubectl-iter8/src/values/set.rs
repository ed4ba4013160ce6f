//! The grammar of `--set`, `--set-string`, `--set-file` and `--set-literal`, which is that of Helm's strvals: pairs
//! `key=value` separated by commas, keys of names and indices, `\` before a character that is to mean itself, lists in
//! braces.

use serde_json::{Value, json};

use super::path::{Part, Path, PathError};

/// What a value becomes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Typing {
    /// `true`, `false`, `null` (in any case) and integers are what they look like; all else is text, floats too.
    Guess,
    /// Always text.
    Text,
}

/// Why a text does not follow the grammar.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum SetError {
    /// A key without `=`.
    #[error("key {0:?} has no value")]
    NoValue(String),
    /// A comma where the value should be.
    #[error("key {0:?} has no value (cannot end with ,)")]
    EndsWithComma(String),
    /// A list without its closing brace.
    #[error("list must terminate with '}}'")]
    OpenList,
    /// Something after a list that is no comma.
    #[error("unexpected {0:?} after the end of a list")]
    AfterList(String),
    /// An index that is none.
    #[error("error parsing index: {0:?} is not a number from 0")]
    Index(String),
    /// A value that is no JSON.
    #[error("{text:?} is not JSON: {reason}")]
    Json {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The value cannot be put there.
    #[error("unable to parse key: {0}")]
    Path(#[from] PathError),
}

/// Puts all pairs of `text` into `values`.
pub(super) fn apply(values: &mut Value, text: &str, typing: Typing) -> Result<(), SetError> {
    let mut scanner = Scanner { rest: text };
    while !scanner.rest.is_empty() {
        let path = scanner.key()?;
        let value = scanner.value(typing)?;
        // Helm ignores a pair without a name.
        if path.0.first() != Some(&Part::Key(String::new())) {
            path.put(values, value)?;
        }
    }
    Ok(())
}

/// Pairs whose values are names of files.
pub(super) fn pairs(text: &str) -> Result<Vec<(Path, String)>, SetError> {
    let mut scanner = Scanner { rest: text };
    let mut pairs = Vec::new();
    while !scanner.rest.is_empty() {
        let path = scanner.key()?;
        let (value, end) = scanner.until(&[',']);
        scanner.skip(end.is_some());
        pairs.push((path, value));
    }
    Ok(pairs)
}

/// Puts one value in which nothing is special.
pub(super) fn apply_literal(values: &mut Value, text: &str) -> Result<(), SetError> {
    let mut path = Path::default();
    let mut rest = text;
    loop {
        let end = rest.find(['.', '[', '=']).ok_or_else(|| SetError::NoValue(rest.to_owned()))?;
        let (name, tail) = rest.split_at(end);
        if !(name.is_empty() && matches!(path.0.last(), Some(Part::Index(_)))) {
            path.0.push(Part::Key(name.to_owned()));
        }
        let mut scanner = Scanner { rest: tail };
        while scanner.rest.starts_with('[') {
            scanner.index(&mut path)?;
        }
        match scanner.rest.chars().next() {
            Some('=') => return Ok(path.put(values, Value::String(scanner.rest[1..].to_owned()))?),
            Some('.') => rest = &scanner.rest[1..],
            _ => return Err(SetError::NoValue(path.to_string())),
        }
    }
}

/// Reads from the front of a text.
pub(super) struct Scanner<'a> {
    pub(super) rest: &'a str,
}

impl Scanner<'_> {
    /// Everything up to the first of `stops`, with escapes resolved, and which one it was. The stop stays.
    fn until(&mut self, stops: &[char]) -> (String, Option<char>) {
        let mut text = String::new();
        let mut characters = self.rest.char_indices();
        while let Some((at, character)) = characters.next() {
            if character == '\\' {
                text.extend(characters.next().map(|(_, escaped)| escaped));
            } else if stops.contains(&character) {
                self.rest = &self.rest[at..];
                return (text, Some(character));
            } else {
                text.push(character);
            }
        }
        self.rest = "";
        (text, None)
    }

    fn skip(&mut self, is_there: bool) {
        if is_there {
            self.rest = &self.rest[1..];
        }
    }

    /// A key with its `=`.
    pub(super) fn key(&mut self) -> Result<Path, SetError> {
        let mut path = Path::default();
        loop {
            let (name, stop) = self.until(&['.', '[', '=', ',']);
            // After an index comes a dot or the end: `a[0].b`.
            if !(name.is_empty() && matches!(path.0.last(), Some(Part::Index(_)))) {
                path.0.push(Part::Key(name));
            }
            match stop {
                None => return Err(SetError::NoValue(path.to_string())),
                Some(',') => return Err(SetError::EndsWithComma(path.to_string())),
                Some('[') => {
                    while self.rest.starts_with('[') {
                        self.index(&mut path)?;
                    }
                    if let Some(rest) = self.rest.strip_prefix('.') {
                        self.rest = rest;
                    }
                }
                Some(stop) => {
                    self.skip(true);
                    if stop == '=' {
                        return Ok(path);
                    }
                }
            }
        }
    }

    fn index(&mut self, path: &mut Path) -> Result<(), SetError> {
        self.skip(true);
        let (digits, stop) = self.until(&[']']);
        let index = digits.parse().ok().filter(|_| stop.is_some());
        path.0.push(Part::Index(index.ok_or(SetError::Index(digits))?));
        self.skip(true);
        Ok(())
    }

    /// A value with the comma after it.
    fn value(&mut self, typing: Typing) -> Result<Value, SetError> {
        if let Some(rest) = self.rest.strip_prefix('{') {
            self.rest = rest;
            return self.list(typing);
        }
        let (text, stop) = self.until(&[',']);
        self.skip(stop.is_some());
        Ok(typed(&text, typing))
    }

    fn list(&mut self, typing: Typing) -> Result<Value, SetError> {
        let mut items = Vec::new();
        loop {
            let (text, stop) = self.until(&[',', '}']);
            items.push(typed(&text, typing));
            self.skip(stop.is_some());
            match stop {
                None => return Err(SetError::OpenList),
                Some('}') => break,
                Some(_) => {}
            }
        }
        match self.rest.chars().next() {
            None => {}
            Some(',') => self.skip(true),
            Some(_) => return Err(SetError::AfterList(self.rest.to_owned())),
        }
        Ok(Value::Array(items))
    }
}

fn typed(text: &str, typing: Typing) -> Value {
    if typing == Typing::Text {
        return json!(text);
    }
    match text.to_ascii_lowercase().as_str() {
        "true" => json!(true),
        "false" => json!(false),
        "null" => Value::Null,
        "0" => json!(0),
        _ if text.starts_with('0') => json!(text),
        _ => text.parse::<i64>().map_or_else(|_| json!(text), |number| json!(number)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn set(text: &str) -> Result<Value, SetError> {
        let mut values = json!({});
        apply(&mut values, text, Typing::Guess)?;
        Ok(values)
    }

    #[test]
    fn values_are_what_helm_makes_of_them() {
        for (text, expected) in [
            ("a=1", json!({ "a": 1 })),
            ("a=-5,b=+5", json!({ "a": -5, "b": 5 })),
            ("a=1.5,b=1e3,c=0123,d=", json!({ "a": "1.5", "b": "1e3", "c": "0123", "d": "" })),
            ("a=TRUE,b=False,c=Null,d=0", json!({ "a": true, "b": false, "c": null, "d": 0 })),
            ("tasks={ready,http,assess}", json!({ "tasks": ["ready", "http", "assess"] })),
            ("a={},b={1,true}", json!({ "a": [""], "b": [1, true] })),
            ("a.b.c=x", json!({ "a": { "b": { "c": "x" } } })),
            (r"a\.b\.io/c=x\,y", json!({ "a.b.io/c": "x,y" })),
            ("a[1].b=x", json!({ "a": [null, { "b": "x" }] })),
            ("a[0][1]=y", json!({ "a": [[null, "y"]] })),
            ("a.b=1,a.c=2", json!({ "a": { "b": 1, "c": 2 } })),
            ("=x", json!({})),
            ("http.url=http://a/b?c=d", json!({ "http": { "url": "http://a/b?c=d" } })),
            (
                r"assess.SLOs.upper.grpc/latency/p97\.5=50",
                json!({ "assess": { "SLOs": { "upper": { "grpc/latency/p97.5": 50 } } } }),
            ),
            ("", json!({})),
        ] {
            assert_eq!(set(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn texts_that_do_not_follow_the_grammar_are_refused() {
        for (text, error) in [
            ("a", "key \"a\" has no value"),
            ("a,b=1", "key \"a\" has no value (cannot end with ,)"),
            ("a={1,2", "list must terminate with '}'"),
            ("a[x]=1", "error parsing index: \"x\" is not a number from 0"),
            ("a[-1]=1", "error parsing index: \"-1\" is not a number from 0"),
            ("a[99999]=1", "unable to parse key: index of 99999 is greater than maximum supported index of 65536"),
            ("a=1,a.b=2", "unable to parse key: `a` is a number already, so nothing can be set below it"),
        ] {
            assert_eq!(set(text).unwrap_err().to_string(), error, "{text}");
        }
    }

    #[test]
    fn texts_stay_texts_when_asked() {
        let mut values = json!({});
        apply(&mut values, "a=1,b=true,c={1,null}", Typing::Text).unwrap();
        assert_eq!(values, json!({ "a": "1", "b": "true", "c": ["1", "null"] }));
    }

    #[test]
    fn literals_have_no_escapes_and_one_key() {
        let mut values = json!({});
        apply_literal(&mut values, r"a.b[1].c=x,y={1}\,=z").unwrap();
        assert_eq!(values, json!({ "a": { "b": [null, { "c": r"x,y={1}\,=z" }] } }));
        assert!(apply_literal(&mut values, "a").is_err());
    }

    fn escaped(text: &str) -> String {
        text.chars().flat_map(|c| if r".[]=,\{}".contains(c) { vec!['\\', c] } else { vec![c] }).collect()
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back(keys in prop::collection::vec("[^\\[\\]]{1,8}", 1..4), value in ".*") {
            let text = format!("{}={}", keys.iter().map(|key| escaped(key)).collect::<Vec<_>>().join("."), escaped(&value));
            let mut values = json!({});
            apply(&mut values, &text, Typing::Text).unwrap();
            let found = keys.iter().try_fold(&values, |values, key| values.get(key));
            prop_assert_eq!(found, Some(&json!(value)));
        }

        #[test]
        fn never_panics(text in ".*") {
            let _ = set(&text);
            let _ = pairs(&text);
            let _ = apply_literal(&mut json!({}), &text);
        }
    }
}
