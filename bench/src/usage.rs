//! What this process has used: CPU time of all its threads and resident memory, from `/proc/self`.

use std::fs;

/// Clock ticks a second in `/proc/self/stat`: 100 on every Linux that a distribution ships (`getconf CLK_TCK`).
const TICKS_PER_S: f64 = 100.0;

/// CPU seconds of this process so far, user and system, all threads; steps of 10 ms.
pub(crate) fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The command in parentheses may hold anything: count from its end. utime and stime are fields 14 and 15.
    let after = text.rsplit_once(')').map_or("", |(_, after)| after);
    let fields = after.split_whitespace().skip(11).take(2);
    let ticks: f64 = fields.filter_map(|f| f.parse::<f64>().ok()).sum();
    ticks / TICKS_PER_S
}

/// Resident memory of this process, KiB.
pub(crate) fn resident_kib() -> f64 {
    status_kib("VmRSS:")
}

/// The most resident memory that this process ever had, KiB.
pub(crate) fn peak_kib() -> f64 {
    status_kib("VmHWM:")
}

fn status_kib(field: &str) -> f64 {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix(field));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok())
        .unwrap_or(0.0)
}
