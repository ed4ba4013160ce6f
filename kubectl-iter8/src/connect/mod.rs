//! From kubectl's global flags to a client of the API server: the flags, the kubeconfig, credential plugins, proxies,
//! and the wording of what goes wrong. What is asked of the server is decided elsewhere.

mod env;
mod error;
mod exec;
mod flags;
mod kubeconfig;
mod manners;
mod proxy;
mod target;

pub use env::ConnectEnv;
pub use error::{ApiFailure, ConnectError, api_error};
pub use flags::{GlobalArgs, LegacyLogLevel};
pub use manners::{Aside, Tell};
pub use target::Target;
