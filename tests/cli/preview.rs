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
fn only_what_changes_is_shown() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(&format!("{LAUNCH} --set runner=none")).code(0);
    assert_snapshot!(plugin.run(&diff("--set runner=none")), @r#"
    --- live/serviceaccount/iter8-default
    +++ merged/serviceaccount/iter8-default
    @@ -9,11 +9,6 @@
         app.kubernetes.io/version: "0.1.0"
         applyset.kubernetes.io/part-of: applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1
         iter8.tools/group: default
    -    iter8.tools/revision: "1"
    +    iter8.tools/revision: "2"
       name: iter8-default
       namespace: default
    -  ownerReferences:
    -  - apiVersion: v1
    -    kind: Secret
    -    name: iter8-default
    -    uid: 00000000-0000-4000-8000-000000000003
    --- live/secret/iter8-default-2-result
    +++ merged/secret/iter8-default-2-result
    @@ -0,0 +1,15 @@
    +apiVersion: v1
    +kind: Secret
    +metadata:
    +  labels:
    +    app.kubernetes.io/component: result
    +    app.kubernetes.io/instance: default
    +    app.kubernetes.io/managed-by: kubectl-iter8
    +    app.kubernetes.io/name: iter8
    +    app.kubernetes.io/version: "0.1.0"
    +    applyset.kubernetes.io/part-of: applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1
    +    iter8.tools/group: default
    +    iter8.tools/revision: "2"
    +  name: iter8-default-2-result
    +  namespace: default
    +type: iter8.tools/result
    --- live/secret/iter8-default-2-spec
    +++ merged/secret/iter8-default-2-spec
    @@ -0,0 +1,19 @@
    +apiVersion: v1
    +kind: Secret
    +metadata:
    +  labels:
    +    app.kubernetes.io/component: spec
    +    app.kubernetes.io/instance: default
    +    app.kubernetes.io/managed-by: kubectl-iter8
    +    app.kubernetes.io/name: iter8
    +    app.kubernetes.io/version: "0.1.0"
    +    applyset.kubernetes.io/part-of: applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1
    +    iter8.tools/group: default
    +    iter8.tools/revision: "2"
    +  name: iter8-default-2-spec
    +  namespace: default
    +type: iter8.tools/spec
    +immutable: true
    +data:
    +  experiment.yaml: >-
    +    YXBpVmVyc2lvbjogaXRlcjgudG9vbHMvdjEKc3BlYzoKLSB0YXNrOiAiaHR0cCIKICB3aXRoOgogICAgdXJsOiBodHRwOi8vYXBwL2dldAotIHRhc2s6ICJhc3Nlc3MiCiAgd2l0aDoKICAgIFNMT3M6CiAgICAgIHVwcGVyOgogICAgICAgIGh0dHAvZXJyb3ItY291bnQ6IDA=
    --- live/role.rbac.authorization.k8s.io/iter8-default
    +++ merged/role.rbac.authorization.k8s.io/iter8-default
    @@ -9,21 +9,16 @@
         app.kubernetes.io/version: "0.1.0"
         applyset.kubernetes.io/part-of: applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1
         iter8.tools/group: default
    -    iter8.tools/revision: "1"
    +    iter8.tools/revision: "2"
       name: iter8-default
       namespace: default
    -  ownerReferences:
    -  - apiVersion: v1
    -    kind: Secret
    -    name: iter8-default
    -    uid: 00000000-0000-4000-8000-000000000003
     rules:
     - apiGroups:
       - ""
       resources:
       - secrets
       resourceNames:
    -  - iter8-default-1-result
    +  - iter8-default-2-result
       verbs:
       - get
       - update
    --- live/rolebinding.rbac.authorization.k8s.io/iter8-default
    +++ merged/rolebinding.rbac.authorization.k8s.io/iter8-default
    @@ -9,14 +9,9 @@
         app.kubernetes.io/version: "0.1.0"
         applyset.kubernetes.io/part-of: applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1
         iter8.tools/group: default
    -    iter8.tools/revision: "1"
    +    iter8.tools/revision: "2"
       name: iter8-default
       namespace: default
    -  ownerReferences:
    -  - apiVersion: v1
    -    kind: Secret
    -    name: iter8-default
    -    uid: 00000000-0000-4000-8000-000000000003
     roleRef:
       apiGroup: rbac.authorization.k8s.io
       kind: Role
    secret/iter8-default-1-spec would be removed
    [exit code 1]
    "#);
}
