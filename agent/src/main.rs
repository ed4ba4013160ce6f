//! The agent's entry point.

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider was installed before");
    iter8_agent::args::Args::parse().run().await.into()
}
