//! The name of an image: `name:tag` as people write it, and the full form that a container runtime stores.

use std::fmt;
use std::str::FromStr;

/// Where a container runtime looks for a name without a registry, and how it then stores the name.
const DEFAULT_REGISTRY: &str = "docker.io";

/// A full image name: registry, repository and tag.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Reference {
    repository: String,
    tag: String,
}

#[derive(Debug, thiserror::Error)]
#[error(
    "image name `{0}` must be name:tag of lower-case letters, digits and . _ - /, for example iter8/iter8-agent:0.1.0"
)]
pub(crate) struct Error(String);

impl Reference {
    pub(crate) fn tag(&self) -> &str {
        &self.tag
    }
}

impl FromStr for Reference {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = || Error(text.to_owned());
        let (name, tag) = text.rsplit_once(':').ok_or_else(invalid)?;
        let tag_start = tag.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        let tag_rest = tag.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
        if !tag_start || !tag_rest || tag.len() > 128 {
            return Err(invalid());
        }
        let (first, rest) = name.split_once('/').unwrap_or((name, ""));
        let has_registry = !rest.is_empty() && (first == "localhost" || first.contains(['.', ':']));
        let path = if has_registry { rest } else { name };
        let component = |part: &str| {
            part.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
                && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-".contains(c))
        };
        if !path.split('/').all(component) {
            return Err(invalid());
        }
        let repository = match (has_registry, rest.is_empty()) {
            (true, _) => name.to_owned(),
            (false, true) => format!("{DEFAULT_REGISTRY}/library/{name}"),
            (false, false) => format!("{DEFAULT_REGISTRY}/{name}"),
        };
        Ok(Self { repository, tag: tag.to_owned() })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn completes_names_as_a_container_runtime_does() {
        for (written, full) in [
            ("iter8/iter8-agent:0.1.0", "docker.io/iter8/iter8-agent:0.1.0"),
            ("pause:1", "docker.io/library/pause:1"),
            ("localhost/pause:1", "localhost/pause:1"),
            ("registry.test:5000/a/b:v1", "registry.test:5000/a/b:v1"),
        ] {
            assert_eq!(written.parse::<Reference>().unwrap().to_string(), full);
        }
    }

    #[test]
    fn refuses_what_no_runtime_accepts() {
        for text in ["iter8/agent", "Iter8/agent:1", "a//b:1", "a:", ":1", "a b:1", "registry.test:5000/a"] {
            let error = text.parse::<Reference>().unwrap_err();
            assert!(error.to_string().contains(text), "{error}");
        }
    }
}
