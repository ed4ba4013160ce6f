//! The environment variables that decide how a cluster is reached, read once at the edge of the program.

/// What the environment says.
#[derive(Clone, Debug, Default)]
pub struct ConnectEnv {
    /// `KUBECONFIG`: files separated by `:` (`;` on Windows).
    pub kubeconfig: Option<String>,
    /// `HOME`.
    pub home: Option<String>,
    /// `HTTPS_PROXY` or `https_proxy`.
    pub https_proxy: Option<String>,
    /// `HTTP_PROXY` or `http_proxy`.
    pub http_proxy: Option<String>,
    /// `NO_PROXY` or `no_proxy`.
    pub no_proxy: Option<String>,
    /// `KUBERNETES_SERVICE_HOST` is set: this is a pod.
    pub in_cluster: bool,
}

impl ConnectEnv {
    /// Takes what is needed from the variables; a name is asked for as it is written.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let either = |upper: &str, lower: &str| variable(upper).or_else(|| variable(lower));
        Self {
            kubeconfig: variable("KUBECONFIG"),
            home: variable("HOME").or_else(|| variable("USERPROFILE")),
            https_proxy: either("HTTPS_PROXY", "https_proxy"),
            http_proxy: either("HTTP_PROXY", "http_proxy"),
            no_proxy: either("NO_PROXY", "no_proxy"),
            in_cluster: variable("KUBERNETES_SERVICE_HOST").is_some(),
        }
    }
}
