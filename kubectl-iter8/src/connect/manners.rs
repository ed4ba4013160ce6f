//! What kubectl does around each request: it gives up after `--request-timeout`, and it tells what was asked and the
//! warnings that the API server sends along. Who is told what is decided elsewhere.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tower::{BoxError, Layer, Service};

/// Something about one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aside {
    /// A warning of the API server, told once for a call of the program.
    Warning(String),
    /// A request with what came of it. Neither headers nor bodies are in it, which may hold credentials.
    Request(String),
}

/// No answer came from a server.
#[derive(Debug, thiserror::Error)]
#[error("no answer from {address}")]
pub(super) struct NoAnswer {
    /// Host and port.
    pub(super) address: String,
    source: BoxError,
}

/// Takes what happens around requests.
pub type Tell = Arc<dyn Fn(Aside) + Send + Sync>;

/// Adds both to a service.
#[derive(Clone)]
pub(super) struct MannersLayer {
    /// Host and port of the server.
    pub(super) address: String,
    pub(super) timeout: Option<Duration>,
    pub(super) tell: Tell,
}

#[derive(Clone)]
pub(super) struct Manners<S> {
    inner: S,
    address: String,
    timeout: Option<Duration>,
    tell: Tell,
    /// A warning is told once for a call of the program.
    told: Arc<Mutex<HashSet<String>>>,
}

impl<S> Layer<S> for MannersLayer {
    type Service = Manners<S>;

    fn layer(&self, inner: S) -> Manners<S> {
        let Self { address, timeout, tell } = self.clone();
        Manners { inner, address, timeout, tell, told: Arc::default() }
    }
}

impl<S, B, A> Service<Request<B>> for Manners<S>
where
    S: Service<Request<B>, Response = Response<A>, Error = BoxError>,
    S::Future: Send + 'static,
    A: 'static,
{
    type Response = Response<A>;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Response<A>, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let is_stream =
            request.uri().query().is_some_and(|query| query.contains("watch=true") || query.contains("follow=true"));
        let timeout = self.timeout.filter(|_| !is_stream);
        let (tell, told) = (self.tell.clone(), self.told.clone());
        let asked = format!("{} {}", request.method(), request.uri());
        let address = self.address.clone();
        let begun = Instant::now();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match timeout {
                Some(limit) => tokio::time::timeout(limit, answer).await.unwrap_or_else(|_| Err(timed_out())),
                None => answer.await,
            };
            let outcome = answer.as_ref().map_or_else(ToString::to_string, |answer| answer.status().to_string());
            tell(Aside::Request(format!("{asked} {outcome} in {} milliseconds", begun.elapsed().as_millis())));
            let answer = answer.map_err(|source| NoAnswer { address, source })?;
            let mut told = told.lock().expect("no one panics while holding it");
            for text in warnings(answer.headers()) {
                if told.insert(text.clone()) {
                    tell(Aside::Warning(text));
                }
            }
            drop(told);
            Ok(answer)
        })
    }
}

fn timed_out() -> BoxError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "no answer within --request-timeout").into()
}

/// Texts of the `Warning` headers: `299 - "text"` (RFC 7234, section 5.5).
fn warnings(headers: &HeaderMap) -> Vec<String> {
    let texts = headers.get_all(http::header::WARNING).iter().filter_map(|value| {
        let quoted = value.to_str().ok()?.split_once('"')?.1;
        let text = quoted.rsplit_once('"').map_or(quoted, |(text, _)| text);
        Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
    });
    texts.collect()
}

#[cfg(test)]
mod tests {
    use tower::{ServiceExt as _, service_fn};

    use super::*;

    fn layer(timeout: Option<Duration>) -> (MannersLayer, Arc<Mutex<Vec<Aside>>>) {
        let seen: Arc<Mutex<Vec<Aside>>> = Arc::default();
        let sink = seen.clone();
        let tell: Tell = Arc::new(move |aside| sink.lock().unwrap().push(aside));
        (MannersLayer { address: "api:6443".to_owned(), timeout, tell }, seen)
    }

    #[tokio::test]
    async fn each_warning_is_told_once() {
        let (layer, seen) = layer(None);
        let service = layer.layer(service_fn(async |_: Request<()>| {
            Ok::<_, BoxError>(
                Response::builder().header("warning", r#"299 - "would violate \"restricted\"""#).body(()).unwrap(),
            )
        }));
        for _ in 0..2 {
            service.clone().oneshot(Request::new(())).await.unwrap();
        }
        let seen = seen.lock().unwrap();
        let warnings: Vec<&Aside> = seen.iter().filter(|aside| matches!(aside, Aside::Warning(_))).collect();
        assert_eq!(warnings, [&Aside::Warning(r#"would violate "restricted""#.to_owned())]);
        assert!(matches!(&seen[0], Aside::Request(text) if text.starts_with("GET / 200 OK in ")), "{seen:?}");
    }

    #[tokio::test]
    async fn requests_have_a_limit_and_watches_have_none() {
        let (layer, _) = layer(Some(Duration::from_millis(20)));
        let service = layer.layer(service_fn(async |_: Request<()>| {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, BoxError>(Response::new(()))
        }));
        let error = service.clone().oneshot(Request::new(())).await.unwrap_err();
        assert_eq!(error.to_string(), "no answer from api:6443");
        let watch = Request::builder().uri("http://a/api?watch=true").body(()).unwrap();
        assert!(service.oneshot(watch).await.is_ok());
    }
}
