//! What goes wrong in clusters: each gets one clear sentence and its exit code, soon.

use crate::harness::{Namespace, eventually};

const SET: &str = "--set";

fn simple(url: &str) -> Vec<&str> {
    vec![
        SET,
        "tasks={http,assess}",
        SET,
        url,
        SET,
        "http.numRequests=20",
        SET,
        "http.qps=50",
        SET,
        "assess.SLOs.upper.http/error-count=0",
    ]
}

#[test]
fn an_image_that_cannot_be_pulled_is_reported_with_the_kubelets_message() {
    let ns = Namespace::new("image");
    let mut args = simple("http.url=http://a");
    args.extend([SET, "image=localhost/no-such-image:1", SET, "imagePullPolicy=Never"]);
    ns.iter8(&[&["launch"], &args[..]].concat()).code(0);
    // Code 4 and not 3: the time is not used up.
    let ran = ns.iter8(&["assert", "--timeout", "60s"]).code(4);
    assert!(ran.stderr.contains("no-such-image"), "{ran}");
}

#[test]
fn a_pod_that_no_node_takes_is_reported_with_the_schedulers_message() {
    let ns = Namespace::new("pending");
    let mut args = simple("http.url=http://a");
    args.extend([SET, "nodeSelector.disk=none"]);
    ns.launch(&args).code(0);
    // A cluster that grows may still take it, so the time is used up.
    let ran = ns.iter8(&["assert", "--timeout", "10s"]).code(3);
    assert!(ran.stderr.contains("is Pending, no node takes it: 0/1 nodes are available"), "{ran}");
}

#[test]
fn a_quota_that_forbids_the_pod_is_reported() {
    let ns = Namespace::new("quota");
    ns.kubectl(&["create", "quota", "none", "--hard=pods=0"]).code(0);
    ns.launch(&simple("http.url=http://a")).code(0);
    let ran = ns.iter8(&["assert", "--timeout", "60s"]).code(4);
    assert!(ran.stderr.contains("exceeded quota"), "{ran}");
}

#[test]
fn an_agent_killed_for_its_memory_is_reported() {
    let ns = Namespace::with_httpbin("memory");
    // The agent alone fits into sixteen mebibytes; with three thousand requests waiting for their answers it does not.
    let url = format!("http.url={}", ns.httpbin("/delay/10"));
    let mut args = vec![SET, "tasks={ready,http}", SET, &url, SET, "http.numRequests=3000", SET, "http.qps=1000"];
    args.extend([SET, "http.connections=3000", SET, "http.timeout=30s"]);
    args.extend([SET, "resources.limits.memory=16Mi", SET, "resources.requests.memory=16Mi"]);
    ns.launch(&args).code(0);
    let ran = ns.iter8(&["assert", "--timeout", "60s"]).code(4);
    assert!(ran.stderr.contains("OOMKilled"), "{ran}");
}

#[test]
fn a_target_that_refuses_is_measured_and_fails_the_objective() {
    let ns = Namespace::new("refuse");
    let mut args = simple("http.url=http://127.0.0.1:1/");
    args.extend(["--wait", "--timeout", "60s"]);
    let ran = ns.launch(&args).code(1);
    assert!(ran.stdout.contains("http/error-count is 20"), "{ran}");
    let report = ns.iter8(&["report"]).code(0);
    assert!(report.stdout.contains("connection refused"), "{report}");
}

#[test]
fn a_deployment_that_never_gets_ready_says_what_it_lacks() {
    let ns = Namespace::new("unready");
    let ran = ns
        .launch(&[
            SET,
            "tasks={ready}",
            SET,
            "ready.deploy=nowhere",
            SET,
            "ready.timeout=2s",
            "--wait",
            "--timeout",
            "60s",
        ])
        .code(4);
    assert!(ran.stdout.contains("nowhere") && ran.stdout.contains("does not exist"), "{ran}");
}

#[test]
fn a_result_secret_that_is_deleted_while_running_is_reported() {
    let ns = Namespace::with_httpbin("gone");
    let url = format!("http.url={}", ns.httpbin("/get"));
    ns.launch(&[SET, "tasks={ready,http,assess}", SET, &url, SET, "http.duration=8s"]).code(0);
    eventually("a run under way", || ns.iter8(&["log"]).stdout.contains("http started").then_some(()));
    ns.kubectl(&["delete", "secret", "iter8-default-1-result"]).code(0);
    let ran = ns.iter8(&["assert", "--timeout", "60s"]).code(11);
    assert!(ran.stderr.contains("secret/iter8-default-1-result"), "{ran}");
    assert!(ran.stderr.contains("was deleted or replaced"), "{ran}");
}

#[test]
fn a_token_that_is_not_valid_is_exit_code_twelve() {
    let ns = Namespace::new("token");
    let ran = ns.iter8(&["report", "--token", "not-a-token"]).code(12);
    assert!(ran.stderr.contains("logged in") || ran.stderr.contains("Unauthorized"), "{ran}");
}

#[test]
fn a_user_without_permission_is_told_what_he_may_not_do() {
    let ns = Namespace::new("forbidden");
    let ran = ns.iter8(&["launch", SET, "tasks={http}", SET, "http.url=http://a", "--as", "nobody"]).code(12);
    assert!(ran.stderr.contains("forbidden") && ran.stderr.contains("nobody"), "{ran}");
    assert_eq!(ns.leftovers(), "");
}

#[test]
fn a_namespace_that_does_not_exist_is_exit_code_eleven() {
    let ns = Namespace::named("no-such-namespace");
    let ran = ns.iter8(&["launch", SET, "tasks={http}", SET, "http.url=http://a"]).code(11);
    assert!(ran.stderr.contains("no-such-namespace"), "{ran}");
}
