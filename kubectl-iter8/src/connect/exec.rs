//! Credential plugins (client.authentication.k8s.io): run once for a call of the program, and what they answer is put in
//! place of them. The client library would run them several times.

use std::process::{Command, Stdio};

use kube::config::{AuthInfo, ExecAuthCluster, ExecConfig, ExecInteractiveMode};
use serde::Deserialize;
use serde_json::json;

use super::error::ConnectError;

#[derive(Deserialize)]
struct Credential {
    status: Option<Status>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    token: Option<String>,
    client_certificate_data: Option<String>,
    client_key_data: Option<String>,
}

/// Replaces the plugin in `auth`, if there is one, by the credentials it gives.
pub(super) fn resolve(auth: &mut AuthInfo, cluster: &ExecAuthCluster) -> Result<(), ConnectError> {
    let Some(exec) = auth.exec.take() else { return Ok(()) };
    let status = run(&exec, cluster)?;
    auth.token = status.token.map(Into::into);
    if let (Some(certificate), Some(key)) = (status.client_certificate_data, status.client_key_data) {
        use base64::Engine as _;
        let encode = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
        auth.client_certificate_data = Some(encode(certificate));
        auth.client_key_data = Some(encode(key).into());
    }
    Ok(())
}

fn run(exec: &ExecConfig, cluster: &ExecAuthCluster) -> Result<Status, ConnectError> {
    let name = exec.command.clone().unwrap_or_default();
    let interactive = exec.interactive_mode != Some(ExecInteractiveMode::Never);
    let mut spec = json!({ "interactive": interactive });
    if exec.provide_cluster_info {
        spec["cluster"] = json!(cluster);
    }
    let info = json!({ "apiVersion": exec.api_version, "kind": "ExecCredential", "spec": spec });
    let mut command = Command::new(&name);
    command.args(exec.args.iter().flatten()).env("KUBERNETES_EXEC_INFO", info.to_string());
    for variable in exec.env.iter().flatten() {
        if let (Some(name), Some(value)) = (variable.get("name"), variable.get("value")) {
            command.env(name, value);
        }
    }
    command.stdin(if interactive { Stdio::inherit() } else { Stdio::null() }).stderr(Stdio::inherit());
    let failed =
        |reason: String| ConnectError::Plugin { command: name.clone(), reason, hint: exec.install_hint.clone() };
    let output = command.output().map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(output.status.to_string()));
    }
    // JSON is YAML, and some plugins write YAML.
    let text = String::from_utf8_lossy(&output.stdout);
    let credential: Credential =
        serde_yaml::from_str(&text).map_err(|_| failed("its answer is no ExecCredential".to_owned()))?;
    let status = credential.status.ok_or_else(|| failed("its answer has no status".to_owned()))?;
    if status.token.is_none() && (status.client_certificate_data.is_none() || status.client_key_data.is_none()) {
        return Err(failed("it gave neither a token nor a certificate with its key".to_owned()));
    }
    Ok(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plugin(script: &str) -> (tempfile::TempDir, AuthInfo) {
        let directory = tempfile::tempdir().unwrap();
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": "sh", "args": ["-c", script], "provideClusterInfo": true,
            "env": [{ "name": "COUNT", "value": directory.path().join("count").display().to_string() }],
            "installHint": "get it somewhere",
        });
        (directory, serde_json::from_value(json!({ "exec": exec })).unwrap())
    }

    fn cluster() -> ExecAuthCluster {
        serde_json::from_value(json!({ "server": "https://api" })).unwrap()
    }

    #[test]
    fn the_plugin_runs_once_and_its_token_is_used() {
        use secrecy::ExposeSecret as _;
        let script = r#"echo x >> $COUNT; case $KUBERNETES_EXEC_INFO in *https://api*) echo '{"kind": "ExecCredential", "status": {"token": "t0ken"}}';; esac"#;
        let (directory, mut auth) = plugin(script);
        resolve(&mut auth, &cluster()).unwrap();
        assert!(auth.exec.is_none());
        assert_eq!(auth.token.unwrap().expose_secret(), "t0ken");
        assert_eq!(std::fs::read_to_string(directory.path().join("count")).unwrap(), "x\n");
    }

    #[test]
    fn a_plugin_that_fails_is_named_with_its_hint() {
        let (_directory, mut auth) = plugin("exit 3");
        let error = resolve(&mut auth, &cluster()).unwrap_err();
        assert!(
            matches!(&error, ConnectError::Plugin { hint: Some(hint), .. } if hint == "get it somewhere"),
            "{error}"
        );
        let (_directory, mut auth) = plugin("echo '{}'");
        assert!(resolve(&mut auth, &cluster()).is_err());
    }
}
