//! Words that the command line does not know, and where flags may stand.

use insta::assert_snapshot;

use crate::plugin::Plugin;

#[test]
fn an_unknown_command_is_named_and_the_near_one_suggested() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("frob"), @"");
    assert_snapshot!(plugin.run("-n shop lanch --set tasks={http}"), @"");
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
    assert_snapshot!(plugin.run("report --revison 3"), @"");
    assert_snapshot!(plugin.run("get -x"), @"");
    assert_snapshot!(plugin.run("--frob"), @"");
}

#[test]
fn a_flag_without_its_argument_is_named() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report -o"), @"");
    assert_snapshot!(plugin.run("launch -f"), @"");
    assert_snapshot!(plugin.run("delete --namespace"), @"");
}

#[test]
fn an_argument_that_does_not_fit_its_flag_is_explained() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch --timeout 5"), @"");
    assert_snapshot!(plugin.run("launch --validate=lax"), @"");
    assert_snapshot!(plugin.run("launch --dry-run=sever"), @"");
    assert_snapshot!(plugin.run("report --revision 0"), @"");
    assert_snapshot!(plugin.run("assert -c completed,slo"), @"");
    assert_snapshot!(plugin.run("delete --ignore-not-found=maybe"), @"");
}

#[test]
fn arguments_that_no_command_takes_are_named() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report mine"), @"");
    assert_snapshot!(plugin.run("get -A --local"), @"");
    assert_snapshot!(plugin.run("report -f x.yaml --local"), @"");
    assert_snapshot!(plugin.run("completion"), @"");
    assert_snapshot!(plugin.run("completion tcsh"), @"");
}

#[test]
fn an_output_format_that_a_command_does_not_have_is_refused_in_kubectls_words() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("report -o html"), @"");
    assert_snapshot!(plugin.run("get -o jsonpath={.items}"), @"");
    assert_snapshot!(plugin.run("version -o wide"), @"");
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
fn the_version_is_told_in_three_forms() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("version"), @"");
    assert_snapshot!(plugin.run("version -o json"), @"");
    assert_snapshot!(plugin.run("version -o yaml"), @"");
}
