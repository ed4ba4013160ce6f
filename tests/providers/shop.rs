//! The app that is measured: four versions, with the counters and histograms that Istio's proxies keep of them. Its
//! numbers are chosen so that the answers are known exactly.
//!
//! - `v1` served 200 more requests than at first, 20 of them with an error, for 10,000 ms in all.
//! - `v2` served 300 more, none with an error, and never had one: there is no series of its errors.
//! - `idle` was there and served none.
//! - `gone` has no series at all.

use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

/// Of how many versions: those of [`VERSIONS`].
pub(crate) const VERSIONS: [&str; 4] = ["v1", "v2", "idle", "gone"];

pub(crate) struct Shop(HttpTarget);

impl Shop {
    /// An app that has been there for long: its counters are high already.
    pub(crate) fn open() -> Self {
        let shop = Self(HttpTarget::start(Behaviour::OK));
        shop.0.on("/metrics", page(false));
        shop
    }

    /// All requests are served, at once.
    pub(crate) fn serve(&self) {
        self.0.on("/metrics", page(true));
    }

    /// Where its metrics are, without the scheme and the path.
    pub(crate) fn authority(&self) -> String {
        self.0.authority()
    }
}

/// What is scraped, before and after all requests.
fn page(after: bool) -> Behaviour {
    let mut page = String::new();
    let mut line = |name: &str, labels: &str, before: u32, more: u32| {
        let value = before + if after { more } else { 0 };
        page.push_str(&format!("{name}{{{labels}}} {value}\n"));
    };
    for (version, served, failed, milliseconds) in
        [("v1", 180, Some(20), 10_000), ("v2", 300, None, 600), ("idle", 0, None, 0)]
    {
        let labels = format!("destination_workload=\"{version}\",version=\"{version}\",reporter=\"destination\"");
        let code = |code: u32| format!("{labels},response_code=\"{code}\"");
        line("istio_requests_total", &code(200), 1_000_000, served);
        if let Some(failed) = failed {
            line("istio_requests_total", &code(503), 100_000, failed);
        }
        let all = served + failed.unwrap_or_default();
        // Half of them within 10 ms, 95 % within 100 ms, 99 % within a second, the others later.
        for (bound, share) in [("10", 50), ("100", 95), ("1000", 99), ("+Inf", 100)] {
            let bucket = format!("{labels},le=\"{bound}\"");
            line("istio_request_duration_milliseconds_bucket", &bucket, 5_000 * share, all * share / 100);
        }
        line("istio_request_duration_milliseconds_sum", &labels, 7_000_000, milliseconds);
        line("istio_request_duration_milliseconds_count", &labels, 500_000, all);
        line("shop_queue_length", &format!("version=\"{version}\""), 3, 4);
    }
    Behaviour::Text(page.leak())
}

/// The values that tell the versions from each other, by the label `name`.
pub(crate) fn version_values(name: &str) -> Vec<Value> {
    VERSIONS.iter().map(|version| json!({ "labels": { name: version } })).collect()
}
