//! What Helm makes of the small templates in `tests/helm/functions.yaml`, which is recorded in `functions.json` beside
//! it, with the names of Sprig's functions: the test `functions` compares iter8 with the record, and needs no Go.

use std::collections::BTreeMap;
use std::fs;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::oracle::{ask, names};
use crate::repository;

/// `tests/helm/functions.yaml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    /// The values that every template sees.
    values: Value,
    /// Templates by subject, one a line, of which both engines make the same text or an error.
    same: BTreeMap<String, String>,
    /// Templates of which iter8 deliberately makes something else, by the reason.
    different: BTreeMap<String, String>,
}

/// Each template with the heading that it stands under.
fn rows(lines: &BTreeMap<String, String>) -> impl Iterator<Item = (&str, &str)> {
    let rows = lines.iter().flat_map(|(heading, lines)| lines.lines().map(move |line| (heading.as_str(), line)));
    rows.filter(|(_, line)| !line.trim().is_empty())
}

/// Helm's text of each template, and null where it fails.
fn recorded(table: &Table, lines: &BTreeMap<String, String>) -> Value {
    let rows: Vec<_> = rows(lines).collect();
    let question = |(_, template): &(&str, &str)| json!({"template": template, "values": table.values});
    let answers = ask(&["templates"], &rows.iter().map(question).collect::<Vec<_>>());
    let text = |answer: crate::oracle::Answer| answer.error.is_none().then_some(answer.text);
    let record = |((heading, template), answer)| json!({"of": heading, "template": template, "helm": text(answer)});
    rows.into_iter().zip(answers).map(record).collect()
}

#[test]
fn the_record_is_what_helm_makes_of_the_templates() {
    let text = fs::read_to_string(repository("tests/helm/functions.yaml")).expect("the table can be read");
    let table: Table = serde_yaml::from_str(&text).expect("the table has the form of `Table`");
    let (same, different) = (recorded(&table, &table.same), recorded(&table, &table.different));
    let made = json!({"sprig": names(), "values": table.values, "same": same, "different": different});
    let made = format!("{made:#}\n");
    let path = repository("tests/helm/functions.json");
    if std::env::var_os("ITER8_UPDATE").is_some() {
        fs::write(&path, &made).expect("the record can be written");
    }
    let record = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        record == made,
        "{} is out of date: run ITER8_UPDATE=1 cargo test -p iter8-cluster --test helm",
        path.display()
    );
}
