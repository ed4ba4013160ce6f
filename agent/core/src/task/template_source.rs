//! Where a template among the inputs of a task is. Getting hold of it is the agent's business, and which templates are
//! built in that of each task.

use crate::scalar::Text;

/// Where a template is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TemplateSource<'a> {
    /// At a URL.
    Url(&'a str),
    /// In a file that the agent sees.
    Path(&'a str),
    /// Here.
    Text(&'a str),
}

impl<'a> TemplateSource<'a> {
    /// What a text among the inputs is: a URL when it begins as one, a template when it has a line break or an action, and a
    /// path otherwise.
    pub fn of(text: &'a Text) -> Self {
        let text = text.0.as_str();
        let trimmed = text.trim();
        let is_one_line = !trimmed.contains('\n') && !trimmed.contains("{{");
        if is_one_line && (trimmed.starts_with("http://") || trimmed.starts_with("https://")) {
            Self::Url(trimmed)
        } else if is_one_line && (trimmed.is_empty() || !text.contains('\n')) {
            Self::Path(trimmed)
        } else {
            Self::Text(text)
        }
    }

    /// The name of a built-in template, where a task has some: a path that could as well be one.
    pub fn built_in(self) -> Option<&'a str> {
        match self {
            Self::Path(path) => Some(path).filter(|path| !path.contains(['/', '.'])),
            Self::Url(_) | Self::Text(_) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_found_where_its_text_says() {
        for (text, source, built_in) in [
            ("prometheus", TemplateSource::Path("prometheus"), Some("prometheus")),
            (" istio-prom ", TemplateSource::Path("istio-prom"), Some("istio-prom")),
            ("./prometheus", TemplateSource::Path("./prometheus"), None),
            ("my.tpl", TemplateSource::Path("my.tpl"), None),
            ("/etc/my.tpl", TemplateSource::Path("/etc/my.tpl"), None),
            (" \n", TemplateSource::Path(""), Some("")),
            ("{\"text\": 1}\n", TemplateSource::Text("{\"text\": 1}\n"), None),
            (" https://a/b.tpl\n", TemplateSource::Url("https://a/b.tpl"), None),
            ("{{ .x }}", TemplateSource::Text("{{ .x }}"), None),
            ("url: http://a\nmethod: GET\n", TemplateSource::Text("url: http://a\nmethod: GET\n"), None),
        ] {
            let text = Text(text.to_owned());
            let found = TemplateSource::of(&text);
            assert_eq!((found, found.built_in()), (source, built_in));
        }
    }
}
