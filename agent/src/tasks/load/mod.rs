//! What the tasks that send load have in common: from settings to a plan in time, and from a report to metrics. What is
//! sent is the business of each task.

pub(super) mod headers;
pub(super) mod metrics;
pub(super) mod parts;
pub(super) mod search;
pub(super) mod source;
pub(super) mod timing;
pub(super) mod tls;
mod versions;
pub(super) mod words;
