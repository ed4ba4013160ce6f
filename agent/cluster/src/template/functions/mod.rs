//! The functions of templates, one file per subject.

mod call;
mod cases;
mod dates;
mod dicts;
mod encoding;
mod include;
mod json;
mod layout;
mod lists;
mod logic;
mod math;
mod paths;
mod refused;
mod regexes;
mod registry;
mod semver;
mod strings;
mod urls;
mod yaml;

pub(super) use refused::refusal;
pub use registry::Extra;
pub(super) use registry::{function_map, is_known, names};
