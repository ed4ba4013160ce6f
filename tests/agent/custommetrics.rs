//! Metrics from a provider: what is asked, what becomes of answers good and bad, and that credentials stay where they
//! belong.

use iter8_core::{ExperimentResult, Observation};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment};
use crate::tls::Shop;

fn step(with: &Value) -> Value {
    json!({ "task": "custommetrics", "with": with })
}

/// A template with these metrics, each `name: {path, jqExpression, …}`, at the URL `{{ .url }}`.
fn template(metrics: &Value) -> String {
    format!("url: {{{{ .url }}}}\nprovider: shop\nmetrics: {metrics}\n")
}

fn gauge(name: &str) -> Value {
    json!({ "name": name, "type": "gauge", "jqExpression": ".value" })
}

#[track_caller]
fn latest(result: &ExperimentResult, metric: &str, version: usize) -> Observation {
    let metric = result.metrics.get(metric).unwrap_or_else(|| panic!("no {metric}"));
    metric.versions[version].latest.clone().expect("it was observed")
}

#[test]
fn each_version_is_asked_for_with_its_own_values() {
    let target = HttpTarget::start(Behaviour::OK);
    target.on("/v1", Behaviour::Text(r#"{"value": "12.5"}"#));
    target.on("/v2", Behaviour::Text(r#"{"value": 80}"#));
    let text = "url: {{ .base }}/{{ .path }}\nprovider: shop\nmetrics:\n- name: latency\n  type: Gauge\n  units: ms\n  \
        description: how long\n  params: [{name: q, value: 'a{b=\"{{ .extra | default \"none\" }}\"}[{{ .elapsedTimeSeconds }}s]'}]\n  \
        jqExpression: .value | tonumber\n";
    let inputs = json!({
        "templates": { "shop": text },
        "values": { "base": target.url(""), "startingTime": "2026-01-01T00:00:00Z" },
        "versionValues": [{ "path": "v1", "track": "baseline", "extra": "only" }, { "path": "v2", "track": "candidate" }],
    });
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&inputs), assess(&json!({ "shop/latency": 50 }))])).code(code::SUCCEEDED);
    let result = stage.result();
    let judged: Vec<_> = result.slos.iter().map(|slo| (slo.version, slo.value, slo.verdict.as_str())).collect();
    assert_eq!(judged, [(Some(0), Some(12.5), "pass"), (Some(1), Some(80.0), "fail")]);
    assert_eq!(result.versions[1].track.as_deref(), Some("candidate"));
    assert_eq!(result.metrics["shop/latency"].unit.as_deref(), Some("ms"));
    let sources = [0, 1].map(|version| latest(&result, "shop/latency", version).source.unwrap());
    assert!(sources[0].contains("/v1?q=a%7Bb%3D%22only%22%7D"), "{}", sources[0]);
    assert!(
        sources[1].contains("/v2?q=a%7Bb%3D%22none%22%7D"),
        "what one version says is not seen by another: {}",
        sources[1]
    );
    assert!(sources[1].contains(r#"was answered with 200 OK: {"value": 80}"#), "{}", sources[1]);
}

#[test]
fn an_answer_without_a_number_is_a_metric_without_value_that_says_why() {
    let target = HttpTarget::start(Behaviour::OK);
    for (path, text) in [
        ("/null", r#"{"value": null}"#),
        ("/nan", r#"{"value": "NaN"}"#),
        ("/inf", r#"{"value": "+Inf"}"#),
        ("/text", r#"{"value": "1_000"}"#),
        ("/list", r#"{"value": [1]}"#),
        ("/html", "<!DOCTYPE html><title>Sign in</title>"),
        ("/shape", "[]"),
    ] {
        target.on(path, Behaviour::Text(text));
    }
    target.on("/gone", Behaviour::Echo { status: 404, after: 0 });
    target.on("/broken", Behaviour::Close);
    target.on("/large", Behaviour::Answer { status: 200, bytes: 11 << 20 });
    let cases = [
        ("null", "the answer is null: nothing was found; GET http://"),
        ("nan", "the answer is NaN: there was nothing to work it out from; GET"),
        ("inf", "the answer is +Inf, which is no number; GET"),
        ("text", "the answer is the text \"1_000\", which is no number; GET"),
        ("list", "the answer is a list, which is no number; GET"),
        ("html", "the answer is no JSON: <!DOCTYPE html><title>Sign in</title>; GET"),
        ("shape", "the answer does not fit the jqExpression ("),
        ("gone", "the answer is 404 Not Found: GET /gone"),
        ("broken", "the answer is missing: the query failed: "),
        ("large", "the answer is missing: the query was answered with more than 10 MiB"),
    ];
    let templates: Value = cases
        .iter()
        .map(|(name, _)| {
            ((*name).to_owned(), template(&json!([gauge("value")])).replace(".url", &format!(".url{name}")).into())
        })
        .collect::<serde_json::Map<_, _>>()
        .into();
    let values: Value = cases
        .iter()
        .map(|(name, _)| (format!("url{name}"), target.url(&format!("/{name}")).into()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let inputs = json!({ "templates": templates, "values": values, "retries": 1, "timeout": "60s" });
    let stage = Stage::new();
    let output = stage.run(&experiment([step(&inputs), assess(&json!({ "null/value": 1 }))])).code(code::SUCCEEDED);
    let result = stage.result();
    for (name, why) in cases {
        let observation = latest(&result, &format!("{name}/value"), 0);
        let source = observation.source.expect("it says why");
        assert!(observation.value.is_none() && source.starts_with(why), "{name}: {source}");
    }
    assert_eq!(target.count_of("/broken"), 2, "it was tried again");
    assert!(
        result.steps[0].message.starts_with("10 metrics, 10 without value: broken/value: "),
        "{}",
        result.steps[0].message
    );
    assert!(output.stdout.contains("10 without value"), "{}", output.stdout);
    assert_eq!(result.slos[0].verdict.as_str(), "inconclusive");
    assert!(result.slos[0].reason.contains("the answer is null"), "{}", result.slos[0].reason);
}

#[test]
fn a_provider_that_is_busy_is_asked_again() {
    let target = HttpTarget::start(Behaviour::status(429));
    let inputs = json!({ "templates": { "shop": template(&json!([gauge("a")])) }, "values": { "url": target.url("/") }, "retries": 2 });
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&inputs)])).code(code::SUCCEEDED);
    assert_eq!(target.count(), 3);
    let source = latest(&stage.result(), "shop/a", 0).source.unwrap();
    assert!(source.starts_with("the answer is 429 Too Many Requests: "), "{source}");
}

#[test]
fn a_provider_says_when_it_is_asked_again_and_nobody_waits_for_what_comes_too_late() {
    for (retry_after, asked) in [
        ("0", 3),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 3),
        // Far beyond the time that the query has.
        ("Mon, 31 Dec 2125 23:59:59 GMT", 1),
        ("86400", 1),
    ] {
        let target = HttpTarget::start(Behaviour::Recovers { status: 503, after: 2, retry_after });
        let inputs =
            json!({ "templates": { "shop": template(&json!([gauge("a")])) }, "values": { "url": target.url("/") } });
        let stage = Stage::new();
        let _ = stage.run(&experiment([step(&inputs)])).code(code::SUCCEEDED);
        assert_eq!(target.count(), asked, "Retry-After: {retry_after}");
    }
}

#[test]
fn a_slow_provider_is_not_waited_for_without_end() {
    let target = HttpTarget::start(Behaviour::Hang);
    let inputs = json!({ "templates": { "shop": template(&json!([gauge("a")])) }, "values": { "url": target.url("/") }, "timeout": "100ms" });
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&inputs)])).code(code::SUCCEEDED);
    let source = latest(&stage.result(), "shop/a", 0).source.unwrap();
    assert!(source.starts_with("the answer is missing: the query had no answer within 0.1 s"), "{source}");
}

#[test]
fn queries_do_not_wait_for_each_other_and_a_template_is_fetched_once_for_all_versions() {
    let target = HttpTarget::start(Behaviour::Held);
    target.on(
        "/template",
        Behaviour::Text(
            "url: {{ .url }}\nprovider: shop\nmetrics:\n{{ range $n := until 25 }}- {name: m{{ $n }}, type: gauge, jqExpression: .}\n{{ end }}",
        ),
    );
    let inputs = json!({
        "templates": { "shop": target.url("/template") }, "values": { "url": target.url("/query") },
        "versionValues": [{ "track": "baseline" }, { "track": "candidate" }],
    });
    let stage = Stage::new();
    let running = stage.start(&experiment([step(&inputs)]));
    // None is answered before all have come.
    target.wait_for_requests(1 + 2 * 25);
    target.release();
    let _ = running.wait().code(code::SUCCEEDED);
    assert_eq!((target.count_of("/template"), target.count_of("/query")), (1, 50));
}

#[test]
fn credentials_reach_the_provider_and_nothing_else() {
    let target = HttpTarget::start(Behaviour::Echo { status: 403, after: 0 });
    let inputs = json!({
        "templates": { "shop": "url: {{ .url }}\nprovider: shop\nheaders: {X-Api-Key: \"{{ .apiKey }}\"}\nmetrics: [{name: a, type: gauge, jqExpression: .}]\n" },
        "values": { "url": target.url("/?x=1"), "apiKey": "k3y-0f-values" },
        "headers": { "X-Scope-OrgID": "tenant-1" },
        "bearerToken": { "env": "ITER8_TEST_TOKEN" },
    });
    let stage = Stage::new();
    let output =
        stage.agent(&experiment([step(&inputs)])).env("ITER8_TEST_TOKEN", "t0ken-0f-env").run().code(code::SUCCEEDED);
    let request = target.last();
    assert_eq!(request.header("authorization"), "Bearer t0ken-0f-env");
    assert_eq!((request.header("x-api-key"), request.header("x-scope-orgid")), ("k3y-0f-values", "tenant-1"));
    let seen = format!("{}{}{:?}", output.stdout, output.stderr, stage.saved());
    assert!(seen.contains("403"), "the answer, which repeats the request, was kept: {seen}");
    for secret in ["t0ken-0f-env", "k3y-0f-values"] {
        assert!(!seen.contains(secret), "{secret} is in {seen}");
    }
}

#[test]
fn a_user_with_a_password_is_known_to_the_provider_alone_and_not_where_it_redirects_to() {
    let (target, other) =
        (HttpTarget::start(Behaviour::Echo { status: 403, after: 0 }), HttpTarget::start(Behaviour::OK));
    target.on("/elsewhere", Behaviour::Elsewhere(Box::leak(other.url("/").into_boxed_str())));
    let basic = "c2hvcDpvcGVuLXNlc2FtZQ=="; // shop:open-sesame
    let stage = Stage::new();
    for path in ["/", "/elsewhere"] {
        let inputs = json!({
            "templates": { "shop": template(&json!([gauge("a")])) }, "values": { "url": target.url(path) },
            "basicAuth": { "username": "shop", "password": "open-sesame" },
        });
        let output = stage.run(&experiment([step(&inputs)])).code(code::SUCCEEDED);
        assert_eq!(target.last().header("authorization"), format!("Basic {basic}"));
        let seen = format!("{}{}{:?}", output.stdout, output.stderr, stage.saved());
        assert!(!seen.contains("open-sesame") && !seen.contains(basic), "{seen}");
    }
    assert_eq!(other.count(), 0);
    assert_eq!(latest(&stage.result(), "shop/a", 0).value, None);
}

#[test]
fn buckets_of_a_histogram_give_percentiles_with_their_bounds() {
    let target = HttpTarget::start(Behaviour::Text(
        r#"{"data": {"result": [{"metric": {"le": "0.1"}, "value": [0, "50"]}, {"metric": {"le": "0.5"}, "value": [0, "900"]},
            {"metric": {"le": "+Inf"}, "value": [0, "1000"]}]}}"#,
    ));
    let metric = json!({ "name": "seconds", "type": "histogram", "units": "s", "jqExpression": ".data.result | map([.metric.le, .value[1]])" });
    let inputs = json!({ "templates": { "shop": template(&json!([metric])) }, "values": { "url": target.url("/") } });
    let stage = Stage::new();
    let limits = json!({ "shop/seconds/p60": 0.35, "shop/seconds/p99": 1 });
    let _ = stage.run(&experiment([step(&inputs), assess(&limits)])).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(latest(&result, "shop/seconds/count", 0).value, Some(1000.0));
    let p60 = latest(&result, "shop/seconds/p60", 0);
    assert!((p60.value.unwrap() - 0.358_823_5).abs() < 1e-6, "{p60:?}");
    assert_eq!(p60.interval.map(|interval| (interval.lower, interval.upper)), Some((Some(0.1), Some(0.5))));
    let p99 = latest(&result, "shop/seconds/p99", 0);
    assert_eq!((p99.value, p99.interval.and_then(|interval| interval.upper)), (Some(0.5), None));
    assert_eq!(result.slos.iter().map(|slo| slo.verdict.as_str()).collect::<Vec<_>>(), ["fail", "pass"]);
}

#[test]
fn a_template_that_cannot_be_used_fails_the_task_and_says_where() {
    let target = HttpTarget::start(Behaviour::OK);
    target.on("/page", Behaviour::Text("<html>login</html>"));
    target.on(
        "/good",
        Behaviour::Text("url: http://127.0.0.1:1\nprovider: p\nmetrics: [{name: a, type: gauge, jqExpression: .}]"),
    );
    target.on("/gone", Behaviour::status(404));
    let closed = ClosedPort::reserve();
    for (text, said) in [
        (target.url("/gone"), "`custommetrics.templates.a`: cannot fetch the template http://".to_owned()),
        (target.url("/gone"), "/gone: the server answered 404 Not Found".to_owned()),
        (
            target.url("/page"),
            "`custommetrics.templates.a`: what it gives cannot be used: it is an HTML page, not a template".to_owned(),
        ),
        (closed.url("/"), "the request failed".to_owned()),
        (
            "/no/such.tpl".to_owned(),
            "`custommetrics.templates.a`: cannot read the template /no/such.tpl: No such file".to_owned(),
        ),
        ("url: x\n{{ if }}".to_owned(), "template a, line 2: ".to_owned()),
        ("url: x\n{{ .a | nope }}".to_owned(), "line 2: function `nope` does not exist".to_owned()),
        (
            "url: http://{{ .gone }}\n".to_owned(),
            "it asks for a value that is not there: url: http://<no value>".to_owned(),
        ),
        (
            "url: http://a\nprovider: p\nmetrics: [{name: a, type: gouge, jqExpression: .}]".to_owned(),
            "unknown variant `gouge`".to_owned(),
        ),
        (
            "url: http://a\nprovider: p\nmetrics: [{name: a, type: gauge, jqExpression: '.a | halt'}]".to_owned(),
            "the jqExpression of `a`: the filter `halt` with 0 arguments is refused".to_owned(),
        ),
    ] {
        let stage = Stage::new();
        let _ = stage.run(&experiment([step(&json!({ "templates": { "a": text } }))])).code(code::TASK_FAILED);
        let message = stage.result().steps[0].message.clone();
        assert!(message.contains(&said), "{text}: {message}");
    }
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&json!({ "templates": { "a": target.url("/good") } }))])).code(code::SUCCEEDED);
    assert!(stage.result().fetched["custommetrics.templates.a"].starts_with("sha256:"));
}

#[test]
fn a_secret_that_is_not_there_is_named() {
    let inputs = json!({ "templates": { "a": template(&json!([gauge("a")])) }, "values": { "url": "http://127.0.0.1:1" },
        "bearerToken": { "secret": "prom", "key": "token" } });
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&inputs)])).code(code::TASK_FAILED);
    let message = &stage.result().steps[0].message;
    assert!(message.contains("`custommetrics.bearerToken`: there is no Secret `prom` in namespace shop"), "{message}");
}

#[test]
fn a_provider_over_tls_is_trusted_by_its_authority_and_sees_who_asks() {
    let shop = Shop::open("127.0.0.1");
    let (cert, key) = shop.issue("agent", ExtendedKeyUsagePurpose::ClientAuth);
    let authority = shop.authority.pem();
    for (tls, value, said) in [
        (json!({ "ca": authority, "cert": cert, "key": key }), Some(5.0), "200 OK"),
        (json!({ "insecure": true, "cert": cert, "key": key }), Some(5.0), "200 OK"),
        (json!({ "cert": cert, "key": key }), None, "UnknownIssuer"),
        (json!({ "ca": authority }), None, "the query failed: "),
    ] {
        let inputs = json!({
            "templates": { "shop": template(&json!([gauge("a")])) },
            "values": { "url": format!("https://{}/", shop.address) },
            "tls": tls, "retries": 0,
        });
        let stage = Stage::new();
        let _ = stage.run(&experiment([step(&inputs)])).code(code::SUCCEEDED);
        let observation = latest(&stage.result(), "shop/a", 0);
        let source = observation.source.unwrap_or_default();
        assert!(observation.value == value && source.contains(said), "{tls}: {source}");
    }
    let inputs = json!({ "templates": { "shop": template(&json!([gauge("a")])) }, "values": { "url": "https://a" }, "tls": { "ca": "-----BEGIN CERTIFICATE-----\nno\n-----END CERTIFICATE-----" } });
    let stage = Stage::new();
    let _ = stage.run(&experiment([step(&inputs)])).code(code::TASK_FAILED);
    let message = &stage.result().steps[0].message;
    assert!(message.starts_with("`custommetrics.templates.shop`: "), "{message}");
}
