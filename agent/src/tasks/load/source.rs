//! Where the settings of a load come from besides values: files that the agent sees, and URLs.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use http::HeaderMap;
use iter8_core::task::Credential;
use url::Url;

use super::headers::header_map;
use crate::credentials::Credentials;
use crate::fetch::{FetchError, PATIENCE, Wanted, fetch_as};
use crate::redact::shown_url;
use crate::tasks::TaskError;

/// The most bytes of one file.
const MOST: usize = 16 * 1024 * 1024;

/// Why there is no content.
#[derive(Debug, thiserror::Error)]
enum SourceError {
    /// A file.
    #[error("cannot read {}", path.display())]
    File {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    /// A URL that is none.
    #[error("is not a URL")]
    NoUrl(#[source] url::ParseError),
    /// A URL.
    #[error("cannot fetch {url}")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
    /// Content that should be text.
    #[error("is not text (UTF-8)")]
    NoText(#[source] std::string::FromUtf8Error),
}

/// Reads, and remembers what it fetched.
#[derive(Default)]
pub(crate) struct Sources {
    /// Digests by key.
    pub(crate) fetched: BTreeMap<String, String>,
    /// Headers of requests that fetch something.
    headers: HeaderMap,
    /// Whether what is fetched may be a page.
    may_be_page: bool,
}

/// Content with the name it is known by.
pub(crate) struct Content {
    pub(crate) bytes: Vec<u8>,
    /// The file, or the last part of the URL's path.
    pub(crate) name: String,
}

impl Sources {
    /// Fetches with these headers, which stand under `key`.
    pub(crate) fn new(
        key: &'static str,
        headers: &BTreeMap<String, Credential>,
        may_be_page: bool,
        credentials: &Credentials<'_>,
    ) -> Result<Self, TaskError> {
        Ok(Self { fetched: BTreeMap::new(), headers: header_map(key, headers, credentials)?, may_be_page })
    }

    /// What the URL under the first key or the file under the second holds; the URL wins.
    pub(crate) async fn read(
        &mut self,
        url: (&'static str, Option<&str>),
        file: (&'static str, Option<&str>),
    ) -> Result<Option<(&'static str, Content)>, TaskError> {
        match (url, file) {
            ((key, Some(url)), _) => Ok(Some((key, self.url(key, url.trim()).await?))),
            (_, (key, Some(path))) => Ok(Some((key, of_file(key, Path::new(path.trim())).await?))),
            (_, _) => Ok(None),
        }
    }

    async fn url(&mut self, key: &'static str, url: &str) -> Result<Content, TaskError> {
        let parsed: Url = url.parse().map_err(|error| input(key, SourceError::NoUrl(error)))?;
        let failed = |source| input(key, SourceError::Fetch { url: shown_url(&parsed), source });
        let Self { headers, may_be_page, .. } = self;
        let wanted = Wanted { url, most: MOST, headers, patience: PATIENCE, may_be_page: *may_be_page };
        let fetched = fetch_as(&wanted).await.map_err(failed)?;
        let key = key.split_once('.').map_or(key, |(_, key)| key);
        self.fetched.insert(key.to_owned(), fetched.digest);
        let name = parsed.path_segments().and_then(Iterator::last).unwrap_or_default().to_owned();
        Ok(Content { bytes: fetched.bytes, name })
    }
}

/// What a file holds.
async fn of_file(key: &'static str, path: &Path) -> Result<Content, TaskError> {
    let failed = |source| input(key, SourceError::File { path: path.to_owned(), source });
    let bytes = tokio::fs::read(path).await.map_err(failed)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    Ok(Content { bytes, name })
}

impl Content {
    pub(crate) fn into_text(self, key: &'static str) -> Result<String, TaskError> {
        String::from_utf8(self.bytes).map_err(|error| input(key, SourceError::NoText(error)))
    }
}

/// An input that is wrong.
pub(crate) fn input(key: &'static str, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> TaskError {
    TaskError::Input { key, source: source.into() }
}
