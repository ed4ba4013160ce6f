//! Which version of the app a load is sent to, and whether its endpoints agree on that. How versions of a result are told
//! apart and numbered is the business of [`crate::record`].

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::result::Version;
use crate::scalar::Text;
use crate::schema::Problem;

/// The version of the app that is tested.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AppVersion {
    /// The version of the app that is tested, as in the label app.kubernetes.io/version. With it or `track` the metrics of
    /// the task are told apart by versions, each over all its endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Text>,
    /// What that version is in the experiment, such as baseline or candidate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub track: Option<Text>,
}

impl AppVersion {
    /// The version, if it is named. An empty text names none.
    pub fn name(&self) -> Option<Version> {
        let text = |text: &Option<Text>| text.as_ref().map(|text| text.0.clone()).filter(|text| !text.is_empty());
        let (version, track) = (text(&self.version), text(&self.track));
        (version.is_some() || track.is_some()).then_some(Version { version, track })
    }
}

/// What an endpoint says of its version.
pub struct Claim<'a> {
    /// The endpoint's name.
    pub id: &'a str,
    /// What it says itself.
    pub own: &'a AppVersion,
    /// What holds for it.
    pub all: &'a AppVersion,
}

/// What is wrong with the versions of endpoints: every measurement has to belong to one version, or none to any.
pub fn version_problems(task: &AppVersion, claims: &[Claim<'_>]) -> Vec<Problem> {
    let mut problems: Vec<Problem> = claims.iter().filter_map(|claim| half_said(task, claim)).collect();
    let named: Vec<(&str, Version)> = claims.iter().filter_map(|claim| Some((claim.id, claim.all.name()?))).collect();
    let Some((first, _)) = named.first().filter(|_| problems.is_empty()) else { return problems };
    for Claim { id, .. } in claims.iter().filter(|claim| claim.all.name().is_none()) {
        let message = format!("has neither version nor track, but endpoint `{first}` has: give it one too");
        problems.push(Problem::at(&format!("endpoints.{id}"), message));
    }
    for (index, (id, name)) in named.iter().enumerate() {
        let is_other = |earlier: &Version| earlier.version.is_some() && earlier.version != name.version;
        let clash = named[..index].iter().find(|(_, earlier)| earlier.track == name.track && is_other(earlier));
        if let (Some((other, earlier)), Some(track), Some(version)) = (clash, &name.track, &name.version) {
            let theirs = earlier.version.as_deref().unwrap_or_default();
            let message = format!(
                "is `{version}`, but endpoint `{other}` of the same track `{track}` has `{theirs}`: give them different tracks"
            );
            problems.push(Problem::at(&format!("endpoints.{id}.version"), message));
        }
    }
    problems
}

/// A version of its own with the task's track, or the other way round, would be one that nobody meant.
fn half_said(task: &AppVersion, Claim { id, own, .. }: &Claim<'_>) -> Option<Problem> {
    let (version, track) = (task.version.as_ref()?, task.track.as_ref()?);
    let (key, said, other, inherited) = match (&own.version, &own.track) {
        (Some(said), None) if said != version => ("version", said, "track", track),
        (None, Some(said)) if said != track => ("track", said, "version", version),
        (Some(_) | None, Some(_) | None) => return None,
    };
    let message =
        format!("is `{}`, but its {other} would be the task's, `{}`: set its {other} too", said.0, inherited.0);
    Some(Problem::at(&format!("endpoints.{id}.{key}"), message))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use crate::task::Task;

    /// What is wrong with these inputs, which are the same for every load.
    fn problems(with: &Value) -> Vec<String> {
        let said = |task: &str, common: Value| {
            let mut inputs = with.clone();
            inputs.as_object_mut().unwrap().extend(common.as_object().unwrap().clone());
            match Task::parse(task, &inputs).expect("is a task") {
                Ok(_) => Vec::new(),
                Err(problems) => problems.iter().map(ToString::to_string).collect(),
            }
        };
        let found = said("http", json!({ "url": "http://a" }));
        assert_eq!(said("grpc", json!({ "host": "a:1", "call": "p.S.M" })), found);
        found
    }

    #[test]
    fn every_endpoint_is_of_one_version_or_none_is() {
        for (with, message) in [
            (
                json!({ "endpoints": { "a": { "track": "baseline" }, "b": {} } }),
                "`endpoints.b` has neither version nor track, but endpoint `a` has: give it one too",
            ),
            (
                json!({ "version": "v1", "endpoints": { "a": {}, "b": { "version": "" } } }),
                "`endpoints.b` has neither version nor track, but endpoint `a` has: give it one too",
            ),
            (
                json!({ "endpoints": { "a": { "track": "x", "version": 1 }, "b": { "track": "x", "version": 2 } } }),
                "`endpoints.b.version` is `2`, but endpoint `a` of the same track `x` has `1`: give them different tracks",
            ),
            (
                json!({ "track": "candidate", "version": "v2", "endpoints": { "a": { "track": "baseline" }, "b": {} } }),
                "`endpoints.a.track` is `baseline`, but its version would be the task's, `v2`: set its version too",
            ),
            (
                json!({ "track": "candidate", "version": "v2", "endpoints": { "a": { "version": "v1" }, "b": {} } }),
                "`endpoints.a.version` is `v1`, but its track would be the task's, `candidate`: set its track too",
            ),
            (json!({ "version": ["v1"] }), "`version` must be a text, got a list"),
            (json!({ "trak": "a" }), "`trak` is not a known key; did you mean `track`?"),
            (
                json!({ "endpoints": { "a": { "verson": "a" } } }),
                "`endpoints.a.verson` is not a known key; did you mean `version`?",
            ),
        ] {
            assert_eq!(problems(&with), [message], "{with}");
        }
    }

    #[test]
    fn endpoints_may_share_a_version_or_a_track_or_what_the_task_says() {
        for with in [
            json!({ "endpoints": { "a": { "track": "x", "version": "v1" }, "b": { "track": "x" }, "c": { "track": "y", "version": "v1" } } }),
            json!({ "version": "v1", "endpoints": { "a": { "track": "x" }, "b": { "track": "y" } } }),
            json!({ "version": "v1", "track": "x", "endpoints": { "a": {}, "b": { "track": "x" }, "c": { "track": "y", "version": "v1" } } }),
            json!({ "version": "v1", "track": "" }),
            json!({ "version": "", "endpoints": { "a": {}, "b": {} } }),
        ] {
            assert_eq!(problems(&with), Vec::<String>::new(), "{with}");
        }
    }
}
