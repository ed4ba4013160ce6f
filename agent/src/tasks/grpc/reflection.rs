//! Asks a server what its services and messages are: gRPC Server Reflection, version 1 and, for older servers, v1alpha.
//!
//! One stream carries questions and answers in turn. Servers answer with one file or with all that it imports; what is
//! missing is asked for by name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, Request, StatusCode, header};
use iter8_load::grpc::Code;
use iter8_load::{LoadError, Target};
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;
use tokio::task::JoinSet;

use super::descriptors::{DescriptorError, no_service};

/// The protocol's versions, the newest first.
const VERSIONS: [&str; 2] = ["v1", "v1alpha"];
/// The most bytes of one answer.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// The most files that are asked for; a service of the real world needs tens.
const FILES_MAX: usize = 5_000;

/// Why a server did not say what its services are.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReflectionError {
    /// No connection.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No answer in time.
    #[error("{target} did not answer within {} s", patience.as_secs_f64())]
    Late { target: String, patience: Duration },
    /// The server does not have the service.
    #[error("{0} does not offer server reflection: give the proto file (proto, protoURL) or a protoset")]
    Unsupported(String),
    /// The connection or the stream broke off.
    #[error("the conversation with {target} broke off")]
    Broken {
        target: String,
        #[source]
        source: h2::Error,
    },
    /// The call ended with a status of its own.
    #[error("{target} refused server reflection: {code}{message}")]
    Refused { target: String, code: String, message: String },
    /// The answers make no sense.
    #[error("{target} gave an answer to server reflection that cannot be used: {what}")]
    Nonsense { target: String, what: String },
    /// Nothing of that name is there.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Question {
    #[prost(oneof = "Ask", tags = "3, 4, 7")]
    ask: Option<Ask>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Ask {
    #[prost(string, tag = "3")]
    FileByName(String),
    #[prost(string, tag = "4")]
    FileWith(String),
    #[prost(string, tag = "7")]
    Services(String),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Reply {
    #[prost(oneof = "Answer", tags = "4, 6, 7")]
    answer: Option<Answer>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Answer {
    #[prost(message, tag = "4")]
    Files(Files),
    #[prost(message, tag = "6")]
    Services(Services),
    #[prost(message, tag = "7")]
    Refusal(Refusal),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Files {
    #[prost(bytes = "bytes", repeated, tag = "1")]
    files: Vec<Bytes>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Services {
    #[prost(message, repeated, tag = "1")]
    services: Vec<Service>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Service {
    #[prost(string, tag = "1")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Refusal {
    #[prost(int32, tag = "1")]
    code: i32,
    #[prost(string, tag = "2")]
    message: String,
}

/// What the server of `target` knows of the service called `service`, asked with these metadata.
pub(super) async fn ask(
    target: &Target,
    metadata: &HeaderMap,
    service: &str,
    patience: Duration,
) -> Result<DescriptorPool, ReflectionError> {
    let late = || ReflectionError::Late { target: target.origin(), patience };
    let found = tokio::time::timeout(patience, ask_versions(target, metadata, service));
    found.await.map_err(|_| late())?
}

async fn ask_versions(target: &Target, metadata: &HeaderMap, service: &str) -> Result<DescriptorPool, ReflectionError> {
    for version in VERSIONS {
        // Some servers close a connection on which something is asked that they do not know.
        let connection = iter8_load::connect(target).await?;
        match talk(connection, target, metadata, service, version).await {
            Err(ReflectionError::Unsupported(_)) => {}
            result => return result,
        }
    }
    Err(ReflectionError::Unsupported(target.origin()))
}

async fn talk(
    connection: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    target: &Target,
    metadata: &HeaderMap,
    service: &str,
    version: &str,
) -> Result<DescriptorPool, ReflectionError> {
    let broken = |source| ReflectionError::Broken { target: target.origin(), source };
    let (sender, driver) = h2::client::handshake(connection).await.map_err(broken)?;
    let mut drivers = JoinSet::new();
    drivers.spawn(driver);
    let mut sender = sender.ready().await.map_err(broken)?;
    let mut request = Request::post(uri(target, version));
    if let Some(headers) = request.headers_mut() {
        headers.extend(metadata.clone());
        headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static("application/grpc"));
        headers.insert(header::TE, header::HeaderValue::from_static("trailers"));
    }
    let request = request
        .body(())
        .map_err(|error| ReflectionError::Nonsense { target: target.origin(), what: error.to_string() })?;
    let (answer, stream) = sender.send_request(request, false).map_err(broken)?;
    let mut talk = Talk { target: target.origin(), stream, awaited: Some(answer), body: None, buffer: BytesMut::new() };
    let files = talk.files_with(service).await?;
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_protos(files).map_err(|error| talk.nonsense(error.to_string()))?;
    Ok(pool)
}

fn uri(target: &Target, version: &str) -> String {
    let authority = target.url.authority();
    let scheme = target.url.scheme();
    format!("{scheme}://{authority}/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo")
}

/// One stream of questions and answers.
struct Talk {
    target: String,
    stream: h2::SendStream<Bytes>,
    awaited: Option<h2::client::ResponseFuture>,
    body: Option<h2::RecvStream>,
    buffer: BytesMut,
}

impl Talk {
    /// The file with a service, and everything that it imports.
    async fn files_with(&mut self, service: &str) -> Result<Vec<FileDescriptorProto>, ReflectionError> {
        let mut files = BTreeMap::new();
        match self.say(Ask::FileWith(service.to_owned())).await? {
            Answer::Files(found) => self.add(&mut files, found)?,
            Answer::Refusal(refusal) if refusal.code == i32::from(Code::NotFound.number()) => {
                let known = match self.say(Ask::Services(String::new())).await? {
                    Answer::Services(known) => known.services.into_iter().map(|service| service.name).collect(),
                    Answer::Files(_) | Answer::Refusal(_) => Vec::new(),
                };
                return Err(no_service(service, &self.target, &known).into());
            }
            Answer::Refusal(refusal) => return Err(self.refused(refusal.code, &refusal.message)),
            Answer::Services(_) => return Err(self.nonsense("a list of services in place of files".to_owned())),
        }
        let known = DescriptorPool::global();
        while let Some(missing) = missing(&files).into_iter().find(|name| known.get_file_by_name(name).is_none()) {
            if files.len() >= FILES_MAX {
                return Err(self.nonsense(format!("more than {FILES_MAX} files")));
            }
            match self.say(Ask::FileByName(missing.clone())).await? {
                Answer::Files(found) => self.add(&mut files, found)?,
                Answer::Refusal(refusal) => return Err(self.refused(refusal.code, &refusal.message)),
                Answer::Services(_) => return Err(self.nonsense("a list of services in place of files".to_owned())),
            }
            if !files.contains_key(&missing) {
                return Err(self.nonsense(format!("no file {missing}, which others import")));
            }
        }
        Ok(files.into_values().collect())
    }

    fn add(&self, files: &mut BTreeMap<String, FileDescriptorProto>, found: Files) -> Result<(), ReflectionError> {
        for bytes in found.files {
            let file = FileDescriptorProto::decode(bytes).map_err(|error| self.nonsense(error.to_string()))?;
            files.insert(file.name().to_owned(), file);
        }
        Ok(())
    }

    /// Asks one question and waits for its answer.
    async fn say(&mut self, ask: Ask) -> Result<Answer, ReflectionError> {
        let question = Question { ask: Some(ask) }.encode_to_vec();
        let length = u32::try_from(question.len()).unwrap_or(u32::MAX).to_be_bytes();
        let frame: Vec<u8> = [0].into_iter().chain(length).chain(question).collect();
        self.stream.send_data(frame.into(), false).map_err(|source| self.broken(source))?;
        let message = self.message().await?;
        let reply = Reply::decode(message).map_err(|error| self.nonsense(error.to_string()))?;
        reply.answer.ok_or_else(|| self.nonsense("an empty answer".to_owned()))
    }

    /// The next message of the server.
    async fn message(&mut self) -> Result<Bytes, ReflectionError> {
        const PREFIX: usize = 5;
        loop {
            if let [is_compressed, a, b, c, d, ..] = self.buffer[..] {
                let length = u32::from_be_bytes([a, b, c, d]) as usize;
                if is_compressed != 0 || length > ANSWER_MAX {
                    return Err(self.nonsense(format!("a message of {length} bytes, or a compressed one")));
                }
                if self.buffer.len() >= PREFIX + length {
                    self.buffer.advance(PREFIX);
                    return Ok(self.buffer.split_to(length).freeze());
                }
            }
            let chunk = self.chunk().await?;
            self.buffer.extend_from_slice(&chunk);
        }
    }

    async fn chunk(&mut self) -> Result<Bytes, ReflectionError> {
        if let Some(awaited) = self.awaited.take() {
            let response = awaited.await.map_err(|source| self.broken(source))?;
            self.fail_on(response.status(), response.headers())?;
            self.body = Some(response.into_parts().1);
        }
        let target = self.target.clone();
        let broken = move |source| ReflectionError::Broken { target: target.clone(), source };
        let Some(body) = &mut self.body else { return Err(self.nonsense("no content".to_owned())) };
        if let Some(chunk) = body.data().await {
            let chunk = chunk.map_err(&broken)?;
            body.flow_control().release_capacity(chunk.len()).map_err(broken)?;
            return Ok(chunk);
        }
        let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
        self.fail_on(StatusCode::OK, &trailers)?;
        Err(self.nonsense("the end of the stream in place of an answer".to_owned()))
    }

    /// An answer that ends the call with a status is none.
    fn fail_on(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), ReflectionError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        match (status, text("grpc-status").and_then(|code| code.parse::<i32>().ok())) {
            (StatusCode::OK, None | Some(0)) => Ok(()),
            (StatusCode::OK, Some(code)) if code == i32::from(Code::Unimplemented.number()) => {
                Err(ReflectionError::Unsupported(self.target.clone()))
            }
            (_, Some(code)) => Err(self.refused(code, text("grpc-message").unwrap_or_default())),
            (StatusCode::NOT_FOUND, None) => Err(ReflectionError::Unsupported(self.target.clone())),
            (status, None) => Err(self.nonsense(format!("HTTP status {status}"))),
        }
    }

    fn broken(&self, source: h2::Error) -> ReflectionError {
        ReflectionError::Broken { target: self.target.clone(), source }
    }

    fn refused(&self, code: i32, message: &str) -> ReflectionError {
        let known = Code::ALL.into_iter().find(|known| i32::from(known.number()) == code);
        let code = known.map_or_else(|| format!("status {code}"), |known| known.name().to_owned());
        let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
        ReflectionError::Refused { target: self.target.clone(), code, message }
    }

    fn nonsense(&self, what: String) -> ReflectionError {
        ReflectionError::Nonsense { target: self.target.clone(), what }
    }
}

/// Files that are imported and not there.
fn missing(files: &BTreeMap<String, FileDescriptorProto>) -> BTreeSet<String> {
    let imported = files.values().flat_map(|file| &file.dependency);
    imported.filter(|name| !files.contains_key(*name)).cloned().collect()
}
