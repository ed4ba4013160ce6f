//! Gets hold of what credentials name: from the Secrets that the pod mounts, or from the environment. Whatever is found
//! is made known to the redactor before anyone sees it.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use iter8_core::task::Credential;
use iter8_core::task::credential::Source;

use crate::redact::Redactor;

/// Where the credentials of an experiment come from.
pub struct Credentials<'a> {
    /// The folder with a folder for each mounted Secret; None in a local run, which has no Secrets.
    pub mounts: Option<&'a Path>,
    /// The experiment's namespace, for messages.
    pub namespace: &'a str,
    /// Learns every text that was found.
    pub redactor: &'a Redactor,
}

/// Why there is no text. No message holds a credential.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// The Secret is not there, or not mounted.
    #[error("there is no Secret `{secret}` in namespace {namespace}: create it, or correct the name")]
    NoSecret {
        /// Its name.
        secret: String,
        /// Where it should be.
        namespace: String,
    },
    /// The Secret lacks the key.
    #[error("the Secret `{secret}` in namespace {namespace} has no key `{key}`; it has {}", listed(.keys))]
    NoKey {
        /// Name of the Secret.
        secret: String,
        /// Where it is.
        namespace: String,
        /// The key that was asked for.
        key: String,
        /// Those that it has.
        keys: Vec<String>,
    },
    /// There are no Secrets outside of a cluster.
    #[error(
        "a local run has no Secrets, so it cannot read key `{key}` of `{secret}`: give {{env: VARIABLE}} in its place"
    )]
    Local {
        /// Name of the Secret.
        secret: String,
        /// The key.
        key: String,
    },
    /// A variable is not set, or empty.
    #[error("the variable {0} is not set in the environment of the agent")]
    NoVariable(String),
    /// Not a text.
    #[error("{0} is not text: it is not UTF-8")]
    NotText(String),
    /// Nothing in it.
    #[error("{0} is empty")]
    Empty(String),
    /// A mounted file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

fn listed(keys: &[String]) -> String {
    if keys.is_empty() { "none".to_owned() } else { keys.join(", ") }
}

impl Credentials<'_> {
    /// The text of a credential, with its prefix.
    ///
    /// # Errors
    /// Says what is missing and where it was looked for.
    pub fn resolve(&self, credential: &Credential) -> Result<String, CredentialError> {
        let text = match credential.source() {
            // Whether it is secret is known by its place; the redactor looks there.
            Source::Plain(text) => return Ok(text.to_owned()),
            Source::Secret { name, key } => self.of_secret(name, key)?,
            Source::Env(variable) => of_environment(variable)?,
        };
        if text.is_empty() {
            return Err(CredentialError::Empty(credential.to_string()));
        }
        self.redactor.learn(&text);
        Ok(format!("{}{text}", credential.prefix()))
    }

    fn of_secret(&self, secret: &str, key: &str) -> Result<String, CredentialError> {
        let Some(mounts) = self.mounts else {
            return Err(CredentialError::Local { secret: secret.to_owned(), key: key.to_owned() });
        };
        let folder = mounts.join(secret);
        let path = folder.join(key);
        match std::fs::read(&path) {
            Ok(bytes) => {
                let text = String::from_utf8(bytes);
                let text =
                    text.map_err(|_| CredentialError::NotText(format!("key `{key}` of the Secret `{secret}`")))?;
                Ok(without_line_end(&text).to_owned())
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Err(self.missing(secret, key, &folder)),
            Err(source) => Err(CredentialError::Unreadable { path, source }),
        }
    }

    /// A Secret that is not there is mounted as an empty folder, because the mount is optional; no Secret that is of use is
    /// empty.
    fn missing(&self, secret: &str, key: &str, folder: &Path) -> CredentialError {
        let files = std::fs::read_dir(folder).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        // The kubelet keeps what it swaps in under names that begin with two dots.
        let mut keys: Vec<String> = names.filter(|name| !name.starts_with("..")).collect();
        keys.sort();
        let (secret, namespace) = (secret.to_owned(), self.namespace.to_owned());
        if keys.is_empty() {
            return CredentialError::NoSecret { secret, namespace };
        }
        CredentialError::NoKey { secret, namespace, key: key.to_owned(), keys }
    }
}

fn of_environment(variable: &str) -> Result<String, CredentialError> {
    match std::env::var(variable) {
        Ok(text) => Ok(without_line_end(&text).to_owned()),
        Err(std::env::VarError::NotPresent) => Err(CredentialError::NoVariable(variable.to_owned())),
        Err(std::env::VarError::NotUnicode(_)) => Err(CredentialError::NotText(format!("the variable {variable}"))),
    }
}

/// Files that people write end with a line end, which no credential means.
fn without_line_end(text: &str) -> &str {
    text.trim_end_matches(['\n', '\r'])
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn resolved(mounts: Option<&Path>, redactor: &Redactor, value: Value) -> Result<String, String> {
        let credential = serde_json::from_value(value).unwrap();
        let credentials = Credentials { mounts, namespace: "shop", redactor };
        credentials.resolve(&credential).map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_of_a_mounted_secret_is_read_without_the_end_of_its_line_and_known_to_the_redactor() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("chat")).unwrap();
        std::fs::write(folder.path().join("chat/token"), "s3cr3t-t0ken\n").unwrap();
        let redactor = Redactor::default();
        let reference = json!({ "secret": "chat", "key": "token", "prefix": "Bearer " });
        assert_eq!(resolved(Some(folder.path()), &redactor, reference).unwrap(), "Bearer s3cr3t-t0ken");
        assert_eq!(redactor.clean("got s3cr3t-t0ken"), "got [redacted]");
    }

    #[test]
    fn what_is_missing_is_said_in_a_sentence() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["chat", "empty"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        for (key, content) in [("url", &b"u"[..]), ("name", b"n"), ("..data", b""), ("image", b"\xff"), ("void", b"\n")]
        {
            std::fs::write(folder.path().join("chat").join(key), content).unwrap();
        }
        let mounts = Some(folder.path());
        for (mounts, value, message) in [
            (
                mounts,
                json!({ "secret": "chat", "key": "token" }),
                "the Secret `chat` in namespace shop has no key `token`; it has image, name, url, void",
            ),
            (
                mounts,
                json!({ "secret": "empty", "key": "token" }),
                "there is no Secret `empty` in namespace shop: create it, or correct the name",
            ),
            (
                mounts,
                json!({ "secret": "none", "key": "token" }),
                "there is no Secret `none` in namespace shop: create it, or correct the name",
            ),
            (
                mounts,
                json!({ "secret": "chat", "key": "image" }),
                "key `image` of the Secret `chat` is not text: it is not UTF-8",
            ),
            (mounts, json!({ "secret": "chat", "key": "void" }), "key `void` of the Secret `chat` is empty"),
            (
                None,
                json!({ "secret": "chat", "key": "token" }),
                "a local run has no Secrets, so it cannot read key `token` of `chat`: give {env: VARIABLE} in its place",
            ),
            (
                None,
                json!({ "env": "ITER8_TEST_NOT_SET" }),
                "the variable ITER8_TEST_NOT_SET is not set in the environment of the agent",
            ),
        ] {
            assert_eq!(resolved(mounts, &Redactor::default(), value).unwrap_err(), message);
        }
    }
}
