//! What a load says of itself in words: how far it is, and what it did.

use std::time::Duration;

use iter8_load::{Progress, Report, Warmup};

use super::metrics::millis;

/// What a load did, in a sentence.
pub(crate) fn summary(report: &Report) -> String {
    let errors = report.error_count();
    let rate = report.completed as f64 / report.elapsed.as_secs_f64().max(1e-9);
    let mut text = format!(
        "{} requests in {:.1} s ({rate:.0}/s), {errors} errors",
        report.completed,
        report.elapsed.as_secs_f64()
    );
    if let Some((kind, detail)) = report.errors.iter().max_by_key(|(_, detail)| detail.count) {
        text += &format!(" ({kind} × {})", detail.count);
    }
    let Warmup { completed, errors } = report.warmup;
    if completed > 0 {
        text += &format!(", after {completed} to warm up with {errors} errors");
    }
    if report.dropped + report.censored > 0 {
        text += &format!(", {} not sent, {} without end", report.dropped, report.censored);
    }
    text
}

/// How far several loads are that run at the same time: requests are counted together, and times are those of the slowest.
pub(crate) fn together(loads: &[Progress]) -> Progress {
    Progress {
        offered: loads.iter().map(|load| load.offered).sum(),
        completed: loads.iter().map(|load| load.completed).sum(),
        errors: loads.iter().map(|load| load.errors).sum(),
        p50: loads.iter().filter_map(|load| load.p50).max(),
        p99: loads.iter().filter_map(|load| load.p99).max(),
    }
}

/// How far a load is.
pub(crate) fn shown(progress: &Progress) -> String {
    let quantile =
        |time: Option<Duration>| time.map_or_else(|| "-".to_owned(), |time| format!("{:.1} ms", millis(time)));
    let Progress { offered, completed, errors, p50, p99 } = *progress;
    format!("{completed} of {offered} requests, {errors} errors, p50 {}, p99 {}", quantile(p50), quantile(p99))
}
