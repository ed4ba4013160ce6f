//! Terminals and pipes: what is for people, what is for programs, and what happens when a pipe is closed.

use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, ended, running, write};
use crate::plugin::{BINARY, Plugin};

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let plugin = Plugin::new();
    // `head` ends after one line; the code of the plugin goes to a file, because that of a pipe is its last program's.
    let script = format!("{{ {BINARY} \"$@\"; echo $? > code; }} | head -n 1");
    // More than a pipe holds, so that writing goes on when nobody reads any more.
    plugin.file("body", vec![b'x'; 200_000]);
    let values = ["--set", "tasks={http}", "--set", "http.url=http://a", "--set-file", "http.payloadStr=body"];
    let words = ["-c", &script, "sh", "render"].into_iter().chain(values);
    let output = plugin.command("sh", words).run().code(0);
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("---\n", ""));
    assert_eq!(std::fs::read_to_string(plugin.home().join("code")).unwrap(), "0\n");
}

#[test]
fn a_stdout_that_is_full_is_an_error() {
    let plugin = Plugin::new();
    let words = ["-c", &format!("{BINARY} version > /dev/full")];
    let _ =
        plugin.command("sh", words).run().code(10).complains("error: cannot write the output: No space left on device");
}

#[test]
fn a_pipe_gets_neither_colours_nor_progress_nor_hints() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 3));
    for line in ["report", "assert --timeout 1h", "get", "report -g none", "frob", "--help"] {
        for (name, value) in [("NO_COLOR", "1"), ("TERM", "xterm-256color"), ("CLICOLOR_FORCE", "1")] {
            let output = plugin.line(line).env(name, value).run();
            assert!(!format!("{}{}", output.stdout, output.stderr).contains('\u{1b}'), "{line} with {name}:\n{output}");
        }
    }
}

/// The plugin on a terminal, without a width of its own.
fn on_terminal(plugin: &Plugin, line: &str, columns: u16, variables: &[(&str, &str)]) -> String {
    let command = plugin.line(line).without("COLUMNS").env("TERM", "xterm-256color");
    let command = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
    command.on_terminal(columns).stdout
}

#[test]
fn people_get_colours_unless_they_do_not_want_them() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    write(&server, &ended(1, 3));
    let colourless = |text: &str| !text.contains("\u{1b}[") && text.contains("http/error-count");
    assert!(on_terminal(&plugin, "report", 80, &[]).contains("\u{1b}[1;31m✘ fail"));
    assert!(colourless(&on_terminal(&plugin, "report", 80, &[("NO_COLOR", "1")])));
    // Whatever it is set to.
    assert!(colourless(&on_terminal(&plugin, "report", 80, &[("NO_COLOR", "")])));
    assert!(colourless(&on_terminal(&plugin, "report", 80, &[("TERM", "dumb")])));
    assert!(on_terminal(&plugin, "report -g none", 80, &[]).contains("\u{1b}[36mhint:\u{1b}[0m"));
}

#[test]
fn a_report_takes_the_width_of_its_terminal() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let _ = plugin.run(LAUNCH).code(0);
    let mut result = ended(1, 3);
    result.verdict_reason = "a reason that goes on and on, ".repeat(20);
    write(&server, &result);
    for columns in [60, 100] {
        let report = on_terminal(&plugin, "report", columns, &[("NO_COLOR", "1")]);
        let widest = report.lines().map(|line| line.chars().count()).max().unwrap();
        assert!((usize::from(columns) - 20..=usize::from(columns)).contains(&widest), "{columns}: {widest}\n{report}");
    }
}

#[test]
fn people_see_how_far_it_is_and_what_to_do_next() {
    let server = ApiServer::start();
    let plugin = Plugin::with(&server);
    let launched = on_terminal(&plugin, &format!("{LAUNCH} -g default"), 80, &[]);
    assert!(launched.contains("next: kubectl iter8 assert --timeout 120s; kubectl iter8 report\n"), "{launched}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| on_terminal(&plugin, "assert --timeout 50s", 80, &[]));
        server.wait_for("a watch of the result", |state| state.requests_to("watch", "secrets").next().map(|_| ()));
        write(&server, &running(1));
        server.wait_for("a look at the pod", |state| state.requests_to("list", "pods").nth(1).map(|_| ()));
        write(&server, &ended(1, 0));
        let shown = waiting.join().unwrap();
        assert!(shown.contains("\r\u{1b}[2KRunning: 0 of 2 steps done, http"), "{shown:?}");
        assert!(shown.ends_with("\r\u{1b}[2Kcompleted holds: all steps ran\nnofailure holds: all steps ran\nslos holds: the objective is satisfied\n"), "{shown:?}");
    });
}
