//! `get`: lists the groups and how far each is.

use clap::{Args, ValueEnum};
use iter8_cluster::groups::{GroupSummary, list_groups};
use iter8_core::ExitCode;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::local::LocalStore;
use crate::table::{Table, age};

/// List groups of experiments
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  # The groups of the current namespace
  kubectl iter8 get

  # All groups that you may see
  kubectl iter8 get -A

  # Local experiments
  kubectl iter8 get --local")]
pub(crate) struct GetArgs {
    /// List the groups of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// List the local experiments of this user
    #[arg(long, conflicts_with = "all_namespaces")]
    local: bool,
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
    let groups = if args.local {
        LocalStore::of_user()?.groups()?.into_iter().map(|group| GroupSummary::of_result(&group.result)).collect()
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
    context.printer.data(&table(&groups, args.all_namespaces, now).to_string())?;
    Ok(ExitCode::Satisfied)
}

fn table(groups: &[GroupSummary], with_namespace: bool, now: Timestamp) -> Table {
    let mut headers = vec!["GROUP", "REVISION", "PHASE", "STEPS", "VERDICT", "AGE"];
    if with_namespace {
        headers.insert(0, "NAMESPACE");
    }
    let mut table = Table::new(&headers);
    for group in groups {
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
        table.row(&cells);
    }
    table
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
