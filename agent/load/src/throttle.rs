//! What kept the generator from its CPU: how long the kernel has stopped this process for its CPU limit, from `cpu.stat` of
//! its cgroups (version 1 and 2), and how long the hypervisor ran somebody else, from `/proc/stat`.

use std::fs;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

/// What kept the generator from its CPU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pressure {
    /// How long threads were stopped for a CPU limit, in total.
    pub(crate) throttled: Duration,
    /// How long the hypervisor ran somebody else, summed over all CPUs of the machine.
    pub(crate) stolen: Duration,
}

/// Where the cgroups that limit CPU are mounted: of version 2, and of version 1 by the names that systems give it.
const UNIFIED: &str = "sys/fs/cgroup";
const CPU: [&str; 2] = ["sys/fs/cgroup/cpu", "sys/fs/cgroup/cpu,cpuacct"];

/// The unit of `/proc/stat`: USER_HZ, which is 100 on every architecture that Linux still has.
const TICK: Duration = Duration::from_millis(10);

impl Pressure {
    /// What happened until now. None of it outside Linux.
    pub(crate) fn so_far() -> Self {
        let root = Path::new("/");
        let stat = fs::read_to_string(root.join("proc/stat")).unwrap_or_default();
        Self { throttled: throttled(root), stolen: stolen(&stat) }
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

/// How long all cgroups that this process is in were stopped for their CPU limits. A limit stops everything below it and
/// is counted where it is set, so that the groups above count as well. A container sees its own group as the root, whatever
/// name `/proc/self/cgroup` has for it (cgroup_namespaces(7)); a name that is not there is passed over.
fn throttled(root: &Path) -> Duration {
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let cpu = CPU.iter().map(|mount| root.join(mount)).find(|mount| mount.is_dir());
    let mut total = Duration::ZERO;
    for line in groups.lines() {
        // Number of the hierarchy, its controllers, path of the group.
        let mut fields = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (fields.next(), fields.next(), fields.next()) else { continue };
        let mount = match controllers {
            "" => Some(root.join(UNIFIED)),
            _ if controllers.split(',').any(|name| name == "cpu") => cpu.clone(),
            _ => None,
        };
        let Some(mount) = mount else { continue };
        // A group outside the namespace begins with `..`; nothing is looked for above the mount.
        let names = Path::new(path).components().filter(|part| matches!(part, Component::Normal(_)));
        let group: PathBuf = names.collect();
        let stats = group.ancestors().filter_map(|group| fs::read_to_string(mount.join(group).join("cpu.stat")).ok());
        total += stats.map(|text| parse(&text)).sum::<Duration>();
    }
    total
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

    /// A machine with these files.
    fn machine(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    fn stopped(files: &[(&str, &str)]) -> u128 {
        throttled(machine(files).path()).as_millis()
    }

    #[test]
    fn a_container_finds_its_group_as_the_root() {
        let own = [("proc/self/cgroup", "0::/\n"), ("sys/fs/cgroup/cpu.stat", "usage_usec 1\nthrottled_usec 7000\n")];
        assert_eq!(stopped(&own), 7);
        let elsewhere =
            [("proc/self/cgroup", "0::/../../other\n"), own[1], ("other/cpu.stat", "throttled_usec 9000\n")];
        assert_eq!(stopped(&elsewhere), 7);
        // Without a namespace of its own the name is that of the host, and only the group itself is mounted.
        let version_1 = [
            ("proc/self/cgroup", "12:memory:/kubepods/pod1\n4:cpu,cpuacct:/kubepods/pod1\n0::/\n"),
            ("sys/fs/cgroup/cpu,cpuacct/cpu.stat", "nr_throttled 2\nthrottled_time 7000000\n"),
            ("sys/fs/cgroup/memory/cpu.stat", "throttled_time 90000000\n"),
        ];
        assert_eq!(stopped(&version_1), 7);
        assert_eq!(stopped(&[("proc/self/cgroup", "4:cpu:/a\n"), ("sys/fs/cgroup/cpu/cpu.stat", version_1[1].1)]), 7);
    }

    #[test]
    fn a_nested_group_is_stopped_by_every_limit_above_it() {
        let files = [
            ("proc/self/cgroup", "0::/user.slice/run.scope\n"),
            ("sys/fs/cgroup/cpu.stat", "usage_usec 100\n"),
            ("sys/fs/cgroup/user.slice/cpu.stat", "throttled_usec 4000\n"),
            ("sys/fs/cgroup/user.slice/run.scope/cpu.stat", "throttled_usec 3000\n"),
            ("sys/fs/cgroup/user.slice/other.scope/cpu.stat", "throttled_usec 90000\n"),
        ];
        assert_eq!(stopped(&files), 7);
    }

    #[test]
    fn a_system_without_cgroups_stops_nobody() {
        assert_eq!(stopped(&[]), 0);
        assert_eq!(stopped(&[("proc/self/cgroup", "nonsense\n4:cpu\n4:cpu:/a\n")]), 0);
    }

    #[test]
    fn both_versions_are_read() {
        assert_eq!(parse("usage_usec 5\nnr_throttled 2\nthrottled_usec 1500\n"), Duration::from_micros(1500));
        assert_eq!(parse("nr_periods 1\nnr_throttled 2\nthrottled_time 2500000\n"), Duration::from_micros(2500));
        assert_eq!(parse(""), Duration::ZERO);
    }
}
