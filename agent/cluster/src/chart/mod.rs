//! Helm charts: what they are made of, their values, and the objects they give.

mod coalesce;
mod files;
mod render;

pub use coalesce::coalesce;
pub use files::{Chart, ChartError};
pub use render::{Release, render};
