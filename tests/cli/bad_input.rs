//! Values that make no experiment: one sentence with the value, its place and what to do, exit code 2, before anything is
//! written. No cluster is there, so that a command which went on would say something else.

use insta::assert_snapshot;

use crate::plugin::Plugin;

/// A launch of `http` and `assess` with one more thing set.
fn launch(set: &str) -> iter8_testkit::command::CommandOutput {
    let words = ["launch", "--set", "tasks={http,assess}", "--set", "http.url=http://a", "--set", set];
    Plugin::new().words(words).run()
}

#[test]
fn a_task_that_does_not_exist() {
    assert_snapshot!(launch("tasks={http,asess}"), @"
    ------- stderr -------
    error: invalid values: `tasks` names `asess`, which is not a task; did you mean `assess`?
    [exit code 2]
    ");
    assert_snapshot!(launch("tasks={http,banana}"), @"
    ------- stderr -------
    error: invalid values: `tasks` names `banana`, which is not a task; known are ready, http, grpc, custommetrics, abnmetrics, assess, slack, github, webhook, run
    [exit code 2]
    ");
    assert_snapshot!(launch("tasks=http"), @r#"
    ------- stderr -------
    error: invalid values: `tasks` must be a list, got "http": write tasks={http}
    [exit code 2]
    "#);
    assert_snapshot!(launch("tasks={}"), @"
    ------- stderr -------
    error: invalid values: `tasks` has an empty name: name the tasks to run, as in tasks={ready,http,assess}
    [exit code 2]
    ");
    assert_snapshot!(Plugin::new().run("launch"), @"
    ------- stderr -------
    error: invalid values: `tasks` is required: name the tasks to run, as in tasks={ready,http,assess}
    [exit code 2]
    ");
}

#[test]
fn a_key_that_nobody_knows() {
    assert_snapshot!(launch("http.numRequest=5"), @"
    ------- stderr -------
    error: invalid values: `http.numRequest` is not a known key; did you mean `numRequests`?
    [exit code 2]
    ");
    assert_snapshot!(launch("htpp.qps=5"), @"
    ------- stderr -------
    error: invalid values: `htpp` is not a known key; did you mean `http`?
    [exit code 2]
    ");
    assert_snapshot!(launch("assess.slos.upper.http/error-count=0"), @"
    ------- stderr -------
    error: invalid values: `assess.slos` is not a known key; did you mean `SLOs`?
    [exit code 2]
    ");
    assert_snapshot!(launch("bananas=5"), @"
    ------- stderr -------
    error: invalid values: `bananas` is not a known key; known are tasks, runner, cronjobSchedule, ready, http, grpc, custommetrics, abnmetrics, assess, slack, github, webhook, run, trigger, image, iter8Image, majorMinor, imagePullPolicy, imagePullSecrets, logLevel, resources, serviceAccountName, securityContext, podLabels, podAnnotations, nodeSelector, tolerations, affinity, priorityClassName, ttlSecondsAfterFinished, activeDeadlineSeconds, global
    [exit code 2]
    ");
}

#[test]
fn a_value_of_another_type() {
    assert_snapshot!(launch("http.numRequests=many"), @r#"
    ------- stderr -------
    error: invalid values: `http.numRequests` must be a whole number, zero or more, got "many"
    [exit code 2]
    "#);
    assert_snapshot!(launch("http.duration=5"), @"
    ------- stderr -------
    error: invalid values: `http.duration` must be a duration such as 500ms, 30s or 5m, got 5
    [exit code 2]
    ");
    assert_snapshot!(launch("http.headers=x"), @r#"
    ------- stderr -------
    error: invalid values: `http.headers` must be a map, got "x"
    [exit code 2]
    "#);
    assert_snapshot!(launch("http.allowInitialErrors=perhaps"), @r#"
    ------- stderr -------
    error: invalid values: `http.allowInitialErrors` must be true or false, got "perhaps"
    [exit code 2]
    "#);
    assert_snapshot!(launch("runner=jobs"), @r#"
    ------- stderr -------
    error: invalid values: `runner` must be one of job, cronjob, none, got "jobs"; did you mean `job`?
    [exit code 2]
    "#);
    assert_snapshot!(launch("http=5"), @"
    ------- stderr -------
    error: invalid values: `http` must be a map, got 5
    [exit code 2]
    ");
}

#[test]
fn a_load_without_a_target_or_with_an_impossible_rate() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch --set tasks={http}"), @"
    ------- stderr -------
    error: invalid values: `http.url` is required: set it to what to request, as in http://httpbin.default/get
    [exit code 2]
    ");
    assert_snapshot!(launch("http.url=httpbin/get"), @"
    ------- stderr -------
    error: invalid values: `http.url` must begin with http:// or https:// and name a host, got `httpbin/get`
    [exit code 2]
    ");
    assert_snapshot!(launch("http.qps=-1"), @"
    ------- stderr -------
    error: invalid values: `http.qps` must be above 0 and at most 1000000 requests a second, got -1
    [exit code 2]
    ");
    assert_snapshot!(launch("http.qps=0"), @"
    ------- stderr -------
    error: invalid values: `http.qps` must be above 0 and at most 1000000 requests a second, got 0
    [exit code 2]
    ");
    assert_snapshot!(launch("http.numRequests=-5"), @"
    ------- stderr -------
    error: invalid values: `http.numRequests` must be a whole number, zero or more, got -5
    [exit code 2]
    ");
    assert_snapshot!(launch("http.connections=0"), @"
    ------- stderr -------
    error: invalid values: `http.connections` must be from 1 to 65536, got 0
    [exit code 2]
    ");
    assert_snapshot!(launch("http.headers.bad name=1"), @"
    ------- stderr -------
    error: invalid values: `http.headers` has `bad name`, which is not the name of a header
    [exit code 2]
    ");
}

#[test]
fn a_call_that_cannot_be_made() {
    let launch = |sets: &[&str]| {
        let sets = sets.iter().flat_map(|set| ["--set", set]);
        Plugin::new().words(["launch", "--set", "tasks={grpc,assess}"].into_iter().chain(sets)).run()
    };
    assert_snapshot!(launch(&["grpc.call=shop.Orders.Place"]), @"
    ------- stderr -------
    error: invalid values: `grpc.host` is required: set it to where the service is, as in shop.default:50051
    [exit code 2]
    ");
    assert_snapshot!(launch(&["grpc.call=Place", "grpc.host=http://shop"]), @"
    ------- stderr -------
    error: invalid values:
    * `grpc.host` must be host:port, as in shop.default:50051, got `http://shop`, without a scheme: set tls to encrypt connections
    * `grpc.call` must be package.Service.Method or package.Service/Method, got `Place`
    [exit code 2]
    ");
    let right = ["grpc.call=shop.Orders.Place", "grpc.host=shop:50051"];
    assert_snapshot!(launch(&[&right[..], &["grpc.totl=5"]].concat()), @"
    ------- stderr -------
    error: invalid values: `grpc.totl` is not a known key; did you mean `total`?
    [exit code 2]
    ");
    assert_snapshot!(launch(&[&right[..], &["assess.SLOs.upper.grpc/latency-mean=5"]].concat()), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper` has `grpc/latency-mean`, which the task grpc does not measure; did you mean `grpc/latency/mean`?
    [exit code 2]
    ");
    assert_snapshot!(launch(&[&right[..], &["assess.SLOs.upper.http/latency-mean=5"]].concat()), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper` has `http/latency-mean`, which no task before assess measures: name http before it in tasks
    [exit code 2]
    ");
}

#[test]
fn an_objective_on_what_is_not_measured_or_without_a_limit() {
    assert_snapshot!(launch("assess.SLOs.upper.http/latency-meen=50"), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper` has `http/latency-meen`, which the task http does not measure; did you mean `http/latency-mean`?
    [exit code 2]
    ");
    assert_snapshot!(launch("assess.SLOs.upper.latency=50"), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper` has `latency`, which is not a metric name: write it as provider/name, for example http/latency-mean
    [exit code 2]
    ");
    assert_snapshot!(launch("assess.SLOs.upper.http/latency-mean=fast"), @r#"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper.http/latency-mean` must be a number, got "fast"
    [exit code 2]
    "#);
    assert_snapshot!(launch("assess.SLOs.uper.http/latency-mean=50"), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.uper` is not a known key; did you mean `upper`?
    [exit code 2]
    ");
    assert_snapshot!(launch("assess.confidence=95"), @"
    ------- stderr -------
    error: invalid values: `assess.confidence` must be at least 0.5 and below 1, got 95
    [exit code 2]
    ");
    assert_snapshot!(launch("tasks={assess,http},assess.SLOs.upper.http/error-count=0"), @"
    ------- stderr -------
    error: invalid values: `assess.SLOs.upper` has `http/error-count`, which no task before assess measures: name http before it in tasks
    [exit code 2]
    ");
}

#[test]
fn a_schedule_that_cron_does_not_take() {
    assert_snapshot!(launch("runner=cronjob"), @r#"
    ------- stderr -------
    error: invalid values: `cronjobSchedule` is required with runner=cronjob, for example "*/5 * * * *"
    [exit code 2]
    "#);
    assert_snapshot!(launch("runner=cronjob,cronjobSchedule=*/5 * * *"), @"
    ------- stderr -------
    error: invalid values: `cronjobSchedule` must have five fields (minute hour day month weekday), got 4 in `*/5 * * *`
    [exit code 2]
    ");
    assert_snapshot!(launch("runner=cronjob,cronjobSchedule=61 * * * *"), @"
    ------- stderr -------
    error: invalid values: `cronjobSchedule` has `61` as minute, which must be 0 to 59, `*`, a range, a list or a step
    [exit code 2]
    ");
    assert_snapshot!(launch("runner=cronjob,cronjobSchedule=@sometimes"), @"
    ------- stderr -------
    error: invalid values: `cronjobSchedule` has `@sometimes`; known are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly and @every 1h
    [exit code 2]
    ");
}

#[test]
fn nothing_to_wait_for() {
    assert_snapshot!(Plugin::new().run("launch --set tasks={ready}"), @"
    ------- stderr -------
    error: invalid values: `ready` names no object to wait for: set one of service, deploy, statefulset, daemonset, pod, job, ksvc, isvc, chaosengine, objects
    [exit code 2]
    ");
    assert_snapshot!(Plugin::new().run("launch --set tasks={ready} --set ready.deploy=My_App"), @"
    ------- stderr -------
    error: invalid values: `ready.deploy` must be a name of lower-case letters, digits, `-` and `.`, got `My_App`
    [exit code 2]
    ");
    assert_snapshot!(Plugin::new().run("launch --set tasks={ready} --set ready.deployment=app"), @"
    ------- stderr -------
    error: invalid values: `ready.deployment` is not a known key; known are service, deploy, statefulset, daemonset, pod, job, ksvc, isvc, chaosengine, objects, namespace, timeout, if
    [exit code 2]
    ");
}

#[test]
fn several_problems_are_told_at_once() {
    assert_snapshot!(launch("http.qps=fast,http.connections=0,http.numRequest=5,runner=jobs"), @r#"
    ------- stderr -------
    error: invalid values:
    * `http.qps` must be a number, got "fast"
    * `runner` must be one of job, cronjob, none, got "jobs"; did you mean `job`?
    * `http.numRequest` is not a known key; did you mean `numRequests`?
    [exit code 2]
    "#);
}

#[test]
fn a_name_that_no_group_can_have() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("launch -g My_App"), @r#"
    ------- stderr -------
    error: invalid argument "My_App" for "-g, --group" flag: `My_App` cannot be the name of a group: use at most 40 lower-case letters, digits and `-`, with a letter or digit at both ends
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    "#);
    let long = "x".repeat(41);
    assert_snapshot!(plugin.run(&format!("launch -g {long}")), @r#"
    ------- stderr -------
    error: invalid argument "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" for "-g, --group" flag: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx` cannot be the name of a group: use at most 40 lower-case letters, digits and `-`, with a letter or digit at both ends
    See 'kubectl iter8 launch --help' for usage.
    [exit code 2]
    "#);
    assert_snapshot!(plugin.run("report -g a.b"), @r#"
    ------- stderr -------
    error: invalid argument "a.b" for "-g, --group" flag: `a.b` cannot be the name of a group: use at most 40 lower-case letters, digits and `-`, with a letter or digit at both ends
    See 'kubectl iter8 report --help' for usage.
    [exit code 2]
    "#);
}

#[test]
fn every_command_with_values_refuses_the_same() {
    let plugin = Plugin::new();
    for command in
        ["launch", "launch --local", "launch --dry-run=client", "launch --dry-run=server", "render", "gen", "diff"]
    {
        let output = plugin.run(&format!("{command} --set tasks={{htpp}}")).code(2);
        assert_eq!(
            output.stderr,
            "error: invalid values: `tasks` names `htpp`, which is not a task; did you mean `http`?\n"
        );
        assert_eq!((output.stdout.as_str(), plugin.files()), ("", Vec::new()), "{command}");
    }
}

#[test]
fn unknown_keys_pass_with_a_warning_or_silently_when_told_to() {
    let plugin = Plugin::new();
    let rendered = |flag: &str| {
        plugin.run(&format!("render --set tasks={{http}} --set http.url=http://a,http.numRequest=5 {flag}"))
    };
    let good = plugin.run("render --set tasks={http} --set http.url=http://a").code(0).stdout;
    let warned = rendered("--validate=warn").code(0);
    assert_eq!(warned.stdout, good);
    assert_snapshot!(warned.stderr, @"Warning: `http.numRequest` is not a known key; did you mean `numRequests`?");
    let ignored = rendered("--validate=ignore").code(0);
    assert_eq!((ignored.stdout, ignored.stderr.as_str()), (good, ""));
    assert_eq!(rendered("--validate=strict"), rendered(""));
    assert_eq!(rendered("--validate"), rendered(""));
    // What is wrong and not only unknown stays an error.
    plugin
        .run("render --set tasks={http} --set http.qps=-1,http.url=http://a --validate=ignore")
        .code(2)
        .complains("`http.qps`");
}

#[test]
fn a_condition_with_a_typo() {
    let plugin = Plugin::new();
    let launch = "launch --set tasks={http,assess} --set http.url=http://a --set";
    assert_snapshot!(plugin.words(launch.split(' ').chain(["assess.if=Result.numLoops > 1"])).run(), @"
    ------- stderr -------
    error: invalid values: `assess.if` is wrong at position 8: Result has no member `numLoops`; did you mean `NumLoops`?
    [exit code 2]
    ");
    plugin.file("values.yaml", "tasks: [http]\nhttp:\n  url: http://a\n  if: !SLOs()\n");
    assert_snapshot!(plugin.run("launch -f values.yaml"), @"
    ------- stderr -------
    error: the values values.yaml cannot be read as YAML: line 4: the `!` of `if` begins a tag of YAML, so that the condition is lost: put it in quotes, or write `not` in its place
    [exit code 2]
    ");
}
