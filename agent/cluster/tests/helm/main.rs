//! Compares the embedded renderer with the real Helm: the same objects from the chart for every values file below
//! `tests/helm/values`. Also records what Helm makes of the templates in `tests/helm/functions.yaml`, and
//! what Go makes of the templates of metric providers with the values in `tests/helm/providers.yaml`. Needs Go, so only
//! `tests/run` and `cargo test -p iter8-cluster --test helm` run it.

mod charts;
mod functions;
mod oracle;
mod providers;

use std::path::{Path, PathBuf};

/// A path of the repository.
fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}
