//! Experiments without a cluster: the same runner in this process, results in files of the user.

use insta::assert_snapshot;
use iter8_testkit::command::CommandOutput;
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::json;

use crate::plugin::{BINARY, Plugin};

/// A local launch against `url` with an objective on errors.
fn launch(url: &str) -> String {
    format!(
        "launch --local --set tasks={{http,assess}} --set http.url={url},http.numRequests=20,http.qps=200 \
         --set assess.SLOs.upper.http/error-count=0"
    )
}

/// What the first launch says whose measurement the load generator trusts: it does not while others keep the machine
/// busy. Those before it are deleted.
fn trusted(plugin: &Plugin, line: &str) -> CommandOutput {
    for _ in 0..50 {
        let output = plugin.run(line);
        if plugin.run("report --local -o json").code(0).json()["verdict"] != "invalid" {
            return output;
        }
        let _ = plugin.run("delete --local").code(0);
    }
    panic!("this machine is too busy to send 20 requests in time");
}

#[test]
fn an_experiment_runs_here_and_its_result_stays() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    assert_snapshot!(trusted(&plugin, &launch(&target.url("/"))), @r#"
    ------- stderr -------
    experiment "default" ran, revision 1: pass, the objective is satisfied
    "#);
    assert!(target.count() >= 20 && target.count().is_multiple_of(20), "{} requests came", target.count());
    assert_eq!(plugin.files(), ["data/iter8/default/1/experiment.yaml", "data/iter8/default/1/result.json"]);
    assert_snapshot!(plugin.run("assert --local"), @"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos holds: the objective is satisfied
    ");
    let _ = plugin.run("report --local").code(0).says("✔ pass: the objective is satisfied").says("http/request-count");
    assert_eq!(plugin.run("report --local -o json").code(0).json()["verdict"], "pass");
    let _ = plugin.run("log --local").code(0).says("step 1/2 http started");
    let _ = plugin.run("get --local").code(0).says("default   1          Succeeded   2/2     pass");
    assert_snapshot!(plugin.run("get --local -o name"), @"group.iter8.tools/default");
    assert_snapshot!(plugin.run("delete --local"), @r#"local group "default" deleted"#);
    assert_eq!(plugin.files(), [""; 0]);
    assert_snapshot!(plugin.run("delete --local"), @r#"
    ------- stderr -------
    error: no local experiment of group "default"
    hint: `kubectl iter8 get --local` lists the groups of this machine
    [exit code 11]
    "#);
    assert_snapshot!(plugin.run("delete --local --ignore-not-found"), @"");
    assert_snapshot!(plugin.run("report --local"), @r#"
    ------- stderr -------
    error: no local experiment of group "default"
    hint: `kubectl iter8 get --local` lists the groups of this machine
    [exit code 11]
    "#);
    assert_snapshot!(plugin.run("assert --local"), @r#"
    ------- stderr -------
    error: no local experiment of group "default"
    hint: `kubectl iter8 get --local` lists the groups of this machine
    [exit code 11]
    "#);
}

#[test]
fn the_files_of_an_experiment_are_for_its_user_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let _ = plugin.run(&launch(&target.url("/"))).code(0);
    for file in plugin.files() {
        let mode = plugin.home().join(&file).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{file} is open to others");
    }
}

#[test]
fn launches_are_numbered_and_earlier_results_stay_readable() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let _ = plugin.run(&launch(&target.url("/"))).code(0);
    target.on("/", Behaviour::status(500));
    let _ = plugin.run(&launch(&target.url("/"))).code(0).complains("experiment \"default\" ran, revision 2: ");
    let codes = |flags: &str| {
        plugin.run(&format!("report --local -o json {flags}")).code(0).json()["load"]["http"]["statusCodes"].clone()
    };
    assert_eq!(codes(""), json!({ "500": 20 }));
    assert_eq!(codes("--revision 1"), json!({ "200": 20 }));
    assert_snapshot!(plugin.run("report --local --revision 3"), @r#"
    ------- stderr -------
    error: no local experiment of group "default" with revision 3
    hint: `kubectl iter8 get --local` lists the groups of this machine
    [exit code 11]
    "#);
}

#[test]
fn a_launch_that_waits_answers_with_its_exit_code() {
    let target = HttpTarget::start(Behaviour::status(500));
    let plugin = Plugin::new();
    assert_snapshot!(trusted(&plugin, &format!("{} --wait", launch(&target.url("/")))), @r#"
    completed holds: all steps ran
    nofailure holds: all steps ran
    slos does not hold: http/error-count is 20, above the limit of 0
    ------- stderr -------
    experiment "default" ran, revision 1: fail, http/error-count is 20, above the limit of 0
    [exit code 1]
    "#);
}

#[test]
fn a_target_that_refuses_is_measured() {
    let plugin = Plugin::new();
    let target = ClosedPort::reserve();
    let _ = trusted(&plugin, &format!("{} --wait", launch(&target.url("/")))).code(1);
    let _ = plugin.run("report --local").code(0).says("connection refused");
}

#[test]
fn a_task_that_needs_a_cluster_is_refused_before_anything_is_written() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch --local --set tasks={ready,http} --set ready.deploy=app,http.url=http://a"), @"
    ------- stderr -------
    error: step 1 (ready) waits for objects of a cluster, and a local experiment has none
    hint: leave `ready` out of tasks, or launch without --local
    [exit code 2]
    ");
    assert_eq!(plugin.files(), [""; 0]);
}

#[test]
fn a_payload_file_that_does_not_exist_fails_the_task() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let output = plugin.run(&format!("{} --set http.payloadFile=nowhere.json", launch(&target.url("/"))));
    assert_snapshot!(output, @r#"
    ------- stderr -------
    experiment "default" ran, revision 1: step 1 (http) failed: cannot read the payload nowhere.json: No such file or directory (os error 2)
    [exit code 4]
    "#);
    let _ = plugin.run("assert --local").code(4);
    assert_eq!(target.count(), 0);
}

#[test]
fn interrupting_keeps_what_was_measured() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let line = format!(
        "launch --local --set tasks={{http,assess}} --set http.url={},http.duration=1h,http.qps=50",
        target.url("/")
    );
    let running = plugin.line(&line).spawn();
    target.wait_for_requests(5);
    running.signal("INT");
    assert_snapshot!(running.wait(), @r#"
    ------- stderr -------
    experiment "default" ran, revision 1: stopped, what it measured is kept
    [exit code 130]
    "#);
    let result = plugin.run("report --local -o json").code(0).json();
    assert_eq!((result["phase"].as_str(), result["verdict"].as_str()), (Some("Cancelled"), Some("inconclusive")));
    assert!(result["load"]["http"]["completed"].as_u64().is_some_and(|completed| completed >= 4), "{result:#}");
    let _ = plugin.run("assert --local").code(4);
}

#[test]
fn a_second_interrupt_ends_at_once() {
    let target = HttpTarget::start(Behaviour::Hang);
    let plugin = Plugin::new();
    let line = format!(
        "launch --local --set tasks={{http}} --set http.url={},http.duration=1h,http.timeout=1h",
        target.url("/")
    );
    let running = plugin.line(&line).spawn();
    target.wait_for_requests(1);
    running.signal("INT");
    running.signal("INT");
    let _ = running.wait().code(130);
}

#[test]
fn a_data_directory_that_cannot_be_written_to_is_named_and_nothing_is_left() {
    let target = HttpTarget::start(Behaviour::OK);
    let mut plugin = Plugin::new();
    // In the place of a directory stands a file, which stops root too.
    plugin.file("data", "");
    assert_snapshot!(plugin.run(&launch(&target.url("/"))), @"
    ------- stderr -------
    error: cannot create $HOME/data/iter8/default: Not a directory (os error 20)
    [exit code 10]
    ");
    assert_eq!(target.count(), 0, "a load was run whose result could not be kept");
    let below = plugin.home().join("data/below");
    plugin.set("XDG_DATA_HOME", below);
    let _ = plugin.run("report --local").code(10);
    let _ = plugin.run("get --local").code(10);
}

/// The plugin in a process none of whose files may grow beyond so many blocks of 512 bytes, as on a disk that is full.
/// The signal for it is ignored, so that writing fails.
fn on_full_disk(plugin: &Plugin, blocks: u32, line: &str) -> CommandOutput {
    let limited = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    let words = ["-c", &limited, "sh", BINARY].into_iter().chain(line.split_whitespace());
    plugin.command("sh", words).run()
}

#[test]
fn a_disk_that_is_full_leaves_no_half_written_file() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let line = launch(&target.url("/"));
    assert_snapshot!(on_full_disk(&plugin, 0, &line), @"
    ------- stderr -------
    error: cannot write $HOME/data/iter8/default/1/experiment.yaml: File too large (os error 27)
    [exit code 10]
    ");
    assert_eq!(plugin.files(), [""; 0]);
    assert_eq!(target.count(), 0);
    let _ = plugin.run("get --local").code(0).complains("No local experiments found.");
    let _ = plugin.run(&line).code(0).complains("experiment \"default\" ran, revision 1: ");
}

#[test]
fn a_disk_that_fills_up_while_running_is_told_and_what_was_saved_before_stays_whole() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let output = on_full_disk(&plugin, 1, &launch(&target.url("/"))).code(10);
    let told = "/data/iter8/default/1/result.json: File too large (os error 27)\n";
    assert!(output.stderr.contains("error: failed to save the result: cannot write "), "{output}");
    assert!(output.stderr.ends_with(told), "{output}");
    assert!(!plugin.files().iter().any(|file| file.ends_with(".tmp")), "{:?}", plugin.files());
    assert!(matches!(plugin.run("report --local").code, Some(0 | 11)), "half a result was left");
}

#[test]
fn a_result_that_is_broken_is_named() {
    let plugin = Plugin::new();
    plugin.file("data/iter8/default/1/result.json", "{\"apiVersion\":");
    plugin.file("data/iter8/notes.txt", "somebody else's");
    assert_snapshot!(plugin.run("report --local"), @"
    ------- stderr -------
    error: $HOME/data/iter8/default/1/result.json is not a result of iter8: EOF while parsing a value at line 1 column 14
    [exit code 10]
    ");
    assert_snapshot!(plugin.run("get --local"), @"
    GROUP     REVISION   PHASE     STEPS   VERDICT   AGE
    default   1          Unknown   0/0     <none>    <unknown>
    ");
}

#[test]
fn the_demo_shows_a_report_and_leaves_no_file() {
    let plugin = Plugin::new();
    let output = plugin.run("demo").says("http/latency-p99");
    // On a busy machine the load generator does not trust itself, and says so instead.
    let output = match output.code {
        Some(5) => output.says("‼ invalid: 3 of 3 objectives: ").says("the load generator itself"),
        _ => output.code(0).says("✔ pass: all 3 objectives are satisfied"),
    };
    assert!(output.stderr.contains("A small app answers on http://127.0.0.1:"), "{output}");
    assert_eq!(plugin.files(), [""; 0]);
}

#[test]
fn a_local_run_takes_credentials_from_its_environment_and_says_that_it_has_no_secrets() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let url = target.url("/hook");
    let launch = |token: &str| {
        let values = ["--set", "tasks={webhook}", "--set", &format!("webhook.url={url}"), "--set", token];
        plugin.words(["launch", "--local"].into_iter().chain(values))
    };
    let output = launch("webhook.bearerToken.env=HOOK_TOKEN").env("HOOK_TOKEN", "s3cr3t-t0ken").run().code(0);
    assert_eq!(target.last().header("authorization"), "Bearer s3cr3t-t0ken");
    assert!(!output.stdout.contains("t0ken") && !output.stderr.contains("t0ken"), "{output}");
    for file in plugin.files() {
        assert!(!std::fs::read_to_string(plugin.home().join(file)).unwrap_or_default().contains("t0ken"));
    }
    let hard = "webhook.softFailure=false,webhook.bearerToken.secret=ci,webhook.bearerToken.key=token";
    let _ = launch(hard).run().code(4).complains(
        "a local run has no Secrets, so it cannot read key `token` of `ci`: give {env: VARIABLE} in its place",
    );
}

#[test]
fn secrets_are_kept_out_of_results() {
    let target = HttpTarget::start(Behaviour::Echo { status: 500, after: 0 });
    let plugin = Plugin::new();
    let _ =
        plugin.run(&format!("{} --set http.headers.Authorization=hunter2hunter2", launch(&target.url("/")))).code(0);
    let stored = std::fs::read_to_string(plugin.home().join("data/iter8/default/1/result.json")).unwrap();
    assert!(stored.contains("[redacted]") && !stored.contains("hunter2hunter2"), "{stored}");
}
