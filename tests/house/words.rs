//! Rules about what stands in the code: what may not be written at all, and what may only be written in one place.

use crate::keep;
use crate::source::sources;

/// Everything in `code` that a path beginning with `start::` names, with its position: `std::fs`, and both of
/// `std::{fs, net}`.
fn named_in<'a>(code: &'a str, start: &str) -> Vec<(usize, &'a str)> {
    let mut named = Vec::new();
    for (at, found) in code.match_indices(&format!("{start}::")) {
        if code[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_') {
            continue;
        }
        let begin = at + found.len();
        let Some(group) = code[begin..].strip_prefix('{') else {
            named.push((begin, &code[begin..]));
            continue;
        };
        let mut depth = 0;
        let mut expected = true;
        for (offset, char) in group.char_indices() {
            match char {
                '{' => depth += 1,
                '}' if depth == 0 => break,
                '}' => depth -= 1,
                ',' if depth == 0 => expected = true,
                _ if expected && !char.is_whitespace() => {
                    named.push((begin + 1 + offset, &group[offset..]));
                    expected = false;
                }
                _ => {}
            }
        }
    }
    named
}

/// Whether `path` begins with these names.
fn begins(path: &str, names: &str) -> bool {
    let rest = path.strip_prefix(names);
    rest.is_some_and(|rest| !rest.starts_with(|char: char| char.is_alphanumeric() || char == '_'))
}

#[test]
fn the_core_is_pure() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.starts_with("agent/core/src/")) {
        for (at, path) in named_in(&source.code, "std") {
            let impure = ["fs", "net", "env", "process", "thread"];
            // The type that `main` returns: to name it ends no process.
            if impure.iter().any(|name| begins(path, name)) && !begins(path, "process::ExitCode") {
                broken.push(source.place(at));
            }
        }
        for word in ["::now(", "tokio::", "env!("] {
            broken.extend(source.places(word));
        }
    }
    keep(
        "iter8-core uses no clock, files, network, environment, process or async runtime",
        &broken,
        "let the caller pass in what is needed",
    );
}

#[test]
fn nothing_is_silenced_left_out_or_left_undone() {
    const WORDS: [&str; 6] = ["#[allow(", "#![allow(", "#[ignore", "todo!", "unimplemented!", "dbg!"];
    let broken: Vec<String> =
        sources().iter().flat_map(|source| WORDS.iter().flat_map(|word| source.places(word))).collect();
    keep(
        "no `#[allow]`, `#[ignore]`, `todo!`, `unimplemented!` or `dbg!`",
        &broken,
        "expect a lint with `#[expect(…, reason = \"…\")]`; write the code; give a test that needs more than Rust \
         a target of its own",
    );
}

#[test]
fn one_file_writes_to_the_terminal() {
    const WORDS: [&str; 4] = ["print!(", "println!(", "eprint!(", "eprintln!("];
    let may = |path: &str| path.ends_with("/printer.rs") || path.ends_with("src/main.rs");
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.contains("/src/") && !may(&source.path)) {
        let whole = |at: usize| !source.code[..at].ends_with(|char: char| char.is_alphanumeric() || char == '_');
        for word in WORDS {
            let found = source.code.match_indices(word).filter(|(at, _)| whole(*at));
            broken.extend(found.map(|(at, _)| source.place(at)));
        }
        let standard = named_in(&source.code, "io").into_iter();
        let writes = standard.filter(|(_, path)| begins(path, "stdout") || begins(path, "stderr"));
        broken.extend(writes.map(|(at, _)| source.place(at)));
    }
    keep(
        "only `printer.rs` and `main.rs` write to the terminal",
        &broken,
        "hand the text to `Printer`, or return it to the caller",
    );
}

#[test]
fn labels_and_annotations_stand_in_one_file() {
    let mut broken = Vec::new();
    for source in sources().iter().filter(|source| source.path.contains("/src/")) {
        let literals = source.literals.iter().filter(|(line, _)| *line < source.tests_from());
        for (line, literal) in literals.filter(|(_, literal)| has_key(literal)) {
            if !["agent/cluster/src/names.rs", "agent/core/src/autox/mod.rs"].contains(&source.path.as_str()) {
                broken.push(format!("{}:{line}: {literal}", source.path));
            }
        }
    }
    keep(
        "keys `iter8.tools/…` of labels, annotations and types are written in agent/cluster/src/names.rs and in charts, and \
         those that users set on triggers in agent/core/src/autox/mod.rs",
        &broken,
        "add a constant to names.rs and use that",
    );
}

/// Whether a literal holds a key of iter8; `iter8.tools/v1` is the version of its formats.
fn has_key(literal: &str) -> bool {
    literal.match_indices("iter8.tools/").any(|(at, found)| {
        let version = literal[at + found.len()..].starts_with("v1");
        !version && !literal[..at].ends_with(|char: char| char.is_alphanumeric() || char == '.')
    })
}

#[test]
fn paths_are_found_alone_and_in_groups() {
    let code = "use std::{collections::{A, fs}, fs, net::{B}};\nstd::env::var(x); mystd::fs;";
    let named: Vec<bool> = named_in(code, "std").into_iter().map(|(_, path)| begins(path, "fs")).collect();
    assert_eq!(named, [false, true, false, false]);
    assert!(begins(named_in(code, "std")[3].1, "env") && !begins("envy", "env"));
}
