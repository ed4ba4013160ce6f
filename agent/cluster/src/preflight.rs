//! Whether a cluster and a user have what an experiment needs, asked before one is launched. Only looks; changes nothing.

use futures_util::future::join_all;
use k8s_openapi::api::authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::Client;
use kube::api::{Api, ListParams, ObjectMeta, PostParams};

use crate::error::ClusterError;

/// What one look found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// What was found, in a sentence.
    pub text: String,
    /// What to do about it.
    pub hint: Option<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// As it should be.
    Ok,
    /// An experiment may run into it.
    Warning,
    /// No experiment can be launched.
    Error,
}

/// The oldest minor version of Kubernetes 1 that has everything the objects use.
const OLDEST_MINOR: u32 = 29;

/// What a launch does, as verb, API group and resource.
const NEEDS: [(&str, &str, &str); 15] = [
    ("get", "", "secrets"),
    ("list", "", "secrets"),
    ("watch", "", "secrets"),
    ("create", "", "secrets"),
    ("patch", "", "secrets"),
    ("delete", "", "secrets"),
    ("patch", "", "serviceaccounts"),
    ("delete", "", "serviceaccounts"),
    ("patch", "rbac.authorization.k8s.io", "roles"),
    ("patch", "rbac.authorization.k8s.io", "rolebindings"),
    ("patch", "batch", "jobs"),
    ("delete", "batch", "jobs"),
    ("patch", "batch", "cronjobs"),
    ("list", "", "pods"),
    ("get", "", "pods/log"),
];

/// Looks at the version of the server, the namespace with its Pod Security level, the user's permissions there, and
/// whether nodes have the agent's `image`.
///
/// # Errors
/// When the cluster cannot be reached.
pub async fn preflight(client: &Client, namespace: &str, image: &str) -> Result<Vec<Finding>, ClusterError> {
    let api = |action: &str| {
        let action = action.to_owned();
        move |source| ClusterError::Api { action, source: Box::new(source) }
    };
    let version = client.apiserver_version().await.map_err(api("read the version of the server"))?;
    let mut findings = vec![of_version(&version.git_version, &version.major, &version.minor)];
    let namespaces: Api<Namespace> = Api::all(client.clone());
    findings.push(of_namespace(namespace, namespaces.get_opt(namespace).await));
    let answers =
        join_all(NEEDS.iter().map(|(verb, group, resource)| allowed(client, namespace, verb, group, resource)));
    let answers: Vec<bool> = answers.await.into_iter().collect::<Result<_, _>>().map_err(api("ask for permissions"))?;
    findings.push(of_permissions(namespace, &answers));
    let nodes: Api<Node> = Api::all(client.clone());
    findings.push(of_image(image, nodes.list(&ListParams::default()).await.map(|nodes| nodes.items).as_deref().ok()));
    Ok(findings)
}

async fn allowed(
    client: &Client,
    namespace: &str,
    verb: &str,
    group: &str,
    resource: &str,
) -> Result<bool, kube::Error> {
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, subresource)) => (resource, Some(subresource.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        namespace: Some(namespace.to_owned()),
        verb: Some(verb.to_owned()),
        group: Some(group.to_owned()),
        resource: Some(resource.to_owned()),
        subresource,
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        metadata: ObjectMeta::default(),
        spec: SelfSubjectAccessReviewSpec {
            resource_attributes: Some(attributes),
            ..SelfSubjectAccessReviewSpec::default()
        },
        status: None,
    };
    let reviews: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.is_some_and(|status| status.allowed))
}

fn of_version(shown: &str, major: &str, minor: &str) -> Finding {
    // Managed clusters write "33+".
    let minor = minor.trim_end_matches(|c: char| !c.is_ascii_digit()).parse::<u32>().ok();
    let text = format!("Kubernetes {shown} answers");
    if major == "1" && minor.is_some_and(|minor| minor < OLDEST_MINOR) {
        let hint = format!("iter8 is made for Kubernetes 1.{OLDEST_MINOR} and later");
        return Finding { severity: Severity::Warning, text, hint: Some(hint) };
    }
    Finding { severity: Severity::Ok, text, hint: None }
}

fn of_namespace(name: &str, found: Result<Option<Namespace>, kube::Error>) -> Finding {
    let finding =
        |severity, text: String, hint: Option<&str>| Finding { severity, text, hint: hint.map(str::to_owned) };
    match found {
        Ok(None) => {
            let hint = format!("create it with `kubectl create namespace {name}`, or choose another with -n");
            finding(Severity::Error, format!("namespace \"{name}\" does not exist"), Some(&hint))
        }
        Ok(Some(namespace)) if namespace.metadata.deletion_timestamp.is_some() => finding(
            Severity::Error,
            format!("namespace \"{name}\" is being deleted"),
            Some("wait until it is gone, or choose another with -n"),
        ),
        Ok(Some(namespace)) => {
            let labels = namespace.metadata.labels.unwrap_or_default();
            let level = labels.get("pod-security.kubernetes.io/enforce").map_or("privileged", String::as_str);
            finding(
                Severity::Ok,
                format!(
                    "namespace \"{name}\" is there, Pod Security level {level}; the agent's pod keeps to \"restricted\""
                ),
                None,
            )
        }
        Err(_) => finding(
            Severity::Warning,
            format!("namespace \"{name}\" cannot be looked at"),
            Some("you may not read namespaces; a launch does not need it"),
        ),
    }
}

fn of_permissions(namespace: &str, answers: &[bool]) -> Finding {
    let missing = NEEDS.iter().zip(answers).filter(|(_, allowed)| !**allowed);
    let missing: Vec<String> = missing.map(|((verb, _, resource), _)| format!("{verb} {resource}")).collect();
    if missing.is_empty() {
        let text = format!("you may launch experiments in namespace \"{namespace}\"");
        return Finding { severity: Severity::Ok, text, hint: None };
    }
    let only_rbac = missing.iter().all(|need| need.ends_with("roles") || need.ends_with("rolebindings"));
    let hint = if only_rbac {
        "without them, let somebody make a service account and name it with --set serviceAccountName=NAME"
    } else {
        "ask whoever administers the namespace for these permissions"
    };
    Finding {
        severity: Severity::Error,
        text: format!("you may not {} in namespace \"{namespace}\"", missing.join(", ")),
        hint: Some(hint.to_owned()),
    }
}

/// What the nodes, if they may be looked at, say about an image. A kubelet only names its fifty largest images, so that
/// one which is not named may be there all the same.
fn of_image(image: &str, nodes: Option<&[Node]>) -> Finding {
    let finding =
        |severity, text: String, hint: Option<&str>| Finding { severity, text, hint: hint.map(str::to_owned) };
    let hint = "the nodes have to pull it; another one is chosen with --set image=IMAGE";
    let Some(nodes) = nodes else {
        let text = format!("whether a node has image {image} cannot be told: you may not look at nodes");
        return finding(Severity::Warning, text, Some(hint));
    };
    let wanted = canonical(image);
    let names = |node: &Node| {
        let images = node.status.iter().flat_map(|status| status.images.iter().flatten());
        images.flat_map(|image| image.names.iter().flatten()).any(|name| canonical(name) == wanted)
    };
    match nodes.iter().filter(|node| names(node)).count() {
        0 => finding(Severity::Warning, format!("no node says that it has image {image}"), Some(hint)),
        count => finding(Severity::Ok, format!("{count} of {} nodes have image {image}", nodes.len()), None),
    }
}

/// An image's name in full, as kubelets report it: with registry and tag.
fn canonical(image: &str) -> String {
    let named = match image.split_once('/') {
        None => format!("docker.io/library/{image}"),
        Some((first, _)) if first.contains(['.', ':']) || first == "localhost" => image.to_owned(),
        Some(_) => format!("docker.io/{image}"),
    };
    let last = named.rsplit('/').next().unwrap_or_default();
    if last.contains([':', '@']) { named } else { format!("{named}:latest") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_server_is_a_warning() {
        assert_eq!(of_version("v1.34.4", "1", "34").severity, Severity::Ok);
        assert_eq!(of_version("v1.33.1-gke", "1", "33+").severity, Severity::Ok);
        assert_eq!(of_version("v1.20.0", "1", "20").severity, Severity::Warning);
    }

    #[test]
    fn missing_permissions_are_named_and_a_way_round_roles_is_told() {
        let mut answers = [true; NEEDS.len()];
        assert_eq!(of_permissions("n", &answers).severity, Severity::Ok);
        answers[8] = false;
        let finding = of_permissions("n", &answers);
        assert_eq!(finding.text, "you may not patch roles in namespace \"n\"");
        assert!(finding.hint.is_some_and(|hint| hint.contains("serviceAccountName")));
        answers[0] = false;
        assert!(of_permissions("n", &answers).text.contains("get secrets, patch roles"));
    }

    #[test]
    fn an_image_that_no_node_names_is_a_warning() {
        let node = |names: &[&str]| -> Node {
            serde_json::from_value(serde_json::json!({ "status": { "images": [{ "names": names }] } })).unwrap()
        };
        let nodes = [node(&["docker.io/iter8/iter8-agent:0.1.0", "x@sha256:1"]), node(&[])];
        let found = of_image("iter8/iter8-agent:0.1.0", Some(&nodes));
        assert_eq!(
            (found.severity, found.text.as_str()),
            (Severity::Ok, "1 of 2 nodes have image iter8/iter8-agent:0.1.0")
        );
        assert_eq!(of_image("iter8/iter8-agent:0.2.0", Some(&nodes)).severity, Severity::Warning);
        assert_eq!(of_image("iter8/iter8-agent:0.1.0", None).severity, Severity::Warning);
    }

    #[test]
    fn names_of_images_are_completed_as_container_runtimes_do() {
        for (short, full) in [
            ("nginx", "docker.io/library/nginx:latest"),
            ("iter8/iter8-agent:0.1.0", "docker.io/iter8/iter8-agent:0.1.0"),
            ("localhost/a", "localhost/a:latest"),
            ("registry:5000/a/b:1", "registry:5000/a/b:1"),
            ("example.com/a@sha256:12", "example.com/a@sha256:12"),
        ] {
            assert_eq!(canonical(short), full);
        }
    }

    #[test]
    fn a_namespace_that_is_missing_is_an_error() {
        assert_eq!(of_namespace("n", Ok(None)).severity, Severity::Error);
        assert_eq!(of_namespace("n", Ok(Some(Namespace::default()))).severity, Severity::Ok);
    }
}
