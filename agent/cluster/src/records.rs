//! The records of AutoX: what it launched, for which version. Each stands on the parent Secret of its group, in an
//! annotation, so that metadata alone tell all of them; the parent is written by launches and deletions only.

use iter8_core::autox::Record;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta};
use kube::core::PartialObjectMeta;
use kube::{Client, ResourceExt as _};

use crate::names;

/// The Secrets that can hold records in a namespace, for a watch of their metadata by [`SELECTOR`].
pub fn parents(client: &Client, namespace: &str) -> Api<PartialObjectMeta<Secret>> {
    Api::namespaced(client.clone(), namespace)
}

/// The label selector for the parents that AutoX launched.
pub const SELECTOR: &str = names::AUTOX_GROUP;

/// The name of the group of experiments that a parent belongs to, with its record. None when AutoX did not launch it.
pub fn read(parent: &PartialObjectMeta<Secret>) -> Option<(String, Record)> {
    let ObjectMeta { annotations, .. } = &parent.metadata;
    let record = annotations.as_ref()?.get(names::AUTOX_RECORD)?;
    Some((group(parent)?, serde_json::from_str(record).ok()?))
}

/// The name of the group that a parent belongs to.
pub fn group(parent: &PartialObjectMeta<Secret>) -> Option<String> {
    parent.labels().get(names::GROUP).cloned()
}
