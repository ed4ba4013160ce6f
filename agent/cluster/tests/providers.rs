//! The built-in templates of metric providers against what Go makes of them: `tests/helm/providers.json`, which the test
//! `helm` writes and checks.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use iter8_cluster::template::{Engine, Extra};
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
struct Row {
    provider: String,
    values: Value,
    /// What Go makes of the template, read as YAML.
    rendered: Option<Value>,
    /// Else what the template says.
    refused: Option<String>,
}

/// The time at which the templates are rendered.
const CLOCK: &[Extra] = &[Extra { name: "now", arity: 0..=0, body: |_| Ok(1_700_000_000.into()) }];

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn rows() -> Vec<Row> {
    let text = fs::read_to_string(repository("tests/helm/providers.json")).expect("the record can be read");
    serde_json::from_str(&text).expect("the record is a list of `Row`")
}

/// The template of each provider.
fn templates() -> BTreeMap<String, String> {
    let files = fs::read_dir(repository("manifests/templates/metrics")).expect("the templates are there");
    let read = files.map(|file| {
        let path = file.expect("the folder can be read").path();
        let name = path.file_stem().expect("a file has a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("a template can be read"))
    });
    read.collect()
}

#[test]
fn templates_of_providers_give_what_go_gives() {
    let templates = templates();
    let wrong = rows().into_iter().filter_map(|Row { provider, values, rendered, refused }| {
        let engine = Engine::strict(&provider, &templates[&provider], CLOCK).expect("the template can be read");
        let ours = engine.render(&provider, &values);
        let wanted = refused.map(|said| format!("template {provider}: {said}"));
        let right = match (&ours, &rendered, wanted) {
            (Ok(text), Some(rendered), _) => serde_yaml::from_str::<Value>(text).is_ok_and(|read| read == *rendered),
            (Err(error), None, Some(said)) => error.to_string() == said,
            _ => false,
        };
        (!right).then(|| format!("{provider} with {values}\n  iter8: {ours:?}\n  Go: {rendered:?}"))
    });
    let wrong: Vec<String> = wrong.collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

#[test]
fn every_template_of_a_provider_is_tried_with_good_and_with_bad_values() {
    let rows = rows();
    for name in templates().keys() {
        let good = rows.iter().filter(|row| row.provider == *name && row.rendered.is_some()).count();
        let bad = rows.iter().filter(|row| row.provider == *name && row.refused.is_some()).count();
        assert!(good > 0 && bad > 0, "{name} has {good} good and {bad} bad values in tests/helm/providers.yaml");
    }
}

/// Otherwise what users copy from it is wrong.
#[test]
fn the_example_in_a_template_of_a_provider_renders() {
    for (name, text) in templates() {
        let comment: Vec<&str> = text
            .lines()
            .map_while(|line| line.strip_prefix('#'))
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect();
        let example = comment.join("\n");
        let example = example.split_once("Example:\n").unwrap_or_else(|| panic!("{name} has no example")).1;
        let example: Value = serde_yaml::from_str(example).unwrap_or_else(|error| panic!("{name}: {error}\n{example}"));
        let task = &example["custommetrics"];
        assert_eq!(task["templates"][&name], name, "the example of {name} names it");
        let engine = Engine::strict(&name, &text, CLOCK).expect("the template can be read");
        for version in task["versionValues"].as_array().expect("the example has versions") {
            let mut values = task["values"].as_object().cloned().unwrap_or_default();
            values.extend(version.as_object().cloned().unwrap_or_default());
            values.insert("elapsedTimeSeconds".to_owned(), 60.into());
            let rendered = engine.render(&name, &values.into()).unwrap_or_else(|error| panic!("{error}"));
            let read: Value = serde_yaml::from_str(&rendered).expect("it gives YAML");
            assert_eq!(read["provider"], name);
            assert!(read["metrics"].as_array().is_some_and(|metrics| !metrics.is_empty()), "{name} gives no metrics");
        }
    }
}
