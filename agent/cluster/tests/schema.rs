//! The JSON Schemas that others read, `values.schema.json` of the chart (Helm) and that of stored results (whoever reads
//! one), are made from the types of iter8-core and checked in.

use std::path::Path;

use serde_json::Value;

fn assert_checked_in(path: &str, schema: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
    let generated = format!("{schema:#}\n");
    if std::env::var_os("ITER8_UPDATE").is_some() {
        std::fs::write(&path, &generated).expect("the schema can be written");
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == generated,
        "{} is out of date: run ITER8_UPDATE=1 cargo test -p iter8-cluster --test schema",
        path.display()
    );
}

#[test]
fn the_schema_of_values_is_that_of_the_types() {
    assert_checked_in("manifests/charts/iter8/values.schema.json", &iter8_core::values::schema());
}

#[test]
fn the_schema_of_autox_is_that_of_the_types() {
    assert_checked_in("manifests/charts/autox/values.schema.json", &iter8_core::autox::values::schema());
}

#[test]
fn the_schema_of_results_is_that_of_the_type() {
    assert_checked_in("docs/result.schema.json", &iter8_core::result::schema());
}
