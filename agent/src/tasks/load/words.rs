//! What a load says of itself in words: how far it is, and what it did.

use std::time::Duration;

use iter8_load::{Progress, Report, Warmup};

use super::metrics::millis;
use crate::tasks::TaskError;

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
    // A closed load by duration asks for as many as there come.
    let of = if offered == 0 { String::new() } else { format!(" of {offered}") };
    format!("{completed}{of} requests, {errors} errors, p50 {}, p99 {}", quantile(p50), quantile(p99))
}

/// `text`, about one of several endpoints if there are several.
pub(crate) fn said(endpoint: Option<&str>, text: String) -> String {
    match endpoint {
        Some(endpoint) => format!("{endpoint}: {text}"),
        None => text,
    }
}

/// An error, of one of several endpoints if there are several.
pub(crate) fn named(endpoint: Option<&str>, error: TaskError) -> TaskError {
    match endpoint {
        Some(endpoint) => TaskError::Endpoint { endpoint: endpoint.to_owned(), source: Box::new(error) },
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_load_is_says_of_how_many_if_that_is_known() {
        let far = Progress { completed: 5, ..Progress::default() };
        assert_eq!(shown(&far), "5 requests, 0 errors, p50 -, p99 -");
        let (ms, other) = (Duration::from_millis, Progress { offered: 20, completed: 10, errors: 1, ..far });
        let loads = [Progress { offered: 10, p50: Some(ms(2)), p99: Some(ms(9)), ..far }, other];
        assert_eq!(shown(&together(&loads)), "15 of 30 requests, 1 errors, p50 2.0 ms, p99 9.0 ms");
    }
}
