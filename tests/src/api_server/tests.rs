//! The server as clients see it, over a plain connection.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use serde_json::{Value, json};

use super::ApiServer;

const SECRETS: &str = "/api/v1/namespaces/default/secrets";

/// An answer: status, headers, and what can still be read of its body.
struct Answer {
    status: u16,
    head: String,
    body: BufReader<TcpStream>,
}

fn begin(server: &ApiServer, method: &str, path: &str, headers: &str, body: &str) -> Option<Answer> {
    let mut stream = TcpStream::connect(server.port.address()).expect("the server listens");
    let length = body.len();
    write!(stream, "{method} {path} HTTP/1.0\r\n{headers}Content-Length: {length}\r\n\r\n{body}").expect("it reads");
    let mut body = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        body.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Some(Answer { status, head: head.to_ascii_lowercase(), body })
}

fn send(server: &ApiServer, method: &str, path: &str, headers: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut answer = begin(server, method, path, headers, &body).expect("an answer");
    let mut text = String::new();
    answer.body.read_to_string(&mut text).expect("a body");
    (answer.status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
}

fn apply(server: &ApiServer, path: &str, object: &Value) -> (u16, Value) {
    let path = format!("{path}{}fieldManager=a&force=true", if path.contains('?') { '&' } else { '?' });
    send(server, "PATCH", &path, "Content-Type: application/apply-patch+yaml\r\n", object)
}

fn merge(server: &ApiServer, path: &str, patch: &Value) -> (u16, Value) {
    send(server, "PATCH", path, "Content-Type: application/merge-patch+json\r\n", patch)
}

fn secret(name: &str) -> Value {
    json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name }, "data": { "k": "YQ==" } })
}

#[test]
fn an_object_is_created_once_and_changed_only_by_who_saw_its_last_version() {
    let server = ApiServer::start();
    let (status, created) = send(&server, "POST", SECRETS, "User-Agent: me/1\r\n", &secret("a"));
    assert_eq!((status, &created["metadata"]["managedFields"][0]["manager"]), (201, &json!("me")));
    let (status, answer) = send(&server, "POST", SECRETS, "", &secret("a"));
    assert_eq!((status, &answer["reason"]), (409, &json!("AlreadyExists")));

    let path = format!("{SECRETS}/a");
    let mut changed = created;
    changed["data"]["k"] = json!("Yg==");
    assert_eq!(send(&server, "PUT", &path, "", &changed).0, 200);
    let (status, answer) = send(&server, "PUT", &path, "", &changed);
    assert_eq!((status, &answer["reason"]), (409, &json!("Conflict")));
    let stale = json!({ "metadata": { "resourceVersion": "1" }, "data": { "k": "Yw==" } });
    assert_eq!(merge(&server, &path, &stale).0, 409);
    assert_eq!(merge(&server, &path, &json!({ "metadata": { "uid": "1" } })).0, 409);
    assert_eq!(server.get("secrets", "default", "a").expect("is there")["data"]["k"], "Yg==");
}

#[test]
fn an_apply_creates_merges_and_keeps_the_version_of_what_does_not_change() {
    let server = ApiServer::start();
    let path = format!("{SECRETS}/a");
    assert_eq!(apply(&server, &format!("{path}?dryRun=All"), &secret("a")).0, 201);
    assert!(server.get("secrets", "default", "a").is_none());
    let (status, first) = apply(&server, &path, &secret("a"));
    assert_eq!((status, &first["metadata"]["managedFields"][0]["operation"]), (201, &json!("Apply")));
    let (status, second) = apply(&server, &path, &secret("a"));
    assert_eq!((status, &first), (200, &second));
    let bare = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "a" } });
    assert!(apply(&server, &path, &bare).1["data"].is_null());
}

#[test]
fn an_immutable_secret_keeps_its_data_and_none_is_too_large() {
    let server = ApiServer::start();
    let mut fixed = secret("a");
    fixed["immutable"] = json!(true);
    server.put(fixed);
    let path = format!("{SECRETS}/a");
    let (status, answer) = merge(&server, &path, &json!({ "data": { "k": "Yg==" } }));
    assert_eq!((status, &answer["reason"]), (422, &json!("Invalid")));
    assert_eq!(merge(&server, &path, &json!({ "metadata": { "labels": { "a": "b" } } })).0, 200);
    let mut large = secret("b");
    large["data"]["k"] = json!("a".repeat(1_500_000));
    assert_eq!(send(&server, "POST", SECRETS, "", &large).0, 422);
}

#[test]
fn nothing_is_made_in_a_namespace_that_is_missing_or_going() {
    let server = ApiServer::start();
    let (status, answer) = send(&server, "POST", "/api/v1/namespaces/none/secrets", "", &secret("a"));
    assert_eq!((status, &answer["details"]["kind"]), (404, &json!("namespaces")));
    server.create_namespace("going");
    server.terminate_namespace("going");
    let (status, answer) = send(&server, "POST", "/api/v1/namespaces/going/secrets", "", &secret("a"));
    assert_eq!((status, &answer["details"]["causes"][0]["reason"]), (403, &json!("NamespaceTerminating")));
}

#[test]
fn lists_select_and_can_show_metadata_only() {
    let server = ApiServer::start();
    for (name, label) in [("a", "1"), ("b", "2")] {
        let mut object = secret(name);
        object["metadata"]["labels"] = json!({ "n": label });
        server.put(object);
    }
    let names = |query: &str, headers: &str| {
        let (_, list) = send(&server, "GET", &format!("{SECRETS}?{query}"), headers, &Value::Null);
        let name = |item: &Value| (item["metadata"]["name"].clone(), item["data"].is_null());
        list["items"].as_array().expect("a list").iter().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names("labelSelector=n%3D1", ""), [(json!("a"), false)]);
    assert_eq!(names("fieldSelector=metadata.name%3Db", ""), [(json!("b"), false)]);
    let accept = "Accept: application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1\r\n";
    assert_eq!(names("labelSelector=n!%3D1", accept), [(json!("b"), true)]);
}

#[test]
fn a_delete_asks_for_the_uid_and_waits_where_it_is_told_to() {
    let server = ApiServer::start();
    let job = server.put(json!({ "apiVersion": "batch/v1", "kind": "Job", "metadata": { "name": "j" }, "spec": {} }));
    let owner = json!({ "uid": job["metadata"]["uid"] });
    let metadata = json!({ "name": "p", "ownerReferences": [owner] });
    server.put(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata }));
    let path = "/apis/batch/v1/namespaces/default/jobs/j";
    let other = json!({ "preconditions": { "uid": "other" } });
    assert_eq!(send(&server, "DELETE", path, "", &other).0, 409);
    server.linger("jobs", "default", "j");
    let (status, going) = send(&server, "DELETE", path, "", &json!({ "propagationPolicy": "Foreground" }));
    assert_eq!((status, going["metadata"]["deletionTimestamp"].is_string()), (200, true));
    server.remove("jobs", "default", "j");
    assert_eq!(server.objects(), Vec::<Value>::new());
    assert_eq!(send(&server, "DELETE", path, "", &Value::Null).0, 404);
}

#[test]
fn a_watch_sees_what_changes_from_its_version_on_until_that_is_too_old() {
    let server = ApiServer::start();
    let version = server.put(secret("a"))["metadata"]["resourceVersion"].as_str().expect("a version").to_owned();
    let watch = |version: &str| {
        let path = format!(
            "{SECRETS}?watch=true&allowWatchBookmarks=true&fieldSelector=metadata.name%3Da&resourceVersion={version}"
        );
        begin(&server, "GET", &path, "", "").expect("an answer")
    };
    let next = |watch: &mut Answer| {
        let mut line = String::new();
        watch.body.read_line(&mut line).expect("an event");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        (event["type"].as_str().unwrap_or_default().to_owned(), event["object"].clone())
    };
    let mut from_now = watch(&version);
    let mut from_nothing = watch("");
    assert_eq!(next(&mut from_nothing).0, "ADDED");
    server.put(secret("other"));
    server.edit("secrets", "default", "a", |secret| secret["data"]["k"] = json!("Yg=="));
    let (kind, object) = next(&mut from_now);
    assert_eq!((kind.as_str(), &object["data"]["k"]), ("MODIFIED", &json!("Yg==")));
    server.send_bookmarks();
    assert_eq!(next(&mut from_now).0, "BOOKMARK");
    server.remove("secrets", "default", "a");
    assert_eq!(next(&mut from_now).0, "DELETED");
    server.expire_watches();
    for watch in [&mut from_now, &mut watch(&version)] {
        let (kind, status) = next(watch);
        assert_eq!((kind.as_str(), &status["code"]), ("ERROR", &json!(410)));
    }
}

#[test]
fn a_log_is_followed_until_it_ends() {
    let server = ApiServer::start();
    server.put(json!({ "apiVersion": "v1", "kind": "Pod", "metadata": { "name": "p" } }));
    let path = "/api/v1/namespaces/default/pods/p/log";
    let mut answer = begin(&server, "GET", &format!("{path}?follow=true"), "", "").expect("an answer");
    server.write_log("default", "p", "one\n");
    let mut line = String::new();
    answer.body.read_line(&mut line).expect("a line");
    server.write_log("default", "p", "two\n");
    server.end_log("default", "p");
    answer.body.read_to_string(&mut line).expect("the rest");
    assert_eq!(line, "one\ntwo\n");
    assert_eq!(send(&server, "GET", path, "", &Value::Null), (200, json!("one\ntwo\n")));
}

#[test]
fn requests_go_wrong_as_often_as_asked() {
    let server = ApiServer::start();
    server.when("list", "secrets").times(2).forbidden();
    server.when("list", "jobs").too_many_requests(3);
    server.when("get", "secrets").named("a").drop_connection();
    let status = |path: &str| send(&server, "GET", path, "", &Value::Null).0;
    assert_eq!([status(SECRETS), status(SECRETS), status(SECRETS)], [403, 403, 200]);
    let busy = begin(&server, "GET", "/apis/batch/v1/jobs", "", "").expect("an answer");
    assert!(busy.status == 429 && busy.head.contains("retry-after: 3"));
    assert!(begin(&server, "GET", &format!("{SECRETS}/a"), "", "").is_none());
    assert_eq!(status(&format!("{SECRETS}/b")), 404);
    server.heal();
    assert_eq!(status("/apis/batch/v1/jobs"), 200);
    assert_eq!(server.requests_to("list", "secrets").len(), 3);
}

#[test]
fn a_lost_answer_and_a_warning_are_carried_out_and_a_hold_waits() {
    let server = ApiServer::start();
    server.when("create", "secrets").named("").times(1).lose_answer();
    assert!(begin(&server, "POST", SECRETS, "", &secret("a").to_string()).is_none());
    assert!(server.get("secrets", "default", "a").is_some());
    server.when("create", "secrets").times(1).warn("careful");
    let warned = begin(&server, "POST", SECRETS, "", &secret("b").to_string()).expect("an answer");
    assert!(warned.head.contains("warning: 299 - \"careful\""), "{}", warned.head);
    let hold = server.when("create", "secrets").hold();
    std::thread::scope(|scope| {
        let sent = scope.spawn(|| send(&server, "POST", SECRETS, "", &secret("c")).0);
        hold.wait_until_reached();
        assert!(server.get("secrets", "default", "c").is_none());
        hold.release();
        assert_eq!(sent.join().expect("no panic"), 201);
    });
}

#[test]
fn what_is_denied_is_forbidden_and_reviews_say_so() {
    let server = ApiServer::start();
    server.deny("get", "pods/log");
    let reviewed = |resource: &str, subresource: &str| {
        let attributes = json!({ "verb": "get", "resource": resource, "subresource": subresource });
        let review = json!({ "spec": { "resourceAttributes": attributes } });
        let path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
        send(&server, "POST", path, "", &review).1["status"]["allowed"].clone()
    };
    assert_eq!((reviewed("pods", "log"), reviewed("pods", "")), (json!(false), json!(true)));
    assert_eq!(send(&server, "GET", "/api/v1/namespaces/default/pods/p/log", "", &Value::Null).0, 403);
    assert_eq!(send(&server, "GET", "/api/v1/namespaces/default/pods/p", "", &Value::Null).0, 404);
}

#[test]
fn what_is_stored_outlives_a_restart_on_the_same_port() {
    let server = ApiServer::start();
    let url = server.url();
    server.put(secret("a"));
    server.stop();
    assert!(TcpStream::connect(server.port.address()).is_err());
    server.start_again();
    assert_eq!((send(&server, "GET", &format!("{SECRETS}/a"), "", &Value::Null).0, server.url()), (200, url));
    assert_eq!(send(&server, "GET", "/version", "", &Value::Null).1["gitVersion"], "v1.34.4");
}
