//! Where the templates of metrics providers come from, and what they give with values.

use iter8_cluster::template::{Engine, Extra};
use iter8_cluster::templates::built_in_metrics;
use iter8_core::scalar::Text;
use iter8_core::task::custommetrics::Source;
use iter8_core::task::custommetrics::template::{Provider, ProviderError};
use jiff::Timestamp;
use serde_json::Value;
use url::Url;

use crate::fetch::{FetchError, fetch};
use crate::redact::shown_url;

/// The most bytes of a template.
const TEMPLATE_MAX: usize = 1024 * 1024;

/// Templates see the time, in seconds since 1970, which databases want to be told.
const CLOCK: &[Extra] = &[Extra { name: "now", arity: 0..=0, body: |_| Ok(Timestamp::now().as_second().into()) }];

/// Why a template gives no provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateFault {
    /// It cannot be fetched.
    #[error("cannot fetch {url}")]
    Fetch {
        url: String,
        #[source]
        source: FetchError,
    },
    /// It cannot be read from a file.
    #[error("cannot read {path}")]
    File {
        path: String,
        #[source]
        source: std::io::Error,
    },
    /// It is not text.
    #[error("is not text (UTF-8)")]
    NotText,
    /// No such template is built in.
    #[error("`{0}` is not built in")]
    Unknown(String),
    /// It is no template, or fails.
    #[error(transparent)]
    Template(#[from] iter8_cluster::template::TemplateError),
    /// What it gives is no provider.
    #[error("what it gives cannot be used")]
    Provider(#[from] ProviderError),
}

/// A template, read.
pub(crate) struct Template {
    engine: Engine,
    name: String,
    /// The digest of what was fetched.
    pub(crate) digest: Option<String>,
}

impl Template {
    /// Gets the template of the provider called `name` and reads it.
    pub(crate) async fn get(name: &str, text: &Text) -> Result<Self, TemplateFault> {
        let (text, digest) = match Source::of(text) {
            Source::Text(text) => (text.to_owned(), None),
            Source::BuiltIn(name) => {
                (built_in_metrics(name).ok_or_else(|| TemplateFault::Unknown(name.to_owned()))?, None)
            }
            Source::Path(path) => {
                let failed = |source| TemplateFault::File { path: path.to_owned(), source };
                let bytes = tokio::fs::read(path).await.map_err(failed)?;
                (String::from_utf8(bytes).map_err(|_| TemplateFault::NotText)?, None)
            }
            Source::Url(url) => {
                let shown = Url::parse(url).map_or_else(|_| url.to_owned(), |url| shown_url(&url));
                let fetched = fetch(url, TEMPLATE_MAX).await;
                let fetched = fetched.map_err(|source| TemplateFault::Fetch { url: shown, source })?;
                let text = String::from_utf8(fetched.bytes).map_err(|_| TemplateFault::NotText)?;
                (text, Some(fetched.digest))
            }
        };
        Self::read(name, &text).map(|template| Self { digest, ..template })
    }

    /// Reads the text of the template of the provider called `name`.
    pub(crate) fn read(name: &str, text: &str) -> Result<Self, TemplateFault> {
        if text.trim_start().starts_with('<') {
            return Err(ProviderError::Html.into());
        }
        Ok(Self { engine: Engine::lenient(name, text, CLOCK)?, name: name.to_owned(), digest: None })
    }

    /// What it gives with `values`.
    pub(crate) fn render(&self, values: &Value) -> Result<Provider, TemplateFault> {
        Ok(Provider::parse(&self.engine.render(&self.name, values)?)?)
    }
}
