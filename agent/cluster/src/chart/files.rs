//! The files of a chart. Those of iter8's own charts are part of the program.

use std::collections::BTreeMap;

use rust_embed::RustEmbed;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::template::TemplateError;

/// A chart without dependencies.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Its name.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// Version of what it installs.
    pub app_version: String,
    /// `values.yaml`.
    pub defaults: Value,
    /// `values.schema.json`, when it has one.
    pub schema: Option<String>,
    /// The files under `templates/` by their path in the chart.
    pub templates: BTreeMap<String, String>,
}

/// Why a chart gives no objects.
#[derive(Debug, thiserror::Error)]
pub enum ChartError {
    /// No such chart is part of the program.
    #[error("there is no chart `{0}`")]
    Unknown(String),
    /// A file that every chart has is missing.
    #[error("the chart has no {0}")]
    Missing(&'static str),
    /// A file of the chart cannot be read.
    #[error("{file} cannot be read")]
    File {
        /// Its path in the chart.
        file: String,
        /// Why.
        #[source]
        source: Box<serde_yaml::Error>,
    },
    /// A file of the chart is not text.
    #[error("{0} is not UTF-8 text")]
    NotText(String),
    /// A template failed.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// What a template gave is not YAML.
    #[error("template {template} gave text that is not YAML")]
    Yaml {
        /// Name of the template.
        template: String,
        /// Why.
        #[source]
        source: Box<serde_yaml::Error>,
    },
    /// What a template gave is YAML, but not an object of Kubernetes.
    #[error("template {template} gave a document without {missing}")]
    NotAnObject {
        /// Name of the template.
        template: String,
        /// The field that every object has.
        missing: &'static str,
    },
}

#[derive(RustEmbed)]
#[folder = "../../manifests/charts"]
struct Embedded;

/// `Chart.yaml`, as far as it matters here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    version: String,
    #[serde(default)]
    app_version: String,
}

impl Chart {
    /// The chart `name` that is part of the program.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn embedded(name: &str) -> Result<Self, ChartError> {
        let folder = format!("{name}/");
        let mut files = BTreeMap::new();
        for path in Embedded::iter() {
            if let (Some(inner), Some(file)) = (path.strip_prefix(&folder), Embedded::get(&path)) {
                let text =
                    String::from_utf8(file.data.into_owned()).map_err(|_| ChartError::NotText(path.to_string()))?;
                files.insert(inner.to_owned(), text);
            }
        }
        if files.is_empty() {
            return Err(ChartError::Unknown(name.to_owned()));
        }
        Self::from_files(files)
    }

    /// The chart that consists of `files`, by their paths in it.
    ///
    /// # Errors
    /// There is no `Chart.yaml`, or it or `values.yaml` cannot be read.
    pub fn from_files(mut files: BTreeMap<String, String>) -> Result<Self, ChartError> {
        let metadata: Metadata = read(&files, "Chart.yaml")?.ok_or(ChartError::Missing("Chart.yaml"))?;
        let defaults = match read(&files, "values.yaml")? {
            None | Some(Value::Null) => Value::Object(Map::new()),
            Some(values) => values,
        };
        let schema = files.remove("values.schema.json");
        files.retain(|path, _| path.starts_with("templates/"));
        let Metadata { name, version, app_version } = metadata;
        Ok(Self { name, version, app_version, defaults, schema, templates: files })
    }
}

fn read<T: serde::de::DeserializeOwned>(files: &BTreeMap<String, String>, file: &str) -> Result<Option<T>, ChartError> {
    let parsed = files.get(file).map(|text| serde_yaml::from_str(text)).transpose();
    parsed.map_err(|source| ChartError::File { file: file.to_owned(), source: Box::new(source) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chart_of_experiments_is_part_of_the_program() {
        let chart = Chart::embedded("iter8").unwrap();
        assert_eq!((chart.name.as_str(), chart.app_version.as_str()), ("iter8", env!("CARGO_PKG_VERSION")));
        assert_eq!(chart.defaults["runner"], "job");
        assert!(chart.templates.keys().all(|path| path.starts_with("templates/")));
    }

    #[test]
    fn a_name_that_is_only_the_beginning_of_a_chart_is_no_chart() {
        assert_eq!(Chart::embedded("iter").unwrap_err().to_string(), "there is no chart `iter`");
    }

    #[test]
    fn a_chart_needs_its_metadata() {
        assert_eq!(Chart::from_files(BTreeMap::new()).unwrap_err().to_string(), "the chart has no Chart.yaml");
    }
}
