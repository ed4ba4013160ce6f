//! The plugin's entry point.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    rustls::crypto::ring::default_provider().install_default().expect("no other provider was installed before");
    kubectl_iter8::main(std::env::args_os().collect()).await.into()
}
