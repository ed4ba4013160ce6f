//! The load generators that are compared: what each is called with for a load. What they print is the business of `outcome`.

use std::path::{Path, PathBuf};

use crate::server::Kind;

/// A load generator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Generator {
    /// The engine of this project.
    Engine,
    Wrk,
    H2load,
    Hey,
    Oha,
    /// oha with its correction of latencies, which is off by default.
    OhaCorrected,
    /// Fortio's fast client as Iter8 0.13 called it.
    Fortio,
    /// ghz as Iter8 0.13 called it.
    Ghz,
    Vegeta,
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) server: Kind,
    pub(crate) connections: u32,
    /// Requests under way at a time on each connection.
    pub(crate) streams: u32,
    pub(crate) pace: Pace,
    pub(crate) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// As many as come.
    Max,
    /// Requests a second.
    Rate(u32),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Seconds(f64),
    Requests(u64),
}

impl End {
    pub(crate) fn seconds(self) -> f64 {
        match self {
            Self::Seconds(seconds) => seconds,
            Self::Requests(_) => 0.0,
        }
    }
}

/// Where the programs are.
pub(crate) struct Programs {
    /// The driver of the engine.
    pub(crate) drive: PathBuf,
    /// Those that no Debian package brings.
    pub(crate) peers: PathBuf,
    /// The description of the gRPC server.
    pub(crate) proto: PathBuf,
    /// For files that a generator reads or writes.
    pub(crate) folder: PathBuf,
}

/// Where a server listens.
pub(crate) struct Address<'a> {
    pub(crate) url: &'a str,
    pub(crate) authority: &'a str,
}

const CALL: &str = "bench.Echo/Say";
const MESSAGE: &str = "twenty bytes of text";

impl Generator {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Engine => "this engine",
            Self::Wrk => "wrk",
            Self::H2load => "h2load",
            Self::Hey => "hey",
            Self::Oha => "oha",
            Self::OhaCorrected => "oha --latency-correction",
            Self::Fortio => "Fortio",
            Self::Ghz => "ghz",
            Self::Vegeta => "vegeta",
        }
    }

    /// Where its program is, when it is installed.
    pub(crate) fn program(self, programs: &Programs) -> Option<PathBuf> {
        let in_path = |name: &str| {
            let path = std::env::var_os("PATH")?;
            std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
        };
        let installed = |file: PathBuf| file.is_file().then_some(file);
        match self {
            Self::Engine => installed(programs.drive.clone()),
            Self::Wrk => in_path("wrk"),
            Self::H2load => in_path("h2load"),
            Self::Hey => in_path("hey"),
            Self::Oha | Self::OhaCorrected => installed(programs.peers.join("oha")),
            Self::Fortio => installed(programs.peers.join("fortio")),
            Self::Ghz => installed(programs.peers.join("ghz")),
            Self::Vegeta => installed(programs.peers.join("vegeta")),
        }
    }

    /// What follows the program for a load, separated by blanks; none of them holds one but the message.
    pub(crate) fn words(self, load: &Load, at: &Address<'_>, programs: &Programs) -> Vec<String> {
        let Load { server, connections, streams, pace, end } = *load;
        let (url, seconds) = (at.url, end.seconds());
        let is_http2 = server == Kind::NginxH2c;
        let words = match self {
            Self::Engine => {
                let pace = match pace {
                    Pace::Max => "--closed".to_owned(),
                    Pace::Rate(rate) => format!("--rate {rate}"),
                };
                let end = match end {
                    End::Seconds(seconds) => format!("--seconds {seconds}"),
                    End::Requests(requests) => format!("--requests {requests}"),
                };
                let protocol = match server {
                    Kind::NginxH2c => format!(" --http2 --streams {streams}"),
                    Kind::NginxTls => " --insecure".to_owned(),
                    Kind::Echo => {
                        let file = programs.folder.join("message");
                        format!(" --grpc /{CALL} --message {} --streams {streams}", file.display())
                    }
                    _ => String::new(),
                };
                format!("{url} --connections {connections} {pace} {end}{protocol}")
            }
            Self::Wrk => format!("-t1 -c{connections} -d{}s --latency {url}", seconds.ceil()),
            Self::H2load => {
                let protocol = if streams == 1 { "--h1".to_owned() } else { format!("-m{streams}") };
                match server {
                    Kind::Echo => {
                        let body = programs.folder.join("frame").display().to_string();
                        let type_ = "-H content-type:application/grpc -H te:trailers";
                        format!("-t1 -c{connections} {protocol} -D{} -d {body} {type_} {url}{CALL}", seconds.ceil())
                    }
                    _ => format!("-t1 -c{connections} {protocol} -D{} {url}", seconds.ceil()),
                }
            }
            Self::Hey => {
                let pace = match pace {
                    Pace::Max => String::new(),
                    // Of each of its workers.
                    Pace::Rate(rate) => format!("-q {} ", f64::from(rate) / f64::from(connections)),
                };
                format!("-c {connections} {pace}-z {seconds}s {url}")
            }
            Self::Oha | Self::OhaCorrected => {
                let pace = match (pace, self) {
                    (Pace::Max, _) => String::new(),
                    (Pace::Rate(rate), Self::OhaCorrected) => format!(" -q {rate} --latency-correction"),
                    (Pace::Rate(rate), _) => format!(" -q {rate}"),
                };
                let protocol = match server {
                    Kind::NginxTls => " --insecure".to_owned(),
                    _ if is_http2 => format!(" --http2 -p {streams}"),
                    _ => String::new(),
                };
                format!("--no-tui --output-format json -c {connections} -z {seconds}s{pace}{protocol} {url}")
            }
            Self::Fortio => {
                let rate = match pace {
                    Pace::Max => "-1".to_owned(),
                    Pace::Rate(rate) => rate.to_string(),
                };
                format!("{url} {rate} {connections} {seconds}")
            }
            Self::Ghz => {
                let mut words =
                    vec![at.authority.to_owned(), CALL.replace('/', "."), programs.proto.display().to_string()];
                words.push(format!("{{\"text\":\"{MESSAGE}\"}}"));
                words.extend([connections, connections * streams].map(|number| number.to_string()));
                words.push(seconds.to_string());
                return words;
            }
            Self::Vegeta => {
                let rate = match pace {
                    Pace::Max => 0,
                    Pace::Rate(rate) => rate,
                };
                let [targets, results] = ["targets", "results"].map(|name| programs.folder.join(name));
                let (targets, results) = (targets.display(), results.display());
                format!(
                    "attack -connections={connections} -max-workers={connections} -rate={rate}/1s -duration={seconds}s -targets={targets} -output={results}"
                )
            }
        };
        words.split_whitespace().map(str::to_owned).collect()
    }

    /// Writes the files that `words` names.
    pub(crate) fn prepare(self, at: &Address<'_>, folder: &Path) -> std::io::Result<()> {
        match self {
            Self::Vegeta => std::fs::write(folder.join("targets"), format!("GET {}\n", at.url)),
            Self::Engine => std::fs::write(folder.join("message"), encoded(MESSAGE)),
            // It knows nothing of the prefix of a message.
            Self::H2load => {
                let message = encoded(MESSAGE);
                let prefix = [0, 0, 0, 0, u8::try_from(message.len()).unwrap_or(u8::MAX)];
                std::fs::write(folder.join("frame"), [prefix.as_slice(), &message].concat())
            }
            _ => Ok(()),
        }
    }
}

/// `text` as field 1 of a protobuf message.
fn encoded(text: &str) -> Vec<u8> {
    let mut bytes = vec![10, u8::try_from(text.len()).unwrap_or(u8::MAX)];
    bytes.extend(text.as_bytes());
    bytes
}
