//! The functions of templates against what Helm makes of them: `tests/helm/functions.json`, which the test `helm` writes
//! and checks.

use std::path::Path;

use iter8_cluster::template;
use serde::Deserialize;
use serde_json::{Value, json};

#[derive(Deserialize)]
struct Record {
    /// The names of Sprig's functions for texts.
    sprig: Vec<String>,
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

#[test]
fn every_function_of_sprig_is_there_or_refused_with_a_reason() {
    let Record { sprig, .. } = record();
    assert!(sprig.len() > 200, "Sprig has {} functions", sprig.len());
    let said =
        |name: &String| template::render("t", &format!("{{{{ {name} }}}}"), &json!({})).map_err(|e| e.to_string());
    let absent = sprig.iter().filter(|name| said(name).is_err_and(|error| error.contains("does not exist")));
    assert_eq!(absent.collect::<Vec<_>>(), Vec::<&String>::new());
    let refused = sprig.iter().filter(|name| said(name).is_err_and(|error| error.contains("is refused")));
    let refused: Vec<_> = refused.map(String::as_str).collect();
    assert_eq!(refused, REFUSED);
}

/// What reads the environment, the network or the clock, rolls dice, makes keys, or changes a dict in place.
const REFUSED: [&str; 28] = [
    "ago",
    "bcrypt",
    "buildCustomCert",
    "decryptAES",
    "derivePassword",
    "encryptAES",
    "env",
    "expandenv",
    "genCA",
    "genCAWithKey",
    "genPrivateKey",
    "genSelfSignedCert",
    "genSelfSignedCertWithKey",
    "genSignedCert",
    "genSignedCertWithKey",
    "getHostByName",
    "htpasswd",
    "now",
    "randAlpha",
    "randAlphaNum",
    "randAscii",
    "randBytes",
    "randInt",
    "randNumeric",
    "set",
    "shuffle",
    "unset",
    "uuidv4",
];
