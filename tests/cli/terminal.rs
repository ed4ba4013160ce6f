//! Pipes: what goes to which, and what happens when one is closed.

use iter8_testkit::api_server::ApiServer;

use crate::agent::{LAUNCH, ended, write};
use crate::plugin::{BINARY, Plugin};

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let plugin = Plugin::new();
    // `head` ends after one line; the code of the plugin goes to a file, because that of a pipe is its last program's.
    let script = format!("{{ {BINARY} \"$@\"; echo $? > code; }} | head -n 1");
    let words = ["-c", &script, "sh", "render", "--set", "tasks={http}", "--set", "http.url=http://a"];
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
