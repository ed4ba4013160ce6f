//! Go templates with the functions that Helm charts use: text and data in, text out. Knows nothing of charts or
//! Kubernetes, and reads no clock, environment, file or network; only functions that the caller adds may.
//!
//! The syntax is that of Go's `text/template`, the functions are those of Sprig 3 and Helm 3. What differs on purpose is
//! listed with examples in `tests/helm/functions.yaml`; in short: integers of the data stay integers (Helm turns them
//! into floats, and 1000000 into 1e+06); a field of a missing map is nil where Go refuses it; floats are printed without
//! an exponent; an error that Sprig hides is one; a point in time is a number of seconds; and functions that are not pure, or that change a dict in place, are
//! refused.

mod check;
mod engine;
mod error;
mod functions;
mod value;

pub use engine::{Engine, render};
pub use error::TemplateError;
pub use functions::Extra;
