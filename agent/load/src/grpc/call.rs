//! One method of a service, and how it is called.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;

/// One method of a service, and how it is called. Every call carries the plan's timeout as its deadline.
#[derive(Clone, Debug)]
pub struct Call {
    /// `/package.Service/Method`.
    pub path: String,
    /// Which side sends how many messages.
    pub kind: Kind,
    /// What is sent.
    pub messages: Messages,
    /// Compress what is sent with gzip. What is received in gzip is always understood.
    pub gzip: bool,
    /// The most bytes that a message which is received may have; a larger one ends the call with `RESOURCE_EXHAUSTED`.
    pub max_receive: usize,
    /// The most bytes that a message which is sent may have, as it travels; a larger one ends the call with
    /// `RESOURCE_EXHAUSTED` before it is sent.
    pub max_send: usize,
    /// When streams end.
    pub stream: StreamRule,
}

/// Which side sends how many messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One there, one back.
    Unary,
    /// Any number there, one back.
    ClientStream,
    /// One there, any number back.
    ServerStream,
    /// Any number each way, at the same time.
    Bidi,
}

/// What is sent: encoded messages, without the five bytes that precede each on the wire.
#[derive(Clone)]
pub enum Messages {
    /// The same for all calls. Where a call sends one message, request n sends the message n modulo their number; where it
    /// sends a stream, each call sends all of them in order.
    Fixed(Arc<[Bytes]>),
    /// Made for each call, as late as possible. An error, in words, ends the call with `INTERNAL` before it is sent.
    Made(Arc<Make>),
}

/// Makes what one call sends.
pub type Make = dyn Fn(&CallNumber) -> Result<MadeCall, String> + Send + Sync;

/// What is made for one call.
#[derive(Clone, Debug, Default)]
pub struct MadeCall {
    /// What is sent: the first where a call sends one message, all in order where it sends a stream.
    pub messages: Vec<Bytes>,
    /// Sent beside the target's headers.
    pub metadata: HeaderMap,
}

/// Which call of a load it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallNumber {
    /// Which of those that send one call at a time, from 0.
    pub worker: usize,
    /// How many calls of the load come before it. No two calls have the same number; those of a closed load by duration may
    /// leave some out, because workers do not wait for each other.
    pub request: u64,
}

/// When streams end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StreamRule {
    /// How long to wait between two messages that are sent.
    pub interval: Duration,
    /// After this time no further message is sent, and a stream that only the server sends is ended.
    pub call_duration: Option<Duration>,
    /// How many messages are sent, beginning again with the first when there are fewer; after as many a stream that only the
    /// server sends is ended. 0: each message once, and whatever the server sends.
    pub call_count: u32,
}

impl Call {
    /// The most bytes of a message that is received if nothing else is said, as in other implementations of gRPC.
    pub const MAX_RECEIVE: usize = 4 * 1024 * 1024;
    /// The most bytes of a message that is sent if nothing else is said: what its length field can say.
    pub const MAX_SEND: usize = u32::MAX as usize;

    /// A call of a method, with what other implementations of gRPC take when nothing else is said.
    pub fn new(path: impl Into<String>, kind: Kind, messages: Messages) -> Self {
        Self {
            path: path.into(),
            kind,
            messages,
            gzip: false,
            max_receive: Self::MAX_RECEIVE,
            max_send: Self::MAX_SEND,
            stream: StreamRule::default(),
        }
    }
}

impl Kind {
    /// Whether the client sends any number of messages.
    pub const fn is_client_stream(self) -> bool {
        matches!(self, Self::ClientStream | Self::Bidi)
    }

    /// Whether the server sends any number of messages.
    pub const fn is_server_stream(self) -> bool {
        matches!(self, Self::ServerStream | Self::Bidi)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(messages) => write!(f, "Fixed({})", messages.len()),
            Self::Made(_) => f.write_str("Made"),
        }
    }
}
