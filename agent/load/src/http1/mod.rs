//! HTTP/1.1: prepared requests, a streaming reader of responses, and the connection that both meet on.

mod connection;
#[cfg(test)]
mod fuzz;
mod request;
mod response;

pub(crate) use connection::{Connection, Scratch};
pub(crate) use request::{Pattern, Prepared};
