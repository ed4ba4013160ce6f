//! What a launch would do, asked of the cluster without doing it: `diff` and `launch --dry-run=server`.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::agent::{LAUNCH, end_job, ended, write};
use crate::launch::stored;
use crate::plugin::Plugin;

fn diff(flags: &str) -> String {
    format!("{} {flags}", LAUNCH.replace("launch", "diff"))
}

#[test]
fn a_dry_run_by_the_server_stores_nothing() {
    let server = ApiServer::start();
    assert_snapshot!(Plugin::with(&server).run(&format!("{LAUNCH} --dry-run=server")), @"
    serviceaccount/iter8-default created (server dry run)
    secret/iter8-default-1-result created (server dry run)
    secret/iter8-default-1-spec created (server dry run)
    role.rbac.authorization.k8s.io/iter8-default created (server dry run)
    rolebinding.rbac.authorization.k8s.io/iter8-default created (server dry run)
    job.batch/iter8-default-1 created (server dry run)
    ");
    assert_eq!(stored(&server), [""; 0]);
    for request in server.requests_to("patch", "*") {
        assert!(
            request.query.contains("dryRun=All") && request.query.contains("fieldValidation=Strict"),
            "{}",
            request.query
        );
    }
    assert!(server.requests_to("create", "*").is_empty() && server.requests_to("delete", "*").is_empty());
}

#[test]
fn a_dry_run_by_the_server_tells_what_would_be_pruned_and_refused() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 0));
    end_job(&server, 1, &json!({ "type": "Complete", "status": "True" }));
    let before = server.objects();
    assert_snapshot!(plugin.run(&format!("{LAUNCH} --dry-run=server")), @"
    serviceaccount/iter8-default unchanged (server dry run)
    secret/iter8-default-2-result created (server dry run)
    secret/iter8-default-2-spec created (server dry run)
    role.rbac.authorization.k8s.io/iter8-default unchanged (server dry run)
    rolebinding.rbac.authorization.k8s.io/iter8-default unchanged (server dry run)
    job.batch/iter8-default-2 created (server dry run)
    secret/iter8-default-1-spec pruned (server dry run)
    job.batch/iter8-default-1 pruned (server dry run)
    ");
    server.when("patch", "jobs").rejected("exceeded quota: none");
    let _ = plugin.run(&format!("{LAUNCH} --dry-run=server")).code(12).complains("exceeded quota: none");
    assert_eq!(server.objects(), before);
}

#[test]
fn a_first_launch_differs_by_everything() {
    let server = ApiServer::start();
    let output = Plugin::with(&server).run(&diff("")).code(1);
    assert!(output.stdout.contains("+++ merged/job.batch/iter8-default-1\n"), "{output}");
    assert!(output.stdout.contains("+  kind: Job\n") || output.stdout.contains("+kind: Job\n"), "{output}");
    assert_eq!(stored(&server), [""; 0]);
}

#[test]
fn the_same_values_are_no_difference_although_a_launch_would_be_another_revision() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let launch = format!("{LAUNCH} --set runner=none");
    for _ in 0..12 {
        let _ = plugin.run(&launch).code(0);
        assert_eq!(plugin.run(&diff("--set runner=none")).code(0).stdout, "");
    }
    write(&server, &ended(12, 3));
    let _ = plugin.run(&diff("--set runner=none")).code(0);
}

#[test]
fn only_what_changes_is_shown_and_no_credentials() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(&format!("{LAUNCH} --set http.qps=5,http.headers.Authorization=first-secret")).code(0);
    assert_snapshot!(plugin.run(&diff("--set http.qps=50,http.headers.Authorization=first-secret")), @r#"
    --- live/secret/iter8-default-1-spec
    +++ merged/secret/iter8-default-2-spec
    @@ -28,7 +28,7 @@
               "headers": {
                 "Authorization": "[redacted]"
               },
    -          "qps": 5,
    +          "qps": 50,
               "url": "http://app/get"
             }
         - task: "assess"
    --- live/job.batch/iter8-default-1
    +++ merged/job.batch/iter8-default-2
    @@ -18,7 +18,7 @@
         uid: 00000000-0000-4000-8000-000000000003
     spec:
       backoffLimit: 0
    -  activeDeadlineSeconds: 646
    +  activeDeadlineSeconds: 610
       template:
         metadata:
           labels:
    ------- stderr -------
    Warning: `http.headers.Authorization` stands in the values as it is, and so in Secrets of this experiment: {secret: NAME, key: KEY} in its place takes it from a Secret of yours
    [exit code 1]
    "#);
    assert_snapshot!(plugin.run(&diff("--set http.qps=5,http.headers.Authorization=second-secret")), @"
    secret/iter8-default-2-spec differs in credentials, which are not shown
    ------- stderr -------
    Warning: `http.headers.Authorization` stands in the values as it is, and so in Secrets of this experiment: {secret: NAME, key: KEY} in its place takes it from a Secret of yours
    [exit code 1]
    ");
    assert_snapshot!(plugin.run(&diff("--set http.qps=5,http.headers.Authorization=first-secret,runner=none")), @"
    job.batch/iter8-default-1 would be removed
    ------- stderr -------
    Warning: `http.headers.Authorization` stands in the values as it is, and so in Secrets of this experiment: {secret: NAME, key: KEY} in its place takes it from a Secret of yours
    [exit code 1]
    ");
}

#[test]
fn tokens_and_webhooks_are_warned_of_and_shown_in_no_difference() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let values = |token: &str, qps: u32| {
        json!({
            "tasks": ["http", "slack", "github", "webhook"], "http": { "url": "http://app/get", "qps": qps },
            "slack": { "url": format!("https://hooks.slack.com/services/T1/{token}?a=1&b=2") },
            "github": { "owner": "octo", "repo": "shop", "token": token },
            "webhook": {
                "url": format!("https://hooks.example.com/{token}"), "bearerToken": { "secret": "ci", "key": "token" },
                "headers": { "X-Auth-Token": format!("k\"{token}"), "X-Team": "red" },
            },
        })
        .to_string()
    };
    let launch =
        |words: &str, token: &str, qps: u32| plugin.line(&format!("{words} -f -")).stdin(values(token, qps)).run();
    let output = launch("launch", "f1rst-t0ken", 5).code(0);
    let warned: Vec<&str> = output.stderr.lines().filter(|line| line.contains("stands in the values")).collect();
    assert_eq!(warned.len(), 3, "{output}");
    for place in ["`github.token`", "`slack.url`", "`webhook.headers.X-Auth-Token`"] {
        assert!(warned.iter().any(|line| line.contains(place)), "{output}");
    }
    assert!(!output.stdout.contains("t0ken") && !output.stderr.contains("t0ken"), "{output}");
    let output = launch("diff", "f1rst-t0ken", 50).code(1);
    assert!(output.stdout.contains("+          \"qps\": 50,"), "{output}");
    assert!(!output.stdout.contains("t0ken"), "{output}");
    let output = launch("diff", "sec0nd-t0ken", 5).code(1);
    assert!(
        output.stdout.contains("secret/iter8-default-2-spec differs in credentials, which are not shown"),
        "{output}"
    );
    assert!(!output.stdout.contains("t0ken"), "{output}");
}

#[test]
fn what_somebody_else_changed_is_shown() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let rules = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    server.edit("roles", "default", "iter8-default", |role| role["rules"] = rules);
    assert_snapshot!(plugin.run(&diff("")), @r#"
    --- live/role.rbac.authorization.k8s.io/iter8-default
    +++ merged/role.rbac.authorization.k8s.io/iter8-default
    @@ -18,8 +18,12 @@
         uid: 00000000-0000-4000-8000-000000000003
     rules:
     - apiGroups:
    -  - "*"
    +  - ""
       resources:
    -  - "*"
    +  - secrets
    +  resourceNames:
    +  - iter8-default-1-result
       verbs:
    -  - "*"
    +  - get
    +  - update
    +  - patch
    [exit code 1]
    "#);
}
