//! What a load is made of although it stands in no values: payloads and data by URL, and headers whose credentials are
//! somewhere else.

use iter8_core::result::StepStatus;
use iter8_testkit::grpc_target::{GrpcTarget, Offers};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, code, experiment, http};

const TOKEN: &str = "hidd3n-t0ken";

/// A load of three requests whose step ends so, with its message.
#[track_caller]
fn ended(stage: &Stage, url: &str, more: &Value, ends: (i32, StepStatus)) -> String {
    let mut inputs = json!({ "numRequests": 3 });
    inputs.as_object_mut().expect("is one").extend(more.as_object().expect("is one").clone());
    let agent = stage.agent(&experiment([http(url, &inputs)]));
    let output = agent.args(["--log-level", "trace"]).env("ITER8_TEST_CREDENTIAL", TOKEN).run().code(ends.0);
    let result = stage.result();
    assert_eq!(result.steps[0].status, ends.1, "{}", result.steps[0].message);
    for text in [&output.stdout, &output.stderr, &result.to_json().expect("it is one")] {
        assert!(!text.contains(TOKEN) && !text.contains("pa55word"), "{text}");
    }
    result.steps[0].message.clone()
}

const SUCCEEDED: (i32, StepStatus) = (code::SUCCEEDED, StepStatus::Succeeded);
const FAILED: (i32, StepStatus) = (code::TASK_FAILED, StepStatus::Failed);

#[test]
fn a_payload_is_fetched_once_with_headers_that_no_other_origin_gets() {
    let (stage, target, files) = (Stage::new(), HttpTarget::start(Behaviour::OK), HttpTarget::start(Behaviour::OK));
    let elsewhere = HttpTarget::start(Behaviour::Text("the payload"));
    files.on("/moved", Behaviour::Elsewhere("/away"));
    files.on("/away", Behaviour::Elsewhere(String::leak(elsewhere.url("/there"))));
    let more = json!({
        "payloadURL": files.url("/moved"), "payloadStr": "not this",
        "fetchHeaders": { "X-Api-Key": { "env": "ITER8_TEST_CREDENTIAL" }, "X-Number": 5 },
    });
    ended(&stage, &target.url("/"), &more, SUCCEEDED);
    let sent = target.last();
    assert_eq!((sent.method.as_str(), &sent.body[..]), ("POST", &b"the payload"[..]));
    assert_eq!((sent.header("x-api-key"), sent.header("x-number")), ("", ""));
    assert_eq!((files.count_of("/moved"), files.count_of("/away"), elsewhere.count()), (1, 1, 1));
    assert_eq!((files.last().header("x-api-key"), files.last().header("x-number")), (TOKEN, "5"));
    assert_eq!((elsewhere.last().header("x-api-key"), elsewhere.last().header("x-number")), ("", ""));
    assert!(stage.result().load["http"].fetched["payloadURL"].starts_with("sha256:"));
}

#[test]
fn an_endpoint_has_a_payload_of_its_own() {
    let (stage, target, files) = (Stage::new(), HttpTarget::start(Behaviour::OK), HttpTarget::start(Behaviour::OK));
    files.on("/a", Behaviour::Text("of a"));
    let endpoints = json!({ "a": { "payloadURL": files.url("/a") }, "b": { "payloadStr": "of b" } });
    let more = json!({ "payloadURL": files.url("/none"), "endpoints": endpoints });
    ended(&stage, &target.url("/"), &more, SUCCEEDED);
    assert_eq!((&target.last().body[..], files.count_of("/a"), files.count_of("/none")), (&b"of b"[..], 1, 0));
    assert_eq!(stage.result().load["http-a"].fetched.len(), 1);
    assert!(stage.result().load["http-b"].fetched.is_empty());
}

#[test]
fn a_payload_that_cannot_be_had_is_said_in_one_sentence_without_credentials() {
    let (target, files, closed) =
        (HttpTarget::start(Behaviour::OK), HttpTarget::start(Behaviour::status(404)), ClosedPort::reserve());
    files.on("/large", Behaviour::Answer { status: 200, bytes: 17 * 1024 * 1024 });
    let page =
        Behaviour::Recorded { status: 200, content_type: "text/html; charset=utf-8", body: "<html>Log in</html>" };
    files.on("/page", page);
    files.on("/cut", Behaviour::Cut(3));
    files.on("/round", Behaviour::Elsewhere("/round"));
    let tls = GrpcTarget::over_tls(&[], Offers::Nothing);
    let untrusted = format!("https://localhost:{}/data", tls.port());
    let with_password = format!("http://user:pa55word@{}/none?token={TOKEN}", files.authority());
    let shown = format!("http://{}/none?token=redacted", files.authority());
    for (url, whole, why) in [
        (files.url("/none"), files.url("/none"), "the server answered 404 Not Found"),
        (with_password, shown, "the server answered 404 Not Found"),
        (files.url("/large"), files.url("/large"), "it is larger than 16 MiB"),
        (files.url("/page"), files.url("/page"), "the server answered with a page (HTML) instead of a file"),
        (files.url("/cut"), files.url("/cut"), "the request failed: "),
        (files.url("/round"), files.url("/round"), "it was redirected more than 10 times"),
        (closed.url("/data"), closed.url("/data"), "the request failed: "),
        (untrusted.clone(), untrusted, "the request failed: "),
    ] {
        let said = ended(&Stage::new(), &target.url("/"), &json!({ "payloadURL": url }), FAILED);
        let expected = format!("`http.payloadURL` is wrong: cannot fetch {whole}: {why}");
        assert!(said.starts_with(&expected), "{said}\n{expected}");
        assert_eq!(said.lines().count(), 1);
        for (place, word) in [(closed.url(""), "refused"), ("https://".to_owned(), "certificate")] {
            assert!(!whole.starts_with(&place) || said.contains(word), "{said}");
        }
    }
    // Whoever wants to send a page says so.
    let more = json!({ "payloadURL": files.url("/page"), "contentType": "text/html" });
    ended(&Stage::new(), &target.url("/"), &more, SUCCEEDED);
    assert_eq!((&target.last().body[..], target.count()), (&b"<html>Log in</html>"[..], 3));
}

#[test]
fn headers_of_a_load_may_be_references() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::OK));
    stage.env.file("secrets/shop/key", format!("{TOKEN}\n"));
    let headers = json!({
        "Authorization": { "env": "ITER8_TEST_CREDENTIAL", "prefix": "Bearer " }, "X-Number": 7, "X-Key": { "secret": "shop", "key": "key" },
    });
    let more = json!({ "numRequests": 3, "headers": headers, "templates": true });
    let secrets = stage.env.home().join("secrets");
    let agent = stage.agent(&experiment([http(&target.url("/"), &more)]));
    let agent =
        agent.args(["--secrets".as_ref(), secrets.as_os_str()]).env("ITER8_TEST_CREDENTIAL", "{{ left as it is }}");
    agent.run().code(code::SUCCEEDED);
    let sent = target.last();
    assert_eq!(sent.header("authorization"), "Bearer {{ left as it is }}");
    assert_eq!((sent.header("x-number"), sent.header("x-key")), ("7", TOKEN));

    let more = json!({ "headers": { "X-Key": { "secret": "shop", "key": "none" } } });
    let said = ended(&stage, &target.url("/"), &more, FAILED);
    assert!(said.starts_with("`http.headers.X-Key`: there is no Secret `shop` in namespace shop"), "{said}");
    assert_eq!(target.count(), 3);
}

#[test]
fn an_answer_that_shows_what_a_reference_named_is_cleaned() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Echo { status: 500, after: 0 }));
    ended(&stage, &target.url("/"), &json!({ "headers": { "X-Any": { "env": "ITER8_TEST_CREDENTIAL" } } }), SUCCEEDED);
    let sample = &stage.result().load["http"].errors[0].first[0];
    assert!(sample.contains("[redacted]"), "{sample}");
}
