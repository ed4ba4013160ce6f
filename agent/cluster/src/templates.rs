//! The templates that are part of the program, beside the charts.

use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "../../manifests/templates/"]
struct Templates;

/// The built-in template of the metrics provider called `name`.
pub fn built_in_metrics(name: &str) -> Option<String> {
    let file = Templates::get(&format!("metrics/{name}.tpl"))?;
    String::from_utf8(file.data.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use iter8_core::task::custommetrics::BUILT_IN;

    use super::*;

    #[test]
    fn the_templates_that_are_there_are_those_that_inputs_may_name() {
        let there: BTreeSet<String> = Templates::iter()
            .filter_map(|path| Some(path.strip_prefix("metrics/")?.strip_suffix(".tpl")?.to_owned()))
            .collect();
        assert_eq!(there, BUILT_IN.map(str::to_owned).into());
        assert!(built_in_metrics("prometheus").is_some_and(|text| text.contains("provider: prometheus")));
        assert_eq!(built_in_metrics("nobody"), None);
    }
}
