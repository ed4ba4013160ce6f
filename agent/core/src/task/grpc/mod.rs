//! Inputs of the task `grpc`: what to call, with what, how often, for how long. The keys are those of ghz, with the defaults
//! and meanings that Iter8 v0.13 took from it.

mod check;
mod name;
mod size;
mod timing;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::credential::{Credential, Placed, named};
use super::load::{self, AppVersion, Excludes, MAX_RATE_METRIC, Order, Pace, Search, Tls};
use crate::duration::GoDuration;
use crate::scalar::{Count, Flag, Real, Text};

pub use name::split_call;
pub use size::Size;

/// Calls a method of a gRPC service and measures the answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Grpc {
    /// What holds for all endpoints, or for the only one.
    #[serde(flatten)]
    pub common: Calls,
    /// Several things to call, by their names. Each inherits what it does not say itself, and has metrics of its own,
    /// `grpc-<name>/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Whether endpoints get their load one after another or all at the same time.
    #[serde(default, rename = "endpointsOrder", skip_serializing_if = "Option::is_none")]
    pub endpoints_order: Option<Order>,
    /// Look for the highest rate that meets the objectives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// One of several things to call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// What it says itself.
    #[serde(flatten)]
    pub calls: Calls,
    /// With `endpointsOrder: sideBySide`: how many of the calls it gets, compared with the weights of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Count>,
}

/// Calls of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Calls {
    /// Where the service is: host:port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<Text>,
    /// The method: package.Service.Method or package.Service/Method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call: Option<Text>,
    /// File, as the agent sees it, with the service in proto text. Without one of the proto keys the server is asked by
    /// reflection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proto: Option<Text>,
    /// URL of a proto file; wins over `proto`.
    #[serde(default, rename = "protoURL", skip_serializing_if = "Option::is_none")]
    pub proto_url: Option<Text>,
    /// File with a set of descriptors, as protoc --include_imports --descriptor_set_out writes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protoset: Option<Text>,
    /// URL of a set of descriptors; wins over `protoset`.
    #[serde(default, rename = "protosetURL", skip_serializing_if = "Option::is_none")]
    pub protoset_url: Option<Text>,
    /// Directories in which to look for what a proto file imports.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub import_paths: Vec<Text>,
    /// Headers of the requests that fetch files by URL.
    #[serde(default, rename = "fetchHeaders", skip_serializing_if = "BTreeMap::is_empty")]
    pub fetch_headers: BTreeMap<String, Credential>,
    /// Metadata for server reflection alone.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reflect_metadata: BTreeMap<String, Credential>,
    /// A message as a map, or several as a list: a call that sends one message takes the next in turn, a stream sends all.
    /// Texts may be templates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Data>,
    /// File with the data in JSON; wins over `data`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_file: Option<Text>,
    /// URL of the data in JSON; wins over `data` and `data-file`.
    #[serde(default, rename = "dataURL", skip_serializing_if = "Option::is_none")]
    pub data_url: Option<Text>,
    /// File with an encoded message, or with several of which each is preceded by its length; wins over data in JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub binary_file: Option<Text>,
    /// URL of encoded messages; wins over all other data.
    #[serde(default, rename = "binaryDataURL", skip_serializing_if = "Option::is_none")]
    pub binary_data_url: Option<Text>,
    /// Metadata of every call. Names and values may be templates.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, Credential>,
    /// File with the metadata as a map in JSON; wins over `metadata`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata_file: Option<Text>,
    /// URL of the metadata as a map in JSON; wins over `metadata` and `metadata-file`.
    #[serde(default, rename = "metadataURL", skip_serializing_if = "Option::is_none")]
    pub metadata_url: Option<Text>,
    /// Templates in data and metadata may not call functions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_template_functions: Option<Flag>,
    /// Data and metadata have no templates; what looks like one is sent as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disable_template_data: Option<Flag>,
    /// How many calls: 200 when neither this nor `duration` is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<Count>,
    /// How long calls are made; wins over `total`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<GoDuration>,
    /// After this time no further call is made, whatever `total` says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<GoDuration>,
    /// How many of the first calls are not measured.
    #[serde(default, rename = "skipFirst", skip_serializing_if = "Option::is_none")]
    pub skip_first: Option<Count>,
    /// Calls under way at any time when there is no rate: 50.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Count>,
    /// How the number of calls under way changes over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_schedule: Option<ScheduleKind>,
    /// Calls under way at the start of a concurrency schedule: 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_start: Option<Count>,
    /// Calls under way at its end; without an end when 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_end: Option<Count>,
    /// By how many calls each step changes, or each second of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_step: Option<Real>,
    /// How long each step of a concurrency schedule lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_step_duration: Option<GoDuration>,
    /// After this time the number of calls under way stays what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency_max_duration: Option<GoDuration>,
    /// Connections: 1. Calls share them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// Calls a second, whatever becomes of the calls before. 0, the default, is as fast as `concurrency` allows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rps: Option<Real>,
    /// How the rate changes over time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_schedule: Option<ScheduleKind>,
    /// Calls a second at the start of a load schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_start: Option<Real>,
    /// Calls a second at its end; without an end when 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_end: Option<Real>,
    /// By how many calls a second each step changes, or each second of a line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_step: Option<Real>,
    /// How long each step of a load schedule lasts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_step_duration: Option<GoDuration>,
    /// After this time the rate stays what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_max_duration: Option<GoDuration>,
    /// How long a call may take: 20s. A call that takes longer is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// How long the server may take to answer before the load, when it is asked by reflection: 10s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connect_timeout: Option<GoDuration>,
    /// How long to wait between two messages of a stream.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_interval: Option<GoDuration>,
    /// After this time a stream is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_call_duration: Option<GoDuration>,
    /// How many messages a stream sends, beginning again with the first if need be, or receives before it is closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_call_count: Option<Count>,
    /// Templates are worked out for every message of a stream, not only for every call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream_dynamic_messages: Option<Flag>,
    /// Messages are compressed with gzip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enable_compression: Option<Flag>,
    /// The largest message that is received, such as 4MiB, which is the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_recv_message_size: Option<Size>,
    /// The largest message that is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_send_message_size: Option<Size>,
    /// What requests call the server, in place of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<Text>,
    /// TLS; without it connections are not encrypted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Connections are not encrypted: true unless there is `tls`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<Flag>,
    /// When calls are made.
    #[serde(flatten)]
    pub pace: Pace,
    /// Which version of the app they are sent to.
    #[serde(flatten)]
    pub app_version: AppVersion,
    /// Keys of ghz that mean nothing here.
    #[serde(flatten)]
    pub without_effect: WithoutEffect,
    /// Keys of ghz whose place others have taken.
    #[serde(flatten)]
    pub refused: Refused,
}

/// Keys of ghz that are taken and do nothing, as most of them did nothing in Iter8 v0.13.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct WithoutEffect {
    /// No effect: errors are always counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count_errors: Option<Flag>,
    /// No effect: at a rate calls never wait for the calls before.
    #[serde(default, rename = "async", skip_serializing_if = "Option::is_none")]
    pub asynchronous: Option<Flag>,
    /// No effect: calls under way at the end are always waited for, up to their timeout.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_stop: Option<DurationStop>,
    /// No effect: connections under load do not fall idle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keepalive: Option<GoDuration>,
    /// No effect: connections are always spread over all addresses of the host.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lb_strategy: Option<LoadBalancing>,
    /// No effect: as many processors are used as there are for the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpus: Option<Count>,
    /// No effect: ghz's own report is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<Text>,
    /// No effect: ghz's own report is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags: Option<Map<String, Value>>,
    /// No effect: ghz's own report is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Text>,
    /// No effect: ghz's own report is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<Text>,
    /// No effect: ghz's own log is not written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub debug: Option<Text>,
}

/// Keys of ghz that Iter8 v0.13 took and never used, because its connections were never encrypted.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Refused {
    /// Refused: write tls.ca.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cacert: Option<Text>,
    /// Refused: write tls.cert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<Text>,
    /// Refused: write tls.key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// Refused: write tls.serverName.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cname: Option<Text>,
    /// Refused: write tls.insecure.
    #[serde(default, rename = "skipTLS", skip_serializing_if = "Option::is_none")]
    pub skip_tls: Option<Flag>,
}

/// A message, or a list of messages.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Data(pub Value);

impl JsonSchema for Data {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Data".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["object", "array"] })
    }
}

/// How a number changes over time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ScheduleKind {
    /// Not at all.
    #[default]
    Const,
    /// In steps.
    Step,
    /// By so many each second.
    Line,
}

/// What ghz did with calls that were under way at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DurationStop {
    /// Broke them off and counted them as errors.
    Close,
    /// Waited for them.
    Wait,
    /// Broke them off and did not count them.
    Ignore,
}

/// How grpc-go chose addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancing {
    /// The first that could be reached.
    PickFirst,
    /// All in turn.
    RoundRobin,
}

/// Provider of the metrics, the first part of their names; of endpoints only when they are of named versions.
pub const PROVIDER: &str = "grpc";
/// Names of the metrics after the provider, beside the percentiles `latency/pX`. The last one is that of a search.
pub const METRICS: [&str; 8] = [
    "request-count",
    "error-count",
    "error-rate",
    "latency/mean",
    "latency/stddev",
    "latency/min",
    "latency/max",
    MAX_RATE_METRIC,
];
/// Calls when neither a number nor a duration is given.
pub const DEFAULT_TOTAL: u64 = 200;
/// Calls under way when nothing else is said.
pub const DEFAULT_CONCURRENCY: u64 = 50;
/// How long a call may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(20);
/// How long a server may take to say what its services are when nothing else is said.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The port of a host without one, as in other implementations of gRPC.
pub const DEFAULT_PORT: u16 = 443;

/// What an endpoint does not inherit when it says something that stands against it.
const EXCLUDES: &Excludes = &[
    ("total", &["duration"]),
    ("duration", &["total", "skipFirst", "max-duration"]),
    (
        "rps",
        &[
            "schedule",
            "load-schedule",
            "load-start",
            "load-end",
            "load-step",
            "load-step-duration",
            "load-max-duration",
            "concurrency-schedule",
        ],
    ),
    ("schedule", &["rps", "load-schedule", "concurrency-schedule"]),
    ("load-schedule", &["rps", "schedule", "concurrency-schedule"]),
    ("concurrency-schedule", &["rps", "schedule", "load-schedule", "arrivals", "seed", "whenBusy"]),
    ("proto", &["protoURL", "protoset", "protosetURL"]),
    ("protoURL", &["proto", "protoset", "protosetURL"]),
    ("protoset", &["proto", "protoURL", "protosetURL"]),
    ("protosetURL", &["proto", "protoURL", "protoset"]),
    ("data", &["data-file", "dataURL", "binary-file", "binaryDataURL"]),
    ("data-file", &["data", "dataURL", "binary-file", "binaryDataURL"]),
    ("dataURL", &["data", "data-file", "binary-file", "binaryDataURL"]),
    ("binary-file", &["data", "data-file", "dataURL", "binaryDataURL"]),
    ("binaryDataURL", &["data", "data-file", "dataURL", "binary-file"]),
    ("metadata-file", &["metadataURL"]),
    ("warmupNumRequests", &["warmupDuration"]),
    ("warmupDuration", &["warmupNumRequests"]),
];

/// Whether metrics of this provider are those of the task, or of one of its endpoints.
pub fn is_provider(provider: &str) -> bool {
    provider.strip_prefix(PROVIDER).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

/// One load of a task with the name of what it measures.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// Provider of its metrics.
    pub provider: String,
    /// Its name, if it is one of several endpoints.
    pub endpoint: Option<String>,
    /// Everything that holds for it.
    pub calls: Calls,
    /// Its share of a load that endpoints have in common.
    pub weight: u64,
}

impl Grpc {
    /// The loads of the task with everything that holds for them, in the order in which they run.
    pub fn parts(&self) -> Vec<Part> {
        let common = self.common();
        if self.endpoints.is_empty() {
            return vec![Part { provider: PROVIDER.to_owned(), endpoint: None, calls: common, weight: 1 }];
        }
        let part = |(id, endpoint): (&String, &Endpoint)| Part {
            provider: format!("{PROVIDER}-{id}"),
            endpoint: Some(id.clone()),
            calls: endpoint.calls.over(&common),
            weight: endpoint.weight.map_or(1, |weight| weight.0),
        };
        self.endpoints.iter().map(part).collect()
    }

    /// What holds for all endpoints. Calls of a search are made at a rate, at first at that with which it begins.
    fn common(&self) -> Calls {
        let calls = self.common.clone();
        match &self.search {
            Some(search) if calls.models().is_empty() => Calls { rps: Some(Real(search.first_rate())), ..calls },
            _ => calls,
        }
    }

    /// The credentials among the inputs, each with its place.
    pub(super) fn credentials(&self) -> Vec<Placed<'_>> {
        let endpoints = self.endpoints.iter().flat_map(|(id, endpoint)| {
            let place = format!("endpoints.{id}");
            endpoint.calls.credentials().into_iter().map(move |placed| placed.under(&place))
        });
        self.common.credentials().into_iter().chain(endpoints).collect()
    }

    /// Every set of settings as it is written, that of the task and those of its endpoints.
    pub fn written(&self) -> impl Iterator<Item = &Calls> {
        [&self.common].into_iter().chain(self.endpoints.values().map(|endpoint| &endpoint.calls))
    }

    /// How the endpoints get their load.
    pub fn order(&self) -> Order {
        self.endpoints_order.unwrap_or_default()
    }

    /// How long the loads take at most when nothing is late.
    pub fn expected_duration(&self) -> Duration {
        if let Some(search) = &self.search {
            let calls = &self.common;
            return search.expected_duration(calls.timeout()).saturating_add(calls.connect_timeout());
        }
        let each = self.parts().into_iter().map(|part| part.calls.expected_duration());
        match self.order() {
            Order::Sequence => each.fold(Duration::ZERO, Duration::saturating_add),
            Order::SideBySide => each.max().unwrap_or_default(),
        }
    }
}

impl Calls {
    fn credentials(&self) -> Vec<Placed<'_>> {
        let metadata = [("metadata", &self.metadata), ("reflect-metadata", &self.reflect_metadata)];
        let places = metadata.into_iter().chain([("fetchHeaders", &self.fetch_headers)]);
        places.flat_map(|(key, headers)| named(key, headers)).collect()
    }

    /// These settings over those of the task. A message is whole: it is replaced, not merged.
    fn over(&self, task: &Self) -> Self {
        let merged = load::over(self, task, EXCLUDES);
        Self { data: self.data.clone().or(merged.data), ..merged }
    }

    /// Every URL in the settings, with its key.
    pub fn urls(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let urls = [
            ("protoURL", &self.proto_url),
            ("protosetURL", &self.protoset_url),
            ("dataURL", &self.data_url),
            ("binaryDataURL", &self.binary_data_url),
            ("metadataURL", &self.metadata_url),
        ];
        urls.into_iter().filter_map(|(key, url)| Some((key, url.as_ref()?.0.as_str())))
    }

    /// Scheme, host and port as a URL.
    ///
    /// # Errors
    /// What is wrong with the host, in words.
    pub fn origin(&self) -> Result<String, String> {
        let host = self.host.as_ref().map(|host| host.0.trim()).unwrap_or_default();
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        name::authority(host).map(|authority| format!("{scheme}://{authority}"))
    }

    /// How long a call may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// How long the server may take to say what its services are.
    pub fn connect_timeout(&self) -> Duration {
        self.connect_timeout.map_or(DEFAULT_CONNECT_TIMEOUT, |timeout| timeout.0)
    }

    /// Connections open at the same time.
    pub fn connections(&self) -> u64 {
        self.connections.map_or(1, |connections| connections.0)
    }
}

/// Whether a switch is on.
pub fn is_on(flag: Option<Flag>) -> bool {
    flag.is_some_and(|flag| flag.0)
}
