//! The command line: what there is to make, and from what. Tells which files and metadata an image gets; how it is
//! written is layer.rs and oci.rs.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::{Args, Parser, Subcommand};
use serde_json::json;

use crate::agent;
use crate::elf;
use crate::layer::{Content, FileSource};
use crate::oci::Image;
use crate::reference::Reference;
use crate::tar;

/// Neither root nor a user of any node.
const USER: &str = "65532:65532";
const AGENT_PATH: &str = "/iter8-agent";
/// Where Rust's TLS libraries look first, and where Debian's ca-certificates keeps the bundle.
const CA_BUNDLE: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Makes what is shipped.
#[derive(Parser)]
#[command(name = "iter8-dist", version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Writes an image as a reproducible OCI archive and prints its name, digest and sizes as JSON.
    ///
    /// Without --file it is the agent's image: the program, CA certificates and /tmp. SOURCE_DATE_EPOCH sets its time.
    Image(ImageArgs),
}

#[derive(Args)]
struct ImageArgs {
    /// A static iter8-agent to pack, instead of building it.
    #[arg(long, value_name = "PATH")]
    binary: Option<PathBuf>,
    /// Cargo profile to build the agent with.
    #[arg(long, default_value = "dist", conflicts_with_all = ["binary", "file"])]
    profile: String,
    /// Makes another image, of this program (repeatable; every file is executable).
    #[arg(long, value_name = "/PATH=LOCAL", requires_all = ["entrypoint", "tag"], conflicts_with = "binary")]
    file: Vec<FileSource>,
    /// The command of another image: a static program among its files, then arguments (repeatable).
    #[arg(long, value_name = "ARG", requires = "file", allow_hyphen_values = true)]
    entrypoint: Vec<String>,
    /// Name of the image [default: iter8/iter8-agent:VERSION]
    #[arg(long, value_name = "NAME:TAG")]
    tag: Option<Reference>,
    /// The archive to write.
    #[arg(long, value_name = "FILE", default_value = "dist/iter8-agent.tar")]
    output: PathBuf,
    #[arg(long, env = "SOURCE_DATE_EPOCH", default_value_t = 0, hide = true)]
    created: u64,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    #[error(transparent)]
    Agent(#[from] agent::Error),
    #[error(transparent)]
    Tar(#[from] tar::Error),
    #[error("cannot read {0}")]
    Read(PathBuf, #[source] std::io::Error),
    #[error("cannot read {CA_BUNDLE}, which the agent's image needs: install the package ca-certificates")]
    CaBundle(#[source] std::io::Error),
    #[error("entrypoint `{0}` is none of the image's files")]
    Entrypoint(String),
    #[error("`{0}` cannot be the program of an image from scratch")]
    Program(String, #[source] elf::Error),
    #[error("SOURCE_DATE_EPOCH {0} is out of range")]
    Created(u64),
    #[error("cannot write {0}")]
    Write(PathBuf, #[source] std::io::Error),
    #[error("cannot write to stdout")]
    Stdout(#[source] std::io::Error),
}

/// Runs the command; data goes to `stdout`.
///
/// # Errors
/// Something cannot be read, built, packed or written; the message says what.
pub(crate) fn run(cli: Cli, stdout: &mut impl Write) -> Result<(), Error> {
    match cli.command {
        Command::Image(args) => image(args, stdout),
    }
}

fn image(args: ImageArgs, stdout: &mut impl Write) -> Result<(), Error> {
    let created = created_text(args.created)?;
    let reference = args.tag.clone().unwrap_or_else(agent_reference);
    let (content, entrypoint, labels) = if args.file.is_empty() {
        (agent_content(&args)?, vec![AGENT_PATH.to_owned()], agent_labels())
    } else {
        (files_content(&args.file)?, args.entrypoint, Vec::new())
    };

    let program = entrypoint.first().cloned().unwrap_or_default();
    let program_bytes = content.get(&program).ok_or_else(|| Error::Entrypoint(program.clone()))?;
    let architecture = elf::inspect_static(program_bytes).map_err(|source| Error::Program(program, source))?;
    let image = Image {
        reference,
        architecture,
        entrypoint,
        user: USER.to_owned(),
        labels,
        created: args.created,
        created_text: created,
    };
    let layer = content.layer(args.created)?;
    let archive = image.archive(&layer)?;
    write(&args.output, &archive.tar)?;
    let summary = json!({
        "image": image.reference.to_string(),
        "digest": archive.manifest.to_string(),
        "layerBytes": layer.gzip.len(),
        "archive": args.output,
        "archiveBytes": archive.tar.len(),
    });
    writeln!(stdout, "{summary}").map_err(Error::Stdout)
}

fn agent_content(args: &ImageArgs) -> Result<Content, Error> {
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => agent::build_static(workspace(), &args.profile)?,
    };
    let mut content = Content::default();
    content.insert(AGENT_PATH, 0o755, read(&binary)?);
    content.insert(CA_BUNDLE, 0o644, std::fs::read(CA_BUNDLE).map_err(Error::CaBundle)?);
    Ok(content)
}

fn files_content(files: &[FileSource]) -> Result<Content, Error> {
    let mut content = Content::default();
    for file in files {
        content.insert(&file.path, 0o755, read(&file.local)?);
    }
    Ok(content)
}

fn agent_reference() -> Reference {
    let name = concat!("iter8/iter8-agent:", env!("CARGO_PKG_VERSION"));
    name.parse().expect("a package version is a valid tag")
}

/// The keys of the OCI image specification, "Pre-Defined Annotation Keys".
fn agent_labels() -> Vec<(&'static str, String)> {
    vec![
        ("org.opencontainers.image.title", "iter8-agent".to_owned()),
        ("org.opencontainers.image.version", env!("CARGO_PKG_VERSION").to_owned()),
        ("org.opencontainers.image.licenses", "Apache-2.0".to_owned()),
        ("org.opencontainers.image.source", "https://github.com/iter8-tools/iter8".to_owned()),
    ]
}

fn created_text(seconds: u64) -> Result<String, Error> {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map(|created| created.to_string())
        .ok_or(Error::Created(seconds))
}

/// This package is a folder of the workspace it builds from.
fn workspace() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|source| Error::Read(path.to_owned(), source))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    let failed = |source| Error::Write(path.to_owned(), source);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    std::fs::write(path, bytes).map_err(failed)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn declares_a_consistent_command_line() {
        Cli::command().debug_assert();
    }

    #[test]
    fn names_the_agent_by_its_version() {
        let expected = format!("docker.io/iter8/iter8-agent:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!(agent_reference().to_string(), expected);
    }
}
