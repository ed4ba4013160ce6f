//! What a launch does to a cluster, and what a second one does to the first.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::{Value, json};

use crate::agent::{LAUNCH, end_job, ended, write};
use crate::plugin::Plugin;

/// What is stored, by kind and name.
pub(crate) fn stored(server: &ApiServer) -> Vec<String> {
    let text =
        |object: &Value, pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?").to_owned();
    let name = |object: &Value| format!("{} {}", text(object, "/kind"), text(object, "/metadata/name"));
    let mut stored: Vec<String> = server.objects().iter().map(name).collect();
    stored.sort();
    stored
}

/// What the group default remembers.
pub(crate) fn history(server: &ApiServer) -> Vec<Value> {
    let parent = server.get("secrets", "default", "iter8-default").expect("the group is there");
    let encoded = parent["data"]["history.json"].as_str().expect("the group has a history");
    serde_json::from_slice(&STANDARD.decode(encoded).expect("data is base64")).expect("a history is JSON")
}

const OBJECTS: [&str; 7] = [
    "Job iter8-default-1",
    "Role iter8-default",
    "RoleBinding iter8-default",
    "Secret iter8-default",
    "Secret iter8-default-1-result",
    "Secret iter8-default-1-spec",
    "ServiceAccount iter8-default",
];

#[test]
fn a_launch_makes_its_objects_and_tells_each() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    assert_snapshot!(plugin.run(LAUNCH), @r#"
    serviceaccount/iter8-default created
    secret/iter8-default-1-result created
    secret/iter8-default-1-spec created
    role.rbac.authorization.k8s.io/iter8-default created
    rolebinding.rbac.authorization.k8s.io/iter8-default created
    job.batch/iter8-default-1 created
    ------- stderr -------
    experiment "default" launched, revision 1
    "#);
    assert_eq!(stored(&server), OBJECTS);
}

#[test]
fn objects_are_members_of_a_set_whose_parent_is_the_group() {
    let server = ApiServer::start();
    let _ = Plugin::with(&server).run(LAUNCH).code(0);
    let parent = server.get("secrets", "default", "iter8-default").unwrap();
    let id = parent["metadata"]["labels"]["applyset.kubernetes.io/id"].clone();
    assert_eq!(id, "applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1");
    let annotations = &parent["metadata"]["annotations"];
    assert_eq!(annotations["applyset.kubernetes.io/tooling"], "kubectl-iter8/v0.1.0");
    assert_eq!(
        annotations["applyset.kubernetes.io/contains-group-kinds"],
        "Job.batch,Role.rbac.authorization.k8s.io,RoleBinding.rbac.authorization.k8s.io,Secret,ServiceAccount"
    );
    let owner =
        json!([{ "apiVersion": "v1", "kind": "Secret", "name": "iter8-default", "uid": parent["metadata"]["uid"] }]);
    for member in server
        .objects()
        .into_iter()
        .filter(|object| object["metadata"]["name"] != "iter8-default" || object["kind"] != "Secret")
    {
        assert_eq!(member["metadata"]["labels"]["applyset.kubernetes.io/part-of"], id, "{member:#}");
        assert_eq!(member["metadata"]["ownerReferences"], owner, "{member:#}");
    }
}

#[test]
fn objects_are_applied_by_the_server_strictly_under_our_name() {
    let server = ApiServer::start();
    let _ = Plugin::with(&server).run(LAUNCH).code(0);
    let applied = server.requests_to("patch", "*");
    assert_eq!(applied.len(), OBJECTS.len() - 1);
    for request in applied {
        for parameter in ["fieldManager=kubectl-iter8", "fieldValidation=Strict", "force=true"] {
            assert!(request.query.contains(parameter), "{} {}", request.path, request.query);
        }
        assert_eq!(request.header("content-type"), "application/apply-patch+yaml");
    }
}

#[test]
fn the_history_keeps_what_the_user_set_and_nothing_else() {
    let server = ApiServer::start();
    let _ = Plugin::with(&server).run(LAUNCH).code(0);
    let [entry] = &history(&server)[..] else { panic!("one launch") };
    assert_eq!(entry["revision"], 1);
    assert_eq!(entry["state"], "launched");
    assert_eq!(
        entry["values"],
        json!({
            "tasks": ["http", "assess"], "http": { "url": "http://app/get" },
            "assess": { "SLOs": { "upper": { "http/error-count": 0 } } },
        })
    );
}

#[test]
fn a_second_launch_prunes_what_the_first_left_and_keeps_its_result() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 3));
    end_job(&server, 1, &json!({ "type": "Complete", "status": "True" }));
    assert_snapshot!(plugin.run(LAUNCH), @r#"
    serviceaccount/iter8-default configured
    secret/iter8-default-2-result created
    secret/iter8-default-2-spec created
    role.rbac.authorization.k8s.io/iter8-default configured
    rolebinding.rbac.authorization.k8s.io/iter8-default configured
    job.batch/iter8-default-2 created
    secret/iter8-default-1-spec pruned
    job.batch/iter8-default-1 pruned
    ------- stderr -------
    experiment "default" launched, revision 2
    "#);
    assert_eq!(
        stored(&server),
        [
            "Job iter8-default-2",
            "Role iter8-default",
            "RoleBinding iter8-default",
            "Secret iter8-default",
            "Secret iter8-default-1-result",
            "Secret iter8-default-2-result",
            "Secret iter8-default-2-spec",
            "ServiceAccount iter8-default",
        ]
    );
    let history = history(&server);
    assert_eq!((&history[0]["verdict"], &history[1]["verdict"]), (&json!("fail"), &Value::Null));
    let role = server.get("roles", "default", "iter8-default").unwrap();
    assert_eq!(role["rules"][0]["resourceNames"], json!(["iter8-default-2-result"]));
}

#[test]
fn a_launch_ends_a_run_that_is_under_way_before_it_begins_its_own() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    server.linger("jobs", "default", "iter8-default-1");
    let second = plugin.line(LAUNCH).spawn();
    server.wait_for("the deletion of the first job", |state| state.requests_to("delete", "jobs").next().map(|_| ()));
    server.wait_for("a look whether it is gone", |state| {
        let deleted = state.requests().iter().position(|request| request.is("delete", "jobs"))?;
        let looks = state.requests()[deleted..].iter().filter(|request| request.is("get", "jobs"));
        looks.filter(|request| request.name == "iter8-default-1").nth(1).map(|_| ())
    });
    assert!(server.get("jobs", "default", "iter8-default-2").is_none(), "two loads at once");
    server.remove("jobs", "default", "iter8-default-1");
    let output = second.wait().code(0);
    assert!(output.stdout.starts_with("job.batch/iter8-default-1 pruned\n"), "{output}");
    assert!(server.get("jobs", "default", "iter8-default-2").is_some());
}

#[test]
fn a_run_whose_result_is_complete_is_not_waited_for() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 0));
    // The job does not say yet that it has completed, and its pod takes its time.
    server.linger("jobs", "default", "iter8-default-1");
    server.forget_requests();
    let output = plugin.run(LAUNCH).code(0);
    assert!(output.stdout.ends_with("job.batch/iter8-default-1 pruned\n"), "{output}");
    assert!(server.requests_to("get", "jobs").iter().all(|request| request.name != "iter8-default-1"));
}

#[test]
fn the_last_ten_launches_are_remembered_with_their_results() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    for _ in 0..12 {
        let _ = plugin.run("launch --set tasks={http} --set http.url=http://app --set runner=none").code(0);
    }
    let revisions: Vec<u64> = history(&server).iter().filter_map(|entry| entry["revision"].as_u64()).collect();
    assert_eq!(revisions, (3..=12).collect::<Vec<_>>());
    let results: Vec<String> = stored(&server).into_iter().filter(|name| name.ends_with("-result")).collect();
    assert_eq!(results.len(), 10, "{results:?}");
    let _ = plugin.run("report --revision 3").code(0);
    assert_snapshot!(plugin.run("report --revision 2"), @"
    ------- stderr -------
    error: no revision 2 of group default in namespace default
    hint: `kubectl iter8 get` lists the groups of a namespace
    [exit code 11]
    ");
}

#[test]
fn an_earlier_revision_is_launched_again_with_other_values_over_it() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(&format!("{LAUNCH} --set http.qps=5")).code(0);
    let _ = plugin.run("launch --set tasks={http} --set http.url=http://other").code(0);
    let _ = plugin.run("launch --from-revision 1 --set http.qps=9").code(0);
    let values = history(&server)[2]["values"].clone();
    assert_eq!(values["tasks"], json!(["http", "assess"]));
    assert_eq!(values["http"], json!({ "url": "http://app/get", "qps": 9 }));
    assert_snapshot!(plugin.run("launch --from-revision 7"), @r#"
    ------- stderr -------
    error: group "default" remembers no revision 7
    hint: the last ten launches are remembered
    [exit code 11]
    "#);
    assert_snapshot!(plugin.run("launch -g other --from-revision 1"), @r#"
    ------- stderr -------
    error: group "other" remembers no revision 1
    hint: the last ten launches are remembered
    [exit code 11]
    "#);
}

#[test]
fn two_launches_at_the_same_instant_become_two_revisions() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let hold = server.when("create", "secrets").hold();
    let launches = [plugin.line(LAUNCH).spawn(), plugin.line(LAUNCH).spawn()];
    server.wait_for("both launches at the lock", |state| state.requests_to("create", "secrets").nth(1).map(|_| ()));
    hold.release();
    let mut ends: Vec<String> = launches.into_iter().map(|launch| launch.wait().code(0).stderr).collect();
    ends.sort();
    assert_eq!(
        ends,
        ["experiment \"default\" launched, revision 1\n", "experiment \"default\" launched, revision 2\n"]
    );
    let states: Vec<(Value, Value)> =
        history(&server).iter().map(|entry| (entry["revision"].clone(), entry["state"].clone())).collect();
    assert_eq!(states, [(json!(1), json!("launched")), (json!(2), json!("launched"))]);
    assert!(server.get("jobs", "default", "iter8-default-1").is_none());
    assert!(server.get("jobs", "default", "iter8-default-2").is_some());
}

#[test]
fn groups_stand_side_by_side() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let _ = plugin.run(&format!("{LAUNCH} -g checkout")).code(0);
    assert!(server.get("jobs", "default", "iter8-default-1").is_some());
    assert!(server.get("jobs", "default", "iter8-checkout-1").is_some());
}

#[test]
fn a_launch_that_waits_answers_as_assert_does() {
    for (errors, code) in [(0, 0), (3, 1)] {
        let server = ApiServer::start();
        let plugin = Plugin::with(&server);
        let waiting = plugin.line(&format!("{LAUNCH} --wait --timeout 50s")).spawn();
        server.wait_for("the wait for the result", |state| state.requests_to("watch", "secrets").next().map(|_| ()));
        write(&server, &ended(1, errors));
        let output = waiting.wait().code(code);
        assert!(output.stdout.contains("completed holds: all steps ran\n"), "{output}");
    }
}

#[test]
fn a_cronjob_is_launched_and_replaced() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let launch = || plugin.line(LAUNCH).args(["--set", "runner=cronjob", "--set", "cronjobSchedule=*/5 * * * *"]).run();
    let _ = launch().code(0).says("cronjob.batch/iter8-default-1 created\n");
    let _ =
        launch().code(0).says("cronjob.batch/iter8-default-1 pruned\n").says("cronjob.batch/iter8-default-2 created\n");
    // A job takes the place of the cronjob, although kinds of the set change.
    let _ = plugin.run(LAUNCH).code(0).says("cronjob.batch/iter8-default-2 pruned\n");
    assert!(server.list("cronjobs", "").is_empty());
}

#[test]
fn readiness_roles_in_another_namespace_are_made_and_pruned_there() {
    let server = ApiServer::start();
    server.create_namespace("books");
    let plugin = Plugin::with(&server);
    let ready = "launch --set tasks={ready} --set ready.deploy=app,ready.namespace=books";
    let _ = plugin.run(ready).code(0).says("role.rbac.authorization.k8s.io/iter8-default-ready.default created\n");
    let role = server.get("roles", "books", "iter8-default-ready.default").unwrap();
    assert_eq!(role["metadata"]["ownerReferences"], Value::Null, "an owner of another namespace would get it deleted");
    let _ = plugin.run(LAUNCH).code(0).says("role.rbac.authorization.k8s.io/iter8-default-ready.default pruned\n");
    assert_eq!(server.list("roles", "books"), Vec::<Value>::new());
    assert_eq!(server.list("rolebindings", "books"), Vec::<Value>::new());
}

#[test]
fn readiness_roles_follow_the_objects_from_namespace_to_namespace() {
    let server = ApiServer::start();
    for namespace in ["books", "db"] {
        server.create_namespace(namespace);
    }
    let plugin = Plugin::with(&server);
    let deployment = |name: &str, namespace: &str| {
        format!(
            r#"{{"group":"apps","version":"v1","resource":"deployments","name":"{name}","namespace":"{namespace}"}}"#
        )
    };
    let launch = |objects: &[String]| {
        let objects = format!("ready.objects=[{}]", objects.join(","));
        plugin.words(["launch", "--set", "tasks={ready}", "--set-json", &objects]).run().code(0)
    };
    let names = |namespace: &str| {
        let roles = server.list("roles", namespace).into_iter().chain(server.list("rolebindings", namespace));
        let names = roles.map(|role| format!("{} {}", role["kind"], role["metadata"]["name"]).replace('"', ""));
        names.filter(|name| name.contains("ready")).collect::<Vec<_>>()
    };
    let away = ["Role iter8-default-ready.default", "RoleBinding iter8-default-ready.default"];
    let home = ["Role iter8-default-ready", "RoleBinding iter8-default-ready"];
    let nothing = Vec::<String>::new();

    let _ = launch(&[deployment("web", "default"), deployment("shelf", "books")]);
    assert_eq!(
        (names("default"), names("books"), names("db")),
        (home.map(String::from).into(), away.map(String::from).into(), nothing.clone())
    );
    let _ = launch(&[deployment("tables", "db")]);
    assert_eq!(
        (names("default"), names("books"), names("db")),
        (nothing.clone(), nothing.clone(), away.map(String::from).into())
    );
    let _ = plugin.run("delete").code(0);
    assert_eq!((names("default"), names("books"), names("db")), (nothing.clone(), nothing.clone(), nothing));
}

#[test]
fn groups_of_two_namespaces_look_at_the_same_objects_side_by_side() {
    let server = ApiServer::start();
    for namespace in ["books", "team"] {
        server.create_namespace(namespace);
    }
    let plugin = Plugin::with(&server);
    let ready = "launch --set tasks={ready} --set ready.deploy=app,ready.namespace=books";
    let _ = plugin.run(ready).code(0);
    let _ = plugin.run(&format!("{ready} -n team")).code(0);
    assert_eq!(server.list("roles", "books").len(), 2);
    let _ = plugin.run("delete -n team").code(0);
    let left = server.list("rolebindings", "books");
    assert_eq!(left.len(), 1);
    assert_eq!(left[0]["subjects"][0]["namespace"], "default");
}

#[test]
fn a_namespace_of_objects_that_is_not_there_is_named() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let ran = plugin.run("launch --set tasks={ready} --set ready.deploy=app,ready.namespace=nowhere");
    assert_ne!(ran.code, Some(0));
    assert!(ran.stderr.contains("nowhere"), "{ran}");
}

#[test]
fn a_credential_of_a_load_that_stands_in_the_values_is_warned_of_and_one_from_a_secret_is_not() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let launch = |set: &str| plugin.run(&format!("launch --set {set}")).code(0).stderr;
    let http = "tasks={http},http.url=http://app";
    let grpc = "tasks={grpc},grpc.call=a.B.C,grpc.endpoints.a.host=a:80";
    let reference = "secret=ci,key=token";
    for (set, place) in [
        (format!("{http},http.headers.authorization=t0ken"), "`http.headers.authorization`"),
        (format!("{http},http.headers.Cookie=t0ken"), "`http.headers.Cookie`"),
        (format!("{grpc},grpc.endpoints.a.metadata.X-Api-Key=t0ken"), "`grpc.endpoints.a.metadata.X-Api-Key`"),
    ] {
        let said = launch(&set);
        let warned: Vec<&str> = said.lines().filter(|line| line.contains("stands in the values")).collect();
        assert!(warned.len() == 1 && warned[0].contains(place), "{said}");
        assert!(warned[0].ends_with("{secret: NAME, key: KEY} in its place takes it from a Secret of yours"), "{said}");
        assert!(!said.contains("t0ken"), "{said}");
        let placed = |part: &str| format!("{}.{part}", place.trim_matches('`'));
        let referred: Vec<String> = reference.split(',').map(placed).collect();
        let base = set.rsplit_once(',').map(|(base, _)| base).unwrap_or_default();
        let said = launch(&format!("{base},{}", referred.join(",")));
        assert!(!said.contains("stands in the values"), "{said}");
    }
    assert!(!launch(&format!("{http},http.headers.X-Team=red")).contains("stands in the values"));
}
