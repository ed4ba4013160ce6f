//! What is wrong with the inputs of the task `grpc`, each problem with its place.

use serde_json::Value;

use super::name::{authority, is_authority, split_call};
use super::timing::Model;
use super::{Calls, Grpc, PROVIDER, ScheduleKind, is_on};
use crate::scalar::{Count, Flag, Real};
use crate::schema::Problem;
use crate::task::load::{
    Claim, MAX_CONNECTIONS, MAX_RATE, Order, Share, Tls, header_problems, id_problem, is_fetched, order_problems,
    version_problems,
};

impl Grpc {
    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = self.common.keys();
        for (id, endpoint) in &self.endpoints {
            problems.extend(id_problem(id).map(|message| Problem::at("endpoints", message)));
            let place = format!("endpoints.{id}");
            problems.extend(endpoint.calls.keys().into_iter().map(|problem| problem.under(&place)));
        }
        problems.extend(self.order_problems());
        problems.extend(self.version_problems());
        let search = self
            .search
            .iter()
            .flat_map(|search| search.problems(PROVIDER, !self.endpoints.is_empty(), &self.common.keys_of_load()));
        let mut own: Vec<Problem> = search.collect();
        if own.is_empty() {
            own = self.common().contradictions();
        }
        if !own.is_empty() {
            problems.extend(own);
            return problems;
        }
        for part in self.parts() {
            let place = part.endpoint.as_ref().map(|id| format!("endpoints.{id}")).unwrap_or_default();
            let found = part.calls.missing().into_iter().chain(part.calls.contradictions());
            for problem in found.map(|problem| problem.under(&place)) {
                // What an endpoint says wrongly is said once.
                if !problems.iter().any(|said| said.path == problem.path) {
                    problems.push(problem);
                }
            }
        }
        problems
    }

    fn version_problems(&self) -> Vec<Problem> {
        let parts = self.parts();
        let pairs = self.endpoints.iter().zip(&parts);
        let claims =
            pairs.map(|((id, own), all)| Claim { id, own: &own.calls.app_version, all: &all.calls.app_version });
        version_problems(&self.common.app_version, &claims.collect::<Vec<_>>())
    }

    fn order_problems(&self) -> Vec<Problem> {
        let shares: Vec<Share<'_>> = self
            .endpoints
            .iter()
            .map(|(id, endpoint)| Share { id, weight: endpoint.weight, keys_of_time: endpoint.calls.keys_of_time() })
            .collect();
        let mut problems = order_problems(self.endpoints_order, &shares);
        let has_rate = self.common.models().iter().any(|model| model.is_open());
        if !shares.is_empty() && self.order() == Order::SideBySide && !has_rate {
            let message = "is sideBySide, where endpoints share a rate: set rps, load-schedule or schedule";
            problems.push(Problem::at("endpointsOrder", message));
        }
        problems
    }
}

impl Calls {
    /// What is wrong with single keys.
    fn keys(&self) -> Vec<Problem> {
        let mut problems = self.pace.validate();
        problems.extend(self.refused_keys());
        let mut problem = |key: &str, message: String| problems.push(Problem::at(key, message));
        if let Some(Err(message)) = self.host.as_ref().filter(|host| !host.0.trim().is_empty()).map(|h| authority(&h.0))
        {
            problem("host", message);
        }
        if let Some(Err(message)) =
            self.call.as_ref().filter(|call| !call.0.trim().is_empty()).map(|call| split_call(&call.0))
        {
            problem("call", message);
        }
        for (key, number) in [
            ("total", self.total),
            ("concurrency", self.concurrency),
            ("connections", self.connections),
            ("concurrency-start", self.concurrency_start),
        ] {
            let most = if key == "total" { u64::MAX } else { MAX_CONNECTIONS };
            if let Some(Count(number)) = number.filter(|number| number.0 == 0 || number.0 > most) {
                let range = if key == "total" { "at least 1".to_owned() } else { format!("from 1 to {most}") };
                problem(key, format!("must be {range}, got {number}"));
            }
        }
        if let Some(Count(end)) = self.concurrency_end.filter(|end| end.0 > MAX_CONNECTIONS) {
            problem("concurrency-end", format!("must be at most {MAX_CONNECTIONS}, got {end}"));
        }
        if let Some(Count(count)) = self.stream_call_count.filter(|count| count.0 > u64::from(u32::MAX)) {
            problem("stream-call-count", format!("must be at most {}, got {count}", u32::MAX));
        }
        for (key, rate) in [("rps", self.rps), ("load-start", self.load_start), ("load-end", self.load_end)] {
            if let Some(Real(rate)) = rate.filter(|rate| !(0.0..=MAX_RATE).contains(&rate.0)) {
                problem(key, format!("must be from 0 to {MAX_RATE} calls a second, got {rate}"));
            }
        }
        for (key, duration) in [
            ("duration", self.duration),
            ("max-duration", self.max_duration),
            ("timeout", self.timeout),
            ("connect-timeout", self.connect_timeout),
        ] {
            if duration.is_some_and(|duration| duration.0.is_zero()) {
                problem(key, "must be longer than 0s".to_owned());
            }
        }
        for (key, size) in [
            ("max-recv-message-size", &self.max_recv_message_size),
            ("max-send-message-size", &self.max_send_message_size),
        ] {
            if let Some(Err(message)) = size.as_ref().map(super::Size::bytes) {
                problem(key, message);
            }
        }
        match self.data.as_ref().map(|data| &data.0) {
            Some(Value::Array(items)) if items.is_empty() => {
                problem("data", "is an empty list: give at least one message".to_owned());
            }
            Some(Value::Array(items)) => {
                for (index, item) in items.iter().enumerate().filter(|(_, item)| !item.is_object()) {
                    problem(
                        &format!("data[{index}]"),
                        format!("must be a map with the fields of a message, got {item}"),
                    );
                }
            }
            _ => {}
        }
        if let Some(authority) = self.authority.as_ref().filter(|text| !is_authority(text.0.trim())) {
            problem("authority", format!("must be a host, with or without a port, got `{}`", authority.0));
        }
        for (key, url) in self.urls().filter(|(_, url)| !is_fetched(url)) {
            problem(key, format!("must begin with http:// or https:// and name a host, got `{url}`"));
        }
        for (key, metadata) in [("metadata", &self.metadata), ("reflect-metadata", &self.reflect_metadata)] {
            let found = metadata.iter().map(|(name, value)| (format!("{key}.{name}"), value.reference_problems()));
            problems.extend(found.flat_map(|(place, found)| found.into_iter().map(move |found| found.under(&place))));
        }
        problems.extend(header_problems("fetchHeaders", &self.fetch_headers));
        let tls = self.tls.iter().flat_map(Tls::validate);
        problems.extend(tls.map(|problem| problem.under("tls")).collect::<Vec<_>>());
        problems
    }

    fn refused_keys(&self) -> Vec<Problem> {
        let refused = &self.refused;
        let keys = [
            ("cacert", refused.cacert.is_some(), "tls.ca"),
            ("cert", refused.cert.is_some(), "tls.cert"),
            ("key", refused.key.is_some(), "tls.key"),
            ("cname", refused.cname.is_some(), "tls.serverName"),
            ("skipTLS", is_on(refused.skip_tls), "tls.insecure"),
        ];
        let given = keys.into_iter().filter(|(_, is_given, _)| *is_given);
        given
            .map(|(key, _, instead)| {
                let why = "had no effect in Iter8 v0.13, which never encrypted a connection";
                Problem::at(key, format!("{why}: write {instead} to use it, or leave it out"))
            })
            .collect()
    }

    /// What no load can do without.
    fn missing(&self) -> Vec<Problem> {
        let is_missing = |text: &Option<crate::scalar::Text>| text.as_ref().is_none_or(|text| text.0.trim().is_empty());
        [
            ("host", is_missing(&self.host), "is required: set it to where the service is, as in shop.default:50051"),
            ("call", is_missing(&self.call), "is required: set it to a method, as in package.Service.Method"),
        ]
        .into_iter()
        .filter(|(_, is_missing, _)| *is_missing)
        .map(|(key, _, message)| Problem::at(key, message))
        .collect()
    }

    /// The keys that say at which rate or for how long calls are made, of those that are given.
    fn keys_of_load(&self) -> Vec<&'static str> {
        let keys = [
            ("total", self.total.is_some()),
            ("duration", self.duration.is_some()),
            ("max-duration", self.max_duration.is_some()),
            ("skipFirst", self.skip_first.is_some()),
            ("rps", self.rps.is_some()),
            ("schedule", self.pace.schedule.is_some()),
            ("load-schedule", self.load_schedule.is_some()),
            ("concurrency", self.concurrency.is_some()),
            ("concurrency-schedule", self.concurrency_schedule.is_some()),
        ];
        keys.into_iter().filter(|(_, is_given)| *is_given).map(|(key, _)| key).collect()
    }

    /// The same, with everything that goes with them.
    fn keys_of_time(&self) -> Vec<&'static str> {
        let more = [
            ("arrivals", self.pace.arrivals.is_some()),
            ("seed", self.pace.seed.is_some()),
            ("warmupNumRequests", self.pace.warmup_num_requests.is_some()),
            ("warmupDuration", self.pace.warmup_duration.is_some()),
        ];
        let of_schedules = self.load_schedule_keys().given.into_iter().chain(self.concurrency_schedule_keys().given);
        let more = more.into_iter().chain(of_schedules).filter(|(_, is_given)| *is_given).map(|(key, _)| key);
        self.keys_of_load().into_iter().chain(more).collect()
    }

    /// Which keys contradict each other.
    fn contradictions(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut problem = |key: &str, message: String| problems.push(Problem::at(key, message));
        let models = self.models();
        if let [first, second, ..] = models[..] {
            problem(second.key(), format!("contradicts {}: give one of them", first.key()));
        }
        let is_open = models.iter().any(|model| model.is_open());
        let needs_rate = [
            ("arrivals", self.pace.arrivals.is_some()),
            ("seed", self.pace.seed.is_some()),
            ("whenBusy", self.pace.when_busy.is_some()),
        ];
        if let Some((key, _)) = needs_rate.into_iter().find(|(_, is_given)| *is_given && !is_open) {
            problem(key, "means nothing without a rate: set rps, load-schedule or schedule".to_owned());
        }
        let (connections, concurrency) = (self.connections(), self.concurrency());
        if models.is_empty() && connections > concurrency {
            let message =
                format!("is {connections}, which is more than the {concurrency} calls under way (concurrency)");
            problem("connections", message);
        }
        if !self.fetch_headers.is_empty() && self.urls().next().is_none() {
            problem("fetchHeaders", "means nothing without a URL to fetch, as dataURL is one".to_owned());
        }
        match (self.insecure, &self.tls) {
            (Some(Flag(false)), None) => {
                problem("insecure", "is false: set tls, if need be to an empty map, to encrypt connections".to_owned());
            }
            (Some(Flag(true)), Some(_)) => {
                problem("insecure", "is true, which contradicts tls: give one of them".to_owned());
            }
            (_, _) => {}
        }
        if let Some(Count(skipped)) = self.skip_first.filter(|skipped| skipped.0 > 0) {
            if self.pace.warmup_duration.is_some() && self.pace.warmup_num_requests.is_none() {
                problem("skipFirst", format!("is {skipped}, which contradicts warmupDuration: give one of them"));
            } else if self.duration.is_none() && skipped >= self.total() {
                let total = self.total();
                problem("skipFirst", format!("must be less than total, which is {total}, got {skipped}"));
            }
        }
        problems.extend(self.load_schedule_keys().problems());
        problems.extend(self.concurrency_schedule_keys().problems());
        problems
    }

    fn load_schedule_keys(&self) -> ScheduleKeys {
        let number = |number: Option<Real>| number.map_or(0.0, |number| number.0);
        ScheduleKeys {
            kind: self.load_schedule,
            of: "load",
            start: number(self.load_start),
            end: number(self.load_end),
            step: number(self.load_step),
            step_duration: self.load_step_duration.is_some_and(|duration| !duration.0.is_zero()),
            given: [
                ("load-start", self.load_start.is_some()),
                ("load-end", self.load_end.is_some()),
                ("load-step", self.load_step.is_some()),
                ("load-step-duration", self.load_step_duration.is_some()),
                ("load-max-duration", self.load_max_duration.is_some()),
            ],
        }
    }

    fn concurrency_schedule_keys(&self) -> ScheduleKeys {
        let number = |number: Option<Count>, default: f64| number.map_or(default, |number| number.0 as f64);
        ScheduleKeys {
            kind: self.concurrency_schedule,
            of: "concurrency",
            start: number(self.concurrency_start, 1.0),
            end: number(self.concurrency_end, 0.0),
            step: self.concurrency_step.map_or(0.0, |step| step.0),
            step_duration: self.concurrency_step_duration.is_some_and(|duration| !duration.0.is_zero()),
            given: [
                ("concurrency-start", self.concurrency_start.is_some()),
                ("concurrency-end", self.concurrency_end.is_some()),
                ("concurrency-step", self.concurrency_step.is_some()),
                ("concurrency-step-duration", self.concurrency_step_duration.is_some()),
                ("concurrency-max-duration", self.concurrency_max_duration.is_some()),
            ],
        }
    }
}

/// The keys of one of the two schedules.
struct ScheduleKeys {
    kind: Option<ScheduleKind>,
    of: &'static str,
    start: f64,
    end: f64,
    step: f64,
    step_duration: bool,
    given: [(&'static str, bool); 5],
}

impl ScheduleKeys {
    fn problems(&self) -> Vec<Problem> {
        let Self { of, start, end, step, .. } = self;
        let at = |key: &str, message: String| Problem::at(&format!("{of}-{key}"), message);
        let kind = self.kind.unwrap_or_default();
        if kind == ScheduleKind::Const {
            // ghz took zeros for nothing.
            let given = self.given.iter().find(|(_, is_given)| *is_given && (*start, *step) != (0.0, 0.0));
            return given
                .filter(|_| self.step != 0.0)
                .map(|(key, _)| {
                    Problem::at(key, format!("means nothing without {of}-schedule: set it to step or line"))
                })
                .into_iter()
                .collect();
        }
        let mut problems = Vec::new();
        if *step == 0.0 {
            problems.push(at("step", "is required with a schedule, and must not be 0".to_owned()));
        } else if *end > 0.0 && (end - start).signum() != step.signum() {
            let message = format!("is {step}, which does not lead from {of}-start ({start}) to {of}-end ({end})");
            problems.push(at("step", message));
        } else if *end == 0.0 && *step < 0.0 {
            problems.push(at("end", "is required when the step is below 0, and must be above 0".to_owned()));
        }
        if kind == ScheduleKind::Step && !self.step_duration {
            problems.push(at(
                "step-duration",
                "is required with a schedule of steps, and must be longer than 0s".to_owned(),
            ));
        }
        if kind == ScheduleKind::Step && *start == 0.0 {
            problems.push(at("start", "is required with a schedule of steps, and must be above 0".to_owned()));
        }
        problems
    }
}

impl Model {
    const fn key(self) -> &'static str {
        match self {
            Self::Rate => "rps",
            Self::Schedule => "schedule",
            Self::LoadSchedule => "load-schedule",
            Self::Concurrency => "concurrency",
            Self::ConcurrencySchedule => "concurrency-schedule",
        }
    }

    const fn is_open(self) -> bool {
        match self {
            Self::Rate | Self::Schedule | Self::LoadSchedule => true,
            Self::Concurrency | Self::ConcurrencySchedule => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::task::Task;

    /// Problems of `with` beside a host and a call that are right.
    fn problems(with: Value) -> Vec<String> {
        let mut all = json!({ "host": "a:1", "call": "p.S.M" });
        let (Value::Object(all_keys), Value::Object(keys)) = (&mut all, with) else { panic!("not maps") };
        all_keys.extend(keys);
        match Task::parse("grpc", &all).expect("is a task") {
            Ok(_) => Vec::new(),
            Err(problems) => problems.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn every_key_of_ghz_is_taken() {
        let with = r#"{
            "proto": "a.proto", "protoset": "a.bin", "count-errors": true, "skipTLS": false, "skipFirst": 1, "authority": "b",
            "insecure": true, "total": "100", "async": true, "concurrency": 5, "concurrency-schedule": "const", "connections": 2,
            "rps": 10, "duration": "5s", "duration-stop": "close", "max-duration": "10s", "timeout": "1s", "data": [{ "a": 1 }],
            "data-file": "d", "binary-file": "b", "metadata": { "a": 1 }, "metadata-file": "m", "stream-interval": "1ms",
            "stream-call-duration": "1s", "stream-call-count": 3, "stream-dynamic-messages": true, "output": "o", "format": "json",
            "connect-timeout": "1s", "keepalive": "1s", "cpus": 2, "import-paths": ["p"], "name": "n", "tags": { "a": "b" },
            "reflect-metadata": { "a": "b" }, "debug": "d", "enable-compression": true, "load-schedule": "const",
            "lb-strategy": "round_robin", "max-recv-message-size": "8MB", "max-send-message-size": "8MB",
            "disable-template-functions": false, "disable-template-data": false, "protoURL": "http://a", "dataURL": "http://a",
            "binaryDataURL": "http://a", "metadataURL": "http://a", "protosetURL": "http://a", "warmupNumRequests": 5
        }"#;
        assert_eq!(problems(serde_json::from_str(with).unwrap()), Vec::<String>::new());
        let endpoints = json!({ "endpoints": { "a": { "call": "p.S.N" }, "b": { "host": "c:1", "data": {} } } });
        assert_eq!(problems(endpoints), Vec::<String>::new());
    }

    #[test]
    fn bad_inputs_are_named_with_their_value_and_what_to_do() {
        for (with, message) in [
            (json!({ "host": "" }), "`host` is required: set it to where the service is, as in shop.default:50051"),
            (json!({ "call": null }), "`call` is required: set it to a method, as in package.Service.Method"),
            (
                json!({ "host": "https://a:1" }),
                "`host` must be host:port, as in shop.default:50051, got `https://a:1`, without a scheme: set tls to encrypt connections",
            ),
            (json!({ "host": "a:b" }), "`host` must be host:port, as in shop.default:50051, got `a:b`"),
            (json!({ "call": "M" }), "`call` must be package.Service.Method or package.Service/Method, got `M`"),
            (json!({ "total": 0 }), "`total` must be at least 1, got 0"),
            (json!({ "concurrency": 70_000 }), "`concurrency` must be from 1 to 65536, got 70000"),
            (json!({ "rps": -1 }), "`rps` must be from 0 to 1000000 calls a second, got -1"),
            (json!({ "timeout": "0s" }), "`timeout` must be longer than 0s"),
            (json!({ "timeout": "20" }), "`timeout` must be a duration such as 500ms, 30s or 5m, got \"20\""),
            (
                json!({ "max-recv-message-size": "4 XB" }),
                "`max-recv-message-size` must be a size from 1 byte to 4 GiB such as 4MB or 16MiB, got `4 XB`",
            ),
            (json!({ "data": "@" }), "`data` must be a map, got \"@\""),
            (json!({ "data": [] }), "`data` is an empty list: give at least one message"),
            (json!({ "data": [{}, 5] }), "`data[1]` must be a map with the fields of a message, got 5"),
            (
                json!({ "connections": 8, "concurrency": 5 }),
                "`connections` is 8, which is more than the 5 calls under way (concurrency)",
            ),
            (
                json!({ "cacert": "f" }),
                "`cacert` had no effect in Iter8 v0.13, which never encrypted a connection: write tls.ca to use it, or leave it out",
            ),
            (
                json!({ "skipTLS": true }),
                "`skipTLS` had no effect in Iter8 v0.13, which never encrypted a connection: write tls.insecure to use it, or leave it out",
            ),
            (
                json!({ "insecure": false }),
                "`insecure` is false: set tls, if need be to an empty map, to encrypt connections",
            ),
            (json!({ "insecure": true, "tls": {} }), "`insecure` is true, which contradicts tls: give one of them"),
            (json!({ "tls": { "cert": "c" } }), "`tls.key` is required with cert: it is the certificate's private key"),
            (json!({ "skipFirst": 200 }), "`skipFirst` must be less than total, which is 200, got 200"),
            (
                json!({ "arrivals": "poisson" }),
                "`arrivals` means nothing without a rate: set rps, load-schedule or schedule",
            ),
            (
                json!({ "rps": 5, "concurrency-schedule": "line", "concurrency-step": 1 }),
                "`concurrency-schedule` contradicts rps: give one of them",
            ),
            (
                json!({ "load-schedule": "step", "load-start": 1, "load-step": 1 }),
                "`load-step-duration` is required with a schedule of steps, and must be longer than 0s",
            ),
            (
                json!({ "load-schedule": "line", "load-start": 1 }),
                "`load-step` is required with a schedule, and must not be 0",
            ),
            (
                json!({ "load-schedule": "line", "load-start": 50, "load-end": 10, "load-step": 5 }),
                "`load-step` is 5, which does not lead from load-start (50) to load-end (10)",
            ),
            (json!({ "load-step": 5 }), "`load-step` means nothing without load-schedule: set it to step or line"),
            (
                json!({ "load-schedule": "steps" }),
                "`load-schedule` must be one of const, step, line, got \"steps\"; did you mean `step`?",
            ),
            (json!({ "protoUrl": "x" }), "`protoUrl` is not a known key; did you mean `protoURL`?"),
            (
                json!({ "endpoints": { "a b": {} } }),
                "`endpoints` has `a b`, which cannot be part of a metric's name: use letters, digits, `-`, `_` and `.`",
            ),
            (json!({ "endpoints": { "a": { "total": 0 } } }), "`endpoints.a.total` must be at least 1, got 0"),
            (json!({ "dataURL": "a/b" }), "`dataURL` must begin with http:// or https:// and name a host, got `a/b`"),
            (
                json!({ "fetchHeaders": { "a": 1 } }),
                "`fetchHeaders` means nothing without a URL to fetch, as dataURL is one",
            ),
            (
                json!({ "metadata": { "a": { "env": "A B" } } }),
                "`metadata.a.env` must be the name of a variable, as in SLACK_URL, got `A B`",
            ),
            (json!({ "endpointsOrder": "sequence" }), "`endpointsOrder` means nothing without endpoints"),
            (
                json!({ "endpoints": { "a": { "weight": 2 } } }),
                "`endpoints.a.weight` is 2, which means nothing without endpointsOrder: sideBySide",
            ),
            (
                json!({ "rps": 5, "endpointsOrder": "sideBySide", "endpoints": { "a": { "weight": 1001 } } }),
                "`endpoints.a.weight` must be from 1 to 1000, got 1001",
            ),
            (
                json!({ "rps": 5, "endpointsOrder": "sideBySide", "endpoints": { "a": { "load-max-duration": "1s" } } }),
                "`endpoints.a.load-max-duration` belongs to the load that all endpoints share side by side: set it for the task",
            ),
            (
                json!({ "endpointsOrder": "sideBySide", "endpoints": { "a": {} } }),
                "`endpointsOrder` is sideBySide, where endpoints share a rate: set rps, load-schedule or schedule",
            ),
        ] {
            assert_eq!(problems(with.clone()), [message], "{with}");
        }
    }

    #[test]
    fn a_search_decides_itself_which_rates_are_tried() {
        for (more, message) in [
            (json!({ "rps": 5 }), "`search` contradicts rps: it tries rates by itself, each for a while"),
            (json!({ "total": 5 }), "`search` contradicts total: it tries rates by itself, each for a while"),
            (json!({ "duration": "5s" }), "`search` contradicts duration: it tries rates by itself, each for a while"),
            (
                json!({ "concurrency": 5 }),
                "`search` contradicts concurrency: it tries rates by itself, each for a while",
            ),
            (
                json!({ "load-schedule": "line", "load-start": 1, "load-step": 1 }),
                "`search` contradicts load-schedule: it tries rates by itself, each for a while",
            ),
            (
                json!({ "concurrency-schedule": "line", "concurrency-step": 1 }),
                "`search` contradicts concurrency-schedule: it tries rates by itself, each for a while",
            ),
            (
                json!({ "endpoints": { "a": {} } }),
                "`search` tries one target, and there are endpoints: search them one by one",
            ),
            (
                json!({ "search": { "SLOs": { "lower": { "grpc/max-rate": 5 } } } }),
                "`search.SLOs` has `grpc/max-rate`, which a load at a given rate does not measure",
            ),
            (
                json!({ "search": { "from": 0 }, "arrivals": "even" }),
                "`search.from` must be above 0 and at most 1000000 requests a second, got 0",
            ),
            (json!({ "search": { "form": 1 } }), "`search.form` is not a known key; did you mean `from`?"),
        ] {
            let mut with = json!({ "search": {} });
            with.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            assert_eq!(problems(with), [message], "{more}");
        }
        // It has a rate, and as many connections as are asked for.
        let with = json!({ "search": {}, "arrivals": "poisson", "whenBusy": "drop", "connections": 200 });
        assert_eq!(problems(with), Vec::<String>::new());
    }
}
