//! An HTTP proxy that opens a tunnel for whatever it is asked for, always to the same place, and remembers what it was
//! asked for.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufStream, copy_bidirectional};
use tokio::net::TcpStream;

use crate::loopback::{Port, Service};
use crate::watched::Watched;

/// The proxy, with a thread of its own.
#[derive(Debug)]
pub struct HttpProxy {
    asked: Arc<Watched<Vec<String>>>,
    port: Port,
    _service: Service,
}

impl HttpProxy {
    /// Starts a proxy whose tunnels all lead to `authority`, a host with a port.
    pub fn to(authority: &str) -> Self {
        let asked = Arc::new(Watched::new(Vec::new()));
        let port = Port::reserve();
        let (shared, authority) = (asked.clone(), authority.to_owned());
        let service = port.serve(move |stream| {
            let (asked, authority) = (shared.clone(), authority.clone());
            // However it ends, the client learns of it.
            async move { drop(tunnel(stream, &authority, &asked).await) }
        });
        Self { asked, port, _service: service }
    }

    /// A URL of it.
    pub fn url(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// The hosts with ports that tunnels were asked for, in order.
    pub fn asked(&self) -> Vec<String> {
        self.asked.read(Clone::clone)
    }
}

async fn tunnel(stream: TcpStream, authority: &str, asked: &Watched<Vec<String>>) -> io::Result<()> {
    let mut client = BufStream::new(stream);
    let mut head = String::new();
    while client.read_line(&mut head).await? > 2 {}
    let Some(wanted) = head.strip_prefix("CONNECT ").and_then(|head| head.split(' ').next()) else {
        return client.write_all(b"HTTP/1.1 405 Method Not Allowed\r\n\r\n").await;
    };
    asked.update(|asked| asked.push(wanted.to_owned()));
    let mut server = TcpStream::connect(authority).await?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await?;
    client.flush().await?;
    copy_bidirectional(&mut client, &mut server).await.map(drop)
}
