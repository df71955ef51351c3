//! What the process has used so far, as the operating system counts it.

use rustix::time::{ClockId, clock_gettime};

/// Processor time of all threads, user and system, in seconds.
pub(super) fn cpu_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + 1e-9 * time.tv_nsec as f64
}

/// Most memory ever resident, in MiB; `None` where there is no /proc.
pub(super) fn peak_mib() -> Option<f64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_grows_with_work_and_the_peak_is_read_by_its_name() {
        let before = cpu_seconds();
        let work = (0..3_000_000_u64).fold(0, |sum: u64, i| std::hint::black_box(sum ^ i));
        assert!(cpu_seconds() > before, "{work}");
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    2048 kB\nThreads:\t1\n"), Some(2.0));
        assert_eq!(peak_of(""), None);
    }
}
