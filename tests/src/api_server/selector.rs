//! Which objects a list or a watch asks for: the grammars of `labelSelector` and `fieldSelector`.

use serde_json::Value;

use super::resource::Call;
use super::status::Refusal;

/// Labels and fields that an object must have.
#[derive(Clone, Debug, Default)]
pub(crate) struct Selector {
    labels: Vec<Requirement>,
    fields: Vec<Requirement>,
}

#[derive(Clone, Debug)]
struct Requirement {
    key: String,
    wanted: Wanted,
}

#[derive(Clone, Debug)]
enum Wanted {
    In(Vec<String>),
    NotIn(Vec<String>),
    Exists,
    Missing,
}

/// The fields that objects can be selected by.
const FIELDS: [&str; 6] = [
    "metadata.name",
    "metadata.namespace",
    "involvedObject.kind",
    "involvedObject.name",
    "involvedObject.uid",
    "status.phase",
];

impl Selector {
    /// The selector of a request.
    pub(crate) fn of(call: &Call) -> Result<Self, Refusal> {
        let read = |key: &str| call.parameter(key).map(parse).unwrap_or_default();
        let selector = Self { labels: read("labelSelector"), fields: read("fieldSelector") };
        match selector.fields.iter().find(|field| !FIELDS.contains(&field.key.as_str())) {
            Some(unknown) => Err(Refusal::bad_request(&format!("field label not supported: {}", unknown.key))),
            None => Ok(selector),
        }
    }

    pub(crate) fn selects(&self, object: &Value) -> bool {
        let label = |key: &str| object["metadata"]["labels"][key].as_str();
        // A field that is not set is the empty text.
        let field =
            |key: &str| Some(key.split('.').fold(object, |value, key| &value[key]).as_str().unwrap_or_default());
        self.labels.iter().all(|requirement| requirement.holds(label(&requirement.key)))
            && self.fields.iter().all(|requirement| requirement.holds(field(&requirement.key)))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let is_in = |values: &[String]| value.is_some_and(|value| values.iter().any(|wanted| wanted == value));
        match &self.wanted {
            Wanted::In(values) => is_in(values),
            Wanted::NotIn(values) => !is_in(values),
            Wanted::Exists => value.is_some(),
            Wanted::Missing => value.is_none(),
        }
    }
}

fn parse(text: &str) -> Vec<Requirement> {
    split(text).into_iter().map(|part| requirement(part.trim())).collect()
}

/// The parts between commas that stand in no parentheses.
fn split(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    })
    .collect()
}

fn requirement(text: &str) -> Requirement {
    let made = |key: &str, wanted| Requirement { key: key.trim().to_owned(), wanted };
    let one = |value: &str| vec![value.trim_start_matches('=').trim().to_owned()];
    let set = |values: &str| values.trim_end_matches(')').split(',').map(|value| value.trim().to_owned()).collect();
    if let Some((key, values)) = text.split_once(" notin (") {
        made(key, Wanted::NotIn(set(values)))
    } else if let Some((key, values)) = text.split_once(" in (") {
        made(key, Wanted::In(set(values)))
    } else if let Some((key, value)) = text.split_once("!=") {
        made(key, Wanted::NotIn(one(value)))
    } else if let Some((key, value)) = text.split_once('=') {
        made(key, Wanted::In(one(value)))
    } else if let Some(key) = text.strip_prefix('!') {
        made(key, Wanted::Missing)
    } else {
        made(text, Wanted::Exists)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_form_of_a_label_selector_is_understood() {
        let object = json!({"metadata": {"labels": {"a": "1", "x.io/b": "2"}}});
        for (text, expected) in [
            ("a=1", true),
            ("a==1,x.io/b=2", true),
            ("a=2", false),
            ("a!=2", true),
            ("a!=1", false),
            ("c!=1", true),
            ("a", true),
            ("c", false),
            ("!c", true),
            ("!a", false),
            ("a in (0, 1),x.io/b notin (3,4)", true),
            ("a notin (1)", false),
            ("c in (1)", false),
        ] {
            let selector = Selector { labels: parse(text), fields: Vec::new() };
            assert_eq!(selector.selects(&object), expected, "{text}");
        }
    }

    #[test]
    fn fields_select_by_path() {
        let event = json!({"metadata": {"name": "e"}, "involvedObject": {"kind": "Job", "name": "j"}});
        let selects = |text| Selector { labels: Vec::new(), fields: parse(text) }.selects(&event);
        assert!(selects("involvedObject.kind=Job,involvedObject.name=j"));
        assert!(!selects("metadata.name=f") && selects("metadata.name!=f"));
    }
}
