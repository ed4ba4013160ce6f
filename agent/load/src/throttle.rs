//! How long the kernel has stopped this process for its CPU limit, from the cgroup's `cpu.stat` (version 1 and 2).

use std::fs;
use std::time::Duration;

/// What a CPU limit did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Throttling {
    /// How long threads were stopped in total.
    pub(crate) stopped: Duration,
}

/// Where a container finds its own cgroup.
const FILES: [&str; 3] =
    ["/sys/fs/cgroup/cpu.stat", "/sys/fs/cgroup/cpu/cpu.stat", "/sys/fs/cgroup/cpu,cpuacct/cpu.stat"];

impl Throttling {
    /// What happened until now. None outside a limited cgroup.
    pub(crate) fn so_far() -> Self {
        let text = FILES.iter().find_map(|file| fs::read_to_string(file).ok()).unwrap_or_default();
        Self { stopped: parse(&text) }
    }

    /// What happened since `earlier`.
    pub(crate) fn since(self, earlier: Self) -> Self {
        Self { stopped: self.stopped.saturating_sub(earlier.stopped) }
    }
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
    fn both_versions_are_read() {
        assert_eq!(parse("usage_usec 5\nnr_throttled 2\nthrottled_usec 1500\n"), Duration::from_micros(1500));
        assert_eq!(parse("nr_periods 1\nnr_throttled 2\nthrottled_time 2500000\n"), Duration::from_micros(2500));
        assert_eq!(parse(""), Duration::ZERO);
    }
}
