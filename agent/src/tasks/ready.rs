//! The task `ready`: waits until the named objects of the cluster are ready, and says what is missing meanwhile.
//! Why a pod does not start is the business of iter8-cluster.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use iter8_cluster::error::chain;
use iter8_core::GoDuration;
use iter8_core::task::ready::{Ready, ReadyKind};
use kube::api::{Api, ApiResource, DynamicObject, ListParams};
use kube::core::GroupVersionKind;
use serde_json::Value;
use tokio::net::TcpStream;

use super::{TaskContext, TaskError};

/// How often the cluster is asked.
const POLL: Duration = Duration::from_millis(500);

/// How long a Service with ready endpoints may refuse connections. Nodes learn of endpoints a moment later than the
/// API does; a Service that is closed to the agent for good is no reason to fail, because the agent may not be the
/// one who needs it.
const ROUTE_PATIENCE: Duration = Duration::from_secs(5);
const ROUTE_POLL: Duration = Duration::from_millis(50);

/// What an object lacks to be ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// Nothing.
    Ready,
    /// What is missing, in a few words.
    Missing(String),
}

pub(super) async fn run(inputs: &Ready, context: TaskContext<'_>) -> Result<String, TaskError> {
    let client = context.client.ok_or(TaskError::NoCluster)?;
    let namespace = inputs.namespace.as_ref().map_or(context.namespace, |namespace| namespace.0.as_str());
    let timeout = inputs.timeout();
    let mut lacking = vec!["the API server has not answered yet".to_owned()];
    let wait = async {
        loop {
            lacking = missing(client, namespace, inputs).await?;
            if lacking.is_empty() {
                await_routes(client, namespace, inputs).await;
                return Ok::<_, TaskError>(());
            }
            (context.progress)(format!("waiting: {}", lacking.join("; ")));
            tokio::time::sleep(POLL).await;
        }
    };
    let waited = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
        waited = tokio::time::timeout(timeout, wait) => waited,
    };
    match waited {
        Ok(answer) => answer?,
        // Only the connections were still waited for.
        Err(_) if lacking.is_empty() => {}
        // What was missing when they were last looked at: the API server may have gone away since.
        Err(_) => {
            return Err(TaskError::NotReady { timeout: GoDuration(timeout), missing: lacking.join("; ") });
        }
    }
    let names: Vec<String> = inputs.objects().iter().map(|(kind, name)| format!("{} {name}", kind.noun())).collect();
    Ok(format!("ready: {}", names.join(", ")))
}

/// Waits until connections to the Services are accepted.
async fn await_routes(client: &kube::Client, namespace: &str, inputs: &Ready) {
    let services = inputs.objects().into_iter().filter(|(kind, _)| *kind == ReadyKind::Service);
    for (kind, name) in services {
        let found = api(client, namespace, kind).get_opt(name).await.ok().flatten();
        let found = found.and_then(|service| serde_json::to_value(service).ok());
        let Some(address) = found.as_ref().and_then(route) else { continue };
        let connect = async {
            while TcpStream::connect(address).await.is_err() {
                tokio::time::sleep(ROUTE_POLL).await;
            }
        };
        if tokio::time::timeout(ROUTE_PATIENCE, connect).await.is_err() {
            tracing::warn!("service {namespace}/{name} has ready endpoints and accepts no connection from here");
        }
    }
}

/// Where a Service is reached from every pod; None when it has no address of its own, or no TCP port.
fn route(service: &Value) -> Option<SocketAddr> {
    let address = service["spec"]["clusterIP"].as_str()?.parse::<IpAddr>().ok()?;
    let ports = service["spec"]["ports"].as_array()?;
    let tcp = ports.iter().find(|port| port["protocol"].as_str().unwrap_or("TCP") == "TCP")?;
    Some(SocketAddr::new(address, u16::try_from(tcp["port"].as_u64()?).ok()?))
}

/// What each object that is not ready lacks.
async fn missing(client: &kube::Client, namespace: &str, inputs: &Ready) -> Result<Vec<String>, TaskError> {
    let mut missing = Vec::new();
    for (kind, name) in inputs.objects() {
        let object = format!("{} {namespace}/{name}", kind.noun());
        match state(client, namespace, kind, name).await {
            Ok(Readiness::Ready) => {}
            Ok(Readiness::Missing(what)) => missing.push(format!("{object} {what}")),
            // The server restarts, or a resource is just being installed: the same as not ready yet.
            Err(error) if is_transient(&error) => missing.push(format!("{object} cannot be read: {}", chain(&error))),
            Err(error) => return Err(TaskError::Unreadable { object, source: Box::new(error) }),
        }
    }
    Ok(missing)
}

/// Whether an object of the cluster is ready.
async fn state(client: &kube::Client, namespace: &str, kind: ReadyKind, name: &str) -> Result<Readiness, kube::Error> {
    let found = api(client, namespace, kind).get_opt(name).await?;
    let found = found.map(|object| serde_json::to_value(object).unwrap_or_default());
    let slices = match (kind, &found) {
        (ReadyKind::Service, Some(_)) => endpoint_slices(client, namespace, name).await?,
        _ => Vec::new(),
    };
    Ok(readiness(kind, found.as_ref(), &slices))
}

/// Whether `object` is ready. `slices` are the EndpointSlices of a Service; other kinds need none.
pub fn readiness(kind: ReadyKind, object: Option<&Value>, slices: &[Value]) -> Readiness {
    let Some(object) = object else { return Readiness::Missing("does not exist".to_owned()) };
    if !object["metadata"]["deletionTimestamp"].is_null() {
        return Readiness::Missing("is being deleted".to_owned());
    }
    match kind {
        ReadyKind::Service => service(object, slices),
        ReadyKind::Deployment => deployment(object),
        ReadyKind::KnativeService | ReadyKind::InferenceService => {
            current(object).unwrap_or_else(|| condition(object, "Ready"))
        }
        ReadyKind::ChaosEngine => Readiness::Ready,
    }
}

/// A Service is ready when one of its endpoints is. An ExternalName has no endpoints and is ready by existing.
fn service(object: &Value, slices: &[Value]) -> Readiness {
    if object["spec"]["type"] == "ExternalName" {
        return Readiness::Ready;
    }
    let endpoints = slices.iter().filter_map(|slice| slice["endpoints"].as_array()).flatten();
    // A missing `ready` means unknown, which consumers are to take as ready (EndpointConditions of the API).
    let ready = endpoints.filter(|endpoint| endpoint["conditions"]["ready"].as_bool().unwrap_or(true));
    if ready.count() > 0 { Readiness::Ready } else { Readiness::Missing("has no ready endpoint".to_owned()) }
}

/// A Deployment is ready when its present generation is observed, wholly rolled out and available: the rule of
/// `kubectl rollout status`.
fn deployment(object: &Value) -> Readiness {
    if let Some(stale) = current(object) {
        return stale;
    }
    let status = &object["status"];
    let count = |field: &str| status[field].as_i64().unwrap_or(0);
    let wanted = object["spec"]["replicas"].as_i64().unwrap_or(1);
    let (updated, replicas, available) = (count("updatedReplicas"), count("replicas"), count("availableReplicas"));
    if let Some(stuck) = condition_of(object, "Progressing").filter(|c| c["reason"] == "ProgressDeadlineExceeded") {
        let message = stuck["message"].as_str().unwrap_or("its rollout exceeded its deadline");
        return Readiness::Missing(format!("does not progress: {message}"));
    }
    if updated < wanted {
        return Readiness::Missing(format!("has {updated} of {wanted} replicas updated"));
    }
    if replicas > updated {
        return Readiness::Missing(format!("has {} old replicas left", replicas - updated));
    }
    if available < updated {
        return Readiness::Missing(format!("has {available} of {updated} replicas available"));
    }
    Readiness::Ready
}

/// What a controller has still to notice, if anything.
fn current(object: &Value) -> Option<Readiness> {
    let generation = object["metadata"]["generation"].as_i64()?;
    let observed = object["status"]["observedGeneration"].as_i64().unwrap_or(0);
    (observed < generation)
        .then(|| Readiness::Missing("has a newer generation than its controller has seen".to_owned()))
}

fn condition_of<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    let conditions = object["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"].as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(name)))
}

fn condition(object: &Value, name: &str) -> Readiness {
    match condition_of(object, name) {
        Some(condition) if condition["status"].as_str().is_some_and(|s| s.eq_ignore_ascii_case("true")) => {
            Readiness::Ready
        }
        Some(condition) => {
            let why = condition["message"].as_str().or(condition["reason"].as_str()).unwrap_or("no reason given");
            Readiness::Missing(format!("is not {name}: {why}"))
        }
        None => Readiness::Missing(format!("has no condition {name} yet")),
    }
}

fn api(client: &kube::Client, namespace: &str, kind: ReadyKind) -> Api<DynamicObject> {
    let (group, version, kind, plural) = match kind {
        ReadyKind::Service => ("", "v1", "Service", "services"),
        ReadyKind::Deployment => ("apps", "v1", "Deployment", "deployments"),
        ReadyKind::KnativeService => ("serving.knative.dev", "v1", "Service", "services"),
        ReadyKind::InferenceService => ("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices"),
        ReadyKind::ChaosEngine => ("litmuschaos.io", "v1alpha1", "ChaosEngine", "chaosengines"),
    };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), plural);
    Api::namespaced_with(client.clone(), namespace, &resource)
}

async fn endpoint_slices(client: &kube::Client, namespace: &str, service: &str) -> Result<Vec<Value>, kube::Error> {
    let gvk = GroupVersionKind::gvk("discovery.k8s.io", "v1", "EndpointSlice");
    let resource = ApiResource::from_gvk_with_plural(&gvk, "endpointslices");
    let slices: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let list = slices.list(&ListParams::default().labels(&format!("kubernetes.io/service-name={service}"))).await?;
    Ok(list.items.into_iter().filter_map(|slice| serde_json::to_value(slice).ok()).collect())
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

    fn missing(text: &str) -> Readiness {
        Readiness::Missing(text.to_owned())
    }

    fn rollout(generation: i64, observed: i64, status: [i64; 3]) -> Value {
        let [replicas, updated, available] = status;
        json!({
            "metadata": { "generation": generation },
            "spec": { "replicas": 2 },
            "status": {
                "observedGeneration": observed, "replicas": replicas, "updatedReplicas": updated,
                "availableReplicas": available, "conditions": [{ "type": "Available", "status": "True" }],
            },
        })
    }

    #[test]
    fn a_deployment_is_ready_only_when_the_present_generation_is_rolled_out() {
        for (object, expected) in [
            (rollout(3, 3, [2, 2, 2]), Readiness::Ready),
            (rollout(3, 2, [2, 2, 2]), missing("has a newer generation than its controller has seen")),
            (rollout(3, 3, [3, 1, 2]), missing("has 1 of 2 replicas updated")),
            (rollout(3, 3, [3, 2, 2]), missing("has 1 old replicas left")),
            (rollout(3, 3, [2, 2, 1]), missing("has 1 of 2 replicas available")),
        ] {
            assert_eq!(readiness(ReadyKind::Deployment, Some(&object), &[]), expected);
        }
    }

    #[test]
    fn a_service_needs_a_ready_endpoint() {
        let service = json!({ "spec": { "type": "ClusterIP" } });
        let slice = |ready: Value| json!({ "endpoints": [{ "conditions": { "ready": ready } }] });
        let of = |slices: &[Value]| readiness(ReadyKind::Service, Some(&service), slices);
        assert_eq!(of(&[]), missing("has no ready endpoint"));
        assert_eq!(of(&[slice(json!(false))]), missing("has no ready endpoint"));
        assert_eq!(of(&[slice(json!(false)), slice(json!(true))]), Readiness::Ready);
        assert_eq!(of(&[slice(Value::Null)]), Readiness::Ready);
        let external = json!({ "spec": { "type": "ExternalName" } });
        assert_eq!(readiness(ReadyKind::Service, Some(&external), &[]), Readiness::Ready);
    }

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

    #[test]
    fn a_condition_is_read_without_case_and_its_message_shown() {
        let object = |status: &str| json!({ "status": { "conditions": [{ "type": "ready", "status": status, "message": "no revision" }] } });
        assert_eq!(readiness(ReadyKind::KnativeService, Some(&object("TRUE")), &[]), Readiness::Ready);
        assert_eq!(
            readiness(ReadyKind::InferenceService, Some(&object("False")), &[]),
            missing("is not Ready: no revision")
        );
        assert_eq!(readiness(ReadyKind::KnativeService, Some(&json!({})), &[]), missing("has no condition Ready yet"));
    }

    #[test]
    fn what_does_not_exist_or_is_going_away_is_not_ready() {
        assert_eq!(readiness(ReadyKind::ChaosEngine, None, &[]), missing("does not exist"));
        let going = json!({ "metadata": { "deletionTimestamp": "2026-01-01T00:00:00Z" } });
        assert_eq!(readiness(ReadyKind::ChaosEngine, Some(&going), &[]), missing("is being deleted"));
        assert_eq!(readiness(ReadyKind::ChaosEngine, Some(&json!({})), &[]), Readiness::Ready);
    }
}
