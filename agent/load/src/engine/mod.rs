//! One connection to the target, and one request on it. This is the part that knows hyper; pacing and recording do not.

mod call;
mod dial;

pub(crate) use call::{Answer, CallError, Connection, request_of};
pub(crate) use dial::Dialer;
