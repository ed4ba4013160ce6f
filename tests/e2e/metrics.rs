//! Metrics from a REST API on a real cluster, with a credential from a Secret that the pod mounts.

use serde_json::json;

use crate::harness::Namespace;

const TOKEN: &str = "t0ken-of-the-shop";

/// Values that ask the target app, which answers as authenticated to any bearer token.
fn values(ns: &Namespace) -> String {
    json!({
        "tasks": ["ready", "custommetrics", "assess"],
        "ready": { "service": "httpbin" },
        "custommetrics": {
            "templates": {
                "shop": "url: {{ .url }}\nprovider: shop\nmetrics:\n- {name: known, type: gauge, jqExpression: 'if .authenticated then 1 else 0 end'}\n",
            },
            "values": { "url": ns.httpbin("/bearer") },
            "bearerToken": { "secret": "shop", "key": "token" },
        },
        "assess": { "SLOs": { "lower": { "shop/known": 1 } } },
    })
    .to_string()
}

#[test]
fn a_token_comes_from_a_secret_and_stays_there() {
    let ns = Namespace::with_httpbin("token");
    let secret = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "shop" }, "stringData": { "token": TOKEN } });
    ns.apply(&secret.to_string());
    ns.launch(&["--set-json", &values(&ns), "--wait", "--timeout", "60s"]).code(0);
    let result = ns.iter8(&["report", "-o", "json"]).code(0).stdout;
    assert!(result.contains("[redacted]") && !result.contains(TOKEN), "{result}");
    let log = ns.iter8(&["log"]).code(0).stdout;
    assert!(!log.contains(TOKEN), "{log}");
}

#[test]
fn a_secret_that_is_missing_ends_the_experiment_with_a_sentence() {
    let ns = Namespace::with_httpbin("missing");
    let launched = ns.launch(&["--set-json", &values(&ns), "--wait", "--timeout", "60s"]).code(4);
    let said = format!("there is no Secret `shop` in namespace {}", ns.name);
    assert!(launched.stdout.contains(&said), "{launched}");
}
