//! Builds the agent for its image: with cargo, as a static program. Static glibc is for the image only: on a user's
//! machine it would load that machine's name service modules.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The only target of which the standard library comes with the compiler on the machines that make images.
const TARGET: &str = "x86_64-unknown-linux-gnu";

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error("cannot run cargo")]
    Cargo(#[source] std::io::Error),
    #[error("cargo could not build iter8-agent with profile `{0}`")]
    Build(String),
}

/// Builds iter8-agent and returns where the program is.
///
/// # Errors
/// cargo does not run or does not build.
pub(crate) fn build_static(workspace: &Path, profile: &str) -> Result<PathBuf, Error> {
    // crt-static without --target would also reach the procedural macros, which must stay dynamic.
    let target_folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(workspace)
        .args(["build", "--locked", "--package", "iter8-agent", "--target", TARGET, "--profile", profile])
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env("CARGO_TARGET_DIR", &target_folder)
        .status()
        .map_err(Error::Cargo)?;
    if !status.success() {
        return Err(Error::Build(profile.to_owned()));
    }
    let folder = if profile == "dev" { "debug" } else { profile };
    Ok(target_folder.join(TARGET).join(folder).join("iter8-agent"))
}
