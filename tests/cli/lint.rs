//! Mistakes in values, found without a cluster and without the network.

use insta::assert_snapshot;

use crate::plugin::Plugin;

const GOOD: &str = "tasks: [custommetrics, assess, slack]
custommetrics:
  templates:
    shop: |
      url: {{ .url }}/query
      provider: shop
      metrics:
      - {name: error-rate, type: gauge, params: [{name: q, value: 'rate[{{ .elapsedTimeSeconds }}s]'}], jqExpression: '.data[0].value | tonumber'}
      - {name: seconds, type: histogram, jqExpression: .buckets}
  values: {url: http://shop}
assess:
  if: Result.NumLoops % 2 == 0
  SLOs: {upper: {shop/error-rate: 0.01, shop/seconds/p97.5: 2}}
slack:
  url: {secret: chat, key: url}
  payloadTemplate: '{\"text\": {{ .Report.verdict | toJson }}}'
";

#[test]
fn values_without_mistakes_are_said_to_be_so() {
    let plugin = Plugin::new();
    plugin.file("values.yaml", GOOD);
    assert_snapshot!(plugin.run("lint -f values.yaml"), @"
    ------- stderr -------
    no mistake was found
    ");
}

#[test]
fn a_sample_shows_what_the_expressions_find() {
    let plugin = Plugin::new();
    plugin.file("values.yaml", GOOD);
    plugin.file("answer.json", r#"{"data": [{"value": "0.25"}], "buckets": [[1, 3], ["+Inf", 4]]}"#);
    assert_snapshot!(plugin.run("lint -f values.yaml --sample answer.json"), @"
    `shop/error-rate` is 0.25 in the sample
    `shop/seconds` is a histogram of 4 values in the sample
    ------- stderr -------
    no mistake was found
    ");
    plugin.file("answer.json", r#"{"data": [], "buckets": [[1, 3]]}"#);
    assert_snapshot!(plugin.run("lint -f values.yaml --sample answer.json"), @"
    ------- stderr -------
    error: 2 mistakes:
    * `shop/error-rate` has no value in the sample: the answer does not fit the jqExpression (cannot use null as string)
    * `shop/seconds` has no value in the sample: the answer has no bucket +Inf, so that it is not known how many values there are
    [exit code 2]
    ");
    plugin.file("answer.json", "<html>");
    let _ = plugin.run("lint -f values.yaml --sample answer.json").code(2).complains("answer.json is no JSON: ");
}

#[test]
fn mistakes_of_every_kind_are_found() {
    let plugin = Plugin::new();
    for (from, to, said) in [
        ("tasks: [custommetrics", "tasks: [custommetric", "did you mean `custommetrics`?"),
        ("values: {url", "vaules: {url", "did you mean `values`?"),
        ("{{ .url }}", "{{ .url ", "template shop, line 1"),
        ("{{ .url }}", "{{ .uri }}", "it asks for a value that is not there: url: <no value>/query"),
        ("{{ .url }}", "{{ .url | uper }}", "function `uper` does not exist; did you mean `upper`?"),
        ("type: gauge", "type: gouge", "unknown variant `gouge`"),
        ("| tonumber'", "| tonumbr'", "`shop/error-rate` has a jqExpression that is wrong: the filter `tonumbr`"),
        ("NumLoops", "NumLoop", "`assess.if` is wrong at position 8: Result has no member `NumLoop`"),
        (
            "shop/error-rate: 0.01",
            "shop/eror-rate: 0.01",
            "has `shop/eror-rate`, which the template `shop` does not give; did you mean `shop/error-rate`?",
        ),
        (
            "shop/error-rate: 0.01",
            "shp/error-rate: 0.01",
            "has `shp/error-rate`, which custommetrics does not measure: its metrics begin with shop/",
        ),
        (".Report.verdict", ".Report.verdicts", "`slack.payloadTemplate` is wrong: "),
        ("'{\"text\"", "'{text", "`slack.payloadTemplate` makes no JSON object"),
        ("templates:\n    shop: |", "templates:\n    other: prometheu\n    shop: |", "did you mean `prometheus`?"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        plugin.file("values.yaml", GOOD.replace(from, to));
        let _ = plugin.run("lint -f values.yaml").code(2).complains(said);
    }
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let plugin = Plugin::new();
    plugin.file(
        "values.yaml",
        "tasks: [custommetrics]\ncustommetrics: {templates: {a: 'https://user:s3cret@a/b.tpl', b: /etc/none.tpl, c: prometheus}, values: {prometheusURL: 'http://p', prometheusQueries: {x: up}}}\n",
    );
    assert_snapshot!(plugin.run("lint -f values.yaml"), @"
    ------- stderr -------
    Warning: `custommetrics.templates.a` is not looked at: the agent will fetch https://a/b.tpl
    Warning: `custommetrics.templates.b` is not looked at: /etc/none.tpl is not on this machine
    no mistake was found
    ");
}
