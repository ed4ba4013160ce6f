//! `autox test`: which action would follow, and why, for a trigger in a file; without a cluster. The decisions are those of
//! the controller's own planner, for which time passes as fast as it can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use iter8_agent::autox::is_rolled_out;
use iter8_cluster::experiment::{self, ExperimentError, UnknownKeys};
use iter8_cluster::names;
use iter8_core::autox::decide::{Action, Why};
use iter8_core::autox::object::Seen;
use iter8_core::autox::planner::{Done, Key, Planner, View, Work};
use iter8_core::autox::refs::of_launch;
use iter8_core::autox::values::{AutoxValues, TriggerGroup};
use iter8_core::autox::{AUTOX_LABEL, Record, Stage};
use iter8_core::schema::Problem;
use iter8_core::{ExitCode, GoDuration};
use serde_json::Value;

use super::{CheckArgs, NameArgs, words};
use crate::context::Context;
use crate::error::{CliError, chain};
use crate::table::{printable, wrapped};
use crate::values::{ValuesError, read_documents};

/// Show which action would follow for a trigger in a file, without a cluster
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # A Deployment, such as `kubectl get deploy httpbin -o yaml` gives it
  kubectl iter8 autox test -f values.yaml --trigger deploy.yaml

  # And what follows when it becomes another one; an empty file means that it
  # is deleted
  kubectl iter8 autox test -f values.yaml --trigger deploy.yaml \\
    --after deploy-v2.yaml --after /dev/null")]
pub(super) struct TestArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    check: CheckArgs,
    /// YAML file, URL or - with triggers
    #[arg(long, value_name = "FILE")]
    trigger: String,
    /// The same triggers as they are afterwards; may be repeated, and an empty file has none
    #[arg(long, value_name = "FILE")]
    after: Vec<String>,
}

pub(super) async fn run(args: TestArgs, context: &Context) -> Result<ExitCode, CliError> {
    let checked = args.check.check(context).await?;
    let identity = names::autox(context.namespace_or_default(), &args.name.name);
    let mut rehearsal = Rehearsal::new(&identity, &checked.autox);
    let mut text = String::new();
    for (number, file) in [&args.trigger].into_iter().chain(&args.after).enumerate() {
        let documents = read_documents(file).await.map_err(|error| match &error {
            ValuesError::Read { source, .. } => CliError::usage(format!("cannot read {file}: {}", chain(source))),
            ValuesError::Yaml { reason, .. } => {
                CliError::usage(format!("{file} cannot be read as YAML of objects: {reason}"))
            }
            ValuesError::Set { .. } => CliError::from(error),
        })?;
        let objects = objects(documents);
        let met = rehearsal.meet(&objects);
        if met.is_empty() && (number == 0 || !objects.is_empty()) {
            return Err(stranger(file, &objects, &checked.autox));
        }
        if number > 0 {
            text.push('\n');
        }
        text += &rehearsal.told(file, context.printer.width());
    }
    context.printer.data(&text)?;
    if rehearsal.problems.is_empty() { Ok(ExitCode::Satisfied) } else { Err(CliError::values(&rehearsal.problems)) }
}

/// Single objects, out of lists too.
fn objects(documents: Vec<Value>) -> Vec<Value> {
    let items = |mut document: Value| match document.get_mut("items").map(Value::take) {
        Some(Value::Array(items)) => items,
        _ => vec![document],
    };
    documents.into_iter().flat_map(items).collect()
}

/// The error for a file whose objects are all no triggers.
fn stranger(file: &str, objects: &[Value], autox: &AutoxValues) -> CliError {
    let found: Vec<String> = objects.iter().map(described).collect();
    let found = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
    let wanted = autox.groups.values().map(|group| {
        let trigger = &group.trigger;
        format!("{} {} in namespace {}", trigger.qualified_resource(), trigger.name.0, trigger.namespace.0)
    });
    let wanted: Vec<String> = wanted.collect();
    let hint = if wanted.is_empty() {
        "the values have no triggers: add some under `groups`".to_owned()
    } else {
        format!("the values have {}", wanted.join(", "))
    };
    CliError::usage(format!("{file} has no trigger of the values, but {found}")).hinted(hint)
}

/// `Deployment (apps/v1) web in namespace shop`.
fn described(object: &Value) -> String {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str).unwrap_or("?");
    let place = object.pointer("/metadata/namespace").and_then(Value::as_str);
    let place = place.map(|namespace| format!(" in namespace {namespace}")).unwrap_or_default();
    printable(&format!("{} ({}) {}{place}", text("/kind"), text("/apiVersion"), text("/metadata/name")))
}

/// Whether an object is the trigger of a group. Which resource a kind is, only an API server knows for sure; the plurals that
/// they have are tried.
fn is_trigger(object: &Value, group: &TriggerGroup) -> bool {
    let text = |pointer: &str| object.pointer(pointer).and_then(Value::as_str);
    let trigger = &group.trigger;
    let api_version = text("/apiVersion").unwrap_or_default();
    let api_group = api_version.split_once('/').map_or("", |(group, _)| group);
    let kind = text("/kind").unwrap_or_default().to_lowercase();
    let resource = trigger.resource.0.as_str();
    let is_plural = [format!("{kind}s"), format!("{kind}es"), kind.clone()].iter().any(|plural| plural == resource)
        || kind.strip_suffix('y').is_some_and(|stem| format!("{stem}ies") == resource);
    is_plural
        && api_group == trigger.api_group()
        && text("/metadata/name") == Some(&trigger.name.0)
        && text("/metadata/namespace").is_none_or(|namespace| namespace == trigger.namespace.0)
}

/// How many turns an object can need at most: more would be a circle.
const TURNS: usize = 20;

/// The planner, with experiments that are only told of.
struct Rehearsal<'a> {
    autox: &'a AutoxValues,
    planner: Planner,
    now: Duration,
    /// What was seen of the triggers that were met, by group.
    met: BTreeMap<&'a str, View>,
    records: BTreeMap<Key, Record>,
    /// What was last decided, for what is not decided anew because it is the same.
    last: BTreeMap<Key, Action>,
    /// What is wrong with the values of experiments, once the trigger is filled in.
    problems: Vec<Problem>,
}

impl<'a> Rehearsal<'a> {
    fn new(identity: &str, autox: &'a AutoxValues) -> Self {
        let mut planner = Planner::new(identity);
        planner.configure(autox.clone());
        for group in autox.groups.values() {
            planner.records(&group.trigger.namespace.0, Vec::new());
        }
        let (met, records, last) = Default::default();
        Self { autox, planner, now: Duration::ZERO, met, records, last, problems: Vec::new() }
    }

    /// Takes the triggers among some objects; those that were met before and are not there are gone. Returns the groups that
    /// were met now.
    fn meet(&mut self, objects: &[Value]) -> BTreeSet<&'a str> {
        let mut met = BTreeSet::new();
        for (name, group) in &self.autox.groups {
            let view = match objects.iter().find(|object| is_trigger(object, group)) {
                Some(object) => {
                    met.insert(name.as_str());
                    let trigger = &group.trigger;
                    // A manifest that never was in a cluster has no status, and is taken for what will be.
                    let is_done = object.get("status").is_none()
                        || is_rolled_out(object, trigger.api_group(), &trigger.resource.0);
                    Seen::of(object, &group.version_source(), is_done).map_or(View::Absent, View::Present)
                }
                None if self.met.contains_key(name.as_str()) => View::Absent,
                None => continue,
            };
            self.met.insert(name, view);
        }
        met
    }

    /// Lets the planner see what was met, and tells all that it does.
    fn told(&mut self, file: &str, width: usize) -> String {
        let mut told: BTreeMap<Key, Vec<String>> = BTreeMap::new();
        for (name, view) in &self.met {
            self.planner.observe(name, view.clone(), self.now);
        }
        let mut runs = BTreeSet::new();
        for _ in 0..TURNS {
            let turn = self.planner.turn(self.now);
            for decision in turn.decisions {
                // That it stays as it is after something was done goes without saying.
                let is_new = !matches!(decision.action, Action::Keep(_)) || !told.contains_key(&decision.key);
                if is_new && decision.group.as_deref().is_some_and(|group| self.met.contains_key(group)) {
                    let words = words::action(&decision.action, self.records.get(&decision.key));
                    told.entry(decision.key.clone()).or_default().push(words);
                }
                self.last.insert(decision.key, decision.action);
            }
            let is_done = turn.work.is_empty();
            for work in turn.work {
                self.work(work, &mut runs);
            }
            match (is_done, turn.wake, self.rolling()) {
                (false, _, _) => {}
                (true, Some(wake), _) => self.now = self.now.max(wake),
                (true, None, Some((name, seen))) => {
                    let view = View::Present(Seen { is_rolled_out: true, ..seen });
                    self.planner.observe(&name, view, self.now);
                }
                (true, None, None) => break,
            }
        }
        self.page(file, &told, width)
    }

    /// A trigger whose rollout is waited for, as it was seen.
    fn rolling(&self) -> Option<(String, Seen)> {
        let waits = |key: &Key| self.last.get(key) == Some(&Action::Hold(Why::RollingOut));
        self.met.iter().find_map(|(name, view)| match view {
            View::Present(seen) if keys(name, &self.autox.groups[*name]).iter().any(waits) => {
                Some(((*name).to_owned(), seen.clone()))
            }
            View::Present(_) | View::Absent | View::Unknown => None,
        })
    }

    /// Ends work as a cluster would. An earlier run is found running once, and ended the next time.
    fn work(&mut self, work: Work, runs: &mut BTreeSet<Key>) {
        let (key, done) = match work {
            Work::Launch { key, cause, seen } => {
                self.judge(&key, &cause.group, &cause.spec, &cause.version, &seen);
                let revision = self.records.get(&key).map_or(1, |record| record.revision + 1);
                let record = Record { cause, revision, stage: Stage::Launched };
                self.records.insert(key.clone(), record.clone());
                (key, Done::Launched(record))
            }
            Work::Delete { key, .. } => {
                self.records.remove(&key);
                (key, Done::Deleted)
            }
            Work::Look { key } => {
                let runs = runs.insert(key.clone());
                (key, Done::Looked { runs })
            }
        };
        self.planner.done(&key, done, self.now);
    }

    /// Makes the objects of a launch, as far as that goes without a cluster.
    fn judge(&mut self, key: &Key, group: &str, spec: &str, version: &str, seen: &Seen) {
        let of_group = &self.autox.groups[group];
        let place = format!("groups.{group}.specs.{spec}.values");
        let filled = of_launch(&of_group.trigger, &of_group.specs[spec], version, seen);
        let checked = filled.and_then(|values| {
            experiment::check(Value::Object(values), UnknownKeys::Refuse).map_err(|error| match error {
                ExperimentError::Values(problems) => problems,
                error => vec![Problem::at("", format!("of {} give no experiment: {error}", key.experiment))],
            })
        });
        let found = checked.err().into_iter().flatten();
        self.problems.extend(found.map(|problem| problem.under(&place)));
    }

    /// What was told about the triggers of a file.
    fn page(&self, file: &str, told: &BTreeMap<Key, Vec<String>>, width: usize) -> String {
        let mut text = format!("{}\n", printable(file));
        for (name, view) in &self.met {
            let group = &self.autox.groups[*name];
            let trigger = &group.trigger;
            let is = match view {
                View::Unknown | View::Absent => "is gone".to_owned(),
                View::Present(seen) => {
                    let version = seen.version.as_ref().map(|version| format!("has version {version}"));
                    let mark = if seen.is_marked() { "with" } else { "without" };
                    format!("{}, {mark} {AUTOX_LABEL}=true", version.unwrap_or_else(|| "has no version".to_owned()))
                }
            };
            let line = format!("  {} {} {is}", trigger.qualified_resource(), trigger.name.0);
            text += &wrapped(&printable(&line), width, 4);
            if let Some(debounce) = group.debounce.filter(|_| matches!(view, View::Present(_))) {
                text += &format!("  a version has to stand for {}\n", GoDuration(debounce.0));
            }
            for key in keys(name, group) {
                let unchanged = || self.last.get(&key).map(|action| words::action(action, self.records.get(&key)));
                let lines = told.get(&key).cloned().unwrap_or_else(|| unchanged().into_iter().collect());
                for (number, line) in lines.iter().enumerate() {
                    let then = if number == 0 { key.experiment.as_str() } else { "then it" };
                    text += &wrapped(&printable(&format!("    {then} {line}")), width, 6);
                }
            }
        }
        text
    }
}

/// The experiments of a group.
fn keys(name: &str, group: &TriggerGroup) -> Vec<Key> {
    let key = |spec: &String| Key {
        namespace: group.trigger.namespace.0.clone(),
        experiment: iter8_core::autox::experiment_group(name, spec),
    };
    group.specs.keys().map(key).collect()
}
