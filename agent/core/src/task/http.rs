//! Inputs of the task `http`: what to request, how often, for how long, and what counts as an error.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::GoDuration;
use crate::scalar::{Count, Flag, Real, Text};
use crate::schema::Problem;

/// Sends HTTP requests at a constant rate and measures the answers.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Http {
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
    /// The most connections that are open at the same time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<Count>,
    /// How long to wait for an answer; a request that takes longer is an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Body of the request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_str: Option<Text>,
    /// File, as the agent sees it, with the body of the request; wins over `payloadStr`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payload_file: Option<Text>,
    /// Content type of the body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content_type: Option<Text>,
    /// Headers of the request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Text>,
    /// Ranges of status codes that are errors; 400 and above when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_ranges: Option<Vec<ErrorRange>>,
    /// Percentiles of the latency to report beside 50, 75, 90, 95, 99 and 99.9.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub percentiles: Vec<Real>,
    /// With `duration`: go on although the first request fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_initial_errors: Option<Flag>,
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

/// Provider of the metrics, the first part of their names.
pub const PROVIDER: &str = "http";
/// Names of the metrics after the provider, beside the percentiles `latency-pX`.
pub const METRICS: [&str; 7] =
    ["request-count", "error-count", "error-rate", "latency-mean", "latency-stddev", "latency-min", "latency-max"];
/// The percentiles that are always reported.
pub const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];
/// Requests sent when neither a number nor a duration is given.
pub const DEFAULT_NUM_REQUESTS: u64 = 100;
/// Requests a second when nothing else is said.
pub const DEFAULT_QPS: f64 = 8.0;
/// Connections when nothing else is said.
pub const DEFAULT_CONNECTIONS: u64 = 4;
/// How long an answer may take when nothing else is said.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);
/// The most connections that can be asked for.
pub const MAX_CONNECTIONS: u64 = 65_536;

/// When a load ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LoadLimit {
    /// After this many requests.
    Requests(u64),
    /// After this time.
    Duration(Duration),
}

impl Http {
    /// When the load ends; a number of requests wins over a duration.
    pub fn limit(&self) -> LoadLimit {
        match (self.num_requests, self.duration) {
            (Some(Count(n)), _) => LoadLimit::Requests(n),
            (None, Some(GoDuration(duration))) => LoadLimit::Duration(duration),
            (None, None) => LoadLimit::Requests(DEFAULT_NUM_REQUESTS),
        }
    }

    /// Requests a second.
    pub fn qps(&self) -> f64 {
        self.qps.map_or(DEFAULT_QPS, |qps| qps.0)
    }

    /// The most connections open at the same time.
    pub fn connections(&self) -> u64 {
        self.connections.map_or(DEFAULT_CONNECTIONS, |connections| connections.0)
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// Method of the request.
    pub fn method(&self) -> String {
        let has_body = self.payload_str.is_some() || self.payload_file.is_some() || self.content_type.is_some();
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

    /// How long the load takes when nothing is late.
    pub fn expected_duration(&self) -> Duration {
        match self.limit() {
            LoadLimit::Duration(duration) => duration,
            LoadLimit::Requests(n) => Duration::try_from_secs_f64(n as f64 / self.qps()).unwrap_or(Duration::MAX),
        }
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push(Problem::at(key, message));
        match self.url.as_ref().map(|url| url.0.trim()) {
            None | Some("") => {
                problem("url", "is required: set it to what to request, as in http://httpbin.default/get".to_owned());
            }
            Some(url) => {
                let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
                if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                    problem("url", format!("must begin with http:// or https:// and name a host, got `{url}`"));
                }
            }
        }
        if let Some(qps) = self.qps.filter(|qps| qps.0 <= 0.0 || qps.0 > 1e6) {
            problem("qps", format!("must be above 0 and at most 1000000 requests a second, got {}", qps.0));
        }
        if self.num_requests == Some(Count(0)) {
            problem("numRequests", "must be at least 1, got 0".to_owned());
        }
        if let Some(connections) = self.connections.filter(|n| n.0 == 0 || n.0 > MAX_CONNECTIONS) {
            problem("connections", format!("must be from 1 to {MAX_CONNECTIONS}, got {}", connections.0));
        }
        for (key, duration) in [("duration", self.duration), ("timeout", self.timeout)] {
            if duration.is_some_and(|duration| duration.0.is_zero()) {
                problem(key, "must be longer than 0s".to_owned());
            }
        }
        for percentile in self.percentiles.iter().filter(|p| p.0 <= 0.0 || p.0 >= 100.0) {
            problem("percentiles", format!("must lie between 0 and 100, got {}", percentile.0));
        }
        if self.error_ranges.iter().flatten().any(|range| range.lower.is_none() && range.upper.is_none()) {
            problem("errorRanges", "has a range with neither lower nor upper".to_owned());
        }
        for name in self.headers.keys().filter(|name| !is_token(name)) {
            problem("headers", format!("has `{name}`, which is not the name of a header"));
        }
        if let Some(method) = self.method.as_ref().filter(|method| !is_token(&method.0)) {
            problem("method", format!("must be an HTTP method such as GET or PUT, got `{}`", method.0));
        }
        problems
    }
}

/// A token of RFC 9110, section 5.6.2: what names of headers and methods are made of.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::task::Task;

    fn parse(with: &Value) -> Result<Http, Vec<String>> {
        match Task::parse("http", with).expect("is a task") {
            Ok(Task::Http(http)) => Ok(http),
            Ok(other) => panic!("not http: {other:?}"),
            Err(problems) => Err(problems.iter().map(ToString::to_string).collect()),
        }
    }

    #[test]
    fn defaults_are_those_that_users_know() {
        let http = parse(&json!({ "url": "http://a" })).unwrap();
        assert_eq!(http.limit(), LoadLimit::Requests(100));
        assert_eq!((http.qps(), http.connections(), http.method().as_str()), (8.0, 4, "GET"));
        assert_eq!(http.error_ranges(), [(Some(400), None)]);
        assert_eq!(http.timeout(), Duration::from_secs(3));
    }

    #[test]
    fn a_number_of_requests_wins_over_a_duration() {
        let http = parse(&json!({ "url": "http://a", "numRequests": "20", "duration": "5s" })).unwrap();
        assert_eq!(http.limit(), LoadLimit::Requests(20));
        let http = parse(&json!({ "url": "http://a", "duration": "5s" })).unwrap();
        assert_eq!(http.limit(), LoadLimit::Duration(Duration::from_secs(5)));
    }

    #[test]
    fn a_payload_or_a_content_type_makes_it_a_post() {
        assert_eq!(parse(&json!({ "url": "http://a", "payloadStr": "x" })).unwrap().method(), "POST");
        assert_eq!(parse(&json!({ "url": "http://a", "contentType": "x/y" })).unwrap().method(), "POST");
        assert_eq!(parse(&json!({ "url": "http://a", "payloadStr": "x", "method": "put" })).unwrap().method(), "PUT");
    }

    #[test]
    fn numbers_may_be_texts_and_header_values_numbers() {
        let http = parse(&json!({ "url": "http://a", "qps": "2.5", "headers": { "X-Tenant": 1 } })).unwrap();
        assert_eq!(http.qps(), 2.5);
        assert_eq!(http.headers["X-Tenant"], Text("1".into()));
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
