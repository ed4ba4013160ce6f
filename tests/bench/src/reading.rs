//! One measured run of one generator, and what can be said of it. How it was run is not its business.

use serde_json::{Value, json};

use crate::arrivals::{Evenness, Rush};
use crate::cost::Cost;
use crate::generator::Generator;
use crate::outcome::Outcome;

/// A run.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) generator: Generator,
    pub(crate) round: usize,
    pub(crate) outcome: Outcome,
    pub(crate) cost: Cost,
    /// How even requests arrived, where the server watched.
    pub(crate) evenness: Option<Evenness>,
    /// How connections arrived, where the server watched.
    pub(crate) rush: Option<Rush>,
    /// System calls of the whole run, where they were counted.
    pub(crate) syscalls: Option<u64>,
}

/// Something that is shown of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Measure {
    Requests,
    Rate,
    User,
    System,
    /// User and system time together.
    CpuEach,
    Cpu,
    Syscalls,
    EarlyRss,
    PeakRss,
    ToldP50,
    ToldP99,
    SeenRate,
    DeviationP50,
    DeviationP99,
    MostIn1Ms,
    Accepts,
    MostIn10Ms,
    AcceptSpan,
}

impl Measure {
    pub(crate) const fn heading(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Rate => "requests/s",
            Self::User => "user CPU a request, µs",
            Self::System => "kernel CPU a request, µs",
            Self::CpuEach => "CPU a request, µs",
            Self::Cpu => "CPU, %",
            Self::Syscalls => "system calls a request",
            Self::EarlyRss => "RSS after a tenth, MB",
            Self::PeakRss => "peak RSS, MB",
            Self::ToldP50 => "told p50, µs",
            Self::ToldP99 => "told p99, µs",
            Self::SeenRate => "rate seen",
            Self::DeviationP50 => "deviation p50, µs",
            Self::DeviationP99 => "deviation p99, µs",
            Self::MostIn1Ms => "most in 1 ms",
            Self::Accepts => "connections",
            Self::MostIn10Ms => "most in 10 ms",
            Self::AcceptSpan => "98 % made within, ms",
        }
    }

    /// How many digits after the point make sense.
    pub(crate) const fn digits(self) -> usize {
        match self {
            Self::User | Self::System | Self::CpuEach | Self::Syscalls => 2,
            Self::EarlyRss | Self::PeakRss | Self::SeenRate => 1,
            _ => 0,
        }
    }
}

impl Reading {
    pub(crate) fn measure(&self, measure: Measure) -> Option<f64> {
        let requests = self.outcome.requests;
        let each = |seconds: f64| (requests > 0.0).then(|| seconds * 1e6 / requests);
        match measure {
            Measure::Requests => Some(requests),
            Measure::Rate => Some(self.outcome.rate()),
            Measure::User => each(self.cost.user),
            Measure::System => each(self.cost.system),
            Measure::CpuEach => each(self.cost.user + self.cost.system),
            Measure::Cpu => Some((self.cost.user + self.cost.system) / self.cost.wall * 100.0),
            Measure::Syscalls => Some(self.syscalls? as f64 / requests),
            Measure::EarlyRss => {
                self.cost.resident.get(self.cost.resident.len() / 10).map(|kilobytes| *kilobytes as f64 / 1e3)
            }
            Measure::PeakRss => Some(self.cost.peak_rss as f64 / 1e3),
            Measure::ToldP50 => self.outcome.p50,
            Measure::ToldP99 => self.outcome.p99,
            Measure::SeenRate => Some(self.evenness?.rate),
            Measure::DeviationP50 => Some(self.evenness?.deviation_p50),
            Measure::DeviationP99 => Some(self.evenness?.deviation_p99),
            Measure::MostIn1Ms => Some(self.evenness?.most_in_1_ms as f64),
            Measure::Accepts => Some(self.rush?.count as f64),
            Measure::MostIn10Ms => Some(self.rush?.most_in_10_ms as f64),
            Measure::AcceptSpan => Some(self.rush?.span_ms as f64),
        }
    }

    pub(crate) fn to_json(&self, row: &str) -> Value {
        json!({
            "row": row,
            "round": self.round,
            "generator": self.generator.name(),
            "requests": self.outcome.requests,
            "errors": self.outcome.errors,
            "seconds": self.outcome.seconds,
            "p50": self.outcome.p50,
            "p99": self.outcome.p99,
            "serviceP50": self.outcome.service_p50,
            "user": self.cost.user,
            "system": self.cost.system,
            "peakRss": self.cost.peak_rss,
            "syscalls": self.syscalls,
            "arrivals": self.evenness.map(Evenness::to_json),
            "connections": self.rush.map(Rush::to_json),
        })
    }
}

/// `measure` of `one` divided by that of `other`, for each round that has both.
pub(crate) fn ratios(readings: &[Reading], one: Generator, other: Generator, measure: Measure) -> Vec<f64> {
    let of = |generator: Generator, round: usize| {
        let found = readings.iter().find(|reading| reading.generator == generator && reading.round == round)?;
        found.measure(measure)
    };
    let rounds = readings.iter().filter(|reading| reading.generator == one).map(|reading| reading.round);
    rounds.filter_map(|round| Some(of(one, round)? / of(other, round)?)).collect()
}

/// The middle of `values`, with the least and the greatest.
pub(crate) fn spread(values: &[f64]) -> Option<(f64, f64, f64)> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let median = if sorted.len() % 2 == 1 {
        *sorted.get(middle)?
    } else {
        f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, sorted[middle])
    };
    Some((median, sorted[0], sorted[sorted.len() - 1]))
}
