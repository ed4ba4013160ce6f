//! Fakes and harness for iter8's tests: an in-memory Kubernetes API, HTTP and gRPC targets, a hermetic command line. Nothing here
//! is shipped, and nothing waits for time to pass.

pub mod api_server;
pub mod command;
pub mod grpc_target;
pub mod http_proxy;
pub mod http_target;
mod loopback;
mod terminal;
mod watched;
