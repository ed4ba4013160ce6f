//! The payloads that iter8 makes: built as data, so that no text of an experiment can break them or do more than be read.

use serde_json::{Value, json};

use super::github::MAX_BYTES;
use super::report::Report;
use crate::assess::{distinct, significant};
use crate::result::{ExperimentResult, StepStatus};
use crate::slo::SloResult;
use crate::verdict::Verdict;

/// The most characters of a header and of another text in a block of Slack (docs.slack.dev, "Blocks").
const HEADER_MAX: usize = 150;
/// See above; 3,000 are the limit, the fence around a table counts.
const TEXT_MAX: usize = 2_900;
/// The most tables in a message; with the other blocks it stays far below Slack's 50.
const TABLES_MAX: usize = 8;
/// The most characters of one cell.
const CELL_MAX: usize = 120;

/// A message of Slack: verdict, reason, objectives, and what ran.
pub fn of_slack(report: &Report, result: &ExperimentResult) -> Value {
    let (sign, word) = match report.verdict {
        Some(Verdict::Pass) => ("✔", "pass"),
        Some(Verdict::Fail) => ("✘", "fail"),
        Some(Verdict::Invalid) => ("‼", "invalid"),
        Some(Verdict::Inconclusive) => ("?", "inconclusive"),
        None => ("…", "no verdict yet"),
    };
    let place = if result.namespace.is_empty() { String::new() } else { format!(" in {}", result.namespace) };
    let title = format!("{sign} {word}: experiment {}{place}, revision {}", result.group, result.revision);
    let mut blocks = vec![json!({ "type": "header", "text": plain(&title, HEADER_MAX) })];
    if !report.verdict_reason.is_empty() {
        blocks.push(json!({ "type": "section", "text": plain(&report.verdict_reason, TEXT_MAX) }));
    }
    if report.verdict.is_some() {
        blocks.extend(tables(result).iter().map(|table| {
            // `verbatim` keeps Slack from making links and mentions of what looks like one.
            json!({ "type": "section", "text": { "type": "mrkdwn", "text": table, "verbatim": true } })
        }));
    }
    let mut ran = format!("{} of {} steps done", report.num_completed_tasks, report.num_tasks);
    if result.loops.recurring {
        ran += &format!(", loop {}", report.num_loops);
    }
    for step in result.steps.iter().filter(|step| step.status == StepStatus::Succeeded && !step.message.is_empty()) {
        ran += &format!("\n{}: {}", step.task, step.message);
    }
    blocks.push(json!({ "type": "context", "elements": [plain(&ran, TEXT_MAX)] }));
    json!({ "text": escaped(&cut(&title, TEXT_MAX)), "blocks": blocks })
}

fn plain(text: &str, most: usize) -> Value {
    json!({ "type": "plain_text", "text": cut(text, most), "emoji": false })
}

/// The first `most` characters of a text.
fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    text.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// A text in which Slack sees no markup, no mention and no link (docs.slack.dev, "Formatting message text": the three
/// characters that control it are escaped).
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The objectives as lines of tables that Slack shows in a fixed width.
fn tables(result: &ExperimentResult) -> Vec<String> {
    // A backtick would end the fence.
    let line = |slo: &SloResult| escaped(&row(slo, result).replace('`', "'"));
    let lines: Vec<String> = result.slos.iter().map(line).collect();
    let mut tables: Vec<String> = Vec::new();
    for (number, line) in lines.iter().enumerate() {
        let is_full = tables.len() == TABLES_MAX;
        match tables.last_mut() {
            Some(table) if table.chars().count() + line.chars().count() < TEXT_MAX => {
                table.push('\n');
                table.push_str(line);
            }
            _ if is_full => {
                tables.push(format!("and {} more objectives", lines.len() - number));
                break;
            }
            _ => tables.push(line.clone()),
        }
    }
    tables.into_iter().map(|table| format!("```\n{table}\n```")).collect()
}

fn row(slo: &SloResult, result: &ExperimentResult) -> String {
    let unit = slo.unit.as_ref().map(|unit| format!(" {unit}")).unwrap_or_default();
    let value = slo.value.map_or_else(|| "unavailable".to_owned(), |value| distinct(value, slo.limit) + &unit);
    let version = slo.version.filter(|_| result.versions.len() > 1).map(|version| {
        let named = result.versions.get(version);
        let name = named.and_then(|named| named.track.clone().or_else(|| named.version.clone()));
        format!(" {}:", name.unwrap_or_else(|| format!("version {version}")))
    });
    let limit = significant(slo.limit, 6);
    let cell = |text: &str| cut(&text.replace(['\n', '\r'], " "), CELL_MAX);
    format!(
        "{:<12} {} {} {limit}{}:{} {}",
        slo.verdict.as_str(),
        cell(&slo.metric),
        slo.bound,
        cell(&unit),
        cell(&version.unwrap_or_default()),
        cell(&value)
    )
}

/// An event for a repository of GitHub. Where it would be too large, what was measured goes first.
pub fn of_github(report: &Report) -> Value {
    let event = |report: &Report| json!({ "event_type": "iter8", "client_payload": report.to_json() });
    let mut report = report.clone();
    for dropped in ["metricsInfo", "nonHistMetricValues", "SLOsSatisfied", "SLOs", "versionNames"] {
        if event(&report).to_string().len() <= MAX_BYTES {
            break;
        }
        if let Some(insights) = report.experiment["result"]["insights"].as_object_mut() {
            insights.remove(dropped);
        }
        report.experiment["shortened"] = json!("what is missing in insights would have made the event too large");
    }
    report.verdict_reason = cut(&report.verdict_reason, TEXT_MAX);
    event(&report)
}
