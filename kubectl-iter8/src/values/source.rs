//! Where values are read from: files, standard input, URLs.

use std::io::Read as _;

use iter8_agent::fetch::{FetchError, fetch, is_url};

/// The most bytes of values from one source.
const BYTES_MAX: usize = 1024 * 1024;

/// Why nothing could be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// A file, or standard input.
    #[error(transparent)]
    File(#[from] std::io::Error),
    /// A URL.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// More than any values need.
    #[error("it is larger than {} MiB", BYTES_MAX / 1_048_576)]
    Size,
}

/// Reads a path, `-` or an HTTP URL as text.
pub(super) async fn read(name: &str) -> Result<String, SourceError> {
    if name == "-" {
        return bounded(std::io::stdin().lock());
    }
    if is_url(name) {
        let invalid = |error| std::io::Error::new(std::io::ErrorKind::InvalidData, error);
        return Ok(String::from_utf8(fetch(name, BYTES_MAX).await?.bytes).map_err(invalid)?);
    }
    bounded(std::fs::File::open(name)?)
}

fn bounded(reader: impl std::io::Read) -> Result<String, SourceError> {
    let mut text = String::new();
    let read = reader.take(BYTES_MAX as u64 + 1).read_to_string(&mut text)?;
    if read > BYTES_MAX { Err(SourceError::Size) } else { Ok(text) }
}
