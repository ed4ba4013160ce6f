//! Every name, label, annotation and key that iter8 gives to objects of a cluster, in one place.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Field manager of everything that the plugin applies.
pub const FIELD_MANAGER: &str = "kubectl-iter8";
/// Value of [`MANAGED_BY`] on objects of the plugin.
pub const MANAGER: &str = "kubectl-iter8";

/// Label: the group that an object belongs to.
pub const GROUP: &str = "iter8.tools/group";
/// Label: the revision that an object belongs to.
pub const REVISION: &str = "iter8.tools/revision";
/// Annotation of a group's parent that a launch changes while it waits.
pub const HEARTBEAT: &str = "iter8.tools/heartbeat";

/// Label of a group's parent: the group of triggers for which AutoX launched it.
pub const AUTOX_GROUP: &str = "iter8.tools/autox-group";

/// Annotation of a group's parent: what AutoX launched, as JSON; see [`crate::records`].
pub const AUTOX_RECORD: &str = "iter8.tools/autox-record";

/// Label: the installation of AutoX that an object belongs to.
pub const RELEASE: &str = "iter8.tools/release";
/// Value of [`NAME`] on objects of an installation of AutoX.
pub const AUTOX_NAME_VALUE: &str = "iter8-autox";
/// Value of [`COMPONENT`] on them.
pub const AUTOX_COMPONENT: &str = "autox";
/// Key of the configuration in its Secret.
pub const AUTOX_CONFIG_KEY: &str = "autox.yaml";
/// Type of the Secret that is the parent of an installation.
pub const INSTALLATION_TYPE: &str = "iter8.tools/autox";

/// Annotation of a group's parent: its deletion was begun.
pub const DELETING: &str = "iter8.tools/deleting";

/// Label: the program; always [`NAME_VALUE`].
pub const NAME: &str = "app.kubernetes.io/name";
/// Value of [`NAME`].
pub const NAME_VALUE: &str = "iter8";
/// Label: version of the chart's app.
pub const VERSION: &str = "app.kubernetes.io/version";
/// Label: the tool that manages an object; [`MANAGER`] on objects of the plugin.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// Label: what an object is for; a [`Component`].
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// Type of the Secret that is the parent of a group.
pub const PARENT_TYPE: &str = "iter8.tools/group";
/// Type of the Secret with the spec of a revision.
pub const SPEC_TYPE: &str = "iter8.tools/spec";
/// Type of the Secret with the result of a revision.
pub const RESULT_TYPE: &str = "iter8.tools/result";

/// Key of the spec in its Secret and name of the mounted file.
pub const SPEC_KEY: &str = "experiment.yaml";
/// Key of the result in its Secret.
pub const RESULT_KEY: &str = "result.json";

/// Label of an ApplySet's parent: the identity of the set. The keys are those of kubectl's `apply/applyset.go`.
pub const APPLYSET_ID: &str = "applyset.kubernetes.io/id";
/// Label of an ApplySet's members: the identity of their set.
pub const APPLYSET_PART_OF: &str = "applyset.kubernetes.io/part-of";
/// Annotation of an ApplySet's parent: the tool and its version; others must not change the set.
pub const APPLYSET_TOOLING: &str = "applyset.kubernetes.io/tooling";
/// Annotation of an ApplySet's parent: the kinds of its members, sorted, with commas.
pub const APPLYSET_GROUP_KINDS: &str = "applyset.kubernetes.io/contains-group-kinds";
/// Annotation of an ApplySet's parent: other namespaces with members, sorted, with commas.
pub const APPLYSET_NAMESPACES: &str = "applyset.kubernetes.io/additional-namespaces";

/// Longest name of a group, in characters: a CronJob's name is at most 52, and must hold `iter8-`, the group and the
/// number of the revision.
pub const MAX_GROUP_LENGTH: usize = 40;

/// What an object of a group is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// The parent of the group, with its history.
    Group,
    /// The spec of an experiment.
    Spec,
    /// The result of an experiment.
    Result,
    /// The Job or CronJob that runs an experiment, and its pods.
    Experiment,
    /// ServiceAccount, Roles and RoleBindings.
    Rbac,
}

impl Component {
    /// The value of the label [`COMPONENT`].
    pub const fn label(self) -> &'static str {
        match self {
            Self::Group => "group",
            Self::Spec => "spec",
            Self::Result => "result",
            Self::Experiment => "experiment",
            Self::Rbac => "rbac",
        }
    }
}

/// The name of a line of experiments in a namespace: a DNS label of at most [`MAX_GROUP_LENGTH`] characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Group(String);

/// A text is not the name of a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` cannot be the name of a group: use at most {MAX_GROUP_LENGTH} lower-case letters, digits and `-`, with a \
     letter or digit at both ends"
)]
pub struct InvalidGroup(String);

impl Group {
    /// Takes a name that is valid.
    ///
    /// # Errors
    /// The name is no DNS label (RFC 1123) or too long.
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidGroup> {
        let name = name.into();
        let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        let valid = (1..=MAX_GROUP_LENGTH).contains(&name.len())
            && name.bytes().all(inner)
            && !name.starts_with('-')
            && !name.ends_with('-');
        if valid { Ok(Self(name)) } else { Err(InvalidGroup(name)) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Group {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Default for Group {
    /// The group of those who name none.
    fn default() -> Self {
        Self("default".to_owned())
    }
}

impl fmt::Display for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Group {
    type Err = InvalidGroup;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::new(name)
    }
}

impl TryFrom<String> for Group {
    type Error = InvalidGroup;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        Self::new(name)
    }
}

impl From<Group> for String {
    fn from(group: Group) -> Self {
        group.0
    }
}

/// The number of a launch of a group, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Revision(pub u32);

impl Revision {
    /// The first launch of a group.
    pub const FIRST: Self = Self(1);

    /// The launch after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The labels of an object that the plugin makes itself; those of a chart say the same. There is no
/// `app.kubernetes.io/instance` among them: Argo CD may track its apps by it, and would prune a group of the same name.
pub fn labels(group: &str, revision: Option<u32>, component: Component) -> BTreeMap<String, String> {
    let general = [
        (NAME, NAME_VALUE),
        (VERSION, env!("CARGO_PKG_VERSION")),
        (MANAGED_BY, MANAGER),
        (COMPONENT, component.label()),
        (GROUP, group),
    ];
    let general = general.map(|(key, value)| (key.to_owned(), value.to_owned()));
    general.into_iter().chain(revision.map(|number| (REVISION.to_owned(), number.to_string()))).collect()
}

/// The labels of the parent of an installation of AutoX; those of the chart say the same.
pub fn installation_labels(release: &str) -> BTreeMap<String, String> {
    let labels = [
        (NAME, AUTOX_NAME_VALUE),
        (RELEASE, release),
        (VERSION, env!("CARGO_PKG_VERSION")),
        (MANAGED_BY, MANAGER),
        (COMPONENT, AUTOX_COMPONENT),
    ];
    labels.into_iter().map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// Name of the Secret with what the controllers of an installation follow.
pub fn autox_config(release: &str) -> String {
    format!("{release}-config")
}

/// The identity of an installation of AutoX, as records name it.
pub fn autox(namespace: &str, release: &str) -> String {
    format!("{namespace}/{release}")
}

/// Name of the Secret that is the parent of a group.
pub fn parent(group: &str) -> String {
    format!("iter8-{group}")
}

/// Name of the ServiceAccount, Role and RoleBinding of a group.
pub fn rbac(group: &str) -> String {
    format!("iter8-{group}")
}

/// Name of the Role and RoleBinding with which a group of the namespace `home` looks at the objects of `namespace` that
/// it waits for. Elsewhere than at home the name has a dot and the home, because groups of several namespaces may have
/// the same name; a group has no dots.
pub fn readiness_rbac(group: &str, home: &str, namespace: &str) -> String {
    if namespace == home { format!("iter8-{group}-ready") } else { format!("iter8-{group}-ready.{home}") }
}

/// Name of the Secret with the spec of a revision.
pub fn spec_secret(group: &str, revision: u32) -> String {
    format!("iter8-{group}-{revision}-spec")
}

/// Name of the Secret with the result of a revision.
pub fn result_secret(group: &str, revision: u32) -> String {
    format!("iter8-{group}-{revision}-result")
}

/// Name of the Job or CronJob of a revision.
pub fn workload(group: &str, revision: u32) -> String {
    format!("iter8-{group}-{revision}")
}

/// The label selector for all objects of a group.
pub fn group_selector(group: &str) -> String {
    format!("{GROUP}={group}")
}

/// The identity of the ApplySet whose parent is the Secret `name` in `namespace` (KEP-3659): the digest of
/// `NAME.NAMESPACE.KIND.GROUP`, where Secrets have the empty group.
pub fn applyset_id(name: &str, namespace: &str) -> String {
    let digest = Sha256::digest(format!("{name}.{namespace}.Secret."));
    format!("applyset-{}-v1", URL_SAFE_NO_PAD.encode(digest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn applyset_id_is_the_one_that_kubectl_computes() {
        assert_eq!(applyset_id("my-set", "test"), "applyset-0eFHV8ySqp7XoShsGvyWFQD3s96yqwHmzc4e0HR1dsY-v1");
        assert_eq!(applyset_id("iter8-default", "default"), "applyset-h2olUfdU7HfR4j750HCCuWFbKmM9nsiMGUNRheSh9ME-v1");
    }

    #[test]
    fn names_follow_group_and_revision() {
        let group = Group::new("checkout").unwrap();
        assert_eq!(parent(&group), "iter8-checkout");
        assert_eq!(readiness_rbac(&group, "shop", "shop"), "iter8-checkout-ready");
        assert_eq!(readiness_rbac(&group, "shop", "books"), "iter8-checkout-ready.shop");
        assert_eq!(spec_secret(&group, 3), "iter8-checkout-3-spec");
        assert_eq!(result_secret(&group, 3), "iter8-checkout-3-result");
        assert_eq!(workload(&group, 3), "iter8-checkout-3");
        assert_eq!(group_selector(&group), "iter8.tools/group=checkout");
    }

    #[test]
    fn labels_name_the_revision_only_where_there_is_one() {
        let group = Group::default();
        assert!(!labels(&group, None, Component::Group).contains_key(REVISION));
        let labels = labels(&group, Some(2), Component::Result);
        assert_eq!(labels[REVISION], "2");
        assert_eq!(labels[COMPONENT], "result");
        assert_eq!(labels[MANAGED_BY], "kubectl-iter8");
    }

    #[test]
    fn accepts_dns_labels_of_at_most_forty_characters() {
        for name in ["a", "default", "a-b-1", "0", &"x".repeat(40)] {
            assert_eq!(Group::new(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn rejects_what_is_not_the_name_of_a_group() {
        for name in ["", "-a", "a-", "A", "a.b", "a_b", "ä", &"x".repeat(41)] {
            assert_eq!(Group::new(name), Err(InvalidGroup(name.to_owned())), "{name}");
        }
        assert!(Group::new("My_App").unwrap_err().to_string().starts_with("`My_App` cannot be the name of a group: "));
        assert!(serde_json::from_str::<Group>("\"A\"").is_err());
    }

    #[test]
    fn the_longest_names_fit_a_cron_job() {
        let group = Group::new("x".repeat(MAX_GROUP_LENGTH)).unwrap();
        assert!(workload(&group, 999_999).len() <= 53);
    }
}
