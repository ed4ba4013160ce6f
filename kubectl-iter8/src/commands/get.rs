//! `get`: lists the groups and how far each is, once or as it changes.

use clap::{Args, ValueEnum};
use futures_util::StreamExt as _;
use iter8_cluster::groups::{GroupSummary, list_groups};
use iter8_cluster::watch::watch_groups;
use iter8_core::ExitCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::local::{LocalGroup, LocalStore};
use crate::table::{Table, age};

/// List groups of experiments
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # The groups of the current namespace
  kubectl iter8 get

  # All groups that you may see
  kubectl iter8 get -A

  # As they get on, until interrupted
  kubectl iter8 get -w

  # Local experiments
  kubectl iter8 get --local")]
pub(crate) struct GetArgs {
    /// List the groups of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// List the local experiments of this user
    #[arg(long, conflicts_with = "all_namespaces")]
    local: bool,
    /// After listing, go on with what changes
    #[arg(short, long, conflicts_with_all = ["local", "output"])]
    watch: bool,
    /// Form of the output
    #[arg(short, long, value_enum)]
    output: Option<GetFormat>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum GetFormat {
    Json,
    Yaml,
    Name,
}

pub(crate) async fn run(args: GetArgs, context: &Context) -> Result<ExitCode, CliError> {
    if args.watch {
        return watch(args.all_namespaces, context).await;
    }
    let groups = if args.local {
        let summary = |group: LocalGroup| match group.result {
            Some(result) => GroupSummary::of_result(&result),
            None => GroupSummary::unreadable(&group.name, group.revision),
        };
        LocalStore::of_user()?.groups()?.into_iter().map(summary).collect()
    } else {
        let namespace = if args.all_namespaces { None } else { Some(context.namespace()?) };
        let client = context.client().await?;
        list_groups(&client, namespace).await.map_err(|error| context.cluster_error(error))?
    };
    if let Some(format) = args.output {
        context.printer.data(&formatted(&groups, format)?)?;
        return Ok(ExitCode::Satisfied);
    }
    if groups.is_empty() {
        context.printer.status(&match (args.local, args.all_namespaces) {
            (true, _) => "No local experiments found.".to_owned(),
            (_, true) => "No experiments found".to_owned(),
            _ => format!("No experiments found in {} namespace.", context.namespace()?),
        });
        return Ok(ExitCode::Satisfied);
    }
    let now = Timestamp::now();
    let mut table = Table::new(headers(args.all_namespaces));
    groups.iter().for_each(|group| table.row(&cells(group, args.all_namespaces, now)));
    context.printer.data(&table.to_string())?;
    Ok(ExitCode::Satisfied)
}

/// Prints every group, then a row for each change of one.
async fn watch(with_namespace: bool, context: &Context) -> Result<ExitCode, CliError> {
    let client = context.client().await?;
    let namespace = if with_namespace { None } else { Some(context.namespace()?) };
    let mut lists = std::pin::pin!(watch_groups(&client, namespace));
    let mut table = Table::new(headers(with_namespace));
    let mut known: Vec<GroupSummary> = Vec::new();
    let mut printed = 0;
    while let Some(list) = lists.next().await {
        let groups = list.map_err(|error| context.cluster_error(error))?;
        let now = Timestamp::now();
        groups
            .iter()
            .filter(|group| !known.contains(group))
            .for_each(|group| table.row(&cells(group, with_namespace, now)));
        known = groups;
        // The whole table is laid out, so that new rows stand below the columns of the earlier ones.
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().collect();
        if lines.len() > 1 && lines.len() > printed {
            context.printer.data(&format!("{}\n", lines[printed..].join("\n")))?;
            printed = lines.len();
        }
    }
    Ok(ExitCode::Satisfied)
}

fn headers(with_namespace: bool) -> &'static [&'static str] {
    const HEADERS: [&str; 7] = ["NAMESPACE", "GROUP", "REVISION", "PHASE", "STEPS", "VERDICT", "AGE"];
    if with_namespace { &HEADERS } else { &HEADERS[1..] }
}

fn cells(group: &GroupSummary, with_namespace: bool, now: Timestamp) -> Vec<String> {
    let mut cells = vec![
        group.group.clone(),
        group.revision.to_string(),
        group.phase.map_or_else(|| "Unknown".to_owned(), |phase| format!("{phase:?}")),
        format!("{}/{}", group.steps_done, group.steps),
        group.verdict.map_or("<none>", iter8_core::Verdict::as_str).to_owned(),
        group.launched.map_or_else(|| "<unknown>".to_owned(), |then| age(now.duration_since(then).as_secs())),
    ];
    if with_namespace {
        cells.insert(0, group.namespace.clone());
    }
    cells
}

fn formatted(groups: &[GroupSummary], format: GetFormat) -> Result<String, CliError> {
    let items: Vec<Value> = groups.iter().map(item).collect();
    let list = json!({ "apiVersion": iter8_core::result::API_VERSION, "kind": "GroupList", "items": items });
    Ok(match format {
        GetFormat::Json => format!("{list:#}\n"),
        GetFormat::Yaml => {
            serde_yaml::to_string(&list).map_err(|e| CliError::new(ExitCode::Internal, e.to_string()))?
        }
        GetFormat::Name => groups.iter().map(|group| format!("group.iter8.tools/{}\n", group.group)).collect(),
    })
}

fn item(group: &GroupSummary) -> Value {
    json!({
        "name": group.group,
        "namespace": group.namespace,
        "revision": group.revision,
        "phase": group.phase,
        "stepsCompleted": group.steps_done,
        "steps": group.steps,
        "verdict": group.verdict,
        "launched": group.launched,
    })
}
