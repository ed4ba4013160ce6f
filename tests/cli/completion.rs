//! Words that kubectl offers after `kubectl iter8 <TAB>`, and how that is installed.

use std::os::unix::fs::symlink;

use insta::assert_snapshot;
use iter8_testkit::api_server::ApiServer;
use iter8_testkit::command::CommandOutput;

use crate::agent::LAUNCH;
use crate::help::{COMMANDS, OF_AUTOX};
use crate::plugin::{BINARY, Plugin};

/// What the completer offers for the last of these words.
fn offered(plugin: &Plugin, words: &[&str]) -> CommandOutput {
    let completer = plugin.home().join("kubectl_complete-iter8");
    if !completer.exists() {
        symlink(BINARY, &completer).expect("the home can be written to");
    }
    plugin.command(completer, words).run().code(0)
}

/// The candidates without their descriptions and the line for the shell.
fn candidates(plugin: &Plugin, words: &[&str]) -> Vec<String> {
    let output = offered(plugin, words);
    assert_eq!(output.stderr, "");
    let mut lines: Vec<&str> = output.stdout.lines().collect();
    assert_eq!(lines.pop(), Some(":4"), "{output}");
    lines.into_iter().map(|line| line.split_once('\t').map_or(line, |(word, _)| word).to_owned()).collect()
}

#[test]
fn commands_are_offered_with_what_they_do() {
    assert_snapshot!(offered(&Plugin::new(), &["re"]), @"
    report	Show what an experiment measured and what follows from it
    render	Print the objects of an experiment as YAML
    :4
    ");
    assert_snapshot!(offered(&Plugin::new(), &["no-such"]), @":4");
}

#[test]
fn every_command_is_offered() {
    let plugin = Plugin::new();
    let (offered, of_autox) = (candidates(&plugin, &[""]), candidates(&plugin, &["autox", ""]));
    for command in COMMANDS.into_iter().chain(OF_AUTOX) {
        let (offered, word) = match command.split_once(' ') {
            Some((_, word)) => (&of_autox, word),
            None => (&offered, command),
        };
        assert!(offered.iter().any(|offered| offered == word), "{command} is not among {offered:?}");
    }
}

#[test]
fn flags_and_their_values_are_offered() {
    let plugin = Plugin::new();
    assert_eq!(candidates(&plugin, &["launch", "--dry"]), ["--dry-run"]);
    assert_eq!(candidates(&plugin, &["report", "-o", ""]), ["text", "html", "json", "yaml"]);
    assert_eq!(candidates(&plugin, &["launch", "--validate", "w"]), ["warn"]);
    assert!(candidates(&plugin, &["report", "--"]).contains(&"--kubeconfig".to_owned()));
}

#[test]
fn groups_are_offered_from_the_cluster_that_the_words_mean() {
    let server = ApiServer::start();
    server.create_namespace("books");
    let plugin = Plugin::with(&server);
    let _ = plugin.run(&format!("{LAUNCH} -g checkout")).code(0);
    let _ = plugin.run(&format!("{LAUNCH} -g reviews -n books")).code(0);
    // Nobody waits long for a word, so on a busy machine there may be none at first.
    let some = |words: &[&str]| (0..20).map(|_| candidates(&plugin, words)).find(|found| !found.is_empty());
    assert_eq!(some(&["report", "-g", ""]).unwrap(), ["checkout"]);
    assert_eq!(some(&["report", "--group", "ch"]).unwrap(), ["checkout"]);
    assert_eq!(some(&["report", "-n", "books", "-g", ""]).unwrap(), ["reviews"]);
    assert_eq!(candidates(&plugin, &["report", "--context", "no-such", "-g", ""]), [""; 0]);
}

#[test]
fn a_cluster_that_does_not_answer_offers_nothing_and_says_nothing() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _hold = server.when("list", "secrets").hold();
    assert_eq!(candidates(&plugin, &["report", "-g", ""]), [""; 0]);
    server.stop();
    assert_eq!(candidates(&plugin, &["report", "-g", ""]), [""; 0]);
    assert_eq!(candidates(&Plugin::new(), &["report", "-g", ""]), [""; 0]);
}

#[test]
fn keys_of_values_are_offered_from_the_schema() {
    let plugin = Plugin::new();
    assert_eq!(candidates(&plugin, &["launch", "--set", "runn"]), ["runner="]);
    assert!(candidates(&plugin, &["launch", "--set", "http.nu"]).contains(&"http.numRequests=".to_owned()));
    assert_eq!(candidates(&plugin, &["launch", "--set", "tasks={ht"]), ["tasks={http"]);
    assert_eq!(candidates(&plugin, &["launch", "--set", "tasks={http,as"]), ["tasks={http,assess"]);
    assert_eq!(candidates(&plugin, &["render", "--set-string", "ready.dep"]), ["ready.deploy="]);
    assert_eq!(candidates(&plugin, &["autox", "apply", "--set", "repl"]), ["replicas="]);
    assert_eq!(candidates(&plugin, &["autox", "ap"]), ["apply"]);
}

#[test]
fn shells_get_a_script_for_the_plugin_itself() {
    let plugin = Plugin::new();
    assert_snapshot!(plugin.run("completion bash"), @"source <(COMPLETE=bash kubectl-iter8)");
    assert_snapshot!(plugin.run("completion zsh"), @"source <(COMPLETE=zsh kubectl-iter8)");
    assert_snapshot!(plugin.run("completion fish"), @"COMPLETE=fish kubectl-iter8 | source");
    for (shell, word) in [("bash", "complete "), ("zsh", "compdef "), ("fish", "complete ")] {
        let script = plugin.line("").env("COMPLETE", shell).run().code(0).stdout;
        assert!(script.contains(word) && script.contains("kubectl-iter8"), "{script}");
    }
}

#[test]
fn the_script_completes_in_a_real_bash() {
    let mut plugin = Plugin::new();
    symlink(BINARY, plugin.home().join("kubectl-iter8")).unwrap();
    let path = format!("{}:/usr/bin:/bin", plugin.home().display());
    plugin.set("PATH", path);
    let script = "eval \"$(COMPLETE=bash kubectl-iter8)\"; COMP_WORDS=(kubectl-iter8 lau); COMP_CWORD=1; COMP_TYPE=9; \
        COMP_POINT=17; COMP_LINE='kubectl-iter8 lau'; f=$(complete -p kubectl-iter8 | sed 's/.*-F \\([^ ]*\\).*/\\1/'); \
        $f kubectl-iter8 lau kubectl-iter8; echo \"${COMPREPLY[@]}\"";
    let output = plugin.command("bash", ["-c", script]).run();
    assert_eq!(output.stdout.trim(), "launch", "{output}");
}

#[test]
fn installing_writes_the_completer_beside_the_plugin() {
    let plugin = Plugin::new();
    let here = plugin.home().join("kubectl-iter8");
    std::fs::copy(BINARY, &here).unwrap();
    assert_snapshot!(plugin.command(&here, ["completion", "install"]).run(), @"
    ------- stderr -------
    wrote $HOME/kubectl_complete-iter8
    ");
    // Once more is no error, and what it wrote completes.
    let _ = plugin.command(&here, ["completion", "install"]).run().code(0);
    let output = plugin.command(plugin.home().join("kubectl_complete-iter8"), ["del"]).run().code(0);
    assert_eq!(output.stdout, "delete\tDelete a group: its experiment, its results and its permissions\n:4\n");
}

#[test]
fn installing_through_a_link_writes_beside_the_link() {
    let plugin = Plugin::new();
    let link = plugin.home().join("bin/kubectl-iter8");
    std::fs::create_dir(link.parent().unwrap()).unwrap();
    std::fs::create_dir(plugin.home().join("store")).unwrap();
    std::fs::copy(BINARY, plugin.home().join("store/kubectl-iter8")).unwrap();
    symlink(plugin.home().join("store/kubectl-iter8"), &link).unwrap();
    let _ = plugin.command(&link, ["completion", "install"]).run().code(0);
    assert!(
        plugin.home().join("bin/kubectl_complete-iter8").exists(),
        "krew links plugins, and kubectl looks along the PATH"
    );
}
