//! Reads HTTP/1 responses from bytes as they come, however they are cut. Pure: no socket, no clock. Which bytes come from
//! where, and what they mean for a load, is not its business.
//!
//! Rules: RFC 9112 (message framing, section 6.3; chunked coding, section 7.1; persistence, section 9.3) and RFC 9110
//! (interim responses, section 15.2; responses without content, section 6.4.1).

use crate::redirect;
use std::mem::MaybeUninit;

/// The most bytes of a status line with its headers, or of trailers.
const HEAD_MAX: usize = 64 * 1024;
/// The most headers of a response.
const HEADERS_MAX: usize = 128;
/// The most bytes of the line with a chunk's size and extensions.
const SIZE_LINE_MAX: usize = 4 * 1024;

/// Why bytes are no response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// The status line or a header is malformed, or there are too many of them.
    #[error("the head of the response is malformed")]
    Head,
    /// The head or the trailers do not end.
    #[error("the head of the response is longer than 64 KiB")]
    TooLong,
    /// Values of Content-Length that are no number, too large, or not the same.
    #[error("the response has a wrong Content-Length")]
    Length,
    /// A chunk's size is no hexadecimal number, or its data do not end where it says.
    #[error("the response has a malformed chunk")]
    Chunk,
    /// The server changed the protocol, which nobody had asked for.
    #[error("the server switched protocols")]
    Switched,
    /// The connection ended before the response had begun.
    #[error("the connection was closed without a response")]
    NoResponse,
    /// The connection ended in the middle of the response.
    #[error("the connection was closed in the middle of the response")]
    Truncated,
}

/// What the head of a response says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The status code.
    pub(crate) status: u16,
    /// Whether another request may follow on the connection once the response has ended.
    pub(crate) keep_alive: bool,
}

/// The reading of one response.
#[derive(Clone, Debug)]
pub(crate) struct Decoder {
    part: Part,
    /// The request was a HEAD, whose response has no content whatever its headers say.
    is_head_request: bool,
    head: Option<Head>,
    /// Of a redirect: where to, as it was written.
    location: Option<Box<str>>,
}

/// The head that was read last. A target's heads are the same for long, to the byte, and comparing one costs a tenth of
/// reading it.
#[derive(Debug, Default)]
pub(crate) struct Familiar {
    bytes: Vec<u8>,
    /// What follows it and what it says, with the kind of request that it was an answer to.
    meaning: Option<(Part, Head, bool)>,
}

/// Longer heads are not remembered: few targets send them, and each new one would be copied.
const FAMILIAR_MAX: usize = 2 * 1024;

/// What comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Head,
    /// This many bytes of content.
    Content(u64),
    /// The line with a chunk's size.
    Size,
    /// This many bytes of a chunk.
    Chunk(u64),
    /// The end of the line after a chunk's bytes.
    ChunkEnd,
    /// Trailers, of which this many bytes have passed.
    Trailers(usize),
    /// Content until the connection ends.
    UntilClose,
    Done,
}

impl Decoder {
    /// A response to a request, which was a HEAD or was not.
    pub(crate) const fn new(is_head_request: bool) -> Self {
        Self { part: Part::Head, is_head_request, head: None, location: None }
    }

    /// The head, once it has been read.
    pub(crate) const fn head(&self) -> Option<Head> {
        self.head
    }

    /// Where a redirect leads to.
    pub(crate) fn into_location(self) -> Option<Box<str>> {
        self.location
    }

    /// Whether the response has ended.
    pub(crate) fn is_done(&self) -> bool {
        self.part == Part::Done
    }

    /// Reads on and returns how many bytes were taken. The rest has to come again, followed by more, unless the response
    /// has ended: then it belongs to nobody. `content` takes the bytes of the content with the status.
    #[inline]
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        familiar: &mut Familiar,
        content: &mut impl FnMut(u16, &[u8]),
    ) -> Result<usize, DecodeError> {
        let mut taken = 0;
        loop {
            let rest = &input[taken..];
            let step = match self.part {
                Part::Done => None,
                Part::Head => self.recognise(rest, familiar)?,
                Part::Content(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.pass(&rest[..length], content);
                    self.part = if length as u64 == left { Part::Done } else { Part::Content(left - length as u64) };
                    (length > 0 || left == 0).then_some(length)
                }
                Part::UntilClose => {
                    self.pass(rest, content);
                    (!rest.is_empty()).then_some(rest.len())
                }
                Part::Size => match size_line(rest)? {
                    None => None,
                    Some((0, length)) => {
                        self.part = Part::Trailers(0);
                        Some(length)
                    }
                    Some((size, length)) => {
                        self.part = Part::Chunk(size);
                        Some(length)
                    }
                },
                Part::Chunk(left) => {
                    let length = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                    self.pass(&rest[..length], content);
                    self.part = if length as u64 == left { Part::ChunkEnd } else { Part::Chunk(left - length as u64) };
                    (length > 0).then_some(length)
                }
                Part::ChunkEnd => match rest {
                    [b'\r', b'\n', ..] => {
                        self.part = Part::Size;
                        Some(2)
                    }
                    [] | [b'\r'] => None,
                    _ => return Err(DecodeError::Chunk),
                },
                Part::Trailers(passed) => match line(rest) {
                    Some(b"") => {
                        self.part = Part::Done;
                        Some(2)
                    }
                    Some(trailer) => {
                        let passed = passed + trailer.len() + 2;
                        if passed > HEAD_MAX {
                            return Err(DecodeError::TooLong);
                        }
                        self.part = Part::Trailers(passed);
                        Some(trailer.len() + 2)
                    }
                    None if passed + rest.len() > HEAD_MAX => return Err(DecodeError::TooLong),
                    None => None,
                },
            };
            match step {
                Some(length) => taken += length,
                None => return Ok(taken),
            }
        }
    }

    /// Takes note that the connection has ended; `pending` bytes had not been taken.
    pub(crate) fn end(&mut self, pending: usize) -> Result<(), DecodeError> {
        match self.part {
            Part::Done => Ok(()),
            Part::UntilClose => {
                self.part = Part::Done;
                Ok(())
            }
            Part::Head if self.head.is_none() && pending == 0 => Err(DecodeError::NoResponse),
            _ => Err(DecodeError::Truncated),
        }
    }

    fn pass(&self, bytes: &[u8], content: &mut impl FnMut(u16, &[u8])) {
        if let Some(head) = self.head.filter(|_| !bytes.is_empty()) {
            content(head.status, bytes);
        }
    }

    /// Reads the head like [`Self::read_head`], unless it is familiar.
    #[inline]
    fn recognise(&mut self, input: &[u8], familiar: &mut Familiar) -> Result<Option<usize>, DecodeError> {
        if let Some((part, head, is_head_request)) = familiar.meaning
            && is_head_request == self.is_head_request
            && input.starts_with(&familiar.bytes)
        {
            (self.part, self.head) = (part, Some(head));
            return Ok(Some(familiar.bytes.len()));
        }
        let length = self.read_head(input)?;
        // Where a redirect leads to is read each time.
        if let (Some(length @ ..=FAMILIAR_MAX), Some(head), None) = (length, self.head, &self.location) {
            familiar.bytes.clear();
            familiar.bytes.extend_from_slice(&input[..length]);
            familiar.meaning = Some((self.part, head, self.is_head_request));
        }
        Ok(length)
    }

    /// Reads the head if it is whole, and goes on to what follows it. Interim responses are passed over.
    fn read_head(&mut self, input: &[u8]) -> Result<Option<usize>, DecodeError> {
        let mut headers = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut response = httparse::Response::new(&mut []);
        let parsed =
            httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, input, &mut headers);
        let length = match parsed {
            Ok(httparse::Status::Complete(length)) if length <= HEAD_MAX => length,
            Ok(httparse::Status::Partial) if input.len() <= HEAD_MAX => return Ok(None),
            Ok(_) => return Err(DecodeError::TooLong),
            Err(_) => return Err(DecodeError::Head),
        };
        let status = response.code.ok_or(DecodeError::Head)?;
        match status {
            // There is no such class (RFC 9110, section 15).
            0..=99 => return Err(DecodeError::Head),
            101 => return Err(DecodeError::Switched),
            100..=199 => return Ok(Some(length)),
            _ => {}
        }
        if redirect::is_redirect(status) {
            let location = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("location"));
            self.location = location.and_then(|header| std::str::from_utf8(header.value).ok()).map(Into::into);
        }
        let framing = Framing::of(response.headers);
        let default = response.version == Some(1);
        let is_bare = self.is_head_request || matches!(status, 204 | 304);
        self.part = match framing {
            _ if is_bare => Part::Done,
            Framing { coding: Some(Coding::Chunked), .. } => Part::Size,
            Framing { coding: Some(Coding::Other), .. } => Part::UntilClose,
            Framing { length: Length::Wrong, .. } => return Err(DecodeError::Length),
            Framing { length: Length::Of(0), .. } => Part::Done,
            Framing { length: Length::Of(length), .. } => Part::Content(length),
            Framing { length: Length::Unsaid, .. } => Part::UntilClose,
        };
        // With both length and coding, or a coding that the version does not know, the message may be an attack on whoever
        // stands between; RFC 9112, section 6.1, has the connection closed after it.
        let is_ambiguous = framing.coding.is_some() && (framing.length != Length::Unsaid || !default);
        let keep_alive = framing.persistence.unwrap_or(default) && self.part != Part::UntilClose && !is_ambiguous;
        self.head = Some(Head { status, keep_alive });
        Ok(Some(length))
    }
}

/// What headers say about where a response ends.
#[derive(Clone, Copy, Debug, Default)]
struct Framing {
    length: Length,
    coding: Option<Coding>,
    /// What Connection says about keeping the connection.
    persistence: Option<bool>,
}

/// What Content-Length says. A wrong one does no harm where the response ends by another rule (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Unsaid,
    Of(u64),
    /// No number, too large, or not always the same.
    Wrong,
}

/// The last transfer coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl Framing {
    #[inline]
    fn of(headers: &[httparse::Header<'_>]) -> Self {
        let mut framing = Self::default();
        for header in headers {
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    for value in header.value.split(|byte| *byte == b',') {
                        let length = number(value.trim_ascii()).map_or(Length::Wrong, Length::Of);
                        let is_first = framing.length == Length::Unsaid;
                        framing.length = if is_first || framing.length == length { length } else { Length::Wrong };
                    }
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    let last = header.value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii();
                    let is_chunked = last.eq_ignore_ascii_case(b"chunked");
                    framing.coding = Some(if is_chunked { Coding::Chunked } else { Coding::Other });
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for token in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        if token.eq_ignore_ascii_case(b"close") {
                            framing.persistence = Some(false);
                        } else if token.eq_ignore_ascii_case(b"keep-alive") && framing.persistence.is_none() {
                            framing.persistence = Some(true);
                        }
                    }
                }
                _ => {}
            }
        }
        framing
    }
}

/// A decimal number, digits only.
#[inline]
fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() {
        return None;
    }
    text.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// Size of a chunk and length of its line, if that is whole.
fn size_line(input: &[u8]) -> Result<Option<(u64, usize)>, DecodeError> {
    let Some(line) = line(&input[..input.len().min(SIZE_LINE_MAX)]) else {
        return if input.len() < SIZE_LINE_MAX { Ok(None) } else { Err(DecodeError::Chunk) };
    };
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii_end();
    // To whom a line feed ends a line, what follows this one is a chunk.
    if digits.is_empty() || line.contains(&b'\n') {
        return Err(DecodeError::Chunk);
    }
    let size = digits
        .iter()
        .try_fold(0u64, |size, byte| size.checked_mul(16)?.checked_add(u64::from(char::from(*byte).to_digit(16)?)));
    Ok(Some((size.ok_or(DecodeError::Chunk)?, line.len() + 2)))
}

/// The bytes before the first CRLF.
fn line(input: &[u8]) -> Option<&[u8]> {
    let end = input.windows(2).position(|pair| pair == b"\r\n")?;
    Some(&input[..end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What came of bytes that arrive in the given pieces, after which the connection ends.
    #[derive(Debug, PartialEq)]
    struct Read {
        head: Option<Head>,
        content: Vec<u8>,
        /// Bytes that belong to nobody.
        left: usize,
        outcome: Result<(), DecodeError>,
    }

    fn read_pieces(pieces: &[&[u8]], is_head_request: bool) -> Read {
        read_after(&mut Familiar::default(), pieces, is_head_request)
    }

    fn read_after(familiar: &mut Familiar, pieces: &[&[u8]], is_head_request: bool) -> Read {
        let mut decoder = Decoder::new(is_head_request);
        let (mut pending, mut content) = (Vec::new(), Vec::new());
        let mut outcome = Ok(());
        for piece in pieces {
            pending.extend_from_slice(piece);
            match decoder.decode(&pending, familiar, &mut |_, bytes| content.extend_from_slice(bytes)) {
                Ok(taken) => drop(pending.drain(..taken)),
                Err(error) => {
                    outcome = Err(error);
                    pending.clear();
                    break;
                }
            }
        }
        let outcome = outcome.and_then(|()| decoder.end(pending.len()));
        Read { head: decoder.head(), content, left: pending.len(), outcome }
    }

    fn read(text: &str) -> Read {
        read_pieces(&[text.as_bytes()], false)
    }

    fn good(status: u16, keep_alive: bool, content: &str, left: usize) -> Read {
        Read { head: Some(Head { status, keep_alive }), content: content.into(), left, outcome: Ok(()) }
    }

    #[test]
    fn content_ends_where_its_headers_say() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", good(200, true, "ok", 0)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", good(200, true, "", 0)),
            ("HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\nContent-Length: 2\r\n\r\nok", good(200, true, "ok", 0)),
            ("HTTP/1.1 500 \r\nContent-Length: 1\r\n\r\nx", good(500, true, "x", 0)),
            ("HTTP/1.1 200 OK\r\n\r\nuntil the end", good(200, false, "until the end", 0)),
            ("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", good(204, true, "", 0)),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", good(304, true, "", 0)),
            ("HTTP/1.1 304 Not Modified\r\nContent-Length: 5, 6\r\n\r\n", good(304, true, "", 0)),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nxyz", good(200, false, "xyz", 0)),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP", good(200, true, "ok", 4)),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn chunks_are_joined_and_extensions_and_trailers_passed_over() {
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
        let text = format!("{head}3\r\nabc\r\n00A ; x=\"y\"\r\n0123456789\r\n0\r\nDigest: 1\r\nX: y\r\n\r\n");
        assert_eq!(read(&text), good(200, true, "abc0123456789", 0));
        let (chunk, zeros) = ("1\r\nx\r\n0\r\n\r\n", "0".repeat(30));
        assert_eq!(read(&format!("{head}{zeros}{chunk}")), good(200, true, "x", 0));
        for head in [
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: ?\r\n\r\n",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n",
        ] {
            assert_eq!(read(&format!("{head}{chunk}")), good(200, false, "x", 0));
        }
    }

    #[test]
    fn a_response_to_a_head_request_has_no_content() {
        let text = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
        assert_eq!(read_pieces(&[text], true), good(200, true, "", 0));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        assert_eq!(read_pieces(&[chunked], true), good(200, true, "", 0));
    }

    #[test]
    fn interim_responses_are_passed_over() {
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx";
        assert_eq!(read(text), good(200, true, "x", 0));
        assert_eq!(read("HTTP/1.1 101 Switching Protocols\r\n\r\n").outcome, Err(DecodeError::Switched));
    }

    #[test]
    fn the_connection_is_kept_as_version_and_header_say() {
        for (head, keep_alive) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.1 200 OK\r\nConnection: close\r\n", false),
            ("HTTP/1.1 200 OK\r\nConnection: Upgrade, Close\r\n", false),
            ("HTTP/1.0 200 OK\r\n", false),
            ("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\n", true),
            ("HTTP/1.1 404 Not Found\r\n", true),
        ] {
            let text = format!("{head}Content-Length: 0\r\n\r\n");
            assert_eq!(read(&text).head.map(|head| head.keep_alive), Some(keep_alive), "{head:?}");
        }
    }

    #[test]
    fn what_is_no_response_is_refused_with_the_reason() {
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for (text, error) in [
            ("".to_owned(), DecodeError::NoResponse),
            ("HTT".to_owned(), DecodeError::Truncated),
            ("GET / HTTP/1.1\r\n\r\n".to_owned(), DecodeError::Head),
            ("HTTP/1.1 099 What\r\n\r\n".to_owned(), DecodeError::Head),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc".to_owned(), DecodeError::Truncated),
            ("HTTP/1.1 100 Continue\r\n\r\n".to_owned(), DecodeError::NoResponse),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 6\r\n\r\n".to_owned(), DecodeError::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 5, 6, 6\r\n\r\n".to_owned(), DecodeError::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n".to_owned(), DecodeError::Length),
            ("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n".to_owned(), DecodeError::Length),
            (format!("{chunked}xyz\r\n"), DecodeError::Chunk),
            (format!("{chunked}\r\n"), DecodeError::Chunk),
            (format!("{chunked}1\r\nab\r\n"), DecodeError::Chunk),
            (format!("{chunked}11112222333344445\r\n"), DecodeError::Chunk),
            (format!("{chunked}1;x\nyz\r\n0\r\n\r\n"), DecodeError::Chunk),
            (format!("{chunked}1;{}", "x".repeat(SIZE_LINE_MAX)), DecodeError::Chunk),
            (format!("{chunked}0\r\nX: {}", "x".repeat(HEAD_MAX)), DecodeError::TooLong),
            (format!("{chunked}0\r\n{}", "X: y\r\n".repeat(HEAD_MAX)), DecodeError::TooLong),
            (format!("{chunked}3\r\nab"), DecodeError::Truncated),
            (format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(HEAD_MAX)), DecodeError::TooLong),
            (format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(HEADERS_MAX + 1)), DecodeError::Head),
        ] {
            assert_eq!(read(&text).outcome, Err(error), "{:?}", &text[..text.len().min(80)]);
        }
    }

    /// Responses of every framing, also broken ones.
    fn responses() -> impl Strategy<Value = Vec<u8>> {
        let head = prop::sample::select(vec![
            "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.0 200 OK\r\n\r\n",
        ]);
        let tail = prop::collection::vec(
            prop::sample::select(vec!["0\r\n", "\r\n", "4\r\nabcd\r\n", "X: y\r\n", "abcdefg", "z", "\r", "\n"]),
            0..6,
        );
        (head, tail).prop_map(|(head, tail)| [head.as_bytes(), tail.concat().as_bytes()].concat())
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_cut(bytes in responses(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8)) {
            let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).chain([bytes.len()]).collect();
            ends.sort_unstable();
            let mut start = 0;
            let pieces: Vec<&[u8]> = ends.iter().map(|end| { let piece = &bytes[start..*end]; start = *end; piece }).collect();
            prop_assert_eq!(read_pieces(&pieces, false), read_pieces(&[&bytes], false));
        }

        #[test]
        fn what_was_read_before_does_not_matter(all in prop::collection::vec((responses(), any::<bool>()), 1..6)) {
            let mut familiar = Familiar::default();
            for (bytes, is_head) in all {
                let after = read_after(&mut familiar, &[&bytes], is_head);
                prop_assert_eq!(after, read_pieces(&[&bytes], is_head));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300), is_head in any::<bool>()) {
            let text = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".as_slice(), &bytes].concat();
            for input in [&bytes, &text] {
                let read = read_pieces(&[input], is_head);
                prop_assert!(read.left <= input.len());
            }
        }
    }
}
