//! InfluxDB 1 with points of several versions, one of which has a name that would break a careless query.

use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::program::{Program, post};
use crate::run::{ask, began};

async fn influxdb() -> Program {
    let command = |address: &str, home: &Path| {
        let mut command = Command::new("influxd");
        command.env("INFLUXDB_HTTP_BIND_ADDRESS", address).env("INFLUXDB_BIND_ADDRESS", "127.0.0.1:0");
        command.env("INFLUXDB_REPORTING_DISABLED", "true").env("HOME", home);
        for (name, folder) in [("META_DIR", "meta"), ("DATA_DIR", "data"), ("DATA_WAL_DIR", "wal")] {
            command.env(format!("INFLUXDB_{name}"), home.join(folder));
        }
        command
    };
    Program::start(command, "/query?q=SHOW%20DATABASES").await
}

#[tokio::test]
async fn influxdb_counts_what_was_written_in_the_time() {
    let database = influxdb().await;
    post(&database.url("/query?q=CREATE%20DATABASE%20shop"), String::new()).await;
    let (now, long_ago) = (began(0).as_nanosecond(), began(3).as_nanosecond());
    let points = format!(
        "requests,version=v1,track=a ms=10 {now}\nrequests,version=v1,track=b ms=30 {now}\n\
         requests,version=v1,track=a ms=900 {long_ago}\n\
         requests,version=it's\\ \"v2\"\\b ms=7 {now}\n"
    );
    post(&database.url("/write?db=shop"), points).await;
    let given = json!({
        "influxdbURL": database.url(""), "influxdbDatabase": "shop",
        "influxdbQueries": {
            "latency-mean": { "query": "SELECT mean(\"ms\") FROM \"requests\" WHERE time > now() - $window AND $labels", "units": "ms" },
            "count": { "query": "SELECT count(\"ms\") FROM \"requests\" WHERE time > now() - $window AND $labels", "type": "counter" },
            "rows": "SELECT \"ms\" FROM \"requests\" WHERE time > now() - $window AND $labels",
            "series": "SELECT count(\"ms\") FROM \"requests\" GROUP BY \"version\"",
            "none": "SELECT mean(\"ms\") FROM \"nothing\" WHERE $labels",
            "wrong": "SELECT FROM",
        },
    });
    let versions = ["v1", "it's \"v2\"\\b", "gone", "x' OR 'a' = 'a"];
    let versions = versions.map(|version| json!({ "labels": { "version": version } }));
    let found = ask("influxdb", began(1), &given, &versions, &json!({})).await;
    assert_eq!(found.values("latency-mean"), [Some(20.0), Some(7.0), None, None]);
    assert_eq!(found.values("count"), [Some(2.0), Some(1.0), None, None]);
    assert_eq!(found.values("rows"), [None, Some(7.0), None, None]);
    assert_eq!(found.values("none"), [None; 4]);
    for (metric, words) in
        [("rows", "2 rows"), ("series", "2 series"), ("wrong", "error parsing query"), ("wrong", "400")]
    {
        let said = found.said(metric, 0);
        assert!(said.contains(words), "{metric}: {said}");
    }
}
