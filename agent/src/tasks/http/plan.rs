//! From the inputs of the task `http` to a plan of the load engine, with what only the agent can see: files, URLs and
//! credentials.

use std::path::PathBuf;

use iter8_core::task::http::Load;
use iter8_core::task::load::Timing;
use iter8_load::{Plan, Protocol, Share, StatusRange, Target};
use url::Url;

use super::vary::vary;
use crate::credentials::Credentials;
use crate::redact::shown_url;
use crate::tasks::TaskError;
use crate::tasks::load::headers::header_map;
use crate::tasks::load::parts::Planned;
use crate::tasks::load::source::Sources;
use crate::tasks::load::{timing, tls};

/// The load that the inputs ask for.
pub(super) async fn plan(inputs: &Load, credentials: &Credentials<'_>) -> Result<Planned, TaskError> {
    let input =
        |key: &'static str| move |source: Box<dyn std::error::Error + Send + Sync>| TaskError::Input { key, source };
    let text = inputs.url.as_ref().map(|url| url.0.trim()).unwrap_or_default();
    let url: Url = text.parse().map_err(|error: url::ParseError| input("http.url")(error.into()))?;
    let mut target = Target::get(url.clone());
    target.method =
        inputs.method().parse().map_err(|error: http::method::InvalidMethod| input("http.method")(error.into()))?;
    let may_be_page = inputs.content_type.as_ref().is_some_and(|kind| kind.0.to_ascii_lowercase().contains("html"));
    let mut sources = Sources::new("http.fetchHeaders", &inputs.fetch_headers, may_be_page, credentials)?;
    target.body = body(inputs, &mut sources).await?.into();
    target.vary = vary(inputs, &url, &target.body)?;
    if let Some(kind) = &inputs.content_type {
        let kind = http::HeaderValue::try_from(&kind.0).map_err(|error| input("http.contentType")(error.into()))?;
        target.headers.insert(http::header::CONTENT_TYPE, kind);
    }
    target.headers.extend(header_map("http.headers", &inputs.headers, credentials)?);
    if let Some(settings) = &inputs.tls {
        target.tls = tls::tls(settings).await?;
    }
    if inputs.is_http2() {
        target.protocol = Protocol::Http2;
    }
    target.follow_redirects = inputs.follow_redirects.is_some_and(|follow| follow.0);
    if inputs.keep_alive.is_some_and(|keep| !keep.0) {
        target.headers.insert(http::header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    let timing: Timing = inputs.timing();
    let plan = Plan {
        target,
        arrivals: timing::arrivals(&timing.arrivals),
        limit: timing::limit(timing.limit),
        warmup: timing.warmup.map(timing::limit),
        connections: u32::try_from(inputs.connections()).unwrap_or(u32::MAX),
        streams: inputs.streams().map_or(Plan::STREAMS, |streams| u32::try_from(streams).unwrap_or(u32::MAX)),
        timeout: inputs.timeout(),
        error_ranges: inputs.error_ranges().into_iter().map(|(lower, upper)| StatusRange { lower, upper }).collect(),
        allow_initial_errors: inputs.allow_initial_errors.is_some_and(|allow| allow.0),
        turns: None,
        share: Share::WHOLE,
    };
    Ok(Planned { plan, target: shown_url(&url), fetched: sources.fetched, most: None })
}

async fn body(inputs: &Load, sources: &mut Sources) -> Result<Vec<u8>, TaskError> {
    let url = inputs.payload_url.as_ref().map(|url| url.0.as_str());
    if let Some((_, content)) = sources.read(("http.payloadURL", url), ("http.payloadFile", None)).await? {
        return Ok(content.bytes);
    }
    match (&inputs.payload_file, &inputs.payload_str) {
        (Some(path), _) => {
            let path = PathBuf::from(&path.0);
            tokio::fs::read(&path).await.map_err(|source| TaskError::Payload { path, source })
        }
        (None, Some(text)) => Ok(text.0.clone().into_bytes()),
        (None, None) => Ok(Vec::new()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use iter8_load::{Arrivals, Limit, Schedule, WhenBusy};

    use super::*;
    use crate::redact::Redactor;

    async fn plan(inputs: &Load) -> Result<Planned, TaskError> {
        let redactor = Redactor::default();
        super::plan(inputs, &Credentials { mounts: None, namespace: "", redactor: &redactor }).await
    }

    fn inputs(yaml: &str) -> Load {
        let spec = format!("spec: [{{task: http, with: {yaml}}}]");
        match iter8_core::Experiment::parse(&spec).unwrap().steps.remove(0).task {
            iter8_core::Task::Http(http) => http.common,
            other => panic!("not http: {other:?}"),
        }
    }

    #[tokio::test]
    async fn the_plan_is_what_the_inputs_say() {
        let inputs = inputs(
            "{url: 'http://a/p', duration: 5s, qps: 2.5, connections: 3, payloadStr: x, contentType: text/plain, headers: {X-Tenant: 1}, errorRanges: [{upper: 199}, {lower: 500, upper: 599}]}",
        );
        let Planned { plan, target, .. } = plan(&inputs).await.unwrap();
        assert_eq!(target, "http://a/p");
        assert_eq!((plan.limit, plan.connections), (Limit::Duration(Duration::from_secs(5)), 3));
        let schedule = Schedule::Constant { rate: 2.5 };
        assert_eq!(plan.arrivals, Arrivals::Open { schedule, when_busy: WhenBusy::Queue });
        assert_eq!(plan.target.method, http::Method::POST);
        assert_eq!(plan.target.headers["x-tenant"], "1");
        assert_eq!(plan.target.headers["content-type"], "text/plain");
        assert!(plan.is_error(150) && plan.is_error(503) && !plan.is_error(404));
    }

    #[tokio::test]
    async fn http2_is_spoken_with_so_many_streams_on_a_connection() {
        let inputs = inputs("{url: 'http://a', http2: true, concurrency: 6, connections: 2}");
        let Planned { plan, .. } = plan(&inputs).await.unwrap();
        assert!(matches!(plan.target.protocol, Protocol::Http2));
        assert_eq!((plan.connections, plan.streams, plan.arrivals), (2, 3, Arrivals::Closed));
    }

    #[tokio::test]
    async fn a_payload_file_wins_and_must_be_there() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("body");
        std::fs::write(&path, "from the file").unwrap();
        let with = |path: &std::path::Path| {
            inputs(&format!("{{url: 'http://a', payloadStr: x, payloadFile: '{}'}}", path.display()))
        };
        assert_eq!(plan(&with(&path)).await.unwrap().plan.target.body, "from the file");
        let error = plan(&with(&directory.path().join("none"))).await.err().unwrap();
        assert!(matches!(error, TaskError::Payload { .. }), "{error}");
    }
}
