//! Servers on loopback for tests: one that behaves well, one that is told byte by byte what to do, one for HTTP/2.

pub(crate) mod raw;
pub(crate) mod tls;
pub(crate) mod web;
