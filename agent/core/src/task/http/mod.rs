//! Inputs of the task `http`: what to request, how often, for how long, and what counts as an error.

mod check;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::credential::{Credential, Placed, named};
use super::load::{self, AppVersion, Excludes, Limit, MAX_RATE_METRIC, Order, Pace, Search, Timing, Tls};
use crate::duration::GoDuration;
use crate::scalar::{Count, Flag, Real, Text};

/// Sends HTTP requests and measures the answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Http {
    /// What holds for all endpoints, or for the only one.
    #[serde(flatten)]
    pub common: Load,
    /// Several things to request, by their names. Each inherits what it does not say itself, and has metrics of its own,
    /// `http-<name>/…`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub endpoints: BTreeMap<String, Endpoint>,
    /// Whether endpoints get their load one after another or all at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoints_order: Option<Order>,
    /// Look for the highest rate that meets the objectives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub search: Option<Search>,
}

/// One of several things to request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Endpoint {
    /// What it says itself.
    #[serde(flatten)]
    pub load: Load,
    /// With `endpointsOrder: sideBySide`: how many of the requests it gets, compared with the weights of the others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<Count>,
}

/// Requests of one kind.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Load {
    /// What to request, for example http://httpbin.default/get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<Text>,
    /// Method; POST when there is a payload or a content type, else GET.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Text>,
    /// How many requests to send: 100 when neither this nor `duration` is given. Wins over `duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub num_requests: Option<Count>,
    /// How long to send requests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<GoDuration>,
    /// Requests a second, over all connections.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qps: Option<Real>,
    /// Requests that are under way at any time, in place of a rate: each is sent when another one ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<Count>,
    /// The most connections that are open at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// How long to wait for an answer; a request that takes longer is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Settings of TLS for an https URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Speak HTTP/2: agreed on over TLS, with prior knowledge over plain TCP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http2: Option<Flag>,
    /// With `http2`: the most requests that are under way on each connection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub streams: Option<Count>,
    /// Whether requests follow one another on a connection, as they do by default, or each has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_alive: Option<Flag>,
    /// Follow redirects, at most ten of a request, as a part of it; they are answers like others by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub follow_redirects: Option<Flag>,
    /// Body of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_str: Option<Text>,
    /// URL of the body of the request; wins over `payloadFile` and `payloadStr`.
    #[serde(default, rename = "payloadURL", skip_serializing_if = "Option::is_none")]
    pub payload_url: Option<Text>,
    /// Headers of the request that fetches `payloadURL`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub fetch_headers: BTreeMap<String, Credential>,
    /// File, as the agent sees it, with the body of the request; wins over `payloadStr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_file: Option<Text>,
    /// Work out `{{.RequestNumber}}`, `{{newUUID}}`, `{{randomInt 1 10}}` and the like in the path and query of the URL, the
    /// values of headers and the body, anew for each request. Without it they are sent as they are written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub templates: Option<Flag>,
    /// Content type of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Text>,
    /// Headers of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Credential>,
    /// Ranges of status codes that are errors; 400 and above when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ranges: Option<Vec<ErrorRange>>,
    /// With `duration`: go on although the first request fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_initial_errors: Option<Flag>,
    /// When requests are sent.
    #[serde(flatten)]
    pub pace: Pace,
    /// Which version of the app they are sent to.
    #[serde(flatten)]
    pub app_version: AppVersion,
}

/// Status codes from `lower` to `upper`, both included; an end that is not given is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ErrorRange {
    /// The smallest status code that is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower: Option<Count>,
    /// The largest status code that is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper: Option<Count>,
}

/// Provider of the metrics, the first part of their names; of endpoints only when they are of named versions.
pub const PROVIDER: &str = "http";
/// Names of the metrics after the provider, beside the percentiles `latency-pX`. The last one is that of a search.
pub const METRICS: [&str; 8] = [
    "request-count",
    "error-count",
    "error-rate",
    "latency-mean",
    "latency-stddev",
    "latency-min",
    "latency-max",
    MAX_RATE_METRIC,
];
/// Requests sent when nothing says how many.
pub const DEFAULT_NUM_REQUESTS: u64 = 100;
/// Requests a second when nothing else is said.
pub const DEFAULT_QPS: f64 = 8.0;
/// Connections when nothing else is said.
pub const DEFAULT_CONNECTIONS: u64 = 4;
/// How long an answer may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

/// What an endpoint does not inherit when it says something that stands against it.
const EXCLUDES: &Excludes = &[
    ("numRequests", &["duration"]),
    ("duration", &["numRequests"]),
    ("qps", &["schedule", "concurrency"]),
    ("schedule", &["qps", "concurrency"]),
    ("concurrency", &["qps", "schedule", "arrivals", "seed", "whenBusy", "connections", "streams"]),
    ("connections", &["concurrency"]),
    ("arrivals", &["concurrency"]),
    ("whenBusy", &["concurrency"]),
    ("payloadStr", &["payloadFile", "payloadURL"]),
    ("payloadFile", &["payloadStr", "payloadURL"]),
    ("payloadURL", &["payloadStr", "payloadFile"]),
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
    pub load: Load,
    /// Its share of a load that endpoints have in common.
    pub weight: u64,
}

impl Http {
    /// The loads of the task with everything that holds for them, in the order in which they run.
    pub fn parts(&self) -> Vec<Part> {
        if self.endpoints.is_empty() {
            let (provider, load) = (PROVIDER.to_owned(), self.common.clone());
            return vec![Part { provider, endpoint: None, load, weight: 1 }];
        }
        let part = |(id, endpoint): (&String, &Endpoint)| Part {
            provider: format!("{PROVIDER}-{id}"),
            endpoint: Some(id.clone()),
            load: load::over(&endpoint.load, &self.common, EXCLUDES),
            weight: endpoint.weight.map_or(1, |weight| weight.0),
        };
        self.endpoints.iter().map(part).collect()
    }

    /// The credentials among the inputs, each with its place.
    pub(super) fn credentials(&self) -> Vec<Placed<'_>> {
        let endpoints = self.endpoints.iter().flat_map(|(id, endpoint)| {
            let place = format!("endpoints.{id}");
            endpoint.load.credentials().into_iter().map(move |placed| placed.under(&place))
        });
        self.common.credentials().into_iter().chain(endpoints).collect()
    }

    /// Every set of settings as it is written, that of the task and those of its endpoints.
    pub fn loads(&self) -> impl Iterator<Item = &Load> {
        [&self.common].into_iter().chain(self.endpoints.values().map(|endpoint| &endpoint.load))
    }

    /// How the endpoints get their load.
    pub fn order(&self) -> Order {
        self.endpoints_order.unwrap_or_default()
    }

    /// How long the loads take at most when nothing is late.
    pub fn expected_duration(&self) -> Duration {
        if let Some(search) = &self.search {
            return search.expected_duration(self.common.timeout());
        }
        let each = self.parts().into_iter().map(|part| part.load.timing().expected_duration());
        match self.order() {
            Order::Sequence => each.fold(Duration::ZERO, Duration::saturating_add),
            Order::SideBySide => each.max().unwrap_or_default(),
        }
    }
}

impl Load {
    fn credentials(&self) -> Vec<Placed<'_>> {
        let places = [("headers", &self.headers), ("fetchHeaders", &self.fetch_headers)];
        places.into_iter().flat_map(|(key, headers)| named(key, headers)).collect()
    }

    /// When its requests are sent, and when it ends: a number of requests wins over a duration, and with neither it lasts
    /// as long as its schedule.
    pub fn timing(&self) -> Timing {
        let duration = self.duration.map(|duration| duration.0).or_else(|| self.pace.length());
        let limit = match (self.num_requests, duration) {
            (Some(Count(n)), _) => Limit::Requests(n),
            (None, Some(duration)) => Limit::Duration(duration),
            (None, None) => Limit::Requests(DEFAULT_NUM_REQUESTS),
        };
        Timing {
            arrivals: self.pace.arrivals(self.qps.map_or(DEFAULT_QPS, |qps| qps.0), self.concurrency.map(|n| n.0)),
            limit,
            warmup: self.pace.warmup(),
            timeout: self.timeout(),
        }
    }

    /// Whether it speaks HTTP/2.
    pub fn is_http2(&self) -> bool {
        self.http2.is_some_and(|http2| http2.0)
    }

    /// The most connections open at the same time.
    pub fn connections(&self) -> u64 {
        let default = match (self.concurrency, self.is_http2()) {
            (Some(Count(concurrency)), false) => concurrency,
            (Some(_), true) => 1,
            (None, _) => DEFAULT_CONNECTIONS,
        };
        self.connections.map_or(default, |connections| connections.0)
    }

    /// The most requests under way on each connection, if the load says it.
    pub fn streams(&self) -> Option<u64> {
        match (self.concurrency, self.is_http2()) {
            (Some(Count(concurrency)), true) => Some(concurrency.div_ceil(self.connections().max(1))),
            (_, true) => self.streams.map(|streams| streams.0),
            (_, false) => None,
        }
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// Method of the request.
    pub fn method(&self) -> String {
        let payloads = [&self.payload_str, &self.payload_file, &self.payload_url];
        let has_body = payloads.into_iter().any(Option::is_some) || self.content_type.is_some();
        self.method
            .as_ref()
            .map_or_else(|| if has_body { "POST" } else { "GET" }.to_owned(), |method| method.0.to_ascii_uppercase())
    }

    /// Ranges of status codes that are errors, as pairs of inclusive ends.
    pub fn error_ranges(&self) -> Vec<(Option<u16>, Option<u16>)> {
        let code = |end: Option<Count>| end.map(|end| u16::try_from(end.0).unwrap_or(u16::MAX));
        match &self.error_ranges {
            None => vec![(Some(400), None)],
            Some(ranges) => ranges.iter().map(|range| (code(range.lower), code(range.upper))).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::task::Task;
    use crate::task::load::{Arrivals, Rate};

    fn parse(with: &Value) -> Result<Http, Vec<String>> {
        match Task::parse("http", with).expect("is a task") {
            Ok(Task::Http(http)) => Ok(*http),
            Ok(other) => panic!("not http: {other:?}"),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn defaults_are_those_that_users_know() {
        let http = parse(&json!({ "url": "http://a" })).unwrap();
        assert_eq!(http.common.timing().limit, Limit::Requests(100));
        assert_eq!((http.common.connections(), http.common.method().as_str()), (4, "GET"));
        assert!(matches!(http.common.timing().arrivals, Arrivals::Open { rate: Rate::Constant(8.0), .. }));
        assert_eq!(http.common.error_ranges(), [(Some(400), None)]);
        assert_eq!(http.common.timeout(), Duration::from_secs(3));
    }

    #[test]
    fn a_number_of_requests_wins_over_a_duration() {
        let http = parse(&json!({ "url": "http://a", "numRequests": "20", "duration": "5s" })).unwrap();
        assert_eq!(http.common.timing().limit, Limit::Requests(20));
        let http = parse(&json!({ "url": "http://a", "duration": "5s" })).unwrap();
        assert_eq!(http.common.timing().limit, Limit::Duration(Duration::from_secs(5)));
    }

    #[test]
    fn a_payload_or_a_content_type_makes_it_a_post() {
        assert_eq!(parse(&json!({ "url": "http://a", "payloadStr": "x" })).unwrap().common.method(), "POST");
        assert_eq!(parse(&json!({ "url": "http://a", "contentType": "x/y" })).unwrap().common.method(), "POST");
        assert_eq!(
            parse(&json!({ "url": "http://a", "payloadStr": "x", "method": "put" })).unwrap().common.method(),
            "PUT"
        );
    }

    #[test]
    fn numbers_may_be_texts_and_header_values_numbers() {
        let http = parse(&json!({ "url": "http://a", "qps": "2.5", "headers": { "X-Tenant": 1 } })).unwrap();
        assert_eq!(http.common.qps, Some(Real(2.5)));
        assert_eq!(http.common.headers["X-Tenant"].plain(), Some("1"));
    }

    fn part(with: &Value, number: usize) -> Part {
        parse(with).unwrap().parts().remove(number)
    }

    #[test]
    fn endpoints_inherit_what_they_do_not_say() {
        let with = json!({
            "url": "http://a", "numRequests": 20, "qps": 5, "allowInitialErrors": true, "payloadFile": "f",
            "headers": { "X-A": "1", "X-B": "2" }, "errorRanges": [{ "lower": 400 }], "percentiles": [97],
            "endpoints": {
                "second": {
                    "duration": "5s", "concurrency": 2, "allowInitialErrors": false, "payloadStr": "",
                    "headers": { "x-a": "" }, "errorRanges": [], "percentiles": [98],
                },
                "first": { "url": "http://b" },
            },
        });
        let Part { provider, load, .. } = part(&with, 0);
        assert_eq!(provider, "http-first");
        assert_eq!(load, Load { url: Some(Text("http://b".into())), ..parse(&with).unwrap().common });
        let Part { provider, load, .. } = part(&with, 1);
        assert_eq!((provider.as_str(), load.url.clone()), ("http-second", Some(Text("http://a".into()))));
        assert_eq!(load.timing().limit, Limit::Duration(Duration::from_secs(5)));
        assert_eq!(load.timing().arrivals, Arrivals::Closed { concurrency: 2 });
        assert_eq!((load.allow_initial_errors, load.payload_file.is_none()), (Some(Flag(false)), true));
        assert_eq!(load.headers.len(), 2);
        assert_eq!((load.headers["x-a"].plain(), load.headers["X-B"].plain()), (Some(""), Some("2")));
        assert_eq!((load.error_ranges(), load.pace.percentiles), (vec![], vec![Real(98.0)]));
    }

    #[test]
    fn a_load_with_a_schedule_lasts_as_long_as_it() {
        let with = json!({ "url": "http://a", "schedule": { "ramp": { "from": 1, "to": 2, "over": "9s" } } });
        assert_eq!(part(&with, 0).load.timing().limit, Limit::Duration(Duration::from_secs(9)));
    }

    #[test]
    fn one_after_another_takes_longer_than_side_by_side() {
        let mut with = json!({ "url": "http://a", "duration": "10s", "endpoints": { "a": {}, "b": {} } });
        assert_eq!(parse(&with).unwrap().expected_duration(), Duration::from_secs(26));
        with["endpointsOrder"] = json!("sideBySide");
        assert_eq!(parse(&with).unwrap().expected_duration(), Duration::from_secs(13));
    }

    #[test]
    fn problems_of_endpoints_have_their_place() {
        for (with, message) in [
            (
                json!({ "url": "http://a", "payloadURL": "a/b" }),
                "`payloadURL` must begin with http:// or https:// and name a host, got `a/b`",
            ),
            (
                json!({ "url": "http://a", "fetchHeaders": { "a": 1 } }),
                "`fetchHeaders` means nothing without payloadURL",
            ),
            (
                json!({ "url": "http://a", "headers": { "a b": 1 } }),
                "`headers` has `a b`, which is not the name of a header",
            ),
            (
                json!({ "url": "http://a", "headers": { "a": { "secret": "s" } } }),
                "`headers.a.key` is required with secret: name the key of the Secret that holds the text",
            ),
            (
                json!({ "endpoints": { "a": {} } }),
                "`endpoints.a.url` is required: set it to what to request, as in http://httpbin.default/get",
            ),
            (
                json!({ "url": "http://a", "endpoints": { "a": { "qps": 0 } } }),
                "`endpoints.a.qps` must be above 0 and at most 1000000 requests a second, got 0",
            ),
            (
                json!({ "url": "http://a", "endpoints": { "a": { "urll": "x" } } }),
                "`endpoints.a.urll` is not a known key; did you mean `url`?",
            ),
            (
                json!({ "url": "http://a", "endpoints": { "a/b": {} } }),
                "`endpoints` has `a/b`, which cannot be part of a metric's name: use letters, digits, `-`, `_` and `.`",
            ),
            (
                json!({ "url": "http://a", "endpoints": { "a": { "weight": 2 } } }),
                "`endpoints.a.weight` is 2, which means nothing without endpointsOrder: sideBySide",
            ),
            (
                json!({ "url": "http://a", "endpointsOrder": "sideBySide", "endpoints": { "a": { "qps": 2 } } }),
                "`endpoints.a.qps` belongs to the load that all endpoints share side by side: set it for the task",
            ),
            (
                json!({ "url": "http://a", "endpointsOrder": "sideBySide", "endpoints": { "a": { "weight": 0 } } }),
                "`endpoints.a.weight` must be from 1 to 1000, got 0",
            ),
            (
                json!({ "url": "http://a", "endpointsOrder": "sidebyside", "endpoints": { "a": {} } }),
                "`endpointsOrder` must be one of sequence, sideBySide, got \"sidebyside\"; did you mean `sideBySide`?",
            ),
            (
                json!({ "url": "http://a", "endpointsOrder": "sequence" }),
                "`endpointsOrder` means nothing without endpoints",
            ),
        ] {
            assert_eq!(parse(&with).unwrap_err(), [message], "{with}");
        }
    }

    #[test]
    fn a_search_decides_itself_which_rates_are_tried() {
        for (more, message) in [
            (json!({ "search": {}, "qps": 5 }), "`search` contradicts qps: it tries rates by itself, each for a while"),
            (
                json!({ "search": {}, "endpoints": { "a": {} } }),
                "`search` tries one target, and there are endpoints: search them one by one",
            ),
            (
                json!({ "search": { "SLOs": { "lower": { "http/max-rate": 5 } } } }),
                "`search.SLOs` has `http/max-rate`, which a load at a given rate does not measure",
            ),
            (
                json!({ "search": { "from": 0 } }),
                "`search.from` must be above 0 and at most 1000000 requests a second, got 0",
            ),
            (json!({ "search": { "form": 1 } }), "`search.form` is not a known key; did you mean `from`?"),
        ] {
            let mut with = json!({ "url": "http://a" });
            with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(parse(&with).unwrap_err(), [message], "{with}");
        }
        let http =
            parse(&json!({ "url": "http://a", "search": { "maxDuration": "1m" }, "arrivals": "poisson" })).unwrap();
        assert_eq!(http.expected_duration(), Duration::from_secs(68));
    }

    #[test]
    fn over_http2_a_concurrency_is_shared_by_the_connections() {
        let load = |more: Value| {
            let mut with = json!({ "url": "http://a" });
            with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let load = part(&with, 0).load;
            (load.connections(), load.streams())
        };
        assert_eq!(load(json!({ "concurrency": 6 })), (6, None));
        assert_eq!(load(json!({ "concurrency": 6, "http2": true })), (1, Some(6)));
        assert_eq!(load(json!({ "concurrency": 6, "http2": true, "connections": 2 })), (2, Some(3)));
        assert_eq!(load(json!({ "http2": true, "streams": 9 })), (4, Some(9)));
    }

    #[test]
    fn contradictions_have_their_values() {
        for (more, message) in [
            (
                json!({ "qps": 5, "concurrency": 2 }),
                "`concurrency` is 2, which contradicts qps: a request is sent when another one ends, so that there is no rate",
            ),
            (
                json!({ "connections": 5, "concurrency": 2 }),
                "`concurrency` is 2, which contradicts connections: each request that is under way has one of its own",
            ),
            (
                json!({ "numRequests": 9, "schedule": { "ramp": { "from": 1, "to": 0, "over": "9s" } } }),
                "`numRequests` is 9, which a schedule that ends at 0 requests a second may never reach: set duration instead",
            ),
            (json!({ "schedule": { "ramp": { "from": 1 } } }), "`schedule.ramp.to` is required"),
            (json!({ "streams": 5 }), "`streams` is 5, which means nothing without http2: true"),
            (
                json!({ "http2": true, "streams": 5, "concurrency": 5 }),
                "`streams` is 5, which contradicts concurrency, which says how many requests are under way",
            ),
            (
                json!({ "http2": true, "connections": 2, "concurrency": 5 }),
                "`concurrency` is 5, which 2 connections cannot share evenly: set a multiple of them",
            ),
            (
                json!({ "http2": true, "keepAlive": false }),
                "`keepAlive` is false, which contradicts http2: its connections carry many requests",
            ),
            (
                json!({ "http2": true, "followRedirects": true }),
                "`followRedirects` is true, which only works without http2",
            ),
            (json!({ "streams": 0 }), "`streams` must be from 1 to 100000, got 0"),
            (json!({ "tls": {} }), "`tls` means nothing for an http:// URL, which is not encrypted: write https://"),
            (json!({ "tls": { "cert": "c" } }), "`tls.key` is required with cert: it is the certificate's private key"),
            (json!({ "tls": { "keyy": "c" } }), "`tls.keyy` is not a known key; did you mean `key`?"),
        ] {
            let mut with = json!({ "url": "http://a" });
            with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(parse(&with).unwrap_err()[0], message, "{with}");
        }
    }

    #[test]
    fn bad_inputs_are_named_with_their_value() {
        for (with, message) in [
            (json!({}), "`url` is required: set it to what to request, as in http://httpbin.default/get"),
            (json!({ "url": "httpbin" }), "`url` must begin with http:// or https:// and name a host, got `httpbin`"),
            (
                json!({ "url": "http://a", "qps": -1 }),
                "`qps` must be above 0 and at most 1000000 requests a second, got -1",
            ),
            (json!({ "url": "http://a", "numRequests": 0 }), "`numRequests` must be at least 1, got 0"),
            (
                json!({ "url": "http://a", "numRequests": -5 }),
                "`numRequests` must be a whole number, zero or more, got -5",
            ),
            (json!({ "url": "http://a", "connections": 0 }), "`connections` must be from 1 to 65536, got 0"),
            (
                json!({ "url": "http://a", "duration": "5" }),
                "`duration` must be a duration such as 500ms, 30s or 5m, got \"5\"",
            ),
            (json!({ "url": "http://a", "percentiles": [101] }), "`percentiles` must lie between 0 and 100, got 101"),
            (
                json!({ "url": "http://a", "errorRanges": [{}] }),
                "`errorRanges` has a range with neither lower nor upper",
            ),
            (
                json!({ "url": "http://a", "headers": { "a b": "c" } }),
                "`headers` has `a b`, which is not the name of a header",
            ),
            (json!({ "url": "http://a", "qsp": 5 }), "`qsp` is not a known key; did you mean `qps`?"),
            (json!({ "url": { "a": 1 } }), "`url` must be a text, got a map"),
        ] {
            assert_eq!(parse(&with).unwrap_err(), [message], "{with}");
        }
    }
}
