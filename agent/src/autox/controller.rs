//! The loop of AutoX: takes changes in, lets the planner decide, begins the work, and says what comes of it. It decides
//! nothing itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use iter8_core::autox::planner::{Planner, Work};
use iter8_core::autox::values::{AutoxValues, parse};
use iter8_core::schema::Problem;
use kube::Client;
use serde_json::Value;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::lease::{Candidate, campaign};
use super::metrics::Metrics;
use super::serve::Server;
use super::tell::Voice;
use super::watch::{Change, Scope, Teller, Triggers, namespaces, scopes};
use super::work::{Ended, perform};

/// How many launches and deletions are under way at once: enough that many triggers can change together, and few enough
/// that the API server need not slow its clients down.
const AT_ONCE: usize = 8;

/// How many changes may wait to be taken in.
const WAITING_MAX: usize = 1024;

/// What AutoX is told when it is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Its name.
    pub name: String,
    /// Where it is.
    pub namespace: String,
    /// Name of the Secret with its configuration.
    pub config_secret: String,
    /// Name of this replica.
    pub identity: String,
    /// Where `/metrics`, `/livez` and `/readyz` are.
    pub listen: SocketAddr,
}

/// Why AutoX cannot run.
#[derive(Debug, thiserror::Error)]
pub enum AutoxError {
    /// The address is taken, or not this machine's.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
}

/// Runs until `cancel`.
///
/// # Errors
/// When it cannot listen. What goes wrong later is told and tried again.
pub async fn run(options: Options, client: Client, cancel: CancellationToken) -> Result<(), AutoxError> {
    let metrics = Metrics::default();
    let (ready, is_ready) = watch::channel(false);
    let address = options.listen;
    let failed = |source| AutoxError::Listen { address, source };
    let server = Server::bind(address, metrics.clone(), is_ready).await.map_err(failed)?;
    info!("{} in namespace {} listens on {}", options.name, options.namespace, server.address().map_err(failed)?);
    let mut tasks = JoinSet::new();
    tasks.spawn(server.run(cancel.clone()));
    let (leads, leading) = watch::channel(false);
    let candidate = Candidate {
        client: client.clone(),
        namespace: options.namespace.clone(),
        name: options.name.clone(),
        identity: options.identity.clone(),
    };
    // It gives the Lease back only when nothing is under way any more.
    let retired = CancellationToken::new();
    tasks.spawn(campaign(candidate, leads, retired.clone()));
    let (changes, mut changed) = mpsc::channel(WAITING_MAX);
    let teller = Teller { client: client.clone(), changes, metrics: metrics.clone() };
    let mut controller = Controller::new(options, client, metrics, teller, ready);
    controller.watch_config();
    controller.run(&mut changed, leading, &cancel).await;
    retired.cancel();
    drop(controller);
    while let Some(ended) = tasks.join_next().await {
        resume_panic(ended.err());
    }
    Ok(())
}

struct Controller {
    autox: String,
    options: Options,
    client: Client,
    metrics: Metrics,
    teller: Teller,
    ready: watch::Sender<bool>,
    voice: Voice,
    planner: Planner,
    /// The configuration for the work that begins now.
    values: Arc<AutoxValues>,
    has_config: bool,
    watches: Watches,
    /// Groups and namespaces of which nothing was heard yet.
    unheard: BTreeSet<Unheard>,
    work: JoinSet<Ended>,
    places: Arc<Semaphore>,
    began: Instant,
}

#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Unheard {
    Trigger(String),
    Records(String),
}

/// The watches that run.
#[derive(Default)]
struct Watches {
    config: Option<Running>,
    triggers: BTreeMap<Scope, (Triggers, Running)>,
    records: BTreeMap<String, Running>,
}

/// A task that ends when this is dropped.
type Running = JoinSet<()>;

fn running(task: impl Future<Output = ()> + Send + 'static) -> Running {
    let mut running = JoinSet::new();
    running.spawn(task);
    running
}

impl Controller {
    fn new(options: Options, client: Client, metrics: Metrics, teller: Teller, ready: watch::Sender<bool>) -> Self {
        let autox = format!("{}/{}", options.namespace, options.name);
        Self {
            planner: Planner::new(autox.clone()),
            voice: Voice::new(client.clone(), options.identity.clone(), metrics.clone()),
            autox,
            options,
            client,
            metrics,
            teller,
            ready,
            values: Arc::default(),
            has_config: false,
            watches: Watches::default(),
            unheard: BTreeSet::new(),
            work: JoinSet::new(),
            places: Arc::new(Semaphore::new(AT_ONCE)),
            began: Instant::now(),
        }
    }

    fn watch_config(&mut self) {
        let Options { namespace, config_secret, .. } = self.options.clone();
        self.watches.config = Some(running(self.teller.clone().config(namespace, config_secret)));
    }

    async fn run(
        &mut self,
        changed: &mut mpsc::Receiver<Change>,
        mut leading: watch::Receiver<bool>,
        cancel: &CancellationToken,
    ) {
        loop {
            let leads = *leading.borrow_and_update();
            self.metrics.leader.set(i64::from(leads));
            let wake = if leads {
                self.act()
            } else {
                self.abandon();
                None
            };
            self.metrics.queue.set(i64::try_from(self.work.len()).unwrap_or(i64::MAX));
            tokio::select! {
                () = cancel.cancelled() => break,
                Some(change) = changed.recv() => {
                    self.take(change);
                    // What came together is decided on together.
                    while let Ok(change) = changed.try_recv() {
                        self.take(change);
                    }
                }
                Some(ended) = self.work.join_next() => self.finish(ended),
                changed = leading.changed() => if changed.is_err() { break },
                () = sleep_until(wake) => {}
            }
        }
        // What is under way is completed by whoever acts next.
        self.work.shutdown().await;
    }

    /// Decides and begins the work; when to decide again.
    fn act(&mut self) -> Option<Instant> {
        let turn = self.planner.turn(self.began.elapsed());
        for decision in turn.decisions {
            self.voice.decided(decision);
        }
        for work in turn.work {
            self.begin(work);
        }
        turn.wake.map(|wake| self.began + wake)
    }

    fn begin(&mut self, work: Work) {
        let (client, autox, values) = (self.client.clone(), self.autox.clone(), self.values.clone());
        let places = self.places.clone();
        self.work.spawn(async move {
            // It is never closed.
            let _place = places.acquire_owned().await.ok();
            perform(&client, &autox, &values, work).await
        });
    }

    fn finish(&mut self, ended: Result<Ended, JoinError>) {
        match ended {
            Ok(Ended { key, done, told }) => {
                self.planner.done(&key, done, self.began.elapsed());
                if let Some(told) = told {
                    self.voice.ended(&key, told);
                }
            }
            Err(error) => resume_panic(Some(error)),
        }
    }

    /// Another replica acts now.
    fn abandon(&mut self) {
        if !self.work.is_empty() {
            self.work = JoinSet::new();
        }
        self.planner.abandon();
    }

    fn take(&mut self, change: Change) {
        self.metrics.changes.inc();
        match change {
            Change::Config(text) => self.configure(text.as_deref()),
            Change::Trigger { group, view, kind } => {
                self.unheard.remove(&Unheard::Trigger(group.clone()));
                if let Some(of) = self.values.groups.get(&group) {
                    self.voice.know(&group, of, &view, &kind);
                }
                self.planner.observe(&group, view, self.began.elapsed());
            }
            Change::Records { namespace, records } => {
                self.unheard.remove(&Unheard::Records(namespace.clone()));
                let ours = records.into_iter().filter(|(_, record)| record.cause.autox == self.autox);
                self.planner.records(&namespace, ours.collect());
            }
            Change::Record { key, record } => {
                let record = record.filter(|record| record.cause.autox == self.autox);
                self.planner.record(key, record);
            }
            Change::NoRecords { namespace } => {
                self.unheard.remove(&Unheard::Records(namespace.clone()));
                self.planner.forget_records(&namespace);
            }
            Change::Trouble(text) => self.voice.trouble(&text),
        }
        let is_ready = self.has_config && self.unheard.is_empty();
        self.ready.send_if_modified(|ready| std::mem::replace(ready, is_ready) != is_ready);
    }

    /// Takes a stored configuration, unless it is wrong: then the one before stays in force.
    fn configure(&mut self, text: Option<&str>) {
        let place = format!("secret {} in namespace {}", self.options.config_secret, self.options.namespace);
        let read = match text {
            None => Err("it does not exist".to_owned()),
            Some(text) => read_config(text),
        };
        let values = match read {
            Ok(values) => values,
            Err(why) => {
                let kept = if self.has_config { "; what was read before stays in force" } else { "" };
                error!("the configuration in {place} cannot be used: {why}{kept}");
                self.metrics.config_valid.set(0);
                return;
            }
        };
        self.metrics.config_valid.set(1);
        self.metrics.groups.set(i64::try_from(values.groups.len()).unwrap_or(i64::MAX));
        if self.has_config && values == *self.values {
            return;
        }
        info!("the configuration in {place} has {} groups", values.groups.len());
        self.has_config = true;
        self.planner.configure(values.clone());
        self.watch(&values);
        self.values = Arc::new(values);
    }

    /// Watches what a configuration names, and nothing else. What was watched before goes on being watched.
    fn watch(&mut self, values: &AutoxValues) {
        let mut wanted = scopes(values);
        self.watches.triggers.retain(|scope, (triggers, _)| {
            let stays = wanted.get(scope) == Some(triggers);
            if stays {
                wanted.remove(scope);
            }
            stays
        });
        for (scope, triggers) in wanted {
            self.unheard.extend(triggers.values().map(|(group, _)| Unheard::Trigger(group.clone())));
            let task = running(self.teller.clone().triggers(scope.clone(), triggers.clone()));
            self.watches.triggers.insert(scope, (triggers, task));
        }
        let mut wanted = namespaces(values);
        let planner = &mut self.planner;
        self.watches.records.retain(|namespace, _| {
            let stays = wanted.remove(namespace);
            if !stays {
                planner.forget_records(namespace);
            }
            stays
        });
        for namespace in wanted {
            self.unheard.insert(Unheard::Records(namespace.clone()));
            let task = running(self.teller.clone().records(namespace.clone()));
            self.watches.records.insert(namespace, task);
        }
        self.unheard.retain(|unheard| match unheard {
            Unheard::Trigger(group) => values.groups.contains_key(group),
            Unheard::Records(namespace) => self.watches.records.contains_key(namespace),
        });
    }
}

/// Reads a configuration: the values' `groups`.
fn read_config(text: &str) -> Result<AutoxValues, String> {
    let values: Value = serde_yaml::from_str(text).map_err(|error| format!("it is not YAML: {error}"))?;
    let values = if values.is_null() { Value::Object(serde_json::Map::new()) } else { values };
    parse(&values, env!("CARGO_PKG_VERSION"))
        .map_err(|problems| problems.iter().map(Problem::to_string).collect::<Vec<_>>().join("; "))
}

async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}

fn resume_panic(error: Option<JoinError>) {
    if let Some(panic) = error.and_then(|error| error.try_into_panic().ok()) {
        std::panic::resume_unwind(panic);
    }
}
