//! Gets the templates that inputs name: the same rules for every task. What is in a template, and what it makes, is the
//! business of whoever asks.

use std::path::{Path, PathBuf};

use iter8_core::task::TemplateSource;
use url::Url;

use crate::fetch::{FetchError, fetch};
use crate::redact::shown_url;

/// The most bytes of a template that is fetched.
const TEMPLATE_MAX: usize = 1024 * 1024;

/// Why there is no template. No message holds a credential of its URL.
#[derive(Debug, thiserror::Error)]
pub enum TemplateSourceError {
    /// It cannot be fetched.
    #[error("cannot fetch the template {url}")]
    Fetch {
        /// Where it should be, without credentials.
        url: String,
        /// Why.
        #[source]
        source: FetchError,
    },
    /// It cannot be read from a file.
    #[error("cannot read the template {}", path.display())]
    File {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is not text.
    #[error("the template {0} is not text: it is not UTF-8")]
    NotText(String),
}

/// A template as it is written.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) text: String,
    /// The digest of what was fetched.
    pub(crate) digest: Option<String>,
}

/// Fetches or reads the template at `source`.
pub(crate) async fn find(source: TemplateSource<'_>) -> Result<Found, TemplateSourceError> {
    let (bytes, place, digest) = match source {
        TemplateSource::Text(text) => return Ok(Found { text: text.to_owned(), digest: None }),
        TemplateSource::Url(url) => {
            let failed = |source| TemplateSourceError::Fetch { url: shown(url), source };
            let fetched = fetch(url, TEMPLATE_MAX).await.map_err(failed)?;
            (fetched.bytes, shown(url), Some(fetched.digest))
        }
        TemplateSource::Path(path) => {
            let failed = |source| TemplateSourceError::File { path: path.into(), source };
            (tokio::fs::read(path).await.map_err(failed)?, path.to_owned(), None)
        }
    };
    let text = String::from_utf8(bytes).map_err(|_| TemplateSourceError::NotText(place))?;
    Ok(Found { text, digest })
}

/// Why a template cannot be looked at from here without asking anybody, if it cannot.
pub(crate) fn out_of_reach(source: TemplateSource<'_>) -> Option<String> {
    match source {
        TemplateSource::Url(url) => Some(format!("the agent will fetch {}", shown(url))),
        TemplateSource::Path(path) if !Path::new(path).exists() => Some(format!("{path} is not on this machine")),
        TemplateSource::Path(_) | TemplateSource::Text(_) => None,
    }
}

/// A URL as people may see it; of one that cannot be read nobody knows what in it is secret.
fn shown(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "by a URL that is none".to_owned(), |url| shown_url(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_url_that_cannot_be_read_is_not_shown() {
        let error = find(TemplateSource::Url("https://me:s3cr3t@[/a.tpl")).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot fetch the template by a URL that is none");
        assert!(!out_of_reach(TemplateSource::Url("https://me:s3cr3t@[/a.tpl")).unwrap().contains("s3cr3t"));
    }

    #[tokio::test]
    async fn a_file_that_is_no_text_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tpl");
        std::fs::write(&path, b"\xff").unwrap();
        let path = path.to_str().unwrap();
        let error = find(TemplateSource::Path(path)).await.unwrap_err();
        assert_eq!(error.to_string(), format!("the template {path} is not text: it is not UTF-8"));
    }
}
