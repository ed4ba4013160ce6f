//! A port of our own on 127.0.0.1, and a thread that serves it: what all fakes stand on. What is served is their business.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a port of our own may be in use by others. Far longer than it ever is.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port that nobody else gets as long as this lives, whether somebody serves it or not. Without a [`Service`]
/// connections to it are refused.
#[derive(Debug)]
pub(crate) struct Port {
    address: SocketAddr,
    /// Bound and never listening: Linux lets a second socket with SO_REUSEADDR listen at the same port, and keeps the
    /// port from all who ask for any.
    _reserved: TcpSocket,
}

/// A thread that serves a port. Dropping it closes the port and all connections.
#[derive(Debug)]
pub(crate) struct Service {
    stop: CancellationToken,
    thread: Option<JoinHandle<()>>,
}

impl Port {
    /// Takes a free port.
    pub(crate) fn reserve() -> Self {
        let socket = bound(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
        let address = socket.local_addr().expect("a bound socket has an address");
        Self { address, _reserved: socket }
    }

    /// Where it is.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves it: `connection` is called for each that comes in. Returns when connections are accepted.
    pub(crate) fn serve<F>(&self, connection: impl Fn(TcpStream) -> F + Send + 'static) -> Service
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let address = self.address;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let (listening, is_listening) = mpsc::channel();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime needs nothing special").block_on(async {
                let listener = bound(address).listen(1024).expect("the port is ours");
                listening.send(()).expect("whoever starts a service waits until it listens");
                let accepting = accept(listener, connection);
                tokio::select! {
                    () = stopped.cancelled() => {}
                    () = accepting => {}
                }
            });
        });
        is_listening.recv().expect("the service listens");
        Service { stop, thread: Some(thread) }
    }
}

async fn accept<F>(listener: TcpListener, connection: impl Fn(TcpStream) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (stream, _) = accepted.expect("the process has files left");
                connections.spawn(connection(stream));
            }
            Some(ended) = connections.join_next() => ended.expect("no connection panics"),
        }
    }
}

fn bound(address: SocketAddr) -> TcpSocket {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let socket = TcpSocket::new_v4().expect("the process has files left");
        socket.set_reuseaddr(true).expect("every TCP socket has this option");
        match socket.bind(address) {
            Ok(()) => return socket,
            // A program that another test starts has our closed sockets too, until it has become that program.
            Err(error) if error.kind() == ErrorKind::AddrInUse && Instant::now() < deadline => {
                thread::sleep(Duration::from_millis(1));
            }
            Err(error) => panic!("the port is ours, or any: {error}"),
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
        let ended = self.thread.take().map(JoinHandle::join);
        if ended.is_some_and(|ended| ended.is_err()) && !thread::panicking() {
            panic!("the service panicked");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    #[test]
    fn a_port_is_refused_unless_it_is_served_and_can_be_served_again() {
        let port = Port::reserve();
        let refused = || TcpStream::connect(port.address()).expect_err("nobody listens").kind();
        assert_eq!(refused(), ErrorKind::ConnectionRefused);
        for _ in 0..2 {
            let service = port.serve(async |_| ());
            TcpStream::connect(port.address()).expect("somebody listens");
            drop(service);
            assert_eq!(refused(), ErrorKind::ConnectionRefused);
        }
    }
}
