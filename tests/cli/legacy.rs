//! Experiments of Iter8 v0.13, from a file and from the Secret that it kept them in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::plugin::Plugin;

/// An experiment of Iter8 v0.13 that met its objectives.
pub(crate) const EXPERIMENT: &str = r#"metadata: {name: default, namespace: default}
spec:
- task: ready
  with: {service: httpbin}
- task: http
  with: {url: "http://httpbin.default/get"}
- task: assess
  with: {SLOs: {Upper: [{metric: http/latency-mean, limit: 50}, {metric: http/error-count, limit: 0}]}}
result:
  startTime: "2023-02-01T10:11:12Z"
  numLoops: 1
  numCompletedTasks: 3
  failure: false
  iter8Version: v0.13
  insights:
    numVersions: 1
    metricsInfo:
      http/request-count: {description: number of requests sent, type: Counter}
      http/error-count: {description: number of responses that were errors, type: Counter}
      http/latency-mean: {description: mean of observed latency values, units: msec, type: Gauge}
    nonHistMetricValues: [{http/request-count: [100], http/error-count: [0], http/latency-mean: [13.25]}]
    SLOs: {Upper: [{metric: http/latency-mean, limit: 50}, {metric: http/error-count, limit: 0}]}
    SLOsSatisfied: {Upper: [[true], [true]]}
"#;

#[test]
fn a_file_is_reported_and_asserted_without_a_cluster() {
    let plugin = Plugin::new();
    plugin.file("experiment.yaml", EXPERIMENT);
    assert_snapshot!(plugin.run("report -f experiment.yaml"), @"
    ✔ pass: all 2 objectives are satisfied

    Experiment summary
      Experiment  default
      Phase       Succeeded, 3 of 3 done
      Started     <time>

    Service level objectives
     Objective                   Value    95% interval  Samples  Verdict
     http/latency-mean <= 50 ms  13.2 ms             -        -  pass
     http/error-count <= 0             0             -        -  pass

    Latest observed values for metrics
     Metric              Value
     http/request-count      100
     http/error-count          0
     http/latency-mean   13.2 ms
    ");
    assert_snapshot!(plugin.run("assert -f experiment.yaml"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos holds: all 2 objectives are satisfied
    ");
    assert_eq!(plugin.run("report -f experiment.yaml -o json").code(0).json()["verdict"], "pass");
}

#[test]
fn an_objective_that_was_violated_is_exit_code_one() {
    let plugin = Plugin::new();
    plugin.file("experiment.yaml", EXPERIMENT.replace("[[true], [true]]", "[[false], [true]]"));
    assert_snapshot!(plugin.run("assert -f experiment.yaml"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos does not hold: 1 of 2 objectives: Iter8 v0.13 found the objective violated
    [exit code 1]
    ");
}

#[test]
fn a_task_that_failed_is_exit_code_four() {
    let plugin = Plugin::new();
    let failed =
        EXPERIMENT.replace("failure: false", "failure: true").replace("numCompletedTasks: 3", "numCompletedTasks: 1");
    plugin.file("experiment.yaml", failed);
    assert_snapshot!(plugin.run("assert -f experiment.yaml -c completed,nofailure"), @"
    completed does not hold: step 2 (http) failed: Iter8 v0.13 did not record why
    nofailure does not hold: step 2 (http) failed: Iter8 v0.13 did not record why
    [exit code 4]
    ");
}

#[test]
fn a_secret_of_the_group_is_read_and_never_written() {
    let server = ApiServer::start();
    let theirs = server.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "default" },
        "data": { "experiment.yaml": STANDARD.encode(EXPERIMENT) },
    }));
    let plugin = Plugin::with(&server);
    let _ = plugin.run("report").code(0).says("✔ pass: all 2 objectives are satisfied").says("http/latency-mean");
    let _ = plugin.run("assert --timeout 1h").code(0);
    assert_snapshot!(plugin.run("log"), @"
    ------- stderr -------
    Nothing was logged yet.
    ");
    assert_eq!(server.objects(), [theirs]);
}

#[test]
fn a_stored_result_of_this_version_is_read_from_a_file_too() {
    let plugin = Plugin::new();
    plugin.file("result.json", crate::agent::ended(4, 0).to_json().unwrap());
    let _ = plugin.run("report -f result.json").code(0).says("default, revision 4");
    let _ = plugin.run("assert -f result.json").code(0);
}

#[test]
fn a_file_that_is_neither_is_named() {
    let plugin = Plugin::new();
    plugin.file("other.yaml", "apiVersion: v1\nkind: Secret\n");
    plugin.file("broken.yaml", "spec: [\n");
    assert_snapshot!(plugin.run("report -f nowhere.yaml"), @"
    ------- stderr -------
    error: cannot read nowhere.yaml: No such file or directory (os error 2)
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("report -f other.yaml"), @"
    ------- stderr -------
    error: other.yaml is neither a result nor an experiment of Iter8 v0.13: it has no list `spec`
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("assert -f broken.yaml"), @"
    ------- stderr -------
    error: broken.yaml is neither a result nor an experiment of Iter8 v0.13: the experiment cannot be read: unclosed bracket '[' at line 1, column 7
    [exit code 2]
    ");
}
