//! Watches and logs that are followed: answers that go on for as long as somebody reads.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, Stream};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep_until};

use super::resource::Call;
use super::selector::Selector;
use super::state::Shared;
use super::status::Refusal;
use super::store::{Change, Edit, Store, What};

type Chunk = Result<Frame<Bytes>, Infallible>;

/// Where a watch is.
pub(crate) struct Watch {
    call: Call,
    selector: Selector,
    /// How each object is shown.
    shown: fn(&Value) -> Value,
    /// The version of the last change that was looked at, and how much of the history that is.
    version: u64,
    seen: usize,
    backlog: VecDeque<Bytes>,
    is_over: bool,
}

impl Watch {
    /// Begins a watch after the version that the request names. Without one it begins with what there is.
    pub(crate) fn begin(store: &Store, call: &Call, shown: fn(&Value) -> Value) -> Result<Self, Refusal> {
        let selector = Selector::of(call)?;
        let from: u64 = call.parameter("resourceVersion").and_then(|version| version.parse().ok()).unwrap_or(0);
        let seen = store.history().iter().take_while(|change| change.version <= from).count();
        let mut watch =
            Self { call: call.clone(), selector, shown, version: from, seen, backlog: VecDeque::new(), is_over: false };
        if from == 0 {
            watch.catch_up(store);
        } else if from < store.oldest {
            watch.end(&Refusal::expired(from, store.oldest));
        }
        Ok(watch)
    }

    fn catch_up(&mut self, store: &Store) {
        self.seen = store.history().len();
        self.version = store.version();
        for object in
            store.list(self.call.resource, &self.call.namespace).filter(|object| self.selector.selects(object))
        {
            self.backlog.push_back(event("ADDED", &(self.shown)(object)));
        }
    }

    fn end(&mut self, refusal: &Refusal) {
        let status: Value = serde_json::from_str(&refusal.text()).unwrap_or_default();
        self.backlog.push_back(event("ERROR", &status));
        self.is_over = true;
    }

    /// Looks at what has changed.
    fn look(&mut self, store: &Store) {
        while let Some(change) = store.history().get(self.seen).filter(|_| !self.is_over) {
            self.seen += 1;
            self.see(store, change);
        }
    }

    fn see(&mut self, store: &Store, change: &Change) {
        match &change.what {
            What::Object(edit) => {
                let Edit { key, before, after } = edit.as_ref();
                self.version = change.version;
                let is_ours = key.resource == self.call.resource
                    && (self.call.namespace.is_empty() || key.namespace == self.call.namespace);
                let selected =
                    |object: &Option<Value>| object.as_ref().is_some_and(|object| self.selector.selects(object));
                if !is_ours {
                    return;
                }
                let (kind, object) = match (selected(before), selected(after)) {
                    (false, false) => return,
                    (false, true) => ("ADDED", after),
                    (true, true) => ("MODIFIED", after),
                    (true, false) => ("DELETED", if after.is_some() { after } else { before }),
                };
                self.backlog.extend(object.as_ref().map(|object| event(kind, &(self.shown)(object))));
            }
            What::Bookmark if self.call.flag("allowWatchBookmarks") => {
                let resource = self.call.resource;
                let metadata = json!({ "resourceVersion": change.version.to_string(), "creationTimestamp": null });
                let object =
                    json!({ "apiVersion": resource.api_version(), "kind": resource.kind, "metadata": metadata });
                self.backlog.push_back(event("BOOKMARK", &object));
            }
            What::Bookmark => {}
            What::Expired => self.end(&Refusal::expired(self.version, store.oldest)),
        }
    }

    /// The events, until the time that the request allows is over.
    pub(crate) fn stream(self, shared: Arc<Shared>) -> impl Stream<Item = Chunk> + Send {
        let seconds = self.call.parameter("timeoutSeconds").and_then(|seconds| seconds.parse().ok());
        let deadline = Instant::now() + Duration::from_secs(seconds.unwrap_or(3600));
        stream::unfold((self, shared.subscribe()), move |(mut watch, mut changed)| {
            let shared = shared.clone();
            async move {
                loop {
                    if let Some(line) = watch.backlog.pop_front() {
                        return Some((Ok(Frame::data(line)), (watch, changed)));
                    }
                    if watch.is_over {
                        return None;
                    }
                    changed.borrow_and_update();
                    shared.read(|state| watch.look(&state.store));
                    if watch.backlog.is_empty() {
                        tokio::select! {
                            next = changed.changed() => next.ok()?,
                            () = sleep_until(deadline) => return None,
                        }
                    }
                }
            }
        })
    }
}

fn event(kind: &str, object: &Value) -> Bytes {
    Bytes::from(format!("{}\n", json!({ "type": kind, "object": object })))
}

/// What a container has written.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) text: String,
    /// Whether nothing more will come.
    pub(crate) is_over: bool,
}

/// The log of a pod from its beginning, until it is over.
pub(crate) fn follow(shared: Arc<Shared>, namespace: String, pod: String) -> impl Stream<Item = Chunk> + Send {
    stream::unfold((0, shared.subscribe()), move |(read, mut changed)| {
        let (shared, key) = (shared.clone(), (namespace.clone(), pod.clone()));
        async move {
            loop {
                changed.borrow_and_update();
                let (text, is_over) = shared.read(|state| {
                    let log = state.logs.get(&key);
                    log.map_or((String::new(), false), |log| (log.text[read..].to_owned(), log.is_over))
                });
                if !text.is_empty() {
                    let length = text.len();
                    return Some((Ok(Frame::data(Bytes::from(text))), (read + length, changed)));
                }
                if is_over {
                    return None;
                }
                changed.changed().await.ok()?;
            }
        }
    })
}
