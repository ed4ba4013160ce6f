//! One message that is sent, from JSON to the wire (protobuf's JSON mapping and encoding).
//!
//! What is the same for every call is encoded once. A field with a template in it stays a gap between encoded bytes, filled
//! for each call: texts and whole numbers directly, everything else by the JSON mapping of that field alone.

use prost::Message as _;
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor};
use serde_json::{Map, Value};

use iter8_core::suggest::nearest;

use crate::tasks::call_template::{Allowed, CallData, CallTemplate, is_template};

/// A message, read and checked.
pub(super) struct Message {
    parts: Vec<Part>,
}

enum Part {
    /// Encoded fields.
    Fixed(Vec<u8>),
    /// A field with one value that is a text or a whole number.
    Leaf { tag: u64, leaf: Leaf, template: CallTemplate, path: String },
    /// A field with a message.
    Nested { tag: u64, message: Message },
    /// A field of `message` as JSON.
    Field { message: MessageDescriptor, key: String, value: Node, path: String },
}

/// JSON with templates in it.
enum Node {
    Plain(Value),
    Text(CallTemplate),
    List(Vec<Self>),
    Map(Vec<(CallTemplate, Self)>),
}

/// How a text or a whole number is encoded.
#[derive(Clone, Copy)]
enum Leaf {
    Text,
    Signed { bits: u32, form: Form },
    Unsigned { bits: u32, form: Form },
}

#[derive(Clone, Copy)]
enum Form {
    Varint,
    Zigzag,
    Fixed,
}

/// What is needed to read templates in data; without `allowed` there are none.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    pub(super) allowed: Option<Allowed>,
    pub(super) example: &'a CallData<'a>,
}

/// What is wrong with data, and where: field names joined by dots.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", at(.path))]
pub(super) struct DataError {
    path: String,
    message: String,
}

fn at(path: &str) -> String {
    if path.is_empty() { String::new() } else { format!("`{path}`: ") }
}

impl DataError {
    pub(super) fn new(path: &str, message: impl Into<String>) -> Self {
        Self { path: path.to_owned(), message: message.into() }
    }

    fn of_value(path: &str, value: &Value, error: &serde_json::Error) -> Self {
        /// Enough to recognise a value by.
        const SHOWN: usize = 80;
        let mut shown = value.to_string();
        if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
            shown.truncate(end);
            shown.push('…');
        }
        Self::new(path, format!("{error}, got {shown}"))
    }
}

impl Reading<'_> {
    pub(super) fn is_template(&self, text: &str) -> bool {
        self.allowed.is_some() && is_template(text)
    }

    fn has_template(&self, value: &Value) -> bool {
        match value {
            Value::String(text) => self.is_template(text),
            Value::Array(items) => items.iter().any(|item| self.has_template(item)),
            Value::Object(map) => map.iter().any(|(key, item)| self.is_template(key) || self.has_template(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    fn template(&self, path: &str, text: &str) -> Result<CallTemplate, DataError> {
        let allowed = self.allowed.unwrap_or(Allowed { functions: false, method: false });
        CallTemplate::parse(path, text, allowed, self.example).map_err(|message| DataError::new("", message))
    }
}

impl Message {
    /// Reads `value` as a message of the type `of`; `path` says where it stands.
    pub(super) fn read(
        of: &MessageDescriptor,
        value: &Value,
        path: &str,
        reading: Reading<'_>,
    ) -> Result<Self, DataError> {
        if is_well_known(of) {
            return Err(DataError::new(path, format!("the type {} cannot be written as fields", of.full_name())));
        }
        let Value::Object(fields) = value else {
            return Err(DataError::new(
                path,
                format!("must be a map with the fields of {}, got {value}", of.full_name()),
            ));
        };
        let message = Self::of_fields(of, fields, path, reading)?;
        message.encode(reading.example).map_err(|message| DataError::new("", message))?;
        // Rules that span several fields, such as those of oneof.
        let example = Node::read(value, path, reading)?.render(reading.example);
        let example = example.map_err(|message| DataError::new(path, message))?;
        DynamicMessage::deserialize(of.clone(), example).map_err(|error| DataError::new(path, error.to_string()))?;
        Ok(message)
    }

    fn of_fields(
        of: &MessageDescriptor,
        fields: &Map<String, Value>,
        path: &str,
        reading: Reading<'_>,
    ) -> Result<Self, DataError> {
        let mut message = Self { parts: Vec::new() };
        for (key, value) in fields {
            let place = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
            match of.get_field_by_json_name(key).or_else(|| of.get_field_by_name(key)) {
                Some(field) => message.add_field(of, &field, key, value, &place, reading)?,
                // An extension.
                None if key.starts_with('[') => message.add_json(of, key, value.clone(), &place, reading)?,
                None => return Err(unknown_field(of, key, path)),
            }
        }
        Ok(message)
    }

    fn add_field(
        &mut self,
        of: &MessageDescriptor,
        field: &FieldDescriptor,
        key: &str,
        value: &Value,
        path: &str,
        reading: Reading<'_>,
    ) -> Result<(), DataError> {
        match value {
            Value::Object(entries) if field.is_map() => entries.iter().try_for_each(|(name, entry)| {
                let one = Value::Object([(name.clone(), entry.clone())].into_iter().collect());
                self.add_json(of, key, one, &format!("{path}[{name}]"), reading)
            }),
            Value::Array(items) if field.is_list() => {
                if !reading.has_template(value) && self.add_json(of, key, value.clone(), path, reading).is_ok() {
                    return Ok(());
                }
                items.iter().enumerate().try_for_each(|(index, item)| {
                    self.add_value(of, field, key, item, &format!("{path}[{index}]"), reading)
                })
            }
            _ if field.is_list() || field.is_map() => self.add_json(of, key, value.clone(), path, reading),
            _ => self.add_value(of, field, key, value, path, reading),
        }
    }

    /// Adds one value of a field, which may be repeated.
    fn add_value(
        &mut self,
        of: &MessageDescriptor,
        field: &FieldDescriptor,
        key: &str,
        value: &Value,
        path: &str,
        reading: Reading<'_>,
    ) -> Result<(), DataError> {
        match (field.kind(), value) {
            (Kind::Message(inner), Value::Object(fields)) if !field.is_group() && !is_well_known(&inner) => {
                let message = Self::of_fields(&inner, fields, path, reading)?;
                match message.fixed() {
                    Some(bytes) => self.push_fixed(&delimited(tag(field, LENGTH_DELIMITED), bytes)),
                    None => self.parts.push(Part::Nested { tag: tag(field, LENGTH_DELIMITED), message }),
                }
                Ok(())
            }
            (kind, Value::String(text)) if reading.is_template(text) && Leaf::of(&kind).is_some() => {
                let leaf = Leaf::of(&kind).expect("the guard has seen that it is one");
                let template = reading.template(path, text)?;
                self.parts.push(Part::Leaf {
                    tag: tag(field, leaf.wire_type()),
                    leaf,
                    template,
                    path: path.to_owned(),
                });
                Ok(())
            }
            _ if field.is_list() => self.add_json(of, key, Value::Array(vec![value.clone()]), path, reading),
            _ => self.add_json(of, key, value.clone(), path, reading),
        }
    }

    /// Adds a field by the JSON mapping: encoded now, if nothing in it is a template.
    fn add_json(
        &mut self,
        of: &MessageDescriptor,
        key: &str,
        value: Value,
        path: &str,
        reading: Reading<'_>,
    ) -> Result<(), DataError> {
        if reading.has_template(&value) {
            let value = Node::read(&value, path, reading)?;
            self.parts.push(Part::Field { message: of.clone(), key: key.to_owned(), value, path: path.to_owned() });
        } else {
            self.push_fixed(&encoded_field(of, key, value, path)?);
        }
        Ok(())
    }

    fn push_fixed(&mut self, bytes: &[u8]) {
        match self.parts.last_mut() {
            Some(Part::Fixed(before)) => before.extend_from_slice(bytes),
            _ => self.parts.push(Part::Fixed(bytes.to_vec())),
        }
    }

    /// The encoded message, if it is the same for all calls.
    pub(super) fn fixed(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [] => Some(&[]),
            [Part::Fixed(bytes)] => Some(bytes),
            _ => None,
        }
    }

    /// The encoded message for one call.
    pub(super) fn encode(&self, call: &CallData<'_>) -> Result<Vec<u8>, String> {
        let mut bytes = Vec::new();
        self.encode_into(&mut bytes, call)?;
        Ok(bytes)
    }

    fn encode_into(&self, bytes: &mut Vec<u8>, call: &CallData<'_>) -> Result<(), String> {
        for part in &self.parts {
            match part {
                Part::Fixed(fixed) => bytes.extend_from_slice(fixed),
                Part::Leaf { tag, leaf, template, path } => {
                    push_varint(bytes, *tag);
                    let text = template.render(call)?;
                    leaf.encode(&text, bytes).map_err(|message| format!("`{path}` {message}"))?;
                }
                Part::Nested { tag, message } => bytes.extend(delimited(*tag, &message.encode(call)?)),
                Part::Field { message, key, value, path } => {
                    let field = encoded_field(message, key, value.render(call)?, path);
                    bytes.extend(field.map_err(|error| error.to_string())?);
                }
            }
        }
        Ok(())
    }
}

impl Node {
    fn read(value: &Value, path: &str, reading: Reading<'_>) -> Result<Self, DataError> {
        Ok(match value {
            _ if !reading.has_template(value) => Self::Plain(value.clone()),
            Value::String(text) => Self::Text(reading.template(path, text)?),
            Value::Array(items) => {
                Self::List(items.iter().map(|item| Self::read(item, path, reading)).collect::<Result<_, _>>()?)
            }
            Value::Object(map) => {
                let entries = map.iter().map(|(key, item)| {
                    let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                    Ok((reading.template(&path, key)?, Self::read(item, &path, reading)?))
                });
                Self::Map(entries.collect::<Result<_, _>>()?)
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => Self::Plain(value.clone()),
        })
    }

    fn render(&self, call: &CallData<'_>) -> Result<Value, String> {
        Ok(match self {
            Self::Plain(value) => value.clone(),
            Self::Text(template) => Value::String(template.render(call)?),
            Self::List(items) => Value::Array(items.iter().map(|item| item.render(call)).collect::<Result<_, _>>()?),
            Self::Map(entries) => {
                let entries = entries.iter().map(|(key, item)| Ok((key.render(call)?, item.render(call)?)));
                Value::Object(entries.collect::<Result<_, String>>()?)
            }
        })
    }
}

impl Leaf {
    const fn of(kind: &Kind) -> Option<Self> {
        Some(match kind {
            Kind::String => Self::Text,
            Kind::Int32 => Self::Signed { bits: 32, form: Form::Varint },
            Kind::Int64 => Self::Signed { bits: 64, form: Form::Varint },
            Kind::Sint32 => Self::Signed { bits: 32, form: Form::Zigzag },
            Kind::Sint64 => Self::Signed { bits: 64, form: Form::Zigzag },
            Kind::Sfixed32 => Self::Signed { bits: 32, form: Form::Fixed },
            Kind::Sfixed64 => Self::Signed { bits: 64, form: Form::Fixed },
            Kind::Uint32 => Self::Unsigned { bits: 32, form: Form::Varint },
            Kind::Uint64 => Self::Unsigned { bits: 64, form: Form::Varint },
            Kind::Fixed32 => Self::Unsigned { bits: 32, form: Form::Fixed },
            Kind::Fixed64 => Self::Unsigned { bits: 64, form: Form::Fixed },
            Kind::Double | Kind::Float | Kind::Bool | Kind::Bytes | Kind::Message(_) | Kind::Enum(_) => return None,
        })
    }

    const fn wire_type(self) -> u64 {
        match self {
            Self::Text => LENGTH_DELIMITED,
            Self::Signed { form: Form::Fixed, bits: 32 } | Self::Unsigned { form: Form::Fixed, bits: 32 } => 5,
            Self::Signed { form: Form::Fixed, .. } | Self::Unsigned { form: Form::Fixed, .. } => 1,
            Self::Signed { .. } | Self::Unsigned { .. } => 0,
        }
    }

    fn encode(self, text: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
        let (number, bits, form) = match self {
            Self::Text => {
                push_varint(bytes, text.len() as u64);
                bytes.extend_from_slice(text.as_bytes());
                return Ok(());
            }
            Self::Signed { bits, form } => {
                let most = i64::MAX >> (64 - bits);
                let number = text.trim().parse::<i64>().ok().filter(|number| (!most..=most).contains(number));
                let number = number.ok_or_else(|| format!("must be a whole number of {bits} bits, got `{text}`"))?;
                let zigzag = (number << 1) ^ (number >> 63);
                ((if matches!(form, Form::Zigzag) { zigzag } else { number }).cast_unsigned(), bits, form)
            }
            Self::Unsigned { bits, form } => {
                let number = text.trim().parse::<u64>().ok().filter(|number| *number <= u64::MAX >> (64 - bits));
                let expected = format!("must be a whole number of {bits} bits, zero or more");
                (number.ok_or_else(|| format!("{expected}, got `{text}`"))?, bits, form)
            }
        };
        match (form, bits) {
            (Form::Fixed, _) => bytes.extend_from_slice(&number.to_le_bytes()[..bits as usize / 8]),
            (Form::Varint | Form::Zigzag, _) => push_varint(bytes, number),
        }
        Ok(())
    }
}

/// Wire type of texts, bytes and messages (protobuf's encoding, "Message Structure").
const LENGTH_DELIMITED: u64 = 2;

fn tag(field: &FieldDescriptor, wire_type: u64) -> u64 {
    u64::from(field.number()) << 3 | wire_type
}

fn push_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn delimited(tag: u64, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(content.len() + 12);
    push_varint(&mut bytes, tag);
    push_varint(&mut bytes, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes
}

/// One field of a message, encoded. Fields of a message may follow one another in any order and in any pieces.
fn encoded_field(of: &MessageDescriptor, key: &str, value: Value, path: &str) -> Result<Vec<u8>, DataError> {
    let shown = value.clone();
    let one = Value::Object([(key.to_owned(), value)].into_iter().collect());
    let message = DynamicMessage::deserialize(of.clone(), one);
    message.map(|message| message.encode_to_vec()).map_err(|error| DataError::of_value(path, &shown, &error))
}

fn unknown_field(of: &MessageDescriptor, key: &str, path: &str) -> DataError {
    let known: Vec<String> = of.fields().map(|field| field.json_name().to_owned()).collect();
    let hint = match nearest(key, known.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "it has none".to_owned(),
        None => format!("it has {}", known.join(", ")),
    };
    DataError::new(path, format!("the message {} has no field `{key}`; {hint}", of.full_name()))
}

/// Types that JSON writes in a form of their own.
fn is_well_known(message: &MessageDescriptor) -> bool {
    message.full_name().starts_with("google.protobuf.") && message.full_name() != "google.protobuf.Empty"
}

#[cfg(test)]
mod tests {
    use prost_reflect::SerializeOptions;
    use serde_json::json;

    use super::*;
    use crate::tasks::grpc::descriptors::{ProtoText, of_proto};

    const PROTO: &str = r#"syntax = "proto3"; package t;
        import "google/protobuf/timestamp.proto"; import "google/protobuf/struct.proto";
        enum Color { NONE = 0; RED = 1; }
        message Inner { string name = 1; int32 n = 2; Inner deeper = 3; }
        message All {
          string text = 1; int32 i32 = 2; int64 i64 = 3; uint32 u32 = 4; uint64 u64 = 5; sint32 s32 = 6; sint64 s64 = 7;
          fixed32 f32 = 8; fixed64 f64 = 9; sfixed32 sf32 = 10; sfixed64 sf64 = 11; bool flag = 12; bytes data = 13;
          double real = 14; Color color = 15; Inner inner_message = 16; repeated Inner inners = 17;
          repeated int32 numbers = 18; repeated string texts = 19; map<string, Inner> map = 20;
          google.protobuf.Timestamp at = 21; google.protobuf.Struct free = 22;
          oneof one { string left = 23; int32 right = 24; }
        }"#;

    fn descriptor() -> MessageDescriptor {
        let proto = ProtoText { name: "t.proto".into(), text: PROTO.into(), import_paths: vec![] };
        of_proto(proto).unwrap().get_message_by_name("t.All").unwrap()
    }

    fn read(value: &Value) -> Result<Message, String> {
        let example = CallData::new(1, 7, None);
        let allowed = Some(Allowed { functions: true, method: false });
        Message::read(&descriptor(), value, "", Reading { allowed, example: &example })
            .map_err(|error| error.to_string())
    }

    /// What a server reads.
    fn sent(value: &Value) -> Value {
        let bytes = read(value).unwrap().encode(&CallData::new(1, 7, None)).unwrap();
        let message = DynamicMessage::decode(descriptor(), bytes.as_slice()).unwrap();
        let options = SerializeOptions::new().stringify_64_bit_integers(false);
        message.serialize_with_options(serde_json::value::Serializer, &options).unwrap()
    }

    #[test]
    fn every_kind_of_field_arrives_with_its_value() {
        let value = json!({
            "text": "é", "i32": -1, "i64": -2, "u32": 3, "u64": 4, "s32": -5, "s64": -6, "f32": 7, "f64": 8,
            "sf32": -9, "sf64": -10, "flag": true, "data": "AAE=", "real": 1.5, "color": "RED",
            "innerMessage": { "name": "a", "n": 1, "deeper": { "name": "b" } },
            "inners": [{ "name": "c" }, { "n": 2 }], "numbers": [1, -2], "texts": ["x", "y"],
            "map": { "k": { "name": "d" } }, "at": "2026-01-02T03:04:05Z", "free": { "any": [1.0, null] }, "right": 9,
        });
        assert_eq!(sent(&value), value);
        assert!(read(&value).unwrap().fixed().is_some());
        assert_eq!(sent(&json!({ "inner_message": { "n": "3" } })), json!({ "innerMessage": { "n": 3 } }));
    }

    #[test]
    fn templates_fill_fields_of_every_kind() {
        let n = "{{.RequestNumber}}";
        let value = json!({
            "text": format!("a{n}"), "i32": n, "i64": format!("-{n}"), "u32": n, "u64": n, "s32": format!("-{n}"),
            "s64": format!("-{n}"), "f32": n, "f64": n, "sf32": format!("-{n}"), "sf64": n, "real": format!("{n}.5"),
            "color": "{{ upper \"red\" }}", "innerMessage": { "name": n, "deeper": { "n": n } },
            "inners": [{ "name": "c" }, { "name": n }], "numbers": [1, n], "texts": [n, "y"],
            "map": { n: { "name": n } }, "at": "2026-01-02T03:04:0{{.RequestNumber}}Z", "free": { "any": n }, "left": n,
        });
        let expected = json!({
            "text": "a7", "i32": 7, "i64": -7, "u32": 7, "u64": 7, "s32": -7, "s64": -7, "f32": 7, "f64": 7, "sf32": -7,
            "sf64": 7, "real": 7.5, "color": "RED", "innerMessage": { "name": "7", "deeper": { "n": 7 } },
            "inners": [{ "name": "c" }, { "name": "7" }], "numbers": [1, 7], "texts": ["7", "y"],
            "map": { "7": { "name": "7" } }, "at": "2026-01-02T03:04:07Z", "free": { "any": "7" }, "left": "7",
        });
        assert_eq!(sent(&value), expected);
        assert!(read(&value).unwrap().fixed().is_none());
    }

    #[test]
    fn what_is_wrong_is_named_by_field_and_value() {
        for (value, part) in [
            (json!({ "txet": "x" }), "the message t.All has no field `txet`; did you mean `text`?"),
            (
                json!({ "innerMessage": { "deeper": { "nmae": 1 } } }),
                "`innerMessage.deeper`: the message t.Inner has no field `nmae`; did you mean `name`?",
            ),
            (json!({ "inners": [{}, { "n": "x" }] }), "`inners[1].n`: "),
            (json!({ "inners": [{}, { "n": "x" }] }), "got \"x\""),
            (json!({ "numbers": [1, 2, true] }), "`numbers[2]`: "),
            (json!({ "map": { "k": { "n": [] } } }), "`map[k]`: "),
            (json!({ "color": "BLUE" }), "`color`: unrecognized enum value 'BLUE', got \"BLUE\""),
            (json!({ "i32": 3_000_000_000_u32 }), "`i32`: "),
            (json!({ "i32": "{{.WorkerID}}" }), "`i32` must be a whole number of 32 bits, got `g1`"),
            (
                json!({ "u32": "-{{.RequestNumber}}" }),
                "`u32` must be a whole number of 32 bits, zero or more, got `-7`",
            ),
            (json!({ "text": "{{.Nme}}" }), "text: a call has no `.Nme`"),
            (json!({ "left": "a", "right": 1 }), "one"),
            (json!([]), "must be a map with the fields of t.All, got []"),
        ] {
            let error = read(&value).err().unwrap();
            assert!(error.contains(part), "{value}: {error}");
        }
    }

    #[test]
    fn numbers_keep_within_their_bits() {
        for (text, is_ok) in
            [("2147483647", true), ("2147483648", false), ("-2147483648", true), ("-2147483649", false)]
        {
            let leaf = Leaf::of(&Kind::Sint32).unwrap();
            assert_eq!(leaf.encode(text, &mut Vec::new()).is_ok(), is_ok, "{text}");
        }
        let mut bytes = Vec::new();
        Leaf::of(&Kind::Fixed32).unwrap().encode("4294967295", &mut bytes).unwrap();
        assert_eq!(bytes, [255; 4]);
        assert!(Leaf::of(&Kind::Uint64).unwrap().encode("18446744073709551615", &mut bytes).is_ok());
    }
}
