//! `iter8-agent autox`: the controller that launches experiments when triggers get another version.
//!
//! What is to be done is decided by [`iter8_core::autox::planner`]; here is only the acting around it:
//! [`controller`] is the loop, [`watch`] tells what is there, [`work`] launches and deletes, [`lease`] makes sure that
//! one replica acts, [`tell`] says what is decided, [`metrics`] counts it and [`serve`] shows the counts.

mod controller;
mod lease;
mod metrics;
mod serve;
mod tell;
mod watch;
mod work;

pub use controller::{AutoxError, Options, run};
pub use watch::is_rolled_out;
