//! Where values are read from: files, standard input, URLs.

use std::io::Read as _;
use std::time::Duration;

/// The most bytes of values from one source.
const BYTES_MAX: u64 = 1024 * 1024;
/// How long a URL may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file, or standard input.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A URL.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// A URL that answered with an error.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// More than any values need.
    #[error("it is larger than 1 MiB")]
    Size,
}

/// Reads a path, `-` or an HTTP URL as text.
pub(super) async fn read(name: &str) -> Result<String, SourceError> {
    if name == "-" {
        return bounded(std::io::stdin().lock());
    }
    if name.starts_with("http://") || name.starts_with("https://") {
        return fetch(name).await;
    }
    bounded(std::fs::File::open(name)?)
}

fn bounded(reader: impl std::io::Read) -> Result<String, SourceError> {
    let mut text = String::new();
    let read = reader.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if read as u64 > BYTES_MAX { Err(SourceError::Size) } else { Ok(text) }
}

async fn fetch(url: &str) -> Result<String, SourceError> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build()?;
    let mut response = client.get(url).send().await?;
    if !response.status().is_success() {
        return Err(SourceError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() as u64 > BYTES_MAX {
            return Err(SourceError::Size);
        }
    }
    String::from_utf8(bytes)
        .map_err(|error| SourceError::File(std::io::Error::new(std::io::ErrorKind::InvalidData, error)))
}
