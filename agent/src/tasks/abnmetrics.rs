//! The task `abnmetrics`: asks an A/B/n service of iter8 what it knows of an application, and adds it to the result. The
//! messages are those of Iter8's service `main.ABN`.

use http::{HeaderMap, Method};
use iter8_core::record::About;
use iter8_core::task::abnmetrics::{AbnMetrics, Aggregate, Application, PATIENCE};
use iter8_core::{ExperimentResult, Observation};
use iter8_load::{Protocol, Target, Tls};
use jiff::Timestamp;
use prost::Message as _;
use url::Url;

use super::conversation::{Conversation, ConversationError};
use super::{TaskContext, TaskError};

const METHOD: &str = "/main.ABN/GetApplicationData";

/// `main.ApplicationRequest`
#[derive(Clone, PartialEq, prost::Message)]
struct ApplicationRequest {
    #[prost(string, tag = "1")]
    application: String,
}

/// `main.ApplicationData`
#[derive(Clone, PartialEq, prost::Message)]
struct ApplicationData {
    #[prost(string, tag = "1")]
    application_json: String,
}

pub(super) async fn run(inputs: &AbnMetrics, context: TaskContext<'_>) -> Result<String, TaskError> {
    let application = tokio::select! {
        biased;
        () = context.cancel.cancelled() => return Err(TaskError::Cancelled),
        answer = tokio::time::timeout(PATIENCE, ask(inputs)) => {
            let late = || ConversationError::Late { target: inputs.endpoint().to_owned(), patience: PATIENCE };
            answer.unwrap_or_else(|_| Err(late())).map_err(|error| TaskError::AbnService(error.into()))?
        }
    };
    let confidence = context.result.confidence;
    Ok(record(context.result, inputs.application(), &application, confidence))
}

/// Adds what the service knows. A version that has no track any more has no value in this loop.
fn record(result: &mut ExperimentResult, name: &str, application: &Application, confidence: f64) -> String {
    let numbers = result.number_versions(&application.versions());
    let aggregates = application.aggregates(confidence);
    for Aggregate { name, kind, version, observation } in aggregates {
        let about = About { kind, unit: None, description: String::new() };
        let observation = Observation { at: Some(Timestamp::now()), ..observation };
        result.observe(&name, about, Some(numbers[version]), observation);
    }
    match numbers.len() {
        0 => format!("{name} has no track: nothing is known of it"),
        1 => format!("1 version of {name}"),
        count => format!("{count} versions of {name}"),
    }
}

async fn ask(inputs: &AbnMetrics) -> Result<Application, ConversationError> {
    let target = Target {
        method: Method::POST,
        url: Url::parse(&format!("http://{}", inputs.endpoint())).map_err(|error| ConversationError::Nonsense {
            target: inputs.endpoint().to_owned(),
            path: METHOD.to_owned(),
            what: error.to_string(),
        })?,
        headers: HeaderMap::new(),
        body: bytes::Bytes::new(),
        tls: Tls::default(),
        protocol: Protocol::Http2,
        vary: None,
        follow_redirects: false,
    };
    let conversation = Conversation::open(&target, METHOD, &HeaderMap::new()).await?;
    let request = ApplicationRequest { application: inputs.application().to_owned() };
    let answer = conversation.ask(&request.encode_to_vec()).await?;
    let nonsense =
        |what: String| ConversationError::Nonsense { target: target.origin(), path: METHOD.to_owned(), what };
    let data = ApplicationData::decode(answer).map_err(|error| nonsense(error.to_string()))?;
    serde_json::from_str(&data.application_json).map_err(|error| nonsense(error.to_string()))
}
