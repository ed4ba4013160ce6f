//! The report as an HTML file: one that needs nothing else, is well-formed, and shows what others wrote without letting it
//! act.

use std::time::Duration;

use iter8_agent::Histogram;
use iter8_core::ExperimentResult;
use iter8_core::metric::{Metric, Observation, Series};
use iter8_core::result::{LoadSecond, StepStatus, Version};
use iter8_core::stats::Interval;

use crate::agent::{ended, failed, of_versions, running};
use crate::legacy::EXPERIMENT;
use crate::plugin::Plugin;

/// The page of a result.
fn page(result: &ExperimentResult) -> String {
    page_of(&result.to_json().expect("its numbers are finite"), "result.json")
}

/// The page of a file, looked at as every page has to be.
fn page_of(text: &str, name: &str) -> String {
    let plugin = Plugin::new();
    plugin.file(name, text);
    let page = plugin.run(&format!("report -f {name} -o html")).code(0).stdout;
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    assert_eq!(unclosed(&page), Ok(()));
    for outside in [" src=", " href=", "url(", "@import", " style=", " on"] {
        assert!(!tags(&page).any(|tag| tag.contains(outside)), "{outside} in a tag or in the style sheet");
    }
    for element in ["script", "link", "iframe", "img", "object", "a ", "form"] {
        assert!(!tags(&page).any(|tag| tag.starts_with(element)), "<{element}>");
    }
    assert!(page.contains("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
    page
}

/// Everything between `<` and `>`, and the style sheet.
fn tags(page: &str) -> impl Iterator<Item = &str> {
    let sheet = page.split("<style>").nth(1).and_then(|rest| rest.split("</style>").next());
    page.split('<').skip(1).filter_map(|rest| rest.split_once('>')).map(|(tag, _)| tag).chain(sheet)
}

/// Whether every element is closed where it should be, as in XML.
fn unclosed(page: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    for tag in page.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').ok_or_else(|| format!("`<` alone: {tag}"))?;
        if let Some(closed) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected != Some(closed) {
                return Err(format!("</{closed}> where {expected:?} is open"));
            }
        } else if !tag.ends_with('/') && !tag.starts_with('!') {
            open.push(tag.split([' ', '\n']).next().unwrap_or_default());
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("still open: {open:?}")) }
}

/// The words of a page in their order, without tags, pictures and style.
fn words(page: &str) -> String {
    let mut words = String::new();
    let mut hidden = 0;
    for part in page.split('<').skip(1) {
        let (tag, text) = part.split_once('>').unwrap_or((part, ""));
        match tag.split(' ').next().unwrap_or_default() {
            "style" | "svg" => hidden += 1,
            "/style" | "/svg" => hidden -= 1,
            _ => {}
        }
        if hidden == 0 {
            words += text;
            words.push(' ');
        }
    }
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    words
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#x2f;", "/")
        .replace("&quot;", "\"")
        .replace("&#x27;", "'")
}

/// Fails with the page's words when they do not hold these, in this order.
fn says(page: &str, expected: &[&str]) {
    let words = words(page);
    let mut rest = words.as_str();
    for text in expected {
        let Some(at) = rest.find(text) else { panic!("`{text}` is missing or out of order:\n{words}") };
        rest = &rest[at + text.len()..];
    }
}

/// A result with everything that a page can show.
fn full() -> ExperimentResult {
    let mut result = ended(3, 3);
    let mut histogram = Histogram::default();
    (0..2000_u64).for_each(|n| histogram.record(Duration::from_micros(1500 + n * n / 400)));
    let load = result.load.get_mut("http").expect("the load is there");
    load.histogram = histogram.to_base64();
    load.faults = vec!["the generator sent late".into()];
    let second = |second| LoadSecond { second, requests: 8, errors: second % 2, mean_ms: 2.5, max_ms: 9.0 };
    load.seconds = (0..12).map(second).collect();
    let mut series = Series::default();
    for loop_number in 1..=3 {
        let value = Some(2.0 + f64::from(loop_number));
        let interval = Some(Interval { lower: Some(1.0), upper: None });
        series.observe(Observation { loop_number, value, interval, samples: Some(50), ..Observation::default() });
    }
    let (unit, description) = (Some("ms".into()), "a mean".into());
    let mean = Metric { unit, description, versions: vec![series], ..Metric::default() };
    result.metrics.insert("http/latency-mean".into(), mean);
    result.steps[0].message = "sent 100 requests".into();
    result.notes = vec!["intervals are coarser".into()];
    result
}

#[test]
fn a_page_says_first_what_was_decided_and_then_why() {
    let page = page(&full());
    let expected = [
        "fail: default, revision 3",
        "✘ fail",
        "http/error-count is 3, above the limit of 0",
        "Service level objectives",
        "95% interval",
        "http/error-count <= 0",
        "fail 3",
        "Experiment summary",
        "Namespace default",
        "Phase Succeeded, 2 of 2 done",
        "1 http succeeded",
        "sent 100 requests",
        "Remarks intervals are coarser",
        "Load (http)",
        "Not trusted the generator sent late",
        "Target http://app/get",
        "Requests 100 of 100 in 12.5 s (8/s)",
        "Latency by percentile, in ms",
        "Requests and errors a second",
        "Latency over time, in ms",
        "200 97 97 %",
        "500 3 3 %",
        "status 500 3 out of order",
        "http/error-count",
        "http/latency-mean a mean",
        "5 ms 95%: 1 to ? · 50 samples",
        "Log",
        "step 1/2 http started",
    ];
    says(&page, &expected);
    assert_eq!(page.matches("<figure>").count(), 3);
    assert_eq!(page.matches("class=\"history\"").count(), 1);
}

#[test]
fn pictures_are_described_and_tables_have_headers() {
    let page = page(&full());
    for svg in page.split("<svg").skip(1) {
        let tag = svg.split('>').next().unwrap();
        let described = tag.contains("aria-label=") && tag.contains("role=\"img\"");
        assert!(described || tag.contains("aria-hidden=\"true\""), "{tag}");
    }
    for header in tags(&page).filter(|tag| tag.starts_with("th ") || *tag == "th") {
        assert!(header.contains("scope="), "{header}");
    }
    for landmark in ["<html lang=\"en\">", "<header", "<main>", "<footer>", "<h1>"] {
        assert_eq!(page.matches(landmark).count(), 1, "{landmark}");
    }
}

#[test]
fn no_text_of_others_becomes_part_of_the_page() {
    const EVIL: &str = "</pre></style><script>alert(\"1\")</script><img src='http://x/' onerror=y>&amp;\u{7}{{ 7*7 }}";
    let evil = || EVIL.to_owned();
    let mut result = full();
    result.group = evil();
    result.namespace = evil();
    result.agent_version = evil();
    result.verdict_reason = evil();
    result.notes = vec![evil()];
    result.log = vec![evil()];
    result.fetched = [(evil(), evil())].into();
    let version = Version { version: Some(evil()), track: Some(evil()) };
    result.versions = vec![version.clone(), version];
    for step in &mut result.steps {
        (step.task, step.message) = (evil(), evil());
    }
    for slo in &mut result.slos {
        (slo.metric, slo.reason, slo.unit, slo.source) = (evil(), evil(), Some(evil()), Some(evil()));
    }
    let mut metric = result.metrics["http/latency-mean"].clone();
    (metric.unit, metric.description) = (Some(evil()), evil());
    let latest = metric.versions[0].latest.as_mut().unwrap();
    (latest.source, latest.faults) = (Some(evil()), vec![evil()]);
    result.metrics.insert(evil(), metric);
    let mut load = result.load["http"].clone();
    (load.target, load.faults) = (evil(), vec![evil()]);
    load.grpc_codes = [(evil(), 3)].into();
    load.fetched = [(evil(), evil())].into();
    (load.errors[0].kind, load.errors[0].first) = (evil(), vec![evil(), evil()]);
    result.load.insert(evil(), load);
    let page = page(&result);
    assert!(!page.contains('\u{7}'));
    assert!(page.contains("{{ 7*7 }}"), "no text is a template");
    let shown = page.matches("&lt;script&gt;alert(&quot;1&quot;)").count();
    assert!(shown >= 30, "every text is shown, not dropped: {shown}");
}

#[test]
fn what_is_missing_is_said() {
    let nothing = [
        "… not over",
        "No objective was assessed yet.",
        "No objective was assessed.",
        "The result names no steps.",
        "Nothing was measured.",
        "The result holds no log.",
    ];
    says(&page(&ExperimentResult::pending("default", "", 1, &[])), &nothing);
    says(&page(&running(1)), &["… not over", "1 http running", "2 assess not begun"]);
    says(&page(&failed(1)), &["? no verdict", "Task failure step 1 (http): connection refused", "1 http failed"]);
    let mut damaged = ended(1, 0);
    damaged.load.get_mut("http").unwrap().histogram = "damaged".to_owned();
    let no_charts =
        ["✔ pass", "The result holds no distribution of latencies.", "The result does not say what happened second"];
    says(&page(&damaged), &no_charts);
    let mut unmeasured = ended(1, 0);
    unmeasured.slos[0].value = None;
    unmeasured.steps[1].status = StepStatus::Skipped;
    let missing = Observation { source: Some("no data".into()), ..Observation::default() };
    unmeasured.metrics.get_mut("http/error-count").unwrap().versions[0].latest = Some(missing);
    says(&page(&unmeasured), &["unavailable", "2 assess skipped", "http/error-count", "unavailable no data"]);
}

#[test]
fn several_versions_stand_side_by_side() {
    let mut result = ended(1, 3);
    let version = |track: &str| Version { track: Some(track.into()), version: Some("v1".into()) };
    result.versions = ["baseline", "candidate"].map(version).into();
    result.metrics.get_mut("http/request-count").unwrap().versions.push(Series::default());
    let expected = [
        "Version Verdict",
        "http/error-count <= 0",
        "baseline (v1) fail",
        "Metric baseline (v1) candidate (v1) all",
        "http/request-count 100",
        "unavailable -",
        "http/error-count - - 3",
    ];
    says(&page(&result), &expected);
}

#[test]
fn loads_of_versions_have_their_names_and_the_limits_of_their_own_objectives() {
    let mut result = of_versions();
    let (histogram, faults) = (full().load["http"].histogram.clone(), vec!["the generator sent late".to_owned()]);
    for load in ["http/0", "http/1", "http-new"] {
        result.load.get_mut(load).unwrap().histogram.clone_from(&histogram);
    }
    for version in [0, 1] {
        let mut slo = result.slos[0].clone();
        (slo.metric, slo.version, slo.limit) = ("http/latency-p99".to_owned(), Some(version), 7777.0 + version as f64);
        result.slos.push(slo);
    }
    // What is wrong with a version's load is said there, and not again with each of its metrics.
    let metric = result.metrics.get_mut("http/error-count").unwrap();
    metric.versions[0].latest.as_mut().unwrap().faults.clone_from(&faults);
    result.load.get_mut("http/0").unwrap().faults = faults;
    let page = page(&result);
    let names = ["Load (http-new)", "Load (http, baseline (v1))", "Load (http, candidate (v2))"];
    says(&page, &names);
    says(&page, &["http/error-count", "0 not trusted", "3 100 samples -", "http-new/error-count - - 3"]);
    assert_eq!(page.matches("the generator sent late").count(), 1);
    let load = page.split("<h2").find(|part| part.contains(names[1])).unwrap();
    assert!(load.contains("7777 ms") && !load.contains("7778 ms"), "{load}");
}

#[test]
fn experiments_of_v013_have_a_page_too() {
    let expected = [
        "✔ pass",
        "all 2 objectives are satisfied",
        "http/latency-mean <= 50 ms",
        "13.2 ms",
        "1 ready succeeded",
        "http/request-count number of requests sent 100",
    ];
    says(&page_of(EXPERIMENT, "experiment.yaml"), &expected);
}

#[test]
fn the_demo_writes_its_report_as_a_page() {
    let output = Plugin::new().run("demo -o html");
    assert_eq!(unclosed(&output.stdout), Ok(()));
    says(&output.stdout, &["Experiment demo", "http/error-count <= 0", "Latency by percentile, in ms"]);
}
