//! The values of the chart `iter8` as one type: the source of `values.schema.json` and of the check of what users set.
//! Merging values and rendering the chart are the business of other crates.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::autox::Tested;
use crate::cron;
use crate::metric::MetricName;
use crate::scalar::{Count, Text};
use crate::schema::{Problem, check, schema_of};
use crate::step_condition::StepCondition;
use crate::suggest::nearest;
use crate::task::Task;
use crate::task::abnmetrics::{self, AbnMetrics};
use crate::task::assess::Assess;
use crate::task::custommetrics::CustomMetrics;
use crate::task::grpc::{self, Grpc};
use crate::task::http::{self, Http};
use crate::task::load::MAX_RATE_METRIC;
use crate::task::notify::{Github, Slack, Webhook};
use crate::task::ready::Ready;
use crate::task::run::Run;

/// Values of an experiment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schemars(title = "Values of an experiment")]
pub struct Values {
    /// The tasks to run, in this order: ready, http, grpc, custommetrics, abnmetrics, assess, slack, github, webhook, run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tasks: Option<Vec<Text>>,
    /// What runs the experiment.
    #[serde(default)]
    pub runner: Runner,
    /// When the loops of a cronjob begin, in cron's form: "*/5 * * * *".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cronjob_schedule: Option<Text>,
    /// Inputs of the task ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<Ready>,
    /// Inputs of the task http.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<Http>,
    /// Inputs of the task grpc.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<Grpc>,
    /// Inputs of the task custommetrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custommetrics: Option<CustomMetrics>,
    /// Inputs of the task abnmetrics.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abnmetrics: Option<AbnMetrics>,
    /// Inputs of the task assess.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub assess: Option<Assess>,
    /// Inputs of the task slack.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slack: Option<Slack>,
    /// Inputs of the task github.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub github: Option<Github>,
    /// Inputs of the task webhook.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<Webhook>,
    /// Inputs of the task run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run: Option<Run>,
    /// What is tested, for the result; AutoX sets it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<Tested>,
    /// Image of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<Text>,
    /// Image of the agent, under the name that Iter8 v0.13 gave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iter8_image: Option<Text>,
    /// Ignored; Iter8 v0.13 chose its chart by it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub major_minor: Option<Text>,
    /// When the image is pulled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_policy: Option<PullPolicy>,
    /// Secrets with credentials of the image's registry, as a pod lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_pull_secrets: Option<Vec<Map<String, Value>>>,
    /// How much the agent logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_level: Option<LogLevel>,
    /// Requests and limits of the agent's container.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<Map<String, Value>>,
    /// An existing service account to use; no account, role or binding is made then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_account_name: Option<Text>,
    /// Security context of the pod; a key set to null is left to the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub security_context: Option<Map<String, Value>>,
    /// Labels of the pod beside iter8's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_labels: Option<BTreeMap<String, Text>>,
    /// Annotations of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_annotations: Option<BTreeMap<String, Text>>,
    /// Labels that a node must carry to run the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<BTreeMap<String, Text>>,
    /// Taints that the pod tolerates.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tolerations: Option<Vec<Map<String, Value>>>,
    /// Where the pod may run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Map<String, Value>>,
    /// Priority class of the pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority_class_name: Option<Text>,
    /// Seconds after which a finished job is deleted; its result stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds_after_finished: Option<Count>,
    /// Seconds after which the job is stopped; worked out from the tasks when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub active_deadline_seconds: Option<Count>,
    /// Values of charts that this one is part of; Helm passes them on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub global: Option<Map<String, Value>>,
}

/// What runs an experiment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Runner {
    /// A Job: one loop.
    #[default]
    Job,
    /// A CronJob: a loop at every tick of its schedule.
    Cronjob,
    /// Nothing; only the secrets and the permissions are made.
    None,
}

/// How much the agent logs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Everything.
    Trace,
    /// What a developer of iter8 wants to know.
    Debug,
    /// What happens.
    #[default]
    Info,
    /// What should not happen.
    #[serde(alias = "warning")]
    Warn,
    /// What failed.
    Error,
}

/// When a kubelet pulls an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// When the node does not have it.
    IfNotPresent,
    /// Never.
    Never,
}

/// `values.schema.json` of the chart.
pub fn schema() -> Value {
    let mut schema = schema_of::<Values>();
    for task in Task::NAMES {
        let inputs = format!("/properties/{task}/anyOf/0/$ref");
        let Some(inputs) =
            schema.pointer(&inputs).and_then(Value::as_str).map(|inputs| format!("{}/properties", &inputs[1..]))
        else {
            continue;
        };
        if let Some(Value::Object(inputs)) = schema.pointer_mut(&inputs) {
            inputs.insert(CONDITION.to_owned(), condition_schema());
        }
    }
    schema
}

/// [`schema`], made once: AutoX checks the values of many experiments.
static SCHEMA: LazyLock<Value> = LazyLock::new(schema);

/// The key of a task's inputs that says when its step runs. It is no input of the task.
const CONDITION: &str = "if";

fn condition_schema() -> Value {
    let description = "When the step runs, as in `not SLOs()` or `Result.NumLoops % 10 == 0`; always when not given.";
    json!({ "description": description, "type": ["string", "boolean", "null"] })
}

/// The inputs of a task among values, and the condition of its step.
fn inputs_of(values: &Value, task: &str) -> (Value, Option<String>) {
    let mut inputs = values.get(task).cloned().unwrap_or_default();
    let condition = inputs.as_object_mut().and_then(|inputs| inputs.shift_remove(CONDITION));
    let condition = match condition {
        Some(Value::String(text)) => Some(text),
        Some(Value::Bool(truth)) => Some(truth.to_string()),
        _ => None,
    };
    (inputs, condition)
}

/// The task that `name` is with its inputs among values, when they are good.
fn task_of(values: &Value, name: &str) -> Option<Task> {
    values.get(name)?;
    Task::parse(name, &inputs_of(values, name).0)?.ok()
}

/// Every problem of merged values: keys and types by the schema, then each named task's inputs, then what spans
/// several keys.
pub fn problems(values: &Value) -> Vec<Problem> {
    let mut problems = check(values, &SCHEMA);
    let tasks = values.get("tasks").and_then(Value::as_array);
    let names: Vec<&str> = tasks.into_iter().flatten().filter_map(Value::as_str).collect();
    if let Some(Value::String(text)) = values.get("tasks") {
        problems.retain(|problem| problem.path != "tasks");
        problems.push(Problem::at("tasks", format!("must be a list, got \"{text}\": write tasks={{{text}}}")));
    }
    if names.is_empty() && !problems.iter().any(|problem| problem.path.starts_with("tasks")) {
        problems.push(Problem::at("tasks", "is required: name the tasks to run, as in tasks={ready,http,assess}"));
    }
    let mut seen = Vec::new();
    for name in names {
        // A task that is named twice has one set of inputs; its problems are said once.
        if seen.contains(&name) {
            continue;
        }
        seen.push(name);
        let (inputs, condition) = inputs_of(values, name);
        let wrong = condition.and_then(|text| StepCondition::parse(&text).err());
        problems.extend(wrong.map(|error| Problem::at(&format!("{name}.{CONDITION}"), error.fault())));
        match Task::parse(name, &inputs) {
            None => problems.push(Problem::at("tasks", unknown_task(name))),
            Some(Ok(_)) => {}
            Some(Err(found)) => {
                let found = found.into_iter().map(|problem| problem.under(name));
                for problem in found {
                    let is_same = |known: &Problem| known.unknown_key && known.path == problem.path;
                    if !problems.contains(&problem) && !problems.iter().any(is_same) {
                        problems.push(problem);
                    }
                }
            }
        }
    }
    problems.extend(unmeasured(values));
    problems.extend(schedule_problem(values));
    problems
}

/// The places where a credential stands in the values as it is, for whoever warns of it. A URL of `webhook` need not be one,
/// and a text that is empty or made anew for each request is none.
pub fn plain_credentials(values: &Value) -> Vec<String> {
    let tasks = values.get("tasks").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let mut places = Vec::new();
    for task in tasks {
        let Some(parsed) = task_of(values, task) else { continue };
        let is_one = |text: &str| !text.trim().is_empty() && !text.contains("{{");
        let plain = parsed.credentials().into_iter().filter(|placed| placed.credential.plain().is_some_and(is_one));
        let found = plain.map(|placed| format!("{task}.{}", placed.path));
        places.extend(found.filter(|place| place != "webhook.url"));
    }
    places.sort();
    places.dedup();
    places
}

/// Objectives on what no task before `assess` measures: such an experiment could never pass.
fn unmeasured(values: &Value) -> Vec<Problem> {
    let tasks = values.get("tasks").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let before: Vec<&str> = tasks.clone().take_while(|task| *task != "assess").collect();
    let judges = tasks.clone().count() > before.len();
    let parsed = |task: &str| task_of(values, task);
    let (true, Some(Task::Assess(assess))) = (judges, parsed("assess")) else {
        return Vec::new();
    };
    let problem = |(place, name): (&str, &String)| {
        let provider = name.parse::<MetricName>().ok()?.provider;
        let task = match provider.as_str() {
            provider if http::is_provider(provider) => http::PROVIDER,
            provider if grpc::is_provider(provider) => grpc::PROVIDER,
            abnmetrics::PROVIDER => "abnmetrics",
            // Whatever else there is comes from templates.
            _ => "custommetrics",
        };
        let measured = match parsed(task) {
            Some(parsed) if before.contains(&task) => parsed.providers(),
            // Its own problems come first.
            None if before.contains(&task) => return None,
            _ => Vec::new(),
        };
        let searches = || match parsed(task) {
            Some(Task::Http(http)) => http.search.is_some(),
            Some(Task::Grpc(grpc)) => grpc.search.is_some(),
            Some(Task::Ready(_) | Task::CustomMetrics(_) | Task::AbnMetrics(_) | Task::Assess(_)) | None => false,
            Some(Task::Slack(_) | Task::Github(_) | Task::Webhook(_) | Task::Run(_)) => false,
        };
        if name.ends_with(MAX_RATE_METRIC) && measured.contains(&provider) && !searches() {
            let message = format!("has `{name}`, which only a search measures: set {task}.search");
            return Some(Problem::at(place, message).under("assess"));
        }
        if measured.contains(&provider) {
            return None;
        }
        let message = if measured.is_empty() {
            let template = match task {
                "custommetrics" => format!(", with a template called {provider}"),
                _ => String::new(),
            };
            format!("has `{name}`, which no task before assess measures: name {task} before it in tasks{template}")
        } else {
            format!(
                "has `{name}`, which {task} does not measure: its metrics begin with {}",
                measured.join("/, ") + "/"
            )
        };
        Some(Problem::at(place, message).under("assess"))
    };
    assess.places().filter_map(problem).collect()
}

fn unknown_task(name: &str) -> String {
    if name.is_empty() {
        return "has an empty name: name the tasks to run, as in tasks={ready,http,assess}".to_owned();
    }
    let known = Task::NAMES.join(", ");
    match nearest(name, Task::NAMES) {
        Some(meant) => format!("names `{name}`, which is not a task; did you mean `{meant}`?"),
        None => format!("names `{name}`, which is not a task; known are {known}"),
    }
}

fn schedule_problem(values: &Value) -> Option<Problem> {
    let runner = values.get("runner").and_then(Value::as_str);
    match (runner, values.get("cronjobSchedule").and_then(Value::as_str)) {
        (Some("cronjob"), None) => {
            Some(Problem::at("cronjobSchedule", "is required with runner=cronjob, for example \"*/5 * * * *\""))
        }
        (_, Some(text)) => cron::parse(text).err().map(|error| Problem::at("cronjobSchedule", error.to_string())),
        (_, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(values: &Value) -> Vec<String> {
        problems(values).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn credentials_that_stand_in_headers_and_metadata_as_they_are_have_places() {
        let from_secret = json!({ "secret": "shop", "key": "token", "prefix": "Bearer " });
        let values = json!({
            "tasks": ["http", "grpc"],
            "http": {
                "payloadURL": "https://a/b", "fetchHeaders": { "Cookie": "a=b" },
                "headers": { "Authorization": "Bearer abc", "X-Team": "red", "X-Session-Token": "{{newUUID}}" },
                "endpoints": {
                    "a": { "url": "http://a", "headers": { "x-api-key": "abc", "authorization": "" } },
                    "b": { "url": "http://b", "headers": { "X-API-Key": from_secret, "Accept": "text/html" } },
                },
            },
            "grpc": {
                "call": "shop.Orders.Place", "reflect-metadata": { "Proxy-Authorization": "abc" },
                "metadata": { "authorization": "Bearer abc", "tenant": "a" },
                "endpoints": {
                    "a": { "host": "a:80", "metadata": { "AUTHORIZATION": { "env": "TOKEN" } } },
                    "b": { "host": "b:80", "metadata": { "Cookie": "a=b" }, "fetchHeaders": { "authorization": "abc" },
                           "protoURL": "https://a/b" },
                },
            },
        });
        assert_eq!(problems(&values), []);
        assert_eq!(
            plain_credentials(&values),
            [
                "grpc.endpoints.b.fetchHeaders.authorization",
                "grpc.endpoints.b.metadata.Cookie",
                "grpc.metadata.authorization",
                "grpc.reflect-metadata.Proxy-Authorization",
                "http.endpoints.a.headers.x-api-key",
                "http.fetchHeaders.Cookie",
                "http.headers.Authorization",
            ]
        );
    }

    #[test]
    fn the_documented_example_has_no_problem() {
        let values = json!({
            "tasks": ["ready", "http", "assess"],
            "ready": { "deploy": "httpbin", "service": "httpbin", "timeout": "60s" },
            "http": { "url": "http://httpbin.default/get", "numRequests": 200, "qps": "50" },
            "assess": { "SLOs": { "upper": { "http/latency-mean": 50, "http/error-count": 0 } } },
            "runner": "job",
        });
        assert_eq!(said(&values), Vec::<String>::new());
    }

    #[test]
    fn every_problem_is_named_once_with_its_place() {
        for (values, messages) in [
            (json!({}), vec!["`tasks` is required: name the tasks to run, as in tasks={ready,http,assess}"]),
            (json!({ "tasks": ["htpp"] }), vec!["`tasks` names `htpp`, which is not a task; did you mean `http`?"]),
            (
                json!({ "tasks": ["banana"] }),
                vec![
                    "`tasks` names `banana`, which is not a task; known are ready, http, grpc, custommetrics, abnmetrics, assess, slack, github, webhook, run",
                ],
            ),
            (
                json!({ "tasks": ["ready"], "ready": { "deploy": "a", "deployment": "b" } }),
                vec![
                    "`ready.deployment` is not a known key; known are service, deploy, statefulset, daemonset, pod, job, \
                     ksvc, isvc, chaosengine, objects, namespace, timeout, if",
                ],
            ),
            (
                json!({ "tasks": ["ready"], "ready": { "objects": {} } }),
                vec!["`ready.objects` must be a list, got a map"],
            ),
            (
                json!({ "tasks": ["ready"], "ready": { "objects": [{ "version": "v1", "resource": "pods", "nam": "p" }] } }),
                vec![
                    "`ready.objects[0].nam` is not a known key; did you mean `name`?",
                    "`ready.objects[0].name` is required",
                ],
            ),
            (
                json!({ "tasks": ["ready"], "ready": { "pod": ["p"], "timeout": "soon" } }),
                vec![
                    "`ready.pod` must be a text, got a list",
                    "`ready.timeout` must be a duration such as 500ms, 30s or 5m, got \"soon\"",
                ],
            ),
            (
                json!({ "tasks": ["http"], "http": { "url": "http://a", "numRequest": 5 } }),
                vec!["`http.numRequest` is not a known key; did you mean `numRequests`?"],
            ),
            (
                json!({ "tasks": ["http"], "htpp": {} }),
                vec![
                    "`htpp` is not a known key; did you mean `http`?",
                    "`http.url` is required: set it to what to request, as in http://httpbin.default/get",
                ],
            ),
            (json!({ "tasks": "http" }), vec!["`tasks` must be a list, got \"http\": write tasks={http}"]),
            (
                json!({ "tasks": [""] }),
                vec!["`tasks` has an empty name: name the tasks to run, as in tasks={ready,http,assess}"],
            ),
            (
                json!({ "tasks": ["http"], "http": { "url": "http://a" }, "runner": "jobs" }),
                vec!["`runner` must be one of job, cronjob, none, got \"jobs\"; did you mean `job`?"],
            ),
            (
                json!({ "tasks": ["http"], "http": { "url": "http://a" }, "runner": "cronjob" }),
                vec!["`cronjobSchedule` is required with runner=cronjob, for example \"*/5 * * * *\""],
            ),
        ] {
            assert_eq!(said(&values), messages, "{values}");
        }
    }

    #[test]
    fn objectives_need_a_task_that_measures_before_them() {
        for tasks in [json!(["assess"]), json!(["assess", "http"])] {
            let values = json!({
                "tasks": tasks,
                "http": { "url": "http://a" },
                "assess": { "SLOs": { "upper": { "http/error-count": 0, "prom/errors": 0 } } },
            });
            assert_eq!(
                said(&values),
                [
                    "`assess.SLOs.upper` has `http/error-count`, which no task before assess measures: name http before it in tasks",
                    "`assess.SLOs.upper` has `prom/errors`, which no task before assess measures: name custommetrics before it in tasks, with a template called prom",
                ]
            );
        }
    }

    #[test]
    fn objectives_are_on_endpoints_that_there_are() {
        let values = json!({
            "tasks": ["http", "assess"],
            "http": { "endpoints": { "get": { "url": "http://a" }, "post": { "url": "http://a", "payloadStr": "x" } } },
            "assess": { "SLOs": { "upper": { "http-get/error-count": 0, "http/error-count": 0 }, "lower": { "http-put/request-count": 1 } } },
        });
        assert_eq!(
            said(&values),
            [
                "`assess.SLOs.upper` has `http/error-count`, which http does not measure: its metrics begin with http-get/, http-post/",
                "`assess.SLOs.lower` has `http-put/request-count`, which http does not measure: its metrics begin with http-get/, http-post/",
            ]
        );
    }

    #[test]
    fn objectives_may_be_on_the_versions_of_endpoints() {
        let mut values = json!({
            "tasks": ["grpc", "assess"],
            "grpc": { "host": "a:1", "call": "p.S.M", "endpoints": { "a": { "track": "baseline" }, "b": { "track": "candidate" } } },
            "assess": { "SLOs": { "upper": { "grpc-a/error-count": 0, "grpc/error-count": 0, "grpc/latency/p99": 5 } } },
        });
        assert_eq!(said(&values), Vec::<String>::new());
        values["assess"]["SLOs"]["upper"] = json!({ "grpc-c/error-count": 0 });
        assert_eq!(
            said(&values),
            [
                "`assess.SLOs.upper` has `grpc-c/error-count`, which grpc does not measure: its metrics begin with grpc-a/, grpc-b/, grpc/"
            ]
        );
    }

    #[test]
    fn a_highest_rate_is_measured_by_a_search_alone() {
        for (task, mut values) in [
            ("http", json!({ "tasks": ["http", "assess"], "http": { "url": "http://a" } })),
            ("grpc", json!({ "tasks": ["grpc", "assess"], "grpc": { "host": "a:1", "call": "p.S.M" } })),
        ] {
            let max_rate = format!("{task}/max-rate");
            let lower = [(&max_rate, 100)].into_iter().collect::<BTreeMap<_, _>>();
            let upper = [(format!("{task}/error-rate"), 0)].into_iter().collect::<BTreeMap<_, _>>();
            values["assess"] = json!({ "SLOs": { "lower": lower, "upper": upper } });
            assert_eq!(
                said(&values),
                [format!("`assess.SLOs.lower` has `{max_rate}`, which only a search measures: set {task}.search")]
            );
            values[task]["search"] = json!({ "to": 200 });
            assert_eq!(said(&values), Vec::<String>::new());
        }
    }

    #[test]
    fn a_condition_is_checked_with_the_key_that_it_stands_under() {
        let values = |condition: Value| json!({ "tasks": ["http"], "http": { "url": "http://a", "if": condition } });
        for good in [json!("Result.NumLoops % 2 == 0"), json!(false), json!(null)] {
            assert_eq!(said(&values(good)), Vec::<String>::new());
        }
        assert_eq!(
            said(&values(json!("SLOs"))),
            ["`http.if` is wrong at position 1: SLOs is a function: write `SLOs()`"]
        );
        assert_eq!(said(&values(json!(5))), ["`http.if` must be a text, got 5"]);
    }

    #[test]
    fn completion_knows_the_keys_of_every_task() {
        let keys: Vec<String> = crate::schema::paths(&schema()).into_iter().map(|(path, _)| path).collect();
        for key in [
            "tasks",
            "http.if",
            "assess.if",
            "http.url",
            "http.numRequests",
            "ready.deploy",
            "assess.SLOs.upper",
            "runner",
        ] {
            assert!(keys.iter().any(|known| known == key), "{key}");
        }
    }
}
