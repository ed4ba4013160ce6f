//! Credentials of an experiment: they reach the target, and nobody else.

use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment, http, text_in};

const BEARER: &str = "q7Zk2mVx9pLw4sBd";
const API_KEY: &str = "k3yK3yk3Y8842";
const PASSWORD: &str = "p@55w0rdHgT";
/// `PASSWORD` as it stands in a URL.
const WRITTEN_PASSWORD: &str = "p%4055w0rdHgT";
const TOKEN: &str = "t0k/n+Wq81zz";
/// `TOKEN` as it stands in a URL.
const WRITTEN_TOKEN: &str = "t0k%2Fn%2BWq81zz";
/// `user:PASSWORD` as it goes over the wire (RFC 7617).
const BASIC: &str = "dXNlcjpwQDU1dzByZEhnVA==";

fn secret_load(target: &HttpTarget, inputs: &Value) -> Value {
    let url = format!("http://user:{WRITTEN_PASSWORD}@{}/?token={WRITTEN_TOKEN}", target.authority());
    http(&url, inputs)
}

/// Everything that the agent wrote anywhere but to the target.
fn written(stage: &Stage, experiment: &Value, code: i32) -> String {
    let output = stage.agent(experiment).args(["--log-level", "trace"]).run().code(code);
    let mut all = output.stdout + &output.stderr;
    for request in stage.server.requests() {
        all += &format!("{} {}?{}\n{:?}\n", request.method, request.path, request.query, request.headers);
        all += &String::from_utf8_lossy(&request.body);
        if !request.body.is_empty() {
            all += &text_in(&request.json()).unwrap_or_default();
        }
    }
    all
}

/// Fails when a secret, or a good part of the beginning of one, stands in `text`.
#[track_caller]
fn assert_clean(text: &str) {
    for secret in [BEARER, API_KEY, PASSWORD, WRITTEN_PASSWORD, TOKEN, WRITTEN_TOKEN, BASIC] {
        let part = &secret[..6];
        let shown: Vec<&str> = text.lines().filter(|line| line.contains(part)).collect();
        assert!(shown.is_empty(), "{secret} stands in\n{}", shown.join("\n"));
    }
}

#[test]
fn credentials_reach_the_target_and_nothing_else_although_it_echoes_them() {
    let headers = json!({ "Authorization": format!("Bearer {BEARER}"), "X-Api-Key": API_KEY });
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Echo { status: 500, after: 0 }));
    let load = secret_load(&target, &json!({ "numRequests": 5, "headers": headers }));
    let text = written(&stage, &experiment([load, assess(&json!({ "http/error-rate": 0 }))]), code::SUCCEEDED);
    assert_clean(&text);

    let last = target.last();
    assert_eq!(last.header("authorization"), format!("Bearer {BEARER}"));
    assert_eq!(last.header("x-api-key"), API_KEY);
    assert_eq!(last.target, format!("/?token={WRITTEN_TOKEN}"));
    // What the target said is there, but for the secrets.
    let said = &stage.result().load["http"].errors[0].first[0];
    assert!(said.contains("authorization: [redacted]") && said.contains("GET /?token=[redacted]"), "{said}");
    assert_eq!(stage.result().load["http"].target, format!("http://{}/?token=redacted", target.authority()));
}

#[test]
fn a_password_in_the_url_is_hidden_also_as_it_goes_over_the_wire() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Echo { status: 500, after: 0 }));
    let text = written(&stage, &experiment([secret_load(&target, &json!({ "numRequests": 2 }))]), code::SUCCEEDED);
    assert_eq!(target.last().header("authorization"), format!("Basic {BASIC}"));
    assert_clean(&text);
}

#[test]
fn no_part_of_a_secret_stays_where_an_answer_is_cut_off() {
    // Of an answer the first 300 characters are kept; wherever they end, it is not within a secret.
    for after in (180..300).step_by(8) {
        let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Echo { status: 500, after }));
        let headers = json!({ "Authorization": format!("Bearer {BEARER}") });
        let load = secret_load(&target, &json!({ "numRequests": 1, "headers": headers }));
        assert_clean(&written(&stage, &experiment([load]), code::SUCCEEDED));
    }
}

#[test]
fn a_failure_shows_no_credentials_either() {
    let (stage, target) = (Stage::new(), HttpTarget::start(Behaviour::Echo { status: 500, after: 0 }));
    let headers = json!({ "Authorization": format!("Bearer {BEARER}") });
    let load = secret_load(&target, &json!({ "duration": "10m", "headers": headers }));
    let text = written(&stage, &experiment([load]), code::TASK_FAILED);
    assert_clean(&text);
    assert!(text.contains("failed: status 500"), "{text}");
}
