//! The report as one HTML file that needs no network and no script. What stands in it is decided in `view`, where lines
//! and bars lie in `charts`; here it is put into the template.

mod charts;
mod view;

use iter8_core::ExperimentResult;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};

use view::View;

/// The name ends in `.html`, so that every text is escaped.
const NAME: &str = "report.html";

/// Draws the whole report.
pub(super) fn draw(result: &ExperimentResult) -> Result<String, minijinja::Error> {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.set_syntax(SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build()?);
    templates.add_template(NAME, include_str!("report.html"))?;
    let page = templates.get_template(NAME)?.render(Serde(View::of(result, include_str!("style.css"))))?;
    // HTML knows no control characters but the end of a line.
    Ok(page.chars().filter(|c| *c == '\n' || !c.is_control()).collect::<String>() + "\n")
}
