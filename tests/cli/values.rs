//! The six flags for values, in Helm's grammar. The value `affinity` takes any map, so what the flags make of their
//! texts can be seen in the rendered pod.

use insta::assert_snapshot;
use iter8_testkit::http_target::{Behaviour, HttpTarget};
use serde_json::{Value, json};

use crate::plugin::{Plugin, of_kind};

const TASK: &str = "render --set tasks={http} --set http.url=http://a";

/// What stands below `affinity` after `flags`, which blanks separate.
#[track_caller]
fn affinity(plugin: &Plugin, flags: &str) -> Value {
    rendered_affinity(&plugin.line(TASK).args(flags.split_whitespace()).run().code(0).yaml())
}

fn rendered_affinity(objects: &[Value]) -> Value {
    of_kind(objects, "Job", "iter8-default-1")["spec"]["template"]["spec"]["affinity"].clone()
}

/// The inputs of the first step after `flags`.
#[track_caller]
fn inputs(flags: &[&str]) -> Value {
    let objects = Plugin::new().line(TASK).args(flags).run().code(0).yaml();
    let experiment = &crate::render::experiment(&objects)["spec"][0];
    experiment["with"].clone()
}

#[test]
fn set_types_values_as_helm_does() {
    let plugin = Plugin::new();
    for (text, expected) in [
        ("affinity.x=1", json!(1)),
        ("affinity.x=-5", json!(-5)),
        ("affinity.x=0", json!(0)),
        ("affinity.x=0123", json!("0123")),
        ("affinity.x=1.5", json!("1.5")),
        ("affinity.x=1e3", json!("1e3")),
        ("affinity.x=TRUE", json!(true)),
        ("affinity.x=null", json!(null)),
        ("affinity.x=", json!("")),
        ("affinity.x={a,1,true}", json!(["a", 1, true])),
        ("affinity.x={}", json!([""])),
        ("affinity.x[1].b=y", json!([null, { "b": "y" }])),
        ("affinity.x[0][1]=y", json!([[null, "y"]])),
        ("affinity.x[0].b=1,affinity.x[0].c=2", json!([{ "b": 1, "c": 2 }])),
        (r"affinity.x=a\,b", json!("a,b")),
        (r"affinity.x\.y/z=1,affinity.x=2", json!(2)),
    ] {
        assert_eq!(affinity(&plugin, &format!("--set {text}"))["x"], expected, "{text}");
    }
    assert_eq!(affinity(&plugin, r"--set affinity.a\.b\.io/c=1"), json!({ "a.b.io/c": 1 }));
}

#[test]
fn set_string_keeps_texts_and_set_literal_everything() {
    let plugin = Plugin::new();
    assert_eq!(
        affinity(&plugin, "--set-string affinity.x=1,affinity.y={true,null}"),
        json!({ "x": "1", "y": ["true", "null"] })
    );
    assert_eq!(affinity(&plugin, r"--set-literal affinity.x={1},y=\z"), json!({ "x": r"{1},y=\z" }));
}

#[test]
fn set_json_takes_a_value_or_a_whole_object() {
    let plugin = Plugin::new();
    assert_eq!(
        affinity(&plugin, r#"--set-json affinity.x=[1,2.5,{"a":null}]"#),
        json!({ "x": [1, 2.5, { "a": null }] })
    );
    assert_eq!(affinity(&plugin, r#"--set-json {"affinity":{"x":true}}"#), json!({ "x": true }));
}

#[test]
fn set_file_takes_the_content_of_a_file() {
    let plugin = Plugin::new();
    plugin.file("body.json", "{\"a\": 1}\n");
    assert_eq!(affinity(&plugin, "--set-file affinity.x=body.json"), json!({ "x": "{\"a\": 1}\n" }));
}

#[test]
fn values_come_from_files_stdin_and_several_documents() {
    let plugin = Plugin::new();
    plugin.file("one.yaml", "affinity: {a: one, b: one, c: one}\n---\naffinity: {b: one again}\n");
    plugin.file("two.yaml", "affinity: {c: two}\n");
    assert_eq!(affinity(&plugin, "-f one.yaml -f two.yaml"), json!({ "a": "one", "b": "one again", "c": "two" }));
    assert_eq!(affinity(&plugin, "--values one.yaml,two.yaml"), json!({ "a": "one", "b": "one again", "c": "two" }));
    let output = plugin.line(&format!("{TASK} -f -")).stdin("affinity: {a: stdin}\n").run().code(0);
    assert_eq!(rendered_affinity(&output.yaml()), json!({ "a": "stdin" }));
}

#[test]
fn the_order_of_the_flags_is_helms_whatever_their_order_on_the_command_line() {
    let plugin = Plugin::new();
    plugin.file("v.yaml", "affinity: {a: file, b: file, c: file, d: file, e: file, f: file}\n");
    plugin.file("text", "file's text");
    let flags = [
        "--set-literal affinity.f=literal",
        "--set-file affinity.e=text,affinity.f=text",
        "--set-string affinity.d=string,affinity.e=string",
        "--set affinity.c=set,affinity.d=set",
        r#"--set-json affinity.b="json",affinity.c="json""#,
        "-f v.yaml",
    ];
    let expected = json!({ "a": "file", "b": "json", "c": "set", "d": "string", "e": "file's text", "f": "literal" });
    assert_eq!(affinity(&plugin, &flags.join(" ")), expected);
    let turned: Vec<&str> = flags.into_iter().rev().collect();
    assert_eq!(affinity(&plugin, &turned.join(" ")), expected);
}

#[test]
fn maps_are_merged_and_lists_replaced() {
    let plugin = Plugin::new();
    plugin.file("v.yaml", "affinity: {a: {x: 1, y: 2}, b: [1, 2, 3]}\n");
    assert_eq!(
        affinity(&plugin, "-f v.yaml --set affinity.a.y=3,affinity.b={9}"),
        json!({ "a": { "x": 1, "y": 3 }, "b": [9] })
    );
}

#[test]
fn null_takes_a_default_away() {
    let objects =
        Plugin::new().run(&format!("{TASK} --set resources.limits=null,securityContext.runAsUser=null")).code(0).yaml();
    let pod = &of_kind(&objects, "Job", "iter8-default-1")["spec"]["template"]["spec"];
    assert_eq!(pod["containers"][0]["resources"], json!({ "requests": { "cpu": "100m", "memory": "64Mi" } }));
    assert_eq!(pod["securityContext"].get("runAsUser"), None);
    assert_eq!(pod["securityContext"]["runAsGroup"], 65532);
}

#[test]
fn numbers_may_be_texts_and_texts_may_be_numbers() {
    // `--set` makes a text of 2.5 and a number of 7; both are what the task means.
    assert_eq!(
        inputs(&["--set", "http.qps=2.5,http.headers.x-id=7"]),
        json!({ "headers": { "x-id": 7 }, "qps": "2.5", "url": "http://a" })
    );
    Plugin::new()
        .run(&format!("{TASK} --set-string http.qps=2.5,http.numRequests=10,http.allowInitialErrors=true"))
        .code(0);
}

#[test]
fn integers_stay_integers_however_large() {
    let plugin = Plugin::new();
    plugin.file("v.yaml", "affinity: {x: 9007199254740993}\n");
    let output = plugin.run(&format!("{TASK} -f v.yaml"));
    output.says("x: 9007199254740993");
}

#[test]
fn texts_that_do_not_follow_the_grammar_are_refused() {
    let plugin = Plugin::new();
    let said = |flag: &str, text: &str| plugin.words(["render", flag, text]).run();
    assert_snapshot!(said("--set", "http"), @r#"
    ------- stderr -------
    error: failed parsing --set data "http": key "http" has no value
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "http.url=a,http.qps,"), @r#"
    ------- stderr -------
    error: failed parsing --set data "http.url=a,http.qps,": key "http.qps" has no value (cannot end with ,)
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "http.url,tasks={http}"), @r#"
    ------- stderr -------
    error: failed parsing --set data "http.url,tasks={http}": key "http.url" has no value (cannot end with ,)
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "tasks={http"), @r#"
    ------- stderr -------
    error: failed parsing --set data "tasks={http": list must terminate with '}'
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "tasks={http}x"), @r#"
    ------- stderr -------
    error: failed parsing --set data "tasks={http}x": unexpected "x" after the end of a list
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "tasks[x]=http"), @r#"
    ------- stderr -------
    error: failed parsing --set data "tasks[x]=http": error parsing index: "x" is not a number from 0
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "tasks[-1]=http"), @r#"
    ------- stderr -------
    error: failed parsing --set data "tasks[-1]=http": error parsing index: "-1" is not a number from 0
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "tasks[65537]=http"), @r#"
    ------- stderr -------
    error: failed parsing --set data "tasks[65537]=http": unable to parse key: index of 65537 is greater than maximum supported index of 65536
    [exit code 2]
    "#);
    assert_snapshot!(said("--set", "http=1,http.url=x"), @r#"
    ------- stderr -------
    error: failed parsing --set data "http=1,http.url=x": unable to parse key: `http` is a number already, so nothing can be set below it
    [exit code 2]
    "#);
    let deep = format!("{}=1", vec!["a"; 40].join("."));
    assert_snapshot!(said("--set", &deep), @r#"
    ------- stderr -------
    error: failed parsing --set data "a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a…": unable to parse key: value name nested level is greater than maximum supported nested level of 30
    [exit code 2]
    "#);
    assert_snapshot!(said("--set-json", "http={url: a}"), @r#"
    ------- stderr -------
    error: failed parsing --set-json data "http={url: a}": "{url: a}" is not JSON: key must be a string at line 1 column 2
    [exit code 2]
    "#);
    assert_snapshot!(said("--set-json", "http.qps=1 2"), @r#"
    ------- stderr -------
    error: failed parsing --set-json data "http.qps=1 2": "2" is not JSON: expected a comma or the end
    [exit code 2]
    "#);
    assert_snapshot!(said("--set-literal", "http.url"), @r#"
    ------- stderr -------
    error: failed parsing --set-literal data "http.url": key "url" has no value
    [exit code 2]
    "#);
    assert_snapshot!(said("--set-string", "http.url"), @r#"
    ------- stderr -------
    error: failed parsing --set-string data "http.url": key "http.url" has no value
    [exit code 2]
    "#);
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let plugin = Plugin::new();
    plugin.file("list.yaml", "- a\n");
    plugin.file("broken.yaml", "http:\n  url: http://a\n  headers: {a: 1\ntasks: [http]\n");
    plugin.file("twice.yaml", "http: {url: a}\nhttp: {url: b}\n");
    plugin.file("binary.yaml", [0xff, 0xfe, 0x00]);
    assert_snapshot!(plugin.run("render -f nowhere.yaml"), @"
    ------- stderr -------
    error: cannot read the values nowhere.yaml: No such file or directory (os error 2)
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render -f ."), @"
    ------- stderr -------
    error: cannot read the values .: Is a directory (os error 21)
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render -f list.yaml"), @"
    ------- stderr -------
    error: the values list.yaml cannot be read as YAML: it is not a map of keys to values
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render -f broken.yaml"), @"
    ------- stderr -------
    error: the values broken.yaml cannot be read as YAML: while parsing a flow mapping, did not find expected ',' or '}' at line 4, column 6
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render -f twice.yaml"), @"
    ------- stderr -------
    error: the values twice.yaml cannot be read as YAML: duplicate mapping key `http` is not allowed here at line 2, column 1
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render -f binary.yaml"), @"
    ------- stderr -------
    error: cannot read the values binary.yaml: stream did not contain valid UTF-8
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("render --set-file http.payloadStr=nowhere.txt"), @"
    ------- stderr -------
    error: cannot read the values nowhere.txt: No such file or directory (os error 2)
    [exit code 2]
    ");
    assert_snapshot!(plugin.line("render -f -").stdin("a: b: c").run(), @"
    ------- stderr -------
    error: the values on standard input cannot be read as YAML: mapping values are not allowed in this context at line 1, column 5
    [exit code 2]
    ");
}

#[test]
fn values_come_from_a_url() {
    let plugin = Plugin::new();
    let target = HttpTarget::start(Behaviour::Text("affinity: {a: url}\n"));
    assert_eq!(affinity(&plugin, &format!("-f {}", target.url("/values.yaml"))), json!({ "a": "url" }));
}

#[test]
fn a_url_that_gives_no_values_is_named() {
    let mut plugin = Plugin::new();
    let target = HttpTarget::start(Behaviour::status(404));
    plugin.hide(target.url(""), "http://target");
    assert_snapshot!(plugin.run(&format!("render -f {}", target.url("/values.yaml"))), @"
    ------- stderr -------
    error: cannot read the values http://target/values.yaml: the server answered 404 Not Found
    [exit code 2]
    ");
    target.on("/large", Behaviour::Answer { status: 200, bytes: 2 << 20 });
    assert_snapshot!(plugin.run(&format!("render -f {}", target.url("/large"))), @"
    ------- stderr -------
    error: cannot read the values http://target/large: it is larger than 1 MiB
    [exit code 2]
    ");
    target.on("/closed", Behaviour::Close);
    assert_snapshot!(plugin.run(&format!("render -f {}", target.url("/closed"))), @"
    ------- stderr -------
    error: cannot read the values http://target/closed: the request failed: error sending request: client error (SendRequest): connection closed before message completed
    [exit code 2]
    ");
}
