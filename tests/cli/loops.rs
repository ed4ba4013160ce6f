//! Experiments of several loops without a cluster.

use iter8_core::ExperimentResult;
use iter8_testkit::http_target::{Behaviour, HttpTarget};

use crate::plugin::Plugin;

fn launch(url: &str, flags: &str) -> String {
    format!("launch --local --set tasks={{http}} --set http.url={url},http.numRequests=2,http.qps=1000 {flags}")
}

#[track_caller]
fn stored(plugin: &Plugin) -> ExperimentResult {
    let text = std::fs::read_to_string(plugin.home().join("data/iter8/default/1/result.json")).expect("it is stored");
    ExperimentResult::from_json(&text).expect("it is a result")
}

#[test]
fn loops_add_to_one_result_and_the_last_one_is_final() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let _ = plugin
        .run(&launch(&target.url("/"), "--loops 3 --interval 10ms"))
        .code(0)
        .complains("experiment \"default\" ran 3 of 3 loops, revision 1: ");
    let result = stored(&plugin);
    assert_eq!((result.loops.started, result.loops.completed, result.loops.recurring), (3, 3, false));
    assert_eq!(result.metrics["http/request-count"].versions[0].history, [(1, 2.0), (2, 2.0), (3, 2.0)]);
    assert_eq!(target.count(), 6);
}

#[test]
fn a_loop_that_fails_is_followed_by_the_next() {
    let plugin = Plugin::new();
    plugin.file("body", "x");
    let target = HttpTarget::start(Behaviour::OK);
    let line = launch(&target.url("/"), "--loops 3 --set http.payloadFile=/no/such/file");
    let _ = plugin.run(&line).code(4);
    let result = stored(&plugin);
    assert_eq!((result.loops.started, result.loops.completed), (3, 0));
}

#[test]
fn an_interrupt_between_loops_keeps_what_was_measured() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let running = plugin.line(&launch(&target.url("/"), "--loops 1000 --interval 1h")).spawn();
    target.wait_for_requests(2);
    running.signal("INT");
    let output = running.wait().code(130);
    assert!(output.stderr.contains("experiment \"default\" ran 1 of 1000 loops"), "{}", output.stderr);
    let result = stored(&plugin);
    assert!(result.metrics.contains_key("http/request-count") && !result.loops.recurring);
}

#[test]
fn loops_are_for_local_runs_and_at_least_one() {
    let plugin = Plugin::new();
    let _ = plugin.run("launch --loops 3 --set tasks={http} --set http.url=http://a").code(2).complains("--local");
    let _ = plugin.run("launch --local --loops 0 --set tasks={http} --set http.url=http://a").code(2);
}

#[test]
fn many_loops_need_no_more_room_than_few() {
    let target = HttpTarget::start(Behaviour::OK);
    let plugin = Plugin::new();
    let running = plugin.line(&launch(&target.url("/"), "--loops 151 --interval 1ms")).spawn();
    let peak = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        line.trim().trim_end_matches(" kB").parse::<u64>().ok()
    };
    // The build of a test is larger than what is shipped, so that growth is what tells.
    target.wait_for_requests(2 * 30);
    let early = peak();
    target.wait_for_requests(2 * 150);
    let late = peak();
    let _ = running.wait().code(0);
    let result = stored(&plugin);
    let size = result.to_json().expect("it can be written").len();
    assert_eq!(result.loops.completed, 151);
    assert!(size < 64 << 10, "the result has {size} bytes");
    if let Some((early, late)) = early.zip(late) {
        assert!(late < early + (8 << 10), "{early} kB after 30 loops, {late} kB after 150");
    }
}
