//! `launch`: starts an experiment, in the cluster or in this process.

use std::time::Duration;

use clap::{Args, ValueEnum};
use iter8_cluster::experiment::Checked;
use iter8_cluster::launch::{Launched, launch};
use iter8_cluster::names::{self, Group, Revision};
use iter8_cluster::objects::Outcome;
use iter8_cluster::parent::read_parent;
use iter8_cluster::preview::preview;
use iter8_core::condition::Condition;
use iter8_core::{ExitCode, Experiment, GoDuration, Phase, Task};
use serde_json::Value;

use super::assert;
use super::render::manifest;
use crate::context::Context;
use crate::error::{CliError, chain};
use crate::experiment::{Validate, check, objects};
use crate::local::{LocalStore, Loops, Ran, run_experiment};
use crate::source::{GroupArgs, parse_revision};
use crate::values::ValuesArgs;

/// Launch an experiment
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # Load-test a service and check two objectives
  kubectl iter8 launch --set \"tasks={ready,http,assess}\" \\
    --set ready.deploy=httpbin --set http.url=http://httpbin.default/get \\
    --set assess.SLOs.upper.http/latency-mean=50 \\
    --set assess.SLOs.upper.http/error-count=0

  # The same from a file, and wait for the verdict
  kubectl iter8 launch -f values.yaml --wait

  # Without a cluster, against a server that this machine reaches
  kubectl iter8 launch --local --set \"tasks={http}\" \\
    --set http.url=http://127.0.0.1:8080")]
pub(crate) struct LaunchArgs {
    #[command(flatten)]
    group: GroupArgs,
    #[command(flatten)]
    values: ValuesArgs,
    /// Only show what would be done: `client` prints the objects, `server` lets the cluster check them
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "client", default_value = "none")]
    dry_run: DryRun,
    /// The dry run of Iter8 v0.13
    #[arg(long = "dry", hide = true)]
    dry: bool,
    /// What to do about keys that nobody knows
    #[arg(long, value_enum, default_value = "strict", num_args = 0..=1, default_missing_value = "strict")]
    validate: Validate,
    /// Launch the values of this earlier revision again; other values go over them
    #[arg(long, value_name = "N", conflicts_with = "local", value_parser = parse_revision)]
    from_revision: Option<u32>,
    /// With --local: run so many loops
    #[arg(long, value_name = "N", requires = "local", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    loops: u32,
    /// With --loops: how far apart loops begin; one that takes longer is followed by the next at once
    #[arg(long, value_name = "DURATION", requires = "loops", default_value_t = GoDuration(Duration::ZERO))]
    interval: GoDuration,
    /// Wait for the end and answer as `assert` does
    #[arg(long)]
    wait: bool,
    /// How long to wait with --wait
    #[arg(long, default_value_t = GoDuration(Duration::from_secs(3600)))]
    timeout: GoDuration,
}

/// What is only shown, in kubectl's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum DryRun {
    None,
    Client,
    Server,
}

pub(crate) async fn run(args: LaunchArgs, context: &Context) -> Result<ExitCode, CliError> {
    let values = user_values(&args.values, args.from_revision, &args.group, context).await?;
    let checked = check(values, args.validate)?;
    checked.warnings.iter().for_each(|warning| context.printer.warning(warning));
    let dry_run = if args.dry { DryRun::Client } else { args.dry_run };
    match dry_run {
        DryRun::Client => {
            let objects = objects(&checked, &args.group.group, context.namespace_or_default(), Revision::FIRST)?;
            context.printer.data(&manifest(&objects)?)?;
            return Ok(ExitCode::Satisfied);
        }
        DryRun::Server => return dry_run_server(&args, &checked, context).await,
        DryRun::None => {}
    }
    if args.group.local {
        launch_local(&args, &checked, context).await
    } else {
        launch_in_cluster(&args, checked, context).await
    }
}

/// What the user set, over the values of an earlier revision if one is named.
pub(super) async fn user_values(
    values: &ValuesArgs,
    from_revision: Option<u32>,
    group: &GroupArgs,
    context: &Context,
) -> Result<Value, CliError> {
    values.without_effect().iter().for_each(|remark| context.printer.warning(remark));
    let given = values.merge().await?;
    let Some(revision) = from_revision else { return Ok(given) };
    let client = context.client().await?;
    let parent =
        read_parent(&client, context.namespace()?, &group.group).await.map_err(|error| context.cluster_error(error))?;
    let entry = parent.as_ref().and_then(|parent| parent.history.entry(Revision(revision)));
    let earlier = entry.ok_or_else(|| {
        let message = format!("group \"{}\" remembers no revision {revision}", group.group);
        CliError::new(ExitCode::NotFound, message).hinted("the last ten launches are remembered")
    })?;
    Ok(crate::values::merge_maps(earlier.values.clone(), given))
}

async fn launch_in_cluster(args: &LaunchArgs, checked: Checked, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client().await?;
    let (group, namespace) = (&args.group.group, context.namespace()?);
    let render = checked.renderer(group, namespace);
    let launched = launch(&client, &checked.plan(group, namespace, &render)).await;
    let Launched { revision, outcomes, prune_error } = launched.map_err(|error| context.cluster_error(error))?;
    if let Some(error) = prune_error {
        context.printer.warning(&format!("objects of earlier revisions are left: {}", chain(&error)));
    }
    let lines: String = outcomes.iter().map(|outcome| format!("{outcome}\n")).collect();
    context.printer.data(&lines)?;
    context.printer.status(&format!("experiment \"{group}\" launched, revision {revision}"));
    if args.wait {
        let conditions = [Condition::Completed, Condition::NoFailure, Condition::Slos];
        let answer = assert::wait(context, group, Some(revision), &conditions, args.timeout.0).await?;
        return answer.print(context);
    }
    let flag = if group.as_str() == "default" { String::new() } else { format!(" -g {group}") };
    context.printer.hint(&format!("next: kubectl iter8 assert{flag} --timeout 120s; kubectl iter8 report{flag}"));
    Ok(ExitCode::Satisfied)
}

async fn dry_run_server(args: &LaunchArgs, checked: &Checked, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client().await?;
    let (group, namespace) = (&args.group.group, context.namespace()?);
    let render = checked.renderer(group, namespace);
    let differences = preview(&client, &checked.plan(group, namespace, &render)).await;
    let differences = differences.map_err(|error| context.cluster_error(error))?;
    let lines: String = differences.iter().map(|d| format!("{} (server dry run)\n", Outcome::from(d))).collect();
    context.printer.data(&lines)?;
    Ok(ExitCode::Satisfied)
}

async fn launch_local(args: &LaunchArgs, checked: &Checked, context: &Context) -> Result<ExitCode, CliError> {
    let group = &args.group.group;
    let (spec, experiment) = local_experiment(checked, group)?;
    if let Some(position) = experiment.steps.iter().position(|step| matches!(step.task, Task::Ready(_))) {
        let message =
            format!("step {} (ready) waits for objects of a cluster, and a local experiment has none", position + 1);
        return Err(CliError::usage(message).hinted("leave `ready` out of tasks, or launch without --local"));
    }
    let revision = LocalStore::of_user()?.begin(group.as_str(), &spec)?;
    let loops = Loops { count: args.loops, interval: args.interval.0 };
    let ran = run_experiment(&experiment, group.as_str(), revision.number, loops, &revision, &context.printer).await?;
    let Some(Ran { result, is_stopped }) = ran else { return Ok(ExitCode::Interrupted) };
    let times =
        if args.loops > 1 { format!(" {} of {} loops", result.loops.started, args.loops) } else { String::new() };
    let ending = ending(&result);
    context.printer.status(&format!("experiment \"{group}\" ran{times}, revision {}: {ending}", revision.number));
    if is_stopped {
        return Ok(ExitCode::Interrupted);
    }
    if args.wait {
        let conditions = [Condition::Completed, Condition::NoFailure, Condition::Slos];
        return assert::summed_up(&conditions, &result).print(context);
    }
    let flag = if group.as_str() == "default" { String::new() } else { format!(" -g {group}") };
    context.printer.hint(&format!("next: kubectl iter8 report --local{flag}; kubectl iter8 assert --local{flag}"));
    Ok(code(result.phase))
}

/// The experiment in the rendered spec Secret, as text and as type: a local run takes exactly what a cluster would.
pub(super) fn local_experiment(checked: &Checked, group: &Group) -> Result<(String, Experiment), CliError> {
    let objects = objects(checked, group, "default", Revision::FIRST)?;
    let spec =
        spec_of(&objects).ok_or_else(|| CliError::new(ExitCode::Internal, "the chart rendered no experiment"))?;
    let experiment = Experiment::parse(&spec).map_err(|error| CliError::usage(chain(&error)))?;
    Ok((spec, experiment))
}

/// The text of the experiment in the one Secret that holds it.
fn spec_of(objects: &[Value]) -> Option<String> {
    use base64::Engine as _;
    let encoded = objects.iter().find_map(|object| object["data"][names::SPEC_KEY].as_str())?;
    String::from_utf8(base64::engine::general_purpose::STANDARD.decode(encoded).ok()?).ok()
}

/// The exit code of a launch that ran to its end in the foreground.
pub(super) const fn code(phase: Phase) -> ExitCode {
    match phase {
        Phase::Succeeded => ExitCode::Satisfied,
        Phase::Failed => ExitCode::TaskFailed,
        Phase::Cancelled => ExitCode::Interrupted,
        Phase::Pending | Phase::Running => ExitCode::Internal,
    }
}

fn ending(result: &iter8_core::ExperimentResult) -> String {
    match (result.failed_step(), result.phase, result.verdict) {
        (Some((number, step)), _, _) => format!("step {number} ({}) failed: {}", step.task, step.message),
        (None, Phase::Cancelled, _) => "stopped, what it measured is kept".to_owned(),
        (None, _, Some(verdict)) => format!("{verdict}, {}", result.verdict_reason),
        (None, _, None) => "no verdict".to_owned(),
    }
}
