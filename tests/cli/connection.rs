//! Ways to a cluster: kubeconfigs, flags, proxies, patience.

use std::collections::BTreeSet;

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use iter8_testkit::http_proxy::HttpProxy;

use crate::agent::LAUNCH;
use crate::plugin::{Plugin, kubeconfig};

/// What tunnels were asked for; several requests may share one or not.
fn asked(proxy: &HttpProxy) -> BTreeSet<String> {
    proxy.asked().into_iter().collect()
}

/// The header of the last request.
fn header(server: &ApiServer, name: &str) -> String {
    server.requests().last().expect("something was asked").header(name).to_owned()
}

#[test]
fn files_of_the_list_that_do_not_exist_are_left_out() {
    let server = ApiServer::start();
    let mut plugin = Plugin::new();
    plugin.file("other", kubeconfig("http://127.0.0.1:1", "other").replace("test", "other"));
    plugin.file("good", kubeconfig(&server.url(), "books"));
    plugin.set("KUBECONFIG", "missing:good:also-missing:other");
    let _ = plugin.run("get").code(0);
    assert_eq!(server.requests()[0].namespace, "books");
}

#[test]
fn without_a_list_the_kubeconfig_of_the_home_counts() {
    let server = ApiServer::start();
    let plugin = Plugin::new();
    plugin.file(".kube/config", kubeconfig(&server.url(), "books"));
    let _ = plugin.run("get").code(0);
    assert_eq!(server.requests()[0].namespace, "books");
}

#[test]
fn a_kubeconfig_that_was_named_must_be_there_and_be_one() {
    let plugin = Plugin::new();
    plugin.file("broken", "apiVersion: v1\nclusters: {\n");
    assert_snapshot!(plugin.run("get --kubeconfig nowhere"), @r#"
    ------- stderr -------
    error: error loading config file "nowhere": No such file or directory (os error 2)
    [exit code 10]
    "#);
    assert_snapshot!(plugin.run("get --kubeconfig broken"), @r#"
    ------- stderr -------
    error: error loading config file "broken": expected sequence start at line 2, column 11
    [exit code 10]
    "#);
    assert_snapshot!(plugin.line("get").env("KUBECONFIG", "broken").run(), @r#"
    ------- stderr -------
    error: error loading config file "broken": expected sequence start at line 2, column 11
    [exit code 10]
    "#);
}

#[test]
fn what_the_kubeconfig_does_not_have_is_named() {
    let plugin = Plugin::with(&ApiServer::start());
    assert_snapshot!(plugin.run("get --context prod"), @r#"
    ------- stderr -------
    error: context "prod" does not exist
    hint: `kubectl config get-contexts` lists the contexts
    [exit code 10]
    "#);
    assert_snapshot!(plugin.run("get --cluster prod"), @r#"
    ------- stderr -------
    error: cluster "prod" does not exist
    [exit code 10]
    "#);
    assert_snapshot!(plugin.run("get --user prod"), @r#"
    ------- stderr -------
    error: auth info "prod" does not exist
    [exit code 10]
    "#);
}

#[test]
fn an_address_that_is_none_is_named() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.words(["get", "--server", "http://a b"]).run(), @r#"
    ------- stderr -------
    error: the server "http://a b" is not a URL
    [exit code 10]
    "#);
    assert_snapshot!(plugin.line("get --server http://api.example.invalid").env("HTTP_PROXY", "http://a b").run(), @r#"
    ------- stderr -------
    error: the proxy "http://a b" is not a URL
    [exit code 10]
    "#);
}

#[test]
fn flags_choose_context_server_and_namespace() {
    let server = ApiServer::start();
    let plugin = Plugin::new();
    plugin.file("config", kubeconfig("http://127.0.0.1:1", "other"));
    let _ = plugin.run(&format!("get --kubeconfig config --server {} -n books", server.url())).code(0);
    assert_eq!(server.requests()[0].namespace, "books");
    let _ = plugin.run(&format!("get -s {}", server.url())).code(0);
    assert_eq!(server.requests().last().unwrap().namespace, "default");
}

#[test]
fn a_token_and_whom_to_act_as_are_sent() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin
        .run("get --token t0ken --as jane --as-group devs --as-group ops --as-uid 7 --as-user-extra scope=a")
        .code(0);
    assert_eq!(header(&server, "authorization"), "Bearer t0ken");
    assert_eq!(header(&server, "impersonate-user"), "jane");
    assert_eq!(header(&server, "impersonate-uid"), "7");
    assert_eq!(header(&server, "impersonate-extra-scope"), "a");
    let last = server.requests().pop().unwrap();
    let groups: Vec<_> =
        last.headers.get_all("impersonate-group").iter().map(|group| group.to_str().unwrap().to_owned()).collect();
    assert_eq!(groups, ["devs", "ops"]);
}

#[test]
fn each_request_says_who_asks() {
    let server = ApiServer::start();
    let _ = Plugin::with(&server).run("get").code(0);
    assert!(header(&server, "user-agent").starts_with("kubectl-iter8/"), "{}", header(&server, "user-agent"));
}

#[test]
fn an_answer_that_does_not_come_is_not_waited_for_for_ever() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let hold = server.when("list", "secrets").hold();
    assert_snapshot!(plugin.run("get --request-timeout 200ms"), @"
    ------- stderr -------
    Unable to connect to the server SERVER: no answer within --request-timeout
    hint: `kubectl cluster-info` tells whether kubectl reaches it; --local needs no cluster
    [exit code 10]
    ");
    drop(hold);
    let _ = plugin.run("get --request-timeout 0").code(0);
}

#[test]
fn a_watch_has_no_time_limit() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    // A server that has nothing to tell may take its time even for the head of its answer.
    let _hold = server.when("watch", "secrets").hold();
    assert_eq!(plugin.run("assert --timeout 4s --request-timeout 2s").code(3).stderr, "");
    assert_eq!(server.requests_to("watch", "secrets").len(), 1, "the watch was given up and begun again");
}

#[test]
fn a_server_is_reached_through_the_proxy_of_its_scheme() {
    let server = ApiServer::start();
    let plugin = Plugin::new();
    for variable in ["HTTP_PROXY", "http_proxy"] {
        let proxy = HttpProxy::to(server.url().trim_start_matches("http://"));
        let _ = plugin.line("get --server http://api.example.invalid:6443").env(variable, proxy.url()).run().code(0);
        assert_eq!(asked(&proxy), BTreeSet::from(["api.example.invalid:6443".to_owned()]), "{variable}");
    }
    let proxy = HttpProxy::to(server.url().trim_start_matches("http://"));
    let other = plugin.line("get --server http://api.example.invalid:6443 --request-timeout 500ms");
    let _ = other.env("HTTPS_PROXY", proxy.url()).run().code(10);
    assert_eq!(asked(&proxy), BTreeSet::new(), "the proxy of another scheme was taken");
}

#[test]
fn a_server_that_is_exempt_is_reached_directly() {
    let server = ApiServer::start();
    let proxy = HttpProxy::to(server.url().trim_start_matches("http://"));
    // This machine is always exempt; NO_PROXY names servers, not the proxy.
    let direct = Plugin::with(&server);
    let _ = direct.line("get").env("HTTP_PROXY", proxy.url()).run().code(0);
    let _ = direct.line("get").env("HTTP_PROXY", proxy.url()).env("NO_PROXY", "other.example,").run().code(0);
    assert_eq!(asked(&proxy), BTreeSet::new());
    let plugin = Plugin::new();
    let asked_with = |list: &str, code: i32| {
        let line = "get --server http://api.example.invalid:6443 --request-timeout 5s";
        let _ = plugin.line(line).env("HTTP_PROXY", proxy.url()).env("NO_PROXY", list).run().code(code);
        asked(&proxy)
    };
    assert_eq!(asked_with("example.invalid", 10), BTreeSet::new());
    assert_eq!(
        asked_with("127.0.0.1", 0),
        BTreeSet::from(["api.example.invalid:6443".to_owned()]),
        "NO_PROXY was matched against the proxy"
    );
}

#[test]
fn the_proxy_of_the_kubeconfig_counts_whatever_is_exempt() {
    let server = ApiServer::start();
    let proxy = HttpProxy::to(server.url().trim_start_matches("http://"));
    let mut plugin = Plugin::new();
    let config = kubeconfig("http://api.example.invalid:6443", "default");
    plugin.file("config", config.replace("6443'}", &format!("6443', proxy-url: '{}'}}", proxy.url())));
    plugin.set("KUBECONFIG", "config");
    let _ = plugin.line("get").env("NO_PROXY", "*").run().code(0);
    assert_eq!(asked(&proxy), BTreeSet::from(["api.example.invalid:6443".to_owned()]));
}

#[test]
fn requests_are_shown_when_asked_for() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let shown = plugin.run("get -v 6 --token t0ken").code(0).stderr;
    assert!(shown.contains("GET /api/v1/namespaces/default/secrets?"), "{shown}");
    assert!(!shown.contains("t0ken"), "{shown}");
    assert_eq!(plugin.run("get -v=0").code(0).stderr, plugin.run("get").code(0).stderr);
}

#[test]
fn certificates_that_cannot_be_used_are_named() {
    let plugin = Plugin::new();
    plugin.file("not.pem", "this is no certificate\n");
    let server = "get --server https://127.0.0.1:1";
    assert_snapshot!(plugin.run(&format!("{server} --certificate-authority nowhere.pem")), @r#"
    ------- stderr -------
    error: the client cannot be made: failed to load certificate authority: failed to read file '"nowhere.pem"': No such file or directory (os error 2)
    [exit code 10]
    "#);
    assert_snapshot!(plugin.run(&format!("{server} --certificate-authority not.pem")), @"
    ------- stderr -------
    error: the client cannot be made: the certificate authority holds no certificate in PEM form
    [exit code 10]
    ");
    assert_snapshot!(plugin.run(&format!("{server} --client-certificate nowhere.pem --client-key nowhere.pem")), @r#"
    ------- stderr -------
    error: the client cannot be made: Failed to infer provided configuration: failed to load client certificate: failed to read file '"nowhere.pem"': No such file or directory (os error 2)
    [exit code 10]
    "#);
    assert_snapshot!(plugin.run(&format!("{server} --client-certificate not.pem --client-key not.pem")), @"
    ------- stderr -------
    error: the client cannot be made: rustls tls error: identity PEM is missing a private key: the key must be PKCS8 or RSA/PKCS1
    [exit code 10]
    ");
}

#[test]
fn a_server_that_speaks_no_tls_is_told() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let url = server.url().replace("http://", "https://");
    assert_snapshot!(plugin.run(&format!("get --server {url} --insecure-skip-tls-verify")), @"
    ------- stderr -------
    Unable to connect to the server SERVER: received corrupt message of type InvalidContentType
    hint: `kubectl cluster-info` tells whether kubectl reaches it; --local needs no cluster
    [exit code 10]
    ");
}
