//! Memory: what this process holds, and how much it may hold.
//!
//! ```text
//! /proc/meminfo ─ MemTotal ─────────────────────────────┐
//! /proc/self/cgroup ─▶ the groups of this process       ├─▶ the smallest is the limit
//!      v1  /sys/fs/cgroup/memory/GROUP/memory.limit_in_bytes, and those above ─┤
//!      v2  /sys/fs/cgroup/GROUP/memory.max, and those above ───────────────────┘
//! ```

use std::path::{Path, PathBuf};

/// Where the kernel shows control groups.
const GROUPS: &str = "/sys/fs/cgroup";

/// Bytes of this process in memory now.
pub fn resident() -> Option<u64> {
    kib(&std::fs::read_to_string("/proc/self/status").ok()?, "VmRSS:")
}

/// The most bytes of this process that were in memory at a time.
pub fn peak() -> Option<u64> {
    kib(&std::fs::read_to_string("/proc/self/status").ok()?, "VmHWM:")
}

/// Bytes that processes may use here: the smallest limit of the control groups that this one is in, of the first or the second
/// version, or what the machine has.
pub fn limit() -> Option<u64> {
    let machine = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| kib(&text, "MemTotal:"));
    let groups = std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let read = |path: &Path| bytes(&std::fs::read_to_string(path).ok()?);
    machine.into_iter().chain(limit_files(&groups).iter().filter_map(|path| read(path))).min()
}

/// The files that may hold a limit for a process in these groups, as `/proc/self/cgroup` lists them. In a container the path
/// is that of the host, and what is mounted is the group itself: so the folders above count too, up to the root.
fn limit_files(groups: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for line in groups.lines() {
        let mut fields = line.splitn(3, ':').skip(1);
        let (Some(controllers), Some(path)) = (fields.next(), fields.next()) else { continue };
        let (root, name) = match controllers {
            "" => (Path::new(GROUPS).to_path_buf(), "memory.max"),
            one if one.split(',').any(|controller| controller == "memory") => {
                (Path::new(GROUPS).join("memory"), "memory.limit_in_bytes")
            }
            _ => continue,
        };
        let group = Path::new(path.trim_start_matches('/'));
        files.extend(group.ancestors().map(|above| root.join(above).join(name)));
    }
    files
}

/// The number behind a name in one of the kernel's tables, in KiB there, in bytes here.
fn kib(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse::<u64>().ok()?.checked_mul(1024)
}

/// A limit in bytes; none where there is none.
fn bytes(text: &str) -> Option<u64> {
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_stand_in_the_group_and_all_above_it() {
        let v1 = "9:name=systemd:/x\n4:memory:/a/b\n1:cpu,cpuacct:/a\n";
        let files: Vec<String> = limit_files(v1).iter().map(|path| path.display().to_string()).collect();
        let at = |group: &str| format!("/sys/fs/cgroup/memory/{group}memory.limit_in_bytes");
        assert_eq!(files, [at("a/b/"), at("a/"), at("")]);
        let v2: Vec<PathBuf> = limit_files("0::/user.slice/s.scope\n");
        assert_eq!(v2[0], Path::new("/sys/fs/cgroup/user.slice/s.scope/memory.max"));
        assert_eq!(v2.len(), 3);
        assert_eq!((bytes("max\n"), bytes("4096\n")), (None, Some(4096)));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_knows_what_it_holds() {
        let (now, peak, limit) =
            (resident().expect("known"), peak().expect("known"), limit().expect("known"));
        assert!(now > 0 && now <= peak.max(now) && peak < limit, "{now} {peak} {limit}");
    }
}
