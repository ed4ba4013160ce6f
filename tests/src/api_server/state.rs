//! Everything that the server knows, and the requests that it has seen.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;

use super::faults::{Fault, HoldState};
use super::resource::Resource;
use super::store::{Key, Store};
use super::watch::Log;
use crate::watched::Watched;

/// What the server's thread and the test share.
pub(crate) type Shared = Watched<State>;

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
    /// How many requests have come, forgotten ones too.
    pub(crate) came: u64,
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
    /// How many came before it.
    pub(crate) number: u64,
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
            came: 0,
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

/// The requests as lines, for tests that failed.
pub(crate) fn told(requests: &[Request]) -> String {
    let line = |request: &Request| {
        let status = request.status.map_or_else(|| "-".to_owned(), |status| status.to_string());
        format!("{} {}?{} {status}\n", request.method, request.path, request.query)
    };
    requests.iter().map(line).collect()
}
