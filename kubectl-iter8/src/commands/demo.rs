//! `demo`: the product in ten seconds: a small app in this process, a real experiment against it, its report. Needs no
//! cluster and no network, and leaves nothing behind.

use clap::Args;
use iter8_core::condition::Condition;
use iter8_core::{ExitCode, Experiment};

use super::assert::summed_up;
use crate::context::Context;
use crate::demo_app::DemoApp;
use crate::error::{CliError, chain};
use crate::local::{Loops, MemoryStore, Ran, run_experiment};
use crate::report::{ReportFormat, Style, render};

/// Run a whole experiment against an app in this process and show its report
#[derive(Args, Debug)]
#[command(after_help = "Examples:
  kubectl iter8 demo

  # Its report as a page
  kubectl iter8 demo -o html > demo.html")]
pub(crate) struct DemoArgs {
    /// Form of the report
    #[arg(short, long, value_enum, default_value_t = ReportFormat::Text)]
    output: ReportFormat,
}

const GROUP: &str = "demo";

pub(crate) async fn run(DemoArgs { output }: DemoArgs, context: &Context) -> Result<ExitCode, CliError> {
    let app = DemoApp::start().await?;
    let printer = &context.printer;
    printer.status(&format!("A small app answers on {}, in about 2 ms.", app.url()));
    printer.status("Sending it 500 requests in 2.5 seconds, and judging three objectives:");
    let spec = spec(&app.url());
    let experiment = Experiment::parse(&spec).map_err(|error| CliError::new(ExitCode::Internal, chain(&error)))?;
    let ran = run_experiment(&experiment, GROUP, 1, Loops::ONE, &MemoryStore::default(), printer).await;
    app.stop().await;
    let Some(Ran { result, .. }) = ran? else { return Ok(ExitCode::Interrupted) };
    let style = Style { width: printer.width(), color: printer.color() };
    let report = render(&result, output, &style);
    printer.data(&report.map_err(|error| CliError::new(ExitCode::Internal, chain(&error)))?)?;
    printer.hint("Next: the same against your own service, for example\n  kubectl iter8 launch --local --set \"tasks={http,assess}\" --set http.url=http://127.0.0.1:8080 \\\n    --set assess.SLOs.upper.http/latency-p95=100\nReports as pages to send around: -o html, of `demo` and of `report`.");
    Ok(summed_up(&[Condition::Completed, Condition::NoFailure, Condition::Slos], &result).code())
}

/// The percentile leaves room for a busy laptop: the demo shows how a verdict looks, it tests no machine.
fn spec(url: &str) -> String {
    format!(
        "apiVersion: iter8.tools/v1
spec:
- task: http
  with: {{url: '{url}', numRequests: 500, qps: 200, connections: 8}}
- task: assess
  with:
    SLOs:
      upper: {{http/error-count: 0, http/latency-p50: 50, http/latency-p99: 500}}
"
    )
}
