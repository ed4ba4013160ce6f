//! Asks a server what its services and messages are: gRPC Server Reflection, version 1 and, for older servers, v1alpha.
//!
//! One stream carries questions and answers in turn. Servers answer with one file or with all that it imports; what is
//! missing is asked for by name.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use iter8_load::Target;
use iter8_load::grpc::Code;
use prost::Message as _;
use prost_reflect::DescriptorPool;
use prost_reflect::prost_types::FileDescriptorProto;

use super::super::conversation::{Conversation, ConversationError};
use super::descriptors::{DescriptorError, no_service};

/// The protocol's versions, the newest first.
const VERSIONS: [&str; 2] = ["v1", "v1alpha"];
/// The most files that are asked for; a service of the real world needs tens.
const FILES_MAX: usize = 5_000;

/// Why a server did not say what its services are.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReflectionError {
    /// No answer that can be used.
    #[error(transparent)]
    Conversation(ConversationError),
    /// The server does not have the service.
    #[error("{0} does not offer server reflection: give the proto file (proto, protoURL) or a protoset")]
    Unsupported(String),
    /// Nothing of that name is there.
    #[error(transparent)]
    Descriptor(#[from] DescriptorError),
}

impl From<ConversationError> for ReflectionError {
    fn from(error: ConversationError) -> Self {
        match error {
            ConversationError::Unimplemented { target, .. } => Self::Unsupported(target),
            other => Self::Conversation(other),
        }
    }
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
    let late = || ConversationError::Late { target: target.origin(), patience };
    let found = tokio::time::timeout(patience, ask_versions(target, metadata, service));
    found.await.map_err(|_| late())?
}

async fn ask_versions(target: &Target, metadata: &HeaderMap, service: &str) -> Result<DescriptorPool, ReflectionError> {
    for version in VERSIONS {
        // Some servers close a connection on which something is asked that they do not know.
        match talk(target, metadata, service, version).await {
            Err(ReflectionError::Unsupported(_)) => {}
            result => return result,
        }
    }
    Err(ReflectionError::Unsupported(target.origin()))
}

async fn talk(
    target: &Target,
    metadata: &HeaderMap,
    service: &str,
    version: &str,
) -> Result<DescriptorPool, ReflectionError> {
    let path = format!("/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo");
    let conversation = Conversation::open(target, &path, metadata).await?;
    let mut talk = Talk { target: target.origin(), conversation };
    let files = talk.files_with(service).await?;
    let mut pool = DescriptorPool::global();
    pool.add_file_descriptor_protos(files).map_err(|error| talk.nonsense(error.to_string()))?;
    Ok(pool)
}

/// Questions and answers in turn.
struct Talk {
    target: String,
    conversation: Conversation,
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
        let message = self.conversation.say(&Question { ask: Some(ask) }.encode_to_vec()).await?;
        let reply = Reply::decode(message).map_err(|error| self.nonsense(error.to_string()))?;
        reply.answer.ok_or_else(|| self.nonsense("an empty answer".to_owned()))
    }

    fn refused(&self, code: i32, message: &str) -> ReflectionError {
        self.conversation.refused(code, message).into()
    }

    fn nonsense(&self, what: String) -> ReflectionError {
        self.conversation.nonsense(what).into()
    }
}

/// Files that are imported and not there.
fn missing(files: &BTreeMap<String, FileDescriptorProto>) -> BTreeSet<String> {
    let imported = files.values().flat_map(|file| &file.dependency);
    imported.filter(|name| !files.contains_key(*name)).cloned().collect()
}
