//! What must be right in a template before it is rendered: every function exists and none is called for a side
//! effect that it does not have here.

use gotmpl::parse::{CommandNode, Expr, ListNode, Node, PipeNode};
use iter8_core::suggest::nearest;

use super::TemplateError;
use super::functions::{Extra, is_known, names, refusal};

/// Functions that in Go also change the dict they are given.
const CHANGING_IN_GO: [&str; 4] = ["merge", "mergeOverwrite", "mustMerge", "mustMergeOverwrite"];

/// Checks a parsed template.
///
/// # Errors
/// The first function that does not exist or is refused, with its line.
pub(super) fn check(template: &str, extras: &[Extra], list: &ListNode) -> Result<(), TemplateError> {
    list.nodes.iter().try_for_each(|node| check_node(template, extras, node))
}

fn check_node(template: &str, extras: &[Extra], node: &Node) -> Result<(), TemplateError> {
    match node {
        Node::List(list) => check(template, extras, list),
        Node::Action(action) => check_pipe(template, extras, &action.pipe),
        Node::If(branch) | Node::Range(branch) | Node::With(branch) => {
            check_pipe(template, extras, &branch.pipe)?;
            check(template, extras, &branch.body)?;
            branch.else_body.as_ref().map_or(Ok(()), |body| check(template, extras, body))
        }
        Node::Template(call) => call.pipe.as_ref().map_or(Ok(()), |pipe| check_pipe(template, extras, pipe)),
        Node::Define(define) => check(template, extras, &define.body),
        Node::Text(_) | Node::Break(_) | Node::Continue(_) => Ok(()),
    }
}

fn check_pipe(template: &str, extras: &[Extra], pipe: &PipeNode) -> Result<(), TemplateError> {
    for command in &pipe.commands {
        command.args.iter().try_for_each(|expr| check_expr(template, extras, expr))?;
    }
    if pipe.decl.iter().any(|name| name.as_str() == "$_")
        && let Some(name) = pipe.commands.last().and_then(called)
        && CHANGING_IN_GO.contains(&name)
    {
        let message = format!("{name} does not change its first dict here: use the dict that it returns");
        return Err(TemplateError::Syntax { template: template.to_owned(), line: pipe.pos.line, message });
    }
    Ok(())
}

fn called(command: &CommandNode) -> Option<&str> {
    match command.args.first() {
        Some(Expr::Identifier(_, name)) => Some(name.as_str()),
        _ => None,
    }
}

fn check_expr(template: &str, extras: &[Extra], expr: &Expr) -> Result<(), TemplateError> {
    match expr {
        Expr::Identifier(_, name) if is_known(extras, name.as_str()) => Ok(()),
        Expr::Identifier(pos, name) => Err(TemplateError::Syntax {
            template: template.to_owned(),
            line: pos.line,
            message: unusable(extras, name.as_str()),
        }),
        Expr::Pipe(_, pipe) => check_pipe(template, extras, pipe),
        Expr::Chain(_, inner, _) => check_expr(template, extras, inner),
        Expr::Dot(_)
        | Expr::Field(..)
        | Expr::Variable(..)
        | Expr::String(..)
        | Expr::Number(..)
        | Expr::Bool(..)
        | Expr::Nil(_) => Ok(()),
    }
}

fn unusable(extras: &[Extra], name: &str) -> String {
    if let Some(reason) = refusal(name) {
        return format!("function `{name}` is refused: {reason}");
    }
    match nearest(name, names(extras)) {
        Some(meant) => format!("function `{name}` does not exist; did you mean `{meant}`?"),
        None => format!("function `{name}` does not exist"),
    }
}
