//! What io_uring is here, for tools that tell a user. It asks as a runtime asks when it starts.

#![forbid(unsafe_code)]

use std::io;

use io_uring::{IoUring, Probe};

use super::entry::try_nop;
use super::ring::Ring;
use super::setup::{ENTRIES_MIN, Features, Level, NEEDED, known_operations, make_first};
use crate::error::DriverUnavailable;

/// What io_uring is here; see [`probe_io_uring`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoUringProbe {
    /// The system calls in the order in which a ring needs them, and what became of each: `None` if
    /// it was not tried because one before it was refused; `Err` with the number of the error.
    pub calls: [(&'static str, Option<Result<(), i32>>); 3],
    /// What the driver uses. Empty if the kernel could not be asked.
    pub features: Vec<IoUringFeature>,
}

/// Something of io_uring that not all kernels have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IoUringFeature {
    /// As the kernel calls it.
    pub name: &'static str,
    /// The version of Linux that it came with.
    pub since: (u32, u32),
    /// Whether the driver cannot do without it.
    pub required: bool,
    /// Whether it is here.
    pub present: bool,
}

/// Finds out what io_uring is here: makes a small ring, asks it what the kernel knows, and hands it
/// a request that does nothing.
///
/// A runtime does the same when it starts, but tells only what stands in its way:
/// [`Runtime::driver`](crate::Runtime::driver).
///
/// ```
/// let probe = miniss_linux::probe_io_uring();
/// for (call, answer) in probe.calls {
///     println!("{call}: {answer:?}");
/// }
/// for missing in probe.features.iter().filter(|feature| !feature.present) {
///     println!("{} came with Linux {:?}", missing.name, missing.since);
/// }
/// ```
pub fn probe_io_uring() -> IoUringProbe {
    let calls = ["io_uring_setup", "io_uring_register", "io_uring_enter"];
    let mut probe = IoUringProbe { calls: calls.map(|call| (call, None)), features: Vec::new() };
    if let Some((level, ring)) = probe.note(0, make_first(ENTRIES_MIN))
        && let Some(known) = probe.note(1, known_operations(&ring))
    {
        probe.features = features_of(level, &ring, &known);
        let found = Features::of(&ring, &known);
        let mut ring = Ring::new(ring, &found);
        probe.features.push(IoUringFeature {
            name: "REGISTER_RING_FDS",
            since: (5, 18),
            required: false,
            present: ring.is_registered(),
        });
        let errno = |error: DriverUnavailable| error.errno().unwrap_or(libc::EIO);
        let entered = try_nop(&mut ring).map_err(errno).map_err(io::Error::from_raw_os_error);
        probe.note(2, entered);
    }
    probe
}

impl IoUringProbe {
    fn note<T>(&mut self, call: usize, result: io::Result<T>) -> Option<T> {
        let errno = |error: &io::Error| error.raw_os_error().unwrap_or(libc::EIO);
        self.calls[call].1 = Some(result.as_ref().map(drop).map_err(errno));
        result.ok()
    }
}

fn features_of(best: Level, ring: &IoUring, known: &Probe) -> Vec<IoUringFeature> {
    let feature =
        |name, since, required, present| IoUringFeature { name, since, required, present };
    let params = ring.params();
    let bits = [
        feature("NODROP", (5, 5), true, params.is_feature_nodrop()),
        feature("EXT_ARG", (5, 11), true, params.is_feature_ext_arg()),
    ];
    let operations =
        NEEDED.map(|(code, name, since)| feature(name, since, true, known.is_supported(code)));
    let found = Features::of(ring, known);
    let flag = |name, since, level| feature(name, since, false, level <= best);
    let better = [
        feature("CQE_SKIP_SUCCESS", (5, 17), false, found.cqe_skip),
        flag("COOP_TASKRUN", (5, 19), Level::CoopTaskrun),
        flag("SINGLE_ISSUER", (6, 0), Level::SingleIssuer),
        feature("RECV_MULTISHOT", (6, 0), false, found.multishot_recv),
        flag("DEFER_TASKRUN", (6, 1), Level::DeferTaskrun),
        flag("NO_SQARRAY", (6, 6), Level::NoSqArray),
        feature("FTRUNCATE", (6, 9), false, found.ftruncate),
        feature("NO_IOWAIT", (6, 15), false, found.no_iowait),
    ];
    bits.into_iter().chain(operations).chain(better).collect()
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_makes_rings_is_probed_to_the_end() {
        if crate::driver::tests::over_ring(1).is_none() {
            return;
        }
        let probe = probe_io_uring();
        assert!(probe.calls.iter().all(|(_, answer)| *answer == Some(Ok(()))), "{probe:?}");
        let missing = |feature: &&IoUringFeature| feature.required && !feature.present;
        assert_eq!(probe.features.iter().find(missing), None);
        let mut names: Vec<_> = probe.features.iter().map(|feature| feature.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), probe.features.len(), "each is named once");
    }
}
