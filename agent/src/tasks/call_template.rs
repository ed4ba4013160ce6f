//! Texts that are made anew for each call, with the names that ghz gives them: `{{.RequestNumber}}`, `{{newUUID}}`,
//! `{{randomInt 1 10}}`, and the functions of Sprig that charts have. What is sent with such a text is not its business.
//!
//! A template is read once. The plain names are worked out without a template engine, everything else by the one that
//! renders charts.

use std::cell::OnceCell;
use std::fmt::Write as _;

use iter8_cluster::template::{Engine, Extra};
use iter8_core::suggest::nearest;
use jiff::Timestamp;
use rand::RngExt as _;
use serde_json::{Value, json};

/// A text that may have `{{ }}` in it.
pub(crate) struct CallTemplate {
    form: Form,
}

enum Form {
    /// Nothing in it changes from call to call.
    Fixed(String),
    /// Only plain names.
    Pieces(Vec<Piece>),
    /// Anything else.
    Engine { engine: Box<Engine>, place: String },
}

enum Piece {
    Text(String),
    Field(Field),
    NewUuid,
    /// From the first up to but without the second.
    RandomInt(i64, i64),
    /// So many characters.
    RandomText(u64, u64),
}

/// What a call knows of itself.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Field {
    WorkerId,
    RequestNumber,
    FullyQualifiedName,
    MethodName,
    ServiceName,
    InputName,
    OutputName,
    IsClientStreaming,
    IsServerStreaming,
    Timestamp,
    TimestampUnix,
    TimestampUnixMilli,
    TimestampUnixNano,
    Uuid,
}

/// What a template may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Allowed {
    /// Functions.
    pub(crate) functions: bool,
    /// Names of a gRPC method and its messages.
    pub(crate) method: bool,
}

/// The names of a gRPC method.
#[derive(Clone, Debug, Default)]
pub(crate) struct MethodNames {
    /// `package.Service.Method`.
    pub(crate) fully_qualified: String,
    /// Without package and service.
    pub(crate) method: String,
    /// Without package.
    pub(crate) service: String,
    /// The request's type, without package.
    pub(crate) input: String,
    /// The response's type, without package.
    pub(crate) output: String,
    /// Whether the client sends a stream.
    pub(crate) client_streaming: bool,
    /// Whether the server sends a stream.
    pub(crate) server_streaming: bool,
}

/// One call. Its time and its UUID are the same wherever they are used.
pub(crate) struct CallData<'a> {
    worker: u64,
    request: u64,
    method: Option<&'a MethodNames>,
    at: OnceCell<Timestamp>,
    uuid: OnceCell<u128>,
}

impl Field {
    const ALL: [(&'static str, Self); 14] = [
        ("WorkerID", Self::WorkerId),
        ("RequestNumber", Self::RequestNumber),
        ("FullyQualifiedName", Self::FullyQualifiedName),
        ("MethodName", Self::MethodName),
        ("ServiceName", Self::ServiceName),
        ("InputName", Self::InputName),
        ("OutputName", Self::OutputName),
        ("IsClientStreaming", Self::IsClientStreaming),
        ("IsServerStreaming", Self::IsServerStreaming),
        ("Timestamp", Self::Timestamp),
        ("TimestampUnix", Self::TimestampUnix),
        ("TimestampUnixMilli", Self::TimestampUnixMilli),
        ("TimestampUnixNano", Self::TimestampUnixNano),
        ("UUID", Self::Uuid),
    ];

    const fn is_of_method(self) -> bool {
        match self {
            Self::FullyQualifiedName
            | Self::MethodName
            | Self::ServiceName
            | Self::InputName
            | Self::OutputName
            | Self::IsClientStreaming
            | Self::IsServerStreaming => true,
            Self::WorkerId
            | Self::RequestNumber
            | Self::Timestamp
            | Self::TimestampUnix
            | Self::TimestampUnixMilli
            | Self::TimestampUnixNano
            | Self::Uuid => false,
        }
    }

    fn known(allowed: Allowed) -> impl Iterator<Item = (&'static str, Self)> {
        Self::ALL.into_iter().filter(move |(_, field)| allowed.method || !field.is_of_method())
    }

    fn named(name: &str, allowed: Allowed) -> Result<Self, String> {
        if let Some((_, field)) = Self::known(allowed).find(|(known, _)| *known == name) {
            return Ok(field);
        }
        let names = || Self::known(allowed).map(|(known, _)| known);
        Err(match nearest(name, names()) {
            Some(meant) => format!("a call has no `.{name}`; did you mean `.{meant}`?"),
            None => format!("a call has no `.{name}`; known are .{}", names().collect::<Vec<_>>().join(", .")),
        })
    }
}

impl CallTemplate {
    /// Reads a template; `place` says in errors where it stands.
    ///
    /// # Errors
    /// What is wrong with it, in words: a name that no call has, a function that does not exist, wrong syntax, or
    /// anything that makes it fail for a first call.
    pub(crate) fn parse(place: &str, text: &str, allowed: Allowed, example: &CallData<'_>) -> Result<Self, String> {
        let template = Self::read(place, text, allowed)?;
        template.render(example)?;
        Ok(template)
    }

    fn read(place: &str, text: &str, allowed: Allowed) -> Result<Self, String> {
        if !is_template(text) {
            return Ok(Self { form: Form::Fixed(text.to_owned()) });
        }
        let wrong = |message: String| format!("{place}: {message}");
        if let Some(pieces) = pieces(text, allowed).map_err(wrong)? {
            return Ok(Self { form: Form::Pieces(pieces) });
        }
        if !allowed.functions {
            let message = "only names such as {{.RequestNumber}} can be used without template functions";
            return Err(format!("{place}: {message}, got `{text}`"));
        }
        let engine = Engine::strict(place, text, EXTRAS).map_err(|error| said(&error))?;
        Ok(Self { form: Form::Engine { engine: Box::new(engine), place: place.to_owned() } })
    }

    /// The text for one call.
    ///
    /// # Errors
    /// Why this call has none.
    pub(crate) fn render(&self, call: &CallData<'_>) -> Result<String, String> {
        let mut text = String::new();
        self.render_into(&mut text, call)?;
        Ok(text)
    }

    /// Appends the text for one call.
    ///
    /// # Errors
    /// As [`Self::render`].
    pub(crate) fn render_into(&self, text: &mut String, call: &CallData<'_>) -> Result<(), String> {
        match &self.form {
            Form::Fixed(fixed) => text.push_str(fixed),
            Form::Pieces(pieces) => pieces.iter().for_each(|piece| piece.append(text, call)),
            Form::Engine { engine, place } => {
                text.push_str(&engine.render(place, &call.json()).map_err(|error| said(&error))?);
            }
        }
        Ok(())
    }
}

/// Whether there is something to work out in a text.
pub(crate) fn is_template(text: &str) -> bool {
    text.contains("{{")
}

/// The words of the engine without its "template ".
fn said(error: &iter8_cluster::template::TemplateError) -> String {
    let text = error.to_string();
    text.strip_prefix("template ").map_or(text.clone(), str::to_owned)
}

/// The text in pieces, if every action in it is a plain name.
fn pieces(text: &str, allowed: Allowed) -> Result<Option<Vec<Piece>>, String> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((action, after)) = after.split_once("}}") else { return Ok(None) };
        let words: Vec<&str> = action.split_whitespace().collect();
        let piece = match words[..] {
            [name] if is_field(name) => Piece::Field(Field::named(&name[1..], allowed)?),
            _ if !allowed.functions => return Ok(None),
            ["newUUID" | "uuidv4"] => Piece::NewUuid,
            ["randomInt", from, to] => match (from.parse(), to.parse()) {
                (Ok(from), Ok(to)) => Piece::random_int(from, to)?,
                _ => return Ok(None),
            },
            ["randomString", ref lengths @ ..] => match lengths.iter().map(|length| length.parse()).collect() {
                Ok::<Vec<i64>, _>(lengths) => Piece::random_text(&lengths)?,
                Err(_) => return Ok(None),
            },
            _ => return Ok(None),
        };
        pieces.push(Piece::Text(before.to_owned()));
        pieces.push(piece);
        rest = after;
    }
    pieces.push(Piece::Text(rest.to_owned()));
    pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
    Ok(Some(pieces))
}

/// A dot and one name.
fn is_field(word: &str) -> bool {
    word.strip_prefix('.')
        .is_some_and(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
}

impl Piece {
    fn random_int(from: i64, to: i64) -> Result<Self, String> {
        if from < to {
            return Ok(Self::RandomInt(from, to));
        }
        Err(format!("randomInt {from} {to}: the second number must be above the first, which it does not include"))
    }

    /// Of one length, or of a length from one to another; without a length, or with one that is not above zero, of 2 to
    /// 16 characters.
    fn random_text(lengths: &[i64]) -> Result<Self, String> {
        const MOST: i64 = 65_536;
        let (least, most) = match *lengths {
            [] => (2, 16),
            [length] if length <= 0 => (2, 16),
            [length] => (length, length),
            [least, most] => (least, most),
            _ => return Err(format!("randomString takes at most 2 arguments, not {}", lengths.len())),
        };
        let length = |length: i64| u64::try_from(length).ok().filter(|_| length <= MOST);
        match (length(least), length(most)) {
            (Some(least), Some(most)) if least <= most => Ok(Self::RandomText(least, most)),
            _ => Err(format!("randomString {least} {most}: lengths must be 0 to {MOST} and rise")),
        }
    }

    fn append(&self, text: &mut String, call: &CallData<'_>) {
        match self {
            Self::Text(fixed) => text.push_str(fixed),
            Self::Field(field) => call.append(*field, text),
            Self::NewUuid => push_uuid(text, random_uuid()),
            Self::RandomInt(from, to) => push(text, rand::rng().random_range(*from..*to)),
            Self::RandomText(least, most) => {
                let mut random = rand::rng();
                let length = random.random_range(*least..=*most);
                text.extend((0..length).map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())])));
            }
        }
    }
}

const LETTERS: &[u8; 62] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

fn push(text: &mut String, value: impl std::fmt::Display) {
    write!(text, "{value}").expect("a string takes everything");
}

/// A random UUID (RFC 9562, version 4).
fn random_uuid() -> u128 {
    rand::rng().random::<u128>() & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62)
}

fn push_uuid(text: &mut String, uuid: u128) {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    for (number, byte) in uuid.to_be_bytes().into_iter().enumerate() {
        if matches!(number, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.extend([byte >> 4, byte & 0xf].map(|digit| char::from(DIGITS[usize::from(digit)])));
    }
}

impl<'a> CallData<'a> {
    /// The call numbered `request` from 0, by the worker numbered `worker`.
    pub(crate) const fn new(worker: u64, request: u64, method: Option<&'a MethodNames>) -> Self {
        Self { worker, request, method, at: OnceCell::new(), uuid: OnceCell::new() }
    }

    fn at(&self) -> Timestamp {
        *self.at.get_or_init(Timestamp::now)
    }

    fn append(&self, field: Field, text: &mut String) {
        let method = |name: fn(&MethodNames) -> &str| self.method.map_or("", name);
        let flag = |flag: fn(&MethodNames) -> bool| self.method.is_some_and(flag);
        match field {
            Field::WorkerId => push(text, format_args!("g{}", self.worker)),
            Field::RequestNumber => push(text, self.request),
            Field::FullyQualifiedName => text.push_str(method(|names| &names.fully_qualified)),
            Field::MethodName => text.push_str(method(|names| &names.method)),
            Field::ServiceName => text.push_str(method(|names| &names.service)),
            Field::InputName => text.push_str(method(|names| &names.input)),
            Field::OutputName => text.push_str(method(|names| &names.output)),
            Field::IsClientStreaming => push(text, flag(|names| names.client_streaming)),
            Field::IsServerStreaming => push(text, flag(|names| names.server_streaming)),
            Field::Timestamp => push(text, self.at().strftime("%Y-%m-%dT%H:%M:%SZ")),
            Field::TimestampUnix => push(text, self.at().as_second()),
            Field::TimestampUnixMilli => push(text, self.at().as_millisecond()),
            Field::TimestampUnixNano => push(text, self.at().as_nanosecond()),
            Field::Uuid => push_uuid(text, *self.uuid.get_or_init(random_uuid)),
        }
    }

    /// Everything that a template can ask for.
    fn json(&self) -> Value {
        let allowed = Allowed { functions: true, method: self.method.is_some() };
        let fields = Field::known(allowed).map(|(name, field)| {
            let mut text = String::new();
            self.append(field, &mut text);
            let value = match field {
                Field::RequestNumber
                | Field::TimestampUnix
                | Field::TimestampUnixMilli
                | Field::TimestampUnixNano
                | Field::IsClientStreaming
                | Field::IsServerStreaming => serde_json::from_str(&text).unwrap_or(Value::Null),
                Field::WorkerId
                | Field::FullyQualifiedName
                | Field::MethodName
                | Field::ServiceName
                | Field::InputName
                | Field::OutputName
                | Field::Timestamp
                | Field::Uuid => Value::String(text),
            };
            (name.to_owned(), value)
        });
        Value::Object(fields.collect())
    }
}

/// Functions that charts may not call, because every call of them gives something else.
static EXTRAS: &[Extra] = &[
    Extra { name: "newUUID", arity: 0..=0, body: |_| Ok(made(&Piece::NewUuid)) },
    Extra { name: "uuidv4", arity: 0..=0, body: |_| Ok(made(&Piece::NewUuid)) },
    Extra { name: "randomInt", arity: 2..=2, body: random_int },
    Extra { name: "randInt", arity: 2..=2, body: random_int },
    Extra { name: "randomString", arity: 0..=2, body: |args| Ok(made(&Piece::random_text(&integers(args)?)?)) },
    Extra { name: "randAlphaNum", arity: 1..=1, body: |args| random_of(args, LETTERS) },
    Extra { name: "randAlpha", arity: 1..=1, body: |args| random_of(args, &LETTERS[..52]) },
    Extra { name: "randNumeric", arity: 1..=1, body: |args| random_of(args, &LETTERS[52..]) },
    Extra { name: "now", arity: 0..=0, body: |_| Ok(json!(Timestamp::now().as_second())) },
];

fn made(piece: &Piece) -> Value {
    let mut text = String::new();
    piece.append(&mut text, &CallData::new(0, 0, None));
    Value::String(text)
}

fn random_int(args: &[Value]) -> Result<Value, String> {
    let numbers = integers(args)?;
    match Piece::random_int(numbers[0], numbers[1])? {
        Piece::RandomInt(from, to) => Ok(json!(rand::rng().random_range(from..to))),
        other => Ok(made(&other)),
    }
}

fn random_of(args: &[Value], letters: &[u8]) -> Result<Value, String> {
    let length = integers(args)?[0];
    if !(0..=65_536).contains(&length) {
        return Err(format!("the length must be 0 to 65536, got {length}"));
    }
    let mut random = rand::rng();
    Ok(Value::String((0..length).map(|_| char::from(letters[random.random_range(0..letters.len())])).collect()))
}

fn integers(args: &[Value]) -> Result<Vec<i64>, String> {
    args.iter().map(|arg| arg.as_i64().ok_or_else(|| format!("takes whole numbers, got {arg}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRPC: Allowed = Allowed { functions: true, method: true };

    fn names() -> MethodNames {
        MethodNames {
            fully_qualified: "shop.Orders.Place".into(),
            method: "Place".into(),
            service: "Orders".into(),
            input: "Order".into(),
            output: "Receipt".into(),
            client_streaming: false,
            server_streaming: true,
        }
    }

    fn rendered(text: &str) -> Result<String, String> {
        let names = names();
        let call = CallData::new(3, 42, Some(&names));
        CallTemplate::parse("data", text, GRPC, &call)?.render(&call)
    }

    #[test]
    fn names_stand_for_what_the_call_is() {
        for (text, expected) in [
            ("plain } text {", "plain } text {"),
            ("{{.RequestNumber}}/{{ .WorkerID }}", "42/g3"),
            ("{{.FullyQualifiedName}} {{.ServiceName}} {{.MethodName}}", "shop.Orders.Place Orders Place"),
            (
                "{{.InputName}} {{.OutputName}} {{.IsClientStreaming}} {{.IsServerStreaming}}",
                "Order Receipt false true",
            ),
            ("{{ add .RequestNumber 1 }}", "43"),
            ("{{ if .IsServerStreaming }}{{ .MethodName | upper }}{{ end }}", "PLACE"),
            ("{{- .MethodName -}}", "Place"),
            ("{{ randomInt 7 8 }} {{ randAlpha 0 }}{{ randomInt (add 1 1) 3 }}", "7 2"),
        ] {
            assert_eq!(rendered(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn time_and_uuid_are_one_in_a_call_and_a_new_uuid_is_not() {
        let text = rendered("{{.UUID}} {{.UUID}} {{newUUID}} {{ newUUID | lower }}").unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert_eq!(words[0], words[1]);
        assert!(words[1..].windows(2).all(|pair| pair[0] != pair[1]), "{text}");
        for word in words {
            let groups: Vec<&str> = word.split('-').collect();
            assert_eq!(groups.iter().map(|group| group.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
            assert!(groups[2].starts_with('4') && "89ab".contains(&groups[3][..1]), "{word}");
        }
        let text =
            rendered("{{.TimestampUnix}} {{.TimestampUnixMilli}} {{.TimestampUnixNano}} {{.Timestamp}}").unwrap();
        let words: Vec<&str> = text.split(' ').collect();
        assert!(words[2].starts_with(words[1]) && words[1].starts_with(words[0]), "{text}");
        assert_eq!(words[3].parse::<Timestamp>().unwrap().as_second().to_string(), words[0]);
    }

    #[test]
    fn random_texts_have_the_lengths_they_are_asked_for() {
        assert_eq!(rendered("{{randomString 5}}").unwrap().len(), 5);
        assert_eq!(rendered("{{ randomString 5 | upper }}").unwrap().len(), 5);
        assert!((2..=16).contains(&rendered("{{randomString 0}}").unwrap().len()));
        assert!((3..=4).contains(&rendered("{{randomString 3 4}}").unwrap().len()));
        assert!(rendered("{{ randNumeric 4 }}").unwrap().parse::<u32>().is_ok());
    }

    #[test]
    fn what_is_wrong_is_said_before_the_first_call() {
        for (text, message) in [
            ("{{.RequestNumbr}}", "data: a call has no `.RequestNumbr`; did you mean `.RequestNumber`?"),
            ("{{newUuid}}", "data, line 1: function `newUuid` does not exist; did you mean `newUUID`?"),
            ("{{ env \"HOME\" }}", "data, line 1: function `env` is refused: a template may not read the environment"),
            (
                "{{randomInt 5 5}}",
                "data: randomInt 5 5: the second number must be above the first, which it does not include",
            ),
            ("{{ randomInt .MethodName 3 }}", "data: randomInt: takes whole numbers, got \"Place\""),
        ] {
            assert_eq!(rendered(text).unwrap_err(), message, "{text}");
        }
        assert!(rendered("{{ upper .Requst }}").unwrap_err().contains("Requst"));
        assert!(rendered("{{ .RequestNumber").is_err());
    }

    #[test]
    fn without_functions_or_a_method_only_the_rest_is_known() {
        let call = CallData::new(0, 1, None);
        let http = Allowed { functions: true, method: false };
        let error = CallTemplate::parse("payloadStr", "{{.MethodName}}", http, &call).err().unwrap();
        assert!(error.starts_with("payloadStr: a call has no `.MethodName`"), "{error}");
        let bare = Allowed { functions: false, method: true };
        assert!(CallTemplate::parse("data", "{{newUUID}}", bare, &call).is_err());
        assert!(CallTemplate::parse("data", "{{.RequestNumber}}", bare, &call).is_ok());
    }
}
