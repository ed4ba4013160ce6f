//! Crashes and lost answers: whatever is cut short at whatever point, an experiment is launched once.

use serde_json::json;

use super::{Autox, HOME, SHOP, deployment, web};

/// Writes of a launch in the order in which they come, as verb, resource and name.
fn writes(autox: &Autox) -> Vec<(String, String, String)> {
    let requests = autox.server.requests().into_iter();
    let writes = requests.filter(|request| {
        let is_write = matches!(request.verb, "create" | "update" | "patch" | "delete");
        let is_ours = request.namespace == SHOP && request.resource != "events";
        is_write && is_ours && !request.query.contains("dryRun")
    });
    writes.map(|request| (request.verb.to_owned(), request.resource, request.name)).collect()
}

/// Kills the controller at every write that a change makes it do, starts it again, and hands
/// the cluster to `check` once `settled` has returned.
#[track_caller]
fn killed_at_every_write(prepare: fn(&Autox), change: fn(&Autox), settled: fn(&Autox), check: fn(&Autox, &str)) {
    let begin = || {
        let autox = Autox::new(&web());
        let running = autox.start();
        autox.server.wait_for("the lease", |state| state.get("leases", HOME, "autox").map(drop));
        prepare(&autox);
        autox.server.forget_requests();
        (autox, running)
    };
    let (reference, running) = begin();
    change(&reference);
    settled(&reference);
    drop(running);
    let writes = writes(&reference);
    assert!(writes.len() >= 4, "{writes:?}");
    let mut points = 0;
    for (at, (verb, resource, name)) in writes.iter().enumerate() {
        // The same object written again: the fault concerns the first write of the kind only.
        if writes[..at].contains(&writes[at]) {
            continue;
        }
        let (autox, mut running) = begin();
        let fault = autox.server.when(verb, resource).times(1);
        let hold = if name.is_empty() { fault } else { fault.named(name) }.hold();
        change(&autox);
        hold.wait_until_reached();
        running.signal("KILL");
        while !running.has_ended() {
            std::thread::yield_now();
        }
        hold.release();
        let again = autox.start();
        settled(&autox);
        drop(again);
        check(&autox, &format!("killed at {verb} {resource} {name}"));
        points += 1;
    }
    assert!(points >= 4, "{writes:?}");
}

fn first(autox: &Autox) {
    autox.server.put(deployment("web", "1"));
    autox.launched("autox-web-load", "1");
}

#[test]
fn killed_at_any_write_of_a_launch_it_launches_exactly_once() {
    let check = |autox: &Autox, place: &str| {
        assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1"], "{place}");
        assert_eq!(autox.server.list("jobs", SHOP).len(), 1, "{place}");
    };
    killed_at_every_write(
        |_| (),
        |autox| drop(autox.server.put(deployment("web", "1"))),
        |autox| {
            autox.launched("autox-web-load", "1");
        },
        check,
    );
}

#[test]
fn killed_at_any_write_of_the_launch_for_another_version_it_launches_exactly_once() {
    let check = |autox: &Autox, place: &str| {
        assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-2"], "{place}");
        assert_eq!(autox.server.list("jobs", SHOP).len(), 1, "{place}");
    };
    killed_at_every_write(
        first,
        |autox| autox.version("web", "2"),
        |autox| {
            autox.launched("autox-web-load", "2");
        },
        check,
    );
}

#[test]
fn killed_at_any_write_of_a_deletion_it_leaves_nothing() {
    let check = |autox: &Autox, place: &str| assert_eq!(autox.jobs_made(), [""; 0], "{place}");
    killed_at_every_write(
        first,
        |autox| autox.server.remove("deployments", SHOP, "web"),
        |autox| autox.gone("autox-web-load"),
        check,
    );
}

#[test]
fn what_a_killed_deletion_left_is_not_taken_for_the_experiment_when_the_trigger_is_back() {
    let autox = Autox::new(&web());
    let mut running = autox.start();
    first(&autox);
    let hold = autox.server.when("delete", "secrets").named("iter8-autox-web-load").times(1).hold();
    autox.server.remove("deployments", SHOP, "web");
    hold.wait_until_reached();
    running.signal("KILL");
    while !running.has_ended() {
        std::thread::yield_now();
    }
    hold.release();
    assert_eq!(autox.server.list("jobs", SHOP).len(), 0);
    autox.server.put(deployment("web", "1"));
    let _again = autox.start();
    autox.server.wait_for("the job of the same version", |state| state.list("jobs", SHOP).into_iter().next().map(drop));
}

/// A quota, here, is what answers in words that do not change by themselves.
#[test]
fn a_launch_that_is_refused_is_told_on_the_trigger_and_tried_again() {
    let autox = Autox::new(&web());
    autox.server.when("patch", "jobs").rejected("exceeded quota: few");
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    running.wait_for("cannot launch it: job.batch/iter8-autox-web-load-1 was rejected: ");
    let event = autox.server.wait_for("the event", |state| {
        let events = state.list("events.events.k8s.io", SHOP).into_iter();
        let mut failed = events.filter(|event| event["reason"] == "Failed");
        failed.next().cloned()
    });
    assert_eq!(event["type"], "Warning");
    autox.server.heal();
    autox.launched("autox-web-load", "1");
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1"]);
}

#[test]
fn whichever_answer_is_lost_the_launch_is_completed_and_not_repeated() {
    for (verb, resource) in
        [("create", "secrets"), ("update", "secrets"), ("patch", "secrets"), ("patch", "roles"), ("patch", "jobs")]
    {
        let autox = Autox::new(&web());
        let _running = autox.start();
        autox.server.wait_for("the lease", |state| state.get("leases", HOME, "autox").map(drop));
        autox.server.when(verb, resource).times(1).lose_answer();
        autox.server.put(deployment("web", "1"));
        autox.launched("autox-web-load", "1");
        // The one whose answer was lost was made all the same.
        let unanswered =
            autox.server.requests_to("patch", "jobs").iter().filter(|request| request.status.is_none()).count();
        assert_eq!(autox.jobs_made().len() + unanswered, 1, "{verb} {resource}");
    }
}

#[test]
fn an_api_server_that_is_busy_is_asked_again() {
    let autox = Autox::new(&web());
    autox.server.when("patch", "jobs").times(2).too_many_requests(0);
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    let spec = json!("autox-web-load");
    assert_eq!(
        autox.server.get("jobs", SHOP, "iter8-autox-web-load-1").unwrap()["metadata"]["labels"]["iter8.tools/group"],
        spec
    );
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1"]);
}
