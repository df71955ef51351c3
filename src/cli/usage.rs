//! What the process has used so far, as the operating system counts it.

/// Processor time of all threads, user and system, in seconds; `None` where there is no /proc.
pub(super) fn cpu_seconds() -> Option<f64> {
    cpu_of(&std::fs::read_to_string("/proc/self/stat").ok()?)
}

/// Most memory ever resident, in MiB; `None` where there is no /proc.
pub(super) fn peak_mib() -> Option<f64> {
    peak_of(&std::fs::read_to_string("/proc/self/status").ok()?)
}

/// Clock ticks a second, a constant of Linux' interface to programs.
const TICKS: f64 = 100.0;

fn cpu_of(stat: &str) -> Option<f64> {
    // The name of the program may hold blanks and brackets; utime and stime are the 12th and 13th field after it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / TICKS)
}

fn peak_of(status: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok()? / 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_behind_a_name_with_brackets() {
        let stat = "7 (a) b) c) R 1 7 7 0 -1 4194304 88 0 0 0 150 25 0 0 20 0 1 0";
        assert_eq!(cpu_of(stat), Some(1.75));
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    2048 kB\nThreads:\t1\n"), Some(2.0));
        assert_eq!((cpu_of("nothing"), peak_of("")), (None, None));
    }
}
