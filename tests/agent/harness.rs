//! A namespace with the result Secret of one revision in it, as a launch leaves it, and the agent's binary to run there.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_core::ExperimentResult;
use iter8_testkit::api_server::ApiServer;
use iter8_testkit::command::{CommandOutput, Running, TestCommand, TestEnv};
use serde_json::{Value, json};

pub(crate) const NAMESPACE: &str = "shop";
pub(crate) const SECRET: &str = "iter8-web-1-result";

/// How the agent ends, by what it says to a script.
pub(crate) mod code {
    pub(crate) const SUCCEEDED: i32 = 0;
    pub(crate) const USAGE: i32 = 2;
    pub(crate) const TASK_FAILED: i32 = 4;
    pub(crate) const CLUSTER: i32 = 10;
    pub(crate) const NOT_ALLOWED: i32 = 12;
    pub(crate) const INTERRUPTED: i32 = 130;
}

/// Revision 1 of the group `web`, ready to run.
pub(crate) struct Stage {
    pub(crate) server: ApiServer,
    pub(crate) env: TestEnv,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self { server: ApiServer::start(), env: TestEnv::new() };
        stage.server.create_namespace(NAMESPACE);
        stage.server.put(secret("web", "1", None));
        stage
    }

    /// A call of `iter8-agent run` for this revision.
    pub(crate) fn agent(&self, experiment: &Value) -> TestCommand {
        let path = self.env.file("experiment.yaml", experiment.to_string());
        self.call(&path, "1").args(["--kubeconfig".as_ref(), self.server.kubeconfig(self.env.home()).as_os_str()])
    }

    /// A call for any revision, which knows of no cluster.
    pub(crate) fn call(&self, experiment: &Path, revision: &str) -> TestCommand {
        let words = ["run", "--result-secret", SECRET, "--namespace", NAMESPACE, "--group", "web"];
        let command = self.env.command(env!("CARGO_BIN_EXE_iter8-agent"), words).args(["--revision", revision]);
        command.args(["--experiment".as_ref(), experiment.as_os_str()])
    }

    /// Runs it to its end.
    #[track_caller]
    pub(crate) fn run(&self, experiment: &Value) -> CommandOutput {
        self.agent(experiment).run()
    }

    /// Starts it.
    #[track_caller]
    pub(crate) fn start(&self, experiment: &Value) -> Running {
        self.agent(experiment).spawn()
    }

    /// What is stored.
    #[track_caller]
    pub(crate) fn result(&self) -> ExperimentResult {
        let stored = self.server.get("secrets", NAMESPACE, SECRET).expect("the Secret is there");
        result_in(&stored).expect("a result is stored")
    }

    /// Every result that was stored, in order.
    pub(crate) fn saved(&self) -> Vec<ExperimentResult> {
        let writes = self.server.requests_to("patch", "secrets").into_iter();
        writes.filter(|write| write.status == Some(200)).filter_map(|write| result_in(&write.json())).collect()
    }

    /// Stores a text in place of a result, as it would be there before a run.
    pub(crate) fn store(&self, text: &str) {
        self.server.put(secret("web", "1", Some(text)));
    }
}

/// The result Secret of a revision.
pub(crate) fn secret(group: &str, revision: &str, content: Option<&str>) -> Value {
    let labels = json!({
        "iter8.tools/group": group, "iter8.tools/revision": revision, "app.kubernetes.io/name": "iter8",
        "app.kubernetes.io/component": "result",
    });
    let mut secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "iter8.tools/result",
        "metadata": { "name": SECRET, "namespace": NAMESPACE, "labels": labels },
    });
    if let Some(content) = content {
        secret["data"] = json!({ "result.json": STANDARD.encode(content) });
    }
    secret
}

/// The text of a result in a Secret or in a patch of one.
pub(crate) fn text_in(secret: &Value) -> Option<String> {
    let text = STANDARD.decode(secret["data"]["result.json"].as_str()?).expect("data of Secrets is base64");
    Some(String::from_utf8(text).expect("a result is text"))
}

fn result_in(secret: &Value) -> Option<ExperimentResult> {
    text_in(secret).map(|text| ExperimentResult::from_json(&text).expect("what is stored is a result"))
}

/// An experiment of these steps.
pub(crate) fn experiment<const N: usize>(steps: [Value; N]) -> Value {
    json!({ "apiVersion": "iter8.tools/v1", "spec": Value::Array(steps.into()) })
}

/// A step that sends load to `url`, with the inputs of `more`. No machine is so busy that an answer takes too long.
pub(crate) fn http(url: &str, more: &Value) -> Value {
    let mut with = json!({ "url": url, "qps": 500, "timeout": "30s" });
    with.as_object_mut().expect("is one").extend(more.as_object().expect("inputs are an object").clone());
    json!({ "task": "http", "with": with })
}

/// A step that judges upper limits.
pub(crate) fn assess(upper: &Value) -> Value {
    json!({ "task": "assess", "with": { "SLOs": { "upper": upper } } })
}
