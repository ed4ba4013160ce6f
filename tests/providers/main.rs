//! The built-in templates of metric providers against real databases, which this starts: Prometheus and
//! VictoriaMetrics that scrape an app, and InfluxDB. Needs Debian's packages prometheus, victoria-metrics and influxdb, so
//! only `tests/run` and `cargo test -p iter8-agent --test providers` run it. The others
//! are asked at a server that answers as they do.

mod influxdb;
mod program;
mod prometheus;
mod recorded;
mod run;
mod shop;
