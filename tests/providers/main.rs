//! The task custommetrics with its built-in templates against real databases, which this starts: Prometheus and
//! VictoriaMetrics that scrape an app, and InfluxDB. Needs Debian's packages prometheus, victoria-metrics and influxdb, so
//! only `tests/run` and `cargo test -p iter8-agent --test providers` run it. The other providers are asked in tests/agent,
//! at a server that answers as they do.

mod influxdb;
mod program;
mod prometheus;
mod run;
mod shop;
