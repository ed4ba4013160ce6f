//! Rules about files: their names, their first lines, their length, and that they are part of a program.

use std::collections::BTreeSet;
use std::path::Path;

use crate::keep;
use crate::source::{Source, files, sources};

/// Longest file without an explanation, in lines.
const LONG: usize = 600;

#[test]
fn a_file_has_a_subject() {
    const WITHOUT: [&str; 7] = ["util", "utils", "helper", "helpers", "common", "misc", "types"];
    let named = |path: &&String| path.split(['/', '.']).any(|part| WITHOUT.contains(&part));
    let broken: Vec<String> = files().iter().filter(named).cloned().collect();
    keep("no file or folder is called util, helpers, common, misc or types", &broken, "name it after its one subject");
}

#[test]
fn a_file_opens_with_what_it_is_responsible_for() {
    let silent = sources().iter().filter(|source| source.doc().trim().is_empty());
    let broken: Vec<String> = silent.map(|source| source.path.clone()).collect();
    keep(
        "every Rust file opens with `//!`",
        &broken,
        "say in the first line what the file is responsible for, and what is not its business",
    );
}

#[test]
fn a_long_file_says_why() {
    let long = |source: &&Source| source.text.lines().count() > LONG && !source.doc().contains("600 lines");
    let of = |source: &Source| format!("{} with {} lines", source.path, source.text.lines().count());
    let broken: Vec<String> = sources().iter().filter(long).map(of).collect();
    keep(
        "a file has at most 600 lines",
        &broken,
        "split it by subject; or give the reason in its opening comment: `//! Over 600 lines because …`",
    );
}

#[test]
fn a_file_belongs_to_a_program() {
    let modules: BTreeSet<&str> = sources().iter().map(|source| source.path.as_str()).collect();
    let broken: Vec<String> = sources().iter().filter_map(|source| undeclared(source, &modules)).collect();
    keep(
        "every Rust file is declared by the file above it",
        &broken,
        "add the `mod` there, or remove the file: it is not compiled, and its tests do not run",
    );
}

/// The file and what should declare it, when that does not.
fn undeclared(source: &Source, modules: &BTreeSet<&str>) -> Option<String> {
    let path = Path::new(&source.path);
    let (folder, stem) = (path.parent()?, path.file_stem()?.to_str()?);
    let (folder, name) = match stem {
        "main" | "lib" | "build" => return None,
        "mod" => (folder.parent()?, folder.file_name()?.to_str()?),
        _ => (folder, stem),
    };
    let above: Vec<String> =
        ["mod", "lib", "main"].iter().map(|stem| format!("{}/{stem}.rs", folder.display())).collect();
    let above: Vec<&str> = above.iter().map(String::as_str).filter(|above| modules.contains(above)).collect();
    // Files in a package's folders `tests` and `examples` are programs of their own, which cargo finds.
    if above.is_empty() && ["tests", "examples"].iter().any(|programs| folder.ends_with(programs)) {
        return None;
    }
    let declares = |above: &&str| {
        let source = sources().iter().find(|source| source.path == **above);
        source.is_some_and(|source| source.code.split(['\n', ' ']).any(|word| word == format!("{name};")))
    };
    (!above.iter().any(declares)).then(|| format!("{}, which {} does not declare", source.path, above.join(" or ")))
}
