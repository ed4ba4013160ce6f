//! How the server says no: the `Status` objects of Kubernetes, word for word where the words matter.

use http::StatusCode;
use serde_json::{Value, json};

use super::resource::{Call, Resource};

/// Whom the server takes every request to come from.
pub const USER: &str = "tester";

/// An answer that is no success.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: StatusCode,
    pub(crate) body: Body,
    /// Seconds for the header `Retry-After`.
    pub(crate) retry_after: Option<u32>,
}

/// What an answer that is no success carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    /// A `Status`.
    Status(Value),
    /// What parts of the real server say before they know of `Status`.
    Text(String),
}

impl Refusal {
    pub(crate) fn new(code: StatusCode, reason: &str, message: impl Into<String>, details: &Value) -> Self {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": message.into(), "reason": reason, "code": code.as_u16(),
        });
        if !details.is_null() {
            status["details"] = details.clone();
        }
        Self { code, body: Body::Status(status), retry_after: None }
    }

    fn about(call: &Call, code: StatusCode, reason: &str, message: impl Into<String>) -> Self {
        Self::new(code, reason, message, &details(call.resource, &call.name))
    }

    pub(crate) fn unauthorized() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized", &Value::Null)
    }

    /// What the authorizer says.
    pub(crate) fn forbidden(call: &Call) -> Self {
        // The attributes of a request for a namespace have it as their namespace.
        let namespace = if call.resource.kind == "Namespace" { &call.name } else { &call.namespace };
        let scope = match namespace.as_str() {
            "" => "at the cluster scope".to_owned(),
            namespace => format!("in the namespace \"{namespace}\""),
        };
        let message = format!(
            "{} is forbidden: User \"{USER}\" cannot {} resource \"{}\" in API group \"{}\" {scope}",
            subject(call),
            call.verb,
            call.full_resource(),
            call.resource.group,
        );
        Self::about(call, StatusCode::FORBIDDEN, "Forbidden", message)
    }

    /// What admission says, in words of its own: a quota, the pod security level.
    pub(crate) fn rejected(call: &Call, why: &str) -> Self {
        Self::about(call, StatusCode::FORBIDDEN, "Forbidden", format!("{} is forbidden: {why}", subject(call)))
    }

    pub(crate) fn not_found(call: &Call) -> Self {
        let message = format!("{} \"{}\" not found", call.resource.qualified(), call.name);
        Self::about(call, StatusCode::NOT_FOUND, "NotFound", message)
    }

    pub(crate) fn no_namespace(namespace: &str) -> Self {
        let details = json!({ "name": namespace, "kind": "namespaces" });
        let message = format!("namespaces \"{namespace}\" not found");
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, &details)
    }

    pub(crate) fn terminating(call: &Call) -> Self {
        let namespace = &call.namespace;
        let why = format!("unable to create new content in namespace {namespace} because it is being terminated");
        let mut refusal = Self::rejected(call, &why);
        if let Body::Status(status) = &mut refusal.body {
            status["details"]["causes"] = json!([{
                "reason": "NamespaceTerminating",
                "message": format!("namespace {namespace} is being terminated"),
                "field": "metadata.namespace",
            }]);
        }
        refusal
    }

    pub(crate) fn exists(call: &Call) -> Self {
        let message = format!("{} \"{}\" already exists", call.resource.qualified(), call.name);
        Self::about(call, StatusCode::CONFLICT, "AlreadyExists", message)
    }

    pub(crate) fn modified(call: &Call) -> Self {
        Self::conflict(
            call,
            "the object has been modified; please apply your changes to the latest version and try again",
        )
    }

    /// A precondition on `field` does not hold.
    pub(crate) fn precondition(call: &Call, field: &str, wanted: &str, is: &str) -> Self {
        let why = format!("Precondition failed: {field} in precondition: {wanted}, {field} in object meta: {is}");
        Self::conflict(call, &why)
    }

    fn conflict(call: &Call, why: &str) -> Self {
        let message =
            format!("Operation cannot be fulfilled on {} \"{}\": {why}", call.resource.qualified(), call.name);
        Self::about(call, StatusCode::CONFLICT, "Conflict", message)
    }

    /// The object is wrong.
    pub(crate) fn invalid(call: &Call, why: &str) -> Self {
        let kind = call.resource.kind;
        let kind = match call.resource.group {
            "" => kind.to_owned(),
            group => format!("{kind}.{group}"),
        };
        let message = format!("{kind} \"{}\" is invalid: {why}", call.name);
        Self::about(call, StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message)
    }

    pub(crate) fn bad_request(message: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BadRequest", message, &Value::Null)
    }

    pub(crate) fn no_such_resource() -> Self {
        let message = "the server could not find the requested resource";
        Self::new(StatusCode::NOT_FOUND, "NotFound", message, &json!({}))
    }

    pub(crate) fn internal() -> Self {
        let message = "Internal error occurred: etcdserver: leader changed";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "InternalError", message, &Value::Null)
    }

    pub(crate) fn unavailable() -> Self {
        let message = "the server is currently unable to handle the request";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", message, &Value::Null)
    }

    /// Priority and fairness answers with plain text.
    pub(crate) fn too_many_requests(retry_after: u32) -> Self {
        let body = Body::Text("Too many requests, please try again later.\n".to_owned());
        Self { code: StatusCode::TOO_MANY_REQUESTS, body, retry_after: Some(retry_after) }
    }

    /// A watch or a list from a version that is no longer kept.
    pub(crate) fn expired(version: u64, oldest: u64) -> Self {
        let message = format!("too old resource version: {version} ({oldest})");
        Self::new(StatusCode::GONE, "Expired", message, &Value::Null)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        match &self.body {
            Body::Status(status) => status.to_string(),
            Body::Text(text) => text.clone(),
        }
    }
}

/// `secrets "x"`, or the collection.
fn subject(call: &Call) -> String {
    let resource = call.resource.qualified();
    if call.name.is_empty() { resource } else { format!("{resource} \"{}\"", call.name) }
}

fn details(resource: Resource, name: &str) -> Value {
    let mut details = json!({});
    for (key, value) in [("name", name), ("group", resource.group), ("kind", resource.plural)] {
        if !value.is_empty() {
            details[key] = json!(value);
        }
    }
    details
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::super::resource::Route;
    use super::*;

    fn message(method: &Method, path: &str, refusal: fn(&Call) -> Refusal) -> String {
        let Route::Call(call) = Route::parse(method, path, "", &[]) else { panic!("{path} is a call") };
        let Body::Status(status) = refusal(&call).body else { panic!("answers with a Status") };
        status["message"].as_str().expect("has a message").to_owned()
    }

    #[test]
    fn refusals_have_the_words_of_the_real_server() {
        assert_eq!(
            message(&Method::GET, "/api/v1/namespaces/y/secrets", Refusal::forbidden),
            "secrets is forbidden: User \"tester\" cannot list resource \"secrets\" in API group \"\" in the namespace \"y\""
        );
        assert_eq!(
            message(&Method::DELETE, "/apis/batch/v1/namespaces/y/jobs/j", Refusal::forbidden),
            "jobs.batch \"j\" is forbidden: User \"tester\" cannot delete resource \"jobs\" in API group \"batch\" in the namespace \"y\""
        );
        assert_eq!(
            message(&Method::GET, "/api/v1/secrets", Refusal::forbidden),
            "secrets is forbidden: User \"tester\" cannot list resource \"secrets\" in API group \"\" at the cluster scope"
        );
        assert_eq!(
            message(&Method::GET, "/apis/batch/v1/namespaces/y/jobs/j", Refusal::not_found),
            "jobs.batch \"j\" not found"
        );
        assert_eq!(
            message(&Method::PUT, "/api/v1/namespaces/y/secrets/s", Refusal::modified),
            "Operation cannot be fulfilled on secrets \"s\": the object has been modified; please apply your changes to the latest version and try again"
        );
    }
}
