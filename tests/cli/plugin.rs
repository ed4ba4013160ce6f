//! Calls of the plugin: a home of its own for each test, and short ways to say what to run. What the plugin should answer
//! is the business of the other files.

use std::ffi::OsStr;
use std::ops::{Deref, DerefMut};

use iter8_testkit::api_server::ApiServer;
use iter8_testkit::command::{CommandOutput, TestCommand, TestEnv};
use serde_json::Value;

/// The binary under test.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_kubectl-iter8");

/// The plugin in a home without a kubeconfig.
pub(crate) struct Plugin {
    env: TestEnv,
}

impl Plugin {
    pub(crate) fn new() -> Self {
        Self { env: TestEnv::new() }
    }

    /// The plugin in a home whose kubeconfig leads to `server`.
    pub(crate) fn with(server: &ApiServer) -> Self {
        let mut plugin = Self::new();
        let kubeconfig = server.kubeconfig(plugin.home());
        plugin.set("KUBECONFIG", kubeconfig);
        plugin.hide(server.url().trim_start_matches("http://"), "SERVER");
        plugin
    }

    /// Runs the plugin with the words of `line`, which blanks separate.
    #[must_use = "look at the exit code or at what was written"]
    #[track_caller]
    pub(crate) fn run(&self, line: &str) -> CommandOutput {
        self.words(line.split_whitespace()).run()
    }

    /// A call with words that may hold blanks.
    pub(crate) fn words(&self, words: impl IntoIterator<Item = impl AsRef<OsStr>>) -> TestCommand {
        self.env.command(BINARY, words)
    }

    /// A call with the words of `line`.
    pub(crate) fn line(&self, line: &str) -> TestCommand {
        self.words(line.split_whitespace())
    }
}

impl Deref for Plugin {
    type Target = TestEnv;

    fn deref(&self) -> &TestEnv {
        &self.env
    }
}

impl DerefMut for Plugin {
    fn deref_mut(&mut self) -> &mut TestEnv {
        &mut self.env
    }
}

/// A kubeconfig for a server with a namespace.
pub(crate) fn kubeconfig(server: &str, namespace: &str) -> String {
    format!(
        "apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: '{server}'}}}}]
users: [{{name: test, user: {{}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test, namespace: {namespace}}}}}]
"
    )
}

/// The object of this kind among rendered ones.
#[track_caller]
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str, name: &str) -> &'a Value {
    let found = objects.iter().find(|object| object["kind"] == kind && object["metadata"]["name"] == name);
    found.unwrap_or_else(|| panic!("no {kind} {name} in {objects:#?}"))
}
