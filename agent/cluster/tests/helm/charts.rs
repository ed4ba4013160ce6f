//! The charts with each values file, by both renderers.

use std::collections::BTreeMap;
use std::fs;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_cluster::chart::{Chart, Release, coalesce, render};
use iter8_cluster::names::{AUTOX_CONFIG_KEY, Group, Revision, SPEC_KEY};
use iter8_core::schema::Problem;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::oracle::{Answer, ask};
use crate::repository;

/// A chart with the folder of its values files.
#[derive(Clone, Copy, Debug)]
enum Of {
    Iter8,
    Autox,
}

impl Of {
    const fn name(self) -> &'static str {
        match self {
            Self::Iter8 => "iter8",
            Self::Autox => "autox",
        }
    }

    const fn folder(self) -> &'static str {
        match self {
            Self::Iter8 => "tests/helm/values",
            Self::Autox => "tests/helm/autox",
        }
    }

    fn problems(self, values: &Value) -> Vec<Problem> {
        match self {
            Self::Iter8 => iter8_core::values::problems(values),
            Self::Autox => iter8_core::autox::values::problems(values, env!("CARGO_PKG_VERSION")),
        }
    }
}

/// A values file. Its opening comment says what it is about; lines of it may be directives:
/// `# release: {name: …, namespace: …, revision: …}`, `# refused by: both` or `iter8 alone`, and `# differs: WHY`.
struct Case {
    of: Of,
    file: String,
    values: String,
    release: ReleaseOf,
    expected: Expected,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
struct ReleaseOf {
    name: String,
    namespace: String,
    revision: u32,
}

impl Default for ReleaseOf {
    fn default() -> Self {
        Self { name: "default".to_owned(), namespace: "default".to_owned(), revision: 1 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Expected {
    SameObjects,
    /// Deliberately others; the directive says why.
    OtherObjects,
    RefusedByBoth,
    /// iter8 checks more than a schema can say; the comment says what and why.
    RefusedByIter8Alone,
}

fn cases(of: Of) -> Vec<Case> {
    let folder = repository(of.folder());
    let mut cases: Vec<Case> = fs::read_dir(folder)
        .expect("the folder of the values can be read")
        .map(|entry| {
            let path = entry.expect("the folder of the values can be read").path();
            let values = fs::read_to_string(&path).expect("a values file can be read");
            let file = path.file_name().expect("a file has a name").to_string_lossy().into_owned();
            Case { of, release: release(&values), expected: expected(&file, &values), file, values }
        })
        .collect();
    cases.sort_by(|a, b| a.file.cmp(&b.file));
    assert!(!cases.is_empty(), "there are no values files");
    cases
}

fn directive<'a>(values: &'a str, name: &str) -> Option<&'a str> {
    values.lines().find_map(|line| line.strip_prefix("# ")?.strip_prefix(name)?.strip_prefix(": "))
}

fn release(values: &str) -> ReleaseOf {
    let given = directive(values, "release").map(serde_yaml::from_str);
    given.map_or_else(ReleaseOf::default, |read| read.expect("the directive has the form of `ReleaseOf`"))
}

fn expected(file: &str, values: &str) -> Expected {
    match (directive(values, "refused by"), directive(values, "differs")) {
        (None, None) => Expected::SameObjects,
        (None, Some(_)) => Expected::OtherObjects,
        (Some("both"), None) => Expected::RefusedByBoth,
        (Some("iter8 alone"), None) => Expected::RefusedByIter8Alone,
        (Some(refused), _) => panic!("{file}: `refused by: {refused}` has no meaning here"),
    }
}

/// What iter8 makes of a case, in the plugin's order: merge with the defaults, check, render.
fn rendered(chart: &Chart, case: &Case) -> Result<Vec<Value>, String> {
    let options = serde_yaml::options! { legacy_octal_numbers: true };
    let user: Value = serde_yaml::from_str_with_options(&case.values, options).map_err(|error| error.to_string())?;
    let (values, _) = coalesce(&user, &chart.defaults);
    let problems = case.of.problems(&values);
    if !problems.is_empty() {
        return Err(problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
    }
    let release = Release {
        name: Group::new(&case.release.name).map_err(|error| error.to_string())?,
        namespace: case.release.namespace.clone(),
        revision: Revision(case.release.revision),
        // What Helm calls itself.
        service: "Helm".to_owned(),
    };
    render(chart, &release, &values).map_err(|error| error.to_string())
}

fn helm(of: Of, cases: &[Case]) -> Vec<Answer> {
    let question = |Case { values, release: ReleaseOf { name, namespace, revision }, .. }: &Case| json!({"values": values, "name": name, "namespace": namespace, "revision": revision});
    let directory = repository("manifests/charts").join(of.name());
    let directory = directory.to_str().expect("the path is UTF-8");
    ask(&["chart", directory], &cases.iter().map(question).collect::<Vec<_>>())
}

fn assert_the_same(of: Of) {
    let chart = Chart::embedded(of.name()).expect("the chart is part of the program");
    let cases = cases(of);
    let compared = cases.iter().zip(helm(of, &cases)).filter_map(|(case, answer)| {
        compared(case, rendered(&chart, case), answer).err().map(|difference| format!("{}: {difference}", case.file))
    });
    let different: Vec<String> = compared.collect();
    assert!(different.is_empty(), "\n{}\n", different.join("\n\n"));
}

#[test]
fn the_chart_of_experiments_gives_the_same_objects_with_helm() {
    assert_the_same(Of::Iter8);
}

#[test]
fn the_chart_of_autox_gives_the_same_objects_with_helm() {
    assert_the_same(Of::Autox);
}

/// What YAML, JSON, templates or a shell may find special, at the beginning, in the middle or at the end of a text.
const PIECES: [&str; 54] = [
    "",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "\n  ",
    "a",
    "é",
    "日",
    "😀",
    "\u{a0}",
    "\u{feff}",
    "1",
    "0777",
    "0x1f",
    "1e3",
    "1_000",
    ".5",
    ".inf",
    "1:2",
    "2026-01-02",
    "null",
    "~",
    "true",
    "yes",
    "off",
    "<<",
    "-",
    "- ",
    "---",
    "...",
    ":",
    ": ",
    "#",
    " #",
    "'",
    "\"",
    "\\",
    "{",
    "}",
    "{{",
    "}}",
    "[",
    "]",
    ",",
    "&",
    "*",
    "!",
    "|",
    ">",
    "%",
    "@",
    "`",
];

#[test]
fn any_text_survives_in_inputs_and_annotations() {
    let pairs = PIECES.iter().flat_map(|first| PIECES.iter().map(move |last| format!("{first}{last}")));
    let texts: Map<String, Value> =
        pairs.enumerate().map(|(number, text)| (format!("x-{number}"), text.into())).collect();
    let http = json!({"url": "http://shop", "headers": texts});
    let values = json!({"tasks": ["http"], "http": http, "podAnnotations": texts}).to_string();
    let (of, file, expected) = (Of::Iter8, String::new(), Expected::SameObjects);
    let case = Case { of, file, values, release: ReleaseOf::default(), expected };
    let helm = helm(of, std::slice::from_ref(&case)).remove(0);
    let ours = rendered(&Chart::embedded("iter8").unwrap(), &case).unwrap();
    for (who, objects) in [("iter8", ours), ("Helm", helm.objects)] {
        let objects = by_identity(objects);
        let of = |name: &str| objects.iter().find(|(identity, _)| identity.contains(name)).unwrap().1;
        let headers = &of("-spec")["data"][SPEC_KEY]["spec"][0]["with"]["headers"];
        let annotations = &of("Job")["spec"]["template"]["metadata"]["annotations"];
        for read in [headers, annotations] {
            let lost: Vec<_> = texts.iter().filter(|(name, text)| read.get(name.as_str()) != Some(text)).collect();
            assert!(lost.is_empty(), "{who} loses {lost:?}");
        }
    }
}

fn compared(case: &Case, ours: Result<Vec<Value>, String>, helm: Answer) -> Result<(), String> {
    match (case.expected, ours, helm.error) {
        (Expected::SameObjects, Ok(ours), None) => same(ours, helm.objects),
        (Expected::OtherObjects, Ok(ours), None) => match same(ours, helm.objects) {
            Ok(()) => Err("differs no more: take the directive away".to_owned()),
            Err(_) => Ok(()),
        },
        (Expected::RefusedByBoth, Err(_), Some(_)) | (Expected::RefusedByIter8Alone, Err(_), None) => Ok(()),
        (expected, ours, helm) => {
            let said = |error: Option<String>| error.unwrap_or_else(|| "objects".to_owned());
            Err(format!("expected {expected:?}\n  iter8: {}\n  Helm: {}", said(ours.err()), said(helm)))
        }
    }
}

fn same(ours: Vec<Value>, helm: Vec<Value>) -> Result<(), String> {
    let (ours, helm) = (by_identity(ours), by_identity(helm));
    let names = |objects: &BTreeMap<String, Value>| objects.keys().cloned().collect::<Vec<_>>();
    if names(&ours) != names(&helm) {
        return Err(format!("the objects are others\n  iter8: {:?}\n  Helm: {:?}", names(&ours), names(&helm)));
    }
    let unequal = ours.iter().filter(|(name, object)| helm[*name] != **object);
    let shown: Vec<String> = unequal
        .map(|(name, object)| format!("{name} differs\n  iter8: {object}\n  Helm: {helm}", helm = helm[name]))
        .collect();
    if shown.is_empty() { Ok(()) } else { Err(shown.join("\n")) }
}

/// Objects by kind, namespace and name, which no two of a chart share. The experiment is taken out of its encoding, so
/// that the ways to write YAML do not matter, but what is read from it.
fn by_identity(objects: Vec<Value>) -> BTreeMap<String, Value> {
    let count = objects.len();
    let named: BTreeMap<String, Value> = objects
        .into_iter()
        .map(|mut object| {
            for key in [SPEC_KEY, AUTOX_CONFIG_KEY] {
                if let Some(encoded) = object["data"][key].as_str() {
                    object["data"][key] = decoded(encoded);
                }
            }
            (format!("{} {}/{}", object["kind"], object["metadata"]["namespace"], object["metadata"]["name"]), object)
        })
        .collect();
    assert_eq!(named.len(), count, "two objects have the same name");
    named
}

/// As the agent reads it; the text itself, when it cannot.
fn decoded(encoded: &str) -> Value {
    let bytes = STANDARD.decode(encoded).expect("the data of a Secret is base64");
    let text = String::from_utf8(bytes).expect("an experiment is text");
    serde_yaml::from_str(&text).unwrap_or(Value::String(text))
}
