//! The agent's command line, and what each of its commands sets up. Running an experiment is the runner's business.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use iter8_cluster::error::{ClusterError, Failure, chain};
use iter8_cluster::names::{Group, Revision};
use iter8_cluster::result_secret::ResultSecret;
use iter8_core::task::credential::MOUNTS;
use iter8_core::{ExitCode, Experiment, GoDuration, Phase};
use kube::{Client, Config};
use tracing::level_filters::LevelFilter;
use tracing::{debug, error, info, warn};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::autox::{self, AutoxError, Options};
use crate::runner::{Event, EventKind, Identity, RunError, run};
use crate::shutdown::cancel_on_signal;

/// Runs experiments inside a Kubernetes cluster.
#[derive(Debug, Parser)]
#[command(name = "iter8-agent", version)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Run(RunArgs),
    Autox(AutoxArgs),
}

/// Launch experiments when triggers get another version
#[derive(ClapArgs, Debug)]
struct AutoxArgs {
    /// Name of this AutoX, and of its Lease
    #[arg(long, default_value = "autox")]
    name: String,
    /// Its namespace
    #[arg(long)]
    namespace: String,
    /// Secret with its configuration
    #[arg(long)]
    config_secret: String,
    /// Name of this replica
    #[arg(long, env = "POD_NAME")]
    identity: String,
    /// Where /metrics, /livez and /readyz are served
    #[arg(long, default_value = "0.0.0.0:8080")]
    listen: SocketAddr,
    /// How much to log
    #[arg(long, value_enum, default_value = "info")]
    log_level: LogLevel,
    /// Reach the cluster by the kubeconfig of the user instead of the pod's service account
    #[arg(long, hide = true)]
    kubeconfig: Option<PathBuf>,
}

/// Run one loop of an experiment and keep its result in a Secret
#[derive(ClapArgs, Debug)]
struct RunArgs {
    /// File with the experiment
    #[arg(long)]
    experiment: PathBuf,
    /// Secret that holds the result
    #[arg(long)]
    result_secret: String,
    /// Namespace of the experiment
    #[arg(long)]
    namespace: String,
    /// Name of the line of experiments
    #[arg(long)]
    group: Group,
    /// Number of the launch
    #[arg(long)]
    revision: u32,
    /// Add to what earlier loops left, because more loops may follow
    #[arg(long = "loop")]
    recurring: bool,
    /// How long an outage of the API server is waited out, each time that the result is read or written
    #[arg(long, hide = true, default_value = "60s")]
    patience: GoDuration,
    /// How much to log
    #[arg(long, value_enum, default_value = "info")]
    log_level: LogLevel,
    /// Where the pod mounts the Secrets that the experiment refers to
    #[arg(long, hide = true, default_value = MOUNTS)]
    secrets: PathBuf,
    /// Reach the cluster by the kubeconfig of the user instead of the pod's service account
    #[arg(long, hide = true)]
    kubeconfig: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LogLevel {
    Trace,
    Debug,
    Info,
    #[value(alias = "warning")]
    Warn,
    Error,
}

/// Why nothing was run.
#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error("cannot read {}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(transparent)]
    Spec(#[from] iter8_core::SpecError),
    #[error("cannot find out how to reach the cluster")]
    Config(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("cannot listen to signals")]
    Signals(#[source] std::io::Error),
    #[error(transparent)]
    Run(#[from] RunError),
    #[error(transparent)]
    Autox(#[from] AutoxError),
}

impl StartError {
    fn code(&self) -> ExitCode {
        match self {
            Self::File { .. } | Self::Spec(_) => ExitCode::Usage,
            Self::Run(RunError::Load(source) | RunError::Save(source)) if is_refusal(source.as_ref()) => {
                ExitCode::NotAllowed
            }
            Self::Config(_) | Self::Run(_) => ExitCode::Cluster,
            Self::Signals(_) | Self::Autox(_) => ExitCode::Internal,
        }
    }
}

/// Whether the cluster did not allow something.
fn is_refusal(error: &(dyn std::error::Error + Send + Sync + 'static)) -> bool {
    let failure = error.downcast_ref::<ClusterError>().and_then(ClusterError::failure);
    matches!(failure, Some(Failure::Unauthorized | Failure::Forbidden))
}

impl Args {
    /// Runs the command and gives the exit code.
    pub async fn run(self) -> ExitCode {
        let ran = match self.command {
            Command::Run(args) => {
                log_to_stdout(args.log_level);
                run_experiment(&args).await
            }
            Command::Autox(args) => {
                log_to_stdout(args.log_level);
                run_autox(args).await
            }
        };
        match ran {
            Ok(code) => code,
            Err(failure) => {
                error!("{}", chain(&failure));
                failure.code()
            }
        }
    }
}

async fn run_experiment(args: &RunArgs) -> Result<ExitCode, StartError> {
    let path = args.experiment.clone();
    let text = std::fs::read_to_string(&path).map_err(|source| StartError::File { path, source })?;
    let experiment = Experiment::parse(&text)?;
    let client = client(args.kubeconfig.as_deref()).await?;
    let store = ResultSecret::new(
        client.clone(),
        &args.namespace,
        &args.result_secret,
        args.group.clone(),
        Revision(args.revision),
        args.patience.0,
    );
    let identity = Identity {
        group: args.group.to_string(),
        namespace: args.namespace.clone(),
        revision: args.revision,
        continues: args.recurring,
        recurring: args.recurring,
        mounts: Some(args.secrets.clone()),
    };
    let work = async |cancel| run(&experiment, &identity, &store, Some(&client), &cancel, &log).await;
    let Some(result) = cancel_on_signal(work).await.map_err(StartError::Signals)? else {
        warn!("stopped by a second signal, the result is as last saved");
        return Ok(ExitCode::Interrupted);
    };
    Ok(match result?.phase {
        Phase::Succeeded => ExitCode::Satisfied,
        Phase::Cancelled => ExitCode::Interrupted,
        Phase::Failed => ExitCode::TaskFailed,
        Phase::Pending | Phase::Running => ExitCode::Internal,
    })
}

async fn run_autox(args: AutoxArgs) -> Result<ExitCode, StartError> {
    let client = client(args.kubeconfig.as_deref()).await?;
    let AutoxArgs { name, namespace, config_secret, identity, listen, .. } = args;
    let options = Options { name, namespace, config_secret, identity, listen };
    let work = async |cancel| autox::run(options, client, cancel).await;
    match cancel_on_signal(work).await.map_err(StartError::Signals)? {
        Some(ended) => ended?,
        None => warn!("stopped by a second signal; what was under way is completed by the next replica"),
    }
    Ok(ExitCode::Satisfied)
}

async fn client(kubeconfig: Option<&Path>) -> Result<Client, StartError> {
    let config = match kubeconfig {
        Some(path) => {
            let kubeconfig =
                kube::config::Kubeconfig::read_from(path).map_err(|error| StartError::Config(error.into()))?;
            Config::from_custom_kubeconfig(kubeconfig, &kube::config::KubeConfigOptions::default())
                .await
                .map_err(|error| StartError::Config(error.into()))?
        }
        None => Config::incluster().map_err(|error| StartError::Config(error.into()))?,
    };
    Client::try_from(config).map_err(|error| StartError::Config(error.into()))
}

fn log(event: &Event) {
    match &event.kind {
        EventKind::Progress { .. } => debug!("{}", event.kind),
        EventKind::StepFailed { .. } => error!("{}", event.kind),
        EventKind::NotSaved { .. } => warn!("{}", event.kind),
        EventKind::LoopStarted { .. }
        | EventKind::StepStarted { .. }
        | EventKind::StepSucceeded { .. }
        | EventKind::StepSkipped { .. }
        | EventKind::LoopEnded { .. } => info!("{}", event.kind),
    }
}

fn log_to_stdout(level: LogLevel) {
    let level = match level {
        LogLevel::Trace => LevelFilter::TRACE,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Error => LevelFilter::ERROR,
    };
    // The client of the cluster calls every attempt that fails an error. The agent says itself what it makes of one, and
    // an outage that is waited out is none.
    let of_client = if level < LevelFilter::DEBUG { LevelFilter::OFF } else { level };
    let targets = Targets::new().with_default(level).with_target("kube_client", of_client);
    let lines = tracing_subscriber::fmt::layer().with_target(false).with_ansi(false);
    tracing_subscriber::registry().with(lines).with(targets).init();
}
