//! A text that may be secret: the text itself, or where it is, so that it stands in no values. Getting hold of what a
//! reference names is the agent's business.

use std::borrow::Cow;
use std::collections::BTreeMap;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::load::is_object_name;
use crate::scalar::Text;
use crate::schema::Problem;

/// Where the pod mounts the Secrets that inputs refer to, each in a folder with its name. The chart says so too.
pub const MOUNTS: &str = "/etc/iter8-secrets";

/// Names (or parts of names) of headers and query parameters whose values are secret.
const SECRET_NAMES: [&str; 9] =
    ["authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "signature"];

/// A text that may be secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Credential {
    /// The text itself.
    Plain(Text),
    /// Where it is.
    Reference(Reference),
}

/// Where a text is, as it is written: exactly one of `secret` with `key`, and `env`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Reference {
    /// A Secret in the experiment's namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Text>,
    /// The key of the Secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Text>,
    /// A variable in the environment of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub env: Option<Text>,
    /// What goes before the text, as in `Bearer `.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prefix: Option<Text>,
}

/// Where a text is, when its reference has no problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source<'a> {
    /// Here.
    Plain(&'a str),
    /// Under a key of a Secret.
    Secret {
        /// Name of the Secret.
        name: &'a str,
        /// The key.
        key: &'a str,
    },
    /// In a variable of the environment.
    Env(&'a str),
}

/// A credential among the inputs of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed<'a> {
    /// Where it stands, relative to the inputs of the task.
    pub path: String,
    /// It.
    pub credential: &'a Credential,
}

impl Placed<'_> {
    /// The same as part of what stands under `place`.
    pub(super) fn under(self, place: &str) -> Self {
        Self { path: format!("{place}.{}", self.path), ..self }
    }
}

impl Credential {
    /// Where the text is.
    pub fn source(&self) -> Source<'_> {
        let reference = match self {
            Self::Plain(Text(text)) => return Source::Plain(text),
            Self::Reference(reference) => reference,
        };
        match &reference.env {
            Some(Text(variable)) => Source::Env(variable.trim()),
            None => Source::Secret { name: trimmed(&reference.secret), key: trimmed(&reference.key) },
        }
    }

    /// What goes before what a reference names.
    pub fn prefix(&self) -> &str {
        match self {
            Self::Plain(_) => "",
            Self::Reference(reference) => reference.prefix.as_ref().map_or("", |prefix| &prefix.0),
        }
    }

    /// The text, if it stands here.
    pub fn plain(&self) -> Option<&str> {
        match self.source() {
            Source::Plain(text) => Some(text),
            Source::Secret { .. } | Source::Env(_) => None,
        }
    }

    /// What is wrong with it where a text may be anything, even empty: with a reference.
    pub fn reference_problems(&self) -> Vec<Problem> {
        if self.plain().is_some() { Vec::new() } else { self.validate() }
    }

    /// What is wrong with it. No message holds a text that may be secret.
    pub fn validate(&self) -> Vec<Problem> {
        let reference = match self {
            Self::Plain(Text(text)) if text.trim().is_empty() => {
                let message = "is empty: give the text, or where it is, as in {secret: NAME, key: KEY}";
                return vec![Problem::at("", message)];
            }
            Self::Plain(_) => return Vec::new(),
            Self::Reference(reference) => reference,
        };
        match (&reference.secret, &reference.key, &reference.env) {
            (None, None, None) => {
                vec![Problem::at("", "must be a text, {secret: NAME, key: KEY} or {env: VARIABLE}")]
            }
            (Some(_), None, None) => {
                vec![Problem::at("key", "is required with secret: name the key of the Secret that holds the text")]
            }
            (None, Some(_), None) => {
                vec![Problem::at("secret", "is required with key: name the Secret that has it")]
            }
            (Some(Text(name)), Some(Text(key)), None) => {
                let mut problems = Vec::new();
                if !is_object_name(name.trim()) {
                    let message = format!("must be the name of a Secret, as in shop-tokens, got `{name}`");
                    problems.push(Problem::at("secret", message));
                }
                if !is_key(key.trim()) {
                    let message = format!("must be a key of a Secret, as in token, got `{key}`");
                    problems.push(Problem::at("key", message));
                }
                problems
            }
            (None, None, Some(Text(variable))) if !is_variable(variable.trim()) => {
                let message = format!("must be the name of a variable, as in SLACK_URL, got `{variable}`");
                vec![Problem::at("env", message)]
            }
            (None, None, Some(_)) => Vec::new(),
            (_, _, Some(_)) => {
                vec![Problem::at("env", "contradicts secret and key: the text comes from one of them")]
            }
        }
    }
}

/// As it stands in messages: where it is, never what it is.
impl std::fmt::Display for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.source() {
            Source::Plain(_) => f.write_str("a text of the values"),
            Source::Secret { name, key } => write!(f, "key `{key}` of the Secret `{name}`"),
            Source::Env(variable) => write!(f, "the variable {variable}"),
        }
    }
}

/// One schema for all forms, because a union of several gives no good messages; what contradicts is found later.
impl JsonSchema for Credential {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Credential".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut property = |description: &str| {
            let mut schema = Text::json_schema(generator);
            schema.insert("description".to_owned(), description.into());
            schema
        };
        json_schema!({
            "type": ["string", "number", "boolean", "object"],
            "properties": {
                "secret": property("A Secret in the experiment's namespace, which the pod mounts."),
                "key": property("The key of the Secret that holds the text."),
                "env": property("A variable in the environment of the agent, in place of a Secret."),
                "prefix": property("What goes before the text, as in `Bearer `."),
            },
            "additionalProperties": false,
        })
    }
}

/// The credentials of a map under `key`, such as that of headers: what their names say is secret.
pub(super) fn named<'a>(key: &str, map: &'a BTreeMap<String, Credential>) -> Vec<Placed<'a>> {
    let secret = map.iter().filter(|(name, _)| is_secret_name(name));
    secret.map(move |(name, credential)| Placed { path: format!("{key}.{name}"), credential }).collect()
}

/// Whether a header or a query parameter of this name has a secret as its value.
pub fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

fn trimmed(text: &Option<Text>) -> &str {
    text.as_ref().map_or("", |text| text.0.trim())
}

/// A key of a Secret, by the rule of Kubernetes' API for `data`.
fn is_key(key: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    (1..=253).contains(&key.len()) && key.bytes().all(fits) && key != "." && !key.starts_with("..")
}

/// A name of an environment variable: what a shell can set (POSIX, 8.1), in either case.
pub(super) fn is_variable(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !name.is_empty() && name.bytes().all(fits) && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::schema::{check, schema_of};

    fn read(value: Value) -> Credential {
        serde_json::from_value(value).unwrap()
    }

    fn said(value: Value) -> Vec<String> {
        let problems = check(&value, &schema_of::<Credential>());
        let problems = if problems.is_empty() { read(value).validate() } else { problems };
        problems.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_text_is_itself_whatever_scalar_it_was_written_as() {
        for (value, text) in [(json!("t0ken"), "t0ken"), (json!(12345), "12345"), (json!(true), "true")] {
            assert_eq!(said(value.clone()), Vec::<String>::new());
            assert_eq!(read(value).plain(), Some(text));
        }
    }

    #[test]
    fn a_reference_says_where_the_text_is_and_what_goes_before_it() {
        let secret = read(json!({ "secret": "shop", "key": "token", "prefix": "Bearer " }));
        assert_eq!(secret.source(), Source::Secret { name: "shop", key: "token" });
        assert_eq!((secret.prefix(), secret.plain()), ("Bearer ", None));
        assert_eq!(secret.to_string(), "key `token` of the Secret `shop`");
        assert_eq!(read(json!({ "env": "TOKEN" })).source(), Source::Env("TOKEN"));
        assert_eq!(read(json!({ "secret": 5, "key": 6 })).source(), Source::Secret { name: "5", key: "6" });
        assert_eq!(read(json!("s3cret")).to_string(), "a text of the values");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        for (value, message) in [
            (json!(" "), "is empty: give the text, or where it is, as in {secret: NAME, key: KEY}"),
            (json!({}), "must be a text, {secret: NAME, key: KEY} or {env: VARIABLE}"),
            (json!({ "prefix": "a" }), "must be a text, {secret: NAME, key: KEY} or {env: VARIABLE}"),
            (json!(["a"]), "must be a text, got a list"),
            (
                json!({ "secret": "shop" }),
                "`key` is required with secret: name the key of the Secret that holds the text",
            ),
            (json!({ "key": "a" }), "`secret` is required with key: name the Secret that has it"),
            (
                json!({ "secret": "Shop/x", "key": "a" }),
                "`secret` must be the name of a Secret, as in shop-tokens, got `Shop/x`",
            ),
            (json!({ "secret": "s", "key": "../a" }), "`key` must be a key of a Secret, as in token, got `../a`"),
            (json!({ "secret": "s", "key": "" }), "`key` must be a key of a Secret, as in token, got ``"),
            (json!({ "env": "A B" }), "`env` must be the name of a variable, as in SLACK_URL, got `A B`"),
            (json!({ "env": "A", "key": "b" }), "`env` contradicts secret and key: the text comes from one of them"),
            (json!({ "secret": "a", "keey": "b" }), "`keey` is not a known key; did you mean `key`?"),
            (json!({ "secret": {}, "key": "b" }), "`secret` must be a text, got a map"),
        ] {
            assert_eq!(said(value.clone()), [message], "{value}");
        }
    }

    #[test]
    fn it_is_written_as_it_was_read() {
        for value in [json!("a"), json!({ "secret": "s", "key": "k" }), json!({ "env": "E", "prefix": "p" })] {
            assert_eq!(serde_json::to_value(read(value.clone())).unwrap(), value);
        }
    }
}
