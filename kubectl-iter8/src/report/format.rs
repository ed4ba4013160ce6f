//! The forms that a report can have.

use clap::ValueEnum;
use iter8_core::ExperimentResult;

use super::{html, text};

/// A form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people, in a terminal
    Text,
    /// For people, as one file that any browser shows without a network
    Html,
    /// The result as it is stored
    Json,
    /// The same in YAML
    Yaml,
}

/// How a report for people is drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Columns of the terminal.
    pub width: usize,
    /// Whether colours may be used.
    pub color: bool,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// A number that JSON cannot hold.
    #[error("the result cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// A number that YAML cannot hold.
    #[error("the result cannot be written as YAML: {0}")]
    Yaml(String),
    /// The template and what it is filled with do not fit each other.
    #[error("the result cannot be written as HTML")]
    Html(#[from] minijinja::Error),
}

/// The report of a result.
///
/// # Errors
/// When the result holds what the form cannot.
pub fn render(result: &ExperimentResult, format: ReportFormat, style: &Style) -> Result<String, ReportError> {
    match format {
        ReportFormat::Text => Ok(text::draw(result, style)),
        ReportFormat::Html => Ok(html::draw(result)?),
        ReportFormat::Json => Ok(serde_json::to_string_pretty(result)? + "\n"),
        ReportFormat::Yaml => serde_yaml::to_string(result).map_err(|error| ReportError::Yaml(error.to_string())),
    }
}
