//! What goes wrong in clusters: each is told in one clear sentence with its exit code, and soon.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use iter8_testkit::command::CommandOutput;
use iter8_testkit::http_target::ClosedPort;
use serde_json::{Value, json};

use crate::agent::{LAUNCH, container, end_job, ended, pod, running, write};
use crate::launch::stored;
use crate::plugin::Plugin;

fn launched() -> (ApiServer, Plugin) {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    (server, plugin)
}

/// What `assert` says, with an hour of patience, of a pod with this status.
fn asserted(status: &Value) -> CommandOutput {
    let (server, plugin) = launched();
    pod(&server, 1, status);
    plugin.run("assert --timeout 1h")
}

#[test]
fn a_cluster_that_does_not_answer() {
    let mut plugin = Plugin::new();
    let port = ClosedPort::reserve();
    let url = port.url("");
    plugin.hide(url.trim_start_matches("http://"), "SERVER");
    let report = plugin.run(&format!("report --server {url}"));
    assert_snapshot!(report, @"
    ------- stderr -------
    The connection to the server SERVER was refused - did you specify the right host or port?
    hint: `kubectl cluster-info` tells whether kubectl reaches it; --local needs no cluster
    [exit code 10]
    ");
    for command in [LAUNCH, "assert --timeout 1h", "get", "log", "delete", "check"] {
        assert_eq!(plugin.run(&format!("{command} --server {url}")), report, "{command}");
    }
}

#[test]
fn no_cluster_at_all() {
    assert_snapshot!(Plugin::new().run("report"), @"
    ------- stderr -------
    error: no configuration has been provided: there is no kubeconfig and no --server
    hint: name one with --kubeconfig or KUBECONFIG; without a cluster: --local, or `kubectl iter8 demo`
    [exit code 10]
    ");
}

#[test]
fn a_user_who_is_not_logged_in() {
    let (server, plugin) = launched();
    server.when("*", "*").unauthorized();
    assert_snapshot!(plugin.run("report"), @"
    ------- stderr -------
    error: You must be logged in to the server (Unauthorized)
    hint: log in again, or check --token and the user of the kubeconfig's context
    [exit code 12]
    ");
    let _ = plugin.run(LAUNCH).code(12);
}

#[test]
fn a_user_who_may_not() {
    let (server, plugin) = launched();
    server.deny("get", "secrets");
    assert_snapshot!(plugin.run("report"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets "iter8-default" is forbidden: User "tester" cannot get resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
    assert_snapshot!(plugin.run("assert"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets "iter8-default" is forbidden: User "tester" cannot get resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
    assert_snapshot!(plugin.run("delete"), @r#"
    ------- stderr -------
    Error from server (Forbidden): secrets "iter8-default" is forbidden: User "tester" cannot get resource "secrets" in API group "" in the namespace "default"
    hint: `kubectl iter8 check` lists what is missing
    [exit code 12]
    "#);
}

#[test]
fn a_namespace_that_does_not_exist() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run(&format!("{LAUNCH} -n nowhere")), @r#"
    ------- stderr -------
    Error from server (NotFound): namespaces "nowhere" not found
    hint: kubectl create namespace nowhere
    [exit code 11]
    "#);
    assert_eq!(stored(&server), [""; 0]);
    let _ = plugin.run("report -n nowhere").code(11);
    let _ = plugin.run("get -n nowhere").code(0);
}

#[test]
fn a_namespace_that_is_being_deleted() {
    let server = ApiServer::start();
    server.create_namespace("books");
    server.terminate_namespace("books");
    assert_snapshot!(Plugin::with(&server).run(&format!("{LAUNCH} -n books")), @"
    ------- stderr -------
    error: namespace books is being deleted
    hint: wait until it is gone, or choose another namespace with -n
    [exit code 10]
    ");
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn a_pod_that_the_security_level_warns_of() {
    let server = ApiServer::start();
    server.when("patch", "jobs").warn("would violate PodSecurity \\\"restricted:latest\\\": runAsNonRoot != true");
    assert_snapshot!(Plugin::with(&server).run(LAUNCH), @r#"
    serviceaccount/iter8-default created
    secret/iter8-default-1-result created
    secret/iter8-default-1-spec created
    role.rbac.authorization.k8s.io/iter8-default created
    rolebinding.rbac.authorization.k8s.io/iter8-default created
    job.batch/iter8-default-1 created
    ------- stderr -------
    Warning: would violate PodSecurity "restricted:latest": runAsNonRoot != true
    experiment "default" launched, revision 1
    "#);
}

#[test]
fn warnings_are_told_once_and_can_be_made_errors() {
    let server = ApiServer::start();
    server.when("patch", "*").warn("this cluster is old");
    let plugin = Plugin::with(&server);
    let output = plugin.run(LAUNCH).code(0);
    assert_eq!(output.stderr.matches("this cluster is old").count(), 1, "{output}");
    let _ = plugin.run(&format!("{LAUNCH} --warnings-as-errors")).code(1).complains("error: 1 warning received");
}

#[test]
fn a_pod_that_the_security_level_refuses_is_found_in_the_events() {
    let (server, plugin) = launched();
    server.put(json!({
        "apiVersion": "v1", "kind": "Event", "metadata": { "name": "e1", "namespace": "default" },
        "involvedObject": { "kind": "Job", "name": "iter8-default-1", "namespace": "default" },
        "reason": "FailedCreate", "type": "Warning",
        "message": "Error creating: pods \"iter8-default-1-x7k2p\" is forbidden: violates PodSecurity \"restricted:latest\"",
    }));
    assert_snapshot!(plugin.run("assert --timeout 1h"), @r#"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: no pod can be made: Error creating: pods "iter8-default-1-x7k2p" is forbidden: violates PodSecurity "restricted:latest"
    [exit code 4]
    "#);
}

#[test]
fn an_image_that_cannot_be_pulled() {
    let said = "failed to pull image \"iter8/iter8-agent:0.1.0\": not found";
    assert_snapshot!(asserted(&container("Pending", &json!({ "waiting": { "reason": "ErrImagePull", "message": said } }))), @r#"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p cannot start, ErrImagePull for image "iter8/iter8-agent:0.1.0": failed to pull image "iter8/iter8-agent:0.1.0": not found
    [exit code 4]
    "#);
    let backoff = json!({ "waiting": { "reason": "ImagePullBackOff", "message": "Back-off pulling image" } });
    assert_snapshot!(asserted(&container("Pending", &backoff)), @r#"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p cannot start, ImagePullBackOff for image "iter8/iter8-agent:0.1.0": Back-off pulling image
    [exit code 4]
    "#);
}

#[test]
fn what_is_in_the_way_is_told_without_waiting_too() {
    let (server, plugin) = launched();
    pod(&server, 1, &container("Pending", &json!({ "waiting": { "reason": "ErrImageNeverPull" } })));
    assert_snapshot!(plugin.run("assert"), @r#"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p cannot start, ErrImageNeverPull for image "iter8/iter8-agent:0.1.0"
    [exit code 4]
    "#);
}

#[test]
fn what_the_agent_saved_says_more_than_how_its_pod_ended() {
    let (server, plugin) = launched();
    let hold = server.when("watch", "secrets").hold();
    let waiting = plugin.line("assert --timeout 1h").spawn();
    hold.wait_until_reached();
    write(&server, &ended(1, 3));
    pod(&server, 1, &container("Failed", &json!({ "terminated": { "exitCode": 4, "reason": "Error" } })));
    assert_snapshot!(waiting.wait(), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos does not hold: http/error-count is 3, above the limit of 0
    [exit code 1]
    ");
}

#[test]
fn an_agent_that_is_killed_for_its_memory() {
    let killed = json!({ "terminated": { "exitCode": 137, "reason": "OOMKilled" } });
    assert_snapshot!(asserted(&container("Failed", &killed)), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p was killed for its memory (OOMKilled): raise resources.limits.memory
    [exit code 4]
    ");
}

#[test]
fn an_agent_that_ends_with_an_error() {
    let ended = json!({ "terminated": { "exitCode": 12, "reason": "Error", "message": "may not write secret iter8-default-1-result\n" } });
    assert_snapshot!(asserted(&container("Failed", &ended)), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p ended with exit code 12: may not write secret iter8-default-1-result
    [exit code 4]
    ");
}

#[test]
fn a_pod_that_is_evicted() {
    let status = json!({ "phase": "Failed", "reason": "Evicted", "message": "The node was low on resource: memory." });
    assert_snapshot!(asserted(&status), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p was evicted: The node was low on resource: memory.
    [exit code 4]
    ");
}

#[test]
fn a_pod_whose_node_is_gone() {
    assert_snapshot!(asserted(&json!({ "phase": "Running", "reason": "NodeLost", "message": "Node n1 which was running pod is unresponsive" })), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: the node of pod iter8-default-1-x7k2p is lost: Node n1 which was running pod is unresponsive
    [exit code 4]
    ");
}

#[test]
fn a_pod_whose_node_does_not_answer_may_come_back() {
    let (server, plugin) = launched();
    // As the node controller leaves it: not ready, without a reason, and the rest as the kubelet last said it.
    let conditions = json!([{ "type": "Ready", "status": "False" }, { "type": "ContainersReady", "status": "True" }]);
    pod(&server, 1, &json!({ "phase": "Running", "conditions": conditions }));
    server.edit("pods", "default", "iter8-default-1-x7k2p", |pod| pod["spec"]["nodeName"] = json!("n1"));
    write(&server, &running(1));
    assert_snapshot!(plugin.run("assert"), @"
    completed does not hold: 0 of 2 steps are done
    nofailure does not hold: 0 of 2 steps are done
    slos does not hold: 0 of 2 steps are done
    ------- stderr -------
    Warning: node n1 of pod iter8-default-1-x7k2p does not answer
    [exit code 3]
    ");
}

#[test]
fn a_job_that_took_too_long() {
    let (server, plugin) = launched();
    let late = json!({ "type": "Failed", "status": "True", "reason": "DeadlineExceeded", "message": "Job was active longer than specified deadline" });
    end_job(&server, 1, &late);
    assert_snapshot!(plugin.run("assert --timeout 1h"), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: job iter8-default-1 failed, DeadlineExceeded: Job was active longer than specified deadline
    [exit code 4]
    ");
}

#[test]
fn a_pod_that_no_node_takes_may_still_be_taken() {
    let (server, plugin) = launched();
    let message = "0/3 nodes are available: 3 Insufficient cpu.";
    let conditions =
        json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }]);
    pod(&server, 1, &json!({ "phase": "Pending", "conditions": conditions }));
    let waiting = plugin.line("assert --timeout 50s").spawn();
    server.wait_for("a look at the pod", |state| state.requests_to("list", "pods").next().map(|_| ()));
    pod(&server, 1, &container("Running", &json!({ "running": {} })));
    write(&server, &ended(1, 0));
    let _ = waiting.wait().code(0);
}

#[test]
fn what_was_in_the_way_is_told_at_the_end_of_the_wait() {
    let (server, plugin) = launched();
    let message = "0/3 nodes are available: 3 Insufficient cpu.";
    let conditions =
        json!([{ "type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": message }]);
    pod(&server, 1, &json!({ "phase": "Pending", "conditions": conditions }));
    assert_snapshot!(plugin.run("assert --timeout 4s"), @"
    completed does not hold: the experiment has not begun
    nofailure does not hold: the experiment has not begun
    slos does not hold: the experiment has not begun
    ------- stderr -------
    Warning: pod iter8-default-1-x7k2p is Pending, no node takes it: 0/3 nodes are available: 3 Insufficient cpu.
    [exit code 3]
    ");
}

#[test]
fn trouble_with_the_pod_of_an_experiment_that_is_over_is_none() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 0));
    pod(&server, 1, &json!({ "phase": "Failed", "reason": "Evicted" }));
    let _ = plugin.run("assert --timeout 1h").code(0);
}

#[test]
fn a_user_who_may_not_look_at_pods_still_gets_the_answer() {
    let (server, plugin) = launched();
    server.deny("list", "pods");
    server.deny("list", "events");
    server.deny("get", "jobs");
    write(&server, &running(1));
    let waiting = plugin.line("assert --timeout 50s").spawn();
    server.wait_for("a look at the pod", |state| state.requests_to("list", "pods").next().map(|_| ()));
    write(&server, &ended(1, 0));
    let _ = waiting.wait().code(0);
}

#[test]
fn a_history_that_cannot_be_read_stands_in_the_way_of_all_but_deletion() {
    let (server, plugin) = launched();
    server.edit("secrets", "default", "iter8-default", |secret| secret["data"] = json!({ "history.json": "Wwo=" }));
    assert_snapshot!(plugin.run("report"), @"
    ------- stderr -------
    error: secret/iter8-default in namespace default cannot be read: EOF while parsing a list at line 2 column 0
    hint: `kubectl iter8 delete` removes the group
    [exit code 10]
    ");
    assert_snapshot!(plugin.run(LAUNCH), @"
    ------- stderr -------
    error: secret/iter8-default in namespace default cannot be read: EOF while parsing a list at line 2 column 0
    hint: `kubectl iter8 delete` removes the group
    [exit code 10]
    ");
    assert_snapshot!(plugin.run("delete"), @"
    serviceaccount/iter8-default deleted
    secret/iter8-default-1-result deleted
    secret/iter8-default-1-spec deleted
    role.rbac.authorization.k8s.io/iter8-default deleted
    rolebinding.rbac.authorization.k8s.io/iter8-default deleted
    job.batch/iter8-default-1 deleted
    secret/iter8-default deleted
    ");
}

#[test]
fn a_server_in_trouble_is_asked_again() {
    let (server, plugin) = launched();
    write(&server, &ended(1, 0));
    server.when("get", "secrets").times(2).unavailable();
    let _ = plugin.run("report").code(0);
    server.when("get", "secrets").times(1).too_many_requests(0);
    let _ = plugin.run("report").code(0);
}

#[test]
fn an_error_of_the_server_is_told_with_what_was_tried() {
    let (server, plugin) = launched();
    server.when("get", "secrets").internal_error();
    assert_snapshot!(plugin.run("report"), @"
    ------- stderr -------
    Error from server (InternalError): Internal error occurred: etcdserver: leader changed (cannot read secret/iter8-default in namespace default)
    [exit code 10]
    ");
}
