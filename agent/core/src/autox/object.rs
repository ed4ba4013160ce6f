//! What is read of a trigger: its labels, its version by whichever way the group names, and whether its rollout is
//! done. Watching it is the business of the agent.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::{AUTOX_LABEL, TRACK_LABEL, VERSION_LABEL};

/// Where the version of a trigger stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum VersionSource {
    /// In the label `app.kubernetes.io/version`.
    #[default]
    Label,
    /// In the images of its pods: their digests, or tags, or names.
    Image,
    /// In a field.
    Field(Path),
}

/// The path of a field: keys and positions in lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Key(String),
    Position(usize),
}

/// A text is not the path of a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is `{0}`: write label, image, or the path of a field as in .spec.template.spec.containers[0].image")]
pub struct InvalidSource(String);

/// A trigger as it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Its identity, for whoever refers to it.
    pub uid: String,
    /// The version; None when it has none, or an empty one.
    pub version: Option<String>,
    /// All its labels.
    pub labels: BTreeMap<String, String>,
    /// Whether its rollout is done: the newest version is what runs.
    pub is_rolled_out: bool,
}

impl Seen {
    /// What is read of an object, of which only the metadata need be there when the version is a label. None when it is
    /// being deleted: it only waits for its finalizers.
    pub fn of(object: &Value, source: &VersionSource, is_rolled_out: bool) -> Option<Self> {
        let metadata = object.get("metadata")?;
        if metadata.get("deletionTimestamp").is_some_and(|time| !time.is_null()) {
            return None;
        }
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let labels = metadata.get("labels").and_then(Value::as_object).into_iter().flatten();
        Some(Self {
            uid: metadata.get("uid").map(text).unwrap_or_default(),
            version: source.version(object),
            labels: labels.map(|(key, value)| (key.clone(), text(value))).collect(),
            is_rolled_out,
        })
    }

    /// Whether the label `iter8.tools/autox` is `true`.
    pub fn is_marked(&self) -> bool {
        self.labels.get(AUTOX_LABEL).is_some_and(|value| value == "true")
    }

    /// The track of the version.
    pub fn track(&self) -> Option<&str> {
        self.labels.get(TRACK_LABEL).map(String::as_str).filter(|track| !track.is_empty())
    }
}

impl VersionSource {
    /// Reads the name of a way, or a path.
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, InvalidSource> {
        match text {
            "label" => Ok(Self::Label),
            "image" => Ok(Self::Image),
            _ => Path::parse(text).map(Self::Field).ok_or_else(|| InvalidSource(text.to_owned())),
        }
    }

    /// Whether more than the metadata of the object must be read.
    pub fn needs_whole_object(&self) -> bool {
        !matches!(self, Self::Label)
    }

    /// The version of an object.
    pub fn version(&self, object: &Value) -> Option<String> {
        let text = match self {
            Self::Label => object.get("metadata")?.get("labels")?.get(VERSION_LABEL)?.as_str()?.to_owned(),
            Self::Image => images(object)?,
            Self::Field(path) => match path.of(object)? {
                Value::Null => return None,
                Value::String(text) => text.clone(),
                value => value.to_string(),
            },
        };
        Some(text).filter(|text| !text.trim().is_empty()).map(short)
    }
}

/// The longest version that is taken as it is, in bytes; of a longer one the digest is.
const VERSION_MAX: usize = 200;

fn short(version: String) -> String {
    if version.len() <= VERSION_MAX {
        return version;
    }
    let digest = Sha256::digest(version);
    let hexadecimal: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hexadecimal}")
}

/// What tells the images of an object's pods apart, in the order of their containers. The pods of workloads are at
/// `spec.template`, as are those of Knative Services; a Pod is one itself.
fn images(object: &Value) -> Option<String> {
    let spec = object.get("spec")?;
    let pod = spec.get("template").and_then(|template| template.get("spec")).unwrap_or(spec);
    let containers = pod.get("containers")?.as_array()?;
    let images = containers.iter().filter_map(|container| container.get("image")?.as_str());
    let shown: Vec<&str> = images.map(distinctive).collect();
    Some(shown.join(",")).filter(|text| !text.is_empty())
}

/// The digest of an image, or its tag, or the whole reference where it has neither.
fn distinctive(image: &str) -> &str {
    if let Some((_, digest)) = image.split_once('@') {
        return digest;
    }
    // A colon before the last slash belongs to a registry's port.
    match image.rsplit_once(':') {
        Some((_, tag)) if !tag.contains('/') && !tag.is_empty() => tag,
        _ => image,
    }
}

impl Path {
    /// Reads `.spec.containers[0].image`; a key with other characters than letters, digits, `-` and `_` is written
    /// `['app.kubernetes.io/name']`. A `$` and braces around the whole, as in kubectl's JSONPath, may be there.
    fn parse(text: &str) -> Option<Self> {
        let inner = text.strip_prefix('{').and_then(|inner| inner.strip_suffix('}')).unwrap_or(text);
        let mut rest = inner.strip_prefix('$').unwrap_or(inner);
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let part;
            if let Some(after) = rest.strip_prefix('.') {
                let end = after.find(['.', '[']).unwrap_or(after.len());
                let (key, left) = after.split_at(end);
                let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
                if key.is_empty() || !key.chars().all(is_plain) {
                    return None;
                }
                (part, rest) = (Part::Key(key.to_owned()), left);
            } else {
                let after = rest.strip_prefix('[')?;
                if let Some(quoted) = after.strip_prefix('\'') {
                    let (key, left) = quoted.split_once("']")?;
                    (part, rest) = (Part::Key(key.to_owned()), left);
                } else {
                    let (number, left) = after.split_once(']')?;
                    (part, rest) = (Part::Position(number.parse().ok()?), left);
                }
            }
            parts.push(part);
        }
        (!parts.is_empty()).then_some(Self(parts))
    }

    fn of<'a>(&self, object: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(object, |value, part| match part {
            Part::Key(key) => value.get(key),
            Part::Position(position) => value.get(position),
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn version(source: &str, object: &Value) -> Option<String> {
        VersionSource::parse(source).unwrap().version(object)
    }

    fn pods(images: &[&str]) -> Value {
        let containers: Vec<Value> = images.iter().map(|image| json!({ "image": image })).collect();
        json!({ "spec": { "template": { "spec": { "containers": containers } } } })
    }

    #[test]
    fn the_label_is_the_version_unless_it_is_empty() {
        let labelled = |version: &str| json!({ "metadata": { "labels": { VERSION_LABEL: version } } });
        assert_eq!(version("label", &labelled("2.0")).as_deref(), Some("2.0"));
        assert_eq!(version("label", &labelled("")), None);
        assert_eq!(version("label", &json!({ "metadata": {} })), None);
    }

    #[test]
    fn an_image_is_told_by_its_digest_or_its_tag() {
        let of = |image| version("image", &pods(&[image]));
        assert_eq!(of("shop@sha256:12ab").as_deref(), Some("sha256:12ab"));
        assert_eq!(of("registry:5000/shop:1.2").as_deref(), Some("1.2"));
        assert_eq!(of("registry:5000/shop:1.2@sha256:12ab").as_deref(), Some("sha256:12ab"));
        assert_eq!(of("registry:5000/shop").as_deref(), Some("registry:5000/shop"));
        assert_eq!(version("image", &pods(&["a:1", "b:2"])).as_deref(), Some("1,2"));
        assert_eq!(version("image", &json!({ "spec": { "containers": [{ "image": "a:1" }] } })).as_deref(), Some("1"));
        assert_eq!(version("image", &json!({ "spec": {} })), None);
    }

    #[test]
    fn any_field_can_be_the_version() {
        let object =
            json!({ "metadata": { "labels": { "a.b/c": "x" } }, "spec": { "model": [{ "uri": "s3://m" }], "n": 7 } });
        assert_eq!(version(".spec.model[0].uri", &object).as_deref(), Some("s3://m"));
        assert_eq!(version("{.spec.n}", &object).as_deref(), Some("7"));
        assert_eq!(version("$.metadata.labels['a.b/c']", &object).as_deref(), Some("x"));
        assert_eq!(version(".spec.none", &object), None);
        let long = version(".spec", &json!({ "spec": { "a": "x".repeat(300) } })).unwrap();
        assert!(long.starts_with("sha256:") && long.len() == 71, "{long}");
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in ["", "labels", "tag", ".", ".spec.", ".spec[", ".spec[x]", ".spec..a", ".spec['a", "spec.a", ".a b"]
        {
            let error = VersionSource::parse(text).unwrap_err();
            assert!(error.to_string().starts_with(&format!("is `{text}`: write label, image, or")), "{error}");
        }
    }

    #[test]
    fn an_object_that_is_being_deleted_is_not_seen() {
        let mut object = json!({ "metadata": { "uid": "u", "labels": { VERSION_LABEL: "2.0", AUTOX_LABEL: "true" } } });
        let seen = Seen::of(&object, &VersionSource::Label, false).unwrap();
        assert_eq!((seen.uid.as_str(), seen.version.as_deref(), seen.is_marked()), ("u", Some("2.0"), true));
        object["metadata"]["deletionTimestamp"] = json!("2026-01-02T03:04:05Z");
        assert_eq!(Seen::of(&object, &VersionSource::Label, false), None);
    }

    #[test]
    fn only_the_value_true_marks_a_trigger() {
        let marked =
            |value: &str| Seen { labels: [(AUTOX_LABEL.to_owned(), value.to_owned())].into(), ..Seen::default() };
        assert!(marked("true").is_marked());
        assert!(!marked("").is_marked() && !marked("false").is_marked() && !marked("True").is_marked());
        assert!(!Seen::default().is_marked());
    }
}
