//! From the inputs of the task `grpc` to a plan of the load engine, with what only the agent can see: files, URLs,
//! credentials, and what the server says of itself.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use http::{HeaderMap, HeaderValue, header};
use iter8_core::scalar::Text;
use iter8_core::task::Credential;
use iter8_core::task::grpc::{Calls, Size, is_on};
use iter8_load::grpc::{Call, StreamRule};
use iter8_load::{Arrivals, Level, Limit, LoadError, Plan, Protocol, Share, Target};
use prost_reflect::{DescriptorPool, MethodDescriptor};
use serde_json::Value;

use super::super::conversation::ConversationError;
use super::data::{Data, Maker, Rules, kind};
use super::descriptors::{self, ProtoText, import_paths, of_proto, of_set};
use super::metadata::Metadata;
use super::reflection::{self, ReflectionError};
use crate::credentials::Credentials;
use crate::tasks::TaskError;
use crate::tasks::call_template::{Allowed, CallData};
use crate::tasks::load::headers::header_text;
use crate::tasks::load::parts::Planned;
use crate::tasks::load::source::{Content, Sources, input};
use crate::tasks::load::{timing, tls};

/// The load that the inputs ask for.
pub(super) async fn plan(calls: &Calls, credentials: &Credentials<'_>) -> Result<Planned, TaskError> {
    let mut sources = Sources::new("grpc.fetchHeaders", &calls.fetch_headers, false, credentials)?;
    let mut target = target(calls).await?;
    let method = method(calls, &target, &mut sources, credentials).await?;
    let allowed = (!is_on(calls.disable_template_data))
        .then(|| Allowed { functions: !is_on(calls.disable_template_functions), method: true });
    let metadata = metadata(calls, &method, allowed, &mut sources, credentials).await?;
    let (key, data) = data(calls, &mut sources).await?;
    let anew = is_on(calls.stream_dynamic_messages).then(|| stream_count(calls));
    let maker = Maker::new(&method, data, metadata, Rules { allowed, anew }).map_err(|error| input(key, error))?;
    let (messages, headers) = maker.into_messages();
    target.headers.extend(headers);
    let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
    let shown = format!("{}{path}", target.origin());
    let size =
        |size: &Option<Size>, default| size.as_ref().map_or(default, |size| size.bytes().map_or(default, to_usize));
    let time = |time: Option<iter8_core::GoDuration>| time.map(|time| time.0).filter(|time| !time.is_zero());
    target.protocol = Protocol::Grpc(Call {
        gzip: is_on(calls.enable_compression),
        max_receive: size(&calls.max_recv_message_size, Call::MAX_RECEIVE),
        max_send: size(&calls.max_send_message_size, Call::MAX_SEND),
        stream: StreamRule {
            interval: time(calls.stream_interval).unwrap_or_default(),
            call_duration: time(calls.stream_call_duration),
            call_count: stream_count(calls),
        },
        ..Call::new(path, kind(&method), messages)
    });
    let (plan, most) = in_time(calls, target);
    Ok(Planned { plan, target: shown, fetched: sources.fetched, most })
}

/// The plan with its times, and when it ends although it is not through.
fn in_time(calls: &Calls, target: Target) -> (Plan, Option<Duration>) {
    let timing = calls.timing();
    let connections = u32::try_from(calls.connections()).unwrap_or(u32::MAX);
    let plan = Plan {
        target,
        arrivals: exactly(timing::arrivals(&timing.arrivals), &timing.arrivals),
        turns: None,
        limit: timing::limit(timing.limit),
        warmup: timing.warmup.map(timing::limit),
        connections,
        streams: calls.calls_per_connection().map_or(Plan::STREAMS, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        timeout: timing.timeout,
        error_ranges: Vec::new(),
        allow_initial_errors: false,
        share: Share::WHOLE,
    };
    match (calls.most(), &plan.arrivals, plan.limit) {
        // At a rate it is known beforehand how many calls there will be.
        (Some(most), Arrivals::Open { .. }, Limit::Requests(total)) => {
            let within = Plan { limit: Limit::Duration(most), ..plan.clone() }.offered();
            (Plan { limit: Limit::Requests(total.min(within)), ..plan }, None)
        }
        (most, _, _) => (plan, most),
    }
}

/// A closed load has as many calls under way as was said, even if they do not spread evenly over the connections.
fn exactly(arrivals: Arrivals, said: &iter8_core::task::load::Arrivals) -> Arrivals {
    match said {
        iter8_core::task::load::Arrivals::Closed { concurrency } => {
            let concurrency = u32::try_from(*concurrency).unwrap_or(u32::MAX);
            Arrivals::Levels(vec![Level { at: Duration::ZERO, concurrency }])
        }
        iter8_core::task::load::Arrivals::Open { .. } | iter8_core::task::load::Arrivals::Levels(_) => arrivals,
    }
}

fn to_usize(number: u64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn stream_count(calls: &Calls) -> u32 {
    calls.stream_call_count.map_or(0, |count| u32::try_from(count.0).unwrap_or(u32::MAX))
}

async fn target(calls: &Calls) -> Result<Target, TaskError> {
    let origin = calls.origin().map_err(|message| input("grpc.host", message))?;
    let mut target = Target::get(origin.parse().map_err(|error: url::ParseError| input("grpc.host", error))?);
    // What the engine does with the target of a call is decided by its protocol, not only by its version of HTTP.
    target.protocol = Protocol::Http2;
    if let Some(tls) = &calls.tls {
        target.tls = tls::tls(tls).await?;
    }
    if let Some(Text(authority)) = &calls.authority {
        let value = HeaderValue::try_from(authority.trim()).map_err(|error| input("grpc.authority", error))?;
        target.headers.insert(header::HOST, value);
    }
    Ok(target)
}

/// The method to call: from proto text, from a set of descriptors, or from the server.
async fn method(
    calls: &Calls,
    target: &Target,
    sources: &mut Sources,
    credentials: &Credentials<'_>,
) -> Result<MethodDescriptor, TaskError> {
    let call = calls.call.as_ref().map(|call| call.0.as_str()).unwrap_or_default();
    let text = |text: &'_ Option<Text>| text.as_ref().map(|text| text.0.clone());
    let (proto_url, proto) = (text(&calls.proto_url), text(&calls.proto));
    let (set_url, set) = (text(&calls.protoset_url), text(&calls.protoset));
    let found = |pool: &DescriptorPool, place: &str| {
        descriptors::method(pool, call, place).map_err(|error| input("grpc.call", error))
    };
    let read = sources.read(("grpc.protoURL", proto_url.as_deref()), ("grpc.proto", proto.as_deref())).await?;
    if let Some((key, content)) = read {
        reach(calls, target).await?;
        let own = proto.as_deref().filter(|_| proto_url.is_none()).map(Path::new);
        let named: Vec<String> = calls.import_paths.iter().map(|path| path.0.clone()).collect();
        let name = content.name.clone();
        let text = ProtoText {
            name: content.name.clone(),
            text: content.into_text(key)?,
            import_paths: import_paths(own, &named),
        };
        return found(&of_proto(text).map_err(|error| input(key, error))?, &name);
    }
    let read = sources.read(("grpc.protosetURL", set_url.as_deref()), ("grpc.protoset", set.as_deref())).await?;
    if let Some((key, Content { bytes, name })) = read {
        reach(calls, target).await?;
        return found(&of_set(&bytes).map_err(|error| input(key, error))?, &name);
    }
    let (service, _) = iter8_core::task::grpc::split_call(call).map_err(|message| input("grpc.call", message))?;
    let mut metadata = Metadata::default();
    for (name, value) in &calls.reflect_metadata {
        let text = header_text("grpc.reflect-metadata", name, value, credentials)?;
        metadata.add(name, &text).map_err(|message| input("grpc.reflect-metadata", message))?;
    }
    let mut headers = metadata.fixed().cloned().unwrap_or_default();
    headers.extend(authority_of(target));
    match reflection::ask(target, &headers, service, calls.connect_timeout()).await {
        Ok(pool) => found(&pool, &target.origin()),
        Err(ReflectionError::Descriptor(error)) => Err(input("grpc.call", error)),
        Err(ReflectionError::Conversation(ConversationError::Load(error))) => Err(error.into()),
        Err(error) => Err(TaskError::Reflection(error.into())),
    }
}

fn authority_of(target: &Target) -> HeaderMap {
    let authority = target.headers.get(header::HOST).map(|value| (header::HOST, value.clone()));
    authority.into_iter().collect()
}

/// A server that cannot be reached is found before the load, not by it.
async fn reach(calls: &Calls, target: &Target) -> Result<(), TaskError> {
    let patience = calls.connect_timeout();
    match tokio::time::timeout(patience, iter8_load::connect(target)).await {
        Ok(connected) => Ok(connected.map(|_| ())?),
        Err(_) => {
            let reason = iter8_load::ErrorKind::Timeout;
            Err(LoadError::Unreachable { target: target.origin(), reason, detail: String::new() }.into())
        }
    }
}

/// What is sent, and the key that names it.
async fn data(calls: &Calls, sources: &mut Sources) -> Result<(&'static str, Data), TaskError> {
    let text = |text: &'_ Option<Text>| text.as_ref().map(|text| text.0.clone());
    let (url, file) = (text(&calls.binary_data_url), text(&calls.binary_file));
    let binary = sources.read(("grpc.binaryDataURL", url.as_deref()), ("grpc.binary-file", file.as_deref())).await?;
    if let Some((key, content)) = binary {
        return Ok((key, Data::Binary(content.bytes)));
    }
    let (url, file) = (text(&calls.data_url), text(&calls.data_file));
    let json = sources.read(("grpc.dataURL", url.as_deref()), ("grpc.data-file", file.as_deref())).await?;
    if let Some((key, content)) = json {
        return Ok((key, Data::Text(content.into_text(key)?)));
    }
    let nothing = || Value::Object(serde_json::Map::new());
    Ok(("grpc.data", Data::Json(calls.data.as_ref().map_or_else(nothing, |data| data.0.clone()))))
}

async fn metadata(
    calls: &Calls,
    method: &MethodDescriptor,
    allowed: Option<Allowed>,
    sources: &mut Sources,
    credentials: &Credentials<'_>,
) -> Result<Metadata, TaskError> {
    let text = |text: &'_ Option<Text>| text.as_ref().map(|text| text.0.clone());
    let (url, file) = (text(&calls.metadata_url), text(&calls.metadata_file));
    let read = sources.read(("grpc.metadataURL", url.as_deref()), ("grpc.metadata-file", file.as_deref())).await?;
    let (key, entries) = match read {
        None => ("grpc.metadata", calls.metadata.clone()),
        Some((key, content)) => {
            let entries: Result<BTreeMap<String, Text>, _> = serde_json::from_slice(&content.bytes);
            let wrong = |error| input(key, format!("is not a map of texts in JSON: {error}"));
            let plain = entries.map_err(wrong)?.into_iter().map(|(name, text)| (name, Credential::Plain(text)));
            (key, plain.collect())
        }
    };
    let names = descriptors::names(method);
    let example = CallData::new(0, 0, Some(&names));
    let plain = entries.iter().filter_map(|(name, value)| Some((name.clone(), value.plain()?.to_owned())));
    let mut metadata = Metadata::read(plain, allowed, &example).map_err(|message| input(key, message))?;
    // What a credential names is sent as it is.
    for (name, value) in entries.iter().filter(|(_, value)| value.plain().is_none()) {
        let text = header_text(key, name, value, credentials)?;
        metadata.add(name, &text).map_err(|message| input(key, message))?;
    }
    Ok(metadata)
}
