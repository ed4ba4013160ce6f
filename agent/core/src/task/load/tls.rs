//! Settings of TLS: whom a task trusts, and who it is. Reading certificates is the business of whoever runs it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::scalar::{Flag, Text};
use crate::schema::Problem;

/// How TLS is spoken with an https URL. Certificates and keys are given as PEM, or as the path of a file that the agent
/// sees.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// A Secret in the experiment's namespace with `ca.crt`, `tls.crt` and `tls.key`, or some of them, which the pod mounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Text>,
    /// Certificates to trust in place of the system's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca: Option<Text>,
    /// The certificate that the agent shows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cert: Option<Text>,
    /// The private key of `cert`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// Trust whatever certificate is shown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub insecure: Option<Flag>,
    /// Name that the target's certificate must have, in place of the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<Text>,
}

/// Where a certificate or a key is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pem {
    /// Here.
    Text(String),
    /// In a file.
    Path(String),
}

impl Pem {
    /// What a text is: PEM has a line that begins it (RFC 7468), which no path has.
    pub fn of(text: &Text) -> Self {
        let text = text.0.clone();
        if text.contains("-----BEGIN ") { Self::Text(text) } else { Self::Path(text) }
    }
}

impl Tls {
    /// What is wrong with it. No message holds a certificate or a key.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(secret) = self.secret.as_ref().filter(|secret| !is_object_name(&secret.0)) {
            let message = format!("must be the name of a Secret, as in shop-tls, got `{}`", secret.0);
            problems.push(Problem::at("secret", message));
        }
        for (key, text) in
            [("ca", &self.ca), ("cert", &self.cert), ("key", &self.key), ("serverName", &self.server_name)]
        {
            if text.as_ref().is_some_and(|text| text.0.trim().is_empty()) {
                problems.push(Problem::at(key, "must not be empty"));
            }
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => {
                problems.push(Problem::at("key", "is required with cert: it is the certificate's private key"));
            }
            (None, Some(_)) => problems.push(Problem::at("cert", "is required with key: it is what the agent shows")),
            (Some(_), Some(_)) if self.secret.is_some() => {
                problems.push(Problem::at("secret", "contradicts cert and key, which it holds: give one of them"));
            }
            (Some(_), Some(_)) | (None, None) => {}
        }
        if self.insecure.is_some_and(|insecure| insecure.0) && self.ca.is_some() {
            problems.push(Problem::at("insecure", "is true, which contradicts ca: nothing is checked by it then"));
        }
        problems
    }

    /// The same where a certificate's name is the URL's host, and nothing else can be asked for.
    pub fn validate_by_host(&self) -> Vec<Problem> {
        let mut problems = self.validate();
        if self.server_name.is_some() {
            problems.push(Problem::at("serverName", "cannot be chosen here: it is the URL's host"));
        }
        problems
    }
}

/// A name of an object of Kubernetes (RFC 1123, a subdomain).
pub(crate) fn is_object_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte);
    let ends = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric());
    name.len() <= 253 && name.bytes().all(fits) && ends(name.bytes().next()) && ends(name.bytes().last())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn said(value: Value) -> Vec<String> {
        let tls: Tls = serde_json::from_value(value).unwrap();
        tls.validate().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn pem_is_told_from_a_path() {
        assert!(matches!(Pem::of(&Text("-----BEGIN CERTIFICATE-----\n…".into())), Pem::Text(_)));
        assert_eq!(Pem::of(&Text("/tls/ca.crt".into())), Pem::Path("/tls/ca.crt".into()));
    }

    #[test]
    fn what_belongs_together_comes_together_and_no_key_is_shown() {
        let key = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----";
        for (value, message) in [
            (json!({ "cert": "c" }), "`key` is required with cert: it is the certificate's private key"),
            (json!({ "key": key }), "`cert` is required with key: it is what the agent shows"),
            (
                json!({ "secret": "shop", "cert": "c", "key": key }),
                "`secret` contradicts cert and key, which it holds: give one of them",
            ),
            (json!({ "secret": "Shop/TLS" }), "`secret` must be the name of a Secret, as in shop-tls, got `Shop/TLS`"),
            (json!({ "ca": " " }), "`ca` must not be empty"),
            (
                json!({ "ca": "c", "insecure": true }),
                "`insecure` is true, which contradicts ca: nothing is checked by it then",
            ),
        ] {
            assert_eq!(said(value.clone()), [message], "{value}");
        }
        assert_eq!(said(json!({ "secret": "shop-tls", "ca": "/ca.pem", "serverName": "shop" })), Vec::<String>::new());
    }
}
