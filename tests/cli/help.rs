//! What `--help` says, as a whole.

use crate::plugin::Plugin;

/// Every command that has a help of its own.
pub(crate) const COMMANDS: [&str; 14] = [
    "launch",
    "assert",
    "report",
    "get",
    "log",
    "delete",
    "render",
    "diff",
    "lint",
    "autox",
    "demo",
    "check",
    "completion",
    "version",
];

/// The commands below `autox`.
pub(crate) const OF_AUTOX: [&str; 5] = ["autox apply", "autox status", "autox delete", "autox render", "autox test"];

/// All of them, and the program itself.
fn all() -> impl Iterator<Item = &'static str> {
    [""].into_iter().chain(COMMANDS).chain(OF_AUTOX)
}

#[test]
fn the_help_of_every_command_is_the_one_that_was_reviewed() {
    let plugin = Plugin::new();
    let mut help = String::new();
    for command in all() {
        let line = format!("{command} --help");
        let output = plugin.run(&line).code(0);
        assert_eq!(output.stderr, "", "{line}");
        help += &format!("$ kubectl iter8 {}\n{}\n", line.trim(), output.stdout);
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/cli/help.txt");
    if std::env::var_os("ITER8_UPDATE").is_some() {
        std::fs::write(&path, &help).unwrap();
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let differing = reviewed.lines().zip(help.lines()).find(|(old, new)| old != new);
    assert!(
        reviewed == help,
        "tests/cli/help.txt differs, first at {differing:?}: look at the change, then run \
         ITER8_UPDATE=1 cargo test -p kubectl-iter8 --test cli help"
    );
}

#[test]
fn no_command_is_missing_from_the_help_that_was_reviewed() {
    let listed = |line: &str| {
        let help = Plugin::new().run(&format!("{line} --help")).code(0).stdout;
        let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
        // Descriptions that do not fit go on in lines that begin further right.
        let lines = commands.lines().filter(|line| !line.starts_with("   "));
        let names = lines.filter_map(|line| line.split_whitespace().next());
        names.map(|name| format!("{line} {name}").trim().to_owned()).collect::<Vec<String>>()
    };
    assert_eq!(listed(""), COMMANDS);
    assert_eq!(listed("autox"), OF_AUTOX);
}

#[test]
fn help_fits_a_terminal_of_eighty_columns() {
    let plugin = Plugin::new();
    for command in all() {
        let help = plugin.run(&format!("{command} --help")).code(0).stdout;
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{command}: {line}");
        }
    }
}

#[test]
fn no_word_at_all_shows_the_help_and_succeeds() {
    let plugin = Plugin::new();
    let output = plugin.run("").code(0);
    assert_eq!(output.stdout, plugin.run("-h").code(0).stdout);
    assert_eq!(output.stderr, "");
}

#[test]
fn the_short_help_leaves_out_the_flags_that_few_need() {
    let plugin = Plugin::new();
    assert!(!plugin.run("get -h").code(0).stdout.contains("--certificate-authority"));
    assert!(plugin.run("get --help").code(0).stdout.contains("--certificate-authority"));
}

#[test]
fn an_example_is_never_broken_by_the_edge_of_the_terminal() {
    let plugin = Plugin::new();
    for command in all().skip(1) {
        let help = plugin.run(&format!("{command} --help")).code(0).stdout;
        let examples = help.split("Examples:\n").nth(1).unwrap_or_else(|| panic!("{command} has no examples"));
        let mut goes_on = false;
        for line in examples.lines().filter(|line| !line.is_empty()) {
            let begins = line.trim_start().starts_with("kubectl iter8 ") || line.trim_start().starts_with("source <(");
            assert!(goes_on || begins || line.trim_start().starts_with('#'), "{command}: {line}");
            goes_on = line.ends_with('\\');
        }
    }
}
