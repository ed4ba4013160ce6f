//! The task `grpc` against a real gRPC server: descriptors from everywhere, data and templates as the server sees them, and
//! what is said of all that is wrong.

use std::path::Path;

use iter8_core::result::StepStatus;
use iter8_core::{ExperimentResult, Verdict};
use iter8_testkit::grpc_target::{Call, GrpcTarget, Offers};
use iter8_testkit::http_target::{Behaviour, ClosedPort, HttpTarget};
use prost_reflect::{DescriptorPool, DynamicMessage};
use serde_json::{Value, json};

use crate::harness::{Stage, assess, code, experiment};

const MONEY: &str = "syntax = \"proto3\"; package common; message Money { int64 cents = 1; string currency = 2; }";
const ORDERS: &str = "syntax = \"proto3\"; package shop;
import \"common/money.proto\"; import \"google/protobuf/timestamp.proto\";
message Order { string item = 1; int32 count = 2; common.Money price = 3; google.protobuf.Timestamp at = 4; repeated string tags = 5; }
service Orders {
  rpc Place (Order) returns (Order);
  rpc Queue (Order) returns (Order);
  rpc Collect (stream Order) returns (Order);
  rpc ManyOf (Order) returns (stream Order);
  rpc ManyTalk (stream Order) returns (stream Order);
  rpc Fail (Order) returns (Order);
  rpc Deny (Order) returns (Order);
}";

/// The proto files in a directory.
fn protos(directory: &Path) -> String {
    std::fs::create_dir_all(directory.join("common")).expect("the directory is ours");
    std::fs::write(directory.join("common/money.proto"), MONEY).expect("the directory is ours");
    let path = directory.join("orders.proto");
    std::fs::write(&path, ORDERS).expect("the directory is ours");
    path.display().to_string()
}

/// Their descriptors, encoded.
fn descriptors() -> Vec<u8> {
    let directory = tempfile::tempdir().expect("there is room");
    protos(directory.path());
    let mut compiler = protox::Compiler::new([directory.path()]).expect("the directory is there");
    compiler.include_imports(true).open_file("orders.proto").expect("it is proto text").encode_file_descriptor_set()
}

fn target(offers: Offers) -> GrpcTarget {
    GrpcTarget::start(&descriptors(), offers)
}

/// A step that calls a method of `target`.
fn grpc(target: &GrpcTarget, method: &str, more: &Value) -> Value {
    let call = format!("shop.Orders.{method}");
    let mut with = json!({ "host": target.host(), "call": call, "total": 6, "concurrency": 1, "timeout": "60s" });
    with.as_object_mut().expect("is one").extend(more.as_object().expect("inputs are an object").clone());
    json!({ "task": "grpc", "with": with })
}

/// What a server read in a call, as JSON.
fn orders(call: &Call) -> Vec<Value> {
    let pool = DescriptorPool::decode(descriptors().as_slice()).expect("it is a set");
    let order = pool.get_message_by_name("shop.Order").expect("the set has it");
    let read = |bytes: &bytes::Bytes| {
        let message = DynamicMessage::decode(order.clone(), bytes.clone()).expect("it is an order");
        serde_json::to_value(message).expect("an order is JSON")
    };
    call.messages.iter().map(read).collect()
}

fn value(result: &ExperimentResult, metric: &str) -> Option<f64> {
    result.metrics.get(metric)?.versions[0].latest.as_ref()?.value
}

/// The message of the step, which failed.
#[track_caller]
fn failed(step: Value) -> String {
    let stage = Stage::new();
    stage.run(&experiment([step])).code(code::TASK_FAILED);
    let step = stage.result().steps.remove(0);
    assert_eq!(step.status, StepStatus::Failed);
    step.message
}

#[test]
fn all_four_kinds_of_methods_are_called_by_what_the_server_says_of_itself() {
    for offers in [Offers::V1, Offers::V1Alpha] {
        for (method, messages, received) in [("Place", 1, 1), ("Collect", 2, 1), ("ManyOf", 1, 2), ("ManyTalk", 2, 4)] {
            let (stage, target) = (Stage::new(), target(offers));
            let data = json!([{ "item": "a", "price": { "cents": 5 } }, { "item": "b" }]);
            let steps = [
                grpc(&target, method, &json!({ "data": data })),
                assess(&json!({ "grpc/error-rate": 0, "grpc/latency/mean": 60_000, "grpc/latency/p50": 60_000 })),
            ];
            stage.run(&experiment(steps)).code(code::SUCCEEDED);
            let result = stage.result();
            assert_eq!(result.verdict, Some(Verdict::Pass), "{method}: {}", result.verdict_reason);
            let calls = target.calls();
            assert_eq!(calls.len(), 6, "{method}");
            assert!(calls.iter().all(|call| call.messages.len() == messages && call.path.ends_with(method)));
            let load = &result.load["grpc"];
            assert_eq!((load.messages_sent, load.messages_received), (6 * messages as u64, 6 * received), "{method}");
            assert_eq!(load.grpc_codes, [("OK".to_owned(), 6)].into());
            assert_eq!(value(&result, "grpc/request-count"), Some(6.0));
            for name in ["error-count", "error-rate", "latency/stddev", "latency/min", "latency/max", "latency/p99.9"] {
                assert!(value(&result, &format!("grpc/{name}")).is_some(), "{name}");
            }
        }
    }
}

#[test]
fn descriptors_come_from_proto_text_or_a_protoset_without_reflection() {
    let directory = tempfile::tempdir().unwrap();
    let proto = protos(directory.path());
    let set = directory.path().join("orders.protoset");
    std::fs::write(&set, descriptors()).unwrap();
    let elsewhere = directory.path().join("elsewhere.proto");
    std::fs::write(&elsewhere, ORDERS).unwrap();
    let files = HttpTarget::start(Behaviour::status(404));
    files.on("/orders.proto", Behaviour::Text(ORDERS));
    for more in [
        json!({ "proto": proto }),
        json!({ "protoset": set }),
        json!({ "proto": elsewhere, "import-paths": [directory.path()] }),
        json!({ "protoURL": files.url("/orders.proto"), "import-paths": [directory.path()] }),
    ] {
        let (stage, target) = (Stage::new(), target(Offers::Nothing));
        stage.run(&experiment([grpc(&target, "Place", &more)])).code(code::SUCCEEDED);
        assert_eq!(target.calls().len(), 6, "{more}");
        let digest = stage.result().load["grpc"].fetched.get("protoURL").cloned();
        assert_eq!(digest.is_some_and(|digest| digest.starts_with("sha256:")), more.get("protoURL").is_some());
    }
}

#[test]
fn data_is_taken_in_turn_and_templates_are_worked_out_for_each_call() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let more = json!({
        "data": [
            { "item": "n{{.RequestNumber}} {{.MethodName}}", "count": "{{.RequestNumber}}", "price": { "currency": "{{ upper \"eur\" }}" } },
            { "item": "{{newUUID}}", "count": 7, "at": "2026-01-02T03:04:05Z", "tags": ["x", "{{randomString 3}}"] },
        ],
        "metadata": {
            "request-id": "{{.ServiceName}}-{{.RequestNumber}}", "tenant": 1, "authorization": "Bearer t0ps3cr3t",
            "trace": { "env": "ITER8_TEST_CREDENTIAL", "prefix": "a-" },
        },
        "reflect-metadata": { "key": { "env": "ITER8_TEST_CREDENTIAL" } },
        "authority": "shop.example",
    });
    let agent = stage.agent(&experiment([grpc(&target, "Place", &more)]));
    agent.env("ITER8_TEST_CREDENTIAL", "{{hidd3n}}").run().code(code::SUCCEEDED);
    let calls = target.calls();
    let sent: Vec<Value> = calls.iter().flat_map(orders).collect();
    let odd = |order: &Value| order["tags"].is_array();
    for (number, order) in sent.iter().enumerate().filter(|(_, order)| !odd(order)) {
        let expected = json!({ "item": format!("n{number} Place"), "count": number, "price": { "currency": "EUR" } });
        let expected =
            if number == 0 { json!({ "item": "n0 Place", "price": { "currency": "EUR" } }) } else { expected };
        assert_eq!(*order, expected);
    }
    let mut ids: Vec<&str> =
        sent.iter().filter(|order| odd(order)).filter_map(|order| order["item"].as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!((sent.len(), ids.len()), (6, 3), "{sent:?}");
    for (number, call) in calls.iter().enumerate() {
        assert_eq!(call.metadata["request-id"], format!("Orders-{number}"));
        assert_eq!((&call.metadata["tenant"], call.authority.as_str()), (&"1".parse().unwrap(), "shop.example"));
        assert_eq!(call.metadata["authorization"], "Bearer t0ps3cr3t");
        assert_eq!(call.metadata["trace"], "a-{{hidd3n}}");
    }
    let json = stage.result().to_json().unwrap();
    assert!(!json.contains("t0ps3cr3t") && !json.contains("hidd3n"));
}

#[test]
fn data_and_metadata_come_from_files_and_urls_too() {
    let (stage, target, files) = (Stage::new(), target(Offers::V1), HttpTarget::start(Behaviour::status(404)));
    files.on("/data.json", Behaviour::Text("{\"item\": \"url\", \"count\": {{ add .RequestNumber 1 }}}"));
    files.on("/metadata.json", Behaviour::Text("{\"tenant\": \"from url\"}"));
    let (data, metadata) = (files.url("/data.json"), files.url("/metadata.json"));
    let more = json!({
        "dataURL": data, "metadataURL": metadata, "data": { "item": "values" }, "fetchHeaders": { "x-key": "k" },
    });
    stage.run(&experiment([grpc(&target, "Place", &more)])).code(code::SUCCEEDED);
    let calls = target.calls();
    assert_eq!(orders(&calls[3]), [json!({ "item": "url", "count": 4 })]);
    assert_eq!(calls[3].metadata["tenant"], "from url");
    assert_eq!(files.last().header("x-key"), "k");
    assert_eq!(stage.result().load["grpc"].fetched.len(), 2);

    // Two messages, each with its length before it.
    let binary = stage.env.home().join("orders.bin");
    std::fs::write(&binary, b"\x03\x0a\x01a\x03\x0a\x01b").unwrap();
    stage.run(&experiment([grpc(&target, "Collect", &json!({ "binary-file": binary }))])).code(code::SUCCEEDED);
    assert_eq!(orders(target.calls().last().unwrap()), [json!({ "item": "a" }), json!({ "item": "b" })]);
}

#[test]
fn templates_that_are_switched_off_are_sent_as_they_are() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let more = json!({ "data": { "item": "{{newUUID}}" }, "disable-template-data": true });
    stage.run(&experiment([grpc(&target, "Place", &more)])).code(code::SUCCEEDED);
    assert_eq!(orders(&target.calls()[0]), [json!({ "item": "{{newUUID}}" })]);
}

#[test]
fn each_message_of_a_stream_can_be_made_anew() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let more =
        json!({ "data": { "item": "{{.UUID}}" }, "stream-call-count": 3, "stream-dynamic-messages": true, "total": 1 });
    stage.run(&experiment([grpc(&target, "Collect", &more)])).code(code::SUCCEEDED);
    let mut items = orders(&target.calls()[0]);
    items.sort_by_key(ToString::to_string);
    items.dedup();
    assert_eq!(items.len(), 3);
    let more = json!({ "data": { "item": "{{.UUID}}" }, "stream-call-count": 3, "total": 1 });
    stage.run(&experiment([grpc(&target, "Collect", &more)])).code(code::SUCCEEDED);
    let items = orders(&target.calls()[1]);
    assert!(items.len() == 3 && items.iter().all(|item| *item == items[0]), "{items:?}");
}

#[test]
fn every_status_but_ok_is_an_error_and_is_called_by_its_name() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let both = json!({ "endpoints": { "fail": {}, "deny": { "call": "shop.Orders/Deny" }, "place": { "call": "shop.Orders/Place", "total": 3 } } });
    let steps = [
        grpc(&target, "Fail", &both),
        assess(&json!({ "grpc-fail/error-rate": 0, "grpc-deny/error-count": 6, "grpc-place/error-count": 0 })),
    ];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    assert_eq!(result.verdict, Some(Verdict::Fail));
    for (provider, name, calls) in
        [("grpc-fail", "NOT_FOUND", 6), ("grpc-deny", "PERMISSION_DENIED", 6), ("grpc-place", "OK", 3)]
    {
        assert_eq!(result.load[provider].grpc_codes, [(name.to_owned(), calls)].into());
    }
    assert_eq!(value(&result, "grpc-fail/error-rate"), Some(1.0));
    let error = &result.load["grpc-fail"].errors[0];
    assert!(error.kind.contains("NOT_FOUND") && error.first[0].contains("there is no such thing"), "{error:?}");
    assert!(result.load["grpc-place"].target.ends_with("/shop.Orders/Place"));
}

#[test]
fn endpoints_side_by_side_share_one_load_by_their_weights() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let both = json!({
        "rps": 500, "total": 40, "endpointsOrder": "sideBySide",
        "endpoints": { "place": { "weight": 3 }, "many": { "call": "shop.Orders.ManyOf" } },
    });
    stage.run(&experiment([grpc(&target, "Place", &both)])).code(code::SUCCEEDED);
    let result = stage.result();
    let count = |method: &str| target.calls().iter().filter(|call| call.path.ends_with(method)).count();
    assert_eq!((count("/Place"), count("/ManyOf")), (30, 10));
    assert_eq!(value(&result, "grpc-place/request-count"), Some(30.0));
    assert_eq!(value(&result, "grpc-many/request-count"), Some(10.0));
    // Both ran for the whole 80 ms of the schedule instead of one after the other.
    let elapsed = |provider: &str| result.load[provider].elapsed_seconds;
    assert!(elapsed("grpc-place") >= 0.078 && elapsed("grpc-many") >= 0.070, "{:?}", result.load);
    assert!(result.steps[0].message.starts_with("many: 10 requests in "), "{}", result.steps[0].message);
}

#[test]
fn calls_of_each_version_are_counted_and_judged_together() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let versions = json!({
        "rps": 500, "total": 40, "endpointsOrder": "sideBySide", "track": "candidate",
        "endpoints": {
            "ask": { "track": "baseline", "version": "v1" }, "place": { "version": "v2" },
            "talk": { "version": "v2", "call": "shop.Orders.Fail", "weight": 2 },
        },
    });
    let steps =
        [grpc(&target, "Place", &versions), assess(&json!({ "grpc/error-rate": 0, "grpc-talk/error-count": 5 }))];
    stage.run(&experiment(steps)).code(code::SUCCEEDED);
    let result = stage.result();
    let tracks: Vec<_> = result.versions.iter().map(|version| version.track.as_deref()).collect();
    assert_eq!(tracks, [Some("baseline"), Some("candidate")]);
    let verdicts: Vec<_> = result.slos.iter().map(|slo| (slo.version, slo.value, slo.verdict)).collect();
    assert_eq!(
        verdicts,
        [
            (None, Some(20.0), Verdict::Fail),
            (Some(0), Some(0.0), Verdict::Pass),
            (Some(1), Some(20.0 / 30.0), Verdict::Fail),
        ]
    );
    assert_eq!((result.load["grpc/0"].completed, result.load["grpc/1"].completed), (10, 30));
    let codes = &result.load["grpc/1"].grpc_codes;
    assert_eq!((codes.len(), codes["OK"], codes.values().sum::<u64>()), (2, 10, 30));
    assert!(value(&result, "grpc/latency/p99.9").is_some() && value(&result, "grpc-ask/latency/p99.9").is_some());
}

#[test]
fn connections_are_encrypted_when_tls_is_set() {
    let (stage, target) = (Stage::new(), GrpcTarget::over_tls(&descriptors(), Offers::V1));
    let host = format!("localhost:{}", target.port());
    let ca = stage.env.file("ca.pem", target.ca());
    for tls in [json!({ "ca": target.ca() }), json!({ "ca": ca }), json!({ "insecure": true })] {
        let step = grpc(&target, "Place", &json!({ "host": host, "tls": tls }));
        stage.run(&experiment([step])).code(code::SUCCEEDED);
    }
    assert_eq!(target.calls().len(), 18);
    let message = failed(grpc(&target, "Place", &json!({ "host": host, "tls": {} })));
    assert!(message.contains("TLS failed"), "{message}");
}

#[test]
fn a_load_is_timed_as_ghz_times_it() {
    let (stage, target) = (Stage::new(), target(Offers::V1));
    let load = |more: &Value| {
        stage.run(&experiment([grpc(&target, "Place", more)])).code(code::SUCCEEDED);
        stage.result().load["grpc"].clone()
    };
    // At a rate of 50 a second there are ten calls in the fifth of a second, however long they take.
    assert_eq!(load(&json!({ "rps": 50, "duration": "200ms", "total": 1 })).offered, 10);
    assert_eq!(load(&json!({ "rps": 50, "max-duration": "200ms", "total": 1000 })).completed, 10);
    assert_eq!(load(&json!({ "rps": 200, "total": 7, "concurrency": 50 })).completed, 7);
    let line = json!({ "load-schedule": "line", "load-start": 0, "load-end": 100, "load-step": 100, "duration": "1s" });
    assert_eq!(load(&line).offered, 50);
    assert_eq!(load(&json!({ "total": 30, "concurrency": 7, "connections": 2 })).completed, 30);
    let steps = json!({
        "concurrency-schedule": "step", "concurrency-start": 1, "concurrency-end": 5, "concurrency-step": 2,
        "concurrency-step-duration": "20ms", "total": 100,
    });
    assert_eq!(load(&steps).completed, 100);
    let before = target.calls().len();
    assert_eq!(load(&json!({ "total": 10, "skipFirst": 4 })).completed, 6);
    assert_eq!(load(&json!({ "total": 10, "warmupNumRequests": 3 })).completed, 10);
    assert_eq!(target.calls().len() - before, 23);
}

#[test]
fn what_cannot_be_called_is_said_in_one_sentence() {
    let target = target(Offers::V1);
    for (more, message) in [
        (
            json!({ "call": "shop.Orders.Plaice" }),
            "`grpc.call` is wrong: names the method `Plaice`, which the service `shop.Orders` does not have; did you mean `Place`?".to_owned(),
        ),
        (
            json!({ "call": "shop.Order.Place" }),
            format!("`grpc.call` is wrong: names the service `shop.Order`, which http://{} does not have; did you mean `shop.Orders`?", target.host()),
        ),
        (
            json!({ "data": { "price": { "cent": 5 } } }),
            "`grpc.data` is wrong: `price`: the message common.Money has no field `cent`; did you mean `cents`?".to_owned(),
        ),
        (
            json!({ "data": [{ "item": "a" }, { "count": "many" }] }),
            "`grpc.data` is wrong: `[1].count`: ".to_owned(),
        ),
        (
            json!({ "data": { "item": "{{.RequestNumbr}}" } }),
            "`grpc.data` is wrong: item: a call has no `.RequestNumbr`; did you mean `.RequestNumber`?".to_owned(),
        ),
        (
            json!({ "metadata": { "grpc-timeout": "1S" } }),
            "`grpc.metadata` is wrong: `grpc-timeout` is not metadata: gRPC itself sets it".to_owned(),
        ),
        (json!({ "proto": "/nowhere/a.proto" }), "`grpc.proto` is wrong: cannot read /nowhere/a.proto: ".to_owned()),
    ] {
        let said = failed(grpc(&target, "Place", &more));
        assert!(said.starts_with(&message), "{said}");
    }
    assert_eq!(target.calls().len(), 0);
}

#[test]
fn servers_that_cannot_be_asked_are_found_before_the_load() {
    let (closed, files) = (ClosedPort::reserve(), HttpTarget::start(Behaviour::status(500)));
    let directory = tempfile::tempdir().unwrap();
    let proto = protos(directory.path());
    let silent = target(Offers::Nothing);
    let host = closed.url("").replace("http://", "");
    for (more, part) in [
        (json!({ "host": host }), "connection refused"),
        (json!({ "host": host, "proto": proto }), "connection refused"),
        (json!({}), "does not offer server reflection: give the proto file (proto, protoURL) or a protoset"),
        (json!({ "protoURL": files.url("/a.proto") }), "the server answered 500"),
    ] {
        let said = failed(grpc(&silent, "Place", &more));
        assert!(said.contains(part), "{said}");
    }
}

#[test]
fn a_search_finds_what_a_server_can_take() {
    let search = json!({ "from": 20, "to": 500, "precision": 0.3, "probeDuration": "600ms", "maxDuration": "60s" });
    let slos = json!({ "upper": { "grpc/latency/p50": 100 }, "lower": { "grpc/max-rate": 30 } });
    let with = |target: &GrpcTarget| {
        let call = json!({ "host": target.host(), "call": "shop.Orders.Queue", "timeout": "30s", "search": search });
        json!({ "task": "grpc", "with": call })
    };
    // Fewer than a hundred requests at each rate, so that the agent does not judge its own lateness on a busy machine; what
    // is found there may be too low, and is then looked for again.
    let (result, found) = (0..5)
        .map(|_| {
            let (stage, target) = (Stage::new(), target(Offers::V1));
            let assess = json!({ "task": "assess", "with": { "SLOs": slos } });
            stage.run(&experiment([with(&target), assess])).code(code::SUCCEEDED);
            let result = stage.result();
            let found = result.metrics["grpc/max-rate"].versions[0].latest.clone().expect("it was measured");
            (result, found)
        })
        .find(|(_, found)| found.faults.is_empty() && found.value.is_some_and(|rate| rate >= 40.0))
        .expect("one of five searches is not disturbed");
    let (rate, interval) = (found.value.expect("it has one"), found.interval.expect("it has one"));
    assert!(rate <= 160.0 && interval.lower == Some(rate), "{found:?}");
    assert!(interval.upper.is_some_and(|upper| (80.0..=200.0).contains(&upper) && upper <= rate * 1.31), "{found:?}");
    assert!(found.source.as_ref().is_some_and(|source| source.contains("grpc/latency/p50 is ")), "{found:?}");
    assert_eq!(result.verdict, Some(Verdict::Pass), "{}", result.verdict_reason);
}
