//! What Go makes of the built-in templates of metric providers with the values in `tests/helm/providers.yaml`, which is
//! recorded in `providers.json` beside it: the test `providers` compares iter8 with the record, and needs no Go.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::oracle::{Answer, ask};
use crate::repository;

/// What precedes the words of `fail` in an error of Go.
const CALLING: &str = "error calling fail: ";

fn recorded(provider: &str, values: &Value, answer: &mut Answer) -> Value {
    let mut record = json!({"provider": provider, "values": values});
    match answer
        .error
        .as_deref()
        .map(|error| error.split_once(CALLING).unwrap_or_else(|| panic!("{provider}: {error}")))
    {
        Some((_, said)) => record["refused"] = said.into(),
        None => record["rendered"] = answer.objects.remove(0),
    }
    record
}

#[test]
fn the_record_is_what_go_makes_of_the_templates_of_providers() {
    let text = fs::read_to_string(repository("tests/helm/providers.yaml")).expect("the table can be read");
    let table: BTreeMap<String, Vec<Value>> = serde_yaml::from_str(&text).expect("the table has lists of values");
    let rows: Vec<_> = table.iter().flat_map(|(name, cases)| cases.iter().map(move |values| (name, values))).collect();
    let template = |name: &str| {
        let path = repository("manifests/templates/metrics").join(name).with_extension("tpl");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let questions: Vec<_> =
        rows.iter().map(|(name, values)| json!({"template": template(name), "values": values})).collect();
    let mut answers = ask(&["providers"], &questions);
    let record = rows.iter().zip(&mut answers).map(|((name, values), answer)| recorded(name, values, answer));
    let made = format!("{:#}\n", record.collect::<Value>());
    let path = repository("tests/helm/providers.json");
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
