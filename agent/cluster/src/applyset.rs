//! The rules of an ApplySet (KEP-3659), by which the objects of a group are found again, also after a crash: what its
//! parent says of it, who may change it, and what is pruned. Nothing here talks to a cluster.

use std::collections::{BTreeMap, BTreeSet};

use crate::names::{APPLYSET_GROUP_KINDS, APPLYSET_NAMESPACES, APPLYSET_TOOLING, MANAGER};
use crate::objects::{Kind, ObjectId};

/// Where the members of a set are: kinds and namespaces, so that they can be listed without looking everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Kinds of the members.
    pub kinds: BTreeSet<Kind>,
    /// Namespaces of the members other than the parent's.
    pub namespaces: BTreeSet<String>,
}

/// A member as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The object.
    pub object: ObjectId,
    /// Its identity, which a new object of the same name does not share.
    pub uid: String,
}

/// The tool as the parent names it.
pub fn tooling() -> String {
    format!("{MANAGER}/v{}", env!("CARGO_PKG_VERSION"))
}

/// Whether a parent with these annotations is iter8's, of whatever version.
pub fn is_ours(annotations: Option<&BTreeMap<String, String>>) -> bool {
    let tooling = annotations.and_then(|annotations| annotations.get(APPLYSET_TOOLING));
    tooling.and_then(|tooling| tooling.split_once('/')).is_some_and(|(tool, _)| tool == MANAGER)
}

/// The members to delete: all but those just applied (by uid) and those kept from earlier revisions.
pub fn to_prune<'a>(existing: &'a [Member], applied: &BTreeSet<String>, kept: &BTreeSet<ObjectId>) -> Vec<&'a Member> {
    existing.iter().filter(|member| !applied.contains(&member.uid) && !kept.contains(&member.object)).collect()
}

impl Extent {
    /// Where these objects are, seen from the parent's namespace.
    pub fn of<'a>(objects: impl IntoIterator<Item = &'a ObjectId>, home: &str) -> Self {
        let mut extent = Self::default();
        for object in objects {
            extent.kinds.insert(object.kind);
            if object.namespace != home {
                extent.namespaces.insert(object.namespace.clone());
            }
        }
        extent
    }

    /// What a parent says. Kinds that this version does not make are not listed, hence not pruned.
    pub fn read(annotations: Option<&BTreeMap<String, String>>) -> Self {
        let words = |key: &str| {
            let text = annotations.and_then(|annotations| annotations.get(key)).map_or("", String::as_str);
            text.split(',').filter(|word| !word.is_empty())
        };
        Self {
            kinds: words(APPLYSET_GROUP_KINDS).filter_map(Kind::from_group_kind).collect(),
            namespaces: words(APPLYSET_NAMESPACES).map(str::to_owned).collect(),
        }
    }

    /// Both together.
    #[must_use]
    pub fn union(&self, other: &Self) -> Self {
        Self { kinds: &self.kinds | &other.kinds, namespaces: &self.namespaces | &other.namespaces }
    }

    /// The parent's annotations.
    pub fn annotations(&self) -> BTreeMap<String, String> {
        let mut kinds: Vec<String> = self.kinds.iter().map(|kind| kind.group_kind()).collect();
        kinds.sort();
        let mut annotations = BTreeMap::from([
            (APPLYSET_TOOLING.to_owned(), tooling()),
            (APPLYSET_GROUP_KINDS.to_owned(), kinds.join(",")),
        ]);
        if !self.namespaces.is_empty() {
            let namespaces: Vec<&str> = self.namespaces.iter().map(String::as_str).collect();
            annotations.insert(APPLYSET_NAMESPACES.to_owned(), namespaces.join(","));
        }
        annotations
    }

    /// Every kind in every namespace where it can be. Other kinds than permissions are not looked for elsewhere, so that
    /// nobody needs to be allowed to list, say, the Secrets of a namespace of others.
    pub fn places<'a>(&'a self, home: &'a str) -> impl Iterator<Item = (Kind, &'a str)> {
        let namespaces = std::iter::once(home).chain(self.namespaces.iter().map(String::as_str));
        let places = namespaces.flat_map(|namespace| self.kinds.iter().map(move |kind| (*kind, namespace)));
        places.filter(move |(kind, namespace)| *namespace == home || kind.is_made_elsewhere())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: Kind, namespace: &str, name: &str) -> ObjectId {
        ObjectId { kind, namespace: namespace.into(), name: name.into() }
    }

    #[test]
    fn an_extent_survives_the_annotations() {
        let objects =
            [object(Kind::Job, "shop", "a"), object(Kind::Role, "db", "b"), object(Kind::Secret, "shop", "c")];
        let extent = Extent::of(&objects, "shop");
        let annotations = extent.annotations();
        assert_eq!(annotations[APPLYSET_GROUP_KINDS], "Job.batch,Role.rbac.authorization.k8s.io,Secret");
        assert_eq!(annotations[APPLYSET_NAMESPACES], "db");
        assert_eq!(Extent::read(Some(&annotations)), extent);
        assert_eq!(extent.places("shop").filter(|(_, namespace)| *namespace == "shop").count(), 3);
        let elsewhere: Vec<_> = extent.places("shop").filter(|(_, namespace)| *namespace == "db").collect();
        assert_eq!(elsewhere, [(Kind::Role, "db")]);
    }

    #[test]
    fn only_our_own_sets_are_ours_whatever_the_version() {
        let by = |tooling: &str| BTreeMap::from([(APPLYSET_TOOLING.to_owned(), tooling.to_owned())]);
        assert!(is_ours(Some(&by("kubectl-iter8/v9.1.0"))));
        assert!(!is_ours(Some(&by("kubectl/v1.32.0"))));
        assert!(!is_ours(Some(&by("kubectl-iter8x/v1"))));
        assert!(!is_ours(Some(&BTreeMap::new())));
        assert!(!is_ours(None));
    }

    #[test]
    fn prunes_what_was_neither_applied_nor_kept() {
        let member = |name: &str, uid: &str| Member { object: object(Kind::Secret, "shop", name), uid: uid.into() };
        let existing = [member("old-spec", "1"), member("old-result", "2"), member("spec", "3")];
        let kept = BTreeSet::from([existing[1].object.clone()]);
        let pruned = to_prune(&existing, &BTreeSet::from(["3".to_owned()]), &kept);
        assert_eq!(pruned, [&existing[0]]);
        // An object of the same name that is not the one applied is pruned: it is another object.
        assert_eq!(to_prune(&existing[2..], &BTreeSet::from(["4".to_owned()]), &kept).len(), 1);
    }
}
