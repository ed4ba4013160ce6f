//! An HTTP/1.1 server that is never the bottleneck: one thread answers every request with the same bytes, and keeps the
//! times at which connections and requests arrived. What the times say is the business of `arrivals`.

use std::io::{self, Read as _, Write as _};
use std::time::{Duration, Instant};

use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token, Waker};

/// Lays out like nginx's answer to `return 200`.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nServer: fast/1.22.1\r\nDate: Tue, 24 Nov 2026 20:05:25 GMT\r\n\
    Content-Type: text/plain\r\nContent-Length: 3\r\nConnection: keep-alive\r\n\r\nok\n";
const LISTENER: Token = Token(usize::MAX);
const STOP: Token = Token(usize::MAX - 1);
/// What a request cannot be larger than at once.
const BUFFER: usize = 64 * 1024;

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 4096;

/// One pause of the whole server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Freeze {
    /// It begins when this many requests have arrived.
    pub(crate) after: u64,
    pub(crate) lasts: Duration,
}

/// What arrived when, in nanoseconds since the server started.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) connections: Vec<u64>,
    /// Empty when times are not kept.
    pub(crate) requests: Vec<u64>,
    pub(crate) request_count: u64,
}

pub(crate) struct Fast {
    listener: TcpListener,
    poll: Poll,
    keep_times: bool,
    freeze: Option<Freeze>,
}

struct Connection {
    stream: TcpStream,
    end: HeadEnd,
}

/// How much of an empty line, which ends the head of a request, has been read.
#[derive(Default)]
struct HeadEnd(u8);

impl HeadEnd {
    /// How many heads end in `bytes`.
    fn count(&mut self, bytes: &[u8]) -> u64 {
        let mut ends = 0;
        for byte in bytes {
            self.0 = match (self.0, byte) {
                (0 | 2, b'\r') => self.0 + 1,
                (1, b'\n') => 2,
                (3, b'\n') => {
                    ends += 1;
                    0
                }
                (_, b'\r') => 1,
                _ => 0,
            };
        }
        ends
    }
}

impl Fast {
    /// Listens on a free port.
    pub(crate) fn bind(keep_times: bool, freeze: Option<Freeze>) -> io::Result<Self> {
        let mut listener = TcpListener::bind(([127, 0, 0, 1], 0).into())?;
        // A generator may make all its connections at once.
        rustix::net::listen(&listener, BACKLOG)?;
        let poll = Poll::new()?;
        poll.registry().register(&mut listener, LISTENER, Interest::READABLE)?;
        Ok(Self { listener, poll, keep_times, freeze })
    }

    pub(crate) fn port(&self) -> io::Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// What ends the server when it is woken.
    pub(crate) fn stopper(&self) -> io::Result<Waker> {
        Waker::new(self.poll.registry(), STOP)
    }

    /// Serves until it is stopped.
    pub(crate) fn serve(mut self) -> io::Result<Seen> {
        let start = Instant::now();
        let mut seen = Seen::default();
        if self.keep_times {
            // More than any measured run sends, so that no arrival pays for moving those before it.
            seen.requests.reserve(1 << 20);
        }
        let mut connections: Vec<Option<Connection>> = Vec::new();
        let mut free = Vec::new();
        let mut buffer = vec![0; BUFFER];
        let mut events = Events::with_capacity(1024);
        loop {
            match self.poll.poll(&mut events, None) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            for event in &events {
                match event.token() {
                    STOP => return Ok(seen),
                    LISTENER => {
                        while let Ok((stream, _)) = self.listener.accept() {
                            seen.connections.push(nanos(start));
                            let number = free.pop().unwrap_or_else(|| {
                                connections.push(None);
                                connections.len() - 1
                            });
                            connections[number] = Some(self.admit(stream, number)?);
                        }
                    }
                    Token(number) => {
                        let alive = connections[number]
                            .as_mut()
                            .is_none_or(|connection| answer(connection, &mut buffer, &mut seen, start, &mut self));
                        if !alive {
                            connections[number] = None;
                            free.push(number);
                        }
                    }
                }
            }
        }
    }

    fn admit(&self, mut stream: TcpStream, number: usize) -> io::Result<Connection> {
        stream.set_nodelay(true)?;
        self.poll.registry().register(&mut stream, Token(number), Interest::READABLE)?;
        Ok(Connection { stream, end: HeadEnd::default() })
    }
}

/// Answers what has arrived on a connection; says whether it is still open. A short read leaves nothing behind, and what
/// comes later is told anew.
fn answer(connection: &mut Connection, buffer: &mut [u8], seen: &mut Seen, start: Instant, server: &mut Fast) -> bool {
    loop {
        let length = match connection.stream.read(buffer) {
            Ok(0) => return false,
            Ok(length) => length,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        for _ in 0..connection.end.count(&buffer[..length]) {
            seen.request_count += 1;
            if server.keep_times {
                seen.requests.push(nanos(start));
            }
            if let Some(freeze) = server.freeze.take_if(|freeze| seen.request_count >= freeze.after) {
                std::thread::sleep(freeze.lasts);
            }
            if connection.stream.write_all(ANSWER).is_err() {
                return false;
            }
        }
        if length < buffer.len() {
            return true;
        }
    }
}

fn nanos(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_head_ends_with_an_empty_line_wherever_the_bytes_are_cut() {
        let requests = b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: \r\r\n\r\n";
        for cut in 0..requests.len() {
            let mut end = HeadEnd::default();
            assert_eq!(end.count(&requests[..cut]) + end.count(&requests[cut..]), 2, "cut at {cut}");
        }
    }

    #[test]
    fn requests_are_answered_and_counted_until_the_server_is_stopped() {
        let server = Fast::bind(true, Some(Freeze { after: 2, lasts: Duration::from_millis(1) })).unwrap();
        let (port, stopper) = (server.port().unwrap(), server.stopper().unwrap());
        let serving = std::thread::spawn(move || server.serve());
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        for _ in 0..3 {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
            let mut answer = vec![0; ANSWER.len()];
            stream.read_exact(&mut answer).unwrap();
            assert_eq!(answer, ANSWER);
        }
        stopper.wake().unwrap();
        let seen = serving.join().unwrap().unwrap();
        assert_eq!((seen.connections.len(), seen.requests.len(), seen.request_count), (1, 3, 3));
        assert!(seen.requests[2] - seen.requests[1] >= 1_000_000, "{:?}", seen.requests);
    }
}
