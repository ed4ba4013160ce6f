//! `include` and `tpl`: functions that render templates of the set they belong to.

use std::sync::{Arc, Weak};

use gotmpl::{TemplateError, Value, ValueFunc};

use super::call::{Call, Outcome};
use crate::template::engine::Set;
use crate::template::value::string;

pub(super) const NAMES: [&str; 2] = ["include", "tpl"];

/// The functions, bound late: the set holds them, so they hold it weakly.
pub(super) fn bound_to(set: &Weak<Set>) -> impl Iterator<Item = (String, ValueFunc)> {
    NAMES.into_iter().map(|name| {
        let set = Weak::clone(set);
        let body: ValueFunc = Arc::new(move |args: &[Value]| render(&set, &Call { name, args }));
        (name.to_owned(), body)
    })
}

fn render(set: &Weak<Set>, call: &Call<'_>) -> Outcome {
    call.expect_count(&(2..=2))?;
    let text = call.str(0)?;
    let set = set.upgrade().ok_or_else(|| call.error("the templates are gone"))?;
    let rendered = match call.name {
        "tpl" => set.render_text(text, &call.args[1]),
        _ => set.include(text, &call.args[1]),
    };
    rendered.map(string).map_err(|error| match error {
        // Keeps the words of `fail` and `required` as they are through every level.
        TemplateError::Exec(message) => TemplateError::Exec(message),
        other => TemplateError::Exec(other.to_string()),
    })
}
