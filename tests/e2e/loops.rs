//! CronJobs: loops accumulate in one result.

use crate::harness::{Namespace, eventually};

const SET: &str = "--set";

#[test]
fn the_loops_of_a_cronjob_accumulate() {
    let ns = Namespace::with_httpbin("loops");
    let url = format!("http.url={}", ns.httpbin("/get"));
    // Once a year: the test starts the loops itself, the way `kubectl create job --from` does.
    ns.launch(&[
        SET,
        "tasks={ready,http,assess}",
        SET,
        "runner=cronjob",
        SET,
        "cronjobSchedule=0 0 1 1 *",
        SET,
        &url,
        SET,
        "http.numRequests=10",
        SET,
        "http.qps=50",
        SET,
        "assess.SLOs.upper.http/error-count=0",
    ])
    .code(0);
    for number in 1..=2 {
        let job = format!("loop-{number}");
        ns.kubectl(&["create", "job", &job, "--from=cronjob/iter8-default-1"]).code(0);
        eventually("the loop's end", || {
            let report = ns.iter8(&["report", "-o", "json"]);
            (report.json()["loops"]["completed"] == number).then_some(())
        });
    }
    let report = ns.iter8(&["report", "-o", "json"]).code(0).json();
    let requests = &report["metrics"]["http/request-count"]["versions"][0];
    assert_eq!(requests["history"], serde_json::json!([[1, 10.0], [2, 10.0]]));
    assert_eq!(report["loops"]["recurring"], true);
    ns.iter8(&["assert", "-c", "completed,slos"]).code(0);
}
