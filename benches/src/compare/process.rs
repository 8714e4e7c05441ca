//! What a subject asks of the kernel about its own process: the one gate to libc here.

use std::fs;

/// Ends this process by a signal, should it still run after `seconds`: a subject that hangs must
/// not hang the comparison.
pub fn end_after(seconds: u32) {
    // SAFETY: no pointers.
    unsafe { libc::alarm(seconds) };
}

/// Small pages only, so that resident memory grows by what is used and not by 2 MiB at once.
pub fn use_small_pages() {
    // SAFETY: no pointers; the last three arguments must be zero.
    unsafe { libc::prctl(libc::PR_SET_THP_DISABLE, 1, 0, 0, 0) };
}

/// The highest resident memory so far, in KiB. Unlike that of `getrusage` it begins anew with each
/// program. Zero where `/proc` is missing.
pub fn peak_rss_kib() -> u64 {
    field("/proc/self/status", "VmHWM:")
}

/// Resident memory now, in KiB, counted and not estimated.
pub fn rss_kib() -> u64 {
    field("/proc/self/smaps_rollup", "Rss:")
}

fn field(path: &str, name: &str) -> u64 {
    let text = fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.split_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_is_seen() {
        let before = rss_kib();
        let bytes = std::hint::black_box(vec![1_u8; 16 << 20]);
        assert!(rss_kib() >= before + (8 << 10) && bytes[0] == 1);
        assert!(peak_rss_kib() >= 8 << 10);
    }
}
