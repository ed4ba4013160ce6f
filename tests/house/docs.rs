//! Rules about README.md and docs/: what they point at exists, and what they list is complete.

use iter8_core::ExitCode;
use serde_json::Value;

use crate::keep;
use crate::source::{files, root, text};

/// The pages for people, by their path from the root.
fn pages() -> impl Iterator<Item = &'static str> {
    let page = |path: &&str| *path == "README.md" || (path.starts_with("docs/") && path.ends_with(".md"));
    files().iter().map(String::as_str).filter(page)
}

/// What stands between `open` and `close` in a line of `text`, with the number of the line.
fn between<'a>(text: &'a str, open: &'a str, close: char) -> impl Iterator<Item = (usize, &'a str)> {
    text.lines().enumerate().flat_map(move |(index, line)| {
        let parts = line.split(open).skip(1).filter_map(move |part| part.split_once(close));
        parts.map(move |(inside, _)| (index + 1, inside))
    })
}

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for page in pages() {
        let folder = root().join(page).parent().expect("a page is in a folder").to_owned();
        let text = text(page);
        for (line, link) in between(&text, "](", ')') {
            let file = link.split('#').next().unwrap_or_default();
            if !link.contains("://") && !link.starts_with("mailto:") && !folder.join(file).exists() {
                broken.push(format!("{page}:{line}: {link}"));
            }
        }
    }
    keep("a relative link in README.md and docs/ points at a file that exists", &broken, "correct or remove the link");
}

#[test]
fn paths_in_pages_exist() {
    let mut broken = Vec::new();
    for page in pages() {
        let text = text(page);
        for (index, line) in text.lines().enumerate() {
            for quoted in line.split('`').skip(1).step_by(2) {
                let top = quoted.split_once('/').map_or("", |(top, _)| top);
                let ours = ["agent", "docs", "krew", "kubectl-iter8", "manifests", "tests"].contains(&top);
                let plain = quoted.chars().all(|char| char.is_alphanumeric() || "/._-".contains(char));
                if ours && plain && !root().join(quoted).exists() {
                    broken.push(format!("{page}:{}: {quoted}", index + 1));
                }
            }
        }
    }
    keep("a path in `` ` `` in README.md and docs/ exists", &broken, "write where it is now");
}

#[test]
fn the_page_of_exit_codes_is_complete() {
    let page = text("docs/exit-codes.md");
    let listed: Vec<u8> =
        page.lines().filter_map(|line| line.strip_prefix('|')?.split('|').next()?.trim().parse().ok()).collect();
    let codes = ExitCode::ALL.map(ExitCode::code);
    let broken =
        if listed == codes { vec![] } else { vec![format!("docs/exit-codes.md lists {listed:?}, not {codes:?}")] };
    keep("docs/exit-codes.md lists the codes of iter8_core::ExitCode in their order", &broken, "correct its table");
}

#[test]
fn the_guide_names_every_value() {
    let schema: Value = serde_json::from_str(&text("manifests/charts/iter8/values.schema.json")).expect("it is JSON");
    let guide = text("docs/guide.md");
    let mut broken = Vec::new();
    for (value, inputs) in properties(&schema, &schema) {
        let keys: Vec<String> = match schema_of_task(&schema, inputs) {
            Some(task) => properties(&schema, task).map(|(key, _)| format!("{value}.{key}")).collect(),
            None => vec![value.clone()],
        };
        let names = |key: &str| ["`", "."].iter().any(|end| guide.contains(&format!("`{key}{end}")));
        broken.extend(
            keys.into_iter().filter(|key| !names(key)).map(|key| format!("docs/guide.md does not name `{key}`")),
        );
    }
    keep(
        "docs/guide.md names every value of the chart and every input of the tasks",
        &broken,
        "add a line to the table of the values or of the task",
    );
}

fn properties<'a>(schema: &'a Value, object: &'a Value) -> impl Iterator<Item = (&'a String, &'a Value)> {
    resolved(schema, object)["properties"].as_object().into_iter().flatten()
}

/// The schema of a task's inputs, when a value is that: a table, or nothing, of known keys.
fn schema_of_task<'a>(schema: &'a Value, value: &'a Value) -> Option<&'a Value> {
    let choices = value["anyOf"].as_array()?.iter().map(|choice| resolved(schema, choice));
    choices.into_iter().find(|choice| choice["properties"].is_object())
}

fn resolved<'a>(schema: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(place) => schema.pointer(place).expect("a reference inside the schema"),
        None => value,
    }
}
