//! Where a value goes: keys and indices, as in `versionValues[0].labels.x`.

use serde_json::{Map, Value};

/// The largest index of a list, as Helm allows.
const INDEX_MAX: usize = 65_536;
/// The most keys in a path, as Helm allows.
const DEPTH_MAX: usize = 30;

/// A place in values.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<Part>);

/// A part of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    Index(usize),
}

/// Why a value cannot be put where it should go.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PathError {
    /// The index is too large.
    #[error("index of {0} is greater than maximum supported index of {INDEX_MAX}")]
    Index(usize),
    /// There are too many keys.
    #[error("value name nested level is greater than maximum supported nested level of {DEPTH_MAX}")]
    Depth,
    /// Something else stands there already.
    #[error("`{place}` is {found} already, so nothing can be set below it")]
    Occupied {
        /// The part of the path that is taken.
        place: String,
        /// What stands there.
        found: &'static str,
    },
}

impl Path {
    /// Puts `value` there, making maps and lists on the way; gaps in lists become null.
    pub(super) fn put(&self, root: &mut Value, value: Value) -> Result<(), PathError> {
        if self.0.iter().filter(|part| matches!(part, Part::Key(_))).count() > DEPTH_MAX + 1 {
            return Err(PathError::Depth);
        }
        if let Some(index) = self.0.iter().find_map(|part| match part {
            Part::Index(index) if *index > INDEX_MAX => Some(*index),
            Part::Index(_) | Part::Key(_) => None,
        }) {
            return Err(PathError::Index(index));
        }
        let mut place = root;
        for (depth, part) in self.0.iter().enumerate() {
            let occupied = |found| PathError::Occupied { place: Self(self.0[..depth].to_vec()).to_string(), found };
            place = match part {
                Part::Key(key) => {
                    if place.is_null() {
                        *place = Value::Object(Map::new());
                    }
                    let found = kind(place);
                    let map = place.as_object_mut().ok_or_else(|| occupied(found))?;
                    map.entry(key.clone()).or_insert(Value::Null)
                }
                Part::Index(index) => {
                    if place.is_null() {
                        *place = Value::Array(Vec::new());
                    }
                    let found = kind(place);
                    let list = place.as_array_mut().ok_or_else(|| occupied(found))?;
                    if list.len() <= *index {
                        list.resize(*index + 1, Value::Null);
                    }
                    &mut list[*index]
                }
            };
        }
        *place = value;
        Ok(())
    }
}

const fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

impl std::fmt::Display for Path {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (depth, part) in self.0.iter().enumerate() {
            match part {
                Part::Key(key) if depth > 0 => write!(f, ".{key}")?,
                Part::Key(key) => f.write_str(key)?,
                Part::Index(index) => write!(f, "[{index}]")?,
            }
        }
        Ok(())
    }
}
