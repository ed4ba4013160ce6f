//! The report for people. What stands in it is in the result; this file only arranges it.

use comfy_table::presets::NOTHING;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table};
use iter8_core::Verdict;
use iter8_core::assess::{distinct, significant};
use iter8_core::result::{ExperimentResult, LoadDetails, StepStatus};
use iter8_core::slo::SloResult;

use super::format::Style;
use super::words::{ALL_VERSIONS, Headline, Tone, columns, judged_version, load_name, loads, order, shown_interval};
use crate::table::{printable, wrapped};

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
    if let Some(tested) = &result.trigger {
        rows.push(("Tested", printable(&tested.to_string())));
    }
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

#[cfg(test)]
mod tests;
