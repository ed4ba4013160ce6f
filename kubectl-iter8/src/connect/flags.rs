//! kubectl's global flags, which stand anywhere after the plugin's name, also under the names that Iter8 v0.13 gave
//! them. What they change is decided in [`super::target`].

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use iter8_core::GoDuration;

/// The flags.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Cluster")]
pub struct GlobalArgs {
    /// Path to the kubeconfig file
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig to use
    #[arg(long, global = true, alias = "kube-context")]
    pub context: Option<String>,
    /// The namespace of the experiment, or of AutoX
    #[arg(short, long, global = true, env = "ITER8_NAMESPACE", hide_env = true)]
    pub namespace: Option<String>,
    /// The cluster of the kubeconfig to use
    #[arg(long, global = true, hide_short_help = true)]
    pub cluster: Option<String>,
    /// The user of the kubeconfig to use
    #[arg(long, global = true, hide_short_help = true)]
    pub user: Option<String>,
    /// Address and port of the API server
    #[arg(short, long, global = true, hide_short_help = true, alias = "kube-apiserver")]
    pub server: Option<String>,
    /// Bearer token for the API server
    #[arg(long, global = true, hide_short_help = true, alias = "kube-token")]
    pub token: Option<String>,
    /// User to act as
    #[arg(long = "as", global = true, value_name = "USER", hide_short_help = true, alias = "kube-as-user")]
    pub as_user: Option<String>,
    /// Group to act as; may be repeated
    #[arg(long, global = true, value_name = "GROUP", hide_short_help = true, alias = "kube-as-group")]
    pub as_group: Vec<String>,
    /// UID to act as
    #[arg(long, global = true, value_name = "UID", hide_short_help = true)]
    pub as_uid: Option<String>,
    /// Further attribute of the user to act as, as KEY=VALUE; may be repeated
    #[arg(long, global = true, value_name = "KEY=VALUE", hide_short_help = true, value_parser = key_and_value)]
    pub as_user_extra: Vec<(String, String)>,
    /// File with the certificate authority of the API server
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true, alias = "kube-ca-file")]
    pub certificate_authority: Option<String>,
    /// File with the client's certificate
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_certificate: Option<String>,
    /// File with the client's key
    #[arg(long, global = true, value_name = "FILE", hide_short_help = true)]
    pub client_key: Option<String>,
    /// Do not check the API server's certificate
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, default_missing_value = "true", require_equals = true, alias = "kube-insecure-skip-tls-verify")]
    pub insecure_skip_tls_verify: Option<bool>,
    /// Name to find in the API server's certificate
    #[arg(long, global = true, value_name = "NAME", hide_short_help = true, alias = "kube-tls-server-name")]
    pub tls_server_name: Option<String>,
    /// How long to wait for one answer of the API server (1s, 2m); 0 waits
    #[arg(long, global = true, value_name = "DURATION", hide_short_help = true)]
    pub request_timeout: Option<GoDuration>,
    /// Do not let the API server compress its answers
    #[arg(long, global = true, hide_short_help = true, num_args = 0..=1, default_missing_value = "true", require_equals = true)]
    pub disable_compression: Option<bool>,
    /// Take a warning of the API server for an error
    #[arg(long, global = true, hide_short_help = true)]
    pub warnings_as_errors: bool,
    /// How much to tell about what is done; 6 shows each request to the API server
    #[arg(
        short = 'v',
        long = "v",
        global = true,
        value_name = "LEVEL",
        default_value_t = 0,
        hide_short_help = true,
        hide_default_value = true
    )]
    pub verbosity: u8,
    /// How much to log, as Iter8 v0.13 called it
    #[arg(short = 'l', long, global = true, value_enum, hide = true)]
    pub loglevel: Option<LegacyLogLevel>,
    /// A limit of Iter8 v0.13 on its own requests
    #[arg(long, global = true, value_name = "N", hide = true)]
    pub burst_limit: Option<u32>,
}

/// The levels of Iter8 v0.13's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum LegacyLogLevel {
    /// What ends the program at once.
    Panic,
    /// What ends the program.
    Fatal,
    /// What failed.
    Error,
    /// What should not happen.
    #[value(alias = "warn")]
    Warning,
    /// What happens.
    Info,
    /// What a developer wants to know.
    Debug,
    /// Everything.
    Trace,
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    let (key, value) = pair.ok_or_else(|| format!("`{text}` must have the form KEY=VALUE"))?;
    Ok((key.to_owned(), value.to_owned()))
}
