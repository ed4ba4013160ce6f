//! The order of the house: what docs/style.md and docs/architecture.md say and a machine can keep. Each rule is a test
//! that names the file and says what to do.

mod crates;
mod docs;
mod files;
mod source;
mod words;

/// Fails with everything that breaks a rule; `broken` holds places, with what was found there.
fn keep(rule: &str, broken: &[String], what_to_do: &str) {
    assert!(broken.is_empty(), "\nrule: {rule}\nbroken by:\n  {}\nwhat to do: {what_to_do}\n", broken.join("\n  "));
}
