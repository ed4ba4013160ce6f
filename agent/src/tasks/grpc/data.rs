//! What calls send, from JSON or from bytes that are encoded already. Which message goes into which call: a call that sends
//! one message takes the next in turn, a stream sends all of them in order.

use std::sync::Arc;

use bytes::Bytes;
use http::HeaderMap;
use iter8_load::grpc::{CallNumber, Kind, MadeCall, Messages};
use prost_reflect::{DynamicMessage, MessageDescriptor, MethodDescriptor};
use serde_json::Value;

use super::descriptors::names;
use super::message::{DataError, Message, Reading};
use super::metadata::Metadata;
use crate::tasks::call_template::{Allowed, CallData, CallTemplate, MethodNames};

/// Where data comes from.
pub(super) enum Data {
    /// Values.
    Json(Value),
    /// The text of a file, which may be JSON only when its templates have been worked out.
    Text(String),
    /// An encoded message, or several of which each is preceded by its length.
    Binary(Vec<u8>),
}

/// How data becomes messages.
#[derive(Clone, Copy)]
pub(super) struct Rules {
    /// What templates may use; without it there are none.
    pub(super) allowed: Option<Allowed>,
    /// How many messages a stream sends of which each is made anew; 0 is as many as there are.
    pub(super) anew: Option<u32>,
}

/// Everything that calls of one method send.
pub(super) struct Maker {
    source: Source,
    names: MethodNames,
    kind: Kind,
    anew: Option<u32>,
    metadata: Metadata,
}

enum Source {
    Encoded(Vec<Bytes>),
    Messages(Vec<Message>),
    Text { template: CallTemplate, input: MessageDescriptor },
}

/// Which side of a method sends a stream.
pub(super) fn kind(method: &MethodDescriptor) -> Kind {
    match (method.is_client_streaming(), method.is_server_streaming()) {
        (false, false) => Kind::Unary,
        (true, false) => Kind::ClientStream,
        (false, true) => Kind::ServerStream,
        (true, true) => Kind::Bidi,
    }
}

impl Maker {
    /// Reads and checks what is sent.
    pub(super) fn new(
        method: &MethodDescriptor,
        data: Data,
        metadata: Metadata,
        rules: Rules,
    ) -> Result<Self, DataError> {
        let names = names(method);
        let source = {
            let example = CallData::new(0, 0, Some(&names));
            let reading = Reading { allowed: rules.allowed, example: &example };
            match data {
                Data::Json(value) => Source::of_json(&method.input(), &value, reading)?,
                Data::Text(text) => Source::of_text(&method.input(), &text, reading)?,
                Data::Binary(bytes) => Source::Encoded(messages_in(&method.input(), bytes)?),
            }
        };
        Ok(Self { source, names, kind: kind(method), anew: rules.anew, metadata })
    }

    /// The form that the load engine takes, and the metadata that are the same for all calls.
    pub(super) fn into_messages(self) -> (Messages, HeaderMap) {
        match (self.fixed(), self.metadata.fixed()) {
            (Some(messages), Some(metadata)) => (Messages::Fixed(messages.into()), metadata.clone()),
            _ => (Messages::Made(Arc::new(move |number| self.make(number))), HeaderMap::new()),
        }
    }

    fn fixed(&self) -> Option<Vec<Bytes>> {
        match &self.source {
            Source::Encoded(messages) => Some(messages.clone()),
            Source::Messages(messages) => {
                messages.iter().map(|message| message.fixed().map(Bytes::copy_from_slice)).collect()
            }
            Source::Text { .. } => None,
        }
    }

    /// What one call sends.
    pub(super) fn make(&self, number: &CallNumber) -> Result<MadeCall, String> {
        let call = || CallData::new(number.worker as u64, number.request, Some(&self.names));
        let first = call();
        let metadata = self.metadata.render(&first)?;
        let messages = match self.anew {
            // Each message of a stream has a time and a UUID of its own.
            Some(count) if self.kind.is_client_stream() => {
                let count = if count == 0 { self.source.all(&first)?.len() as u64 } else { u64::from(count) };
                (0..count).map(|index| self.source.one(index, &call())).collect::<Result<_, String>>()?
            }
            _ if self.kind.is_client_stream() => self.source.all(&first)?,
            _ => vec![self.source.one(number.request, &first)?],
        };
        Ok(MadeCall { messages, metadata })
    }
}

impl Source {
    fn of_json(input: &MessageDescriptor, value: &Value, reading: Reading<'_>) -> Result<Self, DataError> {
        let messages = match value {
            Value::Array(items) if items.is_empty() => {
                return Err(DataError::new("", "is an empty list: give at least one message"));
            }
            Value::Array(items) => {
                let numbered = items.iter().enumerate();
                numbered.map(|(index, item)| Message::read(input, item, &format!("[{index}]"), reading)).collect()
            }
            _ => Message::read(input, value, "", reading).map(|message| vec![message]),
        };
        messages.map(Self::Messages)
    }

    fn of_text(input: &MessageDescriptor, text: &str, reading: Reading<'_>) -> Result<Self, DataError> {
        let error = match serde_json::from_str(text) {
            Ok(value) => return Self::of_json(input, &value, reading),
            Err(error) => error,
        };
        let Some(allowed) = reading.allowed.filter(|_| reading.is_template(text)) else {
            return Err(DataError::new("", format!("is not JSON: {error}")));
        };
        let wrong = |message| DataError::new("", message);
        let template = CallTemplate::parse("data", text, allowed, reading.example).map_err(wrong)?;
        let source = Self::Text { template, input: input.clone() };
        source.all(reading.example).map_err(wrong)?;
        Ok(source)
    }

    /// The message with this number; after the last the first follows again.
    fn one(&self, number: u64, call: &CallData<'_>) -> Result<Bytes, String> {
        let index = |count: usize| usize::try_from(number % count.max(1) as u64).unwrap_or_default();
        match self {
            Self::Encoded(messages) => Ok(messages[index(messages.len())].clone()),
            Self::Messages(messages) => messages[index(messages.len())].encode(call).map(Bytes::from),
            Self::Text { .. } => {
                let mut all = self.all(call)?;
                Ok(all.swap_remove(index(all.len())))
            }
        }
    }

    /// All messages; there is at least one.
    fn all(&self, call: &CallData<'_>) -> Result<Vec<Bytes>, String> {
        match self {
            Self::Encoded(messages) => Ok(messages.clone()),
            Self::Messages(messages) => messages.iter().map(|message| message.encode(call).map(Bytes::from)).collect(),
            Self::Text { template, input } => {
                let text = template.render(call)?;
                let value: Value = serde_json::from_str(&text)
                    .map_err(|error| format!("the data became no JSON: {error}, got {text}"))?;
                let plain = Reading { allowed: None, example: call };
                Self::of_json(input, &value, plain).map_err(|error| error.to_string())?.all(call)
            }
        }
    }
}

/// The messages in bytes: several if each is preceded by its length (as protobuf's `writeDelimitedTo` writes them) and
/// nothing is left, else one.
fn messages_in(input: &MessageDescriptor, bytes: Vec<u8>) -> Result<Vec<Bytes>, DataError> {
    let bytes = Bytes::from(bytes);
    let is_message = |bytes: &Bytes| DynamicMessage::decode(input.clone(), bytes.clone());
    if let Some(several) = delimited(&bytes).filter(|several| several.iter().all(|one| is_message(one).is_ok())) {
        return Ok(several);
    }
    let wrong = |error| {
        DataError::new("", format!("is neither a {} nor several with their lengths: {error}", input.full_name()))
    };
    is_message(&bytes).map_err(wrong)?;
    Ok(vec![bytes])
}

fn delimited(bytes: &Bytes) -> Option<Vec<Bytes>> {
    let mut rest = bytes.clone();
    let mut several = Vec::new();
    while !rest.is_empty() {
        let length = prost::decode_length_delimiter(&mut rest).ok()?;
        if length > rest.len() {
            return None;
        }
        several.push(rest.split_to(length));
    }
    Some(several).filter(|several| !several.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::tasks::grpc::descriptors::{ProtoText, method, of_proto};

    const PROTO: &str = "syntax = \"proto3\"; package t; message M { string name = 1; } service S {
        rpc One (M) returns (M); rpc Many (stream M) returns (M); }";
    const RULES: Rules = Rules { allowed: Some(Allowed { functions: true, method: true }), anew: None };

    fn made(call: &str, data: Data, rules: Rules) -> Result<Maker, DataError> {
        let proto = ProtoText { name: "t.proto".into(), text: PROTO.into(), import_paths: vec![] };
        Maker::new(&method(&of_proto(proto).unwrap(), call, "it").unwrap(), data, Metadata::default(), rules)
    }

    fn names(maker: &Maker, request: u64) -> Vec<String> {
        let messages = maker.make(&CallNumber { worker: 0, request }).unwrap().messages;
        // Field 1, its length, its text.
        messages.iter().map(|message| String::from_utf8_lossy(&message[message.len().min(2)..]).into_owned()).collect()
    }

    #[test]
    fn one_message_is_taken_in_turn_and_a_stream_takes_all() {
        let list = || Data::Json(json!([{ "name": "a" }, { "name": "b{{.RequestNumber}}" }]));
        let one = made("t.S.One", list(), RULES).unwrap();
        assert_eq!([names(&one, 0), names(&one, 1), names(&one, 2)], [["a"], ["b1"], ["a"]]);
        let many = made("t.S.Many", list(), RULES).unwrap();
        assert_eq!(names(&many, 5), ["a", "b5"]);
        let anew = Rules { anew: Some(3), ..RULES };
        assert_eq!(names(&made("t.S.Many", list(), anew).unwrap(), 5), ["a", "b5", "a"]);
    }

    #[test]
    fn data_without_templates_is_encoded_once() {
        let fixed = |data| matches!(made("t.S.One", data, RULES).unwrap().into_messages().0, Messages::Fixed(_));
        assert!(fixed(Data::Json(json!({ "name": "a" }))) && fixed(Data::Text("[{}, {\"name\": \"b\"}]".into())));
        assert!(!fixed(Data::Json(json!({ "name": "{{newUUID}}" }))));
        let off = Rules { allowed: None, anew: None };
        let maker = made("t.S.One", Data::Json(json!({ "name": "{{newUUID}}" })), off).unwrap();
        assert_eq!(names(&maker, 0), ["{{newUUID}}"]);
    }

    #[test]
    fn a_text_may_be_json_only_when_it_is_rendered() {
        let text = "[{{ range $i := until 3 }}{{ if $i }},{{ end }}{\"name\": \"n{{ $i }}\"}{{ end }}]";
        let many = made("t.S.Many", Data::Text(text.into()), RULES).unwrap();
        assert_eq!(names(&many, 0), ["n0", "n1", "n2"]);
        let one = made("t.S.One", Data::Text(text.into()), RULES).unwrap();
        assert_eq!(names(&one, 4), ["n1"]);
        for (text, part) in [
            ("{\"name\": ", "is not JSON: EOF"),
            ("{\"name\": {{.RequestNumber}}", "the data became no JSON"),
            ("{\"nmae\": {{.RequestNumber}}}", "no field `nmae`"),
            ("[]", "is an empty list"),
        ] {
            let error = made("t.S.One", Data::Text(text.into()), RULES).err().unwrap().to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn bytes_are_one_message_or_several_with_their_lengths() {
        let (a, b) = (b"\x0a\x01a", b"\x0a\x01b");
        let several = [&[3][..], a, &[3], b].concat();
        let many = made("t.S.Many", Data::Binary(several), RULES).unwrap();
        assert_eq!(names(&many, 0), ["a", "b"]);
        let one = made("t.S.One", Data::Binary(a.to_vec()), RULES).unwrap();
        assert_eq!(names(&one, 0), ["a"]);
        let empty = made("t.S.One", Data::Binary(vec![]), RULES).unwrap();
        assert_eq!(names(&empty, 0), [""]);
        let error = made("t.S.One", Data::Binary(b"\x0a\x09a".to_vec()), RULES).err().unwrap();
        assert!(error.to_string().starts_with("is neither a t.M nor several with their lengths"), "{error}");
    }
}
