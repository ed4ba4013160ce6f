//! Which resources the server knows, and what a request is about.

use std::collections::{BTreeMap, BTreeSet};

use http::Method;
use serde_json::{Value, json};
use url::form_urlencoded;

/// A resource. Those that are not built in are there once they are installed, as if by a CustomResourceDefinition.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Resource {
    pub(crate) plural: &'static str,
    pub(crate) group: &'static str,
    pub(crate) version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) namespaced: bool,
    pub(crate) builtin: bool,
}

const fn core(plural: &'static str, kind: &'static str) -> Resource {
    Resource { plural, group: "", version: "v1", kind, namespaced: true, builtin: true }
}

const fn of(group: &'static str, plural: &'static str, kind: &'static str) -> Resource {
    Resource { plural, group, version: "v1", kind, namespaced: true, builtin: true }
}

const RBAC: &str = "rbac.authorization.k8s.io";

const RESOURCES: [Resource; 30] = [
    core("secrets", "Secret"),
    core("configmaps", "ConfigMap"),
    core("serviceaccounts", "ServiceAccount"),
    core("services", "Service"),
    core("pods", "Pod"),
    core("events", "Event"),
    Resource { namespaced: false, ..NAMESPACES },
    Resource { namespaced: false, ..core("nodes", "Node") },
    of("apps", "deployments", "Deployment"),
    of("apps", "replicasets", "ReplicaSet"),
    of("apps", "statefulsets", "StatefulSet"),
    of("apps", "daemonsets", "DaemonSet"),
    of("batch", "jobs", "Job"),
    of("batch", "cronjobs", "CronJob"),
    of(RBAC, "roles", "Role"),
    of(RBAC, "rolebindings", "RoleBinding"),
    Resource { namespaced: false, ..of(RBAC, "clusterroles", "ClusterRole") },
    Resource { namespaced: false, ..of(RBAC, "clusterrolebindings", "ClusterRoleBinding") },
    of("discovery.k8s.io", "endpointslices", "EndpointSlice"),
    of("coordination.k8s.io", "leases", "Lease"),
    of("policy", "poddisruptionbudgets", "PodDisruptionBudget"),
    of("events.k8s.io", "events", "Event"),
    of("networking.k8s.io", "ingresses", "Ingress"),
    of("networking.k8s.io", "networkpolicies", "NetworkPolicy"),
    Resource { namespaced: false, ..of("authorization.k8s.io", "selfsubjectaccessreviews", "SelfSubjectAccessReview") },
    Resource { builtin: false, ..of("serving.knative.dev", "services", "Service") },
    Resource { builtin: false, version: "v1beta1", ..of("serving.kserve.io", "inferenceservices", "InferenceService") },
    Resource { builtin: false, ..of("cert-manager.io", "certificates", "Certificate") },
    Resource { builtin: false, version: "v1alpha1", ..of("argoproj.io", "rollouts", "Rollout") },
    Resource { builtin: false, version: "v1alpha1", ..of("litmuschaos.io", "chaosengines", "ChaosEngine") },
];

pub(crate) const NAMESPACES: Resource = Resource { namespaced: false, ..core("namespaces", "Namespace") };

impl Resource {
    /// The resource `secrets`, `jobs`, or with its group `services.serving.knative.dev`.
    pub(crate) fn named(name: &str) -> Self {
        let found = RESOURCES.into_iter().find(|known| known.qualified() == name);
        let found = found.or_else(|| RESOURCES.into_iter().find(|known| known.plural == name));
        found.unwrap_or_else(|| panic!("the fake API server knows no resource {name}"))
    }

    /// The resource of an object.
    pub(crate) fn of(object: &Value) -> Self {
        let (version, kind) = (&object["apiVersion"], &object["kind"]);
        let found = RESOURCES.into_iter().find(|known| *version == known.api_version() && *kind == known.kind);
        found.unwrap_or_else(|| panic!("the fake API server knows no {kind} of {version}"))
    }

    /// `jobs.batch`; without a dot in the core group.
    pub(crate) fn qualified(self) -> String {
        if self.group.is_empty() { self.plural.to_owned() } else { format!("{}.{}", self.plural, self.group) }
    }

    pub(crate) fn api_version(self) -> String {
        if self.group.is_empty() { self.version.to_owned() } else { format!("{}/{}", self.group, self.version) }
    }

    /// Whether `name` means this resource: its plural, with or without its group, or `*`.
    pub(crate) fn is_meant(self, name: &str) -> bool {
        name == "*" || name == self.plural || name == self.qualified()
    }
}

/// The resources of a version of an API group, as discovery lists them; None when there are none.
pub(crate) fn served(group: &str, version: &str, installed: &[Resource]) -> Option<Value> {
    let is_there = |known: &Resource| {
        (known.group, known.version) == (group, version) && (known.builtin || installed.contains(known))
    };
    let resources: Vec<Value> = RESOURCES
        .into_iter()
        .filter(is_there)
        .map(|known| {
            json!({
                "name": known.plural, "singularName": known.kind.to_lowercase(), "namespaced": known.namespaced,
                "kind": known.kind, "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            })
        })
        .collect();
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    (!resources.is_empty()).then(|| {
        json!({ "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": group_version, "resources": resources })
    })
}

/// The API groups but the core group, each with its one version, as discovery lists them.
pub(crate) fn groups(installed: &[Resource]) -> Value {
    let there = RESOURCES.into_iter().filter(|known| known.builtin || installed.contains(known));
    let places: BTreeSet<(&str, &str)> = there.map(|known| (known.group, known.version)).collect();
    let group = |(group, version): (&str, &str)| {
        let version = json!({ "groupVersion": format!("{group}/{version}"), "version": version });
        json!({ "name": group, "versions": [version], "preferredVersion": version })
    };
    let groups: Vec<Value> = places.into_iter().filter(|(group, _)| !group.is_empty()).map(group).collect();
    json!({ "kind": "APIGroupList", "apiVersion": "v1", "groups": groups })
}

/// What a request is about.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// The version of the server.
    Version,
    /// Whether it is well: `/readyz` and the like.
    Health,
    /// Which API groups there are.
    Groups,
    /// What a version of an API group serves.
    Group { group: String, version: String },
    /// Objects.
    Call(Call),
    /// Nothing that there is.
    Unknown,
}

/// A verb on objects.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    /// In the words of roles: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`.
    pub(crate) verb: &'static str,
    pub(crate) resource: Resource,
    pub(crate) subresource: Option<String>,
    /// Empty for all namespaces, and for what is in none.
    pub(crate) namespace: String,
    /// Empty for a whole collection.
    pub(crate) name: String,
    pub(crate) query: BTreeMap<String, String>,
}

impl Call {
    /// `pods/log`, as roles write it.
    pub(crate) fn full_resource(&self) -> String {
        match &self.subresource {
            Some(subresource) => format!("{}/{subresource}", self.resource.plural),
            None => self.resource.plural.to_owned(),
        }
    }

    /// Whether `verb` and `resource`, of which both may be `*`, mean this call.
    pub(crate) fn is_meant(&self, verb: &str, resource: &str) -> bool {
        let is_resource = match resource.split_once('/') {
            Some(_) => self.full_resource() == resource,
            None => resource == "*" || (self.subresource.is_none() && self.resource.is_meant(resource)),
        };
        is_resource && (verb == "*" || verb == self.verb)
    }

    /// A query parameter, if it is there and not empty.
    pub(crate) fn parameter(&self, key: &str) -> Option<&str> {
        self.query.get(key).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A query parameter that is true or false.
    pub(crate) fn flag(&self, key: &str) -> bool {
        matches!(self.parameter(key), Some("true" | "1"))
    }
}

impl Route {
    /// Reads method, path and query as the API conventions lay them out.
    pub(crate) fn parse(method: &Method, path: &str, query: &str, installed: &[Resource]) -> Self {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let (group, version, rest) = match segments.as_slice() {
            ["version"] => return Self::Version,
            ["readyz" | "livez" | "healthz", ..] => return Self::Health,
            ["apis"] => return Self::Groups,
            ["api", version] => return Self::Group { group: String::new(), version: (*version).to_owned() },
            ["apis", group, version] => {
                return Self::Group { group: (*group).to_owned(), version: (*version).to_owned() };
            }
            ["api", version, rest @ ..] => ("", *version, rest),
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Self::Unknown,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (*namespace, rest),
            rest => ("", rest),
        };
        let (plural, name, subresource) = match rest {
            [plural] => (*plural, "", None),
            [plural, name] => (*plural, *name, None),
            [plural, name, subresource] => (*plural, *name, Some((*subresource).to_owned())),
            _ => return Self::Unknown,
        };
        let known = |known: &Resource| known.plural == plural && known.group == group && known.version == version;
        let Some(resource) = RESOURCES.into_iter().find(known).filter(|r| r.builtin || installed.contains(r)) else {
            return Self::Unknown;
        };
        let query: BTreeMap<String, String> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let watches = matches!(query.get("watch").map(String::as_str), Some("true" | "1"));
        let verb = match (method, name.is_empty()) {
            (&Method::GET, true) if watches => "watch",
            (&Method::GET, true) => "list",
            (&Method::GET, false) => "get",
            (&Method::POST, true) => "create",
            (&Method::PUT, false) => "update",
            (&Method::PATCH, false) => "patch",
            (&Method::DELETE, false) => "delete",
            _ => return Self::Unknown,
        };
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        Self::Call(Call { verb, resource, subresource, namespace, name, query })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(method: &Method, path: &str, query: &str) -> Option<Call> {
        match Route::parse(method, path, query, &[]) {
            Route::Call(call) => Some(call),
            Route::Version | Route::Health | Route::Groups | Route::Group { .. } | Route::Unknown => None,
        }
    }

    #[test]
    fn paths_are_read_as_the_api_conventions_lay_them_out() {
        for (method, path, query, expected) in [
            (Method::GET, "/api/v1/namespaces/shop/secrets/x", "", ("get", "secrets", "shop", "x")),
            (Method::GET, "/api/v1/secrets", "watch=1", ("watch", "secrets", "", "")),
            (Method::GET, "/api/v1/namespaces/shop", "", ("get", "namespaces", "", "shop")),
            (Method::POST, "/apis/batch/v1/namespaces/shop/jobs", "", ("create", "jobs", "shop", "")),
            (Method::PATCH, "/apis/apps/v1/namespaces/shop/deployments/d", "", ("patch", "deployments", "shop", "d")),
            (Method::GET, "/api/v1/namespaces/shop/pods/p/log", "", ("get", "pods/log", "shop", "p")),
        ] {
            let call = call(&method, path, query).expect(path);
            let resource = call.full_resource();
            assert_eq!((call.verb, resource.as_str(), call.namespace.as_str(), call.name.as_str()), expected);
        }
    }

    #[test]
    fn a_custom_resource_is_there_once_it_is_installed() {
        let path = "/apis/serving.knative.dev/v1/namespaces/shop/services/s";
        assert!(call(&Method::GET, path, "").is_none());
        let installed = [Resource::named("services.serving.knative.dev")];
        assert!(matches!(Route::parse(&Method::GET, path, "", &installed), Route::Call(_)));
    }

    #[test]
    fn a_subresource_is_meant_by_its_own_name_only() {
        let call = call(&Method::GET, "/api/v1/namespaces/shop/pods/p/log", "follow=true").expect("is a call");
        assert!(call.is_meant("get", "pods/log") && call.is_meant("*", "*") && call.flag("follow"));
        assert!(!call.is_meant("get", "pods") && !call.is_meant("list", "pods/log"));
    }
}
