//! Keeps credentials out of results, logs and messages: knows the secret texts of an experiment and blots them out
//! wherever they turn up, for example in the body of an answer that echoes its request.

use iter8_core::scalar::Text;
use iter8_core::{Experiment, ExperimentResult, Task};
use url::Url;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Names (or parts of names) of headers and query parameters whose values are secret.
const SECRET_NAMES: [&str; 9] =
    ["authorization", "cookie", "token", "secret", "password", "passwd", "api-key", "apikey", "signature"];

/// Shorter texts are no secrets, and blotting them out would spoil innocent words.
const SECRET_MIN_LEN: usize = 4;

/// The secret texts of one experiment.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// Knows the secrets in the inputs of `experiment`.
    pub fn of(experiment: &Experiment) -> Self {
        let mut secrets = Vec::new();
        for step in &experiment.steps {
            match &step.task {
                Task::Http(http) => {
                    let named = http.headers.iter().filter(|(name, _)| is_secret(name));
                    secrets.extend(named.flat_map(|(_, Text(value))| parts(value)));
                    if let Some(url) = http.url.as_ref().and_then(|url| Url::parse(&url.0).ok()) {
                        secrets.extend(url.password().map(str::to_owned));
                        let query = url.query_pairs().filter(|(name, _)| is_secret(name));
                        secrets.extend(query.map(|(_, value)| value.into_owned()));
                    }
                }
                Task::Ready(_) | Task::Assess(_) => {}
            }
        }
        secrets.retain(|secret| secret.len() >= SECRET_MIN_LEN);
        // The longest first, so that no part of one stays when another is its beginning.
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
        Self { secrets }
    }

    /// `text` without secrets.
    pub fn clean(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// Takes the secrets out of everything in `result` that holds free text.
    pub fn clean_result(&self, result: &mut ExperimentResult) {
        if self.secrets.is_empty() {
            return;
        }
        let details = result.load.values_mut().flat_map(|details| {
            let errors = details.errors.iter_mut().flat_map(|error| error.first.iter_mut().chain([&mut error.kind]));
            errors.chain([&mut details.target]).chain(&mut details.faults)
        });
        let series = result.metrics.values_mut().flat_map(|metric| &mut metric.versions);
        let sources = series.filter_map(|series| series.latest.as_mut()?.source.as_mut());
        let slos = result.slos.iter_mut().flat_map(|slo| [&mut slo.reason].into_iter().chain(&mut slo.source));
        let messages = result.steps.iter_mut().map(|step| &mut step.message);
        for text in details
            .chain(sources)
            .chain(slos)
            .chain(messages)
            .chain(&mut result.log)
            .chain([&mut result.verdict_reason])
        {
            *text = self.clean(text);
        }
    }
}

/// `url` as it may be shown: without user, password and the values of secret query parameters.
pub fn shown_url(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither can fail for a URL that has a host, and without a host there is nothing to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if shown.query_pairs().any(|(name, _)| is_secret(&name)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                (name.to_string(), if is_secret(&name) { "redacted".to_owned() } else { value.to_string() })
            })
            .collect();
        shown.query_pairs_mut().clear().extend_pairs(pairs);
    }
    shown.into()
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    SECRET_NAMES.iter().any(|secret| name.contains(secret))
}

/// A credential with its scheme (`Bearer abc`), and the credential alone.
fn parts(value: &str) -> Vec<String> {
    let alone = value.split_once(' ').map(|(_, credential)| credential.trim().to_owned());
    [Some(value.to_owned()), alone].into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        let spec = "spec: [{task: http, with: {url: 'http://u:pa55word@a/?token=q1w2e3&n=1', headers: {Authorization: Bearer s3cr3t-t0ken, X-Api-Key: k3yk3y, Accept: text/html}}}]";
        Redactor::of(&Experiment::parse(spec).unwrap())
    }

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        let cleaned = redactor().clean("got Bearer s3cr3t-t0ken, s3cr3t-t0ken, k3yk3y, pa55word, q1w2e3 and text/html");
        assert_eq!(cleaned, "got [redacted], [redacted], [redacted], [redacted], [redacted] and text/html");
    }

    #[test]
    fn a_result_keeps_no_secret() {
        let mut result = ExperimentResult::pending("g", "n", 1, &["http"]);
        result.log_line("sent s3cr3t-t0ken".into());
        result.steps[0].message = "k3yk3y".into();
        result.load.entry("http".into()).or_default().errors.push(iter8_core::result::LoadError {
            kind: "status 500".into(),
            count: 1,
            first: vec!["echo: Bearer s3cr3t-t0ken".into()],
        });
        redactor().clean_result(&mut result);
        let json = result.to_json().unwrap();
        assert!(!json.contains("s3cr3t") && !json.contains("k3yk3y"), "{json}");
    }

    #[test]
    fn a_url_is_shown_without_credentials() {
        let url = Url::parse("http://u:pa55word@a/p?token=q1w2e3&n=1").unwrap();
        assert_eq!(shown_url(&url), "http://a/p?token=redacted&n=1");
        let url = Url::parse("http://a/p?n=a%20b").unwrap();
        assert_eq!(shown_url(&url), "http://a/p?n=a%20b");
    }
}
