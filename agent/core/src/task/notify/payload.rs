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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::Experiment;
    use crate::result::Version;
    use crate::slo::Bound;

    fn slo(metric: &str, version: usize, verdict: Verdict) -> SloResult {
        SloResult {
            metric: metric.to_owned(),
            bound: Bound::Upper,
            limit: 50.0,
            version: Some(version),
            verdict,
            reason: String::new(),
            value: Some(50.004),
            unit: Some("ms".to_owned()),
            interval: None,
            samples: None,
            source: None,
        }
    }

    fn report(result: &ExperimentResult) -> Report {
        let spec = "spec: [{task: http, with: {url: 'http://a', headers: {Authorization: s3cr3t}}}, {task: assess}]";
        Report::of(&Experiment::parse(spec).unwrap(), result, "2026-01-02T03:04:05Z".parse().unwrap())
    }

    fn assessed() -> ExperimentResult {
        let mut result = ExperimentResult::pending("web", "shop", 3, &["http", "assess"]);
        result.begin_loop("2026-01-02T03:04:05Z".parse().unwrap(), &["http", "assess"]);
        result.steps.iter_mut().for_each(|step| step.status = StepStatus::Succeeded);
        let version = |name: &str| Version { version: None, track: Some(name.to_owned()) };
        result.versions = vec![version("baseline"), version("candidate")];
        result.slos = vec![slo("db/a", 0, Verdict::Pass), slo("db/a", 1, Verdict::Fail)];
        (result.verdict, result.verdict_reason) = (Some(Verdict::Fail), "too slow".to_owned());
        result
    }

    #[test]
    fn slack_is_told_of_each_version_with_as_many_digits_as_it_takes() {
        let result = assessed();
        let message = of_slack(&report(&result), &result);
        assert_eq!(message["text"], "✘ fail: experiment web in shop, revision 3");
        assert_eq!(message["blocks"][1]["text"]["text"], "too slow");
        let table = "```\npass         db/a &lt;= 50 ms: baseline: 50.004 ms\nfail         db/a &lt;= 50 ms: candidate: 50.004 ms\n```";
        assert_eq!(message["blocks"][2]["text"], json!({ "type": "mrkdwn", "text": table, "verbatim": true }));
    }

    #[test]
    fn what_an_earlier_loop_decided_is_not_told() {
        let mut result = assessed();
        result.begin_loop("2026-01-02T03:05:05Z".parse().unwrap(), &["http", "assess"]);
        let report = report(&result);
        assert_eq!((report.verdict, report.verdict_reason.as_str(), report.num_loops), (None, "", 2));
        assert!(report.experiment["result"]["insights"]["SLOs"].is_null());
        let message = of_slack(&report, &result);
        assert_eq!(message["text"], "… no verdict yet: experiment web in shop, revision 3");
        assert!(!message.to_string().contains("db/a"), "{message}");
    }

    #[test]
    fn an_event_tells_which_version_keeps_what_and_no_input_of_a_step() {
        let payload = of_github(&report(&assessed()))["client_payload"].clone();
        assert_eq!((&payload["verdict"], &payload["completed"]), (&json!("fail"), &json!(true)));
        let insights = &payload["experiment"]["result"]["insights"];
        assert_eq!(insights["SLOs"]["upper"], json!([{ "metric": "db/a", "limit": 50.0 }]));
        assert_eq!(insights["SLOsSatisfied"], json!({ "upper": [[true, false]], "lower": [] }));
        assert!(!payload.to_string().contains("s3cr3t"), "{payload}");
    }
}
