//! Keeps credentials out of results, logs and messages: knows the secret texts of an experiment and blots them out
//! wherever they turn up, for example in the body of an answer that echoes its request.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use iter8_core::task::TemplateSource;
use iter8_core::task::credential::is_secret_name;
use iter8_core::task::load::{Pem, Tls};
use iter8_core::task::notify::Delivery;
use iter8_core::{Experiment, ExperimentResult, Task};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};
use url::Url;

/// What stands in place of a secret.
pub const REDACTED: &str = "[redacted]";

/// Shorter texts are no secrets, and blotting them out would spoil innocent words.
const SECRET_MIN_LEN: usize = 4;

/// Shorter parts of a path or of several lines may be any word.
const SECRET_PART_MIN_LEN: usize = 8;

/// The secret texts of one experiment.
#[derive(Default)]
pub struct Redactor {
    /// The longest first, so that no part of one stays when another is its beginning.
    secrets: RwLock<Vec<String>>,
}

impl Redactor {
    /// Knows the secrets in the inputs of `experiment`.
    pub fn of(experiment: &Experiment) -> Self {
        let mut secrets = Vec::new();
        for step in &experiment.steps {
            let plain = step.task.credentials();
            secrets.extend(plain.iter().filter_map(|placed| placed.credential.plain()).flat_map(of_text));
            match &step.task {
                Task::Http(http) => {
                    for load in http.loads() {
                        secrets.extend(load.tls.iter().flat_map(of_key));
                        let urls = [&load.url, &load.payload_url].into_iter().flatten();
                        secrets
                            .extend(urls.filter_map(|url| Url::parse(url.0.trim()).ok()).flat_map(|url| of_url(&url)));
                    }
                }
                Task::Grpc(grpc) => {
                    for calls in grpc.written() {
                        let urls = calls.urls().filter_map(|(_, url)| Url::parse(url.trim()).ok());
                        secrets.extend(urls.flat_map(|url| of_url(&url)));
                        secrets.extend(calls.tls.iter().flat_map(of_key));
                    }
                }
                Task::Slack(slack) => secrets.extend(of_delivery(&slack.delivery)),
                Task::Github(github) => secrets.extend(of_delivery(&github.delivery)),
                Task::Webhook(webhook) => secrets.extend(of_delivery(&webhook.delivery)),
                Task::CustomMetrics(metrics) => {
                    secrets.extend(metrics.tls().flat_map(of_key));
                    let urls = metrics.templates.values().filter_map(|text| Url::parse(text.0.trim()).ok());
                    secrets.extend(urls.flat_map(|url| of_url(&url)));
                    secrets.extend(metrics.versions().iter().flat_map(|(_, values)| named_secrets(values)));
                }
                Task::Ready(_) | Task::AbnMetrics(_) | Task::Assess(_) | Task::Run(_) => {}
            }
        }
        let redactor = Self::default();
        redactor.add(secrets);
        redactor
    }

    /// Knows one more secret from now on.
    pub fn learn(&self, secret: &str) {
        self.add(of_text(secret));
    }

    fn add(&self, more: Vec<String>) {
        let mut secrets = self.secrets.write().unwrap_or_else(PoisonError::into_inner);
        secrets.extend(more.into_iter().filter(|secret| secret.len() >= SECRET_MIN_LEN));
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
    }

    fn secrets(&self) -> std::sync::RwLockReadGuard<'_, Vec<String>> {
        self.secrets.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// `text` without secrets.
    pub fn clean(&self, text: &str) -> String {
        self.secrets().iter().fold(text.to_owned(), |text, secret| text.replace(secret, REDACTED))
    }

    /// `text`, which may have been cut off anywhere, without secrets and without the beginning of one at its end.
    fn clean_cut(&self, text: &str) -> String {
        let cleaned = self.clean(text);
        let begun = |secret: &str| {
            let ends = secret.char_indices().map(|(end, _)| end).filter(|end| *end >= SECRET_MIN_LEN);
            ends.filter(|end| cleaned.ends_with(&secret[..*end])).max()
        };
        match self.secrets().iter().filter_map(|secret| begun(secret)).max() {
            Some(length) => format!("{}{REDACTED}", &cleaned[..cleaned.len() - length]),
            None => cleaned,
        }
    }

    /// Takes the secrets out of everything in `result` that holds free text.
    pub fn clean_result(&self, result: &mut ExperimentResult) {
        if self.secrets().is_empty() {
            return;
        }
        // Of answers only the beginning is kept.
        let errors = result.load.values_mut().flat_map(|details| &mut details.errors);
        for sample in errors.flat_map(|error| &mut error.first) {
            *sample = self.clean_cut(sample);
        }
        let details = result.load.values_mut().flat_map(|details| {
            let kinds = details.errors.iter_mut().map(|error| &mut error.kind);
            kinds.chain([&mut details.target]).chain(&mut details.faults)
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

/// The secrets in the URL of a template, and a private key.
fn of_delivery(delivery: &Delivery) -> Vec<String> {
    let mut secrets: Vec<String> = delivery.tls.iter().flat_map(of_key).collect();
    match delivery.template() {
        Some((_, TemplateSource::Url(url))) => secrets.extend(Url::parse(url).iter().flat_map(of_url)),
        Some((_, TemplateSource::Text(_) | TemplateSource::Path(_))) | None => {}
    }
    secrets
}

/// Texts of the values of templates whose keys are called as secrets are.
fn named_secrets(values: &Map<String, Value>) -> Vec<String> {
    let secrets = values.iter().flat_map(|(key, value)| match value {
        Value::Object(inner) => named_secrets(inner),
        Value::String(text) if is_secret_name(key) => of_text(text),
        _ => Vec::new(),
    });
    secrets.collect()
}

/// The lines of a private key that is given as it is, not as a file.
fn of_key(tls: &Tls) -> Vec<String> {
    match tls.key.as_ref().map(Pem::of) {
        Some(Pem::Text(key)) => key.lines().map(|line| line.trim().to_owned()).collect(),
        Some(Pem::Path(_)) | None => Vec::new(),
    }
}

/// `url` as it may be shown: without user, password and the values of secret query parameters.
pub fn shown_url(url: &Url) -> String {
    let mut shown = url.clone();
    // Neither can fail for a URL that has a host, and without a host there is nothing to hide.
    let _ = shown.set_username("");
    let _ = shown.set_password(None);
    if shown.query_pairs().any(|(name, _)| is_secret_name(&name)) {
        let pairs: Vec<(String, String)> = url
            .query_pairs()
            .map(|(name, value)| {
                (name.to_string(), if is_secret_name(&name) { "redacted".to_owned() } else { value.to_string() })
            })
            .collect();
        shown.query_pairs_mut().clear().extend_pairs(pairs);
    }
    shown.into()
}

/// The secrets in a URL, in each form in which they may turn up: as they are written, as they are meant, and as they go
/// over the wire (RFC 7617). Without a password the user is one.
fn of_url(url: &Url) -> Vec<String> {
    let meant = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let mut secrets = Vec::new();
    let (user, password) = (url.username(), url.password());
    if !user.is_empty() || password.is_some() {
        let secret = password.filter(|password| !password.is_empty()).unwrap_or(user);
        secrets.extend([secret.to_owned(), meant(secret)]);
        let password = password.unwrap_or_default();
        secrets.extend(
            [format!("{user}:{password}"), meant(&format!("{user}:{password}"))].map(|pair| STANDARD.encode(pair)),
        );
    }
    for pair in url.query().unwrap_or_default().split('&') {
        if let Some((_, value)) = pair.split_once('=').filter(|(name, _)| is_secret_name(&meant(name))) {
            secrets.extend([value.to_owned(), meant(&value.replace('+', " "))]);
        }
    }
    secrets
}

/// A secret text in each form in which it may turn up: as it is, within JSON, line by line, without its scheme, and when it
/// is a URL, as one with a secret path does, the secrets in it.
fn of_text(text: &str) -> Vec<String> {
    let text = text.trim();
    let mut secrets = parts(text);
    let quoted = serde_json::Value::from(text).to_string();
    let quoted = quoted.trim_matches('"').to_owned();
    // Go's templates write JSON so that it may stand in HTML.
    let for_html = quoted.replace('&', "\\u0026").replace('<', "\\u003c").replace('>', "\\u003e");
    secrets.extend([quoted, for_html]);
    if text.contains('\n') {
        secrets
            .extend(text.lines().map(|line| line.trim().to_owned()).filter(|line| line.len() >= SECRET_PART_MIN_LEN));
    }
    if let Some(url) = Url::parse(text).ok().filter(Url::has_host) {
        secrets.extend(of_url(&url));
        let path = url.path_segments().into_iter().flatten();
        secrets.extend(path.filter(|part| is_random(part)).map(str::to_owned));
    }
    secrets
}

/// Whether a part of a path was made by a machine rather than by somebody who speaks: blotting out `experiments` would spoil
/// every message.
fn is_random(part: &str) -> bool {
    part.len() >= SECRET_PART_MIN_LEN && part.bytes().any(|byte| byte.is_ascii_digit())
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
    fn secrets_of_a_url_are_known_in_every_form() {
        let spec = "spec: [{task: http, with: {url: 'http://me:p%40ssw@a/?api_key=a%2Fbc%2Bd'}}, {task: http, with: {url: 'http://tok3n@a'}}]";
        let redactor = Redactor::of(&Experiment::parse(spec).unwrap());
        // bWU6cEBzc3c= is me:p@ssw, dG9rM246 is tok3n:
        let cleaned = redactor.clean("me:p%40ssw, p@ssw, bWU6cEBzc3c=, a%2Fbc%2Bd, a/bc+d, tok3n, dG9rM246");
        assert_eq!(cleaned, "me:[redacted], [redacted], [redacted], [redacted], [redacted], [redacted], [redacted]");
    }

    #[test]
    fn the_beginning_of_a_secret_is_taken_from_the_end_of_what_was_cut_off() {
        for (cut, cleaned) in [
            ("said k3yk", "said [redacted]"),
            ("said Bearer s3cr", "said [redacted]"),
            ("said s3cr3t-t0ken", "said [redacted]"),
            ("said k3y", "said k3y"),
            ("k3yk said", "k3yk said"),
        ] {
            assert_eq!(redactor().clean_cut(cut), cleaned);
        }
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
    fn a_text_that_is_learnt_is_known_within_json_and_in_the_parts_of_a_url_and_words_stay() {
        let redactor = Redactor::default();
        redactor.learn("https://hooks.example.com/experiments/B0C1D2E3/x?a=1&b=2");
        redactor.learn("quo\"te<d>");
        redactor.learn("-----BEGIN X-----\nc2VjcmV0Cg==\n-----END X-----");
        redactor.learn("abc");
        for (text, cleaned) in [
            ("to https://hooks.example.com/experiments/B0C1D2E3/x?a=1&b=2", "to [redacted]"),
            (r"to https://hooks.example.com/experiments/B0C1D2E3/x?a=1\u0026b=2", "to [redacted]"),
            ("/experiments/B0C1D2E3", "/experiments/[redacted]"),
            (r#"quo"te<d> quo\"te<d> quo\"te\u003cd\u003e"#, "[redacted] [redacted] [redacted]"),
            ("line c2VjcmV0Cg== of it", "line [redacted] of it"),
            ("abc", "abc"),
        ] {
            assert_eq!(redactor.clean(text), cleaned);
        }
    }

    #[test]
    fn a_url_is_shown_without_credentials() {
        let url = Url::parse("http://u:pa55word@a/p?token=q1w2e3&n=1").unwrap();
        assert_eq!(shown_url(&url), "http://a/p?token=redacted&n=1");
        let url = Url::parse("http://a/p?n=a%20b").unwrap();
        assert_eq!(shown_url(&url), "http://a/p?n=a%20b");
    }
}
