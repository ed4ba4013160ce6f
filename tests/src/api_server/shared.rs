//! What the server's thread and the test share, and how each learns that it has changed.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::sync::watch;

use super::faults::{Fault, HoldState};
use super::resource::Resource;
use super::store::{Key, Store};
use super::watch::Log;

/// How long a test waits for what it expects. Far longer than anything takes: it only ends tests that have failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Everything that the server knows, as of one moment.
#[derive(Debug)]
pub struct State {
    pub(crate) store: Store,
    pub(crate) installed: Vec<Resource>,
    pub(crate) faults: Vec<Fault>,
    pub(crate) holds: Vec<HoldState>,
    /// Verbs and resources that nobody may.
    pub(crate) denied: Vec<(String, String)>,
    /// Logs by namespace and pod.
    pub(crate) logs: BTreeMap<(String, String), Log>,
    pub(crate) requests: Vec<Request>,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its method.
    pub method: Method,
    /// Its path, without the query.
    pub path: String,
    /// Its query as it was written.
    pub query: String,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
    /// What it does, in the words of roles; empty for what is about no object.
    pub verb: &'static str,
    /// What it does it to: `secrets`, `pods/log`.
    pub resource: String,
    /// Where; empty for everywhere.
    pub namespace: String,
    /// The object; empty for a collection.
    pub name: String,
    /// The status that it was answered with; None while it is under way, and when the connection ended first.
    pub status: Option<u16>,
}

/// The state with a lock, and both kinds of bells.
#[derive(Debug)]
pub(crate) struct Shared {
    state: Mutex<State>,
    /// For tests, which wait blocking.
    changed: Condvar,
    /// For tasks of the server.
    version: watch::Sender<u64>,
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            store: Store::new(),
            installed: Vec::new(),
            faults: Vec::new(),
            holds: Vec::new(),
            denied: Vec::new(),
            logs: BTreeMap::new(),
            requests: Vec::new(),
        }
    }

    /// An object, by the plural of its resource (with the group where that is not clear).
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<&Value> {
        self.store.objects.get(&Key::new(Resource::named(resource), namespace, name))
    }

    /// The objects of a resource, of one namespace or, when it is empty, of all.
    pub fn list(&self, resource: &str, namespace: &str) -> Vec<&Value> {
        self.store.list(Resource::named(resource), namespace).collect()
    }

    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> &[Request] {
        &self.requests
    }

    /// The requests with this verb to this resource; `*` stands for any.
    pub fn requests_to<'a>(&'a self, verb: &'a str, resource: &'a str) -> impl Iterator<Item = &'a Request> {
        self.requests.iter().filter(move |request| request.is(verb, resource))
    }
}

impl Request {
    /// Whether it is `verb` on `resource`; `*` stands for any.
    pub fn is(&self, verb: &str, resource: &str) -> bool {
        (verb == "*" || self.verb == verb) && (resource == "*" || self.resource == resource)
    }

    /// Its body as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body of the request is JSON")
    }

    /// A header as text; empty when it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl Shared {
    pub(crate) fn new(state: State) -> Self {
        Self { state: Mutex::new(state), changed: Condvar::new(), version: watch::Sender::new(0) }
    }

    /// A test that failed while it looked has not spoilt the state for those that still clean up.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.lock())
    }

    pub(crate) fn update<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let answer = change(&mut self.lock());
        self.changed.notify_all();
        self.version.send_modify(|version| *version += 1);
        answer
    }

    /// Learns of every later change.
    pub(crate) fn subscribe(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Waits until `look` finds what it looks for.
    pub(crate) fn wait_for<T>(&self, what: &str, mut look: impl FnMut(&State) -> Option<T>) -> T {
        let deadline = Instant::now() + PATIENCE;
        let mut state = self.lock();
        loop {
            if let Some(found) = look(&state) {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "{what} did not come; requests so far:\n{}", told(&state.requests));
            state = self.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Waits for `look` in a task of the server.
    pub(crate) async fn until(&self, mut look: impl FnMut(&State) -> bool) {
        let mut changed = self.subscribe();
        while !self.read(&mut look) {
            if changed.changed().await.is_err() {
                return;
            }
        }
    }
}

fn told(requests: &[Request]) -> String {
    let line = |request: &Request| {
        let status = request.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {}?{} {status}\n", request.method, request.path, request.query)
    };
    requests.iter().map(line).collect()
}
