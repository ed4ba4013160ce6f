//! Parts of the cluster that go away while an experiment runs. These tests take a component from everybody, so they run
//! after all others and one after another; `ITER8_E2E_COMPONENT` is a shell command that takes `stop`, `start` or
//! `restart` and the name of a component.

use std::process::Command;

use crate::autox::{install, label, launched};
use crate::harness::{Namespace, eventually, kubeconfig};

const SET: &str = "--set";

fn component(verb: &str, name: &str) {
    let command = std::env::var("ITER8_E2E_COMPONENT");
    let command = command.expect("ITER8_E2E_COMPONENT stops and starts components of the cluster: run tests/run");
    let done = Command::new("bash")
        .args(["-c", &format!("{command} {verb} {name}")])
        .env("KUBECONFIG", kubeconfig())
        .status()
        .expect("bash starts");
    assert!(done.success(), "{verb} {name}");
}

/// Starts a component again when the test is over, however it ends.
struct Stopped(&'static str);

impl Stopped {
    fn new(name: &'static str) -> Self {
        component("stop", name);
        Self(name)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        component("start", self.0);
    }
}

fn run_under_way(ns: &Namespace, load: &[&str]) {
    let url = format!("http.url={}", ns.httpbin("/get"));
    let mut args = vec![SET, "tasks={ready,http,assess}", SET, &url, SET, "assess.SLOs.upper.http/error-count=0"];
    load.iter().for_each(|value| args.extend([SET, value]));
    ns.launch(&args).code(0);
    eventually("a run under way", || ns.iter8(&["log"]).stdout.contains("http started").then_some(()));
}

#[test]
fn nothing_is_lost_when_the_api_server_restarts_during_a_run() {
    let ns = Namespace::with_httpbin("away");
    run_under_way(&ns, &["http.numRequests=90", "http.qps=10"]);
    component("restart", "apiserver");
    ns.iter8(&["assert", "--timeout", "90s"]).code(0);
    let stored = ns.stored(1);
    assert_eq!(stored["load"]["http"]["completed"], 90, "nothing is lost");
}

#[test]
fn autox_misses_no_version_when_the_api_server_restarts() {
    let ns = Namespace::with_httpbin("restart");
    let _ = install(&ns, &[]);
    label(&ns, "iter8.tools/autox=true");
    assert_eq!(launched(&ns, "v1"), 1);
    component("restart", "apiserver");
    label(&ns, "app.kubernetes.io/version=v2");
    assert_eq!(launched(&ns, "v2"), 2);
}

#[test]
fn a_node_that_stops_answering_is_named() {
    let ns = Namespace::with_httpbin("node");
    run_under_way(&ns, &["http.duration=10m"]);
    let stopped = Stopped::new("kubelet");
    // A container that has only just started is not ready either, but then its kubelet says so of both.
    let cut_off = || {
        let pods = ns.kubectl(&["get", "pods", "-l", "iter8.tools/group", "-o", "json"]).json();
        let conditions = pods["items"][0]["status"]["conditions"].as_array()?.clone();
        let is = |name: &str, status: &str| conditions.iter().any(|c| c["type"] == name && c["status"] == status);
        (is("Ready", "False") && is("ContainersReady", "True")).then_some(())
    };
    eventually("the node controller's notice", cut_off);
    // The node may come back, so the time is used up.
    let ran = ns.iter8(&["assert", "--timeout", "3s"]).code(3);
    assert!(ran.stderr.contains("does not answer"), "{ran}");
    drop(stopped);
}
