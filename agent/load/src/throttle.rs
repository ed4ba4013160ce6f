//! What kept the generator from its CPU: how long the kernel has stopped this process for its CPU limit, from the
//! cgroup's `cpu.stat` (version 1 and 2), and how long the hypervisor ran somebody else, from `/proc/stat`.

use std::fs;
use std::time::Duration;

/// What kept the generator from its CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    /// How long threads were stopped for a CPU limit, in total.
    pub(crate) throttled: Duration,
    /// How long the hypervisor ran somebody else, summed over all CPUs of the machine.
    pub(crate) stolen: Duration,
}

/// Where a container finds its own cgroup.
const FILES: [&str; 3] =
    ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"];

/// The unit of `/proc/stat`: USER_HZ, which is 100 on every architecture that Linux still has.
const TICK: Duration = Duration::from_millis(10);

impl Pressure {
    /// What happened until now. None of it outside Linux.
    pub(crate) fn so_far() -> Self {
        let text = FILES.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        let stat = fs::read_to_string("/proc/stat").unwrap_or_default();
        Self { throttled: parse(&text), stolen: stolen(&stat) }
    }

    /// What happened since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self {
            throttled: self.throttled.saturating_sub(earlier.throttled),
            stolen: self.stolen.saturating_sub(earlier.stolen),
        }
    }
}

/// The eighth number of the line `cpu` (proc_stat(5)).
fn stolen(stat: &str) -> Duration {
    let line = stat.lines().find_map(|line| line.strip_prefix("cpu "));
    let ticks = line.and_then(|line| line.split_ascii_whitespace().nth(7)?.parse::<u32>().ok());
    TICK * ticks.unwrap_or(0)
}

/// Version 2 counts `throttled_usec`, version 1 `throttled_time` in nanoseconds.
fn parse(text: &str) -> Duration {
    let field = |name: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value.and_then(|value| value.trim().parse::<u64>().ok())
    };
    match (field("throttled_usec"), field("throttled_time")) {
        (Some(micros), _) => Duration::from_micros(micros),
        (None, Some(nanos)) => Duration::from_nanos(nanos),
        (None, None) => Duration::ZERO,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stolen_time_is_the_eighth_number() {
        assert_eq!(stolen("cpu  10 20 30 40 50 60 70 85 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n"), Duration::from_millis(850));
        assert_eq!(stolen(""), Duration::ZERO);
    }

    #[test]
    fn both_versions_are_read() {
        assert_eq!(parse("usage_usec 5\nnr_throttled 2\nthrottled_usec 1500\n"), Duration::from_micros(1500));
        assert_eq!(parse("nr_periods 1\nnr_throttled 2\nthrottled_time 2500000\n"), Duration::from_micros(2500));
        assert_eq!(parse(""), Duration::ZERO);
    }
}
