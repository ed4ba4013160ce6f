//! Why a template cannot be rendered, as one sentence that names the template.

/// Why a template cannot be read or rendered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// The text is not a template, or uses what does not exist.
    #[error("template {template}, line {line}: {message}")]
    Syntax {
        /// Name of the template.
        template: String,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong there.
        message: String,
    },
    /// The template is well formed, and this data made it fail.
    #[error("template {template}: {message}")]
    Execution {
        /// Name of the template.
        template: String,
        /// What failed.
        message: String,
    },
}

impl TemplateError {
    /// The error of the template engine, seen while `template` was read or rendered.
    pub(super) fn of(template: &str, error: &gotmpl::TemplateError) -> Self {
        let template = template.to_owned();
        match error {
            gotmpl::TemplateError::Parse { line, message, .. } | gotmpl::TemplateError::Lex { line, message, .. } => {
                Self::Syntax { template, line: *line, message: message.clone() }
            }
            // The words of a function stand for themselves.
            gotmpl::TemplateError::Exec(message) => Self::Execution { template, message: message.clone() },
            other => Self::Execution { template, message: other.to_string() },
        }
    }
}
