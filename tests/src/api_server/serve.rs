//! From a connection to answers: reads requests, lets go wrong what shall, and writes what the verbs say.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt as _};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::faults::{self, Effect};
use super::resource::{Call, Route, groups, served};
use super::state::{Request, Shared, State};
use super::status::{Body, Refusal};
use super::verbs::{self, Asked};
use super::watch::{Watch, follow};

type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// An error that ends a connection without an answer.
fn dropped() -> io::Error {
    io::Error::other("the connection is dropped on purpose")
}

pub(crate) async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    let service = service_fn(|request| answer(request, shared.clone()));
    // However it ends, the client learns of it.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

async fn answer(request: http::Request<Incoming>, shared: Arc<Shared>) -> Result<Answer, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let (method, path, query) =
        (head.method, head.uri.path().to_owned(), head.uri.query().unwrap_or_default().to_owned());
    let route = shared.read(|state| Route::parse(&method, &path, &query, &state.installed));
    let call = match &route {
        Route::Call(call) => Some(call),
        Route::Version | Route::Health | Route::Groups | Route::Group { .. } | Route::Unknown => None,
    };
    let (number, effects) = shared.update(|state| {
        state.requests.push(Request {
            method: method.clone(),
            path: path.clone(),
            query,
            headers: head.headers.clone(),
            body: body.clone(),
            verb: call.map_or("", |call| call.verb),
            resource: call.map(Call::full_resource).unwrap_or_default(),
            namespace: call.map(|call| call.namespace.clone()).unwrap_or_default(),
            name: call.map(|call| call.name.clone()).unwrap_or_default(),
            status: None,
            number: state.came,
        });
        state.came += 1;
        let effects = call.map(|call| faults::take(&mut state.faults, call)).unwrap_or_default();
        (state.came - 1, effects)
    });
    let mut answer = match before(&effects, call, &shared).await? {
        Some(refusal) => refused(&refusal),
        None => match &route {
            Route::Version => json_answer(StatusCode::OK, &version()),
            Route::Health => text_answer(StatusCode::OK, "ok"),
            Route::Groups => json_answer(StatusCode::OK, &shared.read(|state| groups(&state.installed))),
            Route::Group { group, version } => {
                let served = shared.read(|state| served(group, version, &state.installed));
                served.map_or_else(
                    || refused(&Refusal::no_such_resource()),
                    |served| json_answer(StatusCode::OK, &served),
                )
            }
            Route::Unknown => refused(&Refusal::no_such_resource()),
            Route::Call(call) => {
                carried_out(call, &head.headers, &body, &shared).unwrap_or_else(|refusal| refused(&refusal))
            }
        },
    };
    for effect in &effects {
        match effect {
            Effect::LoseAnswer => return Err(dropped()),
            Effect::Warn(text) => {
                let value = HeaderValue::try_from(format!("299 - \"{text}\"")).expect("a warning is visible ASCII");
                answer.headers_mut().append(header::WARNING, value);
            }
            Effect::Refuse(_) | Effect::Drop | Effect::Hold(_) => {}
        }
    }
    let status = answer.status().as_u16();
    shared.update(|state| {
        // It may have been forgotten in the meantime.
        let request = state.requests.iter_mut().find(|request| request.number == number);
        request.into_iter().for_each(|request| request.status = Some(status));
    });
    if method == Method::HEAD {
        *answer.body_mut() = Full::default().boxed_unsync();
    }
    Ok(answer)
}

/// What happens before a request is carried out. Some refusal when it is not.
async fn before(effects: &[Effect], call: Option<&Call>, shared: &Arc<Shared>) -> Result<Option<Refusal>, io::Error> {
    for effect in effects {
        match effect {
            Effect::Drop => return Err(dropped()),
            Effect::Refuse(refusal) => return Ok(call.map(|call| refusal(call))),
            Effect::Hold(number) => {
                shared.update(|state| state.holds[*number].is_reached = true);
                shared.until(|state| state.holds[*number].is_released).await;
            }
            Effect::LoseAnswer | Effect::Warn(_) => {}
        }
    }
    let is_denied =
        |state: &State| call.filter(|call| state.denied.iter().any(|(verb, resource)| call.is_meant(verb, resource)));
    Ok(shared.read(|state| is_denied(state).map(Refusal::forbidden)))
}

fn carried_out(call: &Call, headers: &HeaderMap, body: &Bytes, shared: &Arc<Shared>) -> Result<Answer, Refusal> {
    let text = |name: header::HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let shown = if text(header::ACCEPT).contains("as=PartialObjectMetadata") { metadata_only } else { Value::clone };
    match (call.subresource.as_deref(), call.verb) {
        (None, "watch") => {
            let watch = shared.read(|state| Watch::begin(&state.store, call, shown))?;
            let stream = StreamBody::new(watch.stream(shared.clone())).boxed_unsync();
            Ok(answer_of(StatusCode::OK, "application/json", stream))
        }
        (None, "create") if call.resource.kind == "SelfSubjectAccessReview" => {
            let review = shared.read(|state| review(state, body));
            Ok(json_answer(StatusCode::CREATED, &review))
        }
        (None, _) => {
            let asked =
                Asked { call, content_type: text(header::CONTENT_TYPE), user_agent: text(header::USER_AGENT), body };
            let (status, value) = shared.update(|state| verbs::perform(&mut state.store, &asked))?;
            Ok(json_answer(status, &shown(&value)))
        }
        (Some("log"), "get") => log(call, shared),
        _ => Err(Refusal::no_such_resource()),
    }
}

fn log(call: &Call, shared: &Arc<Shared>) -> Result<Answer, Refusal> {
    let key = (call.namespace.clone(), call.name.clone());
    let written = shared.read(|state| {
        state.get("pods", &call.namespace, &call.name)?;
        Some(state.logs.get(&key).map(|log| log.text.clone()).unwrap_or_default())
    });
    let text = written.ok_or_else(|| Refusal::not_found(call))?;
    if !call.flag("follow") {
        return Ok(text_answer(StatusCode::OK, &text));
    }
    // An empty frame first, so that the head of the answer goes out although nothing has been written yet.
    let head = stream::iter([Ok(Frame::data(Bytes::new()))]);
    let stream = StreamBody::new(head.chain(follow(shared.clone(), key.0, key.1))).boxed_unsync();
    Ok(answer_of(StatusCode::OK, "text/plain", stream))
}

/// Answers whether the user may do something: everything that is not denied.
fn review(state: &State, body: &Bytes) -> Value {
    let mut review: Value = serde_json::from_slice(body).unwrap_or_default();
    let attributes = &review["spec"]["resourceAttributes"];
    let text = |key: &str| attributes[key].as_str().unwrap_or_default();
    let resource = match text("subresource") {
        "" => text("resource").to_owned(),
        subresource => format!("{}/{subresource}", text("resource")),
    };
    let means = |denied: &str, asked: &str| denied == "*" || denied == asked;
    let is_denied = state.denied.iter().any(|(verb, denied)| means(verb, text("verb")) && means(denied, &resource));
    review["status"] = json!({ "allowed": !is_denied });
    review
}

/// An object, a list or a status with nothing but metadata.
fn metadata_only(value: &Value) -> Value {
    let bare = |object: &Value| json!({ "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": object["metadata"] });
    if value["kind"] == "Status" {
        return value.clone();
    }
    match value["items"].as_array() {
        Some(items) => json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadataList",
            "metadata": value["metadata"], "items": items.iter().map(bare).collect::<Vec<_>>(),
        }),
        None => bare(value),
    }
}

fn version() -> Value {
    json!({
        "major": "1", "minor": "34", "gitVersion": "v1.34.4", "gitTreeState": "clean",
        "gitCommit": "0000000000000000000000000000000000000000", "buildDate": "2026-01-01T00:00:00Z",
        "goVersion": "go1.24.0", "compiler": "gc", "platform": "linux/amd64",
        "emulationMajor": "1", "emulationMinor": "34", "minCompatibilityMajor": "1", "minCompatibilityMinor": "33",
    })
}

fn refused(refusal: &Refusal) -> Answer {
    let content_type = match refusal.body {
        Body::Status(_) => "application/json",
        Body::Text(_) => "text/plain; charset=utf-8",
    };
    let mut answer = answer_of(refusal.code, content_type, Full::from(refusal.text()).boxed_unsync());
    if let Some(seconds) = refusal.retry_after {
        answer.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

fn json_answer(status: StatusCode, value: &Value) -> Answer {
    answer_of(status, "application/json", Full::from(value.to_string()).boxed_unsync())
}

fn text_answer(status: StatusCode, text: &str) -> Answer {
    answer_of(status, "text/plain", Full::from(text.to_owned()).boxed_unsync())
}

fn answer_of(status: StatusCode, content_type: &'static str, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    answer
}
