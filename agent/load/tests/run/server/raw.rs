//! A TCP server that does byte by byte what a test tells it, so that a client meets what no HTTP library would send: pieces
//! cut anywhere, silence, half a response, a reset. What a request says beyond its length is not its business.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A server in which every connection is served by the same script.
pub(crate) struct Raw {
    address: SocketAddr,
    is_tls: bool,
    /// Connections that were accepted.
    pub(crate) connections: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

/// One accepted connection.
pub(crate) struct Peer {
    /// How many were accepted before it.
    pub(crate) number: u64,
    stream: Stream,
    /// What was read beyond the last request.
    read: Vec<u8>,
}

enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    fn tcp(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream.get_ref().0,
        }
    }

    fn both(&mut self) -> &mut (dyn Both + Send + 'static) {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream) => stream,
        }
    }
}

/// What can be read and written.
trait Both: AsyncRead + AsyncWrite + Unpin {}

impl<T: AsyncRead + AsyncWrite + Unpin> Both for T {}

/// Long enough that pieces are mostly read one by one; that they are is not needed for a test to pass.
const BETWEEN_PIECES: Duration = Duration::from_micros(200);

impl Raw {
    /// Serves each connection by `script`, whose end closes it. An error ends it too: mostly that the client has left.
    pub(crate) async fn start<F, S>(script: S) -> Self
    where
        F: Future<Output = io::Result<()>> + Send,
        S: Fn(Peer) -> F + Clone + Send + 'static,
    {
        Self::at("127.0.0.1:0", script).await
    }

    /// Like [`Self::start`] at an address of choice.
    pub(crate) async fn at<F, S>(address: &str, script: S) -> Self
    where
        F: Future<Output = io::Result<()>> + Send,
        S: Fn(Peer) -> F + Clone + Send + 'static,
    {
        Self::serve(address, None, script).await
    }

    /// Like [`Self::start`] over TLS.
    pub(crate) async fn over_tls<F, S>(config: ServerConfig, script: S) -> Self
    where
        F: Future<Output = io::Result<()>> + Send,
        S: Fn(Peer) -> F + Clone + Send + 'static,
    {
        Self::serve("127.0.0.1:0", Some(TlsAcceptor::from(Arc::new(config))), script).await
    }

    async fn serve<F, S>(address: &str, tls: Option<TlsAcceptor>, script: S) -> Self
    where
        F: Future<Output = io::Result<()>> + Send,
        S: Fn(Peer) -> F + Clone + Send + 'static,
    {
        let listener = TcpListener::bind(address).await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_tls = tls.is_some();
        let connections = Arc::new(AtomicU64::new(0));
        let accepted = connections.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).unwrap();
                let number = accepted.fetch_add(1, Ordering::SeqCst);
                let (script, tls) = (script.clone(), tls.clone());
                open.spawn(async move {
                    let stream = match tls {
                        None => Stream::Plain(stream),
                        Some(tls) => Stream::Tls(Box::new(tls.accept(stream).await?)),
                    };
                    script(Peer { number, stream, read: Vec::new() }).await
                });
            }
        });
        Self { address, is_tls, connections, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_tls { "https" } else { "http" };
        format!("{scheme}://{}/", self.address)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Peer {
    /// Reads a request to its end, by its content-length; an error when the client closes instead.
    pub(crate) async fn request(&mut self) -> io::Result<Vec<u8>> {
        let head = self.head().await?;
        let text = String::from_utf8_lossy(&head).to_ascii_lowercase();
        let length = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
        let body = self.bytes(length.unwrap_or(0)).await?;
        Ok([head, body].concat())
    }

    /// Reads the head of a request.
    pub(crate) async fn head(&mut self) -> io::Result<Vec<u8>> {
        loop {
            if let Some(end) = self.read.windows(4).position(|end| end == b"\r\n\r\n") {
                return Ok(self.read.drain(..end + 4).collect());
            }
            self.more().await?;
        }
    }

    /// Reads so many bytes.
    pub(crate) async fn bytes(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    /// Reads at least a byte.
    async fn more(&mut self) -> io::Result<()> {
        match self.stream.both().read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    pub(crate) async fn write(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        let stream = self.stream.both();
        stream.write_all(bytes.as_ref()).await?;
        stream.flush().await
    }

    /// Writes in pieces of so many bytes.
    pub(crate) async fn write_in_pieces(&mut self, bytes: &[u8], length: usize) -> io::Result<()> {
        for piece in bytes.chunks(length) {
            self.write(piece).await?;
            tokio::time::sleep(BETWEEN_PIECES).await;
        }
        Ok(())
    }

    /// Says that nothing more will come, and goes on reading.
    pub(crate) async fn half_close(&mut self) -> io::Result<()> {
        self.stream.both().shutdown().await
    }

    /// Ends the connection by RST.
    pub(crate) fn reset(self) -> io::Result<()> {
        self.stream.tcp().set_zero_linger()
    }

    /// The address that the client connected to.
    pub(crate) fn address(&self) -> io::Result<SocketAddr> {
        self.stream.tcp().local_addr()
    }

    /// Passes on everything to and from another server, until either side ends.
    pub(crate) async fn relay(mut self, to: SocketAddr) -> io::Result<()> {
        let mut other = TcpStream::connect(to).await?;
        tokio::io::copy_bidirectional(self.stream.both(), &mut other).await?;
        Ok(())
    }

    /// Returns when the client has closed, whatever it still sends.
    pub(crate) async fn until_closed(&mut self) -> io::Result<()> {
        loop {
            self.read.clear();
            self.more().await?;
        }
    }
}

/// A response with a length, on a connection that stays.
pub(crate) fn ok(content: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{content}", content.len())
}
