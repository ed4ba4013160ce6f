//! One file per command: its arguments, and a thin function that answers it.

pub(crate) mod assert;
pub(crate) mod autox;
pub(crate) mod check;
pub(crate) mod completion;
pub(crate) mod delete;
pub(crate) mod demo;
pub(crate) mod diff;
pub(crate) mod get;
pub(crate) mod launch;
pub(crate) mod lint;
pub(crate) mod log;
pub(crate) mod render;
pub(crate) mod report;
pub(crate) mod version;
