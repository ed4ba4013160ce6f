//! Headers as inputs give them, with what credentials name. What they mean is the business of each task.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use iter8_core::task::Credential;

use super::source::input;
use crate::credentials::Credentials;
use crate::tasks::TaskError;

/// The text of one of the headers under `key`.
pub(crate) fn header_text(
    key: &str,
    name: &str,
    value: &Credential,
    credentials: &Credentials<'_>,
) -> Result<String, TaskError> {
    let failed = |source| TaskError::Credential { key: format!("{key}.{name}"), source };
    credentials.resolve(value).map_err(failed)
}

/// Headers for requests, which no log shows.
pub(crate) fn header_map(
    key: &'static str,
    headers: &BTreeMap<String, Credential>,
    credentials: &Credentials<'_>,
) -> Result<HeaderMap, TaskError> {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        let text = header_text(key, name, value, credentials)?;
        let name = HeaderName::try_from(name).map_err(|error| input(key, error))?;
        let value = HeaderValue::try_from(text);
        let mut value = value
            .map_err(|_| input(key, format!("the value of `{name}` has characters that a header cannot carry")))?;
        value.set_sensitive(true);
        map.insert(name, value);
    }
    Ok(map)
}
