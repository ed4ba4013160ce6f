//! Compares the embedded renderer with the real Helm: the same objects from the chart for every values file below
//! `tests/helm/values`. Needs Go, so only `tests/run` and `cargo test -p iter8-cluster --test helm` run it.

mod charts;
mod oracle;

use std::path::{Path, PathBuf};

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Fails with all that differs.
fn assert_none(what: &str, differences: &[String]) {
    assert!(differences.is_empty(), "\n{} {what}:\n\n{}\n", differences.len(), differences.join("\n\n"));
}
