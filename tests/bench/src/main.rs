//! Measures the load engine beside other generators on this machine, and prints tables. It decides nothing. What is
//! compared stands in `rows`; `tests/bench/load` installs the peers and starts this.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for benchmarks prints tables")]

mod arrivals;
mod bench;
mod cost;
mod echo;
mod fast;
mod generator;
mod outcome;
mod reading;
mod rows;
mod server;
mod table;

use std::io::{self, Read as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum as _};
use serde_json::json;
use tokio::sync::oneshot;

use crate::bench::Settings;
use crate::fast::{Fast, Freeze};
use crate::generator::Programs;
use crate::rows::Row;

/// Compares the load engine with other load generators.
#[derive(Parser)]
struct Command {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Measure and print tables
    Run(Run),
    /// Serve, until the standard input ends; prints the port, and at the end what was seen
    #[command(subcommand)]
    Serve(Serve),
}

#[derive(Args)]
struct Run {
    /// Only this row; may be repeated
    #[arg(long = "only", value_name = "ROW")]
    rows: Vec<Row>,
    /// How often each generator is measured in each row
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// How long a run at the greatest rate lasts; one at a given rate lasts twice as long
    #[arg(long, default_value_t = 3.0)]
    seconds: f64,
    /// Run before other programs of the machine; needs root
    #[arg(long)]
    urgent: bool,
    /// Print every reading as a line of JSON instead of tables
    #[arg(long)]
    json: bool,
    /// The driver of the engine
    #[arg(long)]
    drive: PathBuf,
    /// The folder of the peers that no package brings
    #[arg(long)]
    peers: PathBuf,
    /// The description of the gRPC server
    #[arg(long)]
    proto: PathBuf,
}

#[derive(Subcommand)]
enum Serve {
    /// HTTP/1.1, never the bottleneck
    Fast {
        /// Keep the times of requests
        #[arg(long)]
        watch: bool,
        /// Freeze once, when this many requests have arrived
        #[arg(long, requires = "freeze_ms")]
        freeze_after: Option<u64>,
        /// How long to freeze
        #[arg(long)]
        freeze_ms: Option<u64>,
    },
    /// Unary gRPC
    Echo,
}

fn main() -> ExitCode {
    let done = match Command::parse().action {
        Action::Run(run) => compare(run),
        Action::Serve(Serve::Fast { watch, freeze_after, freeze_ms }) => {
            let freeze = freeze_after.zip(freeze_ms);
            serve_fast(watch, freeze.map(|(after, millis)| Freeze { after, lasts: Duration::from_millis(millis) }))
        }
        Action::Serve(Serve::Echo) => {
            let (stopper, stop) = oneshot::channel();
            let listens = |port| {
                println!("{port}");
                at_end_of_input(move || stopper.send(()).unwrap_or_default());
            };
            echo::serve(listens, stop)
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("iter8-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(run: Run) -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let programs = Programs { drive: run.drive, peers: run.peers, proto: run.proto, folder: folder.path().to_owned() };
    let settings = Settings { rounds: run.rounds, seconds: run.seconds, urgent: run.urgent, programs };
    let rows = if run.rows.is_empty() { Row::value_variants() } else { &run.rows };
    let mut figures = Vec::new();
    for row in rows {
        let readings = settings.read(*row);
        if run.json {
            readings.all.iter().for_each(|reading| println!("{}", reading.to_json(&row.name())));
            readings.notes.iter().for_each(|note| eprintln!("{}: {note}", row.name()));
        } else {
            print!("{}", table::of_row(*row, &readings));
            io::stdout().flush()?;
        }
        figures.extend(row.figures(&readings.all).into_iter().map(|figure| (*row, figure)));
    }
    if !run.json {
        print!("{}", table::of_figures(&figures));
    }
    Ok(())
}

fn serve_fast(keep_times: bool, freeze: Option<Freeze>) -> io::Result<()> {
    let server = Fast::bind(keep_times, freeze)?;
    let stopper = Arc::new(server.stopper()?);
    println!("{}", server.port()?);
    // It stays open in here as well: what is closed at once wakes nobody. When waking fails, the server has ended.
    let waking = stopper.clone();
    at_end_of_input(move || waking.wake().unwrap_or_default());
    let seen = server.serve()?;
    drop(stopper);
    let told = json!({
        "requests": arrivals::evenness(&seen.requests).map(arrivals::Evenness::to_json),
        "connections": arrivals::rush(&seen.connections).to_json(),
        "requestCount": seen.request_count,
    });
    println!("{told}");
    Ok(())
}

fn at_end_of_input(then: impl FnOnce() + Send + 'static) {
    std::thread::spawn(move || {
        // Whatever ends the input, whoever gave it is gone.
        let _ = io::stdin().read_to_end(&mut Vec::new());
        then();
    });
}
