//! The report for people. What stands in it is in the result; this file only arranges it.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use iter8_core::Verdict;
use iter8_core::assess::{distinct, significant};
use iter8_core::result::{ExperimentResult, LoadDetails, StepStatus};
use iter8_core::slo::SloResult;

use super::format::Style;
use super::words::{ALL_VERSIONS, Headline, Tone, columns, judged_version, load_name, loads, order, shown_interval};
use crate::table::printable;

/// Draws the whole report.
pub(super) fn draw(result: &ExperimentResult, style: &Style) -> String {
    let sections = [
        headline(result, style),
        summary(result, style),
        objectives(result, style),
        metrics(result, style),
        load(result, style),
        remarks(result, style),
    ];
    let mut report = sections.into_iter().filter(|section| !section.is_empty()).collect::<Vec<_>>().join("\n");
    report.push('\n');
    report
}

fn headline(result: &ExperimentResult, style: &Style) -> String {
    let Headline { sign, word, tone } = Headline::of(result);
    let color = match tone {
        Tone::Good => "32",
        Tone::Bad => "31",
        Tone::Doubtful => "33",
        Tone::Open => "36",
    };
    let reason = if result.verdict_reason.is_empty() {
        String::new()
    } else {
        format!(": {}", printable(&result.verdict_reason))
    };
    let lines = wrapped(&format!("{sign} {word}{reason}"), style.width, 2);
    if style.color { format!("\x1b[1;{color}m{}\x1b[0m\n", lines.trim_end()) } else { lines }
}

fn title(text: &str, style: &Style) -> String {
    if style.color { format!("\x1b[1m{text}\x1b[0m\n") } else { format!("{text}\n") }
}

fn summary(result: &ExperimentResult, style: &Style) -> String {
    title("Experiment summary", style) + &pairs(&summary_rows(result), style)
}

pub(super) fn summary_rows(result: &ExperimentResult) -> Vec<(&'static str, String)> {
    let steps = format!("{} of {} done", result.completed_steps(), result.steps.len());
    let revision = if result.revision == 0 { String::new() } else { format!(", revision {}", result.revision) };
    let mut rows =
        vec![("Experiment", format!("{}{revision}", result.group)), ("Phase", format!("{:?}, {steps}", result.phase))];
    if result.loops.recurring || result.loops.completed > 1 {
        rows.push(("Loops", format!("{} completed of {} started", result.loops.completed, result.loops.started)));
    }
    let skipped = result.steps.iter().enumerate().filter(|(_, step)| step.status == StepStatus::Skipped);
    rows.extend(
        skipped.map(|(index, step)| ("Skipped", format!("step {} ({}): {}", index + 1, step.task, step.message))),
    );
    if let Some((number, step)) = result.failed_step() {
        rows.push(("Task failure", format!("step {number} ({}): {}", step.task, step.message)));
    } else if let Some(step) = result.steps.iter().find(|step| step.status == StepStatus::Cancelled) {
        rows.push(("Stopped", format!("during {}: {}", step.task, step.message)));
    }
    if let Some(started) = result.started {
        let took = result.ended.map(|ended| ended.duration_since(started).as_secs_f64());
        let took = took.map(|took| format!(", took {} s", significant(took, 3))).unwrap_or_default();
        rows.push(("Started", format!("{}{took}", started.strftime("%Y-%m-%d %H:%M:%S UTC"))));
    }
    rows
}

/// Names and texts in two columns; long texts go on below themselves.
fn pairs(rows: &[(&str, String)], style: &Style) -> String {
    let indent = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0) + 4;
    let line = |(name, text): &(&str, String)| {
        wrapped(&format!("  {name:<width$}{}", printable(text), width = indent - 2), style.width, indent)
    };
    rows.iter().map(line).collect()
}

fn table(headers: &[String], style: &Style) -> Table {
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(style.width).unwrap_or(u16::MAX))
        .set_header(headers);
    table
}

fn right(text: &str) -> Cell {
    Cell::new(text).set_alignment(CellAlignment::Right)
}

fn objectives(result: &ExperimentResult, style: &Style) -> String {
    if result.slos.is_empty() {
        return String::new();
    }
    let several = result.versions.len() > 1;
    let interval = format!("{}% interval", significant(result.confidence * 100.0, 4));
    let mut headers =
        vec!["Objective".to_owned(), "Value".to_owned(), interval, "Samples".to_owned(), "Verdict".to_owned()];
    if several {
        headers.insert(1, "Version".to_owned());
    }
    let mut table = table(&headers, style);
    for slo in &result.slos {
        let unit = slo.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let value =
            slo.value.map_or_else(|| "unavailable".to_owned(), |value| format!("{}{unit}", distinct(value, slo.limit)));
        let mut row = vec![
            Cell::new(format!("{}{unit}", printable(&slo.objective()))),
            right(&value),
            right(&shown_interval(slo.interval)),
            right(&slo.samples.map_or_else(|| "-".to_owned(), |samples| samples.to_string())),
            Cell::new(slo.verdict.as_str()),
        ];
        if several {
            let name = judged_version(slo, result);
            row.insert(1, Cell::new(name.map_or_else(|| ALL_VERSIONS.to_owned(), |name| printable(&name))));
        }
        table.add_row(row);
    }
    let mut text = title("Service level objectives", style) + &trimmed(&table);
    let not_satisfied = |slo: &&SloResult| slo.verdict != Verdict::Pass;
    for slo in result.slos.iter().filter(not_satisfied) {
        let of = judged_version(slo, result).filter(|_| several);
        let of = of.map(|name| format!(" of {}", printable(&name))).unwrap_or_default();
        text += &wrapped(&format!("  {}{of}: {}", slo.verdict, printable(&slo.reason)), style.width, 4);
    }
    text
}

fn metrics(result: &ExperimentResult, style: &Style) -> String {
    if result.metrics.is_empty() {
        return String::new();
    }
    let columns = columns(result);
    let mut headers = vec!["Metric".to_owned()];
    headers.extend(columns.iter().map(|(_, name)| printable(name)));
    let mut table = table(&headers, style);
    let mut names: Vec<&String> = result.metrics.keys().collect();
    names.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap_or(std::cmp::Ordering::Equal));
    let mut missing = Vec::new();
    for name in names {
        let metric = &result.metrics[name];
        let unit = metric.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
        let mut row = vec![Cell::new(printable(name))];
        let apart = columns.len() == 1 || metric.is_per_version();
        for (version, _) in &columns {
            if version.is_some() != apart {
                row.push(right("-"));
                continue;
            }
            let series = metric.versions.get(version.unwrap_or(0));
            let latest = series.and_then(|series| series.latest.as_ref());
            let value = latest.and_then(|latest| latest.value);
            row.push(right(
                &value.map_or_else(|| "unavailable".to_owned(), |value| format!("{}{unit}", significant(value, 3))),
            ));
            if let (None, Some(why)) = (value, latest.and_then(|latest| latest.source.as_ref())) {
                missing.push(format!("  {name}: {}", printable(why)));
            }
        }
        table.add_row(row);
    }
    let missing: String = missing.iter().map(|line| wrapped(line, style.width, 4)).collect();
    title("Latest observed values for metrics", style) + &trimmed(&table) + &missing
}

fn load(result: &ExperimentResult, style: &Style) -> String {
    let mut text = String::new();
    for (key, details) in loads(result) {
        text += &title(&format!("Load ({})", printable(&load_name(key, result))), style);
        text += &pairs(&load_rows(details), style);
    }
    text
}

pub(super) fn load_rows(details: &LoadDetails) -> Vec<(&'static str, String)> {
    let rate = details.completed as f64 / details.elapsed_seconds.max(1e-9);
    let mut sent = format!(
        "{} of {} in {} s ({}/s)",
        details.completed,
        details.offered,
        significant(details.elapsed_seconds, 3),
        significant(rate, 3)
    );
    if details.dropped > 0 {
        sent += &format!(", {} never sent", details.dropped);
    }
    if details.censored > 0 {
        sent += &format!(", {} without end", details.censored);
    }
    let mut rows = vec![("Target", details.target.clone()), ("Requests", sent)];
    if details.warmup_requests > 0 {
        let warmup = format!("{} requests before, {} errors", details.warmup_requests, details.warmup_errors);
        rows.push(("Warm-up", warmup));
    }
    let http = details.status_codes.iter().map(|(code, count)| format!("{code} × {count}"));
    let codes: Vec<String> =
        http.chain(details.grpc_codes.iter().map(|(code, count)| format!("{code} × {count}"))).collect();
    if !codes.is_empty() {
        rows.push(("Status codes", codes.join(", ")));
    }
    // Of calls with one message each way, their number says it already.
    if [details.messages_sent, details.messages_received].iter().any(|messages| *messages > details.completed) {
        rows.push(("Messages", format!("{} sent, {} received", details.messages_sent, details.messages_received)));
    }
    for error in &details.errors {
        let first = error.first.first().map(|first| format!(" — {}", head(first))).unwrap_or_default();
        rows.push(("Error", format!("{} × {}{first}", error.kind, error.count)));
    }
    let millis = |value: Option<f64>| value.map(|value| format!("{} ms", significant(value, 3)));
    if let Some(service) = millis(details.service_p99_ms) {
        rows.push(("Service p99", format!("{service} once the target had the request")));
    }
    if let Some(lag) = millis(details.lag_p99_ms) {
        rows.push(("Generator", format!("p99 {lag} late by itself")));
    }
    rows.extend(details.faults.iter().map(|fault| ("Not trusted", fault.clone())));
    rows
}

/// Enough of a body to recognise it.
fn head(text: &str) -> String {
    let text = printable(text);
    if text.chars().count() > 100 { text.chars().take(99).collect::<String>() + "…" } else { text }
}

fn remarks(result: &ExperimentResult, style: &Style) -> String {
    if result.notes.is_empty() {
        return String::new();
    }
    let lines = result.notes.iter().map(|note| wrapped(&format!("  {}", printable(note)), style.width, 4));
    title("Remarks", style) + &lines.collect::<String>()
}

/// A table without spaces at the ends of its lines.
fn trimmed(table: &Table) -> String {
    table.to_string().lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// `text` broken at spaces into lines of at most `width`, all but the first indented. Words too long for a line are cut.
fn wrapped(text: &str, width: usize, indent: usize) -> String {
    let width = width.max(indent + 8);
    let mut lines: Vec<String> = Vec::new();
    let leading: String = text.chars().take_while(|c| *c == ' ').collect();
    let mut line = leading.clone();
    let mut is_blank = true;
    // Runs of spaces stay, because columns are made of them.
    for word in text[leading.len()..].split_inclusive(' ') {
        let mut word: Vec<char> = word.chars().collect();
        loop {
            let room = width.saturating_sub(line.chars().count());
            let length = word.iter().rposition(|c| *c != ' ').map_or(0, |last| last + 1);
            if length <= room {
                line.extend(&word);
                is_blank = false;
                break;
            }
            if is_blank {
                line.extend(word.drain(..room));
            }
            lines.push(line.trim_end().to_owned());
            line = " ".repeat(indent);
            is_blank = true;
        }
    }
    lines.push(line.trim_end().to_owned());
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use iter8_core::metric::{Metric, Observation, Series};
    use iter8_core::result::{Phase, Version};
    use iter8_core::stats::Interval;
    use iter8_core::{assess, legacy};
    use proptest::prelude::*;

    use super::*;

    const PLAIN: Style = Style { width: 80, color: false };

    fn measured(values: &[(&str, f64, Option<Interval>, u64)]) -> ExperimentResult {
        let mut result = ExperimentResult::pending("default", "default", 1, &["http", "assess"]);
        result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["http", "assess"]);
        result.versions.push(Version::default());
        for (name, value, interval, samples) in values {
            let mut series = Series::default();
            let (value, samples) = (Some(*value), Some(*samples));
            series.observe(Observation {
                loop_number: 1,
                value,
                interval: *interval,
                samples,
                ..Observation::default()
            });
            let unit = name.contains("latency").then(|| "ms".to_owned());
            result.metrics.insert((*name).to_owned(), Metric { unit, versions: vec![series], ..Metric::default() });
        }
        result.load.insert(
            "http".into(),
            LoadDetails {
                target: "http://httpbin.default/get".into(),
                offered: 200,
                started: 200,
                completed: 200,
                elapsed_seconds: 3.981,
                status_codes: [(200, 200)].into(),
                lag_p99_ms: Some(0.61),
                service_p99_ms: Some(4.2),
                ..LoadDetails::default()
            },
        );
        result
    }

    fn over(mut result: ExperimentResult, with: &str) -> ExperimentResult {
        let spec = format!("spec: [{{task: assess, with: {with}}}]");
        match iter8_core::Experiment::parse(&spec).unwrap().steps.remove(0).task {
            iter8_core::Task::Assess(inputs) => assess::record(&mut result, &inputs),
            other => panic!("not assess: {other:?}"),
        }
        result.steps.iter_mut().for_each(|step| step.status = StepStatus::Succeeded);
        result.phase = Phase::Succeeded;
        result.loops.completed = 1;
        result.ended = Some("2026-01-02T03:04:09.2Z".parse().unwrap());
        result
    }

    #[test]
    fn a_good_run_fits_a_screen() {
        let values = [
            ("http/request-count", 200.0, None, 200),
            ("http/latency-p99", 6.1, Some(Interval { lower: Some(5.2), upper: None }), 200),
            ("http/latency-p99.9", 6.9, None, 200),
            ("http/latency-p50", 2.0, None, 200),
            ("http/latency-mean", 2.345, Some(Interval::new(2.2, 2.5)), 200),
            ("http/error-count", 0.0, None, 200),
        ];
        let result = over(measured(&values), "{SLOs: {upper: {http/latency-mean: 50, http/error-count: 0}}}");
        insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
        ✔ pass: all 2 objectives are satisfied

        Experiment summary
          Experiment  default, revision 1
          Phase       Succeeded, 2 of 2 done
          Started     2026-01-02 03:04:05 UTC, took 4.2 s

        Service level objectives
         Objective                   Value    95% interval  Samples  Verdict
         http/error-count <= 0             0             -      200  pass
         http/latency-mean <= 50 ms  2.35 ms    2.2 to 2.5      200  pass

        Latest observed values for metrics
         Metric              Value
         http/request-count      200
         http/error-count          0
         http/latency-mean   2.35 ms
         http/latency-p50       2 ms
         http/latency-p99     6.1 ms
         http/latency-p99.9   6.9 ms

        Load (http)
          Target        http://httpbin.default/get
          Requests      200 of 200 in 3.98 s (50.2/s)
          Status codes  200 × 200
          Service p99   4.2 ms once the target had the request
          Generator     p99 0.61 ms late by itself
        "#);
    }

    #[test]
    fn small_differences_and_missing_metrics_can_be_seen() {
        let values = [("http/latency-mean", 50.0004, None, 200), ("http/error-rate", 0.004, None, 200)];
        let with = "{SLOs: {upper: {http/latency-mean: 50, http/error-rate: 0, http/latency-p97: 10}}}";
        insta::assert_snapshot!(draw(&over(measured(&values), with), &PLAIN), @r#"
        ✘ fail: 2 of 3 objectives: http/error-rate is 0.004, above the limit of 0

        Experiment summary
          Experiment  default, revision 1
          Phase       Succeeded, 2 of 2 done
          Started     2026-01-02 03:04:05 UTC, took 4.2 s

        Service level objectives
         Objective                   Value        95% interval  Samples  Verdict
         http/error-rate <= 0              0.004             -      200  fail
         http/latency-mean <= 50 ms   50.0004 ms             -      200  fail
         http/latency-p97 <= 10      unavailable             -        -  inconclusive
          fail: http/error-rate is 0.004, above the limit of 0
          fail: http/latency-mean is 50.0004 ms, above the limit of 50 ms
          inconclusive: http/latency-p97 was not measured

        Latest observed values for metrics
         Metric             Value
         http/error-rate    0.004
         http/latency-mean  50 ms

        Load (http)
          Target        http://httpbin.default/get
          Requests      200 of 200 in 3.98 s (50.2/s)
          Status codes  200 × 200
          Service p99   4.2 ms once the target had the request
          Generator     p99 0.61 ms late by itself
        "#);
    }

    #[test]
    fn a_failed_task_is_the_first_thing_said() {
        let mut result = ExperimentResult::pending("checkout", "shop", 3, &["ready", "http"]);
        result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["ready", "http"]);
        result.phase = Phase::Failed;
        result.steps[0].status = StepStatus::Failed;
        result.steps[0].message = "not ready after 1m0s: deployment shop/httpbin has 0 of 1 replicas available".into();
        result.verdict = Some(Verdict::Inconclusive);
        result.verdict_reason = "step 1 (ready) failed before any objective was assessed".into();
        insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
        ? inconclusive: step 1 (ready) failed before any objective was assessed

        Experiment summary
          Experiment    checkout, revision 3
          Phase         Failed, 0 of 2 done
          Task failure  step 1 (ready): not ready after 1m0s: deployment shop/httpbin
                        has 0 of 1 replicas available
          Started       2026-01-02 03:04:05 UTC
        "#);
    }

    #[test]
    fn a_load_says_what_came_before_it_and_how_calls_of_grpc_ended() {
        let details = LoadDetails {
            completed: 3,
            warmup_requests: 10,
            grpc_codes: [("OK".to_owned(), 2), ("NOT_FOUND".to_owned(), 1)].into(),
            messages_sent: 6,
            messages_received: 9,
            ..LoadDetails::default()
        };
        let rows = load_rows(&details);
        for row in [
            ("Warm-up", "10 requests before, 0 errors"),
            ("Status codes", "NOT_FOUND × 1, OK × 2"),
            ("Messages", "6 sent, 9 received"),
        ] {
            assert!(rows.contains(&(row.0, row.1.to_owned())), "{rows:?}");
        }
        for latency in ["grpc/latency/", "http/latency-"] {
            let mut names = ["p50", "max", "mean"].map(|what| format!("{latency}{what}"));
            names.sort_by(|a, b| order(a).partial_cmp(&order(b)).unwrap());
            assert_eq!(names, ["mean", "max", "p50"].map(|what| format!("{latency}{what}")));
        }
    }

    #[test]
    fn errors_of_a_load_are_told_with_their_first_message_and_without_control_characters() {
        let mut result =
            over(measured(&[("http/error-count", 20.0, None, 20)]), "{SLOs: {upper: {http/error-count: 0}}}");
        let details = result.load.get_mut("http").unwrap();
        details.status_codes = [(500, 20)].into();
        details.errors = vec![iter8_core::result::LoadError {
            kind: "status 500".into(),
            count: 20,
            first: vec!["\u{1b}[31mno database\nat line 1".into()],
        }];
        details.faults = vec!["the load generator itself sent late (p99 12.0ms, at most 5.0ms would do): give it more CPU or lower the rate".into()];
        insta::assert_snapshot!(draw(&result, &PLAIN), @r#"
        ✘ fail: http/error-count is 20, above the limit of 0

        Experiment summary
          Experiment  default, revision 1
          Phase       Succeeded, 2 of 2 done
          Started     2026-01-02 03:04:05 UTC, took 4.2 s

        Service level objectives
         Objective              Value  95% interval  Samples  Verdict
         http/error-count <= 0     20             -       20  fail
          fail: http/error-count is 20, above the limit of 0

        Latest observed values for metrics
         Metric            Value
         http/error-count     20

        Load (http)
          Target        http://httpbin.default/get
          Requests      200 of 200 in 3.98 s (50.2/s)
          Status codes  500 × 20
          Error         status 500 × 20 — [31mno database at line 1
          Service p99   4.2 ms once the target had the request
          Generator     p99 0.61 ms late by itself
          Not trusted   the load generator itself sent late (p99 12.0ms, at most 5.0ms
                        would do): give it more CPU or lower the rate
        "#);
    }

    #[test]
    fn two_versions_stand_side_by_side() {
        let mut result = measured(&[("prom/latency", 12.0, None, 10)]);
        result.load.clear();
        result.versions = ["baseline", "candidate"]
            .map(|track| Version { track: Some(track.into()), version: Some("v1".into()) })
            .into();
        let second = Series { latest: None, ..Series::default() };
        result.metrics.get_mut("prom/latency").unwrap().versions.push(second);
        insta::assert_snapshot!(draw(&over(result, "{SLOs: {upper: {prom/latency: 50}}}"), &PLAIN), @r#"
        ? inconclusive: 1 of 2 objectives: prom/latency was not measured for this
          version

        Experiment summary
          Experiment  default, revision 1
          Phase       Succeeded, 2 of 2 done
          Started     2026-01-02 03:04:05 UTC, took 4.2 s

        Service level objectives
         Objective      Version        Value        95% interval  Samples  Verdict
         prom/latency   baseline (v1)        12 ms             -       10  pass
         <= 50 ms
         prom/latency   candidate      unavailable             -        -  inconclusive
         <= 50 ms       (v1)
          inconclusive of candidate (v1): prom/latency was not measured for this version

        Latest observed values for metrics
         Metric        baseline (v1)  candidate (v1)
         prom/latency          12 ms     unavailable
        "#);
    }

    #[test]
    fn a_metric_of_the_whole_app_stands_beside_those_of_its_versions() {
        let mut result = measured(&[("prom/latency", 12.0, None, 10), ("http/error-count", 0.0, None, 10)]);
        result.load.clear();
        result.versions = ["baseline", "candidate"].map(|v| Version { version: Some(v.into()), track: None }).into();
        let latency = &mut result.metrics.get_mut("prom/latency").unwrap().versions;
        latency.push(latency[0].clone());
        let drawn = draw(&over(result, "{SLOs: {upper: {prom/latency: 50, http/error-count: 0}}}"), &PLAIN);
        insta::assert_snapshot!(drawn.split_once("objectives\n").unwrap().1, @r"
         Objective              Version    Value  95% interval  Samples  Verdict
         http/error-count <= 0  all            0             -       10  pass
         prom/latency <= 50 ms  baseline   12 ms             -       10  pass
         prom/latency <= 50 ms  candidate  12 ms             -       10  pass

        Latest observed values for metrics
         Metric            baseline  candidate  all
         http/error-count         -          -    0
         prom/latency         12 ms      12 ms    -
        ");
    }

    #[test]
    fn a_result_of_v013_is_drawn_too() {
        let text = "spec: [{task: http}]\nresult: {numCompletedTasks: 1, failure: false, insights: {numVersions: 1, nonHistMetricValues: [{http/latency-mean: [3.5]}], SLOs: {Upper: [{metric: http/latency-mean, limit: 2}]}, SLOsSatisfied: {Upper: [[false]]}}}";
        insta::assert_snapshot!(draw(&legacy::parse(text, "default", "").unwrap(), &PLAIN), @r#"
        ✘ fail: Iter8 v0.13 found the objective violated

        Experiment summary
          Experiment  default
          Phase       Succeeded, 1 of 1 done

        Service level objectives
         Objective               Value  95% interval  Samples  Verdict
         http/latency-mean <= 2    3.5             -        -  fail
          fail: Iter8 v0.13 found the objective violated

        Latest observed values for metrics
         Metric             Value
         http/latency-mean    3.5
        "#);
    }

    proptest! {
        #[test]
        fn no_line_is_wider_than_the_terminal(width in 60usize..200, message in "\\PC{0,300}") {
            let mut result = over(measured(&[("http/latency-mean", 1234.5678, Some(Interval::new(1.0, 2.0)), 200)]), "{SLOs: {upper: {http/latency-mean: 50}}}");
            result.notes = vec![message.clone()];
            result.steps[0].status = StepStatus::Failed;
            result.steps[0].message = message;
            let report = draw(&result, &Style { width, color: false });
            for line in report.lines() {
                prop_assert!(line.chars().count() <= width, "{line:?}");
            }
            let escapes = report.chars().filter(|c| *c == '\x1b').count();
            prop_assert_eq!(escapes, 0);
        }

        #[test]
        fn wrapping_loses_no_word(text in "[a-z]{1,30}( [a-z]{1,30}){0,20}", width in 20usize..100) {
            let words = |text: &str| text.split_whitespace().collect::<String>();
            prop_assert_eq!(words(&wrapped(&text, width, 4)), words(&text));
        }
    }
}
