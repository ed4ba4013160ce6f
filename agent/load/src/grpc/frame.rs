//! Messages on the wire: five bytes that say whether it is compressed and how long it is, then the message
//! (PROTOCOL-HTTP2, "Length-Prefixed-Message"). What is in a message is not its business: it is counted and dropped.

use std::io::{self, Write as _};

use bytes::{BufMut as _, Bytes, BytesMut};
use flate2::Compression;
use flate2::write::{GzEncoder, MultiGzDecoder};

use super::code::Code;

/// The bytes before a message.
const PREFIX: usize = 5;

/// Why no further message can be read or sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FrameError {
    pub(super) code: Code,
    pub(super) reason: String,
}

/// How messages are compressed that say that they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// No way was named, so none may be.
    Identity,
    Gzip,
    /// By a way that was never agreed to.
    Other,
}

/// A message as it is sent.
///
/// # Errors
/// When it has more than `max` bytes on its way.
pub(super) fn frame(message: &Bytes, gzip: bool, max: usize) -> Result<Bytes, FrameError> {
    let mut bytes = BytesMut::with_capacity(PREFIX + message.len());
    bytes.put_u8(u8::from(gzip));
    bytes.put_u32(0);
    if gzip {
        let mut encoder = GzEncoder::new((&mut bytes).writer(), Compression::default());
        let written = encoder.write_all(message).and_then(|()| encoder.finish());
        written.map_err(|error| FrameError { code: Code::Internal, reason: error.to_string() })?;
    } else {
        bytes.put_slice(message);
    }
    let length = bytes.len() - PREFIX;
    let number = u32::try_from(length).ok().filter(|_| length <= max).ok_or_else(|| too_long("sent", length, max))?;
    bytes[1..PREFIX].copy_from_slice(&number.to_be_bytes());
    Ok(bytes.freeze())
}

fn too_long(what: &str, length: usize, max: usize) -> FrameError {
    let reason = format!("a message that is {what} has {length} bytes, at most {max} are allowed");
    FrameError { code: Code::ResourceExhausted, reason }
}

fn internal(reason: impl Into<String>) -> FrameError {
    FrameError { code: Code::Internal, reason: reason.into() }
}

/// Reads messages out of bytes that are cut anywhere.
pub(super) struct Decoder {
    encoding: Encoding,
    max: usize,
    prefix: [u8; PREFIX],
    /// How much of the prefix is there.
    prefixed: usize,
    /// How much of the message is missing, once its prefix is there.
    missing: usize,
    unzip: Option<Box<MultiGzDecoder<Bounded>>>,
}

/// Counts what is written and takes no more than it may.
struct Bounded {
    length: usize,
    max: usize,
}

impl Decoder {
    pub(super) const fn new(encoding: Encoding, max: usize) -> Self {
        Self { encoding, max, prefix: [0; PREFIX], prefixed: 0, missing: 0, unzip: None }
    }

    /// Takes the next bytes and returns how many messages end in them.
    pub(super) fn decode(&mut self, mut bytes: &[u8]) -> Result<u32, FrameError> {
        let mut messages = 0;
        while !bytes.is_empty() {
            if self.prefixed < PREFIX {
                let taken = bytes.len().min(PREFIX - self.prefixed);
                self.prefix[self.prefixed..self.prefixed + taken].copy_from_slice(&bytes[..taken]);
                self.prefixed += taken;
                bytes = &bytes[taken..];
                if self.prefixed < PREFIX {
                    break;
                }
                self.begin()?;
            }
            let taken = bytes.len().min(self.missing);
            if let Some(unzip) = &mut self.unzip {
                unzip.write_all(&bytes[..taken]).map_err(|error| self.not_gzip(&error))?;
            }
            self.missing -= taken;
            bytes = &bytes[taken..];
            if self.missing == 0 {
                self.end()?;
                messages += 1;
            }
        }
        Ok(messages)
    }

    /// Whether nothing of a further message is there.
    pub(super) const fn is_between(&self) -> bool {
        self.prefixed == 0
    }

    fn begin(&mut self) -> Result<(), FrameError> {
        let [flag, length @ ..] = self.prefix;
        self.missing = u32::from_be_bytes(length) as usize;
        if self.missing > self.max {
            return Err(too_long("received", self.missing, self.max));
        }
        self.unzip = match (flag, self.encoding) {
            (0, _) => None,
            (1, Encoding::Gzip) => Some(Box::new(MultiGzDecoder::new(Bounded { length: 0, max: self.max }))),
            (1, Encoding::Identity) => return Err(internal("a message is compressed, but no grpc-encoding says how")),
            (1, Encoding::Other) => return Err(internal("a message is compressed in another way than gzip")),
            (other, _) => return Err(internal(format!("a message begins with {other}, not with 0 or 1"))),
        };
        Ok(())
    }

    fn end(&mut self) -> Result<(), FrameError> {
        self.prefixed = 0;
        match self.unzip.take().map(|unzip| unzip.finish()) {
            None | Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(self.not_gzip(&error)),
        }
    }

    fn not_gzip(&self, error: &io::Error) -> FrameError {
        match error.kind() {
            io::ErrorKind::FileTooLarge => {
                let reason = format!("a message that is received has more than {} bytes", self.max);
                FrameError { code: Code::ResourceExhausted, reason }
            }
            _ => internal(format!("a message is no gzip: {error}")),
        }
    }
}

impl io::Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.length += bytes.len();
        if self.length > self.max { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
