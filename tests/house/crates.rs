//! Rules about what the crates depend on, read from their `Cargo.toml`. docs/architecture.md draws them.

use std::process::Command;
use std::sync::LazyLock;

use serde::Deserialize;

use crate::keep;
use crate::source::root;

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    name: String,
    kind: Option<Kind>,
}

/// Of a dependency; a normal one has none.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Kind {
    Dev,
    Build,
}

fn packages() -> &'static [Package] {
    static PACKAGES: LazyLock<Vec<Package>> = LazyLock::new(|| {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["metadata", "--no-deps", "--offline", "--format-version", "1"]).current_dir(root());
        let output = cargo.output().expect("cargo starts");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo metadata is JSON");
        metadata.packages
    });
    &PACKAGES
}

/// The dependencies of `package` that `counts` counts.
fn dependencies(package: &str, counts: fn(&Dependency) -> bool) -> impl Iterator<Item = &'static str> {
    let found = packages().iter().find(|known| known.name == package);
    let found = found.unwrap_or_else(|| panic!("there is no package {package}; has it been renamed?"));
    found.dependencies.iter().filter(move |dependency| counts(dependency)).map(|dependency| dependency.name.as_str())
}

/// A dependency of what is shipped, and not of tests alone.
fn shipped(dependency: &Dependency) -> bool {
    dependency.kind != Some(Kind::Dev)
}

fn is_ours(name: &str) -> bool {
    packages().iter().any(|package| package.name == name)
}

#[test]
fn crates_depend_in_one_direction() {
    const MAY_DEPEND_ON: [(&str, &[&str]); 8] = [
        ("iter8-core", &[]),
        ("iter8-load", &[]),
        ("iter8-cluster", &["iter8-core"]),
        ("iter8-agent", &["iter8-cluster", "iter8-load", "iter8-core"]),
        ("kubectl-iter8", &["iter8-agent", "iter8-cluster", "iter8-core"]),
        ("iter8-dist", &[]),
        ("iter8-testkit", &["iter8-core"]),
        ("iter8-bench", &[]),
    ];
    let mut broken = Vec::new();
    for package in packages() {
        let Some((_, allowed)) = MAY_DEPEND_ON.iter().find(|(name, _)| *name == package.name) else {
            broken.push(format!("{} is a new crate: say here what it may depend on", package.name));
            continue;
        };
        let unwanted = package.dependencies.iter().filter(|dependency| {
            let fakes = dependency.name == "iter8-testkit" && dependency.kind == Some(Kind::Dev);
            is_ours(&dependency.name) && !fakes && !allowed.contains(&dependency.name.as_str())
        });
        broken.extend(unwanted.map(|dependency| format!("{} depends on {}", package.name, dependency.name)));
    }
    keep(
        "crates depend on each other as docs/architecture.md draws it; iter8-testkit is only a dev-dependency",
        &broken,
        "move the code to the crate that may do it, or pass in what is needed",
    );
}

#[test]
fn the_core_depends_on_nothing_that_acts() {
    const PURE: [&str; 10] = [
        "expr-lang",
        "indexmap",
        "jiff",
        "schemars",
        "serde",
        "serde-saphyr",
        "serde_json",
        "sha2",
        "statrs",
        "thiserror",
    ];
    let broken = outside("iter8-core", &PURE);
    keep(
        "iter8-core depends on pure crates only",
        &broken,
        "let another crate do it; or, when the crate reads no clock, files, network or environment, add it to this list",
    );
}

#[test]
fn the_load_generator_knows_nothing_of_kubernetes() {
    const UNWANTED: [&str; 4] = ["kube", "k8s-openapi", "serde-saphyr", "serde_yaml"];
    let depends = dependencies("iter8-load", |_| true).filter(|name| UNWANTED.contains(name));
    let broken: Vec<String> = depends.map(|name| format!("iter8-load depends on {name}")).collect();
    keep(
        "iter8-load knows nothing of experiments or Kubernetes",
        &broken,
        "give it a `Plan` and take its `Report`; translate in iter8-agent",
    );
}

#[test]
fn what_makes_the_packages_stays_small() {
    const NEEDED: [&str; 6] = ["clap", "flate2", "jiff", "serde_json", "sha2", "thiserror"];
    let broken = outside("iter8-dist", &NEEDED);
    keep(
        "iter8-dist depends on little: what it makes must not depend on what it is made with",
        &broken,
        "write it with what is there; or add the crate to this list with a reason in the commit",
    );
}

/// What a package is shipped with that is not on the list.
fn outside(package: &str, list: &[&str]) -> Vec<String> {
    let unlisted = dependencies(package, shipped).filter(|name| !list.contains(name));
    unlisted.map(|name| format!("{package} depends on {name}")).collect()
}
