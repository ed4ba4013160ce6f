//! Drives one load from the command line and prints its report as a line of JSON, for benchmarks beside other generators.
//!
//!     drive URL --connections N (--rate R | --closed) (--seconds S | --requests N) [--insecure]
//!         [(--http2 | --grpc METHOD --message FILE) [--streams M]]
//!
//! METHOD is `/package.Service/Method`, of a unary call; FILE holds the encoded message.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a program for benchmarks")]

use std::time::Duration;

use iter8_load::grpc::{Call, Kind, Messages};
use iter8_load::{Arrivals, Histogram, Limit, Plan, Protocol, Schedule, Share, StatusRange, Target, WhenBusy, run};
use tokio_util::sync::CancellationToken;

fn value(words: &[String], name: &str) -> Option<String> {
    let position = words.iter().position(|word| word == name)?;
    words.get(position + 1).cloned()
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    rustls::crypto::ring::default_provider().install_default().expect("there is no other provider");
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: f64| value(&words, name).map_or(default, |text| text.parse().expect("a number"));
    let mut target = Target::get(words.first().expect("a URL").parse().expect("a URL"));
    if words.iter().any(|word| word == "--http2") {
        target.protocol = Protocol::Http2;
    }
    if let Some(method) = value(&words, "--grpc") {
        let file = value(&words, "--message").expect("the file of a message");
        let messages = Messages::Fixed([std::fs::read(file).expect("the message can be read").into()].into());
        target.protocol = Protocol::Grpc(Call::new(method, Kind::Unary, messages));
    }
    target.tls.insecure = words.iter().any(|word| word == "--insecure");
    let schedule = Schedule::Constant { rate: number("--rate", 8.0) };
    let is_closed = words.iter().any(|word| word == "--closed");
    let plan = Plan {
        target,
        arrivals: if is_closed { Arrivals::Closed } else { Arrivals::Open { schedule, when_busy: WhenBusy::Queue } },
        limit: match number("--requests", 0.0) as u64 {
            0 => Limit::Duration(Duration::from_secs_f64(number("--seconds", 5.0))),
            requests => Limit::Requests(requests),
        },
        warmup: None,
        connections: number("--connections", 50.0) as u32,
        streams: number("--streams", 1.0) as u32,
        timeout: Duration::from_secs(5),
        error_ranges: vec![StatusRange { lower: Some(400), upper: None }],
        allow_initial_errors: false,
        turns: None,
        share: Share::WHOLE,
    };
    let report = run(&plan, &CancellationToken::new(), &|_| {}).await.expect("the load can be sent");
    let micros = |histogram: &Histogram, q| histogram.quantile(q).map_or(0, |time| time.as_micros());
    let quantiles = |histogram: &Histogram| {
        let [p50, p99, p999] = [0.5, 0.99, 0.999].map(|q| micros(histogram, q));
        format!("{{\"p50\":{p50},\"p99\":{p99},\"p999\":{p999}}}")
    };
    let responses = report.all_responses();
    println!(
        "{{\"completed\":{},\"errors\":{},\"rate\":{:.1},\"response\":{},\"service\":{},\"lag\":{},\"queue\":{},\"faults\":{}}}",
        report.completed,
        report.error_count(),
        report.completed as f64 / report.elapsed.as_secs_f64(),
        quantiles(&responses),
        quantiles(&report.service),
        quantiles(&report.lag),
        quantiles(&report.queue),
        report.faults.len(),
    );
}
