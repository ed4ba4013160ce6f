//! Inputs of the tasks that tell somebody how an experiment goes: `slack`, `github` and `webhook`. What they say is in
//! `payload.rs` and `report.rs`; saying it is the agent's business.

mod delivery;
mod github;
mod payload;
mod report;
mod slack;
mod webhook;

pub use delivery::{ATTEMPTS, Delivery, LONGEST_WAIT, Method};
pub use github::{Github, event_problem};
pub use payload::{of_github, of_slack};
pub use report::Report;
pub use slack::Slack;
pub use webhook::Webhook;

use super::credential::Credential;
use super::load::is_fetched;
use crate::schema::Problem;

/// What is wrong with a credential that has to be a URL. No message holds it.
fn url_problems(url: Option<&Credential>, example: &str) -> Vec<Problem> {
    let Some(url) = url else {
        let message = format!("is required: give {{secret: NAME, key: KEY}} of a Secret that holds it, or {example}");
        return vec![Problem::at("url", message)];
    };
    let problems: Vec<Problem> = url.validate().into_iter().map(|problem| problem.under("url")).collect();
    if problems.is_empty() && url.plain().is_some_and(|url| !is_fetched(url)) {
        return vec![Problem::at("url", "must begin with https:// or http:// and name a host")];
    }
    problems
}
