//! Fetches the files that inputs name by URL. What is in them is the business of whoever asks.

use std::time::Duration;

use http::{HeaderMap, header};
use reqwest::redirect::Policy;
use sha2::{Digest as _, Sha256};
use url::Url;

/// How long a file may take, from the connection to its last byte, when nothing else is said.
pub const PATIENCE: Duration = Duration::from_secs(30);
/// The most redirects that lead to a file.
const REDIRECTS_MAX: usize = 10;

/// A file as it was fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its content.
    pub bytes: Vec<u8>,
    /// The SHA-256 of its content, as `sha256:` and 64 hexadecimal digits.
    pub digest: String,
}

/// A file that is wanted.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// Where it is.
    pub url: &'a str,
    /// The most bytes that are taken.
    pub most: usize,
    /// What the request says beside. Another origin gets to know nothing of it.
    pub headers: &'a HeaderMap,
    /// How long it may take, from the connection to its last byte.
    pub patience: Duration,
    /// Whether it may be a page. Else one is what a server shows in place of the file: that one has to log in, for example.
    pub may_be_page: bool,
}

/// Why there is no file.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL.
    #[error("it is not a URL")]
    NoUrl(#[from] url::ParseError),
    /// No answer, or one that breaks off.
    #[error("the request failed")]
    Request(#[from] reqwest::Error),
    /// None that came to its end in time.
    #[error("it did not come within {}", iter8_core::GoDuration(*.0))]
    Late(Duration),
    /// An answer that is no file: what it says must not be taken for one.
    #[error("the server answered {0}")]
    Status(reqwest::StatusCode),
    /// A redirect to nowhere.
    #[error("the server answered {0}, which leads nowhere")]
    Lost(reqwest::StatusCode),
    /// Redirects without end.
    #[error("it was redirected more than {REDIRECTS_MAX} times")]
    Redirected,
    /// A page in place of a file.
    #[error("the server answered with a page (HTML) instead of a file")]
    Page,
    /// More than anyone needs.
    #[error("it is larger than {} MiB", .0 / 1_048_576)]
    Size(usize),
}

/// Fetches `url`, of which at most `most` bytes are taken. Redirects are followed, proxies of the environment are used.
///
/// # Errors
/// Says why there is no file, without the URL, which may hold credentials.
pub async fn fetch(url: &str, most: usize) -> Result<Fetched, FetchError> {
    fetch_as(&Wanted { url, most, headers: &HeaderMap::new(), patience: PATIENCE, may_be_page: true }).await
}

/// Fetches a file as it is wanted.
///
/// # Errors
/// As of [`fetch`].
pub async fn fetch_as(wanted: &Wanted<'_>) -> Result<Fetched, FetchError> {
    let patience = wanted.patience;
    tokio::time::timeout(patience, answer(wanted)).await.unwrap_or(Err(FetchError::Late(patience)))
}

async fn answer(wanted: &Wanted<'_>) -> Result<Fetched, FetchError> {
    let first: Url = wanted.url.parse()?;
    // Redirects are followed here: the client would hand on every header that it does not know.
    let client = reqwest::Client::builder().redirect(Policy::none()).build().map_err(hidden)?;
    let mut url = first.clone();
    let mut response = None;
    for _ in 0..=REDIRECTS_MAX {
        let nothing = HeaderMap::new();
        let headers = if url.origin() == first.origin() { wanted.headers } else { &nothing };
        let got = client.get(url.clone()).headers(headers.clone()).send().await.map_err(hidden)?;
        let place = got.headers().get(header::LOCATION).filter(|_| got.status().is_redirection());
        match place.map(|place| place.to_str().ok().and_then(|place| url.join(place).ok())) {
            None => {
                response = Some(got);
                break;
            }
            Some(Some(next)) if matches!(next.scheme(), "http" | "https") => url = next,
            Some(_) => return Err(FetchError::Lost(got.status())),
        }
    }
    let Some(mut response) = response else { return Err(FetchError::Redirected) };
    if !response.status().is_success() {
        return Err(FetchError::Status(response.status()));
    }
    let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !wanted.may_be_page && kind.to_ascii_lowercase().starts_with("text/html") {
        return Err(FetchError::Page);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(hidden)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > wanted.most {
            return Err(FetchError::Size(wanted.most));
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

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[tokio::test]
    async fn a_server_that_never_answers_is_not_waited_for_without_end() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", silent.local_addr().unwrap());
        let patience = Duration::from_millis(50);
        let wanted = Wanted { url: &url, most: 1, headers: &HeaderMap::new(), patience, may_be_page: true };
        assert_eq!(fetch_as(&wanted).await.unwrap_err().to_string(), "it did not come within 50ms");
    }
}
