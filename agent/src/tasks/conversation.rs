//! Asks a gRPC server something, outside of any load: one stream of a method on a connection of its own, on which each
//! message is answered by one. What the messages mean is the business of whoever asks.

use std::time::Duration;

use bytes::{Buf as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, StatusCode, header};
use iter8_load::grpc::Code;
use iter8_load::{LoadError, Target};
use tokio::task::JoinSet;

/// The most bytes of one answer.
const ANSWER_MAX: usize = 16 * 1024 * 1024;
/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;

/// Why there is no answer. Every sentence names the server.
#[derive(Debug, thiserror::Error)]
pub(super) enum ConversationError {
    /// No connection.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// No answer in time.
    #[error("{target} did not answer within {} s", patience.as_secs_f64())]
    Late { target: String, patience: Duration },
    /// The server does not have the method.
    #[error("{target} does not offer {path}")]
    Unimplemented { target: String, path: String },
    /// The connection or the stream broke off.
    #[error("the conversation with {target} broke off")]
    Broken {
        target: String,
        #[source]
        source: h2::Error,
    },
    /// The call ended with a status of its own.
    #[error("{target} refused {path}: {code}{message}")]
    Refused { target: String, path: String, code: String, message: String },
    /// The answers make no sense.
    #[error("{target} gave an answer to {path} that cannot be used: {what}")]
    Nonsense { target: String, path: String, what: String },
}

/// A stream of a method.
pub(super) struct Conversation {
    target: String,
    path: String,
    stream: h2::SendStream<Bytes>,
    awaited: Option<h2::client::ResponseFuture>,
    body: Option<h2::RecvStream>,
    buffer: BytesMut,
    /// Drives the connection.
    _driver: JoinSet<Result<(), h2::Error>>,
}

impl Conversation {
    /// Connects to `target` and begins a call of the method at `path` (`/package.Service/Method`).
    pub(super) async fn open(target: &Target, path: &str, metadata: &HeaderMap) -> Result<Self, ConversationError> {
        let broken = |source| ConversationError::Broken { target: target.origin(), source };
        let connection = iter8_load::connect(target).await?;
        let (sender, connection) = h2::client::handshake(connection).await.map_err(broken)?;
        let mut driver = JoinSet::new();
        driver.spawn(connection);
        let mut sender = sender.ready().await.map_err(broken)?;
        let mut request = Request::post(format!("{}://{}{path}", target.url.scheme(), target.url.authority()));
        if let Some(headers) = request.headers_mut() {
            headers.extend(metadata.clone());
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
            headers.insert(header::TE, HeaderValue::from_static("trailers"));
        }
        let request = request.body(()).map_err(|error| ConversationError::Nonsense {
            target: target.origin(),
            path: path.to_owned(),
            what: error.to_string(),
        })?;
        let (answer, stream) = sender.send_request(request, false).map_err(broken)?;
        Ok(Self {
            target: target.origin(),
            path: path.to_owned(),
            stream,
            awaited: Some(answer),
            body: None,
            buffer: BytesMut::new(),
            _driver: driver,
        })
    }

    /// Sends a message and waits for its answer.
    pub(super) async fn say(&mut self, message: &[u8]) -> Result<Bytes, ConversationError> {
        self.send(message, false)?;
        self.message().await
    }

    /// Sends the only message of a call, and waits for the only answer and for the call's good end.
    pub(super) async fn ask(mut self, message: &[u8]) -> Result<Bytes, ConversationError> {
        self.send(message, true)?;
        let answer = self.message().await?;
        match self.chunk().await? {
            None => Ok(answer),
            Some(_) => Err(self.nonsense("more than one message".to_owned())),
        }
    }

    fn send(&mut self, message: &[u8], last: bool) -> Result<(), ConversationError> {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        let frame: Vec<u8> = [0].into_iter().chain(length).chain(message.iter().copied()).collect();
        self.stream.send_data(frame.into(), last).map_err(|source| self.broken(source))
    }

    /// The next message of the server.
    async fn message(&mut self) -> Result<Bytes, ConversationError> {
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
            match self.chunk().await? {
                Some(chunk) => self.buffer.extend_from_slice(&chunk),
                None => return Err(self.nonsense("the end of the stream in place of an answer".to_owned())),
            }
        }
    }

    /// The next bytes of the server; None at the good end of the call.
    async fn chunk(&mut self) -> Result<Option<Bytes>, ConversationError> {
        if let Some(awaited) = self.awaited.take() {
            let response = awaited.await.map_err(|source| self.broken(source))?;
            self.fail_on(response.status(), response.headers())?;
            self.body = Some(response.into_parts().1);
        }
        let target = self.target.clone();
        let broken = move |source| ConversationError::Broken { target: target.clone(), source };
        let Some(body) = &mut self.body else { return Err(self.nonsense("no content".to_owned())) };
        if let Some(chunk) = body.data().await {
            let chunk = chunk.map_err(&broken)?;
            body.flow_control().release_capacity(chunk.len()).map_err(broken)?;
            return Ok(Some(chunk));
        }
        let trailers = body.trailers().await.map_err(broken)?.unwrap_or_default();
        self.fail_on(StatusCode::OK, &trailers)?;
        Ok(None)
    }

    /// An answer that ends the call with a status is none.
    fn fail_on(&self, status: StatusCode, headers: &HeaderMap) -> Result<(), ConversationError> {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let unimplemented =
            || ConversationError::Unimplemented { target: self.target.clone(), path: self.path.clone() };
        match (status, text("grpc-status").and_then(|code| code.parse::<i32>().ok())) {
            (StatusCode::OK, None | Some(0)) => Ok(()),
            (StatusCode::OK, Some(code)) if code == i32::from(Code::Unimplemented.number()) => Err(unimplemented()),
            (_, Some(code)) => Err(self.refused(code, text("grpc-message").unwrap_or_default())),
            (StatusCode::NOT_FOUND, None) => Err(unimplemented()),
            (status, None) => Err(self.nonsense(format!("HTTP status {status}"))),
        }
    }

    fn broken(&self, source: h2::Error) -> ConversationError {
        ConversationError::Broken { target: self.target.clone(), source }
    }

    /// The server said no, with the number of a status.
    pub(super) fn refused(&self, code: i32, message: &str) -> ConversationError {
        let known = Code::ALL.into_iter().find(|known| i32::from(known.number()) == code);
        let code = known.map_or_else(|| format!("status {code}"), |known| known.name().to_owned());
        let message = if message.is_empty() { String::new() } else { format!(" ({message})") };
        ConversationError::Refused { target: self.target.clone(), path: self.path.clone(), code, message }
    }

    /// What the server said is no answer, and why.
    pub(super) fn nonsense(&self, what: String) -> ConversationError {
        ConversationError::Nonsense { target: self.target.clone(), path: self.path.clone(), what }
    }
}
