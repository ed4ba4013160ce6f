//! `iter8-agent autox` in a cluster of its own: what it launches and deletes, once, whatever happens to it.

mod crashes;
mod options;

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_testkit::api_server::{ApiServer, State};
use iter8_testkit::command::{Running, TestEnv};
use serde_json::{Value, json};

const HOME: &str = "iter8";
const SHOP: &str = "shop";

/// A cluster with the configuration of an AutoX.
struct Autox {
    server: ApiServer,
    env: TestEnv,
}

/// The values of one group with a spec for each name.
fn group(resource: &str, name: &str, specs: &[&str]) -> Value {
    let spec = json!({ "name": "iter8", "values": {
        "tasks": ["http"], "http": { "url": "http://{{ .trigger.name }}.shop/{{ .trigger.version }}", "numRequests": 1 },
    } });
    let specs: serde_json::Map<String, Value> = specs.iter().map(|name| ((*name).to_owned(), spec.clone())).collect();
    let api_group = match resource {
        "services" => "",
        _ => "apps",
    };
    json!({
        "trigger": { "name": name, "namespace": SHOP, "group": api_group, "version": "v1", "resource": resource },
        "specs": specs,
    })
}

fn web() -> Value {
    json!({ "groups": { "web": group("deployments", "web", &["load"]) } })
}

fn deployment(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {
            "name": name, "namespace": SHOP,
            "labels": { "iter8.tools/autox": "true", "app.kubernetes.io/version": version },
        },
        "spec": { "replicas": 1, "template": { "spec": { "containers": [{ "name": "web", "image": "web:1" }] } } },
    })
}

impl Autox {
    fn new(values: &Value) -> Self {
        let autox = Self { server: ApiServer::start(), env: TestEnv::new() };
        autox.server.create_namespace(HOME);
        autox.server.create_namespace(SHOP);
        autox.configure(&values.to_string());
        autox
    }

    fn configure(&self, text: &str) {
        self.server.put(json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "autox-config", "namespace": HOME },
            "data": { "autox.yaml": STANDARD.encode(text) },
        }));
    }

    fn start_as(&self, identity: &str) -> Running {
        let words = ["autox", "--namespace", HOME, "--config-secret", "autox-config", "--listen", "127.0.0.1:0"];
        let command = self.env.command(env!("CARGO_BIN_EXE_iter8-agent"), words).args(["--identity", identity]);
        command.args(["--kubeconfig".as_ref(), self.server.kubeconfig(self.env.home()).as_os_str()]).spawn()
    }

    fn start(&self) -> Running {
        self.start_as("one")
    }

    fn version(&self, name: &str, version: &str) {
        self.server.edit("deployments", SHOP, name, |object| {
            object["metadata"]["labels"]["app.kubernetes.io/version"] = json!(version);
        });
    }

    /// Waits until an experiment was launched completely for a version; the revision.
    fn launched(&self, experiment: &str, version: &str) -> u64 {
        let what = format!("the launch of {experiment} for version {version}");
        self.server.wait_for(&what, |state| {
            let record = record(state, experiment)?;
            let is_it = record["cause"]["version"] == version && record["stage"] == "launched";
            is_it.then(|| record["revision"].as_u64())?
        })
    }

    fn gone(&self, experiment: &str) {
        self.server.wait_for(&format!("the end of {experiment}"), |state| {
            let left = objects_of(state, experiment);
            left.is_empty().then_some(())
        });
    }

    /// The jobs that were ever made, by name.
    fn jobs_made(&self) -> Vec<String> {
        let made = self.server.requests_to("patch", "jobs").into_iter();
        let made = made.filter(|request| request.status == Some(201) && !request.query.contains("dryRun"));
        made.map(|request| request.name).collect()
    }
}

fn record(state: &State, experiment: &str) -> Option<Value> {
    let parent = state.get("secrets", SHOP, &format!("iter8-{experiment}"))?;
    let record = parent["metadata"]["annotations"]["iter8.tools/autox-record"].as_str()?;
    serde_json::from_str(record).ok()
}

/// Names of everything that an experiment has.
fn objects_of(state: &State, experiment: &str) -> BTreeSet<String> {
    let resources = ["secrets", "serviceaccounts", "roles", "rolebindings", "jobs", "cronjobs"];
    let of = resources.iter().flat_map(|resource| state.list(resource, ""));
    let of = of.filter(|object| object["metadata"]["labels"]["iter8.tools/group"] == experiment);
    of.map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"])).collect()
}

#[test]
fn a_new_version_with_both_labels_is_tested_and_the_one_before_goes() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    assert_eq!(autox.launched("autox-web-load", "1"), 1);
    let job = autox.server.get("jobs", SHOP, "iter8-autox-web-load-1");
    assert!(job.is_some_and(|job| job["spec"]["activeDeadlineSeconds"].is_number()));
    autox.version("web", "2");
    assert_eq!(autox.launched("autox-web-load", "2"), 2);
    let left: BTreeSet<String> =
        autox.server.list("jobs", SHOP).iter().map(|job| job["metadata"]["name"].to_string()).collect();
    assert_eq!(left, BTreeSet::from(["\"iter8-autox-web-load-2\"".to_owned()]));
    assert!(autox.server.get("secrets", SHOP, "iter8-autox-web-load-1-result").is_none());
    running.wait_for("launched revision 2 for version 2");
}

#[test]
fn the_experiment_knows_the_version_that_it_tests() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1.5"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1.5");
    let spec = autox.server.get("secrets", SHOP, "iter8-autox-web-load-1-spec").expect("the spec is there");
    let text = STANDARD.decode(spec["data"]["experiment.yaml"].as_str().unwrap()).unwrap();
    let text = String::from_utf8(text).unwrap();
    assert!(text.contains("http://web.shop/1.5"), "{text}");
    assert!(
        text.contains(r#"trigger: {"name":"web","namespace":"shop","resource":"deployments.apps","version":"1.5"}"#),
        "{text}"
    );
}

#[test]
fn what_changes_neither_label_launches_nothing() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let running = autox.start();
    autox.launched("autox-web-load", "1");
    let seen = |autox: &Autox| autox.server.requests().len();
    autox.server.edit("deployments", SHOP, "web", |object| {
        object["status"] = json!({ "readyReplicas": 1 });
        object["spec"]["replicas"] = json!(5);
        object["metadata"]["annotations"] = json!({ "a": "b" });
        object["metadata"]["labels"]["team"] = json!("blue");
    });
    let before = seen(&autox);
    // The next version shows that the change before it was seen.
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    assert!(seen(&autox) > before);
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1", "iter8-autox-web-load-2"]);
    drop(running);
}

#[test]
fn without_a_label_or_the_trigger_the_experiment_is_deleted() {
    let autox = Autox::new(&web());
    let _running = autox.start();
    let unlabel: [fn(&Autox); 4] = [
        |autox| {
            autox.server.edit("deployments", SHOP, "web", |object| {
                object["metadata"]["labels"]["iter8.tools/autox"] = json!("false");
            });
        },
        |autox| {
            autox.server.edit("deployments", SHOP, "web", |object| {
                object["metadata"]["labels"] = json!({ "iter8.tools/autox": "true" });
            });
        },
        |autox| autox.version("web", ""),
        |autox| autox.server.remove("deployments", SHOP, "web"),
    ];
    for take_away in unlabel {
        autox.server.put(deployment("web", "1"));
        autox.launched("autox-web-load", "1");
        take_away(&autox);
        autox.gone("autox-web-load");
    }
}

#[test]
fn a_restart_launches_nothing_again_and_catches_up_with_what_it_missed() {
    let values = json!({ "groups": {
        "web": group("deployments", "web", &["load"]),
        "db": group("deployments", "db", &["load"]),
    } });
    let autox = Autox::new(&values);
    autox.server.put(deployment("web", "1"));
    autox.server.put(deployment("db", "1"));
    let running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.launched("autox-db-load", "1");
    drop(running);
    autox.version("web", "2");
    let _running = autox.start();
    autox.launched("autox-web-load", "2");
    let mut made = autox.jobs_made();
    made.sort();
    assert_eq!(made, ["iter8-autox-db-load-1", "iter8-autox-web-load-1", "iter8-autox-web-load-2"]);
}

#[test]
fn an_experiment_of_somebody_else_is_left_alone() {
    let autox = Autox::new(&web());
    autox.server.put(json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "iter8-autox-web-load", "namespace": SHOP },
    }));
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    running.wait_for("cannot launch it: secret/iter8-autox-web-load in namespace shop exists already");
    autox.server.remove("secrets", SHOP, "iter8-autox-web-load");
    autox.launched("autox-web-load", "1");
}

#[test]
fn a_configuration_that_is_nonsense_changes_nothing_until_it_is_mended() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.configure("groups: { web: { trigger: 7 } }");
    running.wait_for("cannot be used: `groups.web.trigger`");
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    let mut changed = web();
    changed["groups"]["web"]["specs"]["load"]["values"]["http"]["numRequests"] = json!(2);
    autox.configure(&changed.to_string());
    assert_eq!(
        autox.server.wait_for("the launch of the other experiment", |state| {
            let record = record(state, "autox-web-load")?;
            (record["revision"] == 3 && record["stage"] == "launched").then_some(3)
        }),
        3
    );
    autox.configure(r#"{"groups": {}}"#);
    autox.gone("autox-web-load");
}

#[test]
fn permission_that_is_taken_away_is_told_and_used_again_when_it_is_back() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    autox.server.when("list", "deployments").forbidden();
    let mut running = autox.start();
    running.wait_for("cannot watch deployments (apps/v1) in namespace shop: deployments.apps is forbidden");
    autox.server.heal();
    autox.launched("autox-web-load", "1");
}

#[test]
fn a_kind_that_is_not_installed_is_waited_for() {
    let mut values = json!({ "groups": { "web": group("services", "web", &["load"]) } });
    values["groups"]["web"]["trigger"]["group"] = json!("serving.knative.dev");
    let autox = Autox::new(&values);
    let mut running = autox.start();
    running.wait_for("the API server does not have it yet");
    autox.server.install("services.serving.knative.dev");
    autox.server.put(json!({
        "apiVersion": "serving.knative.dev/v1", "kind": "Service",
        "metadata": {
            "name": "web", "namespace": SHOP,
            "labels": { "iter8.tools/autox": "true", "app.kubernetes.io/version": "1" },
        },
    }));
    autox.launched("autox-web-load", "1");
}

#[test]
fn a_namespace_that_does_not_exist_yet_is_waited_for() {
    let mut values = web();
    values["groups"]["web"]["trigger"]["namespace"] = json!("later");
    let autox = Autox::new(&values);
    let mut running = autox.start();
    running.wait_for("later/autox-web-load: nothing to do, because the trigger is not there");
    autox.server.create_namespace("later");
    let mut object = deployment("web", "1");
    object["metadata"]["namespace"] = json!("later");
    autox.server.put(object);
    running.wait_for("later/autox-web-load: launched revision 1 for version 1");
}

#[test]
fn a_group_that_was_launched_by_hand_is_left_alone() {
    let autox = Autox::new(&web());
    let entry = json!({
        "revision": 1, "launched": "2026-01-02T03:04:05Z", "state": "launched", "values": {}, "digest": "00",
        "image": "iter8/iter8-agent:0.1.0", "runner": "job",
    });
    autox.server.put(json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {
            "name": "iter8-autox-web-load", "namespace": SHOP, "labels": { "iter8.tools/group": "autox-web-load" },
            "annotations": { "applyset.kubernetes.io/tooling": "kubectl-iter8/v0.1.0" },
        },
        "data": { "history.json": STANDARD.encode(json!([entry]).to_string()) },
    }));
    autox.server.put(deployment("web", "1"));
    let mut running = autox.start();
    running.wait_for("cannot launch it: the group autox-web-load in namespace shop exists already and belongs to whoever launched it by hand");
}

#[test]
fn a_watch_that_is_too_old_begins_again_and_misses_nothing() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.server.expire_watches();
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    autox.server.stop();
    autox.version("web", "3");
    autox.server.start_again();
    autox.launched("autox-web-load", "3");
    assert_eq!(autox.jobs_made().len(), 3);
}

#[test]
fn of_two_replicas_one_acts_and_the_other_takes_over() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let mut one = autox.start_as("one");
    one.wait_for("one holds the lease autox");
    let mut two = autox.start_as("two");
    autox.launched("autox-web-load", "1");
    // It ends at once and gives the lease back.
    one.signal("TERM");
    let _ = one.wait().code(0);
    two.wait_for("two holds the lease autox");
    autox.version("web", "2");
    autox.launched("autox-web-load", "2");
    assert_eq!(autox.jobs_made(), ["iter8-autox-web-load-1", "iter8-autox-web-load-2"]);
}

#[test]
fn decisions_are_told_on_the_trigger() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    let event = autox.server.wait_for("the event", |state| {
        let events = state.list("events.events.k8s.io", SHOP).into_iter();
        let mut launched = events.filter(|event| event["reason"] == "Launched");
        launched.next().cloned()
    });
    assert_eq!(event["note"], "launched autox-web-load, revision 1, for version 1");
    let uid = autox.server.get("deployments", SHOP, "web").unwrap()["metadata"]["uid"].clone();
    assert_eq!(event["regarding"]["uid"], uid);
    assert_eq!((&event["regarding"]["kind"], &event["type"]), (&json!("Deployment"), &json!("Normal")));
    autox.version("web", "2");
    autox.server.wait_for("an event of its own", |state| {
        let events = state.list("events.events.k8s.io", SHOP);
        events.into_iter().find(|event| event["note"] == "launched autox-web-load, revision 2, for version 2").map(drop)
    });
}

/// What the controller answers to a GET.
fn asked(address: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it listens");
    write!(stream, "GET {path} HTTP/1.1\r\nhost: autox\r\nconnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

#[test]
fn it_is_ready_when_it_has_seen_everything_and_counts_what_it_does() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let hold = autox.server.when("list", "deployments").hold();
    let mut running = autox.start();
    let line = running.wait_for("listens on");
    let address = line.split_whitespace().last().expect("the line ends with the address");
    hold.wait_until_reached();
    assert!(asked(address, "/livez").starts_with("HTTP/1.1 200 "));
    assert!(asked(address, "/readyz").starts_with("HTTP/1.1 503 "));
    hold.release();
    autox.launched("autox-web-load", "1");
    running.wait_for("launched revision 1");
    assert!(asked(address, "/readyz").starts_with("HTTP/1.1 200 "));
    let metrics = asked(address, "/metrics");
    for line in [
        "iter8_autox_launches_total 1\n",
        "iter8_autox_leader 1\n",
        "iter8_autox_groups 1\n",
        "iter8_autox_config_valid 1\n",
    ] {
        assert!(metrics.contains(line), "{line} {metrics}");
    }
    assert!(metrics.contains("iter8_autox_decisions_total{action=\"launch\",reason=\"NewVersion\"} 1\n"), "{metrics}");
}

#[test]
fn at_rest_nothing_is_asked_beyond_watches_and_the_lease() {
    let autox = Autox::new(&web());
    autox.server.put(deployment("web", "1"));
    let _running = autox.start();
    autox.launched("autox-web-load", "1");
    autox.server.wait_for("the answer to the event", |state| {
        state.requests_to("create", "events").find(|request| request.status.is_some()).map(drop)
    });
    autox.server.forget_requests();
    // Two renewals later.
    autox.server.wait_for("two renewals", |state| (state.requests_to("update", "leases").count() == 2).then_some(()));
    let others: Vec<String> = autox
        .server
        .requests()
        .iter()
        .filter(|request| request.resource != "leases" && request.verb != "watch")
        .map(|request| format!("{} {}", request.verb, request.path))
        .collect();
    assert_eq!(others, [""; 0]);
}
