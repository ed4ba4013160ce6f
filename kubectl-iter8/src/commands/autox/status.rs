//! `autox status`: what AutoX follows, what it launched, and what it would do now.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::{Args, ValueEnum};
use futures_util::future::try_join_all;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use iter8_agent::autox::is_rolled_out;
use iter8_cluster::deployed::{Deployed, Experiment, Found, deployed, experiment, trigger};
use iter8_cluster::error::ClusterError;
use iter8_cluster::names;
use iter8_core::autox::decide::{Action, Why};
use iter8_core::autox::object::Seen;
use iter8_core::autox::planner::{Done, Key, Planner, View, Work};
use iter8_core::autox::values::{AutoxValues, TriggerGroup};
use iter8_core::autox::{AUTOX_LABEL, Record, experiment_group};
use iter8_core::result::API_VERSION;
use iter8_core::{ExitCode, ExperimentResult, Phase, Verdict};
use jiff::Timestamp;
use kube::Client;
use serde_json::{Value, json};

use super::{NameArgs, cluster_error, words};
use crate::context::Context;
use crate::error::CliError;
use crate::table::{Table, age, printable, wrapped};

/// Show what AutoX follows, what it launched, and what it would do now
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 autox status -n iter8

  # The experiments whose verdict is not pass
  kubectl iter8 autox status -n iter8 -o json \\
    | jq '.groups[].experiments[] | select(.verdict != \"pass\")'")]
pub(super) struct StatusArgs {
    #[command(flatten)]
    name: NameArgs,
    /// Form of the output
    #[arg(short, long, value_enum, default_value = "table")]
    output: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Table,
    Json,
    Yaml,
}

/// A trigger with its experiments.
struct GroupStatus<'a> {
    name: &'a str,
    group: &'a TriggerGroup,
    found: Result<Option<Seen>, String>,
    experiments: Vec<ExperimentStatus<'a>>,
}

struct ExperimentStatus<'a> {
    spec: &'a str,
    experiment: Experiment,
    /// The other AutoX that launched it, if another did.
    owner: Option<String>,
    action: Action,
}

pub(super) async fn run(args: StatusArgs, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client().await?;
    let (name, namespace) = (&args.name.name, context.namespace()?);
    let failed = |error| cluster_error(context, error);
    let Deployed { autox, controllers } = deployed(&client, namespace, name).await.map_err(failed)?;
    let autox = autox.map_err(|problems| {
        CliError::values(&problems)
            .hinted("AutoX goes on with what it was told before; `kubectl iter8 autox apply` tells it anew")
    })?;
    let groups = look(&client, &names::autox(namespace, name), &autox).await.map_err(failed)?;
    let (wanted, ready) = controllers;
    match args.output {
        Format::Table => {
            let head = format!("AutoX {name} in namespace {namespace}: {ready} of {wanted} controllers ready\n");
            context.printer.data(&(head + &shown(&groups, Timestamp::now(), context.printer.width())))?;
        }
        Format::Json | Format::Yaml => {
            let status = json!({
                "apiVersion": API_VERSION, "kind": "AutoxStatus", "name": name, "namespace": namespace,
                "controllers": { "wanted": wanted, "ready": ready },
                "groups": groups.iter().map(item).collect::<Vec<Value>>(),
            });
            let text = match args.output {
                Format::Yaml => serde_yaml::to_string(&status)
                    .map_err(|error| CliError::new(ExitCode::Internal, error.to_string()))?,
                Format::Table | Format::Json => format!("{status:#}\n"),
            };
            context.printer.data(&text)?;
        }
    }
    if ready == 0 {
        context.printer.warning(&format!(
            "no controller is ready, so nothing is launched: see `kubectl get pods -n {namespace} -l {}={name}`",
            names::RELEASE
        ));
    }
    Ok(ExitCode::Satisfied)
}

/// How many triggers are looked at at once.
const AT_ONCE: usize = 16;

/// Longer than any version has to stand: how long it has stood is only known to who watches it.
const LONG_AFTER: Duration = Duration::from_secs(u32::MAX as u64);

async fn look<'a>(
    client: &Client,
    identity: &str,
    autox: &'a AutoxValues,
) -> Result<Vec<GroupStatus<'a>>, ClusterError> {
    let groups = autox.groups.iter().map(|(name, group)| async move {
        let namespace = &group.trigger.namespace.0;
        let found = match trigger(client, group).await? {
            Found::Object(object) => {
                let trigger = &group.trigger;
                let is_done = is_rolled_out(&object, trigger.api_group(), &trigger.resource.0);
                Ok(Seen::of(&object, &group.version_source(), is_done))
            }
            Found::Absent => Ok(None),
            Found::Unknown(why) => Err(why),
        };
        let read = group.specs.keys().map(|spec| experiment(client, namespace, name, spec));
        let experiments = group.specs.keys().zip(try_join_all(read).await?).map(|(spec, experiment)| {
            let other = experiment.record.as_ref().map(|record| record.cause.autox.clone());
            let owner = other.filter(|autox| autox != identity);
            ExperimentStatus { spec, experiment, owner, action: Action::Keep(Why::NotKnown) }
        });
        let experiments = experiments.collect();
        Ok(GroupStatus { name, group, found, experiments })
    });
    // There may be a thousand of them.
    let mut groups: Vec<GroupStatus<'_>> = stream::iter(groups).buffered(AT_ONCE).try_collect().await?;
    decide(identity, autox, &mut groups);
    Ok(groups)
}

/// Lets the controller's planner see all that was found, and notes what it would do.
fn decide(identity: &str, autox: &AutoxValues, groups: &mut [GroupStatus<'_>]) {
    let mut planner = Planner::new(identity);
    planner.configure(autox.clone());
    let mut records: BTreeMap<&str, Vec<(String, Record)>> = BTreeMap::new();
    for status in groups.iter() {
        let here = records.entry(&status.group.trigger.namespace.0).or_default();
        let ours = status.experiments.iter().filter(|experiment| experiment.owner.is_none());
        here.extend(ours.filter_map(|experiment| {
            Some((experiment_group(status.name, experiment.spec), experiment.experiment.record.clone()?))
        }));
        let view = match &status.found {
            Err(_) => View::Unknown,
            Ok(None) => View::Absent,
            Ok(Some(seen)) => View::Present(seen.clone()),
        };
        planner.observe(status.name, view, Duration::ZERO);
    }
    records.into_iter().for_each(|(namespace, records)| planner.records(namespace, records));
    let mut turn = planner.turn(LONG_AFTER);
    let mut decisions = std::mem::take(&mut turn.decisions);
    for work in turn.work {
        if let Work::Look { key } = work {
            let of_key = groups.iter().flat_map(|status| {
                let experiments = status.experiments.iter();
                experiments.filter(|experiment| key == status.key(experiment))
            });
            let runs = of_key.filter_map(|experiment| experiment.experiment.result.as_ref()).any(is_running);
            planner.done(&key, Done::Looked { runs }, LONG_AFTER);
        }
    }
    decisions.extend(planner.turn(LONG_AFTER).decisions);
    let actions: BTreeMap<Key, Action> =
        decisions.into_iter().map(|decision| (decision.key, decision.action)).collect();
    for status in groups {
        let keys: Vec<Key> = status.experiments.iter().map(|experiment| status.key(experiment)).collect();
        for (experiment, key) in status.experiments.iter_mut().zip(keys) {
            if let Some(action) = actions.get(&key) {
                experiment.action = action.clone();
            }
        }
    }
}

fn is_running(result: &ExperimentResult) -> bool {
    match result.phase {
        Phase::Pending | Phase::Running => true,
        Phase::Succeeded | Phase::Failed | Phase::Cancelled => false,
    }
}

impl GroupStatus<'_> {
    fn key(&self, experiment: &ExperimentStatus<'_>) -> Key {
        let namespace = self.group.trigger.namespace.0.clone();
        Key { namespace, experiment: experiment_group(self.name, experiment.spec) }
    }
}

fn shown(groups: &[GroupStatus<'_>], now: Timestamp, width: usize) -> String {
    if groups.is_empty() {
        return "It follows nothing.\n".to_owned();
    }
    let mut table = Table::new(&["GROUP", "SPEC", "VERSION", "AUTOX", "REVISION", "TESTED", "VERDICT", "AGE"]);
    let mut text = String::new();
    for status in groups {
        let (version, mark) = labels(&status.found);
        let trigger = &status.group.trigger;
        let unseen = match &status.found {
            Err(why) => format!(", which cannot be seen: {why}"),
            Ok(_) => String::new(),
        };
        let (resource, namespace) = (trigger.qualified_resource(), &trigger.namespace.0);
        let line = format!("{}: {resource} {} in namespace {namespace}{unseen}", status.name, trigger.name.0);
        text += &wrapped(&printable(&line), width, 4);
        for experiment in &status.experiments {
            let record = experiment.experiment.record.as_ref();
            let none = || "<none>".to_owned();
            table.row(&[
                status.name.to_owned(),
                experiment.spec.to_owned(),
                version.clone(),
                mark.clone(),
                record.map_or_else(none, |record| record.revision.to_string()),
                record.map_or_else(none, |record| record.cause.version.clone()),
                verdict(&experiment.experiment).unwrap_or("<none>").to_owned(),
                experiment.experiment.launched.map_or_else(none, |then| age(now.duration_since(then).as_secs())),
            ]);
            let line = format!("  {} {}", experiment_group(status.name, experiment.spec), experiment.said());
            text += &wrapped(&printable(&line), width, 4);
        }
    }
    format!("\n{table}\n{text}")
}

/// The version of a trigger and the value of its mark, as a table shows them.
fn labels(found: &Result<Option<Seen>, String>) -> (String, String) {
    match found {
        Err(_) => ("<unknown>".to_owned(), "<unknown>".to_owned()),
        Ok(None) => ("<gone>".to_owned(), "<none>".to_owned()),
        Ok(Some(seen)) => {
            let none = || "<none>".to_owned();
            (seen.version.clone().unwrap_or_else(none), seen.labels.get(AUTOX_LABEL).cloned().unwrap_or_else(none))
        }
    }
}

/// The verdict, or how far the experiment is.
fn verdict(experiment: &Experiment) -> Option<&'static str> {
    let result = experiment.result.as_ref()?;
    result.verdict.map(Verdict::as_str).or(match result.phase {
        Phase::Pending => Some("pending"),
        Phase::Running => Some("running"),
        Phase::Failed => Some("failed"),
        Phase::Cancelled => Some("stopped"),
        Phase::Succeeded => None,
    })
}

impl ExperimentStatus<'_> {
    /// What AutoX would do, as the rest of a sentence.
    fn said(&self) -> String {
        match (&self.owner, self.experiment.is_foreign, &self.action) {
            (Some(owner), _, Action::Launch(_)) => format!("cannot be launched: it belongs to the AutoX {owner}"),
            (Some(owner), _, _) => format!("belongs to the AutoX {owner}"),
            (None, true, Action::Launch(_)) => {
                "cannot be launched: there is a group of that name, which AutoX did not launch".to_owned()
            }
            (None, _, action) => words::action(action, self.experiment.record.as_ref()),
        }
    }
}

fn item(status: &GroupStatus<'_>) -> Value {
    let trigger = &status.group.trigger;
    let seen = status.found.as_ref().ok().and_then(Option::as_ref);
    let experiments = status.experiments.iter().map(|experiment| {
        let record = experiment.experiment.record.as_ref();
        let result = experiment.experiment.result.as_ref();
        let (action, reason) = words::codes(&experiment.action);
        json!({
            "name": experiment_group(status.name, experiment.spec),
            "spec": experiment.spec,
            "revision": record.map(|record| record.revision),
            "version": record.map(|record| &record.cause.version),
            "launched": experiment.experiment.launched,
            "phase": result.map(|result| result.phase),
            "verdict": result.and_then(|result| result.verdict),
            "action": action,
            "reason": reason,
            "message": experiment.said(),
        })
    });
    json!({
        "name": status.name,
        "trigger": {
            "resource": trigger.qualified_resource(),
            "namespace": trigger.namespace.0,
            "name": trigger.name.0,
            "exists": status.found.as_ref().ok().map(Option::is_some),
            "version": seen.and_then(|seen| seen.version.as_ref()),
            "autox": seen.and_then(|seen| seen.labels.get(AUTOX_LABEL)),
            "problem": status.found.as_ref().err(),
        },
        "experiments": experiments.collect::<Vec<Value>>(),
    })
}
