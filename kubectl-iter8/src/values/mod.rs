//! Values as Helm's six flags give them: read, parsed and merged into one map. What the values mean is checked
//! elsewhere.

mod json;
mod merge;
mod path;
mod set;
mod source;

use clap::Args;
use iter8_core::yaml::{TAGGED, YamlError, tagged_condition};
use serde_json::{Map, Value};

pub use merge::merge_maps;
pub use path::PathError;
pub use set::SetError;
pub use source::SourceError;

use set::Typing;

/// The flags, in Helm's grammar.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Values")]
pub struct ValuesArgs {
    /// YAML file, URL or - with values; may be repeated, later ones win
    #[arg(short = 'f', long = "values", value_name = "FILE", value_delimiter = ',')]
    values: Vec<String>,
    /// Values as KEY=VALUE, typed as they look; separate several by commas
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Values as KEY=VALUE that are texts
    #[arg(long, value_name = "KEY=VALUE")]
    set_string: Vec<String>,
    /// Values as KEY=PATH that are the contents of files
    #[arg(long, value_name = "KEY=PATH")]
    set_file: Vec<String>,
    /// Values as KEY=JSON, or one JSON object
    #[arg(long, value_name = "KEY=JSON")]
    set_json: Vec<String>,
    /// A value as KEY=TEXT in which nothing is special
    #[arg(long, value_name = "KEY=TEXT")]
    set_literal: Vec<String>,
    /// The chart of Iter8 v0.13; it is built in here
    #[arg(short = 'c', long = "chartName", value_name = "CHART", hide = true, value_parser = built_in_chart)]
    chart_name: Option<String>,
    /// Take the chart of Iter8 v0.13 from a directory
    #[arg(long = "localChart", hide = true)]
    local_chart: bool,
}

/// The chart called `name`, or in a directory of that name, if it is the one that is built in.
fn built_in_chart(name: &str) -> Result<String, &'static str> {
    let last = name.trim_end_matches('/').rsplit('/').next();
    if last == Some("iter8") { Ok(name.to_owned()) } else { Err("the only chart is iter8, which is built in") }
}

/// Why the flags give no values.
#[derive(Debug, thiserror::Error)]
pub enum ValuesError {
    /// A file or URL cannot be read.
    #[error("cannot read the values {}", shown(.name))]
    Read {
        /// Its name on the command line.
        name: String,
        /// Why.
        #[source]
        source: SourceError,
    },
    /// What was read is no YAML map.
    #[error("the values {} cannot be read as YAML: {reason}", shown(.name))]
    Yaml {
        /// Its name on the command line.
        name: String,
        /// Where and why.
        reason: String,
    },
    /// A text of a flag does not follow the grammar.
    #[error("failed parsing {flag} data {:?}", head(.text))]
    Set {
        /// The flag.
        flag: &'static str,
        /// The text.
        text: String,
        /// What is wrong.
        #[source]
        source: SetError,
    },
}

/// A name as it is spoken of.
fn shown(name: &str) -> &str {
    if name == "-" { "on standard input" } else { name }
}

/// Enough of a text to find it on a command line.
fn head(text: &str) -> String {
    if text.chars().count() > 60 { text.chars().take(59).collect::<String>() + "…" } else { text.to_owned() }
}

impl ValuesArgs {
    /// What has no effect among the flags of Iter8 v0.13, in a sentence.
    pub fn without_effect(&self) -> Option<&'static str> {
        let elsewhere = self.local_chart || self.chart_name.as_ref().is_some_and(|name| name.contains('/'));
        elsewhere.then_some("the chart is built in: --localChart and a directory as --chartName have no effect")
    }

    /// Reads and merges everything. The order is Helm's, whatever the order on the command line: files, then
    /// `--set-json`, `--set`, `--set-string`, `--set-file`, `--set-literal`. A null stays, so that it can take away a
    /// default later.
    ///
    /// # Errors
    /// The first flag that cannot be read or parsed.
    pub async fn merge(&self) -> Result<Value, ValuesError> {
        let mut merged = Value::Object(Map::new());
        for name in &self.values {
            for document in read_documents(name).await? {
                merged = merge_maps(merged, document);
            }
        }
        let failed = |flag, text: &str| {
            let text = text.to_owned();
            move |source| ValuesError::Set { flag, text, source }
        };
        for text in &self.set_json {
            json::apply(&mut merged, text).map_err(failed("--set-json", text))?;
        }
        for text in &self.set {
            set::apply(&mut merged, text, Typing::Guess).map_err(failed("--set", text))?;
        }
        for text in &self.set_string {
            set::apply(&mut merged, text, Typing::Text).map_err(failed("--set-string", text))?;
        }
        for text in &self.set_file {
            for (path, file) in set::pairs(text).map_err(failed("--set-file", text))? {
                let content = source::read(&file).await;
                let content = content.map_err(|source| ValuesError::Read { name: file.clone(), source })?;
                path.put(&mut merged, Value::String(content))
                    .map_err(|error| failed("--set-file", text)(error.into()))?;
            }
        }
        for text in &self.set_literal {
            set::apply_literal(&mut merged, text).map_err(failed("--set-literal", text))?;
        }
        Ok(merged)
    }
}

/// The maps of a file, URL or standard input (`-`) in YAML.
///
/// # Errors
/// It cannot be read, or is no YAML of maps.
pub async fn read_documents(name: &str) -> Result<Vec<Value>, ValuesError> {
    let text = source::read(name).await.map_err(|source| ValuesError::Read { name: name.to_owned(), source })?;
    documents(&text, name)
}

/// The maps of a stream of YAML documents; empty documents are left out.
fn documents(text: &str, name: &str) -> Result<Vec<Value>, ValuesError> {
    let failed = |reason: String| ValuesError::Yaml { name: name.to_owned(), reason };
    let documents: Vec<Value> =
        serde_yaml::from_multiple(text).map_err(|error| failed(YamlError::from(error).to_string()))?;
    // A condition that YAML took for a tag is null, as nobody would write it.
    let has_empty_condition = |document: &Value| {
        let tasks = document.as_object().into_iter().flat_map(Map::values);
        tasks.filter_map(|inputs| inputs.get("if")).any(Value::is_null)
    };
    if documents.iter().any(has_empty_condition)
        && let Some(line) = tagged_condition(text)
    {
        return Err(failed(format!("line {line}: {TAGGED}")));
    }
    let documents = documents.into_iter().filter(|document| !document.is_null());
    documents
        .map(|document| {
            if document.is_object() {
                Ok(document)
            } else {
                Err(failed("it is not a map of keys to values".to_owned()))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn flags(args: &[(&str, &str)]) -> ValuesArgs {
        let mut flags = ValuesArgs::default();
        for (flag, text) in args {
            let list = match *flag {
                "f" => &mut flags.values,
                "set" => &mut flags.set,
                "string" => &mut flags.set_string,
                "file" => &mut flags.set_file,
                "json" => &mut flags.set_json,
                _ => &mut flags.set_literal,
            };
            list.push((*text).to_owned());
        }
        flags
    }

    #[tokio::test]
    async fn the_order_is_helms_whatever_the_order_on_the_command_line() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name).display().to_string();
        std::fs::write(path("v.yaml"), "a: file\nb: file\nc: file\nd: file\ne: file\nf: file\n---\nf: second\n")
            .unwrap();
        std::fs::write(path("content"), "content").unwrap();
        let (values, content) = (path("v.yaml"), format!("d={},e={}", path("content"), path("content")));
        let merged = flags(&[
            ("literal", "e=literal"),
            ("file", &content),
            ("string", "c=1,d=1"),
            ("set", "b=1,c=2"),
            ("json", "a={\"x\":1},b=2"),
            ("f", &values),
        ]);
        assert_eq!(
            merged.merge().await.unwrap(),
            json!({ "a": { "x": 1 }, "b": 1, "c": "1", "d": "content", "e": "literal", "f": "second" }),
        );
    }

    #[tokio::test]
    async fn what_cannot_be_read_is_named() {
        let error = flags(&[("f", "/no/such/file.yaml")]).merge().await.unwrap_err();
        assert_eq!(error.to_string(), "cannot read the values /no/such/file.yaml");
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("v.yaml");
        std::fs::write(&path, "- a\n").unwrap();
        let error = flags(&[("f", &path.display().to_string())]).merge().await.unwrap_err();
        assert!(error.to_string().ends_with("it is not a map of keys to values"), "{error}");
        std::fs::write(&path, "a: [").unwrap();
        assert!(matches!(flags(&[("f", &path.display().to_string())]).merge().await, Err(ValuesError::Yaml { .. })));
    }
}
