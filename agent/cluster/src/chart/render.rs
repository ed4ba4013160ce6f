//! From a chart and values to objects of Kubernetes. Pure: values are merged and checked before, objects are applied
//! after.

use serde_json::{Value, json};

use super::{Chart, ChartError};
use crate::names::{Group, Revision};
use crate::template::Engine;

/// What a chart is rendered for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Release {
    /// The group; Helm's name of a release.
    pub name: Group,
    /// Where namespaced objects go that name no namespace.
    pub namespace: String,
    /// The launch of the group.
    pub revision: Revision,
    /// The tool that renders, for the label `app.kubernetes.io/managed-by`.
    pub service: String,
}

/// The version of Kubernetes that templates are told, which is the one that iter8 is tested with: nothing is asked of
/// a cluster here.
const KUBERNETES: &str = "v1.34.0";

/// Renders the objects of a chart, in the order of its templates.
///
/// `values` are complete: see [`coalesce`](super::coalesce). Templates that begin with `_` and `NOTES.txt` give no
/// objects. `.Files` is empty, and `.Capabilities` has the version of Kubernetes only.
///
/// # Errors
/// A template fails, or gives what is not an object; the error names it.
pub fn render(chart: &Chart, release: &Release, values: &Value) -> Result<Vec<Value>, ChartError> {
    let base = format!("{}/templates", chart.name);
    let named: Vec<(String, &str)> =
        chart.templates.iter().map(|(path, text)| (format!("{}/{path}", chart.name), text.as_str())).collect();
    let engine = Engine::new(named.iter().map(|(name, text)| (name.as_str(), *text)))?;
    let mut objects = Vec::new();
    for (name, _) in named.iter().filter(|(name, _)| gives_objects(name)) {
        let text = engine.render(name, &dot(chart, release, values, name, &base))?;
        objects.extend(documents(name, &text)?);
    }
    Ok(objects)
}

fn gives_objects(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    !file.starts_with('_') && file != "NOTES.txt"
}

fn dot(chart: &Chart, release: &Release, values: &Value, template: &str, base: &str) -> Value {
    let mut numbers = KUBERNETES.trim_start_matches('v').split('.');
    json!({
        "Values": values,
        "Release": {
            "Name": release.name,
            "Namespace": release.namespace,
            "Revision": release.revision,
            "Service": release.service,
            "IsInstall": release.revision == Revision::FIRST,
            "IsUpgrade": release.revision != Revision::FIRST,
        },
        "Chart": { "Name": chart.name, "Version": chart.version, "AppVersion": chart.app_version },
        "Capabilities": {
            "KubeVersion": {
                "Version": KUBERNETES,
                "GitVersion": KUBERNETES,
                "Major": numbers.next(),
                "Minor": numbers.next(),
            },
        },
        "Template": { "Name": template, "BasePath": base },
        "Files": {},
    })
}

/// The objects among the documents of a rendered text.
fn documents(template: &str, text: &str) -> Result<Vec<Value>, ChartError> {
    // Like Helm, which prints nothing where a value is missing.
    let text = text.replace("<no value>", "");
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    let documents: Vec<Value> = serde_yaml::from_multiple_with_options(&text, options)
        .map_err(|source| ChartError::Yaml { template: template.to_owned(), source: Box::new(source) })?;
    let objects = documents.into_iter().filter(|document| !document.is_null());
    objects.map(|object| check(template, object)).collect()
}

fn check(template: &str, object: Value) -> Result<Value, ChartError> {
    for (pointer, missing) in [("/apiVersion", "apiVersion"), ("/kind", "kind"), ("/metadata/name", "metadata.name")] {
        if !object.pointer(pointer).is_some_and(Value::is_string) {
            return Err(ChartError::NotAnObject { template: template.to_owned(), missing });
        }
    }
    Ok(object)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn rendered(templates: &[(&str, &str)], values: &Value) -> Result<Vec<Value>, ChartError> {
        let mut files: BTreeMap<String, String> =
            templates.iter().map(|(path, text)| (format!("templates/{path}"), (*text).to_owned())).collect();
        files.insert("Chart.yaml".to_owned(), "{name: c, version: 1.2.3, appVersion: v9}".to_owned());
        let chart = Chart::from_files(files)?;
        let release = Release {
            name: Group::default(),
            namespace: "apps".to_owned(),
            revision: Revision(2),
            service: "test".to_owned(),
        };
        render(&chart, &release, values)
    }

    const OBJECT: &str = "apiVersion: v1\nkind: Secret\nmetadata: { name: x }\n";

    #[test]
    fn templates_see_release_chart_values_and_themselves() {
        let text = format!(
            "{OBJECT}seen: {{{{ list .Release.Name .Release.Namespace .Release.Revision .Release.IsUpgrade .Chart.AppVersion \
             .Values.a.b .Template.Name .Template.BasePath .Capabilities.KubeVersion.Minor | toJson }}}}"
        );
        let objects = rendered(&[("x.yaml", &text)], &json!({"a": {"b": 7}})).unwrap();
        let seen = json!(["default", "apps", 2, true, "v9", 7, "c/templates/x.yaml", "c/templates", "34"]);
        assert_eq!(objects[0]["seen"], seen);
    }

    #[test]
    fn partials_notes_and_empty_documents_give_no_objects() {
        let two = format!("---\n# nothing\n---\n{OBJECT}---\n{{{{ if false }}}}x{{{{ end }}}}\n---\n{OBJECT}");
        let templates =
            [("_p.tpl", "text: [broken"), ("NOTES.txt", "hello: [x"), ("a.yaml", two.as_str()), ("b.yaml", "\n")];
        assert_eq!(rendered(&templates, &json!({})).unwrap().len(), 2);
    }

    #[test]
    fn a_missing_value_prints_nothing() {
        let objects = rendered(&[("x.yaml", &format!("{OBJECT}data: {{{{ .Values.gone }}}}"))], &json!({})).unwrap();
        assert_eq!(objects[0]["data"], Value::Null);
    }

    #[test]
    fn an_error_names_the_template() {
        let error = rendered(&[("x.yaml", "a: [")], &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "template c/templates/x.yaml gave text that is not YAML");
        let error = rendered(&[("x.yaml", "kind: Secret\napiVersion: v1")], &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "template c/templates/x.yaml gave a document without metadata.name");
        let error = rendered(&[("x.yaml", "{{ fail \"no\" }}")], &json!({})).unwrap_err();
        assert_eq!(error.to_string(), "template c/templates/x.yaml: no");
    }
}
