//! What is compared: one row for each promise about load, with what is sent, who sends it, and what is to be reached.
//! Nothing here runs or prints.

use clap::ValueEnum;

use crate::generator::{End, Generator, Load, Pace};
use crate::reading::{Measure, Reading, ratios};
use crate::server::Kind;

/// A comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Row {
    /// HTTP/1.1 on nginx, 50 connections, as many requests as come
    Http1Nginx,
    /// The same on a server that is not the bottleneck
    Http1Fast,
    /// System calls a request, of the same
    Syscalls,
    /// HTTP/1.1 over TLS 1.3 on nginx, 50 connections
    Tls,
    /// HTTP/2 without TLS on nginx, one connection with 50 streams
    #[value(name = "h2c-1x50")]
    H2cOneBy50,
    /// One connection with 100 streams
    #[value(name = "h2c-1x100")]
    H2cOneBy100,
    /// Ten connections with 10 streams each
    #[value(name = "h2c-10x10")]
    H2cTenBy10,
    /// Unary gRPC calls, one connection with 50 under way
    Grpc,
    /// 2,000 requests a second, as the server sees them
    #[value(name = "pace-2000")]
    Pace2000,
    /// 20,000 requests a second, as the server sees them
    #[value(name = "pace-20000")]
    Pace20000,
    /// 2,000 requests a second on a server that freezes once for half a second
    Frozen,
    /// Memory with 2,000 connections over ten million requests
    Memory,
    /// How 2,000 connections are made, as the server sees it
    Startup,
}

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reach {
    AtLeast(f64),
    AtMost(f64),
}

/// One promise with what was measured of it, a value for each round.
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) values: Vec<f64>,
    pub(crate) reach: Reach,
}

const FREEZE_MILLIS: u64 = 500;
const FROZEN_SECONDS: f64 = 6.0;
const FROZEN_RATE: u32 = 2000;
/// Requests before the freeze: it lies in the run's first half.
const FREEZE_AFTER: u64 = 4000;
/// The 99th percentile of response times when a server freezes for half a second in six: of 12,000 requests the 1,000 that
/// are due during the freeze take up to 500 ms, evenly spread, and 120 of all take longer than 500 · (1 - 120/1000) ms.
const FROZEN_P99_MICROS: f64 = 440_000.0;
const MANY: u32 = 2000;
const LONG: u64 = 10_000_000;

impl Row {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    pub(crate) fn title(self) -> String {
        let help = self.to_possible_value().and_then(|value| value.get_help().map(ToString::to_string));
        help.unwrap_or_default()
    }

    /// What is sent when a run at the greatest rate lasts `seconds`. Runs at a given rate last twice as long.
    pub(crate) fn load(self, seconds: f64) -> Load {
        let max = |server, connections, streams| Load {
            server,
            connections,
            streams,
            pace: Pace::Max,
            end: End::Seconds(seconds),
        };
        let paced = |server, rate, seconds| Load {
            server,
            connections: 50,
            streams: 1,
            pace: Pace::Rate(rate),
            end: End::Seconds(seconds),
        };
        match self {
            Self::Http1Nginx | Self::Syscalls => max(Kind::Nginx, 50, 1),
            Self::Http1Fast => max(Kind::Fast, 50, 1),
            Self::Tls => max(Kind::NginxTls, 50, 1),
            Self::H2cOneBy50 => max(Kind::NginxH2c, 1, 50),
            Self::H2cOneBy100 => max(Kind::NginxH2c, 1, 100),
            Self::H2cTenBy10 => max(Kind::NginxH2c, 10, 10),
            Self::Grpc => max(Kind::Echo, 1, 50),
            Self::Pace2000 => paced(Kind::Watching, 2000, 2.0 * seconds),
            Self::Pace20000 => paced(Kind::Watching, 20_000, 2.0 * seconds),
            Self::Frozen => {
                let server = Kind::Freezing { after: FREEZE_AFTER, millis: FREEZE_MILLIS };
                paced(server, FROZEN_RATE, FROZEN_SECONDS)
            }
            Self::Memory => Load { end: End::Requests(LONG), ..max(Kind::Fast, MANY, 1) },
            Self::Startup => max(Kind::Watching, MANY, 1),
        }
    }

    /// Who sends it, this engine first.
    pub(crate) const fn generators(self) -> &'static [Generator] {
        use Generator::{Engine, Fortio, Ghz, H2load, Hey, Oha, OhaCorrected, Vegeta, Wrk};
        match self {
            Self::Http1Nginx | Self::Http1Fast => &[Engine, Wrk, Fortio, Oha, H2load, Hey],
            Self::Syscalls | Self::Tls => &[Engine, Wrk, Oha, H2load],
            Self::H2cOneBy50 | Self::H2cOneBy100 | Self::H2cTenBy10 => &[Engine, H2load, Oha],
            Self::Grpc => &[Engine, Ghz, H2load],
            Self::Pace2000 | Self::Pace20000 | Self::Frozen => &[Engine, Oha, OhaCorrected, Fortio, Vegeta, Hey],
            Self::Memory => &[Engine],
            Self::Startup => &[Engine, Wrk, Oha, Fortio],
        }
    }

    /// How often it is measured when all others are measured `rounds` times.
    pub(crate) const fn rounds(self, rounds: usize) -> usize {
        match self {
            Self::Memory => 1,
            _ => rounds,
        }
    }

    /// What of each generator is shown.
    pub(crate) const fn measures(self) -> &'static [Measure] {
        match self {
            Self::Syscalls => &[Measure::Syscalls],
            Self::Pace2000 | Self::Pace20000 => &[
                Measure::SeenRate,
                Measure::DeviationP50,
                Measure::DeviationP99,
                Measure::MostIn1Ms,
                Measure::ToldP50,
                Measure::ToldP99,
                Measure::Cpu,
            ],
            Self::Frozen => &[Measure::Requests, Measure::ToldP50, Measure::ToldP99],
            Self::Memory => &[Measure::Requests, Measure::Rate, Measure::EarlyRss, Measure::PeakRss],
            Self::Startup => &[Measure::Accepts, Measure::MostIn10Ms, Measure::AcceptSpan, Measure::PeakRss],
            _ => &[
                Measure::Rate,
                Measure::User,
                Measure::System,
                Measure::Cpu,
                Measure::PeakRss,
                Measure::ToldP50,
                Measure::ToldP99,
            ],
        }
    }

    /// The promises that this row measures.
    pub(crate) fn figures(self, readings: &[Reading]) -> Vec<Figure> {
        use Generator::{Engine, Fortio, Ghz, H2load, Hey, Oha, Wrk};
        let own = |what: &str, measure: &dyn Fn(&Reading) -> Option<f64>, reach| Figure {
            what: what.to_owned(),
            values: readings.iter().filter(|reading| reading.generator == Engine).filter_map(measure).collect(),
            reach,
        };
        let beside = |peer: Generator, what: &str, measure: Measure, reach| Figure {
            what: format!("{what} × {}", peer.name()),
            values: ratios(readings, Engine, peer, measure),
            reach,
        };
        let rate = |peer, reach| beside(peer, "rate", Measure::Rate, Reach::AtLeast(reach));
        match self {
            Self::Http1Nginx => vec![
                rate(Wrk, 1.1),
                rate(Fortio, 1.2),
                rate(Oha, 1.5),
                rate(Hey, 4.0),
                beside(Wrk, "user CPU a request", Measure::User, Reach::AtMost(0.8)),
            ],
            Self::Http1Fast => vec![rate(Wrk, 1.3), rate(Fortio, 1.2), rate(Oha, 1.5), rate(Hey, 4.0)],
            Self::Syscalls => {
                vec![own("system calls a request", &|one| one.measure(Measure::Syscalls), Reach::AtMost(2.2))]
            }
            Self::Tls => vec![rate(Wrk, 0.95)],
            Self::H2cOneBy50 | Self::H2cOneBy100 | Self::H2cTenBy10 => vec![rate(H2load, 1.0), rate(Oha, 1.0)],
            Self::Grpc => vec![
                rate(Ghz, 10.0),
                beside(Ghz, "CPU a call", Measure::CpuEach, Reach::AtMost(0.05)),
                rate(H2load, 0.9),
            ],
            Self::Pace2000 | Self::Pace20000 => {
                let Pace::Rate(wanted) = self.load(1.0).pace else { return Vec::new() };
                let off = |reading: &Reading| {
                    let seen = reading.measure(Measure::SeenRate)?;
                    Some((seen / f64::from(wanted) - 1.0).abs() * 100.0)
                };
                let mut figures = vec![
                    own("rate off by, %", &off, Reach::AtMost(0.05)),
                    own("deviation p50, µs", &|one| one.measure(Measure::DeviationP50), Reach::AtMost(20.0)),
                    own("deviation p99, µs", &|one| one.measure(Measure::DeviationP99), Reach::AtMost(250.0)),
                ];
                if self == Self::Pace2000 {
                    let own_part = |reading: &Reading| Some(reading.outcome.p50? - reading.outcome.service_p50?);
                    figures.push(own("response minus service time, median, µs", &own_part, Reach::AtMost(40.0)));
                }
                figures
            }
            Self::Frozen => {
                let off = |reading: &Reading| Some((reading.outcome.p99? / FROZEN_P99_MICROS - 1.0).abs() * 100.0);
                vec![own("p99 off 440 ms by, %", &off, Reach::AtMost(1.0))]
            }
            Self::Memory => vec![
                own("peak RSS, MB", &|one| one.measure(Measure::PeakRss), Reach::AtMost(10.0 + 0.02 * f64::from(MANY))),
                own("peak RSS × RSS after a tenth of the run", &growth, Reach::AtMost(1.01)),
            ],
            Self::Startup => {
                vec![own(
                    "98 % of connections made within, ms",
                    &|one| one.measure(Measure::AcceptSpan),
                    Reach::AtMost(1000.0),
                )]
            }
        }
    }
}

fn growth(reading: &Reading) -> Option<f64> {
    Some(reading.measure(Measure::PeakRss)? / reading.measure(Measure::EarlyRss)?)
}

impl Reach {
    pub(crate) fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(limit) => value >= limit,
            Self::AtMost(limit) => value <= limit,
        }
    }
}
