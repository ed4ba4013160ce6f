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

/// How many messages are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Most {
    Any,
    /// More than one is an error.
    One,
    /// Nobody reads any further after as many.
    Enough(u32),
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
    most: Most,
    /// How many are there.
    messages: u32,
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
    /// For messages of at most so many bytes.
    pub(super) const fn new(encoding: Encoding, max: usize, most: Most) -> Self {
        Self { encoding, max, most, messages: 0, prefix: [0; PREFIX], prefixed: 0, missing: 0, unzip: None }
    }

    /// Takes the next bytes.
    pub(super) fn decode(&mut self, mut bytes: &[u8]) -> Result<(), FrameError> {
        while !bytes.is_empty() && !self.has_enough() {
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
                // Flushed, so that an error shows as soon as it is known, wherever the bytes are cut.
                let written = unzip.write_all(&bytes[..taken]).and_then(|()| unzip.flush());
                written.map_err(|error| self.not_gzip(&error))?;
            }
            self.missing -= taken;
            bytes = &bytes[taken..];
            if self.missing == 0 {
                self.end()?;
            }
        }
        Ok(())
    }

    /// How many messages are there.
    pub(super) const fn messages(&self) -> u32 {
        self.messages
    }

    pub(super) fn has_enough(&self) -> bool {
        self.most == Most::Enough(self.messages)
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
        if let Some(Err(error)) = self.unzip.take().map(|unzip| unzip.finish()) {
            return Err(self.not_gzip(&error));
        }
        self.messages = self.messages.saturating_add(1);
        if self.most == Most::One && self.messages > 1 {
            let reason = "more than one message came back".to_owned();
            // Response cardinality violation (doc/statuscodes.md).
            return Err(FrameError { code: Code::Unimplemented, reason });
        }
        Ok(())
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

#[cfg(test)]
mod fuzz {
    use flate2::read::MultiGzDecoder as Reader;
    use proptest::prelude::*;

    use super::*;
    use crate::fuzz::{cut, fuzz};

    const MAX: usize = 1_000;

    /// What comes of bytes in these pieces: how many messages, and the error, or whether no message is begun.
    fn read(pieces: &[&[u8]], encoding: Encoding, most: Most) -> (u32, Result<bool, FrameError>) {
        let mut decoder = Decoder::new(encoding, MAX, most);
        let read = pieces.iter().try_for_each(|piece| decoder.decode(piece));
        (decoder.messages(), read.map(|()| decoder.is_between()))
    }

    /// The same by slices of the whole.
    fn expected(mut bytes: &[u8], encoding: Encoding) -> (u32, Result<bool, Code>) {
        let mut messages = 0;
        loop {
            let [flag, length @ ..] = match bytes.first_chunk::<PREFIX>() {
                Some(prefix) => *prefix,
                None => return (messages, Ok(bytes.is_empty())),
            };
            let length = u32::from_be_bytes(length) as usize;
            if length > MAX {
                return (messages, Err(Code::ResourceExhausted));
            }
            if flag > 1 || (flag == 1 && encoding != Encoding::Gzip) {
                return (messages, Err(Code::Internal));
            }
            let Some(message) = bytes.get(PREFIX..PREFIX + length) else { return (messages, Ok(false)) };
            if flag == 1 {
                let mut content = Vec::new();
                match io::copy(&mut io::Read::take(Reader::new(message), MAX as u64 + 1), &mut content) {
                    Ok(length) if length > MAX as u64 => return (messages, Err(Code::ResourceExhausted)),
                    Ok(_) => {}
                    Err(_) => return (messages, Err(Code::Internal)),
                }
            }
            messages += 1;
            bytes = &bytes[PREFIX + length..];
        }
    }

    #[test]
    fn bytes_that_nobody_thought_of_are_read_the_same_however_they_are_cut() {
        let zipped = frame(&Bytes::from_static(b"zipped"), true, MAX).unwrap();
        let words: [&[u8]; 6] =
            [&[0, 0, 0, 0, 0], &[0, 0, 0, 0, 1, 9], &[1, 0, 0, 0, 0], &zipped, &zipped[PREFIX..], &[0xff; 4]];
        fuzz("grpc", &words, |input| {
            for encoding in [Encoding::Identity, Encoding::Gzip, Encoding::Other] {
                let (messages, ended) = read(&[input], encoding, Most::Any);
                for seed in 0..3 {
                    for most in [Most::Any, Most::One, Most::Enough(2)] {
                        assert_eq!(
                            read(&cut(input, seed), encoding, most),
                            read(&[input], encoding, most),
                            "{encoding:?}"
                        );
                    }
                }
                let ended = ended.map_err(|error| error.code);
                let expected = expected(input, encoding);
                // What is wrong with a gzip may be known before all of it is there.
                let is_early = ended.is_err() && expected == (messages, Ok(false));
                assert!((messages, ended) == expected || is_early, "{encoding:?}: {ended:?}, not {expected:?}");
            }
        });
    }

    proptest! {
        #[test]
        fn what_is_framed_is_read(messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..MAX), 0..6), gzip: bool, seed: u64) {
            let framed: Vec<Bytes> = messages.iter().map(|message| frame(&Bytes::from(message.clone()), gzip, 2 * MAX).unwrap()).collect();
            prop_assume!(framed.iter().all(|message| message.len() <= MAX + PREFIX));
            let all = framed.concat();
            let encoding = if gzip { Encoding::Gzip } else { Encoding::Identity };
            let count = messages.len() as u32;
            prop_assert_eq!(read(&cut(&all, seed), encoding, Most::Any), (count, Ok(true)));
            if let Some(last) = framed.last() {
                let (most, is_whole) = read(&cut(&all[..all.len() - 1], seed), encoding, Most::Any);
                prop_assert_eq!((most, is_whole), (count - 1, Ok(false)), "{:?}", last);
            }
        }
    }
}
