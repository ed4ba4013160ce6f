//! Whether the API server has the resource of a trigger, and what is meant by one that it does not have. Only looks.

use iter8_core::autox::values::Trigger;
use iter8_core::suggest::nearest;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroupList, APIResource};
use kube::Client;

use crate::error::{ClusterError, Failure};

/// What the API server has of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Served {
    /// It is there, or nobody may say.
    Yes,
    /// It is not there, and may come: nothing of its API group and version is. What is missing.
    NotYet(String),
    /// It is not there, and what surrounds it is: it is misspelt. The key of the trigger that is wrong, and how.
    No(&'static str, String),
}

/// Asks for the resource of a trigger.
///
/// # Errors
/// When the API server cannot be reached, or does not answer.
pub async fn served(client: &Client, trigger: &Trigger) -> Result<Served, ClusterError> {
    let (group, version) = (trigger.api_group(), trigger.version.0.as_str());
    let place = trigger.api_version();
    let listed = match group {
        "" => client.list_core_api_resources(version).await,
        _ => client.list_api_group_resources(&place).await,
    };
    let failed = |source: kube::Error| ClusterError::Api {
        action: format!("ask what the API server has of {place}"),
        source: Box::new(source),
    };
    match listed {
        Ok(list) => match (found(&trigger.resource.0, &place, &list.resources), group) {
            // The API group is easily forgotten.
            (Served::No(key, message), "") => {
                let elsewhere = group_with(client, &trigger.resource.0).await.map_err(failed)?;
                Ok(elsewhere.unwrap_or(Served::No(key, message)))
            }
            (served, _) => Ok(served),
        },
        Err(error) if Failure::of(&error) == Failure::NotFound => {
            let groups = client.list_api_groups().await.map_err(failed)?;
            Ok(absent(group, version, &groups))
        }
        // Nobody but an administrator changes that everybody may ask.
        Err(error) if Failure::of(&error) == Failure::Forbidden => Ok(Served::Yes),
        Err(error) => Err(failed(error)),
    }
}

/// What is wrong with a resource of the core group that another API group has; None when none has.
async fn group_with(client: &Client, name: &str) -> Result<Option<Served>, kube::Error> {
    let groups = client.list_api_groups().await?;
    for group in &groups.groups {
        let Some(version) = group.preferred_version.as_ref().or(group.versions.first()) else { continue };
        // A group whose server does not answer is none that is meant.
        let Ok(list) = client.list_api_group_resources(&version.group_version).await else { continue };
        if list.resources.iter().any(|resource| resource.name == name) {
            let message = format!("is missing: {name} are in the API group {}", group.name);
            return Ok(Some(Served::No("group", message)));
        }
    }
    Ok(None)
}

/// Looks for a resource among those of its API group and version.
fn found(name: &str, place: &str, resources: &[APIResource]) -> Served {
    // Subresources are listed too.
    let own = || resources.iter().filter(|resource| !resource.name.contains('/'));
    if let Some(resource) = own().find(|resource| resource.name == name) {
        return if resource.namespaced {
            Served::Yes
        } else {
            Served::No("resource", format!("is `{name}`, which is in no namespace: a trigger is in one"))
        };
    }
    let is_other_name = |resource: &&APIResource| {
        let short = resource.short_names.iter().flatten();
        let names = short.chain([&resource.kind, &resource.singular_name]);
        names.into_iter().any(|other| other.eq_ignore_ascii_case(name))
    };
    let namespaced = || own().filter(|resource| resource.namespaced).map(|resource| resource.name.as_str());
    let meant =
        own().find(is_other_name).map(|resource| resource.name.as_str()).or_else(|| nearest(name, namespaced()));
    let then = match meant {
        Some(meant) => format!("did you mean {meant}?"),
        None => format!("it has {}", shortened(namespaced())),
    };
    Served::No("resource", format!("is `{name}`, and {place} has no such resource: {then}"))
}

/// Nothing of the API group and version is there.
fn absent(group: &str, version: &str, groups: &APIGroupList) -> Served {
    if group.is_empty() {
        return Served::No(
            "version",
            format!("is `{version}`, and the core group has v1: write v1, or name the API group"),
        );
    }
    if let Some(known) = groups.groups.iter().find(|known| known.name == group) {
        let versions = shortened(known.versions.iter().map(|version| version.version.as_str()));
        return Served::No("version", format!("is `{version}`, and the API server has {group} in {versions}"));
    }
    let meant = nearest(group, groups.groups.iter().map(|known| known.name.as_str()));
    let meant = meant.map(|meant| format!("; did you mean {meant}?")).unwrap_or_default();
    Served::NotYet(format!("the API server has no group {group} yet{meant}"))
}

/// The first few of some names.
fn shortened<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names[..names.len().min(8)].join(", ");
    if names.len() > 8 { format!("{shown} and others") } else { shown }
}

#[cfg(test)]
mod tests {
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{APIGroup, GroupVersionForDiscovery};

    use super::*;

    fn resource(name: &str, kind: &str, short: &str, namespaced: bool) -> APIResource {
        APIResource {
            name: name.into(),
            kind: kind.into(),
            singular_name: kind.to_lowercase(),
            short_names: Some(vec![short.into()]),
            namespaced,
            ..APIResource::default()
        }
    }

    fn apps(name: &str) -> Served {
        let resources = [
            resource("deployments", "Deployment", "deploy", true),
            resource("deployments/scale", "Scale", "", true),
            resource("statefulsets", "StatefulSet", "sts", true),
            resource("wholes", "Whole", "w", false),
        ];
        found(name, "apps/v1", &resources)
    }

    #[test]
    fn a_resource_is_known_by_its_plural_alone_and_meant_by_its_other_names() {
        assert_eq!(apps("deployments"), Served::Yes);
        for (name, meant) in [
            ("deployment", "deployments"),
            ("Deployment", "deployments"),
            ("deploy", "deployments"),
            ("sts", "statefulsets"),
            ("statfulsets", "statefulsets"),
        ] {
            let said = format!("is `{name}`, and apps/v1 has no such resource: did you mean {meant}?");
            assert_eq!(apps(name), Served::No("resource", said));
        }
        let said = "is `ksvcs`, and apps/v1 has no such resource: it has deployments, statefulsets";
        assert_eq!(apps("ksvcs"), Served::No("resource", said.into()));
        assert_eq!(
            apps("wholes"),
            Served::No("resource", "is `wholes`, which is in no namespace: a trigger is in one".into())
        );
    }

    #[test]
    fn a_group_may_come_but_another_version_of_it_is_a_mistake() {
        let version = GroupVersionForDiscovery { version: "v1".into(), group_version: "apps/v1".into() };
        let groups = APIGroupList {
            groups: vec![APIGroup { name: "apps".into(), versions: vec![version], ..APIGroup::default() }],
        };
        assert_eq!(
            absent("apps", "v2", &groups),
            Served::No("version", "is `v2`, and the API server has apps in v1".into())
        );
        assert_eq!(
            absent("app", "v1", &groups),
            Served::NotYet("the API server has no group app yet; did you mean apps?".into())
        );
        assert_eq!(
            absent("serving.knative.dev", "v1", &groups),
            Served::NotYet("the API server has no group serving.knative.dev yet".into())
        );
        assert!(matches!(absent("", "v2", &groups), Served::No("version", _)));
    }
}
