//! Everything that iter8 does with a Kubernetes cluster: charts and their templates, launching and deleting groups,
//! results, and why something does not get on.
//!
//! It is the only crate that writes to the API server, and names and labels stand in [`names`] alone. Rendering is
//! pure. What an experiment means is the business of iter8-core; what is printed about it, of the plugin.

pub mod applyset;
pub mod autox;
pub mod chart;
pub mod delete;
pub mod deployed;
pub mod diagnose;
pub mod error;
pub mod experiment;
pub mod groups;
pub mod history;
pub mod install;
pub mod launch;
pub mod logs;
pub mod names;
pub mod objects;
pub mod parent;
pub mod plan;
pub mod preflight;
pub mod preview;
pub mod records;
pub mod result;
pub mod result_secret;
pub mod served;
mod survey;
pub mod template;
pub mod templates;
pub mod watch;
