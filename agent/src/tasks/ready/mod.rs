//! The task `ready`: waits until the named objects of the cluster are ready, and says what is missing meanwhile. When an
//! object is ready is decided in `rules`; why a pod of an experiment does not start is the business of iter8-cluster.

mod rules;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use iter8_cluster::error::chain;
use iter8_core::GoDuration;
use iter8_core::task::ready::{Ready, ReadyRule, ReadyTarget};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

pub use rules::{Readiness, readiness};

use super::{TaskContext, TaskError};

/// How often the cluster is asked: soon at first, then once a second.
const FIRST_POLL: Duration = Duration::from_millis(200);
const SLOWEST_POLL: Duration = Duration::from_secs(1);

/// How long an answer that something is not allowed is not believed: a Role that was applied together with the
/// experiment takes a moment to reach every API server.
const FORBIDDEN_PATIENCE: Duration = Duration::from_secs(3);

/// How long a Service with ready endpoints may refuse connections. Nodes learn of endpoints a moment later than the
/// API does; a Service that is closed to the agent for good is no reason to fail, because the agent may not be the
/// one who needs it.
const ROUTE_PATIENCE: Duration = Duration::from_secs(5);
const ROUTE_POLL: Duration = Duration::from_millis(50);

/// How many pods of an object are named.
const NAMED_PODS: usize = 3;

pub(super) async fn run(inputs: &Ready, context: TaskContext<'_>) -> Result<String, TaskError> {
    let client = context.client.ok_or(TaskError::NoCluster)?;
    let mut watch = Watch::new(client, context.namespace, inputs);
    let limit = inputs.timeout();
    let mut lacking = vec!["the API server has not answered yet".to_owned()];
    let wait = async {
        let mut pause = FIRST_POLL;
        loop {
            lacking = watch.missing().await?;
            if lacking.is_empty() {
                watch.await_routes().await;
                return Ok::<_, TaskError>(());
            }
            (context.progress)(format!("waiting: {}", lacking.join("; ")));
            sleep(pause).await;
            pause = (pause * 2).min(SLOWEST_POLL);
        }
    };
    let waited = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
        waited = timeout(limit, wait) => waited,
    };
    match waited {
        Ok(answer) => answer?,
        // Only the connections were still waited for.
        Err(_) if lacking.is_empty() => {}
        // What was missing when they were last looked at: the API server may have gone away since.
        Err(_) => {
            return Err(TaskError::NotReady { timeout: GoDuration(limit), missing: lacking.join("; ") });
        }
    }
    let names: Vec<String> = inputs.targets().iter().map(|target| format!("{} {}", target.noun, target.name)).collect();
    Ok(format!("ready: {}", names.join(", ")))
}

/// The objects that are waited for.
struct Watch<'a> {
    client: &'a kube::Client,
    /// The experiment's namespace.
    home: &'a str,
    targets: Vec<ReadyTarget<'a>>,
    begun: Instant,
    /// Whether pods may be listed, to say why an object does not get ready; asked until it is refused.
    sees_pods: bool,
}

/// What the cluster said of an object.
enum Seen {
    /// What the object lacks.
    Judged(Readiness),
    /// Nothing: what is not allowed, and the answer.
    Forbidden(Right, kube::Error),
}

/// A right that is needed to look at an object.
struct Right {
    verb: &'static str,
    resource: String,
}

impl<'a> Watch<'a> {
    fn new(client: &'a kube::Client, home: &'a str, inputs: &'a Ready) -> Self {
        Self { client, home, targets: inputs.targets(), begun: Instant::now(), sees_pods: true }
    }

    /// What each object that is not ready lacks.
    async fn missing(&mut self) -> Result<Vec<String>, TaskError> {
        let mut missing = Vec::new();
        for target in self.targets.clone() {
            let namespace = self.namespace(&target);
            let object = format!("{} {namespace}/{}", target.noun, target.name);
            match self.look(&target).await {
                Ok(Seen::Judged(Readiness::Ready)) => {}
                Ok(Seen::Judged(Readiness::Missing(what))) => missing.push(format!("{object} {what}")),
                Ok(Seen::Judged(Readiness::Never(why))) => return Err(TaskError::NeverReady { object, why }),
                Ok(Seen::Forbidden(right, error)) if self.begun.elapsed() < FORBIDDEN_PATIENCE => {
                    let Right { verb, resource } = right;
                    missing
                        .push(format!("{object} cannot be read, {verb} {resource} is not allowed: {}", chain(&error)));
                }
                Ok(Seen::Forbidden(Right { verb, resource }, error)) => {
                    let (namespace, source) = (namespace.to_owned(), Box::new(error));
                    return Err(TaskError::Forbidden { object, verb, resource, namespace, source });
                }
                // The server restarts: the same as not ready yet.
                Err(error) if is_transient(&error) => {
                    missing.push(format!("{object} cannot be read: {}", chain(&error)));
                }
                Err(error) => return Err(TaskError::Unreadable { object, source: Box::new(error) }),
            }
        }
        Ok(missing)
    }

    fn namespace(&self, target: &ReadyTarget<'a>) -> &'a str {
        target.namespace.unwrap_or(self.home)
    }

    /// Looks at an object, and at what belongs to it.
    async fn look(&mut self, target: &ReadyTarget<'a>) -> Result<Seen, kube::Error> {
        let found = match self.api(target).get(target.name).await {
            Ok(found) => Some(serde_json::to_value(found).unwrap_or_default()),
            Err(error) if is_forbidden(&error) => {
                return Ok(Seen::Forbidden(Right { verb: "get", resource: qualified(target) }, error));
            }
            Err(error) => match absence(&error) {
                Some(Absence::Object) => None,
                Some(Absence::Kind) => return Ok(Seen::Judged(Readiness::Missing(unserved(target)))),
                None => return Err(error),
            },
        };
        let slices = match (target.rule, &found) {
            (ReadyRule::Service, Some(_)) => match self.endpoint_slices(target).await {
                Ok(slices) => slices,
                Err(error) if is_forbidden(&error) => {
                    let resource = "endpointslices.discovery.k8s.io".to_owned();
                    return Ok(Seen::Forbidden(Right { verb: "list", resource }, error));
                }
                Err(error) => return Err(error),
            },
            _ => Vec::new(),
        };
        let judged = match readiness(target.rule, found.as_ref(), &slices) {
            Readiness::Missing(what) => {
                let pods = match found.as_ref().and_then(|object| rules::pod_selector(target.rule, object)) {
                    Some(selector) => self.troubled_pods(target, &selector).await,
                    None => String::new(),
                };
                Readiness::Missing(what + &pods)
            }
            judged @ (Readiness::Ready | Readiness::Never(_)) => judged,
        };
        Ok(Seen::Judged(judged))
    }

    /// What is wrong with the pods of an object, as the rest of a sentence; nothing when they may not be listed.
    async fn troubled_pods(&mut self, target: &ReadyTarget<'a>, selector: &str) -> String {
        if !self.sees_pods {
            return String::new();
        }
        match self.list("", "v1", "Pod", "pods", target, selector).await {
            Ok(pods) => {
                let troubled = pods.iter().filter_map(|pod| {
                    let name = pod["metadata"]["name"].as_str()?;
                    Some(format!("; pod {name}: {}", rules::pod_trouble(pod)?))
                });
                troubled.take(NAMED_PODS).collect()
            }
            Err(error) => {
                self.sees_pods = !is_forbidden(&error);
                String::new()
            }
        }
    }

    /// Waits until connections to the Services are accepted.
    async fn await_routes(&self) {
        for target in self.targets.iter().filter(|target| target.rule == ReadyRule::Service) {
            let found = self.api(target).get_opt(target.name).await.ok().flatten();
            let found = found.and_then(|service| serde_json::to_value(service).ok());
            let Some(address) = found.as_ref().and_then(route) else { continue };
            let connect = async {
                while TcpStream::connect(address).await.is_err() {
                    sleep(ROUTE_POLL).await;
                }
            };
            if timeout(ROUTE_PATIENCE, connect).await.is_err() {
                let (namespace, name) = (self.namespace(target), target.name);
                tracing::warn!("service {namespace}/{name} has ready endpoints and accepts no connection from here");
            }
        }
    }

    fn api(&self, target: &ReadyTarget<'a>) -> Api<DynamicObject> {
        // The kind is not known and not needed: the path of a request has the plural.
        let kind = GroupVersionKind::gvk(target.group, target.version, target.resource);
        let resource = ApiResource::from_gvk_with_plural(&kind, target.resource);
        Api::namespaced_with(self.client.clone(), self.namespace(target), &resource)
    }

    async fn endpoint_slices(&self, service: &ReadyTarget<'a>) -> Result<Vec<Value>, kube::Error> {
        let selector = format!("kubernetes.io/service-name={}", service.name);
        self.list("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices", service, &selector).await
    }

    /// Objects beside a target, by their labels.
    async fn list(
        &self,
        group: &str,
        version: &str,
        kind: &str,
        plural: &str,
        beside: &ReadyTarget<'a>,
        selector: &str,
    ) -> Result<Vec<Value>, kube::Error> {
        let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
        let objects: Api<DynamicObject> = Api::namespaced_with(self.client.clone(), self.namespace(beside), &resource);
        let list = objects.list(&ListParams::default().labels(selector)).await?;
        Ok(list.items.into_iter().filter_map(|object| serde_json::to_value(object).ok()).collect())
    }
}

/// Where a Service is reached from every pod; None when it has no address of its own, or no TCP port.
fn route(service: &Value) -> Option<SocketAddr> {
    let address = service["spec"]["clusterIP"].as_str()?.parse::<IpAddr>().ok()?;
    let ports = service["spec"]["ports"].as_array()?;
    let tcp = ports.iter().find(|port| port["protocol"].as_str().unwrap_or("TCP") == "TCP")?;
    Some(SocketAddr::new(address, u16::try_from(tcp["port"].as_u64()?).ok()?))
}

/// `deployments.apps`, as roles and messages of the API name it.
fn qualified(target: &ReadyTarget<'_>) -> String {
    if target.group.is_empty() { target.resource.to_owned() } else { format!("{}.{}", target.resource, target.group) }
}

fn unserved(target: &ReadyTarget<'_>) -> String {
    let ReadyTarget { group, version, resource, .. } = target;
    let api = if group.is_empty() { (*version).to_owned() } else { format!("{group}/{version}") };
    format!("is of a kind that the cluster does not serve in namespaces: {resource} of {api}")
}

/// What is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Absence {
    Object,
    Kind,
}

/// What an answer says is not there. An object that is not there is named in the details; what the server knows no path
/// for is not, and an unknown group is answered with a plain text.
fn absence(error: &kube::Error) -> Option<Absence> {
    let kube::Error::Api(status) = error else { return None };
    let names_object = status.details.as_ref().is_some_and(|details| !details.name.is_empty());
    (status.code == 404).then_some(if names_object { Absence::Object } else { Absence::Kind })
}

fn is_forbidden(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.is_forbidden())
}

/// Errors that pass by themselves: no connection, or a server that is busy or starting.
fn is_transient(error: &kube::Error) -> bool {
    match error {
        kube::Error::Api(status) => status.code == 429 || status.code >= 500,
        kube::Error::HyperError(_) | kube::Error::Service(_) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_is_reached_at_its_first_tcp_port_if_it_has_an_address() {
        let service = |ip: &str| json!({ "spec": { "clusterIP": ip, "ports": [{ "port": 53, "protocol": "UDP" }, { "port": 80 }] } });
        assert_eq!(route(&service("10.0.0.1")), Some(SocketAddr::from(([10, 0, 0, 1], 80))));
        assert_eq!(route(&service("None")), None);
        assert_eq!(
            route(&json!({ "spec": { "clusterIP": "10.0.0.1", "ports": [{ "port": 53, "protocol": "UDP" }] } })),
            None
        );
        assert_eq!(route(&json!({ "spec": { "type": "ExternalName" } })), None);
    }
}
