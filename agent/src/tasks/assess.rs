//! The task `assess`: lets iter8-core judge what was measured. It decides nothing itself.

use iter8_core::task::assess::Assess;

use super::TaskContext;

pub(super) fn run(inputs: &Assess, context: TaskContext<'_>) -> String {
    let result = context.result;
    iter8_core::assess::record(result, inputs);
    match result.verdict {
        Some(verdict) => format!("{verdict}: {}", result.verdict_reason),
        None => result.verdict_reason.clone(),
    }
}
