//! What the load tasks can do, on a real cluster: calls of gRPC, and several endpoints at once.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use crate::harness::{Namespace, until_trusted};

const SET: &str = "--set";
const JSON: &str = "--set-json";

#[test]
fn a_grpc_service_that_describes_itself_is_called_and_judged() {
    let ns = Namespace::with_grpc("grpc");
    let host = format!("grpc.host=grpc.{}:50051", ns.name);
    let measure = || {
        ns.launch(&[
            SET,
            "tasks={ready,grpc,assess}",
            SET,
            &host,
            SET,
            "grpc.call=grpc.testing.TestService.UnaryCall",
            JSON,
            r#"grpc.data={"responseSize":100,"payload":{"body":"aXRlcjg="}}"#,
            SET,
            "grpc.total=200",
            SET,
            "grpc.rps=100",
            SET,
            "assess.SLOs.upper.grpc/latency/mean=50",
            SET,
            "assess.SLOs.upper.grpc/error-count=0",
        ])
        .code(0);
        ns.iter8(&["assert", "-c", "completed,nofailure,slos", "--timeout", "60s"])
    };
    until_trusted(measure).code(0);
    let json = ns.iter8(&["report", "-o", "json"]).code(0).json();
    assert_eq!(json["verdict"], "pass");
    assert_eq!(json["load"]["grpc"]["completed"], 200);
    assert_eq!(json["load"]["grpc"]["grpcCodes"]["OK"], 200, "{json:#}");
}

#[test]
fn a_status_other_than_ok_is_an_error_and_named() {
    let ns = Namespace::with_grpc("status");
    let host = format!("grpc.host=grpc.{}:50051", ns.name);
    let launched = ns.launch(&[
        SET,
        "tasks={ready,grpc,assess}",
        SET,
        &host,
        SET,
        "grpc.call=grpc.testing.TestService/UnaryCall",
        JSON,
        r#"grpc.data={"responseStatus":{"code":5,"message":"no such thing"}}"#,
        SET,
        "grpc.total=20",
        SET,
        "grpc.rps=100",
        SET,
        "assess.SLOs.upper.grpc/error-count=0",
        "--wait",
        "--timeout",
        "60s",
    ]);
    let launched = launched.code(1);
    assert!(launched.stdout.contains("grpc/error-count is 20, above the limit of 0"), "{launched}");
    let report = ns.iter8(&["report"]).code(0);
    assert!(report.stdout.contains("NOT_FOUND") && report.stdout.contains("no such thing"), "{report}");
}

#[test]
fn a_stream_goes_both_ways() {
    let ns = Namespace::with_grpc("stream");
    let host = format!("grpc.host=grpc.{}:50051", ns.name);
    ns.launch(&[
        SET,
        "tasks={ready,grpc}",
        SET,
        &host,
        SET,
        "grpc.call=grpc.testing.TestService.FullDuplexCall",
        JSON,
        r#"grpc.data=[{"responseParameters":[{"size":1},{"size":2}]},{"responseParameters":[{"size":3}]}]"#,
        SET,
        "grpc.total=10",
        SET,
        "grpc.rps=50",
    ])
    .code(0);
    ns.iter8(&["assert", "-c", "completed,nofailure", "--timeout", "60s"]).code(0);
    let load = &ns.iter8(&["report", "-o", "json"]).code(0).json()["load"]["grpc"];
    assert_eq!(load["grpcCodes"]["OK"], 10, "{load:#}");
    assert_eq!((&load["messagesSent"], &load["messagesReceived"]), (&20.into(), &30.into()), "{load:#}");
}

#[test]
fn endpoints_side_by_side_share_one_load_by_their_weights() {
    let ns = Namespace::with_httpbin("side");
    let (read, write) = (ns.httpbin("/get"), ns.httpbin("/post"));
    let read = format!("http.endpoints.read.url={read}");
    let write = format!("http.endpoints.write.url={write}");
    ns.launch(&[
        SET,
        "tasks={ready,http}",
        SET,
        &read,
        SET,
        "http.endpoints.read.weight=3",
        SET,
        &write,
        SET,
        "http.endpoints.write.payloadStr=hello",
        SET,
        "http.endpointsOrder=sideBySide",
        SET,
        "http.numRequests=80",
        SET,
        "http.qps=100",
        SET,
        "http.warmupNumRequests=10",
    ])
    .code(0);
    ns.iter8(&["assert", "-c", "completed,nofailure", "--timeout", "60s"]).code(0);
    let load = &ns.iter8(&["report", "-o", "json"]).code(0).json()["load"];
    assert_eq!(load["http-read"]["statusCodes"]["200"], 60, "{load:#}");
    assert_eq!(load["http-write"]["statusCodes"]["200"], 20, "{load:#}");
}

#[test]
fn http2_over_tls_trusts_the_authority_in_a_secret() {
    let ns = Namespace::new("tls");
    let made = rcgen::generate_simple_self_signed([format!("httpbin.{}", ns.name)]).expect("the name is one");
    let (cert, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "shop-tls" },
        "data": { "ca.crt": STANDARD.encode(&cert), "tls.crt": STANDARD.encode(&cert), "tls.key": STANDARD.encode(&key) },
    });
    ns.apply(&secret.to_string());
    let ns = ns.httpbin_over_tls("shop-tls");
    let url = format!("http.url=https://httpbin.{}/get", ns.name);
    let load = [SET, "tasks={ready,http}", SET, &url, SET, "http.http2=true", SET, "http.numRequests=20"];
    ns.launch(&[&load[..], &[SET, "http.tls.secret=shop-tls"]].concat()).code(0);
    ns.iter8(&["assert", "-c", "completed,nofailure", "--timeout", "60s"]).code(0);
    let details = &ns.iter8(&["report", "-o", "json"]).code(0).json()["load"]["http"];
    assert_eq!(details["statusCodes"]["200"], 20, "{details:#}");
    // Without the Secret nobody vouches for the certificate.
    ns.launch(&load).code(0);
    ns.iter8(&["assert", "-c", "completed", "--timeout", "60s"]).code(0);
    let details = &ns.iter8(&["report", "-o", "json"]).code(0).json()["load"]["http"];
    assert_eq!(details["statusCodes"]["200"], serde_json::Value::Null, "{details:#}");
    assert!(details["errors"][0]["kind"].as_str().is_some_and(|kind| kind.contains("TLS")), "{details:#}");
}
