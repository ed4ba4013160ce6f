//! Who is told how an experiment went: what reaches Slack, GitHub and other servers, checked as they would check it, and
//! what becomes of a step when nobody could be told.

use std::time::Duration;

use iter8_core::result::StepStatus;
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget, Received};
use rcgen::ExtendedKeyUsagePurpose;
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http, text_in};
use crate::tls::Shop;

const TOKEN: &str = "gh-t0ken-q7Zk2mVx9";
const HOOK: &str = "/services/T0001/B0002/s3cr3tHookX9w";

/// A stage with the mounted Secret `chat`, whose `token` and `url` are as said.
fn with_secret(url: &str) -> Stage {
    let stage = Stage::new();
    stage.env.file("secrets/chat/token", format!("{TOKEN}\n"));
    stage.env.file("secrets/chat/url", url);
    stage
}

/// Runs one step after a load and its assessment, and gives everything that was written anywhere but to the receiver.
#[track_caller]
fn told(stage: &Stage, step: Value, ends: i32) -> String {
    let app = HttpTarget::start(Behaviour::OK);
    let load = http(&app.url("/"), &json!({ "numRequests": 5 }));
    told_after(
        stage,
        &experiment([load, assess(&json!({ "http/error-count": 0, "http/latency-mean": 60000 })), step]),
        ends,
    )
}

#[track_caller]
fn told_after(stage: &Stage, experiment: &Value, ends: i32) -> String {
    let secrets = stage.env.home().join("secrets");
    let agent = stage.agent(experiment).args(["--log-level", "trace", "--secrets"]).args([secrets]);
    let output = agent.run().code(ends);
    let mut all = output.stdout + &output.stderr;
    for request in stage.server.requests() {
        all += &format!("{}?{}\n{}\n", request.path, request.query, String::from_utf8_lossy(&request.body));
        if !request.body.is_empty() {
            all += &text_in(&request.json()).unwrap_or_default();
        }
    }
    all
}

/// What the last step says.
fn message(stage: &Stage) -> String {
    stage.result().steps.last().expect("there are steps").message.clone()
}

#[track_caller]
fn assert_clean(text: &str) {
    for secret in [TOKEN, HOOK, "s3cr3tHookX9w", "t0ken-q7Zk"] {
        let shown: Vec<&str> = text.lines().filter(|line| line.contains(secret)).collect();
        assert!(shown.is_empty(), "{secret} stands in\n{}", shown.join("\n"));
    }
}

fn secret(key: &str) -> Value {
    json!({ "secret": "chat", "key": key })
}

/// The texts of a message, when Slack would take it: limits of docs.slack.dev, "Blocks" and "Text object".
#[track_caller]
fn slack_texts(request: &Received) -> Vec<String> {
    assert_eq!((request.method.as_str(), request.header("content-type")), ("POST", "application/json"));
    let body: Value = serde_json::from_slice(&request.body).expect("the body is JSON");
    let blocks = body["blocks"].as_array().expect("there are blocks");
    assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
    let mut texts = vec![body["text"].as_str().expect("there is a text for notifications").to_owned()];
    for block in blocks {
        let kind = block["type"].as_str().expect("a block has a type");
        let most = if kind == "header" { 150 } else { 3000 };
        let found: Vec<&Value> = match kind {
            "header" | "section" => vec![&block["text"]],
            "context" => block["elements"].as_array().expect("a context has elements").iter().collect(),
            other => panic!("no block is called {other}"),
        };
        for text in found {
            let words = text["text"].as_str().expect("a text object has a text");
            assert!((1..=most).contains(&words.chars().count()), "{kind} of {} characters", words.chars().count());
            assert!(kind != "header" || text["type"] == "plain_text", "a header is plain");
            // What is no plain text is marked up: nothing that controls Slack may stand in it.
            if text["type"] == "mrkdwn" {
                assert!(!words.contains(['<', '>']), "{words}");
            }
            texts.push(words.to_owned());
        }
    }
    assert!(!texts[0].contains(['<', '>']), "{}", texts[0]);
    texts
}

/// The client payload of an event, when GitHub would take it: "Create a repository dispatch event" of its REST API.
#[track_caller]
fn github_payload(request: &Received) -> Value {
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/api/v3/repos/octo/shop/dispatches"));
    assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(request.header("accept"), "application/vnd.github+json");
    assert_eq!(request.header("x-github-api-version"), "2022-11-28");
    assert!(request.header("user-agent").starts_with("iter8-agent/"));
    assert!(request.body.len() < 65_536, "{} bytes", request.body.len());
    let body: Value = serde_json::from_slice(&request.body).expect("the body is JSON");
    assert!((1..=100).contains(&body["event_type"].as_str().expect("there is a type").chars().count()));
    let payload = body["client_payload"].as_object().expect("the payload is a map");
    assert!(payload.len() <= 10, "{} properties", payload.len());
    body["client_payload"].clone()
}

fn github(target: &HttpTarget, more: &Value) -> Value {
    let mut with = json!({
        "owner": "octo", "repo": "shop", "token": secret("token"), "apiURL": target.url("/api/v3"),
    });
    with.as_object_mut().expect("is one").extend(more.as_object().expect("inputs are an object").clone());
    json!({ "task": "github", "with": with })
}

fn slack(more: &Value) -> Value {
    let mut with = json!({ "url": secret("url") });
    with.as_object_mut().expect("is one").extend(more.as_object().expect("inputs are an object").clone());
    json!({ "task": "slack", "with": with })
}

fn webhook(url: &str, more: &Value) -> Value {
    let mut with = json!({ "url": url });
    with.as_object_mut().expect("is one").extend(more.as_object().expect("inputs are an object").clone());
    json!({ "task": "webhook", "with": with })
}

#[test]
fn slack_is_told_the_verdict_and_the_objectives_by_a_webhook_that_nobody_else_sees() {
    let target = HttpTarget::start(Behaviour::Text("ok"));
    let stage = with_secret(&target.url(HOOK));
    let written = told(&stage, slack(&json!({})), code::SUCCEEDED);
    assert_eq!(message(&stage), "Slack took the message");
    assert_eq!((target.count(), target.last().target.as_str()), (1, HOOK));
    let texts = slack_texts(&target.last());
    assert_eq!(texts[0], "✔ pass: experiment web in shop, revision 1");
    assert!(texts.iter().any(|text| text.contains("all 2 objectives are satisfied")), "{texts:?}");
    let table = texts.iter().find(|text| text.starts_with("```\n")).expect("there is a table");
    assert!(
        table.contains("http/error-count &lt;= 0: 0") && table.contains("http/latency-mean &lt;= 60000 ms: "),
        "{table}"
    );
    assert_clean(&written);
}

#[test]
fn github_is_told_with_the_fields_of_v0_13_and_the_verdict_and_no_token() {
    let target = HttpTarget::start(Behaviour::Answer { status: 204, bytes: 0 });
    let stage = with_secret("");
    let written = told(&stage, github(&target, &json!({})), code::SUCCEEDED);
    assert_eq!(message(&stage), "GitHub took the event for octo/shop");
    let payload = github_payload(&target.last());
    assert_eq!((&payload["verdict"], &payload["noTaskFailures"]), (&json!("pass"), &json!(true)));
    assert_eq!(
        (&payload["numTasks"], &payload["numCompletedTasks"], &payload["numLoops"]),
        (&json!(3), &json!(2), &json!(1))
    );
    let run = &payload["experiment"];
    assert_eq!(run["spec"], json!([{ "task": "http" }, { "task": "assess" }, { "task": "github" }]));
    assert_eq!(run["result"]["insights"]["SLOsSatisfied"]["upper"], json!([[true], [true]]));
    assert_eq!(run["result"]["insights"]["nonHistMetricValues"][0]["http/request-count"], json!([5.0]));
    assert!(!String::from_utf8_lossy(&target.last().body).contains(TOKEN));
    assert_clean(&written);
}

#[test]
fn a_webhook_gets_headers_and_a_token_and_the_report_as_json() {
    let target = HttpTarget::start(Behaviour::OK);
    let stage = with_secret("");
    let more = json!({
        "method": "PUT", "bearerToken": secret("token"),
        "headers": { "X-Team": 7, "X-Api-Key": { "secret": "chat", "key": "token", "prefix": "key " } },
    });
    let written = told(&stage, webhook(&target.url("/hook"), &more), code::SUCCEEDED);
    let last = target.last();
    assert_eq!((last.method.as_str(), last.target.as_str(), last.header("x-team")), ("PUT", "/hook", "7"));
    assert_eq!(last.header("authorization"), format!("Bearer {TOKEN}"));
    assert_eq!(last.header("x-api-key"), format!("key {TOKEN}"));
    let body: Value = serde_json::from_slice(&last.body).expect("the body is JSON");
    assert_eq!(body["verdict"], json!("pass"));
    assert_clean(&written);
}

#[test]
fn a_credential_is_shown_nowhere_although_the_server_echoes_it() {
    let target = HttpTarget::start(Behaviour::Echo { status: 403, after: 0 });
    for step in [
        webhook(
            &target.url(HOOK),
            &json!({ "bearerToken": TOKEN, "headers": { "X-Auth-Token": format!("k {TOKEN}") } }),
        ),
        github(&target, &json!({ "token": TOKEN })),
        json!({ "task": "slack", "with": { "url": target.url(HOOK) } }),
        webhook(&target.url("/"), &json!({ "headers": { "X-Team": secret("token") } })),
        github(&target, &json!({})),
        slack(&json!({})),
    ] {
        let stage = with_secret(&target.url(HOOK));
        let written = told(&stage, step, code::SUCCEEDED);
        assert!(message(&stage).contains("answered 403 Forbidden"), "{}", message(&stage));
        assert_clean(&written);
    }
}

#[test]
fn what_an_experiment_says_stays_text_and_pings_nobody() {
    const NASTY: &str = "<!channel> \"quoted\" \\ ```x``` &amp; @here\n<http://evil|click> ü 🎉";
    let app = HttpTarget::start(Behaviour::OK);
    let (chat, hook) = (HttpTarget::start(Behaviour::Text("ok")), HttpTarget::start(Behaviour::OK));
    let event = HttpTarget::start(Behaviour::Answer { status: 204, bytes: 0 });
    let stage = with_secret(&chat.url(HOOK));
    // An endpoint's name is what users choose; the path of a template that is not there is in the message of its step.
    let load = http(&app.url("/"), &json!({ "numRequests": 5 }));
    let failing = webhook(&hook.url("/"), &json!({ "payloadTemplate": format!("{{{{ fail {} }}}}", json!(NASTY)) }));
    let limit = assess(&json!({ "prom/<!channel>`\"\\": 1, "http/error-count": 0 }));
    let steps =
        [load, limit, failing, slack(&json!({})), github(&event, &json!({})), webhook(&hook.url("/"), &json!({}))];
    let _ = told_after(&stage, &experiment(steps), code::SUCCEEDED);
    assert_eq!(hook.count(), 1, "the template that fails sent nothing");
    let texts = slack_texts(&chat.last());
    assert!(texts.iter().any(|text| text.contains(NASTY)), "{texts:?}");
    assert!(texts.iter().any(|text| text.contains("prom/&lt;!channel&gt;'")), "{texts:?}");
    github_payload(&event.last());
    let body: Value = serde_json::from_slice(&hook.last().body).expect("the body is JSON");
    assert_eq!(body["experiment"]["result"]["insights"]["SLOs"]["upper"][1]["metric"], json!("prom/<!channel>`\"\\"));
}

#[test]
fn hundreds_of_objectives_fit_into_a_message_and_an_event() {
    let app = HttpTarget::start(Behaviour::OK);
    let (chat, event) =
        (HttpTarget::start(Behaviour::Text("ok")), HttpTarget::start(Behaviour::Answer { status: 204, bytes: 0 }));
    let stage = with_secret(&chat.url(HOOK));
    let limits: serde_json::Map<String, Value> =
        (0..600).map(|n| (format!("db/{}<{n}>", "&".repeat(150)), json!(n))).collect();
    let load = http(&app.url("/"), &json!({ "numRequests": 5 }));
    let steps = [load, assess(&Value::Object(limits)), slack(&json!({})), github(&event, &json!({}))];
    let _ = told_after(&stage, &experiment(steps), code::SUCCEEDED);
    let texts = slack_texts(&chat.last());
    assert!(texts.iter().any(|text| text.contains("more objectives")), "{texts:?}");
    let payload = github_payload(&event.last());
    assert!(payload["experiment"]["shortened"].is_string(), "{payload}");
}

#[test]
fn templates_of_users_see_the_report_by_the_names_of_v0_13_and_of_go() {
    let target = HttpTarget::start(Behaviour::Text("ok"));
    let text = r#"{"text": {{ printf "%s: %v of %v" .Report.verdict .Report.NumCompletedTasks .Report.numTasks | toJson }},
        "by": {{ .Report.Experiment.Result.NumLoops }}, "whole": {{ .Report | toPrettyJson | toJson }}}"#;
    let pages = HttpTarget::start(Behaviour::status(404));
    pages.on("/slack.tpl", Behaviour::Text(r#"{"text": {{ .Report.verdictReason | toJson }}}"#));
    let stage = with_secret(&target.url(HOOK));
    let path = stage.env.file("slack.tpl", r#"{"text": "from a file"}"#);
    for (template, said) in [
        (json!({ "payloadTemplateURL": text }), "pass: 2 of 3"),
        (json!({ "payloadTemplate": text }), "pass: 2 of 3"),
        (json!({ "payloadTemplateURL": pages.url("/slack.tpl") }), "all 2 objectives are satisfied"),
        (json!({ "payloadTemplateURL": path }), "from a file"),
    ] {
        let _ = told(&stage, slack(&template), code::SUCCEEDED);
        assert_eq!(message(&stage), "Slack took the message");
        let body: Value = serde_json::from_slice(&target.last().body).expect("the body is JSON");
        assert_eq!(body["text"], json!(said), "{template}");
        let is_fetched = template.to_string().contains(&pages.url("/"));
        let digest = stage.result().fetched.get("slack.payloadTemplateURL").cloned();
        assert_eq!(digest.is_some_and(|digest| digest.starts_with("sha256:")), is_fetched, "{template}");
    }
}

#[test]
fn a_template_that_makes_no_payload_is_said_with_its_place_and_nothing_is_sent() {
    let target = HttpTarget::start(Behaviour::Text("ok"));
    let pages = HttpTarget::start(Behaviour::status(404));
    pages.on("/large", Behaviour::Answer { status: 200, bytes: 1_100_000 });
    let stage = with_secret(&target.url(HOOK));
    let many: String = (0..11).map(|n| format!("\"p{n}\": 1,")).collect();
    for (step, said) in [
        (slack(&json!({ "payloadTemplate": "{\n\n{{ if }}" })), "template slack.payloadTemplate, line 3: "),
        (slack(&json!({ "payloadTemplate": "{{ .Report.nothing }}" })), "template slack.payloadTemplate: "),
        (
            slack(&json!({ "payloadTemplate": "{\n\"text\": {{ .Report.verdict }} }" })),
            "what `payloadTemplate` makes is not JSON; write texts as {{ .Report.verdict | toJson }}: expected",
        ),
        (
            github(&target, &json!({ "payloadTemplateURL": "{\"event_type\": \"\"}\n" })),
            "what `payloadTemplateURL` makes is no event of GitHub: event_type must be a text of 1 to 100 characters",
        ),
        (
            github(
                &target,
                &json!({ "payloadTemplate": format!("{{\"event_type\": \"x\",\n\"client_payload\": {{{} \"z\": 1}}}}", many) }),
            ),
            "client_payload has 12 properties; GitHub takes at most 10",
        ),
        (
            slack(&json!({ "payloadTemplateURL": pages.url("/gone?token=hunter22") })),
            "/gone?token=redacted: the server answered 404 Not Found",
        ),
        (slack(&json!({ "payloadTemplateURL": pages.url("/large") })), "/large: it is larger than 1 MiB"),
        (
            slack(&json!({ "payloadTemplateURL": "/nowhere/slack.tpl" })),
            "cannot read the template /nowhere/slack.tpl: No such file",
        ),
    ] {
        let _ = told(&stage, step, code::SUCCEEDED);
        assert!(message(&stage).contains(said), "{}", message(&stage));
        assert!(message(&stage).starts_with("not delivered, and softFailure lets it pass: "), "{}", message(&stage));
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn a_failure_is_soft_by_default_and_hard_when_asked_for() {
    for (url, said) in [
        (secret("nothing"), "the Secret `chat` in namespace shop has no key `nothing`; it has token, url"),
        (json!({ "secret": "gone", "key": "url" }), "there is no Secret `gone` in namespace shop"),
        (json!({ "env": "ITER8_TEST_NOT_SET" }), "the variable ITER8_TEST_NOT_SET is not set"),
        (secret("token"), "`slack.url` is no URL that can be asked"),
    ] {
        let stage = with_secret("");
        let written = told(&stage, slack(&json!({ "url": url })), code::SUCCEEDED);
        assert_eq!(stage.result().steps[2].status, StepStatus::Succeeded);
        assert!(message(&stage).contains(said), "{}", message(&stage));
        assert_clean(&written);
        let written = told(&stage, slack(&json!({ "url": url, "softFailure": "false" })), code::TASK_FAILED);
        assert_eq!(stage.result().steps[2].status, StepStatus::Failed);
        assert!(
            message(&stage).starts_with("not delivered: ") && message(&stage).contains(said),
            "{}",
            message(&stage)
        );
        // What was measured and judged before it stays.
        assert_eq!(stage.result().verdict, Some(iter8_core::Verdict::Pass));
        assert_clean(&written);
    }
}

#[test]
fn what_servers_refuse_is_said_in_their_words_with_what_to_do() {
    let target = HttpTarget::start(Behaviour::OK);
    target.on("/bad", Behaviour::Text("invalid_payload"));
    target.on("/no", Behaviour::Text(r#"{"ok": false, "error": "not_allowed"}"#));
    target.on("/api/v3/repos/octo/shop/dispatches", Behaviour::status(404));
    let origin = target.url("");
    for (url, step, said) in [
        (
            "/bad",
            slack(&json!({})),
            format!("{origin} answered 200 OK and said `invalid_payload`: the payload is not one of Slack"),
        ),
        ("/no", slack(&json!({})), r#"said `{"ok": false, "error": "not_allowed"}`"#.to_owned()),
        (
            "/",
            github(&target, &json!({})),
            format!("{origin} answered 404 Not Found and said `..`: there is no such repository, or the token"),
        ),
    ] {
        let stage = with_secret(&target.url(url));
        let written = told(&stage, step, code::SUCCEEDED);
        assert!(message(&stage).contains(&said), "{}", message(&stage));
        assert_clean(&written);
    }
}

#[test]
fn a_server_that_is_busy_is_asked_again_and_not_for_ever() {
    for status in [429, 503] {
        let target = HttpTarget::start(Behaviour::Recovers { status, after: 2, retry_after: "0" });
        let stage = with_secret(&target.url(HOOK));
        let _ = told(&stage, slack(&json!({ "softFailure": false })), code::SUCCEEDED);
        assert_eq!(target.count(), 3);
    }
    let target = HttpTarget::start(Behaviour::Recovers { status: 500, after: 99, retry_after: "0" });
    let stage = with_secret(&target.url(HOOK));
    let _ = told(&stage, slack(&json!({})), code::SUCCEEDED);
    assert_eq!(target.count(), 4);
    assert!(message(&stage).contains("answered 500 Internal Server Error"), "{}", message(&stage));
    // What the server understood and does not want is not sent twice.
    let target = HttpTarget::start(Behaviour::status(400));
    let stage = with_secret(&target.url(HOOK));
    let _ = told(&stage, slack(&json!({})), code::SUCCEEDED);
    assert_eq!(target.count(), 1);
}

#[test]
fn a_redirect_is_followed_within_its_origin_and_never_takes_credentials_elsewhere() {
    let (target, other) = (HttpTarget::start(Behaviour::OK), HttpTarget::start(Behaviour::OK));
    target.on("/old", Behaviour::Elsewhere("/new"));
    let stage = with_secret("");
    let token = json!({ "bearerToken": secret("token") });
    let _ = told(&stage, webhook(&target.url("/old"), &token), code::SUCCEEDED);
    assert_eq!((target.last().method.as_str(), target.last().target.as_str()), ("POST", "/new"));
    assert_eq!(target.last().header("authorization"), format!("Bearer {TOKEN}"));
    assert!(!target.last().body.is_empty());
    let place: &'static str = Box::leak(other.url(HOOK).into_boxed_str());
    target.on("/away", Behaviour::Elsewhere(place));
    let written = told(&stage, webhook(&target.url("/away"), &token), code::SUCCEEDED);
    assert_eq!(other.count(), 0);
    let said =
        format!("answered 307 Temporary Redirect and points to {}, which is not given the credentials", other.url(""));
    assert!(message(&stage).contains(&said), "{}", message(&stage));
    assert_clean(&written);
}

#[test]
fn a_server_that_is_gone_slow_or_talks_too_much_ends_in_time() {
    let target = HttpTarget::start(Behaviour::Hang);
    target.on("/large", Behaviour::Answer { status: 200, bytes: 5_000_000 });
    let closed = ClosedPort::reserve();
    let encrypted = target.url("/").replace("http://", "https://");
    for (url, said) in [
        (closed.url(HOOK), "cannot be reached, tried 4 times: "),
        (target.url("/"), "did not answer within 200ms"),
        (encrypted, "cannot be reached, tried 4 times: "),
        (target.url("/large"), "answered 200 OK"),
    ] {
        let stage = with_secret("");
        let timeout = if said.starts_with("did") { "200ms" } else { "20s" };
        let written = told(&stage, webhook(&url, &json!({ "timeout": timeout })), code::SUCCEEDED);
        assert!(message(&stage).contains(said), "{}", message(&stage));
        assert_clean(&written);
    }
}

#[test]
fn a_server_over_tls_is_trusted_by_its_authority_and_sees_who_tells() {
    let shop = Shop::open("127.0.0.1");
    let (cert, key) = shop.issue("agent", ExtendedKeyUsagePurpose::ClientAuth);
    let authority = shop.authority.pem();
    let url = format!("https://{}", shop.address);
    let identified = json!({ "ca": authority, "cert": cert, "key": key });
    for (step, took) in [
        (webhook(&url, &json!({ "tls": identified })), "answered 200 OK"),
        (json!({ "task": "slack", "with": { "url": url, "tls": identified } }), "Slack took the message"),
        (
            json!({ "task": "github", "with": {
                "owner": "octo", "repo": "shop", "token": secret("token"), "apiURL": url, "tls": identified,
            } }),
            "GitHub took the event for octo/shop",
        ),
        (webhook(&url, &json!({ "tls": { "insecure": true, "cert": cert, "key": key } })), "answered 200 OK"),
        (webhook(&url, &json!({ "tls": { "cert": cert, "key": key } })), "UnknownIssuer"),
        (webhook(&url, &json!({ "tls": { "ca": authority } })), "not delivered, "),
        (
            webhook(&url, &json!({ "tls": { "ca": "/nowhere/ca.crt" } })),
            "softFailure lets it pass: cannot read /nowhere/ca.crt: No such file",
        ),
        (
            webhook(&url, &json!({ "tls": { "ca": authority, "cert": authority, "key": "-----BEGIN X-----" } })),
            "softFailure lets it pass: no client can be made, see `tls`: ",
        ),
    ] {
        let stage = with_secret("");
        let written = told(&stage, step, code::SUCCEEDED);
        assert!(message(&stage).contains(took), "{}", message(&stage));
        assert_clean(&written);
        for line in key.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!written.contains(line), "a line of the key is shown");
        }
    }
}

#[test]
fn a_signal_ends_a_notification_that_waits() {
    let target = HttpTarget::start(Behaviour::Hang);
    let stage = with_secret("");
    let running = stage.start(&experiment([webhook(&target.url("/"), &json!({ "timeout": "10m" }))]));
    target.wait_for_requests(1);
    running.signal("TERM");
    let started = std::time::Instant::now();
    running.wait().code(code::INTERRUPTED);
    assert!(started.elapsed() < Duration::from_secs(60));
}

#[test]
fn wrong_inputs_are_said_before_anything_runs() {
    for (task, with, said) in [
        ("slack", json!({}), "`url` is required: give {secret: NAME, key: KEY}"),
        ("slack", json!({ "url": "hooks.slack.com/x" }), "`url` must begin with https:// or http:// and name a host"),
        ("slack", json!({ "url": "" }), "`url` is empty"),
        ("slack", json!({ "url": ["a"] }), "`url` must be a text, got a list"),
        ("slack", json!({ "url": { "secret": "a" } }), "`url.key` is required with secret"),
        ("slack", json!({ "url": "http://a", "softFailure": "no" }), "`softFailure` must be true or false, got \"no\""),
        ("slack", json!({ "url": "http://a", "metod": "GET" }), "`metod` is not a known key; did you mean `method`?"),
        ("slack", json!({ "url": "http://a", "method": "FETCH" }), "`method` must be one of POST, PUT, PATCH, GET"),
        (
            "slack",
            json!({ "url": "http://a", "payloadTemplate": "a", "payloadTemplateURL": "b" }),
            "`payloadTemplateURL` contradicts payloadTemplate",
        ),
        (
            "webhook",
            json!({ "url": "http://a", "method": "GET", "payloadTemplate": "{{ 1 }}" }),
            "`payloadTemplate` contradicts method GET",
        ),
        (
            "slack",
            json!({ "url": "https://a", "tls": { "serverName": "b" } }),
            "`tls.serverName` cannot be chosen here: it is the URL's host",
        ),
        ("webhook", json!({ "url": "https://a", "tls": { "cert": "a" } }), "`tls.key` is required with cert"),
        ("webhook", json!({ "url": "http://a", "timeout": "0s" }), "`timeout` must be longer than 0s"),
        (
            "webhook",
            json!({ "url": "http://a", "headers": { "a b": "c" } }),
            "`headers` has `a b`, which is not the name of a header",
        ),
        (
            "webhook",
            json!({ "url": "http://a", "headers": { "A": { "secret": "b" } } }),
            "`headers.A.key` is required with secret",
        ),
        (
            "webhook",
            json!({ "url": "http://a", "bearerToken": "x", "headers": { "authorization": "c" } }),
            "`bearerToken` contradicts the header Authorization",
        ),
        ("github", json!({ "repo": "a/b", "token": "t" }), "`owner` is required"),
        (
            "github",
            json!({ "owner": "a", "repo": "a/b", "token": "t" }),
            "`repo` must be a name alone, as in hello-world, got `a/b`",
        ),
        ("github", json!({ "owner": "a", "repo": "b" }), "`token` is required"),
        (
            "github",
            json!({ "owner": "a", "repo": "b", "token": "t", "apiURL": "github.example.com" }),
            "`apiURL` must be a URL",
        ),
    ] {
        let stage = Stage::new();
        let output = stage.run(&experiment([json!({ "task": task, "with": with })])).code(code::USAGE);
        assert!((output.stdout.clone() + &output.stderr).contains(said), "{with}: {}{}", output.stdout, output.stderr);
    }
}
