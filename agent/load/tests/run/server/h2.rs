//! An HTTP/2 server on the h2 crate in which a test answers each stream itself, so that a client meets what no gRPC library
//! would send.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::server::{Builder, SendResponse};
use http::{HeaderMap, Request, Response};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A server in which every stream is answered by the same script.
pub(crate) struct Scripted {
    address: SocketAddr,
    connections: Arc<AtomicU64>,
    _tasks: JoinSet<()>,
}

/// How connections behave, apart from their streams.
#[derive(Clone, Debug)]
pub(crate) struct Manners {
    pub(crate) builder: Builder,
    /// Say goodbye after so many streams.
    pub(crate) streams: u64,
    /// Close instead of saying goodbye, once these streams were answered.
    pub(crate) is_rude: bool,
}

/// Long enough for answers to leave.
const REST: Duration = Duration::from_millis(10);

/// One stream.
pub(crate) struct Stream {
    /// How many came before it, on all connections.
    pub(crate) number: u64,
    pub(crate) request: Request<RecvStream>,
    pub(crate) respond: SendResponse<Bytes>,
}

impl Default for Manners {
    fn default() -> Self {
        Self { builder: Builder::new(), streams: u64::MAX, is_rude: false }
    }
}

impl Scripted {
    pub(crate) async fn start<F>(manners: Manners, script: impl Fn(Stream) -> F + Clone + Send + 'static) -> Self
    where
        F: Future<Output = Result<(), h2::Error>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (connections, streams) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let accepted = connections.clone();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                accepted.fetch_add(1, Ordering::SeqCst);
                let (script, streams, manners) = (script.clone(), streams.clone(), manners.clone());
                open.spawn(async move {
                    let Ok(mut connection) = manners.builder.handshake(stream).await else { return };
                    let (mut answers, mut here) = (JoinSet::new(), 0);
                    while let Some(Ok((request, respond))) = connection.accept().await {
                        here += 1;
                        let number = streams.fetch_add(1, Ordering::SeqCst);
                        answers.spawn(script(Stream { number, request, respond }));
                        if here == manners.streams && manners.is_rude {
                            while answers.join_next().await.is_some() {}
                            // What was answered is sent while the next stream is waited for.
                            let _ = tokio::time::timeout(REST, connection.accept()).await;
                            return;
                        }
                        if here == manners.streams {
                            connection.graceful_shutdown();
                        }
                    }
                });
            }
        });
        Self { address, connections, _tasks: tasks }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Stream {
    /// Reads the request to its end.
    pub(crate) async fn read(&mut self) -> Result<(), h2::Error> {
        let body = self.request.body_mut();
        while let Some(data) = body.data().await {
            let length = data?.len();
            body.flow_control().release_capacity(length)?;
        }
        Ok(())
    }

    /// Answers with these fields, content in these pieces, and trailers if there are any.
    pub(crate) async fn answer(
        &mut self,
        status: u16,
        headers: &[(&'static str, &'static str)],
        content: &[&[u8]],
        trailers: Option<&[(&'static str, &'static str)]>,
    ) -> Result<(), h2::Error> {
        self.read().await?;
        let mut head = Response::builder().status(status).body(()).unwrap();
        head.headers_mut().extend(fields(headers));
        let is_head_only = content.is_empty() && trailers.is_none();
        let mut body = self.respond.send_response(head, is_head_only)?;
        for (number, piece) in content.iter().enumerate() {
            body.send_data(Bytes::copy_from_slice(piece), trailers.is_none() && number + 1 == content.len())?;
        }
        if let Some(trailers) = trailers {
            body.send_trailers(fields(trailers))?;
        }
        Ok(())
    }
}

fn fields(named: &[(&'static str, &'static str)]) -> HeaderMap {
    named.iter().map(|(name, value)| (name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap())).collect()
}
