//! What AutoX counts, in the text format of Prometheus.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// The counts. Cheap to clone; clones count together.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics {
    /// Decisions by what is done and why.
    pub(crate) decisions: Family<Decided, Counter>,
    /// Experiments that were launched.
    pub(crate) launches: Counter,
    /// Experiments that were deleted.
    pub(crate) deletions: Counter,
    /// Work that failed, by what it was.
    pub(crate) errors: Family<Failed, Counter>,
    /// Launches and deletions that are under way or waiting for their turn.
    pub(crate) queue: Gauge,
    /// Watches that were begun again.
    pub(crate) watch_restarts: Family<Watched, Counter>,
    /// Whether this replica acts.
    pub(crate) leader: Gauge,
    /// Whether the configuration that is stored is the one in force.
    pub(crate) config_valid: Gauge,
    /// Groups in the configuration in force.
    pub(crate) groups: Gauge,
    /// Changes that were taken in.
    pub(crate) changes: Counter,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Decided {
    pub(crate) action: &'static str,
    pub(crate) reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Failed {
    pub(crate) work: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct Watched {
    pub(crate) resource: String,
}

impl Metrics {
    /// All of them as text.
    pub(crate) fn text(&self) -> String {
        let mut registry = Registry::with_prefix("iter8_autox");
        registry.register("decisions", "Decisions that differ from the one before", self.decisions.clone());
        registry.register("launches", "Experiments that were launched", self.launches.clone());
        registry.register("deletions", "Experiments that were deleted", self.deletions.clone());
        registry.register("errors", "Launches, deletions and looks that failed", self.errors.clone());
        registry.register("queue", "Launches and deletions that are under way or wait", self.queue.clone());
        registry.register("watch_restarts", "Watches that were begun again", self.watch_restarts.clone());
        registry.register("leader", "Whether this replica acts", self.leader.clone());
        registry.register("config_valid", "Whether the stored configuration is in force", self.config_valid.clone());
        registry.register("groups", "Groups in the configuration", self.groups.clone());
        registry.register("changes", "Changes of triggers and records that were seen", self.changes.clone());
        let mut text = String::new();
        // Writing to a string cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }
}
