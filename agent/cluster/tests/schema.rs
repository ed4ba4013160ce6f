//! `values.schema.json` of the chart is made from the input types of iter8-core and checked in, because Helm reads it.

use std::path::Path;

#[test]
fn the_checked_in_schema_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../manifests/charts/iter8/values.schema.json");
    let generated = format!("{:#}\n", iter8_core::values::schema());
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
