//! What users of Iter8 v0.13 type: every key of its charts' values, and every command line of its documentation with `iter8 k`
//! replaced by `kubectl iter8`. What a task does with its inputs is shown by the tests of the agent.

use iter8_testkit::api_server::ApiServer;
use serde_json::{Value, json};

use crate::plugin::{Plugin, of_kind};

/// Where a value of v0.13 ends up.
enum Place {
    /// In the step of the experiment that has this number, at this pointer.
    Step(usize, &'static str),
    /// In the Job, at this pointer.
    Job(&'static str),
    /// In the CronJob, at this pointer.
    CronJob(&'static str),
    /// In the Role that says what `ready` may look at, as the name of this resource.
    MayGet(&'static str),
    /// Nowhere: taken and ignored.
    Nowhere,
}

use Place::{CronJob, Job, MayGet, Nowhere, Step};

/// The shortest experiment with a task, which a row adds one value to.
fn base(task: &str) -> &'static str {
    match task {
        "ready" => "tasks={ready},ready.deploy=app",
        "http" => "tasks={http},http.url=http://app",
        "grpc" => "tasks={grpc},grpc.host=app:50051,grpc.call=shop.Orders.Place",
        "custommetrics" => "tasks={custommetrics},custommetrics.templates.istio-prom=https://a/istio-prom.tpl",
        "abnmetrics" => "tasks={abnmetrics},abnmetrics.application=default/backend",
        "assess" => "tasks={http,assess},http.url=http://app",
        "slack" => "tasks={slack},slack.url=https://hooks.slack.com/services/T/B/X",
        "github" => "tasks={github},github.owner=octo,github.repo=shop,github.token=t",
        other => panic!("no experiment for {other}"),
    }
}

/// A key of v0.13: the task that it needs, what is typed after `--set`, where it ends up, and as what.
fn keys() -> Vec<(&'static str, &'static str, Place, Value)> {
    vec![
        // The experiment and its pod.
        ("http", "tasks={http}", Step(0, "/task"), json!("http")),
        ("http", "runner=job", Job("/kind"), json!("Job")),
        ("http", r"runner=cronjob,cronjobSchedule=*/1 * * * *", CronJob("/spec/schedule"), json!("*/1 * * * *")),
        (
            "http",
            "iter8Image=iter8/iter8:0.13",
            Job("/spec/template/spec/containers/0/image"),
            json!("iter8/iter8:0.13"),
        ),
        ("http", "majorMinor=v0.13", Nowhere, json!(null)),
        ("http", "logLevel=debug", Job("/spec/template/spec/containers/0/args/12"), json!("debug")),
        (
            "http",
            "resources.limits.memory=1Gi",
            Job("/spec/template/spec/containers/0/resources/limits/memory"),
            json!("1Gi"),
        ),
        ("http", "serviceAccountName=tester", Job("/spec/template/spec/serviceAccountName"), json!("tester")),
        // ready
        ("ready", "ready.service=app", MayGet("services"), json!("app")),
        ("ready", "ready.deploy=app", MayGet("deployments"), json!("app")),
        ("ready", "ready.ksvc=app", MayGet("services"), json!("app")),
        ("ready", "ready.isvc=app", MayGet("inferenceservices"), json!("app")),
        ("ready", "ready.chaosengine=app", MayGet("chaosengines"), json!("app")),
        ("ready", "ready.namespace=books", Step(0, "/with/namespace"), json!("books")),
        ("ready", "ready.timeout=60s", Step(0, "/with/timeout"), json!("60s")),
        // http
        ("http", "http.url=http://httpbin.default/get", Step(0, "/with/url"), json!("http://httpbin.default/get")),
        ("http", "http.numRequests=200", Step(0, "/with/numRequests"), json!(200)),
        ("http", "http.duration=5s", Step(0, "/with/duration"), json!("5s")),
        ("http", "http.qps=10", Step(0, "/with/qps"), json!(10)),
        ("http", "http.connections=5", Step(0, "/with/connections"), json!(5)),
        ("http", "http.payloadStr=hello", Step(0, "/with/payloadStr"), json!("hello")),
        ("http", "http.payloadFile=/tmp/body", Step(0, "/with/payloadFile"), json!("/tmp/body")),
        ("http", "http.contentType=image/jpeg", Step(0, "/with/contentType"), json!("image/jpeg")),
        ("http", "http.headers.cache-control=no-cache", Step(0, "/with/headers/cache-control"), json!("no-cache")),
        ("http", "http.headers.X-Id=1", Step(0, "/with/headers/X-Id"), json!(1)),
        (
            "http",
            "http.errorRanges[0].lower=500,http.errorRanges[0].upper=599",
            Step(0, "/with/errorRanges"),
            json!([{ "lower": 500, "upper": 599 }]),
        ),
        ("http", "http.percentiles={50,97.5}", Step(0, "/with/percentiles"), json!([50, "97.5"])),
        ("http", "http.allowInitialErrors=true", Step(0, "/with/allowInitialErrors"), json!(true)),
        ("http", "http.warmupNumRequests=50", Step(0, "/with/warmupNumRequests"), json!(50)),
        ("http", "http.warmupDuration=10s", Step(0, "/with/warmupDuration"), json!("10s")),
        (
            "http",
            "http.url=null,http.endpoints.getit.url=http://app/get",
            Step(0, "/with/endpoints/getit/url"),
            json!("http://app/get"),
        ),
        // grpc: the keys of ghz
        ("grpc", "grpc.host=hello.default:50051", Step(0, "/with/host"), json!("hello.default:50051")),
        ("grpc", "grpc.call=helloworld.Greeter/SayHello", Step(0, "/with/call"), json!("helloworld.Greeter/SayHello")),
        ("grpc", "grpc.proto=/tmp/hello.proto", Step(0, "/with/proto"), json!("/tmp/hello.proto")),
        ("grpc", "grpc.protoURL=https://a/hello.proto", Step(0, "/with/protoURL"), json!("https://a/hello.proto")),
        ("grpc", "grpc.protoset=/tmp/hello.pb", Step(0, "/with/protoset"), json!("/tmp/hello.pb")),
        ("grpc", "grpc.data.name=frodo", Step(0, "/with/data"), json!({ "name": "frodo" })),
        ("grpc", "grpc.dataURL=https://a/data.json", Step(0, "/with/dataURL"), json!("https://a/data.json")),
        ("grpc", "grpc.binaryDataURL=https://a/data.bin", Step(0, "/with/binaryDataURL"), json!("https://a/data.bin")),
        ("grpc", "grpc.metadata.darth=vader", Step(0, "/with/metadata/darth"), json!("vader")),
        ("grpc", "grpc.metadataURL=https://a/meta.json", Step(0, "/with/metadataURL"), json!("https://a/meta.json")),
        ("grpc", "grpc.total=500", Step(0, "/with/total"), json!(500)),
        ("grpc", "grpc.duration=30s", Step(0, "/with/duration"), json!("30s")),
        ("grpc", "grpc.concurrency=5", Step(0, "/with/concurrency"), json!(5)),
        ("grpc", "grpc.connections=2", Step(0, "/with/connections"), json!(2)),
        ("grpc", "grpc.rps=5", Step(0, "/with/rps"), json!(5)),
        ("grpc", "grpc.timeout=1s", Step(0, "/with/timeout"), json!("1s")),
        ("grpc", "grpc.warmupNumRequests=50", Step(0, "/with/warmupNumRequests"), json!(50)),
        ("grpc", "grpc.warmupDuration=10s", Step(0, "/with/warmupDuration"), json!("10s")),
        (
            "grpc",
            "grpc.call=null,grpc.endpoints.greet.call=helloworld.Greeter.SayHello",
            Step(0, "/with/endpoints/greet/call"),
            json!("helloworld.Greeter.SayHello"),
        ),
        // custommetrics, abnmetrics
        (
            "custommetrics",
            "custommetrics.templates.istio-prom=https://a/istio-prom.tpl",
            Step(0, "/with/templates/istio-prom"),
            json!("https://a/istio-prom.tpl"),
        ),
        (
            "custommetrics",
            "custommetrics.values.labels.namespace=default",
            Step(0, "/with/values/labels/namespace"),
            json!("default"),
        ),
        (
            "custommetrics",
            "custommetrics.versionValues[0].labels.workload=v2",
            Step(0, "/with/versionValues/0/labels/workload"),
            json!("v2"),
        ),
        (
            "abnmetrics",
            "abnmetrics.application=default/backend",
            Step(0, "/with/application"),
            json!("default/backend"),
        ),
        ("abnmetrics", "abnmetrics.endpoint=abn:50051", Step(0, "/with/endpoint"), json!("abn:50051")),
        // assess
        (
            "assess",
            "assess.SLOs.upper.http/latency-mean=50",
            Step(1, "/with/SLOs/upper"),
            json!({ "http/latency-mean": 50 }),
        ),
        (
            "assess",
            r"assess.SLOs.upper.http/latency-p97\.5=100",
            Step(1, "/with/SLOs/upper"),
            json!({ "http/latency-p97.5": 100 }),
        ),
        (
            "assess",
            "assess.SLOs.lower.http/request-count=100",
            Step(1, "/with/SLOs/lower"),
            json!({ "http/request-count": 100 }),
        ),
        // slack, github
        ("slack", "slack.url=https://hooks.slack.com/x", Step(0, "/with/url"), json!("https://hooks.slack.com/x")),
        ("slack", "slack.if=SLOs()", Step(0, "/if"), json!("SLOs()")),
        ("slack", "slack.method=POST", Step(0, "/with/method"), json!("POST")),
        (
            "slack",
            "slack.payloadTemplateURL=https://a/slack.tpl",
            Step(0, "/with/payloadTemplateURL"),
            json!("https://a/slack.tpl"),
        ),
        ("slack", "slack.softFailure=false", Step(0, "/with/softFailure"), json!(false)),
        ("github", "github.if=not SLOs()", Step(0, "/if"), json!("not SLOs()")),
        ("github", "github.owner=me", Step(0, "/with/owner"), json!("me")),
        ("github", "github.repo=app", Step(0, "/with/repo"), json!("app")),
        ("github", "github.token=ghp_1", Step(0, "/with/token"), json!("ghp_1")),
        (
            "github",
            "github.payloadTemplateURL=https://a/github.tpl",
            Step(0, "/with/payloadTemplateURL"),
            json!("https://a/github.tpl"),
        ),
        ("github", "github.softFailure=false", Step(0, "/with/softFailure"), json!(false)),
    ]
}

/// Objects that `render` makes of the shortest experiment of `task` with `flags` after it.
#[track_caller]
fn rendered(plugin: &Plugin, task: &str, set: &str) -> Vec<Value> {
    plugin.words(["render", "--set", base(task), "--set", set]).run().code(0).yaml()
}

#[test]
fn every_value_is_taken_and_means_the_same() {
    let plugin = Plugin::new();
    for (task, set, place, expected) in keys() {
        let objects = rendered(&plugin, task, set);
        let found = match place {
            Step(number, pointer) => crate::render::experiment(&objects)["spec"][number].pointer(pointer).cloned(),
            Job(pointer) => of_kind(&objects, "Job", "iter8-default-1").pointer(pointer).cloned(),
            CronJob(pointer) => of_kind(&objects, "CronJob", "iter8-default-1").pointer(pointer).cloned(),
            MayGet(resource) => {
                let rules = &of_kind(&objects, "Role", "iter8-default-ready")["rules"];
                let rules = rules.as_array().expect("a role has rules");
                let rule = rules.iter().find(|rule| rule["resources"][0] == resource && rule["verbs"][0] == "get");
                rule.map(|rule| rule["resourceNames"][0].clone())
            }
            Nowhere => {
                assert_eq!(objects, rendered(&plugin, task, "global.x=1"), "{set}");
                Some(Value::Null)
            }
        };
        assert_eq!(found, Some(expected), "{set}");
    }
}

#[test]
fn the_flags_of_every_command_are_taken() {
    let values = "--set tasks={http} --set http.url=http://app";
    let plain = Plugin::new().run(&format!("launch --dry {values}")).code(0);
    for flags in [
        "-c iter8",
        "--chartName iter8",
        "-g default",
        "--group default",
        "-n default",
        "-l debug",
        "--loglevel warning",
        "--kube-context none",
        "--kube-as-user me --kube-as-group us --kube-token t",
        "--kube-apiserver https://127.0.0.1:1 --kube-ca-file ca.crt --kube-tls-server-name api",
        "--kube-insecure-skip-tls-verify",
        "--set-string runner=job",
    ] {
        let plugin = Plugin::new();
        let _ = plugin.file("ca.crt", "");
        let output = plugin.run(&format!("launch --dry {values} {flags}")).code(0);
        assert_eq!(output.stdout, plain.stdout, "{flags}");
        assert_eq!(output.stderr, "", "{flags}");
    }
    for (flags, warning) in [
        ("--localChart --chartName charts/iter8", "the chart is built in"),
        ("--burst-limit 32", "--burst-limit has no effect"),
    ] {
        let output = Plugin::new().run(&format!("launch --dry {values} {flags}")).code(0).complains(warning);
        assert_eq!(output.stdout, plain.stdout, "{flags}");
    }
}

#[test]
fn what_is_no_longer_there_is_answered_with_what_there_is() {
    let plugin = Plugin::new();
    for (line, sentence) in [
        (
            "k launch",
            "unknown command \"k\" for \"kubectl iter8\"; leave it out: what was `iter8 k` is `kubectl iter8`",
        ),
        ("run -g default", "unknown command \"run\" for \"kubectl iter8\"; `launch --local` runs an experiment here"),
        (
            "launch -c autox --set tasks={http}",
            "invalid argument \"autox\" for \"-c, --chartName\" flag: the only chart is iter8, which is built in",
        ),
    ] {
        let _ = plugin.run(line).code(2).complains(sentence);
    }
}

#[test]
fn the_commands_of_the_first_tutorial_work_one_after_another() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let launch = [
        "launch",
        "--set",
        "tasks={http,assess}",
        "--set",
        "http.url=http://httpbin.default/get",
        "--set",
        "assess.SLOs.upper.http/latency-mean=50",
        "--set",
        "assess.SLOs.upper.http/error-count=0",
        "--set",
        "runner=job",
    ];
    let _ = plugin.words(launch).run().code(0).complains("experiment \"default\" launched, revision 1");
    crate::agent::write(&server, &crate::agent::ended(1, 0));
    let _ = plugin.run("assert -c completed -c nofailure -c slos --timeout 60s").code(0);
    let _ = plugin.run("assert -c completed,nofailure,SLOs -t 5s").code(0);
    let _ = plugin.run("report").code(0).says("Service level objectives");
    let _ = plugin.run("report -o text").code(0);
    let _ = plugin.run("log").code(0);
    let _ = plugin.run("delete").code(0);
    let _ = plugin.run("report").code(11);
}
