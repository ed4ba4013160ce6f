//! What kubectl does around each request: it gives up after `--request-timeout`, and it tells the warnings that the API
//! server sends along.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::future::BoxFuture;
use http::{HeaderMap, Request, Response};
use tower::{BoxError, Layer, Service};

/// Takes the text of a warning.
pub(super) type Warn = Arc<dyn Fn(&str) + Send + Sync>;

/// Adds both to a service.
#[derive(Clone)]
pub(super) struct MannersLayer {
    pub(super) timeout: Option<Duration>,
    pub(super) warn: Warn,
}

#[derive(Clone)]
pub(super) struct Manners<S> {
    inner: S,
    timeout: Option<Duration>,
    warn: Warn,
    /// A warning is told once for a call of the program.
    told: Arc<Mutex<HashSet<String>>>,
}

impl<S> Layer<S> for MannersLayer {
    type Service = Manners<S>;

    fn layer(&self, inner: S) -> Manners<S> {
        Manners { inner, timeout: self.timeout, warn: self.warn.clone(), told: Arc::default() }
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
        let (warn, told) = (self.warn.clone(), self.told.clone());
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = match timeout {
                Some(limit) => tokio::time::timeout(limit, answer).await.map_err(|_| {
                    BoxError::from(std::io::Error::new(
                        std::io::ErrorKind::TimedOut,
                        "no answer within --request-timeout",
                    ))
                })??,
                None => answer.await?,
            };
            let mut told = told.lock().expect("no one panics while holding it");
            for text in warnings(answer.headers()) {
                if told.insert(text.clone()) {
                    warn(&text);
                }
            }
            drop(told);
            Ok(answer)
        })
    }
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

    fn layer(timeout: Option<Duration>) -> (MannersLayer, Arc<Mutex<Vec<String>>>) {
        let seen: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = seen.clone();
        let warn: Warn = Arc::new(move |text: &str| sink.lock().unwrap().push(text.to_owned()));
        (MannersLayer { timeout, warn }, seen)
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
        assert_eq!(*seen.lock().unwrap(), [r#"would violate "restricted""#]);
    }

    #[tokio::test]
    async fn requests_have_a_limit_and_watches_have_none() {
        let (layer, _) = layer(Some(Duration::from_millis(20)));
        let service = layer.layer(service_fn(async |_: Request<()>| {
            tokio::time::sleep(Duration::from_millis(200)).await;
            Ok::<_, BoxError>(Response::new(()))
        }));
        assert!(service.clone().oneshot(Request::new(())).await.is_err());
        let watch = Request::builder().uri("http://a/api?watch=true").body(()).unwrap();
        assert!(service.oneshot(watch).await.is_ok());
    }
}
