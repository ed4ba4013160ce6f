//! The main road: launch, assert, report, log, get, delete on a real cluster.

use std::time::Duration;

use crate::harness::{Namespace, until_trusted};

const SET: &str = "--set";

#[test]
fn the_documented_experiment_runs_from_launch_to_delete() {
    let ns = Namespace::with_httpbin("road");
    let url = format!("http.url={}", ns.httpbin("/get"));
    let measure = || {
        ns.launch(&[
            SET,
            "tasks={ready,http,assess}",
            SET,
            "ready.deploy=httpbin",
            SET,
            "ready.service=httpbin",
            SET,
            "ready.timeout=60s",
            SET,
            &url,
            SET,
            "http.numRequests=200",
            SET,
            "http.qps=50",
            SET,
            "assess.SLOs.upper.http/latency-mean=50",
            SET,
            "assess.SLOs.upper.http/error-count=0",
        ])
        .code(0);
        ns.iter8(&["assert", "-c", "completed,nofailure,slos", "--timeout", "60s"])
    };
    let asserted = until_trusted(measure).code(0);
    assert!(asserted.stdout.contains("slos holds"), "{asserted}");

    let report = ns.iter8(&["report"]).code(0);
    assert!(report.stdout.contains("http/latency-mean") && report.stdout.contains("pass"), "{report}");
    let json = ns.iter8(&["report", "-o", "json"]).code(0).json();
    assert_eq!(json["verdict"], "pass");
    assert_eq!(json["load"]["http"]["completed"], 200);
    assert_eq!(json["load"]["http"]["statusCodes"]["200"], 200);
    assert_eq!(json["metrics"]["http/request-count"]["versions"][0]["latest"]["value"], 200.0);

    let log = ns.iter8(&["log"]).code(0);
    assert!(log.stdout.contains("http done"), "{log}");
    let listed = ns.iter8(&["get"]).code(0);
    assert!(listed.stdout.contains("default") && listed.stdout.contains("pass"), "{listed}");

    ns.iter8(&["delete"]).code(0);
    assert_eq!(ns.leftovers(), "");
    ns.iter8(&["delete"]).code(11);
    ns.iter8(&["delete", "--ignore-not-found"]).code(0);
    ns.iter8(&["report"]).code(11);
}

#[test]
fn a_violated_objective_is_exit_code_one_and_says_why() {
    let ns = Namespace::with_httpbin("violated");
    let url = format!("http.url={}", ns.httpbin("/status/500"));
    let launched = ns.launch(&[
        SET,
        "tasks={ready,http,assess}",
        SET,
        &url,
        SET,
        "http.numRequests=20",
        SET,
        "http.qps=50",
        SET,
        "assess.SLOs.upper.http/error-count=0",
        "--wait",
        "--timeout",
        "60s",
    ]);
    let launched = launched.code(1);
    assert!(launched.stdout.contains("http/error-count is 20, above the limit of 0"), "{launched}");
    let report = ns.iter8(&["report", "-o", "json"]).code(0).json();
    assert_eq!(report["load"]["http"]["statusCodes"]["500"], 20);
}

#[test]
fn a_second_launch_stops_the_first_keeps_its_partial_result_and_prunes_its_objects() {
    let ns = Namespace::with_httpbin("second");
    let url = format!("http.url={}", ns.httpbin("/get"));
    ns.launch(&[SET, "tasks={ready,http,assess}", SET, &url, SET, "http.duration=300s", SET, "http.qps=20"]).code(0);
    crate::harness::eventually("requests under way", || {
        let log = ns.iter8(&["log"]);
        log.stdout.contains("http started").then_some(())
    });
    ns.launch(&[SET, "tasks={ready,http,assess}", SET, &url, SET, "http.numRequests=10", SET, "http.qps=100"]).code(0);
    ns.iter8(&["assert", "-c", "completed", "--timeout", "60s"]).code(0);

    let first = ns.iter8(&["report", "--revision", "1", "-o", "json"]).code(0).json();
    assert_eq!(first["phase"], "Cancelled");
    assert!(first["load"]["http"]["completed"].as_u64().is_some_and(|completed| completed > 0), "{first:#}");
    assert_eq!(first["verdict"], "inconclusive");
    let objects = ns.leftovers();
    assert!(
        objects.contains("secret/iter8-default-1-result") && objects.contains("job.batch/iter8-default-2"),
        "{objects}"
    );
    assert!(!objects.contains("job.batch/iter8-default-1") && !objects.contains("iter8-default-1-spec"), "{objects}");
}

#[test]
fn two_launches_at_the_same_instant_end_as_two_revisions() {
    let ns = Namespace::with_httpbin("instant");
    let url = format!("http.url={}", ns.httpbin("/get"));
    let args = [SET, "tasks={ready,http}", SET, &url, SET, "http.numRequests=5", SET, "http.qps=50"];
    let (mut one, mut two) = (ns.launch_command(&args), ns.launch_command(&args));
    let (mut one, mut two) = (one.spawn().expect("starts"), two.spawn().expect("starts"));
    assert!(one.wait().expect("ends").success() && two.wait().expect("ends").success());
    ns.iter8(&["assert", "-c", "completed", "--timeout", "60s"]).code(0);
    let role = ns.kubectl(&["get", "role", "iter8-default", "-o", "json"]).code(0).json();
    assert_eq!(role["rules"][0]["resourceNames"], serde_json::json!(["iter8-default-2-result"]));
    assert!(ns.leftovers().contains("job.batch/iter8-default-2"));
}

#[test]
fn the_agent_may_touch_nothing_but_its_result() {
    let ns = Namespace::with_httpbin("least");
    let url = format!("http.url={}", ns.httpbin("/get"));
    ns.launch(&[SET, "tasks={ready,http}", SET, &url, SET, "http.numRequests=5", "--wait"]).code(5);
    let account = format!("--as=system:serviceaccount:{}:iter8-default", ns.name);
    let may =
        |verb: &str, resource: &str| ns.kubectl(&["auth", "can-i", verb, resource, &account]).stdout.trim() == "yes";
    assert!(may("get", "secret/iter8-default-1-result") && may("patch", "secret/iter8-default-1-result"));
    for (verb, resource) in [
        ("get", "secret/iter8-default"),
        ("get", "secret/iter8-default-1-spec"),
        ("list", "secrets"),
        ("create", "secrets"),
        ("delete", "secret/iter8-default-1-result"),
        ("get", "pods"),
        ("create", "jobs"),
    ] {
        assert!(!may(verb, resource), "{verb} {resource}");
    }
}

#[test]
fn the_answer_comes_soon_after_the_result() {
    let ns = Namespace::with_httpbin("soon");
    let url = format!("http.url={}", ns.httpbin("/get"));
    ns.launch(&[SET, "tasks={ready,http}", SET, &url, SET, "http.numRequests=40", SET, "http.qps=20"]).code(0);
    ns.iter8(&["assert", "-c", "completed", "--timeout", "60s"]).code(0);
    let answered = jiff::Timestamp::now();
    let ended: jiff::Timestamp = ns.stored(1)["ended"].as_str().expect("ended").parse().expect("is a time");
    // The bound that is promised is half a second; the rest is room for a machine that does other things as well.
    let late = Duration::try_from(answered.duration_since(ended)).unwrap_or_default();
    assert!(late < Duration::from_secs(10), "answered {late:?} after the end");
}
