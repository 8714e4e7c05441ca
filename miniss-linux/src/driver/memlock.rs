//! How much locked memory a ring may take: the user's allowance, shared among the shards.
//!
//! The kernel counts the memory that it shares with a ring as locked, up to `RLIMIT_MEMLOCK` for
//! all processes of a user together, unless the process has the capability `CAP_IPC_LOCK`. (It did
//! before Linux 5.12, and does again since it makes rings of regions.) The limit was 64 KiB on
//! older systems. So a shard that asks for all it would like may leave nothing for the next one:
//! each asks for its share.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::fs;

use super::setup::{ENTRIES_MIN, completions_of};
use super::sys::{memlock_limit, page_bytes};
use crate::diagnostics::{Event, report};

/// Bytes of an entry of the submission queue, of the completion queue and of a ring of buffers, and
/// about as many for the heads and tails.
const SQE_BYTES: u64 = 64;
const CQE_BYTES: u64 = 16;
const BUFFER_BYTES: u64 = 16;
const HEADER_BYTES: u64 = 512;
/// Each submission entry may have an index beside it.
const INDEX_BYTES: u64 = 4;
/// The bit of the capability to lock any amount of memory, as in `capability.h`.
const CAP_IPC_LOCK: u32 = 14;

/// How many entries a ring should have of the `wanted` ones, so that each of `shards` has room for
/// its ring and for `recv_buffers` provided buffers.
pub(super) fn entries_within_limit(wanted: u32, recv_buffers: u16, shards: usize) -> u32 {
    let Some(bytes) = allowance() else { return wanted };
    let entries = entries_within(wanted, recv_buffers, bytes / shards.max(1) as u64);
    if entries < wanted {
        report_short(format_args!("rings have {entries} entries instead of {wanted}"));
    }
    entries
}

/// Says what is to be done without, and the remedy.
#[cold]
pub(super) fn report_short(what: impl Display) {
    let limit =
        memlock_limit().map_or_else(|| "unlimited".into(), |bytes| format!("{bytes} bytes"));
    report(
        Event::LockedMemoryShort,
        format_args!(
            "{what}: the kernel refuses to lock more memory for this user; raise RLIMIT_MEMLOCK \
             (ulimit -l), which is {limit}"
        ),
    );
}

/// What this process may lock. `None`: any amount.
fn allowance() -> Option<u64> {
    let limit = memlock_limit()?;
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    if may_lock_any_amount(&status) { None } else { Some(limit) }
}

/// Whether a process with this `/proc/<pid>/status` has `CAP_IPC_LOCK` in force.
fn may_lock_any_amount(status: &str) -> bool {
    let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
    let bits = effective.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    bits.is_some_and(|bits| bits & (1 << CAP_IPC_LOCK) != 0)
}

fn entries_within(wanted: u32, recv_buffers: u16, bytes: u64) -> u32 {
    let buffers = pages(u64::from(recv_buffers) * BUFFER_BYTES);
    let mut entries = wanted.max(1);
    while entries > ENTRIES_MIN && ring_bytes(entries) + buffers > bytes {
        entries /= 2;
    }
    entries
}

/// What the kernel counts for a ring.
fn ring_bytes(entries: u32) -> u64 {
    let entries = entries.next_power_of_two();
    let completions = u64::from(completions_of(entries));
    let entries = u64::from(entries);
    pages(entries * SQE_BYTES)
        + pages(HEADER_BYTES + completions * CQE_BYTES + entries * INDEX_BYTES)
}

/// Rounded up to whole pages.
fn pages(bytes: u64) -> u64 {
    bytes.next_multiple_of(page_bytes() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_not_made_smaller() {
        assert_eq!(entries_within(256, 512, u64::MAX), 256);
        assert_eq!(entries_within(256, 512, 8 << 20), 256);
        assert_eq!(entries_within(1, 1, u64::MAX), 1);
    }

    #[test]
    fn a_ring_and_its_buffers_fit_the_share_down_to_the_smallest() {
        let mut former = 0;
        for share in (0..1 << 20).step_by(1 << 12) {
            let entries = entries_within(4096, 512, share);
            assert!((ENTRIES_MIN..=4096).contains(&entries));
            assert!(entries >= former, "more memory, fewer entries");
            let taken = ring_bytes(entries) + pages(512 * BUFFER_BYTES);
            assert!(taken <= share || entries == ENTRIES_MIN, "{entries} entries in {share} bytes");
            former = entries;
        }
        assert!(former > 256, "a megabyte is plenty");
    }

    #[test]
    fn the_capability_is_read_from_the_effective_set() {
        let status = |effective: &str| {
            format!("Name:\tkv\nCapInh:\t000001ffffffffff\nCapEff:\t{effective}\nSeccomp:\t0\n")
        };
        assert!(may_lock_any_amount(&status("000001ffffffffff")));
        assert!(may_lock_any_amount(&status("0000000000004000")));
        assert!(!may_lock_any_amount(&status("0000000000000000")));
        assert!(!may_lock_any_amount(&status("000001ffffffbfff")));
        assert!(!may_lock_any_amount(""), "unknown is not allowed");
    }
}
