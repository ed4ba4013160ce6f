//! Takes the readings of a row: round after round, every generator in turn, each on a server of its own.

use std::path::Path;
use std::time::Duration;

use crate::arrivals::{Evenness, Rush};
use crate::cost;
use crate::generator::{Address, End, Generator, Load, Pace, Programs};
use crate::outcome::Outcome;
use crate::reading::Reading;
use crate::rows::Row;
use crate::server::Server;

/// How it is measured.
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) seconds: f64,
    /// Before other programs of the machine.
    pub(crate) urgent: bool,
    pub(crate) programs: Programs,
}

/// What was read, and why something was not.
#[derive(Default)]
pub(crate) struct Readings {
    pub(crate) all: Vec<Reading>,
    pub(crate) notes: Vec<String>,
}

const SERVER_CPU: usize = 0;
const CLIENT_CPU: usize = 1;
/// Beyond the time that a run should take.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a run that is as long as its requests take.
const LONG_PATIENCE: Duration = Duration::from_secs(500);

impl Settings {
    pub(crate) fn read(&self, row: Row) -> Readings {
        let mut readings = Readings::default();
        let load = row.load(self.seconds);
        let (installed, absent): (Vec<Generator>, Vec<Generator>) =
            row.generators().iter().partition(|generator| generator.program(&self.programs).is_some());
        readings.notes.extend(absent.iter().map(|generator| format!("{} is not installed", generator.name())));
        for round in 0..row.rounds(self.rounds) {
            for turn in 0..installed.len() {
                // Nobody is always first, or always behind the same one.
                let generator = installed[(turn + round) % installed.len()];
                match self.run(row, &load, generator, round) {
                    Ok(reading) => {
                        readings.notes.extend(trouble(&reading));
                        readings.all.push(reading);
                    }
                    Err(error) => readings.notes.push(error),
                }
            }
        }
        readings
    }

    fn run(&self, row: Row, load: &Load, generator: Generator, round: usize) -> Result<Reading, String> {
        let folder = self.programs.folder.as_path();
        let told = |error: std::io::Error| error.to_string();
        let server = Server::start(load.server, &self.prefix(load, SERVER_CPU), folder).map_err(told)?;
        let (url, authority) = (server.url(), server.authority());
        let address = Address { url: &url, authority: &authority };
        generator.prepare(&address, folder).map_err(told)?;
        let program = generator.program(&self.programs).ok_or_else(|| format!("{} is gone", generator.name()))?;
        let mut words = self.prefix(load, CLIENT_CPU);
        let summary = folder.join("strace");
        if row == Row::Syscalls {
            words.extend(["strace", "-c", "-f", "-o"].map(str::to_owned));
            words.push(summary.display().to_string());
        }
        words.push(program.display().to_string());
        words.extend(generator.words(load, &address, &self.programs));
        let patience = match load.end {
            End::Seconds(seconds) => Duration::from_secs_f64(seconds) + PATIENCE,
            End::Requests(_) => LONG_PATIENCE,
        };
        let cost = cost::run(&words, folder, patience)?;
        let seen = server.stop().unwrap_or_default();
        let printed = match generator {
            Generator::Vegeta => vegeta_report(&program, folder)?,
            _ => cost.stdout.clone(),
        };
        Ok(Reading {
            generator,
            round,
            outcome: Outcome::read(generator, &printed)?,
            cost,
            evenness: Evenness::from_json(&seen["requests"]),
            rush: Rush::from_json(&seen["connections"]),
            syscalls: std::fs::read_to_string(summary).ok().and_then(|summary| cost::syscalls(&summary)),
        })
    }

    /// What puts a program on a CPU, if there is more than one, and before others, if that is wanted: in real time only a
    /// run that leaves time to others.
    fn prefix(&self, load: &Load, cpu: usize) -> Vec<String> {
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let mut words = Vec::new();
        if cpus > 1 {
            words.extend(["taskset".to_owned(), "-c".to_owned(), cpu.to_string()]);
        }
        let before: &[&str] = match (self.urgent, load.pace) {
            (false, _) => &[],
            (true, Pace::Max) => &["nice", "-n", "-20"],
            (true, Pace::Rate(_)) => &["chrt", "--fifo", "1"],
        };
        words.extend(before.iter().map(|word| (*word).to_owned()));
        words
    }
}

/// What vegeta left of its attack.
fn vegeta_report(program: &Path, folder: &Path) -> Result<String, String> {
    let words = [program.display().to_string(), "report".to_owned(), "-type=json".to_owned()];
    let results = folder.join("results").display().to_string();
    cost::run(&[words.as_slice(), &[results]].concat(), folder, PATIENCE).map(|cost| cost.stdout)
}

/// Why a reading is not worth much.
fn trouble(reading: &Reading) -> Option<String> {
    let Outcome { requests, errors, .. } = reading.outcome;
    let name = reading.generator.name();
    (errors > 0.0 || requests == 0.0)
        .then(|| format!("{name}, round {}: {errors} of {requests} failed", reading.round + 1))
}
