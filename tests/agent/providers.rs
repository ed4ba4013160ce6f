//! The providers that nobody can install: a server answers in the form that the documentation of each gives, and checks
//! what it is asked.

use iter8_testkit::http_target::{Behaviour, HttpTarget, Received};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Stage, code, experiment};

const JSON: &str = "application/json";

/// One provider, asked with one set of values.
struct Case {
    provider: &'static str,
    /// With `ADDRESS` for the server's.
    values: Value,
    /// Answers to the metric `m`, and the value that they mean or else words that must be said.
    answers: Vec<(u16, &'static str, Result<f64, &'static str>)>,
    content_type: &'static str,
    /// Of the request.
    method: &'static str,
    /// Path and query, as far as they are always the same.
    target: &'static str,
    /// Name and value of a header.
    header: (&'static str, &'static str),
    /// The body, if it is JSON; null without one.
    body: Value,
}

fn received_body(received: &Received) -> Value {
    if received.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&received.body).expect("the body is JSON")
    }
}

/// The time since the experiment began may have become a little more than an hour.
fn an_hour(text: &str) -> String {
    (3601..3700).fold(text.to_owned(), |text, seconds: u32| text.replace(&seconds.to_string(), "3600"))
}

#[track_caller]
fn check(case: Case) {
    let Case { provider, .. } = case;
    let target = HttpTarget::start(Behaviour::OK);
    let mut values: Value = serde_json::from_str(&case.values.to_string().replace("ADDRESS", &target.url("")))
        .expect("a URL needs no escapes in JSON");
    let hour_ago = Timestamp::now() - SignedDuration::from_hours(1);
    values["startingTime"] = hour_ago.to_string().into();
    let with = json!({
        "templates": { provider: provider }, "values": values, "versionValues": [{ "labels": { "version": "v1" } }],
    });
    let steps = experiment([json!({ "task": "custommetrics", "with": with })]);
    let path = case.target.split('?').next().unwrap_or_default();
    for (status, body, wanted) in case.answers {
        target.on(path, Behaviour::Recorded { status, content_type: case.content_type, body });
        let stage = Stage::new();
        let _ = stage.run(&steps).code(code::SUCCEEDED);
        let result = stage.result();
        let found = result.metrics[&format!("{provider}/m")].versions[0].latest.clone().expect("it was asked for");
        let said = found.source.expect("it says where it comes from");
        assert_eq!(found.value, wanted.ok(), "{provider}: {said}");
        assert!(wanted.err().is_none_or(|words| said.contains(words)), "{provider}: {said}");
    }
    let received = target.last();
    assert_eq!(received.method.as_str(), case.method, "{provider}");
    assert_eq!(an_hour(&received.target), case.target, "{provider}");
    assert_eq!(received.header(case.header.0), case.header.1, "{provider}");
    let mut body = received_body(&received);
    // The present.
    if let Some(attributes) = body.pointer_mut("/data/attributes") {
        let span = attributes["to"].as_i64().zip(attributes["from"].as_i64()).map(|(to, from)| to - from);
        assert!(span.is_some_and(|span| (3_600_000..3_700_000).contains(&span)), "{attributes}");
        (attributes["from"], attributes["to"]) = (Value::Null, Value::Null);
    }
    let body: Value = serde_json::from_str(&an_hour(&body.to_string())).expect("it was JSON before");
    assert_eq!(body, case.body, "{provider}");
}

#[test]
fn elasticsearch_counts_and_aggregates_documents() {
    let case = |query: Value, aggregation: Value, answers| Case {
        provider: "elasticsearch",
        values: json!({ "elasticsearchURL": "ADDRESS", "elasticsearchIndex": "logs-*", "elasticsearchQueries": { "m": query } }),
        answers,
        content_type: JSON,
        method: "POST",
        target: "/logs-*/_search",
        header: ("content-type", JSON),
        body: json!({
            "size": 0, "track_total_hits": true, "aggs": { "metric": aggregation },
            "query": { "bool": { "filter": [
                { "range": { "@timestamp": { "gte": "now-3600s" } } }, { "term": { "version": { "value": "v1" } } },
            ] } },
        }),
    };
    let errors = json!({ "range": { "http.status": { "gte": 500 } } });
    let count = json!({ "filter": errors, "type": "counter" });
    check(case(
        count,
        json!({ "filter": errors }),
        vec![
            (
                200,
                r#"{"took":5,"timed_out":false,"_shards":{"total":2,"successful":2,"skipped":0,"failed":0},"hits":{"total":{"value":120,"relation":"eq"},"max_score":null,"hits":[]},"aggregations":{"metric":{"doc_count":3}}}"#,
                Ok(3.0),
            ),
            (
                200,
                r#"{"took":5,"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":120},"hits":[]},"aggregations":{"metric":{"doc_count":0}}}"#,
                Ok(0.0),
            ),
            // Nothing is known of the version: then nothing is known of its errors.
            (
                200,
                r#"{"took":5,"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":0},"hits":[]},"aggregations":{"metric":{"doc_count":0}}}"#,
                Err("null"),
            ),
            (
                200,
                r#"{"timed_out":true,"_shards":{"failed":0},"hits":{"total":{"value":12}},"aggregations":{"metric":{"doc_count":1}}}"#,
                Err("timed out"),
            ),
            (
                200,
                r#"{"timed_out":false,"_shards":{"failed":2},"hits":{"total":{"value":12}},"aggregations":{"metric":{"doc_count":1}}}"#,
                Err("2 shards failed"),
            ),
            (
                404,
                r#"{"error":{"type":"index_not_found_exception","reason":"no such index [logs]"},"status":404}"#,
                Err("no such index"),
            ),
        ],
    ));
    let percentile = json!({ "percentiles": { "field": "ms", "percents": [95] } });
    let asked = json!({ "filter": { "match_all": {} }, "aggs": { "value": percentile } });
    check(case(
        json!({ "aggregation": percentile }),
        asked,
        vec![
            (
                200,
                r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":12}},"aggregations":{"metric":{"doc_count":12,"value":{"values":{"95.0":42.5}}}}}"#,
                Ok(42.5),
            ),
            (
                200,
                r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":12},"aggregations":{"metric":{"doc_count":0,"value":{"values":{"95.0":null}}}}}"#,
                Err("null"),
            ),
        ],
    ));
    let mean = json!({ "avg": { "field": "ms" } });
    let asked = json!({ "filter": { "match_all": {} }, "aggs": { "value": mean } });
    check(case(
        json!({ "aggregation": mean }),
        asked,
        vec![(
            200,
            r#"{"timed_out":false,"_shards":{"failed":0},"hits":{"total":{"value":12}},"aggregations":{"metric":{"doc_count":12,"value":{"value":7.25}}}}"#,
            Ok(7.25),
        )],
    ));
}

#[test]
fn datadog_makes_one_value_of_queries_and_formulas() {
    let query = |name: &str, query: &str| json!({ "aggregator": "sum", "data_source": "metrics", "name": name, "query": query });
    check(Case {
        provider: "datadog",
        values: json!({ "datadogURL": "ADDRESS", "datadogQueries": { "m": {
            "queries": { "errors": "sum:errors{$labels}.as_count()", "hits": "sum:hits{$labels}.as_count()" },
            "formula": "errors / hits", "aggregator": "sum",
        } } }),
        answers: vec![
            (
                200,
                r#"{"data":{"id":"0","type":"scalar_response","attributes":{"columns":[{"name":"errors / hits","values":[0.125],"type":"number","meta":{"unit":[null,null]}}]}}}"#,
                Ok(0.125),
            ),
            (
                200,
                r#"{"data":{"id":"0","type":"scalar_response","attributes":{"columns":[{"name":"errors / hits","values":[null],"type":"number"}]}}}"#,
                Err("null"),
            ),
            (200, r#"{"data":{"id":"0","type":"scalar_response","attributes":{"columns":[]}}}"#, Err("null")),
            (
                200,
                r#"{"data":{"attributes":{"columns":[{"name":"env","values":[["prod"],["test"]],"type":"group"},{"name":"a","values":[1,2],"type":"number"}]}}}"#,
                Err("2 values"),
            ),
            (200, r#"{"data":null,"errors":"query is too expensive"}"#, Err("too expensive")),
            (403, r#"{"errors":["Forbidden"]}"#, Err("Forbidden")),
        ],
        content_type: JSON,
        method: "POST",
        target: "/api/v2/query/scalar",
        header: ("content-type", JSON),
        body: json!({ "data": { "type": "scalar_request", "attributes": {
            "from": null, "to": null, "formulas": [{ "formula": "errors / hits" }],
            "queries": [query("errors", "sum:errors{version:v1}.as_count()"), query("hits", "sum:hits{version:v1}.as_count()")],
        } } }),
    });
}

#[test]
fn new_relic_answers_by_graphql() {
    check(Case {
        provider: "newrelic",
        values: json!({
            "newrelicURL": "ADDRESS/graphql", "newrelicAccount": 1_234_567,
            "newrelicQueries": { "m": "SELECT percentile(duration, 95) FROM Transaction WHERE $labels" },
        }),
        answers: vec![
            (
                200,
                r#"{"data":{"actor":{"account":{"nrql":{"results":[{"percentile.duration":{"95":0.25}}]}}}}}"#,
                Ok(0.25),
            ),
            (200, r#"{"data":{"actor":{"account":{"nrql":{"results":[{"count":12}]}}}}}"#, Ok(12.0)),
            (200, r#"{"data":{"actor":{"account":{"nrql":{"results":[{"average.duration":null}]}}}}}"#, Err("null")),
            (
                200,
                r#"{"data":{"actor":{"account":{"nrql":{"results":[{"facet":"a","count":1},{"facet":"b","count":2}]}}}}}"#,
                Err("2 rows"),
            ),
            (
                200,
                r#"{"data":{"actor":{"account":{"nrql":{"results":[{"min.duration":1,"max.duration":2}]}}}}}"#,
                Err("2 numbers"),
            ),
            (
                200,
                r#"{"data":{"actor":{"account":{"nrql":null}}},"errors":[{"message":"NRQL Syntax Error: unexpected 'FORM'","path":["actor","account","nrql"]}]}"#,
                Err("NRQL Syntax Error"),
            ),
            (401, r#"{"errors":[{"message":"Invalid API key"}]}"#, Err("Invalid API key")),
        ],
        content_type: JSON,
        method: "POST",
        target: "/graphql",
        header: ("content-type", JSON),
        body: json!({
            "query": "query($account: Int!, $nrql: Nrql!) { actor { account(id: $account) { nrql(query: $nrql) { results } } } }",
            "variables": {
                "account": 1_234_567,
                "nrql": "SELECT percentile(duration, 95) FROM Transaction WHERE `version` = 'v1' SINCE 3600 seconds ago",
            },
        }),
    });
}

#[test]
fn dynatrace_reduces_a_selector_to_one_value() {
    check(Case {
        provider: "dynatrace",
        values: json!({ "dynatraceURL": "ADDRESS", "dynatraceQueries": { "m": "shop.ms:filter(and($labels)):splitBy()" } }),
        answers: vec![
            (
                200,
                r#"{"totalCount":1,"nextPageKey":null,"resolution":"Inf","result":[{"metricId":"shop.ms","dataPointCountRatio":1.0E-6,"dimensionCountRatio":1.0E-5,"data":[{"dimensions":[],"dimensionMap":{},"timestamps":[1700000000000],"values":[38.5]}]}]}"#,
                Ok(38.5),
            ),
            (200, r#"{"totalCount":0,"resolution":"Inf","result":[{"metricId":"shop.ms","data":[]}]}"#, Err("null")),
            (
                200,
                r#"{"totalCount":1,"resolution":"Inf","result":[{"metricId":"shop.ms","data":[{"dimensions":[],"timestamps":[1700000000000],"values":[null]}]}]}"#,
                Err("null"),
            ),
            (
                200,
                r#"{"totalCount":2,"resolution":"Inf","result":[{"metricId":"shop.ms","data":[{"dimensions":["a"],"values":[1]},{"dimensions":["b"],"values":[2]}]}]}"#,
                Err("2 values"),
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The metric selector could not be parsed"}}"#,
                Err("could not be parsed"),
            ),
        ],
        content_type: JSON,
        method: "GET",
        target: "/api/v2/metrics/query?metricSelector=shop.ms%3Afilter%28and%28eq%28%22version%22%2C%22v1%22%29%29%29%3AsplitBy%28%29&from=now-3600s&resolution=Inf",
        header: ("authorization", ""),
        body: Value::Null,
    });
}

#[test]
fn graphite_reduces_points_to_one_value() {
    let case = |aggregation: &str, wanted: f64| Case {
        provider: "graphite",
        values: json!({ "graphiteURL": "ADDRESS", "graphiteQueries": { "m": {
            "query": "sumSeries(seriesByTag('name=ms',$labels))", "aggregation": aggregation,
        } } }),
        answers: vec![
            (
                200,
                r#"[{"target":"sumSeries(ms)","tags":{"name":"ms"},"datapoints":[[null,1700000000],[30.0,1700000010],[10.0,1700000020],[20.0,1700000030],[null,1700000040]]}]"#,
                Ok(wanted),
            ),
            (200, r#"[{"target":"sumSeries(ms)","datapoints":[[null,1700000000]]}]"#, Err("null")),
            (200, "[]", Err("null")),
            (200, r#"[{"target":"a","datapoints":[[1,1]]},{"target":"b","datapoints":[[1,1]]}]"#, Err("2 series")),
            (400, "Invalid target", Err("Invalid target")),
        ],
        content_type: JSON,
        method: "GET",
        target: "/render?target=sumSeries%28seriesByTag%28%27name%3Dms%27%2C%27version%3Dv1%27%29%29&from=-3600s&format=json",
        header: ("authorization", ""),
        body: Value::Null,
    };
    for (aggregation, wanted) in [("average", 20.0), ("sum", 60.0), ("min", 10.0), ("max", 30.0), ("last", 20.0)] {
        check(case(aggregation, wanted));
    }
}

#[test]
fn sysdig_reduces_a_metric_to_one_value() {
    check(Case {
        provider: "sysdig",
        values: json!({ "sysdigURL": "ADDRESS", "sysdigQueries": { "m": { "query": "cpu.used.percent", "timeAggregation": "max" } } }),
        answers: vec![
            (200, r#"{"data":[{"t":1582756200,"d":[6.481]}],"start":1582755600,"end":1582756200}"#, Ok(6.481)),
            (200, r#"{"data":[],"start":1582755600,"end":1582756200}"#, Err("null")),
            (200, r#"{"data":[{"t":1582756200,"d":[null]}]}"#, Err("null")),
            (200, r#"{"data":[{"t":1,"d":[1]},{"t":2,"d":[2]}]}"#, Err("2 rows")),
            (401, r#"{"errors":[{"reason":"Bad credentials"}]}"#, Err("Bad credentials")),
        ],
        content_type: JSON,
        method: "POST",
        target: "/api/data",
        header: ("content-type", JSON),
        body: json!({
            "last": 3600, "metrics": [{ "id": "cpu.used.percent", "aggregations": { "time": "max", "group": "avg" } }],
            "dataSourceType": "container", "filter": "version = 'v1'",
        }),
    });
}

#[test]
fn influxdb_2_answers_flux_in_comma_separated_values() {
    let flux = "from(bucket: \"shop\") |> range(start: -$window) |> filter(fn: (r) => $labels) |> group() |> mean()";
    let sent = "from(bucket: \"shop\") |> range(start: -3600s) |> filter(fn: (r) => r[\"version\"] == \"v1\") |> group() |> mean()\n  |> keep(columns: [\"_value\"])";
    check(Case {
        provider: "influxdb2",
        values: json!({ "influxdb2URL": "ADDRESS", "influxdb2Org": "shop", "influxdb2Queries": { "m": flux } }),
        answers: vec![
            (200, ",result,table,_value\r\n,_result,0,21.76\r\n\r\n", Ok(21.76)),
            (200, "\r\n", Err("null")),
            (200, ",result,table,_value\r\n,_result,0,1\r\n,_result,0,2\r\n\r\n", Err("2 rows")),
            (400, r#"{"code":"invalid","message":"compilation failed: error at @1:8"}"#, Err("compilation failed")),
            (401, r#"{"code":"unauthorized","message":"unauthorized access"}"#, Err("unauthorized access")),
        ],
        content_type: "text/csv; charset=utf-8",
        method: "POST",
        target: "/api/v2/query?org=shop",
        header: ("accept", "application/csv"),
        body: json!({
            "query": sent, "type": "flux", "dialect": { "header": true, "delimiter": ",", "annotations": [] },
        }),
    });
}
