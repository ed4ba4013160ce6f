//! Metadata of calls: headers whose values, and even names, may be templates.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::tasks::call_template::{Allowed, CallData, CallTemplate, is_template};

/// What is sent beside the messages of a call.
#[derive(Default)]
pub(super) struct Metadata {
    fixed: HeaderMap,
    made: Vec<(CallTemplate, CallTemplate)>,
}

impl Metadata {
    /// Reads pairs of names and values; without `allowed` no template is worked out.
    ///
    /// # Errors
    /// What is wrong, in words, never with the value of an entry.
    pub(super) fn read(
        entries: impl IntoIterator<Item = (String, String)>,
        allowed: Option<Allowed>,
        example: &CallData<'_>,
    ) -> Result<Self, String> {
        let mut metadata = Self::default();
        for (name, value) in entries {
            match allowed.filter(|_| is_template(&name) || is_template(&value)) {
                Some(allowed) => {
                    let pair = (
                        CallTemplate::parse("metadata", &name, allowed, example)?,
                        CallTemplate::parse(&name, &value, allowed, example)?,
                    );
                    append(&mut HeaderMap::new(), &pair.0.render(example)?, &pair.1.render(example)?)?;
                    metadata.made.push(pair);
                }
                None => metadata.add(&name, &value)?,
            }
        }
        Ok(metadata)
    }

    /// Adds an entry that is sent as it is.
    ///
    /// # Errors
    /// As of [`Self::read`].
    pub(super) fn add(&mut self, name: &str, value: &str) -> Result<(), String> {
        append(&mut self.fixed, name, value)
    }

    /// The metadata, if they are the same for all calls.
    pub(super) fn fixed(&self) -> Option<&HeaderMap> {
        self.made.is_empty().then_some(&self.fixed)
    }

    /// The metadata of one call.
    pub(super) fn render(&self, call: &CallData<'_>) -> Result<HeaderMap, String> {
        let mut headers = self.fixed.clone();
        for (name, value) in &self.made {
            append(&mut headers, &name.render(call)?, &value.render(call)?)?;
        }
        Ok(headers)
    }
}

/// The protocol's own headers, which are not metadata (gRPC over HTTP/2, "Requests").
const RESERVED: [&str; 4] = ["content-type", "te", "host", "content-length"];

/// Names that end in `-bin` carry bytes, which travel in base64 (gRPC over HTTP/2, "Binary-Header").
fn append(headers: &mut HeaderMap, name: &str, value: &str) -> Result<(), String> {
    let lower = name.trim().to_ascii_lowercase();
    if RESERVED.contains(&lower.as_str()) || lower.starts_with("grpc-") || lower.starts_with(':') {
        return Err(format!("`{name}` is not metadata: gRPC itself sets it"));
    }
    let key = HeaderName::try_from(&lower).map_err(|_| format!("`{name}` is not the name of a header"))?;
    let value = if lower.ends_with("-bin") { STANDARD_NO_PAD.encode(value) } else { value.to_owned() };
    let mut value = HeaderValue::try_from(value)
        .map_err(|_| format!("the value of `{name}` has characters that a header cannot carry"))?;
    value.set_sensitive(true);
    headers.append(key, value);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Result<Metadata, String> {
        let allowed = Some(Allowed { functions: true, method: false });
        let entries = entries.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Metadata::read(entries, allowed, &CallData::new(0, 0, None))
    }

    #[test]
    fn values_and_names_may_be_templates() {
        let metadata =
            read(&[("Tenant", "a"), ("request-id", "r{{.RequestNumber}}"), ("x-{{.WorkerID}}", "1")]).unwrap();
        assert!(metadata.fixed().is_none());
        let headers = metadata.render(&CallData::new(2, 9, None)).unwrap();
        assert_eq!(
            (&headers["tenant"], &headers["request-id"], &headers["x-g2"]),
            (&"a".parse().unwrap(), &"r9".parse().unwrap(), &"1".parse().unwrap())
        );
        assert_eq!(read(&[("trace-bin", "abc")]).unwrap().fixed().unwrap()["trace-bin"], "YWJj");
        assert_eq!(read(&[("tenant", "a")]).unwrap().fixed().unwrap()["tenant"], "a");
    }

    #[test]
    fn what_is_no_metadata_is_refused_without_its_value() {
        for (name, value, message) in [
            ("grpc-timeout", "1S", "`grpc-timeout` is not metadata: gRPC itself sets it"),
            ("Content-Type", "x", "`Content-Type` is not metadata: gRPC itself sets it"),
            ("a b", "x", "`a b` is not the name of a header"),
            ("token", "s3cr3t\n", "the value of `token` has characters that a header cannot carry"),
        ] {
            assert_eq!(read(&[(name, value)]).err().unwrap(), message);
        }
    }
}
