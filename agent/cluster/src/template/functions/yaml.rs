//! YAML that Kubernetes' tools read back as the same data.

use gotmpl::Value;
use serde_json::Value as Json;
use serde_yaml::{Options, SerializerOptions};

use super::call::{Call, Function, Outcome, exactly};
use crate::template::value::{from_json, kind, string, to_json};

pub(super) const FUNCTIONS: &[Function] = &[
    exactly("toYaml", 1, to),
    exactly("toYamlPretty", 1, to),
    exactly("fromYaml", 1, |call| from(call, "map")),
    exactly("fromYamlArray", 1, |call| from(call, "slice")),
];

fn to(call: &Call<'_>) -> Outcome {
    let options = serde_yaml::ser_options! { folded_wrap_chars: usize::MAX };
    let text = written(&to_json(&call.args[0]), options).map_err(|error| call.error(error))?;
    Ok(string(text.strip_suffix('\n').unwrap_or(&text)))
}

fn written(json: &Json, options: SerializerOptions) -> Result<String, serde_yaml::ser::Error> {
    serde_yaml::to_string_with_options(json, options)
}

/// Where Helm would put the error into the result, this fails.
fn from(call: &Call<'_>, wanted: &str) -> Outcome {
    let json: Json = serde_yaml::from_str_with_options(call.str(0)?, reading()).map_err(|error| call.error(error))?;
    match from_json(&json) {
        Value::Nil if wanted == "map" => Ok(Value::Map(std::sync::Arc::default())),
        value if kind(&value) == wanted => Ok(value),
        value => Err(call.error(format!("the YAML is of kind {}, not {wanted}", kind(&value)))),
    }
}

fn reading() -> Options {
    serde_yaml::options! { legacy_octal_numbers: true, with_snippet: false }
}
