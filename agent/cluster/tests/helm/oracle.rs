//! Helm, as the Go program in `tests/helm` runs it.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::repository;

/// What Helm says to one case.
#[derive(Debug, Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    pub(crate) objects: Vec<Value>,
    pub(crate) text: String,
    pub(crate) error: Option<String>,
}

/// The names of Sprig's functions for texts, sorted.
pub(crate) fn names() -> Vec<String> {
    run(&["names"], &Value::Null)
}

/// One answer for each case, in their order.
pub(crate) fn ask<T: Serialize>(arguments: &[&str], cases: &[T]) -> Vec<Answer> {
    let answers: Vec<Answer> = run(arguments, cases);
    assert_eq!(answers.len(), cases.len());
    answers
}

fn run<T: DeserializeOwned>(arguments: &[&str], input: &(impl Serialize + ?Sized)) -> T {
    let mut helm = Command::new(program());
    helm.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut helm = helm.spawn().expect("the program starts that was just built");
    let input = serde_json::to_vec(input).expect("cases are JSON");
    helm.stdin.take().expect("it has a stdin").write_all(&input).expect("it reads all before it answers");
    let output = helm.wait_with_output().expect("it ends");
    assert!(output.status.success(), "the program in tests/helm failed: {}", output.status);
    serde_json::from_slice(&output.stdout).expect("it answers in JSON")
}

/// The built program.
fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("helm");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(".").current_dir(repository("tests/helm"));
        let built = build.status().expect("Go is installed and on the PATH");
        assert!(built.success(), "`go build` in tests/helm failed: {built}");
        program
    });
    &PROGRAM
}
