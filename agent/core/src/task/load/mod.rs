//! What all tasks that send load have in common, whatever protocol they speak: when requests are sent, for how long, what
//! goes before the measurement, and how settings of an endpoint stand over those of the task. What is sent, and the names
//! of the metrics, are the business of each task.

mod app_version;
mod endpoints;
mod headers;
mod pace;
mod schedule;
mod search;
mod tls;

pub use app_version::{AppVersion, Claim, version_problems};
pub use endpoints::{Excludes, Order, Share, id_problem, order_problems, over};
pub use headers::{header_problems, is_fetched, is_token};
pub use pace::{ArrivalKind, Arrivals, Level, Limit, Pace, Timing, WhenBusy};
pub use schedule::{Rate, Schedule, Stage};
pub use search::{Found, Outcome, Probe, Search};
pub(crate) use tls::is_object_name;
pub use tls::{Pem, Tls};

/// The percentiles that are always reported.
pub const PERCENTILES: [f64; 6] = [50.0, 75.0, 90.0, 95.0, 99.0, 99.9];
/// The most connections that can be asked for.
pub const MAX_CONNECTIONS: u64 = 65_536;
/// The highest rate that can be asked for, in requests a second.
pub const MAX_RATE: f64 = 1e6;

/// Name of the metric that a search for the highest rate measures.
pub const MAX_RATE_METRIC: &str = "max-rate";

/// What is wrong with a rate, if anything.
pub fn rate_problem(rate: f64) -> Option<String> {
    (rate <= 0.0 || rate > MAX_RATE)
        .then(|| format!("must be above 0 and at most {MAX_RATE} requests a second, got {rate}"))
}
