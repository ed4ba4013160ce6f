//! gRPC over HTTP/2 (the protocol's document PROTOCOL-HTTP2): what is called, and how its calls end. The engine knows
//! messages as bytes and metadata as headers; what they mean is the business of whoever makes them.

mod call;
mod code;
mod exchange;
mod frame;
mod request;
mod response;

pub use call::{Call, CallNumber, Kind, MadeCall, Make, Messages, StreamRule};
pub use code::Code;
pub(crate) use exchange::{Caller, Counts};
pub(crate) use request::Prepared;
