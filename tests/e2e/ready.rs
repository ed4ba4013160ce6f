//! The task `ready` with real controllers, and with real custom resources, whose status the tests set as a controller does.

use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};

use crate::harness::{Namespace, Ran, run};

const SET: &str = "--set";

/// Modules with the definitions of custom resources, as their projects release them.
const DEFINITIONS: [(&str, &str, &str); 2] = [
    ("services.serving.knative.dev", "knative.dev/serving@v0.51.0", "config/core/300-resources/service.yaml"),
    (
        "inferenceservices.serving.kserve.io",
        "github.com/kserve/kserve@v0.15.2",
        "config/crd/full/serving.kserve.io_inferenceservices.yaml",
    ),
];

/// Installs the custom resources, once for all tests. Those that a cluster has already are left as they are.
fn custom_resources() {
    static INSTALLED: OnceLock<()> = OnceLock::new();
    INSTALLED.get_or_init(|| {
        let ns = Namespace::named("default");
        for (name, module, path) in DEFINITIONS {
            if ns.kubectl(&["get", "crd", name]).code == 0 {
                continue;
            }
            let mut go = Command::new("go");
            go.args(["mod", "download", "-json", module]).current_dir(std::env::temp_dir());
            let folder = run(go).code(0).json()["Dir"].as_str().expect("a module has a folder").to_owned();
            ns.kubectl(&["apply", "--server-side", "-f", &format!("{folder}/{path}")]).code(0);
        }
        ns.apply(include_str!("crds.yaml"));
        let names = ["chaosengines.litmuschaos.io", "models.e2e.iter8.tools"];
        for name in DEFINITIONS.map(|(name, ..)| name).into_iter().chain(names) {
            ns.kubectl(&["wait", "--for=condition=Established", "--timeout=60s", &format!("crd/{name}")]).code(0);
        }
    });
}

/// An experiment that only waits: how its step ended, what it said, and what the launch printed.
struct Waited {
    status: String,
    message: String,
    ran: Ran,
}

impl Waited {
    fn launch(ns: &Namespace, revision: u32, flags: &[&str]) -> Self {
        let sets = flags
            .iter()
            .flat_map(|flag| if flag.starts_with("ready.objects=") { ["--set-json", flag] } else { [SET, flag] });
        let args: Vec<&str> =
            [SET, "tasks={ready}"].into_iter().chain(sets).chain(["--wait", "--timeout", "3m"]).collect();
        let ran = ns.launch(&args);
        let step = ns.stored(revision)["steps"][0].clone();
        let text = |field: &str| step[field].as_str().unwrap_or_default().to_owned();
        Self { status: text("status"), message: text("message"), ran }
    }

    #[track_caller]
    fn succeeded(&self) {
        assert_eq!(self.status, "Succeeded", "{}\n{}", self.message, self.ran);
    }

    #[track_caller]
    fn failed_with(&self, what: &str) {
        assert_eq!((self.status.as_str(), self.ran.code), ("Failed", 4), "{}\n{}", self.message, self.ran);
        assert!(self.message.contains(what), "`{what}` is not in: {}", self.message);
    }
}

/// Sets the status of an object, as its controller does.
fn set_status(ns: &Namespace, object: &str, status: &Value) {
    let patch = json!({ "status": status }).to_string();
    ns.kubectl(&["patch", object, "--subresource=status", "--type=merge", "-p", &patch]).code(0);
}

fn agent_image() -> String {
    let ours = || format!("iter8/iter8-agent:{}", env!("CARGO_PKG_VERSION"));
    std::env::var("ITER8_E2E_AGENT_IMAGE").unwrap_or_else(|_| ours())
}

#[test]
fn a_new_version_that_never_starts_is_not_ready_although_the_old_one_is_available() {
    let ns = Namespace::with_httpbin("rollout");
    ns.kubectl(&["set", "image", "deployment/httpbin", "httpbin=docker.io/iter8/e2e-no-such-image:1"]).code(0);
    let flags = ["ready.deploy=httpbin", "ready.timeout=5s"];
    Waited::launch(&ns, 1, &flags).failed_with("deployment");
    let available = "jsonpath={.status.conditions[?(@.type=='Available')].status}";
    assert_eq!(ns.kubectl(&["get", "deployment", "httpbin", "-o", available]).code(0).stdout, "True");

    // With a right to list pods beside the one that the launch gives, the reason is known.
    ns.kubectl(&["create", "role", "see-pods", "--verb=list", "--resource=pods"]).code(0);
    let account = format!("--serviceaccount={}:iter8-default", ns.name);
    ns.kubectl(&["create", "rolebinding", "see-pods", "--role=see-pods", &account]).code(0);
    Waited::launch(&ns, 2, &flags).failed_with("container httpbin: ErrImageNeverPull");

    ns.kubectl(&["rollout", "undo", "deployment/httpbin"]).code(0);
    Waited::launch(&ns, 3, &["ready.deploy=httpbin", "ready.timeout=2m"]).succeeded();
}

#[test]
fn workloads_of_every_kind_are_waited_for() {
    let ns = Namespace::new("workloads");
    let app = std::env::var("ITER8_E2E_HTTPBIN_IMAGE").unwrap_or_else(|_| "docker.io/iter8/e2e-httpbin:1".to_owned());
    ns.apply(&include_str!("workloads.yaml").replace("APP", &app).replace("AGENT", &agent_image()));
    let all =
        ["ready.statefulset=db", "ready.daemonset=proxy", "ready.pod=single", "ready.job=migrate", "ready.timeout=2m"];
    let waited = Waited::launch(&ns, 1, &all);
    waited.succeeded();
    assert_eq!(waited.message, "ready: stateful set db, daemon set proxy, pod single, job migrate");

    let hopeless = Waited::launch(&ns, 2, &["ready.job=broken", "ready.timeout=2m"]);
    hopeless.failed_with("failed: BackoffLimitExceeded");

    let new = r#"{"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}}"#;
    ns.kubectl(&["patch", "statefulset", "db", "-p", new]).code(0);
    Waited::launch(&ns, 3, &["ready.statefulset=db", "ready.timeout=3s"])
        .failed_with("has 0 of 1 replicas updated; its strategy is OnDelete: delete its old pods");
    ns.kubectl(&["delete", "pod", "db-0"]).code(0);
    Waited::launch(&ns, 4, &["ready.statefulset=db", "ready.timeout=2m"]).succeeded();
}

#[test]
fn custom_resources_are_ready_by_what_their_controllers_say_of_the_present_generation() {
    custom_resources();
    let (ns, other) = (Namespace::new("custom"), Namespace::new("custom-other"));
    ns.apply(include_str!("custom_resources.yaml"));
    other.apply(include_str!("custom_resources.yaml"));
    let model = |namespace: &str| {
        let model = json!([{
            "group": "e2e.iter8.tools", "version": "v1", "resource": "models", "name": "ranking",
            "namespace": namespace, "condition": "trained",
        }]);
        format!("ready.objects={model}")
    };
    let model = model(&other.name);
    let all = |timeout: &'static str| {
        ["ready.ksvc=hello", "ready.isvc=iris", "ready.chaosengine=pod-delete", &model, timeout]
    };
    let ready = |status: &str, generation: u32| {
        json!({
            "observedGeneration": generation,
            "conditions": [{ "type": "Ready", "status": status, "reason": "RevisionFailed", "message": "no revision yet" }],
        })
    };

    let nothing = Waited::launch(&ns, 1, &all("ready.timeout=2s"));
    for lacks in ["Knative service", "inference service", "models.e2e.iter8.tools"] {
        nothing.failed_with(lacks);
    }
    assert!(!nothing.message.contains("chaos engine"), "it is ready by existing: {}", nothing.message);

    set_status(&ns, "services.serving.knative.dev/hello", &ready("True", 1));
    set_status(&ns, "inferenceservices.serving.kserve.io/iris", &ready("False", 1));
    let trained = json!({ "conditions": [{ "type": "Trained", "status": "True" }] });
    set_status(&other, "models.e2e.iter8.tools/ranking", &trained);
    let model_missing = Waited::launch(&ns, 2, &all("ready.timeout=2s"));
    model_missing.failed_with(&format!("after 2s: inference service {}/iris is not Ready: no revision yet", ns.name));

    set_status(&ns, "inferenceservices.serving.kserve.io/iris", &ready("True", 1));
    Waited::launch(&ns, 3, &all("ready.timeout=1m")).succeeded();

    let new = r#"{"spec":{"template":{"metadata":{"annotations":{"version":"2"}}}}}"#;
    ns.kubectl(&["patch", "services.serving.knative.dev", "hello", "--type=merge", "-p", new]).code(0);
    Waited::launch(&ns, 4, &all("ready.timeout=2s"))
        .failed_with("hello has a newer generation than its controller has seen");

    // The roles of the other namespace go with what they were for.
    let roles = ["get", "roles,rolebindings", "-o", "name", "-l", "app.kubernetes.io/name=iter8"];
    assert_ne!(other.kubectl(&roles).code(0).stdout, "");
    Waited::launch(&ns, 5, &["ready.chaosengine=pod-delete"]).succeeded();
    assert_eq!(other.kubectl(&roles).code(0).stdout, "");
}

#[test]
fn a_kind_and_a_namespace_that_are_not_there_are_said() {
    let ns = Namespace::new("absent");
    let unknown = r#"ready.objects=[{"group":"nowhere.example.org","version":"v1","resource":"things","name":"x"}]"#;
    Waited::launch(&ns, 1, &[unknown, "ready.timeout=2s"])
        .failed_with("of a kind that the cluster does not serve in namespaces: things of nowhere.example.org/v1");
    let ran = ns.launch(&[SET, "tasks={ready}", SET, "ready.deploy=app", SET, "ready.namespace=no-such-namespace"]);
    assert!(ran.code != 0 && ran.stderr.contains("no-such-namespace"), "{ran}");
}
