//! What is wrong with the inputs of the task `http`, beyond what their types say. Pure.

use super::{Http, Load, PROVIDER};
use crate::scalar::{Count, Flag};
use crate::schema::Problem;
use crate::task::load::{
    Claim, MAX_CONNECTIONS, Order, Share, Tls, header_problems, id_problem, is_fetched, is_token, order_problems,
    rate_problem, version_problems,
};

impl Http {
    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = self.common.keys();
        for (id, endpoint) in &self.endpoints {
            let place = format!("endpoints.{id}");
            problems.extend(id_problem(id).map(|message| Problem::at("endpoints", message)));
            problems.extend(endpoint.load.keys().into_iter().map(|problem| problem.under(&place)));
        }
        problems.extend(self.order_problems());
        problems.extend(self.version_problems());
        problems.extend(self.search_problems());
        let own = self.common.contradictions();
        if !own.is_empty() {
            problems.extend(own);
            return problems;
        }
        for part in self.parts() {
            let place = part.endpoint.as_ref().map(|id| format!("endpoints.{id}")).unwrap_or_default();
            let found = part.load.missing().into_iter().chain(part.load.contradictions());
            for problem in found.map(|problem| problem.under(&place)) {
                // What an endpoint says wrongly is said once.
                if !problems.iter().any(|said| said.path == problem.path) {
                    problems.push(problem);
                }
            }
        }
        problems
    }

    fn search_problems(&self) -> Vec<Problem> {
        let Some(search) = &self.search else { return Vec::new() };
        let mut keys = self.common.keys_of_time();
        keys.retain(|key| !key.starts_with("warmup") && !["arrivals", "seed"].contains(key));
        search.problems(PROVIDER, !self.endpoints.is_empty(), &keys)
    }

    fn version_problems(&self) -> Vec<Problem> {
        let parts = self.parts();
        let pairs = self.endpoints.iter().zip(&parts);
        let claims = pairs.map(|((id, own), all)| Claim { id, own: &own.load.app_version, all: &all.load.app_version });
        version_problems(&self.common.app_version, &claims.collect::<Vec<_>>())
    }

    fn order_problems(&self) -> Vec<Problem> {
        let shares: Vec<Share<'_>> = self
            .endpoints
            .iter()
            .map(|(id, endpoint)| Share { id, weight: endpoint.weight, keys_of_time: endpoint.load.keys_of_time() })
            .collect();
        let mut problems = order_problems(self.endpoints_order, &shares);
        if let (Order::SideBySide, Some(concurrency)) = (self.order(), self.common.concurrency) {
            let message = format!("is {}, but endpoints side by side share a rate: set qps", concurrency.0);
            problems.push(Problem::at("concurrency", message));
        }
        problems
    }
}

/// The most requests on a connection: as many as there are numbers for a while (RFC 9113, section 5.1.1).
const MAX_STREAMS: u64 = 100_000;

impl Load {
    /// What is wrong with single keys.
    fn keys(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push(Problem::at(key, message));
        if let Some(url) = self.url.as_ref().map(|url| url.0.trim()).filter(|url| !url.is_empty()) {
            let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
            if rest.is_none_or(|rest| rest.is_empty() || rest.starts_with('/')) {
                problem("url", format!("must begin with http:// or https:// and name a host, got `{url}`"));
            }
        }
        if let Some(message) = self.qps.and_then(|qps| rate_problem(qps.0)) {
            problem("qps", message);
        }
        if self.num_requests == Some(Count(0)) {
            problem("numRequests", "must be at least 1, got 0".to_owned());
        }
        for (key, number) in [("connections", self.connections), ("concurrency", self.concurrency)] {
            if let Some(Count(number)) = number.filter(|n| n.0 == 0 || n.0 > MAX_CONNECTIONS) {
                problem(key, format!("must be from 1 to {MAX_CONNECTIONS}, got {number}"));
            }
        }
        for (key, duration) in [("duration", self.duration), ("timeout", self.timeout)] {
            if duration.is_some_and(|duration| duration.0.is_zero()) {
                problem(key, "must be longer than 0s".to_owned());
            }
        }
        if self.error_ranges.iter().flatten().any(|range| range.lower.is_none() && range.upper.is_none()) {
            problem("errorRanges", "has a range with neither lower nor upper".to_owned());
        }
        if let Some(url) = self.payload_url.as_ref().filter(|url| !is_fetched(&url.0)) {
            problem("payloadURL", format!("must begin with http:// or https:// and name a host, got `{}`", url.0));
        }
        if let Some(method) = self.method.as_ref().filter(|method| !is_token(&method.0)) {
            problem("method", format!("must be an HTTP method such as GET or PUT, got `{}`", method.0));
        }
        if let Some(Count(streams)) = self.streams.filter(|n| n.0 == 0 || n.0 > MAX_STREAMS) {
            problems.push(Problem::at("streams", format!("must be from 1 to {MAX_STREAMS}, got {streams}")));
        }
        let tls = self.tls.iter().flat_map(Tls::validate);
        problems.extend(tls.map(|problem| problem.under("tls")));
        problems.extend(header_problems("headers", &self.headers));
        problems.extend(header_problems("fetchHeaders", &self.fetch_headers));
        problems.extend(self.pace.validate());
        problems
    }

    /// What no load can do without.
    fn missing(&self) -> Option<Problem> {
        let is_missing = self.url.as_ref().is_none_or(|url| url.0.trim().is_empty());
        let message = "is required: set it to what to request, as in http://httpbin.default/get";
        is_missing.then(|| Problem::at("url", message))
    }

    /// Which keys contradict each other.
    fn contradictions(&self) -> Vec<Problem> {
        let concurrency = self.concurrency.map(|concurrency| concurrency.0);
        let mut problems = self.pace.contradictions(self.qps.map(|_| "qps"), concurrency);
        if let (Some(concurrency), Some(connections)) = (concurrency, self.connections) {
            if self.is_http2() && !concurrency.is_multiple_of(connections.0.max(1)) {
                let message = format!(
                    "is {concurrency}, which {} connections cannot share evenly: set a multiple of them",
                    connections.0
                );
                problems.push(Problem::at("concurrency", message));
            }
            if !self.is_http2() && concurrency != connections.0 {
                let message = format!(
                    "is {concurrency}, which contradicts connections: each request that is under way has one of its own"
                );
                problems.push(Problem::at("concurrency", message));
            }
        }
        if let Some(Count(streams)) = self.streams {
            let message = match (self.is_http2(), concurrency) {
                (false, _) => Some("means nothing without http2: true"),
                (true, Some(_)) => Some("contradicts concurrency, which says how many requests are under way"),
                (true, None) => None,
            };
            problems.extend(message.map(|message| Problem::at("streams", format!("is {streams}, which {message}"))));
        }
        if self.is_http2() && self.keep_alive == Some(Flag(false)) {
            let message = "is false, which contradicts http2: its connections carry many requests";
            problems.push(Problem::at("keepAlive", message));
        }
        if self.is_http2() && self.follow_redirects == Some(Flag(true)) {
            problems.push(Problem::at("followRedirects", "is true, which only works without http2"));
        }
        let is_plain = self.url.as_ref().is_some_and(|url| url.0.trim().starts_with("http://"));
        if is_plain && self.tls.is_some() {
            let message = "means nothing for an http:// URL, which is not encrypted: write https://";
            problems.push(Problem::at("tls", message));
        }
        if !self.fetch_headers.is_empty() && self.payload_url.is_none() {
            problems.push(Problem::at("fetchHeaders", "means nothing without payloadURL"));
        }
        let ends_at_zero = self.pace.length().is_some() && self.pace.arrivals(0.0, None).last_rate() == Some(0.0);
        if let (true, Some(requests)) = (ends_at_zero, self.num_requests) {
            let message = format!(
                "is {}, which a schedule that ends at 0 requests a second may never reach: set duration instead",
                requests.0
            );
            problems.push(Problem::at("numRequests", message));
        }
        problems
    }

    /// The keys that say when requests are sent, of those that are given.
    fn keys_of_time(&self) -> Vec<&'static str> {
        let keys = [
            ("numRequests", self.num_requests.is_some()),
            ("duration", self.duration.is_some()),
            ("qps", self.qps.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("schedule", self.pace.schedule.is_some()),
            ("arrivals", self.pace.arrivals.is_some()),
            ("seed", self.pace.seed.is_some()),
            ("warmupNumRequests", self.pace.warmup_num_requests.is_some()),
            ("warmupDuration", self.pace.warmup_duration.is_some()),
        ];
        keys.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }
}
