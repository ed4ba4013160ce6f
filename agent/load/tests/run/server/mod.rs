//! Servers on loopback for tests: one that behaves well, one that is told byte by byte what to do, and the same two for gRPC.

pub(crate) mod grpc;
pub(crate) mod h2;
pub(crate) mod raw;
pub(crate) mod tls;
pub(crate) mod web;
