//! A set of templates that may include each other.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use gotmpl::parse::{DefineNode, ListNode, Node, Parser};
use gotmpl::{MissingKey, Template};
use serde_json::Value;

use super::TemplateError;
use super::check::check;
use super::functions::{Extra, function_map};
use super::value::from_json;

/// How deeply `include` and `tpl` may nest. A chart of the real world needs a handful; a template that includes
/// itself must not exhaust the stack.
const MAX_DEPTH: usize = 32;

/// Templates, read and checked, ready to be rendered any number of times.
pub struct Engine {
    set: Arc<Set>,
}

/// What `include` and `tpl` see: the templates they are themselves part of.
pub(super) struct Set {
    template: Template,
    extras: &'static [Extra],
}

impl Engine {
    /// Reads `(name, text)` pairs. What they define is visible in all of them; a later definition replaces an
    /// earlier one.
    ///
    /// # Errors
    /// The first text that is not a template or names a function that cannot be used.
    pub fn new<'a>(texts: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self, TemplateError> {
        Self::read(texts, Template::new(""), &[])
    }

    /// Reads one text that is called `name`, may also call the functions of `extras`, and fails where it asks for a
    /// name that its data does not have.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn strict(name: &str, text: &str, extras: &'static [Extra]) -> Result<Self, TemplateError> {
        Self::read([(name, text)], Template::new("").missing_key(MissingKey::Error), extras)
    }

    /// As [`Engine::strict`], but what the data does not have is nil, as in Go, which prints it as `<no value>`.
    ///
    /// # Errors
    /// As [`Engine::new`].
    pub fn lenient(name: &str, text: &str, extras: &'static [Extra]) -> Result<Self, TemplateError> {
        Self::read([(name, text)], Template::new(""), extras)
    }

    fn read<'a>(
        texts: impl IntoIterator<Item = (&'a str, &'a str)>,
        base: Template,
        extras: &'static [Extra],
    ) -> Result<Self, TemplateError> {
        let mut trees = BTreeMap::new();
        for (name, text) in texts {
            for (name, tree) in parse(name, text, extras)? {
                add(&mut trees, name, tree);
            }
        }
        Ok(Self { set: Set::new(base, trees, extras) })
    }

    /// Renders the template called `name` with `data` as its dot.
    ///
    /// # Errors
    /// A function failed, `fail` or `required` spoke, or there is no such template.
    pub fn render(&self, name: &str, data: &Value) -> Result<String, TemplateError> {
        self.set.include(name, &from_json(data)).map_err(|error| TemplateError::of(name, &error))
    }
}

/// Renders one template text, which is called `name` in errors.
///
/// # Errors
/// As [`Engine::new`] and [`Engine::render`].
pub fn render(name: &str, text: &str, data: &Value) -> Result<String, TemplateError> {
    Engine::new([(name, text)])?.render(name, data)
}

impl Set {
    /// Adds `trees` to those of `base`. The functions look into the whole.
    fn new(base: Template, trees: impl IntoIterator<Item = (String, ListNode)>, extras: &'static [Extra]) -> Arc<Self> {
        Arc::new_cyclic(|set: &Weak<Self>| {
            let base = base.funcs(function_map(set, extras));
            let template = trees.into_iter().fold(base, |base, (name, tree)| base.add_parse_tree(&name, tree));
            Self { template, extras }
        })
    }

    /// Renders one template of the set.
    pub(super) fn include(&self, name: &str, data: &gotmpl::Value) -> gotmpl::Result<String> {
        nested(name, || self.template.execute_template_to_string(name, data))
    }

    /// Renders `text` as a template beside those of the set. What it defines is visible in it alone.
    pub(super) fn render_text(&self, text: &str, data: &gotmpl::Value) -> gotmpl::Result<String> {
        let trees = parse("tpl", text, self.extras);
        let trees = trees.map_err(|error| gotmpl::TemplateError::Exec(error.to_string()))?;
        Self::new(self.template.clone(), trees, self.extras).include("tpl", data)
    }
}

/// The trees of one text: its own under `name`, then those it defines.
fn parse(name: &str, text: &str, extras: &[Extra]) -> Result<Vec<(String, ListNode)>, TemplateError> {
    let text = without_comments(text);
    let mut defines = parse_inside(name, &text)?;
    let Some(own) = defines.pop().and_then(whole) else { return Err(unbalanced(name, &text)) };
    let own = std::iter::once((name.to_owned(), own));
    let trees: Vec<_> = own.chain(defines.into_iter().map(|define| (define.name.to_string(), define.body))).collect();
    trees.iter().try_for_each(|(_, tree)| check(name, extras, tree))?;
    Ok(trees)
}

/// The name of the `define` around a text, and the mark at the end of it.
const WHOLE: &str = "the whole text";

/// Parses a text inside a `define`, to see that it ends where the text does: gotmpl forgives a missing `end`, and at
/// one too many it stops reading.
fn parse_inside(name: &str, text: &str) -> Result<Vec<DefineNode>, TemplateError> {
    let text = format!("{{{{define \"{WHOLE}\"}}}}{text}{WHOLE}{{{{end}}}}");
    let read = Parser::with_name(Some(name), &text, "{{", "}}").and_then(Parser::parse);
    read.map(|(_, defines)| defines).map_err(|error| TemplateError::of(name, &error))
}

/// The body of the `define` around a text, if it ends with the mark.
fn whole(define: DefineNode) -> Option<ListNode> {
    let mut body = define.body;
    match body.nodes.last_mut() {
        Some(Node::Text(last)) if define.name == WHOLE && last.text.ends_with(WHOLE) => {
            last.text = last.text[..last.text.len() - WHOLE.len()].into();
            Some(body)
        }
        _ => None,
    }
}

fn unbalanced(name: &str, text: &str) -> TemplateError {
    const DEEP: usize = 100;
    let ended = |ends| parse_inside(name, &format!("{text}{}", "{{end}}".repeat(ends))).ok()?.pop().and_then(whole);
    let message = match (1..DEEP).any(|ends| ended(ends).is_some()) {
        true => "an `if`, `range`, `with`, `define` or `block` has no `end`",
        false => "there is an `end` or `else` too many",
    };
    TemplateError::Execution { template: name.to_owned(), message: message.to_owned() }
}

/// Empties the comments but keeps their lines: gotmpl drops the line break after a comment, which Go keeps.
fn without_comments(text: &str) -> Cow<'_, str> {
    let mut kept = String::new();
    let mut rest = text;
    while let Some((before, body, after)) = next_comment(rest) {
        kept.push_str(before);
        kept.push_str("\"\"");
        // Errors name lines; inside an action a line break is a blank.
        kept.extend(body.chars().filter(|char| *char == '\n'));
        rest = after;
    }
    if kept.is_empty() { Cow::Borrowed(text) } else { Cow::Owned(kept + rest) }
}

/// What stands before the next comment, with its `{{` or `{{- `; the comment; what follows, from its `}}` or ` -}}`.
fn next_comment(text: &str) -> Option<(&str, &str, &str)> {
    let mut from = 0;
    loop {
        let open = from + text[from..].find("{{")? + 2;
        let inside = text[open..].strip_prefix('-').map_or(&text[open..], str::trim_start);
        let begin = text.len() - inside.len();
        if inside.starts_with("/*") {
            let end = begin + inside.find("*/")? + 2;
            return Some((&text[..begin], &text[begin..end], &text[end..]));
        }
        from = open;
    }
}

/// As in Go, an empty body does not replace one that has content.
fn add(trees: &mut BTreeMap<String, ListNode>, name: String, tree: ListNode) {
    if !(tree.is_empty_tree() && trees.contains_key(&name)) {
        trees.insert(name, tree);
    }
}

thread_local! {
    /// How many templates are being rendered inside each other on this thread.
    static DEPTH: Cell<usize> = const { Cell::new(0) };
}

fn nested(name: &str, render: impl FnOnce() -> gotmpl::Result<String>) -> gotmpl::Result<String> {
    let depth = DEPTH.get();
    if depth >= MAX_DEPTH {
        let message = format!("{name} is included {MAX_DEPTH} levels deep: does it include itself?");
        return Err(gotmpl::TemplateError::Exec(message));
    }
    DEPTH.set(depth + 1);
    let result = render();
    DEPTH.set(depth);
    result
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error_of(text: &str) -> String {
        render("t.yaml", text, &json!({})).unwrap_err().to_string()
    }

    #[test]
    fn includes_a_template_that_is_defined_in_another_text() {
        let texts =
            [("a", "{{ include \"name\" . | upper }}"), ("_b.tpl", "{{ define \"name\" }}hello {{ .who }}{{ end }}")];
        let engine = Engine::new(texts).unwrap();
        assert_eq!(engine.render("a", &json!({"who": "world"})).unwrap(), "HELLO WORLD");
    }

    #[test]
    fn renders_text_of_the_data_as_a_template() {
        let texts = [("a", "{{ tpl .text . }}"), ("b", "{{ define \"x\" }}[{{ .who }}]{{ end }}")];
        let engine = Engine::new(texts).unwrap();
        let data = json!({"who": "w", "text": "{{ include \"x\" . }}{{ define \"y\" }}!{{ end }}{{ template \"y\" }}"});
        assert_eq!(engine.render("a", &data).unwrap(), "[w]!");
    }

    #[test]
    fn names_the_place_of_an_unknown_function() {
        assert_eq!(
            error_of("a\nb {{ if true }}{{ .x | toYamll }}{{ end }}"),
            "template t.yaml, line 2: function `toYamll` does not exist; did you mean `toYaml`?"
        );
    }

    #[test]
    fn finds_unknown_functions_in_definitions_arguments_and_branches() {
        for text in [
            "{{ define \"x\" }}{{ nope }}{{ end }}",
            "{{ print (nope) }}",
            "{{ if nope }}{{ end }}",
            "{{ if true }}{{ else }}{{ nope }}{{ end }}",
            "{{ range $i, $v := nope }}{{ end }}",
            "{{ template \"x\" (nope) }}",
            "{{ (nope).field }}",
        ] {
            assert!(error_of(text).contains("function `nope` does not exist"), "{text}");
        }
    }

    #[test]
    fn refuses_what_is_not_pure_with_the_reason() {
        assert_eq!(
            error_of("{{ env \"HOME\" }}"),
            "template t.yaml, line 1: function `env` is refused: a template may not read the environment"
        );
        for name in ["genCA", "randAlphaNum", "lookup", "now", "derivePassword", "getHostByName", "set", "htpasswd"] {
            assert!(error_of(&format!("{{{{ {name} }}}}")).contains("is refused"), "{name}");
        }
    }

    #[test]
    fn refuses_a_merge_whose_result_is_thrown_away() {
        assert!(error_of("{{ $_ := merge .a .b }}").contains("use the dict that it returns"));
    }

    #[test]
    fn reports_a_syntax_error_with_its_line() {
        assert!(error_of("a\n{{ if }}").starts_with("template t.yaml, line 2: "));
    }

    #[test]
    fn refuses_blocks_that_do_not_match_their_ends() {
        for text in
            ["{{ if true }}a", "{{ range . }}{{ with . }}a{{ end }}", "{{ define \"x\" }}a", "{{ if 1 }}{{ else }}"]
        {
            assert!(error_of(text).contains("has no `end`"), "{text}");
        }
        for text in [
            "{{ end }}",
            "a{{ end }}b{{ define \"x\" }}c{{ end }}",
            "{{ if 1 }}{{ end }}{{ end }}a",
            "a{{ end }}{{ if 1 }}b",
        ] {
            assert!(error_of(text).contains("an `end` or `else` too many"), "{text}");
        }
        assert!(error_of("a{{ else }}b").contains("Else"));
        assert_eq!(render("t", "a {{ if true }}b{{ end }} {", &json!({})).unwrap(), "a b {");
    }

    #[test]
    fn what_a_text_of_the_data_defines_is_seen_in_it_alone() {
        let own = "{{ tpl `{{ define \"x\" }}[{{ . }}]{{ end }}{{ include \"x\" 1 }}` . }}";
        assert_eq!(render("t", own, &json!({})).unwrap(), "[1]");
        assert!(error_of(&format!("{own}{{{{ include \"x\" 1 }}}}")).contains("undefined template: x"));
    }

    #[test]
    fn fail_speaks_for_itself() {
        assert_eq!(error_of("{{ fail \"no tasks\" }}"), "template t.yaml: no tasks");
        assert_eq!(error_of("{{ required \"give a url\" .url }}"), "template t.yaml: give a url");
    }

    #[test]
    fn names_the_function_and_the_argument_that_is_wrong() {
        assert_eq!(error_of("{{ upper 3 }}"), "template t.yaml: upper: argument 1 must be a string, not int");
        assert_eq!(error_of("{{ upper }}"), "template t.yaml: upper takes 1 argument, not 0");
    }

    #[test]
    fn stops_a_template_that_includes_itself() {
        assert!(error_of("{{ include \"t.yaml\" . }}").contains("does it include itself?"));
        assert!(error_of("{{ define \"x\" }}{{ template \"x\" }}{{ end }}{{ template \"x\" }}").contains("recursion"));
    }

    #[test]
    fn reports_a_template_that_is_not_there() {
        assert_eq!(error_of("{{ include \"gone\" . }}"), "template t.yaml: undefined template: gone");
    }

    #[test]
    fn a_comment_takes_no_more_than_go_takes() {
        let render = |text: &str| render("t", text, &json!({})).unwrap();
        assert_eq!(render("a: 1\n{{- /* why */}}\nb: 2\n"), "a: 1\nb: 2\n");
        assert_eq!(render("a\n{{/* one\ntwo */}}\nb"), "a\n\nb");
        assert_eq!(render("a\n{{- /* why */ -}}\nb"), "ab");
        assert_eq!(render("{{ `{{` }}a /* b */"), "{{a /* b */");
        assert_eq!(error_of("{{/* one\ntwo */}}{{ nope }}"), "template t.yaml, line 2: function `nope` does not exist");
    }

    #[test]
    fn keeps_integers_and_strings_that_look_like_numbers_apart() {
        let data = json!({"big": 9_007_199_254_740_993_i64, "text": "1000000", "int": 1_000_000});
        let text = "{{ .big }} {{ .int }} {{ .text | quote }} {{ toYaml . }}";
        let expected = "9007199254740993 1000000 \"1000000\" big: 9007199254740993\nint: 1000000\ntext: \"1000000\"";
        assert_eq!(render("t", text, &data).unwrap(), expected);
    }
}
