//! The templates of metrics providers, and what they give with values. Where other than here a template may be is not
//! known here.

use iter8_cluster::template::{Engine, Extra};
use iter8_cluster::templates::built_in_metrics;
use iter8_core::scalar::Text;
use iter8_core::task::TemplateSource;
use iter8_core::task::custommetrics::template::{Provider, ProviderError};
use jiff::Timestamp;
use serde_json::Value;

use crate::tasks::template_source::{Found, TemplateSourceError, find};

/// Templates see the time, in seconds since 1970, which databases want to be told.
const CLOCK: &[Extra] = &[Extra { name: "now", arity: 0..=0, body: |_| Ok(Timestamp::now().as_second().into()) }];

/// Why a template gives no provider.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TemplateFault {
    /// There is none.
    #[error(transparent)]
    Source(#[from] TemplateSourceError),
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
        let source = TemplateSource::of(text);
        if let Some(name) = source.built_in() {
            let text = built_in_metrics(name).ok_or_else(|| TemplateFault::Unknown(name.to_owned()))?;
            return Self::read(name, &text);
        }
        let Found { text, digest } = find(source).await?;
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
