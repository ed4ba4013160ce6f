//! A namespace of its own for each test, with the target app, and the commands to drive the plugin with. What is tested
//! stands in the other files.

use std::fmt;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What a command printed, and how it ended.
pub(crate) struct Ran {
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) code: i32,
    pub(crate) took: Duration,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "exit code {} after {:?}\n{}\n------- stderr -------\n{}",
            self.code, self.took, self.stdout, self.stderr
        )
    }
}

impl Ran {
    /// Asserts the exit code, showing everything if it is another.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self}");
        self
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON: {error}\n{self}"))
    }
}

/// The kubeconfig of the cluster under test.
pub(crate) fn kubeconfig() -> PathBuf {
    let path = std::env::var_os("ITER8_E2E_KUBECONFIG");
    PathBuf::from(path.expect("ITER8_E2E_KUBECONFIG names the kubeconfig of a cluster: run tests/run"))
}

/// A namespace that is deleted with everything in it when the test is over.
pub(crate) struct Namespace {
    pub(crate) name: String,
    /// The Service of the target app.
    app: Option<&'static str>,
}

static COUNTER: AtomicU32 = AtomicU32::new(0);

impl Namespace {
    /// Creates a namespace.
    pub(crate) fn new(purpose: &str) -> Self {
        let name = format!("{purpose}-{}-{}", std::process::id(), COUNTER.fetch_add(1, Ordering::Relaxed));
        let namespace = Self::named(&name);
        namespace.kubectl_in("", &["create", "namespace", &namespace.name]).code(0);
        namespace
    }

    /// A namespace that is taken as it is, or as it is not.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned(), app: None }
    }

    /// Creates a namespace with a Deployment and a Service `httpbin`, and waits until both answer.
    pub(crate) fn with_httpbin(purpose: &str) -> Self {
        let image = std::env::var("ITER8_E2E_HTTPBIN_IMAGE");
        let image = image.unwrap_or_else(|_| "docker.io/iter8/e2e-httpbin:1".to_owned());
        Self::new(purpose).with_app("httpbin", &include_str!("httpbin.yaml").replace("IMAGE", &image))
    }

    /// Adds a Deployment and a Service `httpbin` that speak TLS, with the certificate in a Secret.
    pub(crate) fn httpbin_over_tls(self, secret: &str) -> Self {
        let image = std::env::var("ITER8_E2E_HTTPBIN_IMAGE");
        let image = image.unwrap_or_else(|_| "docker.io/iter8/e2e-httpbin:1".to_owned());
        let manifest = include_str!("httpbin-tls.yaml").replace("IMAGE", &image).replace("SECRET", secret);
        self.with_app("httpbin", &manifest)
    }

    /// Creates a namespace with a Deployment and a Service `grpc`, and waits until it is ready.
    pub(crate) fn with_grpc(purpose: &str) -> Self {
        let image = std::env::var("ITER8_E2E_GRPC_IMAGE");
        let image = image.unwrap_or_else(|_| "docker.io/iter8/e2e-grpc:1".to_owned());
        Self::new(purpose).with_app("grpc", &include_str!("grpc.yaml").replace("IMAGE", &image))
    }

    fn with_app(mut self, app: &'static str, manifest: &str) -> Self {
        self.app = Some(app);
        self.apply(manifest);
        self.kubectl(&["rollout", "status", &format!("deployment/{app}"), "--timeout=120s"]).code(0);
        self
    }

    /// Where the pods of the cluster reach the target app.
    pub(crate) fn httpbin(&self, path: &str) -> String {
        format!("http://httpbin.{}{path}", self.name)
    }

    /// Runs the plugin in this namespace.
    pub(crate) fn iter8(&self, args: &[&str]) -> Ran {
        run(self.command(args))
    }

    /// Starts the plugin in this namespace.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_kubectl-iter8"));
        command.args(args).args(["-n", &self.name]).env("KUBECONFIG", kubeconfig()).env("COLUMNS", "80");
        command
    }

    /// Launches with the image under test and the given flags. The task `ready` waits for the target app: a Service may
    /// refuse connections for a moment although its pods are ready.
    pub(crate) fn launch(&self, args: &[&str]) -> Ran {
        run(self.launch_command(args))
    }

    /// The command of [`Self::launch`], not started.
    pub(crate) fn launch_command(&self, args: &[&str]) -> Command {
        let service = self.app.map(|app| format!("ready.service={app}"));
        let image = std::env::var("ITER8_E2E_AGENT_IMAGE").map(|image| format!("image={image}"));
        let image = image.iter().flat_map(|image| ["--set", image]);
        let ready = service.iter().flat_map(|ready| ["--set", ready]);
        let all: Vec<&str> = ["launch"].into_iter().chain(image).chain(ready).chain(args.iter().copied()).collect();
        self.command(&all)
    }

    /// Runs kubectl in this namespace.
    pub(crate) fn kubectl(&self, args: &[&str]) -> Ran {
        self.kubectl_in(&self.name, args)
    }

    fn kubectl_in(&self, namespace: &str, args: &[&str]) -> Ran {
        let mut command = Command::new("kubectl");
        command.args(args).env("KUBECONFIG", kubeconfig());
        if !namespace.is_empty() {
            command.args(["-n", namespace]);
        }
        run(command)
    }

    /// Applies a manifest.
    pub(crate) fn apply(&self, manifest: &str) {
        use std::io::Write as _;
        let mut child = Command::new("kubectl")
            .args(["apply", "-n", &self.name, "-f", "-"])
            .env("KUBECONFIG", kubeconfig())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("kubectl starts");
        child.stdin.take().expect("is piped").write_all(manifest.as_bytes()).expect("kubectl reads");
        finished(&child.wait_with_output().expect("kubectl ends"), Instant::now()).code(0);
    }

    /// Everything in this namespace that belongs to iter8, by kind and name.
    pub(crate) fn leftovers(&self) -> String {
        let kinds = "secrets,jobs,cronjobs,serviceaccounts,roles,rolebindings,pods";
        let selector = "app.kubernetes.io/name=iter8";
        self.kubectl(&["get", kinds, "-l", selector, "-o", "name", "--ignore-not-found"]).code(0).stdout
    }

    /// The stored result of a revision of the group default.
    pub(crate) fn stored(&self, revision: u32) -> Value {
        let secret = format!("iter8-default-{revision}-result");
        let data = self.kubectl(&[
            "get",
            "secret",
            &secret,
            "-o",
            r"go-template={{index .data `result.json` | base64decode}}",
        ]);
        data.json()
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        self.kubectl_in("", &["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
    }
}

/// Measures until the measurement is to be trusted: on a machine that is busy with something else the load generator
/// finds itself too late, and says so instead of judging. Gives up after five times, with the last answer.
pub(crate) fn until_trusted(mut measure: impl FnMut() -> Ran) -> Ran {
    let mut ran = measure();
    for _ in 0..4 {
        if ran.code != 5 || !ran.stdout.contains("is not to be trusted") {
            break;
        }
        ran = measure();
    }
    ran
}

/// Runs a command to its end.
pub(crate) fn run(mut command: Command) -> Ran {
    let begun = Instant::now();
    let output =
        command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{command:?} does not start: {error}"));
    finished(&output, begun)
}

fn finished(output: &Output, begun: Instant) -> Ran {
    Ran {
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        code: output.status.code().unwrap_or(-1),
        took: begun.elapsed(),
    }
}

/// Asks until the answer is there; panics with `what` after two minutes.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + Duration::from_secs(120);
    while Instant::now() < deadline {
        if let Some(answer) = ask() {
            return answer;
        }
        std::thread::park_timeout(Duration::from_millis(200));
    }
    panic!("waited two minutes for: {what}");
}
