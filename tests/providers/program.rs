//! A program of Debian that serves HTTP on a port of its own, with a folder of its own, for as long as a test needs it.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use iter8_testkit::http_target::ClosedPort;
use reqwest::Client;
use tempfile::TempDir;

/// How long anything may take. Far longer than it ever does.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Program {
    child: Child,
    port: ClosedPort,
    home: TempDir,
}

impl Program {
    /// Starts what `command` makes of an address and a folder, and waits until `ready` answers 200.
    pub(crate) async fn start(command: impl FnOnce(&str, &Path) -> Command, ready: &str) -> Self {
        let (port, home) = (ClosedPort::reserve(), TempDir::new().expect("there is room for a folder"));
        let address = port.url("").trim_start_matches("http://").to_owned();
        let mut command = command(&address, home.path());
        let log = File::create(home.path().join("log")).expect("the folder is ours");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("files can be shared")).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{} does not start, is its package of Debian installed? {error}", command.get_program().display())
        });
        let mut program = Self { child, port, home };
        let url = program.url(ready);
        program.wait(&url, |answer| answer.is_some()).await;
        program
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.port.url(path)
    }

    /// Asks again and again until `enough` holds of the body of an answer 200; None stands for any other outcome.
    pub(crate) async fn wait(&mut self, url: &str, enough: impl Fn(Option<&str>) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = get(url).await;
            if enough(answer.as_deref()) {
                return;
            }
            let ended = self.child.try_wait().expect("the program is ours");
            assert!(ended.is_none() && Instant::now() < deadline, "{url}: {answer:?}, {ended:?}\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn log(&self) -> String {
        fs::read_to_string(self.home.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client of HTTP.
pub(crate) fn client() -> Client {
    // Another test of this process may have chosen it before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::new()
}

/// The body of an answer 200.
async fn get(url: &str) -> Option<String> {
    let answer = client().get(url).send().await.ok().filter(|answer| answer.status() == 200)?;
    answer.text().await.ok()
}

/// Sends `body`, which must be taken.
pub(crate) async fn post(url: &str, body: String) {
    let sent = client().post(url).body(body).send().await.expect("the program runs");
    assert!(sent.status().is_success(), "{url}: {sent:?}");
}
