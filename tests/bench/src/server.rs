//! The servers under load: nginx with one worker, and the servers of this program. Started on free ports, ended by their
//! own process ids. What they are asked is not its business.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::cost;

/// A kind of server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Nginx,
    /// nginx with TLS 1.3.
    NginxTls,
    /// nginx with HTTP/2 without TLS.
    NginxH2c,
    /// The fast server.
    Fast,
    /// The fast server, which keeps the times of arrivals.
    Watching,
    /// As before, and it freezes once.
    Freezing {
        after: u64,
        millis: u64,
    },
    /// The gRPC server.
    Echo,
}

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(10);

/// A server that runs.
pub(crate) struct Server {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
    port: u16,
    scheme: &'static str,
}

impl Server {
    /// Starts a server behind the words of `prefix`, with its files in `folder`.
    pub(crate) fn start(kind: Kind, prefix: &[String], folder: &Path) -> io::Result<Self> {
        let started = match kind {
            Kind::Nginx => nginx("", "", prefix, folder),
            Kind::NginxTls => nginx(" ssl", TLS, prefix, folder),
            Kind::NginxH2c => nginx(" http2", "", prefix, folder),
            Kind::Fast => own("fast", &[], prefix),
            Kind::Watching => own("fast", &["--watch".to_owned()], prefix),
            Kind::Freezing { after, millis } => {
                let words = ["--watch", "--freeze-after", &after.to_string(), "--freeze-ms", &millis.to_string()];
                own("fast", &words.map(str::to_owned), prefix)
            }
            Kind::Echo => own("echo", &[], prefix),
        };
        started.map_err(|error| io::Error::other(format!("the server {kind:?} does not start: {error}")))
    }

    /// Where it listens, as `address:port`.
    pub(crate) fn authority(&self) -> String {
        format!("{}:{}", Ipv4Addr::LOCALHOST, self.port)
    }

    pub(crate) fn url(&self) -> String {
        format!("{}://{}/", self.scheme, self.authority())
    }

    /// Ends it and takes what it saw, if it is one that tells.
    pub(crate) fn stop(mut self) -> Option<Value> {
        // The end of its input ends a server of this program.
        drop(self.child.stdin.take());
        let mut told = String::new();
        self.stdout.take()?.read_to_string(&mut told).ok()?;
        serde_json::from_str(&told).ok()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        cost::stop(&mut self.child);
    }
}

/// A server of this program. It prints its port, and at the end what it saw.
fn own(name: &str, words: &[String], prefix: &[String]) -> io::Result<Server> {
    let program = std::env::current_exe()?;
    let mut command = behind(prefix, &program.to_string_lossy());
    command.args(["serve", name]).args(words).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let mut server = Server { stdout: child.stdout.take().map(BufReader::new), child, port: 0, scheme: "http" };
    let mut line = String::new();
    if let Some(stdout) = &mut server.stdout {
        stdout.read_line(&mut line)?;
    }
    server.port = line.trim().parse().map_err(|_| io::Error::other("it did not print its port"))?;
    Ok(server)
}

const TLS: &str = "ssl_certificate cert.pem; ssl_certificate_key key.pem; ssl_protocols TLSv1.3;";

fn nginx(listen: &str, server: &str, prefix: &[String], folder: &Path) -> io::Result<Server> {
    if !server.is_empty() {
        certificate(folder)?;
    }
    let port = free_port()?;
    let config = format!(
        "daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;\n\
        worker_rlimit_nofile 10000; events {{ worker_connections 5000; }}\n\
        http {{\n  access_log off; keepalive_requests 1000000000; keepalive_time 1d; default_type text/plain;\n  \
        server {{ listen 127.0.0.1:{port}{listen} backlog=4096; {server} location / {{ return 200 \"ok\\n\"; }} }}\n}}\n",
        folder = folder.display(),
    );
    let path = folder.join("nginx.conf");
    fs::write(&path, config)?;
    let mut command = behind(prefix, "nginx");
    command.arg("-p").arg(folder).arg("-c").arg(&path).stdin(Stdio::null()).stderr(Stdio::null());
    let scheme = if server.is_empty() { "http" } else { "https" };
    let mut server = Server { child: command.spawn()?, stdout: None, port, scheme };
    let begun = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if server.child.try_wait()?.is_some() || begun.elapsed() > PATIENCE {
            let log = fs::read_to_string(folder.join("error.log")).unwrap_or_default();
            return Err(io::Error::other(log.trim().to_owned()));
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    Ok(server)
}

/// A port that was free a moment ago: nginx can be given one, but cannot say which it chose.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Makes a certificate that nobody trusts.
fn certificate(folder: &Path) -> io::Result<()> {
    let words = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
        -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem";
    let output = Command::new("openssl").args(words.split_whitespace()).current_dir(folder).output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.success() { Ok(()) } else { Err(io::Error::other(format!("openssl: {said}"))) }
}

/// `program` with the words of `prefix` in front, each of which becomes the next.
fn behind(prefix: &[String], program: &str) -> Command {
    let Some((first, rest)) = prefix.split_first() else {
        return Command::new(program);
    };
    let mut command = Command::new(first);
    command.args(rest).arg(program);
    command
}
