//! `autox apply`: installs AutoX, or changes what it follows.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use clap::Args;
use futures_util::future::try_join_all;
use iter8_cluster::autox::CheckedAutox;
use iter8_cluster::install::{Installed, Plan, install, preview};
use iter8_cluster::served::{Served, served};
use iter8_core::schema::Problem;
use iter8_core::{ExitCode, GoDuration};
use kube::Client;

use super::super::launch::DryRun;
use super::super::render::manifest;
use super::{CheckArgs, NameArgs, cluster_error, objects};
use crate::context::Context;
use crate::error::{CliError, chain};

/// Install AutoX, or change what it follows
#[derive(Args, Debug)]
#[command(after_help = "Experiments that the values do not have any more are deleted.

Examples:
  # Test each version of the Deployment httpbin
  kubectl iter8 autox apply -n iter8 \\
    --set groups.httpbin.trigger.name=httpbin \\
    --set groups.httpbin.trigger.namespace=default \\
    --set groups.httpbin.trigger.group=apps \\
    --set groups.httpbin.trigger.version=v1 \\
    --set groups.httpbin.trigger.resource=deployments \\
    --set groups.httpbin.specs.load.name=iter8 \\
    --set \"groups.httpbin.specs.load.values.tasks={http,assess}\" \\
    --set groups.httpbin.specs.load.values.http.url=http://httpbin.default \\
    --set groups.httpbin.specs.load.values.assess.SLOs.upper.http/error-count=0

  # The same from a file, first only to look
  kubectl iter8 autox apply -n iter8 -f values.yaml --dry-run=server")]
pub(super) struct ApplyArgs {
    #[command(flatten)]
    name: NameArgs,
    #[command(flatten)]
    check: CheckArgs,
    /// Only show what would be done: `client` prints the objects, `server` lets the cluster check them
    #[arg(long, value_enum, num_args = 0..=1, default_missing_value = "client", default_value = "none")]
    dry_run: DryRun,
    /// How long experiments that go are given to end
    #[arg(long, default_value_t = GoDuration(Duration::from_secs(60)))]
    timeout: GoDuration,
}

pub(super) async fn run(args: ApplyArgs, context: &Context) -> Result<ExitCode, CliError> {
    let checked = args.check.check(context).await?;
    let name = &args.name.name;
    if args.dry_run == DryRun::Client {
        let objects = objects(&checked, name, context.namespace_or_default())?;
        context.printer.data(&manifest(&objects)?)?;
        return Ok(ExitCode::Satisfied);
    }
    let namespace = context.namespace()?;
    let objects = objects(&checked, name, namespace)?;
    let client = context.client().await?;
    check_resources(&client, &checked, context).await?;
    let plan = Plan {
        namespace,
        name,
        user_values: &checked.user_values,
        autox: &checked.autox,
        objects,
        wait: args.timeout.0,
    };
    let is_dry = args.dry_run == DryRun::Server;
    let done = if is_dry { preview(&client, &plan).await } else { install(&client, &plan).await };
    let Installed { outcomes, missing, left } = done.map_err(|error| cluster_error(context, error))?;
    let suffix = if is_dry { " (server dry run)" } else { "" };
    let lines: String = outcomes.iter().map(|outcome| format!("{outcome}{suffix}\n")).collect();
    context.printer.data(&lines)?;
    for namespace in &missing {
        context.printer.warning(&format!(
            "namespace \"{namespace}\" does not exist, so AutoX may do nothing there: create it, then apply again"
        ));
    }
    for error in &left {
        context.printer.warning(&format!("an experiment that should go is left: {}", chain(error)));
    }
    if !is_dry {
        let flag = if name.as_str() == "autox" { String::new() } else { format!(" --name {name}") };
        context.printer.status(&format!("AutoX \"{name}\" follows {}", followed(checked.autox.groups.len())));
        context.printer.hint(&format!("next: kubectl iter8 autox status{flag} -n {namespace}"));
    }
    Ok(ExitCode::Satisfied)
}

fn followed(triggers: usize) -> String {
    match triggers {
        0 => "nothing".to_owned(),
        1 => "1 trigger".to_owned(),
        several => format!("{several} triggers"),
    }
}

/// Refuses triggers of resources that the API server will never have, and warns of those that may come.
async fn check_resources(client: &Client, checked: &CheckedAutox, context: &Context) -> Result<(), CliError> {
    // However many triggers there are, their resources are few.
    let mut resources: BTreeMap<(String, &str), Vec<String>> = BTreeMap::new();
    let mut asked = Vec::new();
    for (name, group) in &checked.autox.groups {
        let (trigger, place) = (&group.trigger, format!("groups.{name}.trigger"));
        match resources.entry((trigger.qualified_resource(), trigger.version.0.as_str())) {
            Entry::Occupied(mut places) => places.get_mut().push(place),
            Entry::Vacant(new) => {
                new.insert(vec![place]);
                asked.push(trigger);
            }
        }
    }
    let answers = asked.iter().map(|trigger| served(client, trigger));
    let answers = try_join_all(answers).await.map_err(|error| cluster_error(context, error))?;
    let mut problems = Vec::new();
    for (trigger, served) in asked.into_iter().zip(answers) {
        let resource = trigger.qualified_resource();
        for place in &resources[&(resource.clone(), trigger.version.0.as_str())] {
            match &served {
                Served::Yes => {}
                Served::NotYet(missing) => context.printer.warning(&format!(
                    "`{place}` is one of {resource}, and {missing}: its experiments start when it is installed"
                )),
                Served::No(key, message) => problems.push(Problem::at(&format!("{place}.{key}"), message)),
            }
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(CliError::values(&problems)) }
}
