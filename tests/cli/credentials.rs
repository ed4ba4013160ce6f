//! Ways to log in: tokens in files and credential plugins.

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use serde_json::json;

use crate::plugin::{Plugin, kubeconfig};

/// The plugin with a kubeconfig whose user logs in as said.
fn logging_in(server: &ApiServer, user: &serde_json::Value) -> Plugin {
    let mut plugin = Plugin::new();
    let config = json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "test",
        "clusters": [{ "name": "test", "cluster": { "server": server.url() } }],
        "users": [{ "name": "test", "user": user }],
        "contexts": [{ "name": "test", "context": { "cluster": "test", "user": "test" } }],
    });
    let path = plugin.file("config", config.to_string());
    plugin.set("KUBECONFIG", path);
    plugin
}

fn authorization(server: &ApiServer) -> String {
    server.requests().last().expect("something was asked").header("authorization").to_owned()
}

#[test]
fn a_token_in_a_file_counts_without_the_end_of_its_line() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &json!({ "tokenFile": "token" }));
    plugin.file("token", "t0ken\n");
    let _ = plugin.run("get").code(0);
    assert_eq!(authorization(&server), "Bearer t0ken");
    std::fs::remove_file(plugin.home().join("token")).unwrap();
    assert_snapshot!(plugin.run("get"), @"
    ------- stderr -------
    error: cannot read the token file $HOME/token: No such file or directory (os error 2)
    [exit code 10]
    ");
}

#[test]
fn files_are_found_from_the_kubeconfig_that_names_them() {
    let server = ApiServer::start();
    let plugin = Plugin::new();
    let config = kubeconfig(&server.url(), "default").replace("user: {}", "user: {tokenFile: token}");
    plugin.file("below/config", config);
    plugin.file("below/token", "t0ken");
    let _ = plugin.run("get --kubeconfig below/config").code(0);
    assert_eq!(authorization(&server), "Bearer t0ken");
    let _ = plugin.line("get").env("KUBECONFIG", "below/config").run().code(0);
}

#[test]
fn a_token_in_the_kubeconfig_wins_over_one_in_a_file_and_the_flag_over_both() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &json!({ "token": "inline", "tokenFile": "nowhere" }));
    let _ = plugin.run("get").code(0);
    assert_eq!(authorization(&server), "Bearer inline");
    let _ = plugin.run("get --token flag").code(0);
    assert_eq!(authorization(&server), "Bearer flag");
}

#[test]
fn name_and_password_are_sent() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &json!({ "username": "jane", "password": "secret" }));
    let _ = plugin.run("get").code(0);
    assert_eq!(authorization(&server), "Basic amFuZTpzZWNyZXQ=");
}

fn exec(command: &str) -> serde_json::Value {
    json!({ "exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": command, "args": ["login"], "interactiveMode": "Never",
        "env": [{ "name": "AS", "value": "jane" }], "installHint": "get it from https://example.com/login",
        "provideClusterInfo": true,
    } })
}

#[test]
fn a_credential_plugin_runs_once_however_many_requests_there_are() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &exec("./login"));
    plugin.script(
        "login",
        r#"echo "$1 $AS $KUBERNETES_EXEC_INFO" >> calls
echo '{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t0ken"}}'
"#,
    );
    let _ = plugin.run("check").code(0);
    assert!(server.requests().len() > 3);
    assert_eq!(authorization(&server), "Bearer t0ken");
    let calls = std::fs::read_to_string(plugin.home().join("calls")).unwrap();
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.starts_with("login jane ") && calls.contains(&server.url()), "{calls}");
}

#[test]
fn a_credential_plugin_is_not_run_where_no_cluster_is_asked() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &exec("./login"));
    plugin.script("login", "touch called; exit 1\n");
    let _ = plugin.run("render --set tasks={http} --set http.url=http://a").code(0);
    let _ = plugin.run("get --local").code(0);
    let _ = plugin.run("get --token t0ken").code(0);
    assert!(!plugin.home().join("called").exists());
}

#[test]
fn a_credential_plugin_that_is_missing_is_told_with_how_to_install_it() {
    let server = ApiServer::start();
    assert_snapshot!(logging_in(&server, &exec("no-such-login")).run("get"), @"
    ------- stderr -------
    error: getting credentials: exec: executable no-such-login failed: No such file or directory (os error 2)
    hint: get it from https://example.com/login
    [exit code 10]
    ");
}

#[test]
fn a_credential_plugin_that_fails_is_told_with_what_it_said() {
    let server = ApiServer::start();
    let plugin = logging_in(&server, &exec("./login"));
    plugin.script("login", "echo 'session expired' >&2; exit 3\n");
    assert_snapshot!(plugin.run("get"), @"
    ------- stderr -------
    session expired
    error: getting credentials: exec: executable $HOME/./login failed: exit status: 3
    hint: get it from https://example.com/login
    [exit code 10]
    ");
    plugin.script("login", "echo 'not what was asked for'\n");
    assert_snapshot!(plugin.run("get"), @"
    ------- stderr -------
    error: getting credentials: exec: executable $HOME/./login failed: its answer is no ExecCredential
    hint: get it from https://example.com/login
    [exit code 10]
    ");
    plugin.script("login", "echo '{\"status\": {}}'\n");
    assert_snapshot!(plugin.run("get"), @"
    ------- stderr -------
    error: getting credentials: exec: executable $HOME/./login failed: it gave neither a token nor a certificate with its key
    hint: get it from https://example.com/login
    [exit code 10]
    ");
}
