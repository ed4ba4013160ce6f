//! How the plugin behaves beside kubectl itself.

use std::path::Path;
use std::process::Command;

use crate::harness::{Namespace, kubeconfig, run};

#[test]
fn kubectl_finds_the_plugin_and_passes_its_exit_code_through() {
    let ns = Namespace::new("plugin");
    let directory = Path::new(env!("CARGO_BIN_EXE_kubectl-iter8")).parent().expect("has a directory").to_owned();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = Command::new("kubectl");
    command.args(["iter8", "report", "-n", &ns.name]).env("KUBECONFIG", kubeconfig());
    let ran = run({
        command.env("PATH", format!("{}:{path}", directory.display()));
        command
    });
    ran.code(11);
}

#[test]
fn a_dry_run_by_the_server_changes_nothing() {
    let ns = Namespace::new("dry");
    let ran = ns.launch(&["--set", "tasks={http}", "--set", "http.url=http://a", "--dry-run=server"]).code(0);
    assert!(ran.stdout.contains("job.batch/iter8-default-1 created (server dry run)"), "{ran}");
    assert_eq!(ns.leftovers(), "");
}

#[test]
fn a_rendered_experiment_can_be_applied_by_kubectl() {
    let ns = Namespace::new("render");
    let rendered =
        ns.iter8(&["render", "--set", "tasks={http}", "--set", "http.url=http://a", "--set", "runner=none"]).code(0);
    ns.apply(&rendered.stdout);
    assert!(ns.leftovers().contains("secret/iter8-default-1-spec"));
}

#[test]
fn the_preflight_finds_a_good_cluster_good() {
    let ns = Namespace::new("check");
    let ran = ns.iter8(&["check"]).code(0);
    assert!(ran.stdout.contains("you may launch experiments"), "{ran}");
    let missing = Namespace::named("no-such-namespace");
    let ran = missing.iter8(&["check"]).code(1);
    assert!(ran.stdout.contains("does not exist"), "{ran}");
}

#[test]
fn the_pods_are_allowed_where_only_restricted_ones_are() {
    let ns = Namespace::with_httpbin("restricted");
    ns.kubectl(&["label", "namespace", &ns.name, "pod-security.kubernetes.io/enforce=restricted"]).code(0);
    let url = format!("http.url={}", ns.httpbin("/get"));
    let ran = ns.launch(&[
        "--set",
        "tasks={ready,http}",
        "--set",
        &url,
        "--set",
        "http.numRequests=5",
        "--wait",
        "--timeout",
        "60s",
    ]);
    // Without objectives there is no verdict: the experiment ran, and that is all that can be said.
    let ran = ran.code(5);
    assert!(ran.stdout.contains("completed holds"), "{ran}");
}
