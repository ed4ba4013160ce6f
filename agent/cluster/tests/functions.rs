//! The functions of templates against what Helm makes of them: `tests/helm/functions.json`, which the test `helm` writes
//! and checks.

use std::path::Path;

use iter8_cluster::template;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Record {
    values: Value,
    same: Vec<Row>,
    different: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    /// The subject; of a difference, its reason.
    of: String,
    template: String,
    /// Helm's text; None when it fails.
    helm: Option<String>,
}

fn record() -> Record {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/helm/functions.json");
    let text = std::fs::read_to_string(path).expect("the record can be read");
    serde_json::from_str(&text).expect("the record has the form of `Record`")
}

/// What iter8 makes of a template, for comparison and to be shown.
fn rendered(row: &Row, values: &Value) -> (Option<String>, String) {
    match template::render("c/templates/t", &row.template, &json!({"Values": values})) {
        // The renderer of charts takes it out, as Helm's does.
        Ok(text) => (Some(text.replace("<no value>", "")), text),
        Err(error) => (None, error.to_string()),
    }
}

/// The rows for which `wrong` holds of iter8's text and Helm's. Where both fail, their words may differ.
fn wrong(rows: &[Row], values: &Value, wrong: fn(&Option<String>, &Option<String>) -> bool) -> Vec<String> {
    assert!(!rows.is_empty());
    let compared = rows.iter().map(|row| (row, rendered(row, values)));
    let compared = compared.filter(|(row, (text, _))| wrong(text, &row.helm));
    compared
        .map(|(row, (_, said))| format!("{}: {}\n  iter8: {said:?}\n  Helm:  {:?}", row.of, row.template, row.helm))
        .collect()
}

#[test]
fn templates_give_what_helm_gives() {
    let Record { values, same, .. } = record();
    let wrong = wrong(&same, &values, |ours, helm| ours != helm);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}

#[test]
fn what_is_called_a_difference_is_one() {
    let Record { values, different, .. } = record();
    let wrong = wrong(&different, &values, |ours, helm| ours == helm);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n\n"));
}
