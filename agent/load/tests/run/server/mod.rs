//! Servers on loopback for tests: one that behaves well, one that is told byte by byte what to do, and the same two for gRPC.

pub(crate) mod grpc;
pub(crate) mod h2;
pub(crate) mod raw;
pub(crate) mod tls;
pub(crate) mod web;

use tokio::net::TcpSocket;

/// An address at which nobody listens, for as long as the socket holds its port.
pub(crate) fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let url = format!("http://{}/", socket.local_addr().unwrap());
    (socket, url)
}
