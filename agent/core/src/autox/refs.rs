//! Fills the trigger into values: `{{ .trigger.name }}`, `.namespace`, `.version`, `.track`, and a label by
//! `{{ .trigger.labels.NAME }}` or `{{ index .trigger.labels "NAME" }}`. Only actions of exactly these forms are
//! replaced; every other `{{ … }}` belongs to a task's own template and stays as it is.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::Tested;
use super::object::Seen;
use super::values::{self, SpecValues};
use crate::scalar::Text;
use crate::schema::Problem;

/// What actions can refer to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trigger<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its namespace.
    pub namespace: &'a str,
    /// Its version.
    pub version: &'a str,
    /// Its track; empty when it has none.
    pub track: &'a str,
    /// Its labels. One that is not there gives an empty text.
    pub labels: BTreeMap<&'a str, &'a str>,
}

impl<'a> Trigger<'a> {
    /// A trigger before it was seen, for checks of values.
    pub fn sample(trigger: &'a values::Trigger) -> Self {
        let labels = BTreeMap::new();
        Self { name: &trigger.name.0, namespace: &trigger.namespace.0, version: "1", track: "1", labels }
    }
}

/// Values with the trigger filled in, keys of maps included.
///
/// # Errors
/// Every place that refers to what a trigger does not have.
pub fn fill(values: &Map<String, Value>, trigger: &Trigger<'_>) -> Result<Map<String, Value>, Vec<Problem>> {
    let mut problems = Vec::new();
    let filled = fill_map(values, trigger, "", &mut problems);
    if problems.is_empty() { Ok(filled) } else { Err(problems) }
}

/// The values of an experiment for its trigger as it was seen: filled, and with what is tested.
///
/// # Errors
/// As [`fill`].
pub fn of_launch(
    trigger: &values::Trigger,
    spec: &SpecValues,
    version: &str,
    seen: &Seen,
) -> Result<Map<String, Value>, Vec<Problem>> {
    let facts = Trigger {
        name: &trigger.name.0,
        namespace: &trigger.namespace.0,
        version,
        track: seen.track().unwrap_or_default(),
        labels: seen.labels.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
    };
    let mut values = fill(&spec.values, &facts)?;
    let tested = Tested {
        resource: Some(Text(trigger.qualified_resource())),
        namespace: Some(trigger.namespace.clone()),
        name: Some(trigger.name.clone()),
        version: Text(version.to_owned()),
        track: seen.track().map(|track| Text(track.to_owned())),
    };
    values.insert("trigger".to_owned(), serde_json::to_value(tested).unwrap_or_default());
    Ok(values)
}

/// Whether a text refers to the trigger.
pub fn refers(text: &str) -> bool {
    actions(text).any(|action| reference(action.inside).is_some())
}

fn fill_map(
    map: &Map<String, Value>,
    trigger: &Trigger<'_>,
    place: &str,
    problems: &mut Vec<Problem>,
) -> Map<String, Value> {
    let mut filled = Map::with_capacity(map.len());
    for (key, value) in map {
        let place = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
        let key = fill_text(key, trigger, &place, problems);
        filled.insert(key, fill_value(value, trigger, &place, problems));
    }
    filled
}

fn fill_value(value: &Value, trigger: &Trigger<'_>, place: &str, problems: &mut Vec<Problem>) -> Value {
    match value {
        Value::String(text) => Value::String(fill_text(text, trigger, place, problems)),
        Value::Object(map) => Value::Object(fill_map(map, trigger, place, problems)),
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items.map(|(at, item)| fill_value(item, trigger, &format!("{place}[{at}]"), problems)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
    }
}

fn fill_text(text: &str, trigger: &Trigger<'_>, place: &str, problems: &mut Vec<Problem>) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut end = 0;
    for action in actions(text) {
        let Some(reference) = reference(action.inside) else { continue };
        match reference.value(trigger) {
            Ok(value) => {
                filled.push_str(&text[end..action.start]);
                filled.push_str(value);
                end = action.end;
            }
            Err(message) => problems.push(Problem::at(place, message)),
        }
    }
    filled.push_str(&text[end..]);
    filled
}

/// One `{{ … }}`.
struct Action<'a> {
    start: usize,
    end: usize,
    inside: &'a str,
}

fn actions(text: &str) -> impl Iterator<Item = Action<'_>> {
    let mut from = 0;
    std::iter::from_fn(move || {
        let open = from + text.get(from..)?.find("{{")?;
        // Of `{{{{ x }}` the last two braces open it.
        let braces = text[open..].bytes().take_while(|byte| *byte == b'{').count();
        let start = open + braces - 2;
        let length = text[start + 2..].find("}}")?;
        let (inside, end) = (&text[start + 2..start + 2 + length], start + length + 4);
        from = end;
        Some(Action { start, end, inside })
    })
}

/// What an action refers to.
#[derive(Debug, PartialEq, Eq)]
enum Reference<'a> {
    Field(&'a str),
    Label(&'a str),
}

fn reference(inside: &str) -> Option<Reference<'_>> {
    let inside = inside.strip_prefix("- ").unwrap_or(inside);
    let inside = inside.strip_suffix(" -").unwrap_or(inside).trim();
    if let Some(arguments) = inside.strip_prefix("index ") {
        let quoted = arguments.trim_start().strip_prefix(".trigger.labels")?;
        let label = quoted.trim().strip_prefix('"')?.strip_suffix('"')?;
        return (quoted.starts_with(char::is_whitespace) && !label.contains('"')).then_some(Reference::Label(label));
    }
    let path = inside.strip_prefix(".trigger")?;
    let is_path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
    if !(path.is_empty() || path.starts_with('.')) || !path.chars().all(is_path) {
        return None;
    }
    let path = path.strip_prefix('.').unwrap_or(path);
    Some(match path.strip_prefix("labels.") {
        Some(label) => Reference::Label(label),
        None => Reference::Field(path),
    })
}

impl Reference<'_> {
    fn value<'a>(&self, trigger: &Trigger<'a>) -> Result<&'a str, String> {
        match *self {
            Self::Label(label) => Ok(trigger.labels.get(label).copied().unwrap_or_default()),
            Self::Field("name") => Ok(trigger.name),
            Self::Field("namespace") => Ok(trigger.namespace),
            Self::Field("version") => Ok(trigger.version),
            Self::Field("track") => Ok(trigger.track),
            Self::Field(field) => {
                let field = if field.is_empty() { String::new() } else { format!(".{field}") };
                Err(format!(
                    "refers to .trigger{field}, and a trigger has .name, .namespace, .version, .track and .labels.NAME"
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn trigger() -> Trigger<'static> {
        let labels = BTreeMap::from([("team", "blue"), ("app.kubernetes.io/part-of", "shop")]);
        Trigger { name: "web", namespace: "shop", version: "2.0", track: "candidate", labels }
    }

    fn filled(text: &str) -> String {
        let mut problems = Vec::new();
        let text = fill_text(text, &trigger(), "x", &mut problems);
        assert_eq!(problems, []);
        text
    }

    #[test]
    fn every_part_of_a_trigger_can_be_referred_to() {
        assert_eq!(
            filled("http://{{ .trigger.name }}.{{.trigger.namespace}}/{{- .trigger.version -}}"),
            "http://web.shop/2.0"
        );
        assert_eq!(filled("{{ .trigger.track }} {{ .trigger.labels.team }}"), "candidate blue");
        assert_eq!(filled("{{ index .trigger.labels \"app.kubernetes.io/part-of\" }}"), "shop");
        assert_eq!(filled("{{ .trigger.labels.none }}"), "");
    }

    #[test]
    fn templates_of_tasks_stay_as_they_are() {
        for text in [
            "{{ .Report }}",
            "{{.requestNumber}}",
            "{{ if .trigger.name }}",
            "{{ .triggers.name }}",
            "{{ .trigger.name | upper }}",
            "{{",
            "}}",
            "{{ .trigger.name",
            "{{ index .labels \"a\" }}",
            "{{ index .trigger.labels .x }}",
            "{{{{ x }}",
        ] {
            assert_eq!(filled(text), text);
        }
        assert_eq!(filled("{{{ .trigger.name }}"), "{web");
    }

    #[test]
    fn what_a_trigger_does_not_have_is_named_with_its_place() {
        let values = json!({ "http": { "headers": [{ "a": "{{ .trigger.image }}" }] }, "b": "{{ .trigger }}" });
        let problems = fill(values.as_object().unwrap(), &trigger()).unwrap_err();
        assert_eq!(
            problems[0].to_string(),
            "`http.headers[0].a` refers to .trigger.image, and a trigger has .name, .namespace, .version, .track and .labels.NAME"
        );
        assert_eq!(problems[1].path, "b");
    }

    #[test]
    fn keys_are_filled_too_and_other_types_stay() {
        let values = json!({ "{{ .trigger.name }}": [1, true, null, { "v": "{{ .trigger.version }}" }] });
        let expected = json!({ "web": [1, true, null, { "v": "2.0" }] });
        assert_eq!(Value::Object(fill(values.as_object().unwrap(), &trigger()).unwrap()), expected);
    }

    #[test]
    fn the_values_of_a_launch_know_what_is_tested() {
        let trigger =
            json!({ "name": "web", "namespace": "shop", "group": "apps", "version": "v1", "resource": "deployments" });
        let trigger: values::Trigger = serde_json::from_value(trigger).unwrap();
        let spec = json!({ "name": "iter8", "values": {
            "tasks": ["http"], "http": { "url": "http://{{ .trigger.name }}.{{ .trigger.namespace }}/{{ .trigger.version }}" },
        } });
        let spec: SpecValues = serde_json::from_value(spec).unwrap();
        let values = Value::Object(of_launch(&trigger, &spec, "2.0", &Seen::default()).unwrap());
        assert_eq!(values["http"]["url"], "http://web.shop/2.0");
        assert_eq!(
            values["trigger"],
            json!({ "resource": "deployments.apps", "namespace": "shop", "name": "web", "version": "2.0" })
        );
        assert_eq!(crate::values::problems(&values), []);
    }

    proptest! {
        #[test]
        fn any_text_is_filled_without_panic_and_one_without_references_stays(text in "[{}. a-z\"-]{0,40}") {
            let mut problems = Vec::new();
            let filled = fill_text(&text, &trigger(), "x", &mut problems);
            if !refers(&text) {
                prop_assert_eq!(filled, text);
            }
        }
    }
}
