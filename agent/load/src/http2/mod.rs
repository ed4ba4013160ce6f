//! HTTP/2 on the h2 crate: sessions, each one connection that many requests share (RFC 9113), and plain requests. Which
//! request is sent when is not its business.

mod request;
mod session;
mod wire;

pub(crate) use request::{Prepared, Varying};
pub(crate) use session::{Broken, Link, Sessions};
