//! The kinds of objects that iter8 makes, and access to any of them without asking the API server what it serves.
//! Which objects an experiment needs is the chart's business.

use std::fmt;

use kube::Client;
use kube::api::{Api, DynamicObject};
use kube::core::ApiResource;
use serde_json::Value;

use crate::error::ClusterError;

/// A kind of object that iter8 makes, in the order in which they are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `v1`.
    ServiceAccount,
    /// `v1`.
    Secret,
    /// `rbac.authorization.k8s.io/v1`.
    Role,
    /// `rbac.authorization.k8s.io/v1`.
    RoleBinding,
    /// `policy/v1`.
    PodDisruptionBudget,
    /// `apps/v1`.
    Deployment,
    /// `batch/v1`.
    CronJob,
    /// `batch/v1`.
    Job,
}

/// Which object.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    /// Its kind.
    pub kind: Kind,
    /// Its namespace.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// What became of an object, in kubectl's words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The object.
    pub object: ObjectId,
    /// What became of it.
    pub action: Action,
}

/// What became of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new.
    Created,
    /// It was changed.
    Configured,
    /// It was as it should be.
    Unchanged,
    /// It belonged to an earlier revision and is gone.
    Pruned,
    /// It is gone, as asked.
    Deleted,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::ServiceAccount,
        Self::Secret,
        Self::Role,
        Self::RoleBinding,
        Self::PodDisruptionBudget,
        Self::Deployment,
        Self::CronJob,
        Self::Job,
    ];

    /// The name in manifests.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceAccount => "ServiceAccount",
            Self::Secret => "Secret",
            Self::Role => "Role",
            Self::RoleBinding => "RoleBinding",
            Self::PodDisruptionBudget => "PodDisruptionBudget",
            Self::Deployment => "Deployment",
            Self::CronJob => "CronJob",
            Self::Job => "Job",
        }
    }

    /// The API group, empty for the core group.
    pub const fn group(self) -> &'static str {
        match self {
            Self::ServiceAccount | Self::Secret => "",
            Self::Role | Self::RoleBinding => "rbac.authorization.k8s.io",
            Self::PodDisruptionBudget => "policy",
            Self::Deployment => "apps",
            Self::CronJob | Self::Job => "batch",
        }
    }

    /// The name in URLs and in rules of roles.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::ServiceAccount => "serviceaccounts",
            Self::Secret => "secrets",
            Self::Role => "roles",
            Self::RoleBinding => "rolebindings",
            Self::PodDisruptionBudget => "poddisruptionbudgets",
            Self::Deployment => "deployments",
            Self::CronJob => "cronjobs",
            Self::Job => "jobs",
        }
    }

    /// Whether objects of this kind start pods.
    pub const fn is_workload(self) -> bool {
        match self {
            Self::Deployment | Self::CronJob | Self::Job => true,
            Self::ServiceAccount | Self::Secret | Self::Role | Self::RoleBinding | Self::PodDisruptionBudget => false,
        }
    }

    /// Whether objects of this kind are made in other namespaces than their set's: permissions are, nothing else.
    pub const fn is_made_elsewhere(self) -> bool {
        match self {
            Self::Role | Self::RoleBinding => true,
            Self::ServiceAccount
            | Self::Secret
            | Self::PodDisruptionBudget
            | Self::Deployment
            | Self::CronJob
            | Self::Job => false,
        }
    }

    /// `Job.batch`, or the bare kind in the core group.
    pub fn group_kind(self) -> String {
        match self.group() {
            "" => self.as_str().to_owned(),
            group => format!("{}.{group}", self.as_str()),
        }
    }

    /// The kind with this [`Kind::group_kind`].
    pub fn from_group_kind(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.group_kind() == text)
    }

    /// The kind of a manifest, if it is one that iter8 applies.
    pub fn of(manifest: &Value) -> Option<Self> {
        let text = |key: &str| manifest.get(key).and_then(Value::as_str);
        let (version, kind) = (text("apiVersion")?, text("kind")?);
        Self::ALL.into_iter().find(|known| known.as_str() == kind && known.api_version() == version)
    }

    /// `batch/v1`, or `v1` in the core group.
    pub fn api_version(self) -> String {
        match self.group() {
            "" => "v1".to_owned(),
            group => format!("{group}/v1"),
        }
    }

    /// What kube needs to know of the kind.
    pub fn resource(self) -> ApiResource {
        ApiResource {
            group: self.group().to_owned(),
            version: "v1".to_owned(),
            api_version: self.api_version(),
            kind: self.as_str().to_owned(),
            plural: self.plural().to_owned(),
        }
    }

    /// The API for objects of this kind in a namespace.
    pub fn api(self, client: &Client, namespace: &str) -> Api<DynamicObject> {
        Api::namespaced_with(client.clone(), namespace, &self.resource())
    }
}

impl ObjectId {
    /// The object of a manifest; without a namespace of its own it is in `namespace`.
    ///
    /// # Errors
    /// When the manifest has no name or is of a kind that iter8 does not apply.
    pub fn of(manifest: &Value, namespace: &str) -> Result<Self, ClusterError> {
        let text = |pointer: &str| manifest.pointer(pointer).and_then(Value::as_str);
        let kind = Kind::of(manifest).ok_or_else(|| {
            let (version, kind) = (text("/apiVersion").unwrap_or("?"), text("/kind").unwrap_or("?"));
            ClusterError::Manifest(format!("is of kind {kind} ({version}), which iter8 does not apply"))
        })?;
        let name = text("/metadata/name")
            .ok_or_else(|| ClusterError::Manifest(format!("of kind {} has no name", kind.as_str())))?;
        let namespace = text("/metadata/namespace").unwrap_or(namespace);
        Ok(Self { kind, namespace: namespace.to_owned(), name: name.to_owned() })
    }

    /// The API that serves the object.
    pub fn api(&self, client: &Client) -> Api<DynamicObject> {
        self.kind.api(client, &self.namespace)
    }
}

/// As kubectl prints it: `job.batch/iter8-default-1`.
impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.group_kind().to_ascii_lowercase(), self.name)
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Created => "created",
            Self::Configured => "configured",
            Self::Unchanged => "unchanged",
            Self::Pruned => "pruned",
            Self::Deleted => "deleted",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.action)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn prints_objects_as_kubectl_does() {
        let manifest = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "x"}});
        let object = ObjectId::of(&manifest, "shop").unwrap();
        assert_eq!(Outcome { object, action: Action::Created }.to_string(), "job.batch/x created");
        let role = ObjectId { kind: Kind::Role, namespace: "shop".into(), name: "r".into() };
        assert_eq!(role.to_string(), "role.rbac.authorization.k8s.io/r");
    }

    #[test]
    fn every_kind_is_found_by_its_group_and_kind() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_group_kind(&kind.group_kind()), Some(kind));
        }
        assert_eq!(Kind::from_group_kind("Job"), None);
    }

    #[test]
    fn refuses_manifests_it_cannot_place() {
        let said = |manifest| ObjectId::of(&manifest, "shop").unwrap_err().to_string();
        assert_eq!(
            said(json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "x"}})),
            "a manifest is of kind Pod (v1), which iter8 does not apply"
        );
        assert_eq!(said(json!({"apiVersion": "batch/v1", "kind": "Job"})), "a manifest of kind Job has no name");
    }
}
