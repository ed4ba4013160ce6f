//! An in-memory Kubernetes API server on 127.0.0.1: enough of it for iter8's clients, with the real server's answers
//! where clients depend on them, and failures on demand. It runs in a thread of its own, so that it serves blocking and
//! asynchronous tests alike; nothing in it waits for time to pass.
//!
//! It has no controllers, but for the garbage collection of what a deleted object owned. Of server-side apply it knows
//! no conflicts between managers, and lists are replaced as a whole.

mod faults;
mod merge;
mod resource;
mod selector;
mod serve;
mod state;
mod status;
mod store;
#[cfg(test)]
mod tests;
mod verbs;
mod watch;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};

use crate::loopback::{Port, Service};
use resource::{NAMESPACES, Resource};
use state::Shared;
use store::Key;

pub use faults::{Hold, When};
pub use state::{Request, State};
pub use status::USER;

/// The server. Resources are named by their plural, with the group where that is not clear:
/// `secrets`, `jobs`, `services.serving.knative.dev`.
///
/// It has the namespaces `default` and `kube-system`, and lets everybody do everything.
#[derive(Debug)]
pub struct ApiServer {
    shared: Arc<Shared>,
    port: Port,
    service: Mutex<Option<Service>>,
}

impl ApiServer {
    /// Starts a server on a port of its own.
    pub fn start() -> Self {
        let server =
            Self { shared: Arc::new(Shared::new(State::new())), port: Port::reserve(), service: Mutex::new(None) };
        server.start_again();
        server
    }

    /// Ends all connections and refuses new ones, as while an API server restarts. What is stored stays.
    pub fn stop(&self) {
        let service = self.service.lock().unwrap_or_else(PoisonError::into_inner).take();
        drop(service);
    }

    /// Serves again, on the same port.
    pub fn start_again(&self) {
        let shared = self.shared.clone();
        let service = self.port.serve(move |stream| serve::connection(stream, shared.clone()));
        *self.service.lock().unwrap_or_else(PoisonError::into_inner) = Some(service);
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Writes a kubeconfig for it into `directory`, with the context `test` and the namespace `default`.
    pub fn kubeconfig(&self, directory: &Path) -> PathBuf {
        let path = directory.join("kubeconfig");
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{ "name": "test", "cluster": { "server": self.url() } }],
            "users": [{ "name": "test", "user": {} }],
            "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test", "namespace": "default" } }],
        });
        // JSON is YAML.
        fs::write(&path, config.to_string()).expect("the directory can be written to");
        path
    }
}

/// What is stored.
impl ApiServer {
    /// Makes a namespace.
    pub fn create_namespace(&self, name: &str) {
        self.shared.update(|state| state.store.add_namespace(name));
    }

    /// Marks a namespace as being deleted, so that nothing can be made in it.
    pub fn terminate_namespace(&self, name: &str) {
        let key = Key::new(NAMESPACES, "", name);
        self.shared.update(|state| {
            let mut namespace = state.store.objects.get(&key).cloned().expect("the namespace is there");
            namespace["status"]["phase"] = json!("Terminating");
            namespace["metadata"]["finalizers"] = json!(["test/held"]);
            state.store.write(key.clone(), namespace);
            state.store.delete(&key);
        });
    }

    /// Makes a custom resource known, as if its CustomResourceDefinition were there.
    pub fn install(&self, resource: &str) {
        self.shared.update(|state| state.installed.push(Resource::named(resource)));
    }

    /// Stores an object with its status, whatever was there, without asking whether it is allowed. Without a namespace
    /// it goes to `default`. Returns it with what the server adds.
    pub fn put(&self, object: Value) -> Value {
        self.shared.update(|state| state.store.write(Key::of(&object), object))
    }

    /// Changes an object as somebody else would.
    ///
    /// # Panics
    /// When it is not there.
    pub fn edit(&self, resource: &str, namespace: &str, name: &str, change: impl FnOnce(&mut Value)) -> Value {
        let key = Key::new(Resource::named(resource), namespace, name);
        self.shared.update(|state| {
            let mut object =
                state.store.objects.get(&key).cloned().unwrap_or_else(|| panic!("no {resource} {namespace}/{name}"));
            change(&mut object);
            state.store.write(key, object)
        })
    }

    /// Removes an object and what it alone owned, whatever holds it.
    pub fn remove(&self, resource: &str, namespace: &str, name: &str) {
        let key = Key::new(Resource::named(resource), namespace, name);
        self.shared.update(|state| state.store.remove(&key));
    }

    /// From now on the deletion of an object only marks it, until [`Self::remove`] ends it: as a Job whose pods take
    /// their time.
    pub fn linger(&self, resource: &str, namespace: &str, name: &str) {
        let key = Key::new(Resource::named(resource), namespace, name);
        self.shared.update(|state| state.store.lingering.insert(key));
    }

    /// An object, if it is there.
    pub fn get(&self, resource: &str, namespace: &str, name: &str) -> Option<Value> {
        self.shared.read(|state| state.get(resource, namespace, name).cloned())
    }

    /// The objects of a resource, of one namespace or, when it is empty, of all.
    pub fn list(&self, resource: &str, namespace: &str) -> Vec<Value> {
        self.shared.read(|state| state.list(resource, namespace).into_iter().cloned().collect())
    }

    /// Every object but namespaces.
    pub fn objects(&self) -> Vec<Value> {
        let is_shown = |key: &&Key| key.resource != NAMESPACES;
        self.shared.read(|state| {
            let objects = state.store.objects.iter().filter(|(key, _)| is_shown(key));
            objects.map(|(_, object)| object.clone()).collect()
        })
    }

    /// Adds to the log of a pod, which has to be there.
    pub fn write_log(&self, namespace: &str, pod: &str, text: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        self.shared.update(|state| state.logs.entry(key).or_default().text.push_str(text));
    }

    /// Ends the log of a pod for those who follow it.
    pub fn end_log(&self, namespace: &str, pod: &str) {
        let key = (namespace.to_owned(), pod.to_owned());
        self.shared.update(|state| state.logs.entry(key).or_default().is_over = true);
    }
}

/// What goes wrong.
impl ApiServer {
    /// Lets requests go wrong: `server.when("patch", "secrets").times(3).conflict()`. Verbs are those of roles: `get`,
    /// `list`, `watch`, `create`, `update`, `patch` (apply too) and `delete`; `*` stands for any verb or resource.
    pub fn when(&self, verb: &str, resource: &str) -> When<'_> {
        When::new(&self.shared, verb, resource)
    }

    /// Ends everything that was asked for with [`Self::when`].
    pub fn heal(&self) {
        self.shared.update(|state| {
            state.faults.clear();
            state.holds.iter_mut().for_each(|hold| hold.is_released = true);
        });
    }

    /// Takes a permission away: reviews say so, and requests are forbidden. Subresources are meant by their own name,
    /// as in `pods/log`.
    pub fn deny(&self, verb: &str, resource: &str) {
        self.shared.update(|state| state.denied.push((verb.to_owned(), resource.to_owned())));
    }

    /// Sends a bookmark to watches that asked for some.
    pub fn send_bookmarks(&self) {
        self.shared.update(|state| state.store.bookmark());
    }

    /// Answers watches under way, and new ones from an earlier version, with 410 Gone.
    pub fn expire_watches(&self) {
        self.shared.update(|state| state.store.expire());
    }
}

/// What was asked of it.
impl ApiServer {
    /// All requests so far, in the order in which they came.
    pub fn requests(&self) -> Vec<Request> {
        self.shared.read(|state| state.requests.clone())
    }

    /// The requests with this verb to this resource; `*` stands for any.
    pub fn requests_to(&self, verb: &str, resource: &str) -> Vec<Request> {
        self.shared.read(|state| state.requests_to(verb, resource).cloned().collect())
    }

    /// Forgets the requests so far.
    pub fn forget_requests(&self) {
        self.shared.update(|state| state.requests.retain(|request| request.status.is_none()));
    }

    /// Waits until `look` finds what it looks for, and returns it. `what` names it, should it never come.
    ///
    /// # Panics
    /// When it has not come after a minute.
    pub fn wait_for<T>(&self, what: &str, look: impl FnMut(&State) -> Option<T>) -> T {
        let found = self.shared.wait(look);
        found.unwrap_or_else(|| {
            panic!("{what} did not come; requests so far:\n{}", self.shared.read(|state| state::told(&state.requests)))
        })
    }
}
