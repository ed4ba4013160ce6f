//! Runs a program to its end and takes what it cost: CPU time, memory, system calls. What the program does is not its business.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

/// How often a running program is looked at. Its peak memory is what the kernel kept until the last look.
const LOOK: Duration = Duration::from_millis(50);

/// What a program printed and took.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cost {
    pub(crate) stdout: String,
    /// Seconds of CPU time in the program itself.
    pub(crate) user: f64,
    /// Seconds of CPU time in the kernel.
    pub(crate) system: f64,
    /// Seconds from start to end.
    pub(crate) wall: f64,
    /// Peak resident memory, in kB.
    pub(crate) peak_rss: u64,
    /// Resident memory over time, in kB, one value for each look.
    pub(crate) resident: Vec<u64>,
}

/// Runs `words` and waits for the end, for `patience` at most; what it prints goes by way of files in `folder`.
///
/// # Errors
/// In words, when it does not start, fails, or takes longer.
pub(crate) fn run(words: &[String], folder: &Path, patience: Duration) -> Result<Cost, String> {
    let named = |error: io::Error| format!("{}: {error}", words.join(" "));
    let (output, errors) = (folder.join("stdout"), folder.join("stderr"));
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).stdin(Stdio::null());
    command.stdout(File::create(&output).map_err(named)?).stderr(File::create(&errors).map_err(named)?);
    let begun = Instant::now();
    let mut child = command.spawn().map_err(named)?;
    let mut cost = watch(&mut child, patience).map_err(named)?;
    cost.wall = begun.elapsed().as_secs_f64();
    let status = child.wait().map_err(named)?;
    cost.stdout = fs::read_to_string(output).map_err(named)?;
    if status.success() {
        return Ok(cost);
    }
    let said = fs::read_to_string(errors).unwrap_or_default();
    Err(format!("{} ended with {status}: {}", words.join(" "), said.trim().lines().last().unwrap_or("nothing said")))
}

/// Looks at a program until it has ended, and leaves its state to be taken. One that takes longer than `patience` is ended.
fn watch(child: &mut Child, patience: Duration) -> io::Result<Cost> {
    let begun = Instant::now();
    let pid = Pid::from_child(child);
    let mut cost = Cost::default();
    loop {
        let ended = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT)?;
        if ended.is_some() {
            let stat = fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
            (cost.user, cost.system) = cpu_seconds(&stat).unwrap_or_default();
            return Ok(cost);
        }
        let status = fs::read_to_string(format!("/proc/{}/status", child.id()))?;
        cost.peak_rss = kilobytes(&status, "VmHWM:").unwrap_or(cost.peak_rss);
        cost.resident.extend(kilobytes(&status, "VmRSS:"));
        if begun.elapsed() > patience {
            child.kill()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, format!("it had not ended after {patience:?}")));
        }
        std::thread::sleep(LOOK);
    }
}

/// Asks a program to end, and waits until it has.
pub(crate) fn stop(child: &mut Child) {
    // Either fails only when it has ended by itself.
    let _ = kill_process(Pid::from_child(child), Signal::TERM);
    let _ = child.wait();
}

/// User and system time of a line of /proc/PID/stat (proc(5)), in seconds.
fn cpu_seconds(stat: &str) -> Option<(f64, f64)> {
    // The name of the program stands in parentheses and may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    let mut fields = fields.split(' ').skip(11).map_while(|field| field.parse::<f64>().ok());
    Some((fields.next()? / ticks, fields.next()? / ticks))
}

fn kilobytes(status: &str, name: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}

/// The number of calls in a summary of `strace -c`.
pub(crate) fn syscalls(summary: &str) -> Option<u64> {
    let total = summary.lines().rev().find(|line| line.ends_with(" total"))?;
    total.split_whitespace().nth(3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_times_are_found_behind_any_name() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194304 90 0 0 0 250 1300 7 8 20 0 1 0 99";
        let ticks = rustix::param::clock_ticks_per_second() as f64;
        assert_eq!(cpu_seconds(stat), Some((250.0 / ticks, 1300.0 / ticks)));
    }

    #[test]
    fn calls_are_read_from_the_summary_of_strace() {
        let summary = "% time     seconds  usecs/call     calls    errors syscall\n\
            ------ ----------- ----------- --------- --------- ----------------\n \
            99.00    1.000000           1    123456           write\n\
            ------ ----------- ----------- --------- --------- ----------------\n\
            100.00    1.200000           1    133456        12 total\n";
        assert_eq!(syscalls(summary), Some(133_456));
    }

    #[test]
    fn a_program_is_run_to_its_end_and_its_failure_is_told_in_its_words() {
        let folder = tempfile::tempdir().unwrap();
        let run = |script: &str| {
            let words = ["sh", "-c", script].map(str::to_owned);
            super::run(&words, folder.path(), Duration::from_secs(60))
        };
        let cost = run("echo said; sleep 0.2").unwrap();
        assert_eq!(cost.stdout, "said\n");
        assert!(cost.peak_rss > 0 && cost.wall >= 0.2, "{cost:?}");
        let error = run("echo why >&2; exit 3").unwrap_err();
        assert!(error.contains("exit status: 3: why"), "{error}");
    }
}
