//! Prometheus, and VictoriaMetrics, which has its API, scrape the app.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use iter8_core::Verdict;
use serde_json::{Value, json};

use crate::program::Program;
use crate::run::{Found, ask, began};
use crate::shop::{Shop, version_values};

/// Writes what is to be scraped, ten times faster than usual.
fn configuration(home: &Path, shop: &Shop) -> PathBuf {
    let target = json!({ "job_name": "shop", "static_configs": [{ "targets": [shop.authority()] }] });
    let often = json!({ "scrape_interval": "500ms", "scrape_timeout": "500ms" });
    let path = home.join("configuration.yaml");
    let text = json!({ "global": often, "scrape_configs": [target] }).to_string();
    fs::write(&path, text).expect("the folder is ours");
    path
}

async fn prometheus(shop: &Shop) -> Program {
    let command = |address: &str, home: &Path| {
        let mut command = Command::new("prometheus");
        command.arg(format!("--web.listen-address={address}"));
        command.arg(format!("--storage.tsdb.path={}", home.join("data").display()));
        command.arg(format!("--config.file={}", configuration(home, shop).display()));
        command
    };
    Program::start(command, "/-/ready").await
}

async fn victoria_metrics(shop: &Shop) -> Program {
    let command = |address: &str, home: &Path| {
        let mut command = Command::new("victoria-metrics");
        command.arg(format!("-httpListenAddr={address}"));
        command.arg(format!("-storageDataPath={}", home.join("data").display()));
        command.arg(format!("-promscrape.config={}", configuration(home, shop).display()));
        // It usually leaves out the last half minute.
        command.arg("-search.latencyOffset=0s");
        command
    };
    Program::start(command, "/health").await
}

/// The value that an answer begins with.
fn value(answer: Option<&str>) -> Option<f64> {
    let answer: Value = serde_json::from_str(answer?).ok()?;
    answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
}

/// Waits until the database has seen the app before and after its requests, often enough that the time for which a
/// growth is worked out differs little from the time that was seen.
async fn scrape(database: &mut Program, shop: &Shop) {
    let count = database.url("/api/v1/query?query=count_over_time(shop_queue_length{version=\"v1\"}[1h])");
    database.wait(&count, |answer| value(answer).is_some_and(|count| count >= 2.0)).await;
    shop.serve();
    let last = database.url("/api/v1/query?query=shop_queue_length{version=\"v1\"}");
    database.wait(&last, |answer| value(answer) == Some(7.0)).await;
    database.wait(&count, |answer| value(answer).is_some_and(|count| count >= 12.0)).await;
}

async fn istio(database: &Program) -> Found {
    let given = json!({
        "istioPromURL": database.url("/api/v1/query"), "labels": { "reporter": "destination" },
        "latencyPercentiles": [50, 95, "97.5", 99.9],
    });
    let upper = json!({ "istio-prom/error-rate": 0.05, "istio-prom/error-count": 0 });
    ask("istio-prom", began(1), &given, &version_values("destination_workload"), &upper).await
}

fn close(found: Option<f64>, wanted: f64) -> bool {
    found.is_some_and(|found| (found - wanted).abs() <= wanted.abs() * 1e-9)
}

/// Rates, means and percentiles are exact: the growth of all counters is worked out for the same time.
fn check_istio(found: &Found) {
    for (metric, wanted) in [
        ("error-rate", [Some(0.1), Some(0.0), None, None]),
        ("latency-mean", [Some(50.0), Some(2.0), None, None]),
        ("latency-p50", [Some(10.0), Some(10.0), None, None]),
        ("latency-p95", [Some(100.0), Some(100.0), None, None]),
        ("latency-p97.5", [Some(662.5), Some(662.5), None, None]),
        // Beyond the last bound it is the last bound.
        ("latency-p99.9", [Some(1000.0), Some(1000.0), None, None]),
    ] {
        let found = found.values(metric);
        let right = |(found, wanted): (&Option<f64>, &Option<f64>)| match wanted {
            Some(wanted) => close(*found, *wanted),
            None => found.is_none(),
        };
        assert!(found.iter().zip(&wanted).all(right), "{metric}: {found:?}, not {wanted:?}");
    }
    // Of the counters only what they grew by counts, which is worked out for a little more time than was seen.
    for (metric, wanted) in [("request-count", [200.0, 300.0, 0.0]), ("error-count", [20.0, 0.0, 0.0])] {
        let found = found.values(metric);
        let right = |(found, wanted): (&Option<f64>, &f64)| {
            found.is_some_and(|found| (*wanted * 0.999..=*wanted * 1.25).contains(&found))
        };
        assert!(found[..3].iter().zip(&wanted).all(right), "{metric}: {found:?}, not {wanted:?}");
        assert_eq!(found[3], None, "{metric} of a version that is not there");
    }
    let verdicts = |metric: &str| {
        let slos = found.result.slos.iter().filter(|slo| slo.metric == metric);
        slos.map(|slo| slo.verdict).collect::<Vec<_>>()
    };
    let unknown = Verdict::Inconclusive;
    assert_eq!(verdicts("istio-prom/error-rate"), [Verdict::Fail, Verdict::Pass, unknown, unknown]);
    // A version without requests had no errors, and of one that is not there nothing is known.
    assert_eq!(verdicts("istio-prom/error-count"), [Verdict::Fail, Verdict::Pass, Verdict::Pass, unknown]);
}

async fn queries(database: &Program) -> Found {
    let given = json!({
        "prometheusURL": database.url("/"),
        "prometheusQueries": {
            "queue": "max(last_over_time(shop_queue_length{$labels}[$window]))",
            "growth": {
                "query": "max(max_over_time(shop_queue_length{$labels}[$window]) - min_over_time(shop_queue_length{$labels}[$window]))",
                "type": "counter", "units": "orders", "description": "New orders",
            },
            "latency": {
                "query": "sum by (le) (increase(istio_request_duration_milliseconds_bucket{$labels}[$window]))",
                "type": "histogram", "units": "ms",
            },
            "scalar": "scalar(vector(42))",
            "several": "shop_queue_length",
            "none": "sum(nothing_of_this_name{$labels})",
            "infinite": "vector(1) / 0",
            "wrong": "sum(",
        },
    });
    ask("prometheus", began(1), &given, &version_values("version"), &json!({})).await
}

/// `wrong` is what the database says of a query that is none.
fn check_queries(found: &Found, wrong: &str) {
    assert_eq!(found.values("queue"), [Some(7.0), Some(7.0), Some(7.0), None]);
    assert_eq!(found.values("growth"), [Some(4.0), Some(4.0), Some(4.0), None]);
    assert_eq!(found.values("scalar"), [Some(42.0); 4]);
    for (metric, wanted) in [("latency/p50", 10.0), ("latency/p95", 100.0), ("latency/p99.9", 1000.0)] {
        let found = found.values(metric);
        assert!(close(found[0], wanted) && close(found[1], wanted) && found[2..] == [None; 2], "{metric}: {found:?}");
    }
    assert!(found.values("latency/count")[0].is_some_and(|count| (200.0..=250.0).contains(&count.round())));
    for (metric, words) in [("several", "3 series"), ("none", "is null"), ("infinite", "+Inf"), ("wrong", wrong)] {
        assert_eq!(found.values(metric), [None; 4], "{metric}");
        let said = found.said(metric, 0);
        assert!(said.contains(words), "{metric}: {said}");
    }
}

#[tokio::test]
async fn prometheus_tells_how_much_each_version_grew_in_the_time_and_nothing_of_what_is_not_there() {
    let shop = Shop::open();
    let mut database = prometheus(&shop).await;
    scrape(&mut database, &shop).await;
    check_istio(&istio(&database).await);
    check_queries(&queries(&database).await, "400 Bad Request: {\"status\":\"error\",\"errorType\":\"bad_data\"");
}

#[tokio::test]
async fn victoria_metrics_gives_the_same_answers() {
    let shop = Shop::open();
    let mut database = victoria_metrics(&shop).await;
    scrape(&mut database, &shop).await;
    check_istio(&istio(&database).await);
    check_queries(&queries(&database).await, "422 Unprocessable Entity");
}

/// A value of a label stays one, whatever it contains.
#[tokio::test]
async fn no_label_breaks_out_of_a_query() {
    let shop = Shop::open();
    let mut database = prometheus(&shop).await;
    let any = database.url("/api/v1/query?query=shop_queue_length");
    database.wait(&any, |answer| value(answer).is_some()).await;
    let queries = json!({ "queue": "sum(shop_queue_length{$labels})" });
    let given = json!({ "prometheusURL": database.url(""), "prometheusQueries": queries });
    let versions = ["v1", "gone\"}) or vector(5) #", "v1\\", "v1\n", "$window", "{{ 1 }}"];
    let versions = versions.map(|version| json!({ "labels": { "version": version } }));
    let found = ask("prometheus", began(1), &given, &versions, &json!({})).await;
    assert_eq!(found.values("queue"), [Some(3.0), None, None, None, None, None]);
}
