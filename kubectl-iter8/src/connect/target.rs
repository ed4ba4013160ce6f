//! The cluster that flags and kubeconfig point at, and the client that talks to it.

use std::collections::HashMap;

use http::Uri;
use kube::Client;
use kube::client::ClientBuilder;
use kube::config::{AuthInfo, Cluster, Config, ExecAuthCluster, KubeConfigOptions, Kubeconfig};

use super::env::ConnectEnv;
use super::error::ConnectError;
use super::flags::GlobalArgs;
use super::manners::{MannersLayer, Tell};
use super::{exec, kubeconfig, proxy};

/// Where a command goes. Nothing has been sent yet.
#[derive(Debug)]
pub struct Target {
    /// The namespace: `-n`, else that of the context, else `default`.
    pub namespace: String,
    reach: Reach,
}

#[derive(Debug)]
enum Reach {
    /// A cluster and a user of a kubeconfig, flags applied.
    Configured { cluster: Box<Cluster>, user: Box<AuthInfo> },
    /// The service account of the pod that this is.
    InCluster,
}

/// Who asks, for the API server's audit log.
const USER_AGENT: &str = concat!("kubectl-iter8/v", env!("CARGO_PKG_VERSION"));

const NO_CONFIGURATION: &str = "no configuration has been provided: there is no kubeconfig and no --server";

impl Target {
    /// Finds the cluster, the user and the namespace.
    ///
    /// # Errors
    /// A kubeconfig that cannot be read, or names what it does not contain.
    pub fn find(flags: &GlobalArgs, env: &ConnectEnv) -> Result<Self, ConnectError> {
        let config = kubeconfig::load(flags.kubeconfig.as_deref(), env)?;
        let chosen =
            config.as_ref().and_then(|config| flags.context.clone().or_else(|| config.current_context.clone()));
        let chosen = chosen.filter(|name| !name.is_empty());
        let Some(config) = config.filter(|_| chosen.is_some() || flags.cluster.is_some() || flags.server.is_some())
        else {
            return Self::without_kubeconfig(flags, env, chosen);
        };
        let context = match &chosen {
            None => None,
            Some(name) => {
                let found = config.contexts.iter().find(|context| context.name == *name);
                let found = found.ok_or_else(|| ConnectError::NoContext(name.clone()))?;
                Some(found.context.clone().unwrap_or_default())
            }
        };
        let named = |flag: &Option<String>, of_context: Option<String>| flag.clone().or(of_context);
        let cluster = named(&flags.cluster, context.as_ref().map(|context| context.cluster.clone()));
        let user = named(&flags.user, context.as_ref().and_then(|context| context.user.clone()));
        let namespace = flags.namespace.clone().or_else(|| context.and_then(|context| context.namespace));
        let mut cluster = find_cluster(&config, cluster)?;
        let mut user = find_user(&config, user)?;
        apply_flags(flags, &mut cluster, &mut user);
        Ok(Self {
            namespace: namespace.unwrap_or_else(|| "default".to_owned()),
            reach: Reach::Configured { cluster: Box::new(cluster), user: Box::new(user) },
        })
    }

    fn without_kubeconfig(flags: &GlobalArgs, env: &ConnectEnv, chosen: Option<String>) -> Result<Self, ConnectError> {
        let namespace = flags.namespace.clone().unwrap_or_else(|| "default".to_owned());
        if let Some(name) = chosen.or_else(|| flags.context.clone()) {
            return Err(ConnectError::NoContext(name));
        }
        if flags.server.is_some() {
            let (mut cluster, mut user) = (Cluster::default(), AuthInfo::default());
            apply_flags(flags, &mut cluster, &mut user);
            return Ok(Self {
                namespace,
                reach: Reach::Configured { cluster: Box::new(cluster), user: Box::new(user) },
            });
        }
        if env.in_cluster {
            return Ok(Self { namespace, reach: Reach::InCluster });
        }
        Err(ConnectError::NoConfiguration(NO_CONFIGURATION))
    }

    /// Makes the client. `tell` takes what happens around each request.
    ///
    /// # Errors
    /// A credential plugin that fails, or certificates that cannot be used.
    pub async fn connect(&self, flags: &GlobalArgs, env: &ConnectEnv, tell: Tell) -> Result<Client, ConnectError> {
        let mut config = match &self.reach {
            Reach::InCluster => Config::incluster().map_err(|error| ConnectError::Config(error.into()))?,
            Reach::Configured { cluster, user } => configured((**cluster).clone(), (**user).clone(), env).await?,
        };
        config.headers.push((http::header::USER_AGENT, http::HeaderValue::from_static(USER_AGENT)));
        let timeout = flags.request_timeout.map(|timeout| timeout.0).filter(|timeout| !timeout.is_zero());
        let address = config.cluster_url.authority().map(ToString::to_string).unwrap_or_default();
        let builder = ClientBuilder::try_from(config).map_err(|error| ConnectError::Config(error.into()))?;
        Ok(builder.with_layer(&MannersLayer { address, timeout, tell }).build())
    }
}

async fn configured(mut cluster: Cluster, mut user: AuthInfo, env: &ConnectEnv) -> Result<Config, ConnectError> {
    let config = |error: Box<dyn std::error::Error + Send + Sync>| ConnectError::Config(error);
    let server = cluster.server.clone().unwrap_or_default();
    let server: Uri = server.parse().map_err(|_| ConnectError::Server(server.clone()))?;
    let proxy = proxy::proxy_for(&server, cluster.proxy_url.as_deref(), env);
    // Applied below; the library would match NO_PROXY against the proxy itself.
    cluster.proxy_url = None;
    let about: ExecAuthCluster = serde_json::from_value(
        serde_json::json!({ "server": cluster.server, "tls-server-name": cluster.tls_server_name }),
    )
    .map_err(|error| config(error.into()))?;
    exec::resolve(&mut user, &about)?;
    trim_token_file(&mut user)?;
    let named = Kubeconfig {
        current_context: Some("target".to_owned()),
        contexts: serde_json::from_value(
            serde_json::json!([{ "name": "target", "context": { "cluster": "target", "user": "target" } }]),
        )
        .map_err(|error| config(error.into()))?,
        clusters: vec![kube::config::NamedCluster {
            name: "target".to_owned(),
            cluster: Some(cluster),
            ..Default::default()
        }],
        auth_infos: vec![kube::config::NamedAuthInfo {
            name: "target".to_owned(),
            auth_info: Some(user),
            ..Default::default()
        }],
        ..Kubeconfig::default()
    };
    let made = Config::from_custom_kubeconfig(named, &KubeConfigOptions::default()).await;
    let mut made = made.map_err(|error| config(error.into()))?;
    if made.root_cert.as_ref().is_some_and(Vec::is_empty) {
        return Err(config("the certificate authority holds no certificate in PEM form".into()));
    }
    made.proxy_url = match proxy {
        Some(proxy) => Some(proxy.parse().map_err(|_| ConnectError::Proxy(proxy.clone()))?),
        None => None,
    };
    Ok(made)
}

/// A token in a file counts without the line's end, as kubectl reads it.
fn trim_token_file(user: &mut AuthInfo) -> Result<(), ConnectError> {
    if user.token.is_some() {
        user.token_file = None;
    } else if let Some(path) = user.token_file.take() {
        let text =
            std::fs::read_to_string(&path).map_err(|source| ConnectError::TokenFile { path: path.into(), source })?;
        user.token = Some(text.trim().to_owned().into());
    }
    Ok(())
}

fn find_cluster(config: &Kubeconfig, name: Option<String>) -> Result<Cluster, ConnectError> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(Cluster::default()) };
    let found = config.clusters.iter().find(|cluster| cluster.name == name);
    Ok(found.ok_or_else(|| ConnectError::NoCluster(name))?.cluster.clone().unwrap_or_default())
}

fn find_user(config: &Kubeconfig, name: Option<String>) -> Result<AuthInfo, ConnectError> {
    let Some(name) = name.filter(|name| !name.is_empty()) else { return Ok(AuthInfo::default()) };
    let found = config.auth_infos.iter().find(|user| user.name == name);
    Ok(found.ok_or_else(|| ConnectError::NoUser(name))?.auth_info.clone().unwrap_or_default())
}

fn apply_flags(flags: &GlobalArgs, cluster: &mut Cluster, user: &mut AuthInfo) {
    let set = |place: &mut Option<String>, flag: &Option<String>| {
        if flag.is_some() {
            place.clone_from(flag);
        }
    };
    set(&mut cluster.server, &flags.server);
    set(&mut cluster.tls_server_name, &flags.tls_server_name);
    if flags.certificate_authority.is_some() {
        cluster.certificate_authority.clone_from(&flags.certificate_authority);
        cluster.certificate_authority_data = None;
    }
    if flags.insecure_skip_tls_verify.is_some() {
        cluster.insecure_skip_tls_verify = flags.insecure_skip_tls_verify;
    }
    if flags.disable_compression.is_some() {
        cluster.disable_compression = flags.disable_compression;
    }
    if cluster.insecure_skip_tls_verify == Some(true) {
        (cluster.certificate_authority, cluster.certificate_authority_data) = (None, None);
    }
    if flags.client_certificate.is_some() {
        user.client_certificate.clone_from(&flags.client_certificate);
        user.client_certificate_data = None;
    }
    if flags.client_key.is_some() {
        user.client_key.clone_from(&flags.client_key);
        user.client_key_data = None;
    }
    if let Some(token) = &flags.token {
        // Every other way to log in would win over the token.
        (user.exec, user.auth_provider, user.token_file) = (None, None, None);
        (user.username, user.password) = (None, None);
        user.token = Some(token.clone().into());
    }
    set(&mut user.impersonate, &flags.as_user);
    set(&mut user.impersonate_uid, &flags.as_uid);
    if !flags.as_group.is_empty() {
        user.impersonate_groups = Some(flags.as_group.clone());
    }
    if !flags.as_user_extra.is_empty() {
        let mut extra: HashMap<String, Vec<String>> = HashMap::new();
        for (key, value) in &flags.as_user_extra {
            extra.entry(key.clone()).or_default().push(value.clone());
        }
        user.impersonate_user_extra = Some(extra);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "apiVersion: v1
kind: Config
current-context: one
contexts:
- {name: one, context: {cluster: c1, user: u1, namespace: shop}}
- {name: two, context: {cluster: c2, user: u2}}
- {name: bad, context: {cluster: none, user: u1}}
clusters:
- {name: c1, cluster: {server: 'https://one:6443'}}
- {name: c2, cluster: {server: 'https://two:6443'}}
users:
- {name: u1, user: {token: t1}}
- {name: u2, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: never}}}
";

    fn found(flags: GlobalArgs) -> Result<Target, ConnectError> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("config");
        std::fs::write(&path, CONFIG).unwrap();
        Target::find(&GlobalArgs { kubeconfig: Some(path), ..flags }, &ConnectEnv::default())
    }

    fn server_and_user(target: &Target) -> (String, AuthInfo) {
        match &target.reach {
            Reach::Configured { cluster, user } => (cluster.server.clone().unwrap(), (**user).clone()),
            Reach::InCluster => panic!("in cluster"),
        }
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn flags_win_over_the_context() {
        let target = found(GlobalArgs::default()).unwrap();
        assert_eq!((target.namespace.as_str(), server_and_user(&target).0.as_str()), ("shop", "https://one:6443"));
        let target = found(GlobalArgs { context: some("two"), namespace: some("n"), ..GlobalArgs::default() }).unwrap();
        assert_eq!((target.namespace.as_str(), server_and_user(&target).0.as_str()), ("n", "https://two:6443"));
        let target = found(GlobalArgs { cluster: some("c2"), ..GlobalArgs::default() }).unwrap();
        assert_eq!(server_and_user(&target).0, "https://two:6443");
        let target = found(GlobalArgs { server: some("https://three"), ..GlobalArgs::default() }).unwrap();
        assert_eq!(server_and_user(&target).0, "https://three");
    }

    #[test]
    fn a_token_replaces_every_other_way_to_log_in() {
        let flags =
            GlobalArgs { context: some("two"), token: some("t"), as_user: some("jane"), ..GlobalArgs::default() };
        let (_, user) = server_and_user(&found(flags).unwrap());
        assert!(user.exec.is_none() && user.token.is_some());
        assert_eq!(user.impersonate.as_deref(), Some("jane"));
    }

    #[test]
    fn what_the_kubeconfig_does_not_contain_is_named_in_kubectls_words() {
        for (flags, message) in [
            (GlobalArgs { context: some("nine"), ..GlobalArgs::default() }, "context \"nine\" does not exist"),
            (GlobalArgs { context: some("bad"), ..GlobalArgs::default() }, "cluster \"none\" does not exist"),
            (GlobalArgs { user: some("nobody"), ..GlobalArgs::default() }, "auth info \"nobody\" does not exist"),
        ] {
            assert_eq!(found(flags).unwrap_err().to_string(), message);
        }
        let nothing = Target::find(&GlobalArgs::default(), &ConnectEnv::default()).unwrap_err();
        assert!(nothing.to_string().starts_with("no configuration has been provided"));
    }
}
