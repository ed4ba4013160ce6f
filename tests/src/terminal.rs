//! Programs on a terminal: everything that stands on it when they have ended. What they write into pipes is the business
//! of [`crate::command`].

use std::fs::File;
use std::io::Read as _;
use std::process::Command;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// Runs a command on a terminal with so many columns and returns all that was written to it, line ends as `\n`.
pub(crate) fn run(mut command: Command, columns: u16) -> (String, Option<i32>) {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("the system has terminals");
    grantpt(&terminal).expect("the terminal is ours");
    unlockpt(&terminal).expect("the terminal is ours");
    let name = ptsname(&terminal, Vec::new()).expect("the terminal has a name");
    let name = name.to_str().expect("names of terminals are ASCII");
    let end = File::options().read(true).write(true).open(name).expect("the terminal is ours");
    tcsetwinsize(&end, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).expect("it has a size");
    let another = || end.try_clone().expect("the process has files left");
    command.stdin(another()).stdout(another()).stderr(another());
    let mut child = command.spawn().expect("the program starts");
    // The command holds ends of the terminal too, and reading goes on as long as there is one.
    drop((command, end));
    let mut written = Vec::new();
    // When the last end is closed, Linux answers with an error.
    let _ = File::from(terminal).read_to_end(&mut written);
    let status = child.wait().expect("a child can be waited for");
    (String::from_utf8_lossy(&written).replace("\r\n", "\n"), status.code())
}
