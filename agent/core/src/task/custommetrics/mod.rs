//! Inputs of the task `custommetrics`: metrics from databases and REST APIs, whose requests a template makes. Asking is the
//! agent's business; [`template`] is what a rendered template says, [`buckets`] what histograms say.

pub mod buckets;
pub mod template;
mod values;

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

pub use values::{ElapsedError, elapsed_seconds, merged};

use super::TemplateSource;
use super::credential::{Credential, Placed, is_secret_name};
use super::load::Tls;
use crate::duration::GoDuration;
use crate::result::Version;
use crate::scalar::{Count, Text};
use crate::schema::Problem;
use crate::suggest::nearest;

/// The names of the templates that are built in.
pub const BUILT_IN: [&str; 13] = [
    "datadog",
    "dynatrace",
    "elasticsearch",
    "envoy-prom",
    "graphite",
    "influxdb",
    "influxdb2",
    "istio-prom",
    "linkerd-prom",
    "newrelic",
    "nginx-ingress-prom",
    "prometheus",
    "sysdig",
];

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_RETRIES: u64 = 3;

/// Brings in metrics from databases and REST APIs.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct CustomMetrics {
    /// A template for each provider of metrics: a URL, a path, the name of one that is built in, or its text.
    #[serde(default)]
    pub templates: BTreeMap<String, Text>,
    /// What templates see.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub values: Map<String, Value>,
    /// What they see for each version, over `values`; one version when not given. `version` and `track` name it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub version_values: Vec<Map<String, Value>>,
    /// How all providers are asked.
    #[serde(flatten)]
    pub access: Access,
    /// How a provider is asked, by the name of its template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub providers: BTreeMap<String, Access>,
}

/// How a provider is asked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(deny_unknown_fields)]
pub struct Access {
    /// Headers of every request, over those of the template.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Credential>,
    /// The token of the header `Authorization: Bearer`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bearer_token: Option<Credential>,
    /// User and password of the header `Authorization: Basic`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basic_auth: Option<BasicAuth>,
    /// Whom to trust, and who asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// How long a query may take with all its tries; 30s when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// How often a query is asked again that was answered with 429 or 5xx, or not at all; 3 when not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Count>,
}

/// A user with a password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BasicAuth {
    /// The user.
    pub username: Credential,
    /// The password.
    pub password: Credential,
}

impl Access {
    /// `self` where it says something, else `common`; headers are merged one by one, and who says one way to
    /// authenticate does not inherit another.
    fn over(&self, common: &Self) -> Self {
        let mut headers = common.headers.clone();
        headers.extend(self.headers.clone());
        let authenticates = self.bearer_token.is_some() || self.basic_auth.is_some();
        let (bearer_token, basic_auth) = if authenticates {
            (&self.bearer_token, &self.basic_auth)
        } else {
            (&common.bearer_token, &common.basic_auth)
        };
        Self {
            headers,
            bearer_token: bearer_token.clone(),
            basic_auth: basic_auth.clone(),
            tls: self.tls.clone().or_else(|| common.tls.clone()),
            timeout: self.timeout.or(common.timeout),
            retries: self.retries.or(common.retries),
        }
    }

    /// How long a query may take with all its tries.
    pub fn timeout(&self) -> Duration {
        self.timeout.map_or(DEFAULT_TIMEOUT, |timeout| timeout.0)
    }

    /// How often it is asked again.
    pub fn retries(&self) -> u64 {
        self.retries.map_or(DEFAULT_RETRIES, |retries| retries.0)
    }

    fn credentials(&self) -> Vec<Placed<'_>> {
        let placed = |path: &str, credential| Placed { path: path.to_owned(), credential };
        let mut all: Vec<_> =
            self.headers.iter().map(|(name, credential)| placed(&format!("headers.{name}"), credential)).collect();
        all.extend(self.bearer_token.iter().map(|token| placed("bearerToken", token)));
        if let Some(BasicAuth { username, password }) = &self.basic_auth {
            all.extend([placed("basicAuth.username", username), placed("basicAuth.password", password)]);
        }
        all
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for Placed { path, credential } in self.credentials() {
            problems.extend(credential.validate().into_iter().map(|problem| problem.under(&path)));
        }
        if self.bearer_token.is_some() && self.basic_auth.is_some() {
            problems.push(Problem::at("basicAuth", "contradicts bearerToken: give one of them"));
        }
        if let Some(tls) = &self.tls {
            problems.extend(tls.validate_by_host().into_iter().map(|problem| problem.under("tls")));
        }
        if self.timeout.is_some_and(|timeout| timeout.0.is_zero()) {
            problems.push(Problem::at("timeout", "must be more than 0"));
        }
        problems
    }
}

impl CustomMetrics {
    /// How the provider with this template is asked.
    pub fn access(&self, template: &str) -> Access {
        self.providers.get(template).map_or_else(|| self.access.clone(), |own| own.over(&self.access))
    }

    /// The versions that metrics are asked for, each with its name and what templates see; a single one without a name
    /// when versions are not told apart.
    pub fn versions(&self) -> Vec<(Option<Version>, Map<String, Value>)> {
        if self.version_values.is_empty() {
            return vec![(None, self.values.clone())];
        }
        let text = |values: &Map<String, Value>, key: &str| match values.get(key) {
            Some(Value::String(text)) if !text.is_empty() => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            _ => None,
        };
        let version = |own: &Map<String, Value>| {
            let named = Version { version: text(own, "version"), track: text(own, "track") };
            (Some(named), merged(&self.values, own))
        };
        self.version_values.iter().map(version).collect()
    }

    /// The credentials among the inputs, each with its place.
    pub fn credentials(&self) -> Vec<Placed<'_>> {
        // Typed as it is, a header is secret only if its name says so, and a user's name is not.
        let is_secret = |placed: &Placed<'_>| {
            let header = placed.path.strip_prefix("headers.");
            placed.credential.plain().is_none() || header.map_or(placed.path != "basicAuth.username", is_secret_name)
        };
        let mut all: Vec<_> = self.access.credentials().into_iter().filter(is_secret).collect();
        for (name, access) in &self.providers {
            let place = format!("providers.{name}");
            all.extend(access.credentials().into_iter().filter(is_secret).map(|placed| placed.under(&place)));
        }
        all
    }

    /// The settings of TLS among the inputs.
    pub fn tls(&self) -> impl Iterator<Item = &Tls> {
        self.access.tls.iter().chain(self.providers.values().filter_map(|access| access.tls.as_ref()))
    }

    /// How long the task takes at most: nothing is asked one after another for longer than a provider may take.
    pub fn expected_duration(&self) -> Duration {
        self.templates
            .keys()
            .map(|template| self.access(template).timeout())
            .fold(Duration::ZERO, Duration::saturating_add)
    }

    pub(crate) fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if self.templates.is_empty() {
            let message =
                "is required: name a template for each provider of metrics, as in templates.istio-prom=istio-prom";
            problems.push(Problem::at("templates", message));
        }
        for (name, template) in &self.templates {
            let place = format!("templates.{name}");
            if !template::is_word(name) {
                problems.push(Problem::at(&place, "names metrics: use a word without `/`, as in istio-prom"));
            }
            match TemplateSource::of(template).built_in() {
                Some("") => {
                    problems
                        .push(Problem::at(&place, "is empty: give a URL, a path, a name or the text of a template"));
                }
                Some(unknown) if !BUILT_IN.contains(&unknown) => {
                    let hint = match nearest(unknown, BUILT_IN) {
                        Some(meant) => format!("did you mean `{meant}`?"),
                        None => format!("built in are {}", BUILT_IN.join(", ")),
                    };
                    problems.push(Problem::at(&place, format!("names `{unknown}`, which is not built in; {hint}")));
                }
                Some(_) | None => {}
            }
        }
        problems.extend(self.access.validate());
        for (name, access) in &self.providers {
            let place = format!("providers.{name}");
            if !self.templates.contains_key(name) {
                let known = self.templates.keys().map(String::as_str);
                let hint = nearest(name, known).map(|meant| format!("; did you mean `{meant}`?")).unwrap_or_default();
                problems.push(Problem::at(&place, format!("has no template among templates{hint}")));
            }
            problems.extend(access.validate().into_iter().map(|problem| problem.under(&place)));
        }
        for (index, (_, values)) in self.versions().iter().enumerate() {
            if let Err(error) = values::starting_time(values) {
                let place = if self.version_values.is_empty() {
                    "values".to_owned()
                } else {
                    format!("versionValues[{index}]")
                };
                problems.push(Problem::at(&format!("{place}.startingTime"), error.to_string()));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::schema::{check, schema_of};

    fn said(value: Value) -> Vec<String> {
        let problems = check(&value, &schema_of::<CustomMetrics>());
        let problems = if problems.is_empty() { read(value).validate() } else { problems };
        problems.iter().map(ToString::to_string).collect()
    }

    fn read(value: Value) -> CustomMetrics {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let with = |more: Value| {
            let mut inputs = json!({ "templates": { "istio-prom": "istio-prom" } });
            inputs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            inputs
        };
        for (value, message) in [
            (
                json!({}),
                "`templates` is required: name a template for each provider of metrics, as in templates.istio-prom=istio-prom",
            ),
            (
                json!({ "templates": { "a": "istio-pro" } }),
                "`templates.a` names `istio-pro`, which is not built in; did you mean `istio-prom`?",
            ),
            (
                json!({ "templates": { "a": "" } }),
                "`templates.a` is empty: give a URL, a path, a name or the text of a template",
            ),
            (json!({ "templates": ["a"] }), "`templates` must be a map, got a list"),
            (with(json!({ "vaules": {} })), "`vaules` is not a known key; did you mean `values`?"),
            (with(json!({ "values": 5 })), "`values` must be a map, got 5"),
            (with(json!({ "timeout": "5" })), "`timeout` must be a duration such as 500ms, 30s or 5m, got \"5\""),
            (with(json!({ "timeout": "0s" })), "`timeout` must be more than 0"),
            (
                with(json!({ "bearerToken": "a-token", "basicAuth": { "username": "a", "password": "b" } })),
                "`basicAuth` contradicts bearerToken: give one of them",
            ),
            (
                with(json!({ "providers": { "istio-pron": {} } })),
                "`providers.istio-pron` has no template among templates; did you mean `istio-prom`?",
            ),
            (
                with(json!({ "providers": { "istio-prom": { "bearerToken": { "secret": "s" } } } })),
                "`providers.istio-prom.bearerToken.key` is required with secret: name the key of the Secret that holds the text",
            ),
            (
                with(json!({ "tls": { "serverName": "a" } })),
                "`tls.serverName` cannot be chosen here: it is the URL's host",
            ),
            (
                with(json!({ "values": { "startingTime": "yesterday" } })),
                "`values.startingTime` must be a time such as 2026-01-02T15:04:05Z, got \"yesterday\"",
            ),
        ] {
            assert_eq!(said(value.clone()), [message], "{value}");
        }
        assert_eq!(
            said(with(json!({ "values": { "labels": { "a": 1 } }, "versionValues": [{ "track": "x" }] }))),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_provider_inherits_what_it_does_not_say() {
        let inputs = read(json!({
            "templates": { "a": "prometheus", "b": "influxdb" },
            "headers": { "X-Scope-OrgID": "t1", "X-A": "1" }, "bearerToken": "common", "timeout": "5s",
            "providers": { "b": { "headers": { "X-A": "2" }, "basicAuth": { "username": "u", "password": "p" } } },
        }));
        let (a, b) = (inputs.access("a"), inputs.access("b"));
        assert_eq!((a.bearer_token.is_some(), a.basic_auth.is_some()), (true, false));
        assert_eq!((b.bearer_token.is_some(), b.basic_auth.is_some()), (false, true));
        assert_eq!(b.timeout(), Duration::from_secs(5));
        let headers: Vec<_> = b.headers.iter().map(|(name, value)| (name.as_str(), value.plain())).collect();
        assert_eq!(headers, [("X-A", Some("2")), ("X-Scope-OrgID", Some("t1"))]);
        let places: Vec<String> = inputs.credentials().into_iter().map(|placed| placed.path).collect();
        assert_eq!(places, ["bearerToken", "providers.b.basicAuth.password"]);
    }

    #[test]
    fn versions_have_the_names_that_their_values_give_them() {
        let inputs = read(json!({
            "templates": { "a": "prometheus" }, "values": { "x": 1 },
            "versionValues": [{ "track": "baseline", "version": 2 }, { "x": 3 }],
        }));
        let versions = inputs.versions();
        assert_eq!(versions[0].0, Some(Version { version: Some("2".into()), track: Some("baseline".into()) }));
        assert_eq!((versions[0].1["x"].clone(), versions[1].1["x"].clone()), (json!(1), json!(3)));
        assert_eq!(versions[1].0, Some(Version::default()));
        assert_eq!(read(json!({ "templates": {} })).versions(), [(None, Map::new())]);
    }
}
