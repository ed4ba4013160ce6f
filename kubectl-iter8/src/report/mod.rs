//! Reports: a result in, a text out. Where the result comes from and where the text goes is decided elsewhere.

mod format;
mod html;
mod text;
mod words;

pub use format::{ReportError, ReportFormat, Style, render};
