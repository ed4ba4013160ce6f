//! What each generator prints of a run, read into one form. Pure; what it was called with stands in `generator`.

use serde_json::Value;

use crate::generator::Generator;

/// What a generator says of its own run.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Requests that ended, well or not.
    pub(crate) requests: f64,
    /// Those that did not end well.
    pub(crate) errors: f64,
    /// How long it sent, in seconds.
    pub(crate) seconds: f64,
    /// Median latency, in microseconds.
    pub(crate) p50: Option<f64>,
    /// 99th percentile of the latencies, in microseconds.
    pub(crate) p99: Option<f64>,
    /// Median time from the actual send to the answer, in microseconds, where it is told apart from the latency.
    pub(crate) service_p50: Option<f64>,
}

impl Outcome {
    /// Reads what `generator` printed.
    ///
    /// # Errors
    /// In words, when it cannot be read.
    pub(crate) fn read(generator: Generator, printed: &str) -> Result<Self, String> {
        let outcome = match generator {
            Generator::Wrk => of_wrk(printed),
            Generator::H2load => of_h2load(printed),
            Generator::Hey => of_hey(printed),
            Generator::Engine => json(printed).and_then(|value| of_engine(&value)),
            Generator::Oha | Generator::OhaCorrected => json(printed).and_then(|value| of_oha(&value)),
            Generator::Fortio => json(printed).and_then(|value| of_fortio(&value)),
            Generator::Ghz => json(printed).and_then(|value| of_ghz(&value)),
            Generator::Vegeta => json(printed).and_then(|value| of_vegeta(&value)),
        };
        outcome.ok_or_else(|| {
            let start: String = printed.trim().chars().take(200).collect();
            format!("what {} printed is not understood: {start}", generator.name())
        })
    }

    pub(crate) fn rate(&self) -> f64 {
        self.requests / self.seconds
    }
}

fn json(text: &str) -> Option<Value> {
    serde_json::from_str(text).ok()
}

/// What stands behind `name` on a line of `text`, up to a blank.
fn after<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(name))?;
    line.split_whitespace().next()
}

/// A time such as `1.02ms`, in microseconds.
fn micros(text: &str) -> Option<f64> {
    let at = text.find(|char: char| char.is_ascii_alphabetic())?;
    let (number, unit) = text.split_at(at);
    let scale = match unit.trim_end_matches(',') {
        "us" => 1.0,
        "ms" => 1e3,
        "s" => 1e6,
        "m" => 60e6,
        _ => return None,
    };
    Some(number.parse::<f64>().ok()? * scale)
}

/// The sum of the counts of an object.
fn sum(counts: &Value) -> f64 {
    counts.as_object().map_or(0.0, |counts| counts.values().filter_map(Value::as_f64).sum())
}

fn of_wrk(text: &str) -> Option<Outcome> {
    let line = text.lines().find(|line| line.contains(" requests in "))?;
    let (requests, rest) = line.trim().split_once(" requests in ")?;
    let failed = after(text, "Non-2xx or 3xx responses:").and_then(|count| count.parse().ok()).unwrap_or(0.0);
    Some(Outcome {
        requests: requests.parse().ok()?,
        errors: failed,
        seconds: micros(rest.split_whitespace().next()?)? / 1e6,
        p50: micros(after(text, "50%")?),
        p99: micros(after(text, "99%")?),
        service_p50: None,
    })
}

fn of_h2load(text: &str) -> Option<Outcome> {
    let seconds = micros(after(text, "finished in ")?)? / 1e6;
    let line = text.lines().find(|line| line.starts_with("requests: "))?;
    let count = |name: &str| {
        let (before, _) = line.split_once(name)?;
        before.split([' ', ',']).rfind(|word| !word.is_empty())?.parse::<f64>().ok()
    };
    Some(Outcome { requests: count(" done")?, errors: count(" failed")?, seconds, ..Outcome::default() })
}

fn of_hey(text: &str) -> Option<Outcome> {
    let seconds: f64 = after(text, "Total:")?.parse().ok()?;
    let rate: f64 = after(text, "Requests/sec:")?.parse().ok()?;
    let answered: f64 = text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("[200]")?.split_whitespace().next()?.parse::<f64>().ok())
        .sum();
    let latency = |name: &str| Some(after(text, name)?.parse::<f64>().ok()? * 1e6);
    let requests = (rate * seconds).round();
    // Above a million it forgets what it does not count.
    let errors = if requests > 1e6 { 0.0 } else { (requests - answered).max(0.0) };
    Some(Outcome { requests, errors, seconds, p50: latency("50% in "), p99: latency("99% in "), service_p50: None })
}

fn of_engine(value: &Value) -> Option<Outcome> {
    let requests = value["completed"].as_f64()?;
    Some(Outcome {
        requests,
        errors: value["errors"].as_f64()?,
        seconds: requests / value["rate"].as_f64()?,
        p50: value["response"]["p50"].as_f64(),
        p99: value["response"]["p99"].as_f64(),
        service_p50: value["service"]["p50"].as_f64(),
    })
}

fn of_oha(value: &Value) -> Option<Outcome> {
    let latency = |name: &str| Some(value["latencyPercentiles"][name].as_f64()? * 1e6);
    let requests = sum(&value["statusCodeDistribution"]);
    let answered = value["statusCodeDistribution"]["200"].as_f64().unwrap_or(0.0);
    // Those under way at the end are no failures: it breaks them off.
    let failed: f64 = value["errorDistribution"].as_object().map_or(0.0, |kinds| {
        kinds.iter().filter(|(kind, _)| !kind.contains("deadline")).filter_map(|(_, count)| count.as_f64()).sum()
    });
    Some(Outcome {
        requests,
        errors: requests - answered + failed,
        seconds: value["summary"]["total"].as_f64()?,
        p50: latency("p50"),
        p99: latency("p99"),
        service_p50: None,
    })
}

fn of_fortio(value: &Value) -> Option<Outcome> {
    let requests = value["DurationHistogram"]["Count"].as_f64()?;
    let percentile = |wanted: f64| {
        let all = value["DurationHistogram"]["Percentiles"].as_array()?;
        let found = all.iter().find(|one| one["Percentile"].as_f64() == Some(wanted))?;
        Some(found["Value"].as_f64()? * 1e6)
    };
    Some(Outcome {
        requests,
        errors: requests - value["RetCodes"]["200"].as_f64().unwrap_or(0.0),
        seconds: value["ActualDuration"].as_f64()? / 1e9,
        p50: percentile(50.0),
        p99: percentile(99.0),
        service_p50: None,
    })
}

fn of_ghz(value: &Value) -> Option<Outcome> {
    let percentile = |wanted: u64| {
        let all = value["latencyDistribution"].as_array()?;
        let found = all.iter().find(|one| one["percentage"].as_u64() == Some(wanted))?;
        Some(found["latency"].as_f64()? / 1e3)
    };
    // Calls under way at the end are broken off by it.
    let broken_off = value["statusCodeDistribution"]["Unavailable"].as_f64().unwrap_or(0.0)
        + value["statusCodeDistribution"]["Canceled"].as_f64().unwrap_or(0.0);
    let requests = value["count"].as_f64()? - broken_off;
    Some(Outcome {
        requests,
        errors: requests - value["statusCodeDistribution"]["OK"].as_f64().unwrap_or(0.0),
        seconds: value["total"].as_f64()? / 1e9,
        p50: percentile(50),
        p99: percentile(99),
        service_p50: None,
    })
}

fn of_vegeta(value: &Value) -> Option<Outcome> {
    let latency = |name: &str| Some(value["latencies"][name].as_f64()? / 1e3);
    let requests = value["requests"].as_f64()?;
    Some(Outcome {
        requests,
        errors: requests - value["status_codes"]["200"].as_f64().unwrap_or(0.0),
        seconds: value["duration"].as_f64()? / 1e9,
        p50: latency("50th"),
        p99: latency("99th"),
        service_p50: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(generator: Generator, printed: &str) -> Outcome {
        Outcome::read(generator, printed).unwrap()
    }

    #[test]
    fn the_tables_of_wrk_h2load_and_hey_are_read() {
        let wrk = "  Latency Distribution\n     50%  320.00us\n     75%    1.01ms\n     99%    7.95ms\n  \
            71210 requests in 1.00s, 10.32MB read\n  Non-2xx or 3xx responses: 3\nRequests/sec:  71185.00\n";
        let expected = Outcome {
            requests: 71210.0,
            errors: 3.0,
            seconds: 1.0,
            p50: Some(320.0),
            p99: Some(7950.0),
            service_p50: None,
        };
        assert_eq!(read(Generator::Wrk, wrk), expected);

        let h2load = "finished in 2.50s, 40000.00 req/s, 4.00MB/s\nrequests: 100050 total, 100000 started, 100000 done, \
            99998 succeeded, 2 failed, 0 errored, 0 timeout\n";
        let expected = Outcome { requests: 100_000.0, errors: 2.0, seconds: 2.5, ..Outcome::default() };
        assert_eq!(read(Generator::H2load, h2load), expected);

        let hey = "Summary:\n  Total:\t2.0000 secs\n  Requests/sec:\t100.0000\n\nLatency distribution:\n  \
            50% in 0.0010 secs\n  99% in 0.0030 secs\n\nStatus code distribution:\n  [200]\t199 responses\n";
        let expected = Outcome {
            requests: 200.0,
            errors: 1.0,
            seconds: 2.0,
            p50: Some(1000.0),
            p99: Some(3000.0),
            service_p50: None,
        };
        assert_eq!(read(Generator::Hey, hey), expected);
    }

    #[test]
    fn the_json_of_the_others_is_read() {
        let expected = Outcome {
            requests: 200.0,
            errors: 1.0,
            seconds: 2.0,
            p50: Some(1000.0),
            p99: Some(3000.0),
            service_p50: None,
        };
        let oha = r#"{"summary":{"total":2.0},"latencyPercentiles":{"p50":0.001,"p99":0.003},
            "statusCodeDistribution":{"200":199,"503":1},"errorDistribution":{"aborted due to deadline":50}}"#;
        assert_eq!(read(Generator::Oha, oha), expected);
        let fortio = r#"{"ActualDuration":2000000000,"RetCodes":{"200":199,"503":1},"DurationHistogram":{"Count":200,
            "Percentiles":[{"Percentile":50,"Value":0.001},{"Percentile":99,"Value":0.003}]}}"#;
        assert_eq!(read(Generator::Fortio, fortio), expected);
        let ghz = r#"{"count":250,"total":2000000000,"statusCodeDistribution":{"OK":199,"Internal":1,"Unavailable":50},
            "latencyDistribution":[{"percentage":50,"latency":1000000},{"percentage":99,"latency":3000000}]}"#;
        assert_eq!(read(Generator::Ghz, ghz), expected);
        let vegeta = r#"{"requests":200,"duration":2000000000,"status_codes":{"200":199,"0":1},
            "latencies":{"50th":1000000,"99th":3000000}}"#;
        assert_eq!(read(Generator::Vegeta, vegeta), expected);
        let engine =
            r#"{"completed":200,"errors":1,"rate":100.0,"response":{"p50":1000,"p99":3000},"service":{"p50":960}}"#;
        assert_eq!(read(Generator::Engine, engine), Outcome { service_p50: Some(960.0), ..expected });
    }

    #[test]
    fn what_is_not_understood_is_told() {
        let error = Outcome::read(Generator::Wrk, "unable to connect").unwrap_err();
        assert_eq!(error, "what wrk printed is not understood: unable to connect");
    }
}
