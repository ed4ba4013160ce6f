//! Words that the command line does not know, and where flags may stand.

use insta::assert_snapshot;

use crate::plugin::Plugin;

#[test]
fn an_unknown_command_is_named_and_the_near_one_suggested() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("frob"), @r#"
    ------- stderr -------
    error: unknown command "frob" for "kubectl iter8"
    See 'kubectl iter8 --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("-n shop lanch --set tasks={http}"), @r#"
    ------- stderr -------
    error: unknown command "lanch" for "kubectl iter8"; did you mean `launch`?
    See 'kubectl iter8 --help' for usage.
    [exit code 2]
    "#);
}

#[test]
fn an_unknown_flag_is_named_with_the_help_of_its_command() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch --frob=3"), @"
    ------- stderr -------
    error: unknown flag: --frob
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("report --revison 3"), @"
    ------- stderr -------
    error: unknown flag: --revison; did you mean `--revision`?
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("get -x"), @"
    ------- stderr -------
    error: unknown shorthand flag: 'x' in -x
    See 'kubectl iter8 get --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("--frob"), @"
    ------- stderr -------
    error: unknown flag: --frob
    See 'kubectl iter8 --help' for usage.
    [exit code 2]
    ");
}

#[test]
fn a_flag_without_its_argument_is_named() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report -o"), @"
    ------- stderr -------
    error: flag needs an argument: --output
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("launch -f"), @"
    ------- stderr -------
    error: flag needs an argument: --values
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("delete --namespace"), @"
    ------- stderr -------
    error: flag needs an argument: --namespace
    See 'kubectl iter8 delete --help' for usage.
    [exit code 2]
    ");
}

#[test]
fn an_argument_that_does_not_fit_its_flag_is_explained() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch --timeout 5"), @r#"
    ------- stderr -------
    error: invalid argument "5" for "--timeout" flag: `5` is not a duration: write it as in 500ms, 30s, 5m or 1h30m
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("launch --validate=lax"), @r#"
    ------- stderr -------
    error: invalid argument "lax" for "--validate" flag: must be one of strict, warn, ignore
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("launch --dry-run=sever"), @r#"
    ------- stderr -------
    error: invalid argument "sever" for "--dry-run" flag: must be one of none, client, server; did you mean `server`?
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("report --revision 0"), @r#"
    ------- stderr -------
    error: invalid argument "0" for "--revision" flag: launches are numbered from 1
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("assert -c completed,slo"), @r#"
    ------- stderr -------
    error: invalid argument "slo" for "-c, --condition" flag: `slo` is not a condition; did you mean `slos`?
    See 'kubectl iter8 assert --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("delete --ignore-not-found=maybe"), @r#"
    ------- stderr -------
    error: invalid argument "maybe" for "--ignore-not-found" flag
    See 'kubectl iter8 delete --help' for usage.
    [exit code 2]
    "#);
}

#[test]
fn arguments_that_no_command_takes_are_named() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report mine"), @r#"
    ------- stderr -------
    error: unexpected argument "mine"
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("get -A --local"), @"
    ------- stderr -------
    error: --all-namespaces cannot be used with --local
    See 'kubectl iter8 get --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("report -f x.yaml --local"), @"
    ------- stderr -------
    error: --filename cannot be used with --local
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("completion"), @"
    ------- stderr -------
    error: <SHELL> is required
    See 'kubectl iter8 completion --help' for usage.
    [exit code 2]
    ");
    assert_snapshot!(plugin.run("completion tcsh"), @r#"
    ------- stderr -------
    error: invalid argument "tcsh" for <SHELL>: must be one of bash, zsh, fish, install; did you mean `zsh`?
    See 'kubectl iter8 completion --help' for usage.
    [exit code 2]
    "#);
}

#[test]
fn an_output_format_that_a_command_does_not_have_is_refused_in_kubectls_words() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report -o pdf"), @r#"
    ------- stderr -------
    error: unable to match a printer suitable for the output format "pdf", allowed formats are: text,html,json,yaml
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("get -o jsonpath={.items}"), @r#"
    ------- stderr -------
    error: unable to match a printer suitable for the output format "jsonpath={.items}", allowed formats are: json,yaml,name
    See 'kubectl iter8 get --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("version -o wide"), @r#"
    ------- stderr -------
    error: unable to match a printer suitable for the output format "wide", allowed formats are: json,yaml
    See 'kubectl iter8 version --help' for usage.
    [exit code 2]
    "#);
}

#[test]
fn global_flags_stand_anywhere_after_the_name() {
    let plugin = Plugin::new();
    let rendered = |line: &str| {
        let line = format!("{line} --set tasks={{http}} --set http.url=http://a");
        plugin.run(&line).code(0).yaml()[0]["metadata"]["namespace"].clone()
    };
    for line in
        ["-n shop render", "render -n shop", "--namespace=shop render", "render -nshop", "-n other render -n shop"]
    {
        assert_eq!(rendered(line), "shop", "{line}");
    }
}

#[test]
fn a_flag_that_is_given_twice_counts_the_second_time() {
    let plugin = Plugin::new();
    plugin.run("report --local -g one -g two").code(11).complains("no local experiment of group \"two\"");
}

#[test]
fn switches_take_true_and_false_as_kubectls_do() {
    let plugin = Plugin::new();
    let _ = plugin.run("get --local=true").code(0);
    let _ = plugin.run("delete --local --ignore-not-found=true").code(0);
    let _ = plugin.run("delete --local --ignore-not-found=false").code(11);
}

#[test]
fn the_version_is_told_in_three_forms() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("version"), @"kubectl-iter8 v0.1.0");
    assert_snapshot!(plugin.run("version -o json"), @r#"
    {
      "clientVersion": {
        "gitVersion": "v0.1.0"
      }
    }
    "#);
    assert_snapshot!(plugin.run("version -o yaml"), @"
    clientVersion:
      gitVersion: v0.1.0
    ");
}
