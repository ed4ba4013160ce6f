//! Fetches the files that inputs name by URL. What is in them is the business of whoever asks.

use std::time::Duration;

use sha2::{Digest as _, Sha256};

/// How long a file may take, from the connection to its last byte.
const PATIENCE: Duration = Duration::from_secs(30);

/// A file as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its content.
    pub bytes: Vec<u8>,
    /// The SHA-256 of its content, as `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// No answer, or none that came to its end in time.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// An answer that is no file: what it says must not be taken for one.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// More than anyone needs.
    #[error("it is larger than {} MiB", .0 / 1_048_576)]
    Size(usize),
}

/// Fetches `url`, of which at most `most` bytes are taken. Redirects are followed, proxies of the environment are used.
///
/// # Errors
/// Says why there is no file, without the URL, which may hold credentials.
pub async fn fetch(url: &str, most: usize) -> Result<Fetched, FetchError> {
    let client = reqwest::Client::builder().timeout(PATIENCE).build().map_err(hidden)?;
    let mut response = client.get(url).send().await.map_err(hidden)?;
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(hidden)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > most {
            return Err(FetchError::Size(most));
        }
    }
    let hex: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(Fetched { bytes, digest: format!("sha256:{hex}") })
}

fn hidden(error: reqwest::Error) -> FetchError {
    FetchError::Request(error.without_url())
}

/// Whether a text is a URL that can be fetched.
pub fn is_url(text: &str) -> bool {
    text.starts_with("http://") || text.starts_with("https://")
}
