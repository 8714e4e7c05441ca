//! Makes a ring: the best that this kernel gives under the filters in force.
//!
//! We ask for all flags that help. On `EINVAL` we ask again for what an older kernel knows, and so
//! on down to the least that will do. The kernel's version is never asked: distributions backport
//! features, and sandboxes lie.
//!
//! The kernel counts the memory that it shares with a ring as locked, up to `RLIMIT_MEMLOCK` for
//! all processes of a user together, unless the process has the capability `CAP_IPC_LOCK`. (It did
//! before Linux 5.12, and does again since it makes rings of regions.) The limit was 64 KiB on
//! older systems. So a shard that asks for all it would like may leave nothing for the next one:
//! each asks for its share.

#![forbid(unsafe_code)]

use std::fmt::Display;
use std::time::{Duration, Instant};
use std::{fs, io, thread};

use io_uring::opcode::{
    Accept, AsyncCancel, Connect, Ftruncate, PollAdd, Recv, RecvMsg, Send, SendMsg, SendZc,
    Shutdown, Socket,
};
use io_uring::{IoUring, Probe};

use crate::buf::CHUNK_BYTES;
use crate::diagnostics::{Event, report};
use crate::driver::aligned::CHUNKS_MAX;
use crate::driver::choice::DriverConfig;
use crate::driver::sys::{memlock_limit, page_bytes};
use crate::error::DriverUnavailable;

/// How much is asked of the kernel: each level beyond the one before it. The numbers are the
/// versions of Linux that know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::driver) enum Level {
    /// 5.11: clamp, and our own completion queue size.
    Plain,
    /// 5.19: no interrupts for completions while we are in user space.
    CoopTaskrun,
    /// 6.0: only one thread submits.
    SingleIssuer,
    /// 6.1: completions are worked off when we ask for them.
    DeferTaskrun,
    /// 6.6: one array less between us and the kernel.
    NoSqArray,
}

pub(in crate::driver) const LEVELS: [Level; 5] =
    [Level::NoSqArray, Level::DeferTaskrun, Level::SingleIssuer, Level::CoopTaskrun, Level::Plain];

/// The smallest ring that we ask for.
pub(super) const ENTRIES_MIN: u32 = 8;
/// How long we try again after a refusal for want of memory: the kernel frees a ring some time
/// after it was closed, on a busy machine more than three seconds. First a ring of the wanted size
/// is tried again, then the smallest one, for as long as the configuration says.
const PATIENCE: Duration = Duration::from_millis(100);
const RETRY_EVERY: Duration = Duration::from_millis(5);

/// Completions that the queue of a ring with so many entries has room for.
fn completions_of(entries: u32) -> u32 {
    entries.saturating_mul(4)
}

/// Makes a ring for the calling thread.
pub(in crate::driver) fn make_ring(config: &DriverConfig) -> Result<IoUring, DriverUnavailable> {
    let mut entries = config.ring_entries.max(1);
    let mut made = make_first(entries);
    while entries > ENTRIES_MIN && is_want_of_memory(&made) {
        entries = (entries / 2).max(ENTRIES_MIN);
        made = make_best(entries);
    }
    if is_want_of_memory(&made) && may_fit(ENTRIES_MIN) {
        made = retry(config.memory_patience, || make_best(entries));
    }
    if entries < config.ring_entries && made.is_ok() {
        let wanted = config.ring_entries;
        report_short(format_args!("a ring has {entries} entries instead of {wanted}"));
    }
    let made = made.map(|(_, ring)| ring);
    require(made.map_err(|error| DriverUnavailable::new("io_uring_setup", error))?)
}

/// Whether a ring of so many entries fits the user's allowance if nothing else takes of it.
fn may_fit(entries: u32) -> bool {
    allowance().is_none_or(|bytes| ring_bytes(entries) <= bytes)
}

/// A ring of so many entries at the best level, and that level.
pub(super) fn make_first(entries: u32) -> io::Result<(Level, IoUring)> {
    retry(PATIENCE, || make_best(entries))
}

fn is_want_of_memory<T>(result: &io::Result<T>) -> bool {
    result.as_ref().is_err_and(|error| error.raw_os_error() == Some(libc::ENOMEM))
}

/// Tries again for so long while memory is wanting.
fn retry<T>(patience: Duration, mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    let start = Instant::now();
    loop {
        let result = attempt();
        if !is_want_of_memory(&result) || start.elapsed() >= patience {
            return result;
        }
        thread::sleep(RETRY_EVERY);
    }
}

fn make_best(entries: u32) -> io::Result<(Level, IoUring)> {
    let mut last = io::Error::from_raw_os_error(libc::EINVAL);
    for level in LEVELS {
        match build(level, entries) {
            Ok(ring) => return Ok((level, ring)),
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

pub(in crate::driver) fn build(level: Level, entries: u32) -> io::Result<IoUring> {
    let mut builder = IoUring::builder();
    builder.dontfork().setup_clamp().setup_cqsize(completions_of(entries));
    if level >= Level::CoopTaskrun {
        builder.setup_submit_all().setup_taskrun_flag();
    }
    if level >= Level::SingleIssuer {
        builder.setup_single_issuer();
    }
    if level >= Level::DeferTaskrun {
        builder.setup_defer_taskrun();
    } else if level >= Level::CoopTaskrun {
        builder.setup_coop_taskrun();
    }
    if level >= Level::NoSqArray {
        builder.setup_no_sqarray();
    }
    builder.build(entries)
}

/// Refuses a ring without the features that everything here stands on.
fn require(ring: IoUring) -> Result<IoUring, DriverUnavailable> {
    let params = ring.params();
    let old = |what| {
        let error = io::Error::from_raw_os_error(libc::ENOSYS);
        Err(DriverUnavailable::new(what, error))
    };
    if !params.is_feature_nodrop() {
        return old("io_uring without NODROP (before Linux 5.5)");
    }
    if !params.is_feature_ext_arg() {
        return old("io_uring without EXT_ARG (before Linux 5.11)");
    }
    Ok(ring)
}

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
pub(in crate::driver) fn entries_within_limit(
    wanted: u32,
    recv_buffers: u16,
    shards: usize,
) -> u32 {
    let Some(bytes) = allowance() else { return wanted };
    entries_within(wanted, recv_buffers, bytes / shards.max(1) as u64)
}

/// How many chunks of aligned memory each of `shards` may register: all of them together have a
/// quarter of the user's allowance.
pub(in crate::driver) fn chunks_within_limit(shards: usize) -> usize {
    let share = |bytes| bytes / 4 / shards.max(1) as u64 / CHUNK_BYTES as u64;
    allowance().map_or(CHUNKS_MAX, |bytes| share(bytes) as usize)
}

/// Reports what is missing, and the remedy.
#[cold]
pub(in crate::driver) fn report_short(what: impl Display) {
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
    let mut entries = wanted.max(1);
    while entries > ENTRIES_MIN && shard_bytes(entries, recv_buffers) > bytes {
        entries /= 2;
    }
    entries
}

/// What the kernel counts for a shard with a ring of so many entries and so many buffers.
pub(in crate::driver) fn shard_bytes(entries: u32, recv_buffers: u16) -> u64 {
    ring_bytes(entries) + pages(u64::from(recv_buffers) * BUFFER_BYTES)
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

/// What the kernel offers beyond the least that we need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::driver) struct Features {
    /// Multishot receive and synchronous cancel (6.0; told by `SEND_ZC`, which came with them).
    pub(in crate::driver) multishot_recv: bool,
    /// A file can be cut off (6.9).
    pub(in crate::driver) ftruncate: bool,
    /// A completion may be left out where all went well (5.17).
    pub(in crate::driver) cqe_skip: bool,
    /// Waiting need not count as waiting for a disk (6.15).
    pub(in crate::driver) no_iowait: bool,
}

/// The operations that the driver cannot do without, and the versions of Linux that know them.
pub(super) const NEEDED: [(u8, &str, (u32, u32)); 10] = [
    (PollAdd::CODE, "POLL_ADD", (5, 1)),
    (RecvMsg::CODE, "RECVMSG", (5, 3)),
    (SendMsg::CODE, "SENDMSG", (5, 3)),
    (Accept::CODE, "ACCEPT", (5, 5)),
    (AsyncCancel::CODE, "ASYNC_CANCEL", (5, 5)),
    (Connect::CODE, "CONNECT", (5, 5)),
    (Recv::CODE, "RECV", (5, 6)),
    (Send::CODE, "SEND", (5, 6)),
    (Shutdown::CODE, "SHUTDOWN", (5, 11)),
    // Not used: it came with multishot accept and provided buffer rings, which cannot be asked for.
    (Socket::CODE, "SOCKET", (5, 19)),
];

/// Finds out what the kernel has; a ring that cannot do the basic operations is refused.
pub(in crate::driver) fn probe(ring: &IoUring) -> Result<Features, DriverUnavailable> {
    let known = known_operations(ring)
        .map_err(|error| DriverUnavailable::new("io_uring_register(PROBE)", error))?;
    match NEEDED.iter().find(|(code, ..)| !known.is_supported(*code)) {
        None => Ok(Features::of(ring, &known)),
        Some((_, name, _)) => {
            let error = io::Error::from_raw_os_error(libc::EOPNOTSUPP);
            Err(DriverUnavailable::new(name, error))
        }
    }
}

/// Asks the kernel which operations it knows.
pub(super) fn known_operations(ring: &IoUring) -> io::Result<Probe> {
    let mut known = Probe::new();
    ring.submitter().register_probe(&mut known)?;
    Ok(known)
}

impl Features {
    pub(super) fn of(ring: &IoUring, known: &Probe) -> Self {
        Self {
            multishot_recv: known.is_supported(SendZc::CODE),
            ftruncate: known.is_supported(Ftruncate::CODE),
            cqe_skip: ring.params().is_feature_skip_cqe_on_success(),
            no_iowait: ring.params().is_feature_no_iowait(),
        }
    }
}

#[cfg(test)]
mod tests {
    use io_uring::types::BufRingEntry;
    use io_uring::{cqueue, squeue};

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
    fn a_share_that_is_just_enough_is_used_whole() {
        let enough = ring_bytes(256) + pages(512 * BUFFER_BYTES);
        assert_eq!(entries_within(256, 512, enough), 256);
        assert_eq!(entries_within(256, 512, enough - 1), 128);
        // Buffers take of it, too.
        assert!(entries_within(256, 2048, enough) < 256);
    }

    #[test]
    fn a_ring_is_counted_as_the_kernel_counts_it() {
        assert_eq!(SQE_BYTES, size_of::<squeue::Entry>() as u64);
        assert_eq!(CQE_BYTES, size_of::<cqueue::Entry>() as u64);
        assert_eq!(BUFFER_BYTES, size_of::<BufRingEntry>() as u64);
        // Four completions for each entry, and an index.
        assert_eq!(ring_bytes(4096), pages(4096 * 64) + pages(512 + 4096 * (4 * 16 + 4)));
        assert_eq!(ring_bytes(2049), ring_bytes(4096), "it rounds up");
        let page = page_bytes() as u64;
        assert_eq!([0, 1, page, page + 1].map(pages), [0, page, page, 2 * page]);
    }

    #[test]
    fn want_of_memory_is_tried_again_until_it_passes_and_nothing_else_is() {
        let error = |errno| Err(io::Error::from_raw_os_error(errno));
        let long = Duration::from_secs(3600);
        let mut answers = [Ok(5), error(libc::ENOMEM), error(libc::ENOMEM)].into_iter();
        let mut attempt = || answers.next_back().expect("it tries what has worked");
        assert_eq!(retry(long, &mut attempt).unwrap(), 5);
        let mut refusals = 0;
        for (patience, errno) in [(Duration::ZERO, libc::ENOMEM), (long, libc::EPERM)] {
            let mut attempt = || {
                refusals += 1;
                error(errno)
            };
            assert_eq!(retry(patience, &mut attempt).unwrap_err().raw_os_error(), Some(errno));
        }
        assert_eq!(refusals, 2);
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
