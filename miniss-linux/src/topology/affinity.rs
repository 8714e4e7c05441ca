//! The set of CPUs the kernel lets a thread run on, and how to change it.
//!
//! Masks here are as long as the kernel wants them. libc's `cpu_set_t` ends at CPU 1023, and the
//! kernel refuses (`EINVAL`) a mask shorter than its own; so we try again with a longer one.
//!
//! # Invariants
//!
//! **Mask of words.** The memory of a mask is its `words`: `size_of_val` bytes, aligned for
//! `c_ulong`, which is what the kernel's masks and `cpu_set_t` are made of. All-zero is a valid
//! mask. The kernel is always told that very size.

use super::CPUS_MAX;
use crate::runtime::try_with_current;
use std::io;
use std::marker::PhantomData;

/// The CPUs that the calling thread may run on, ascending.
///
/// A cpuset and `taskset` have their say in it; ids can have gaps and need not begin at 0.
/// Threads and child processes that are started later inherit the set; see [`unpinned`].
///
/// # Errors
///
/// What the kernel says; in practice only a sandbox that forbids `sched_getaffinity`.
///
/// ```
/// assert!(!miniss_linux::topology::allowed_cpus()?.is_empty());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn allowed_cpus() -> io::Result<Vec<usize>> {
    Ok(CpuMask::of_this_thread()?.cpus().collect())
}

/// Keeps the calling thread on `cpu` from now on.
///
/// # Errors
///
/// `EINVAL` when there is no such CPU, it is offline, or the cpuset excludes it; `EPERM` when a
/// sandbox forbids pinning. The thread then runs where it ran before.
///
/// ```
/// use miniss_linux::topology::{allowed_cpus, pin};
///
/// std::thread::spawn(|| {
///     let cpu = *allowed_cpus()?.last().expect("a thread runs somewhere");
///     pin(cpu)?;
///     assert_eq!(allowed_cpus()?, [cpu]);
///     Ok::<(), std::io::Error>(())
/// })
/// .join()
/// .unwrap()?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn pin(cpu: usize) -> io::Result<()> {
    if cpu >= CPUS_MAX {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    if cpu >= libc::CPU_SETSIZE as usize {
        // core_affinity's masks have so many bits; it panics at a larger number.
        return CpuMask::single(cpu).apply();
    }
    if core_affinity::set_for_current(core_affinity::CoreId { id: cpu }) {
        return Ok(());
    }
    // core_affinity tells only that the system call failed; the reason is still in errno.
    Err(io::Error::last_os_error())
}

/// Keeps the calling thread on one CPU, until dropped.
///
/// For a thread that we do not own, such as the one that calls `block_on`. Dropping puts the
/// former set of CPUs back; should the kernel refuse it, because the cpuset has changed since,
/// the thread stays where the kernel has put it. Guards on one thread are dropped in the reverse
/// order of their making, or the set of the last one dropped stays.
///
/// It is not `Send`: it belongs to its thread.
///
/// ```
/// use miniss_linux::topology::{Pinned, allowed_cpus};
///
/// let before = allowed_cpus()?;
/// let pinned = Pinned::to(before[0])?;
/// assert_eq!(allowed_cpus()?, [before[0]]);
///
/// drop(pinned);
/// assert_eq!(allowed_cpus()?, before);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// ```compile_fail,E0277
/// fn send<T: Send>(_: T) {}
///
/// send(miniss_linux::topology::Pinned::to(0).unwrap());
/// ```
#[derive(Debug)]
#[must_use = "the thread is kept on its CPU only as long as this lives"]
pub struct Pinned {
    _former: Former,
    of_one_thread: PhantomData<*const ()>,
}

impl Pinned {
    /// Keeps the calling thread on `cpu` as long as the guard lives.
    ///
    /// # Errors
    ///
    /// As for [`allowed_cpus`] and [`pin`]. The thread then runs where it ran before.
    ///
    /// ```
    /// use miniss_linux::topology::Pinned;
    ///
    /// let error = Pinned::to(usize::MAX).unwrap_err();
    /// assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
    /// ```
    pub fn to(cpu: usize) -> io::Result<Self> {
        let former = Former(CpuMask::of_this_thread()?);
        pin(cpu)?;
        Ok(Self { _former: former, of_one_thread: PhantomData })
    }
}

/// A set of CPUs that the calling thread is given back when this is dropped.
#[derive(Debug)]
struct Former(CpuMask);

impl Drop for Former {
    fn drop(&mut self) {
        // Nothing can be done about a failure, and the thread is able to run in any case.
        let _ = self.0.apply();
    }
}

/// Calls `start`, which starts threads or child processes, with the CPUs that the program may use.
///
/// What a thread starts inherits its set of CPUs. A pinned shard has only one, so a thread or a
/// child process that is started on it competes with it for that one, for its whole life, also if
/// others are free. For the length of this call the shard has the set that its runtime was built
/// with. `start` is a closure, so it covers what a library starts, too: a pool, a driver. It blocks
/// the shard as long as it takes, so let it start and not wait.
///
/// On a thread that is no shard, and where the kernel refuses, it is `start` alone.
///
/// ```
/// use std::{process::Command, thread};
/// use miniss_linux::{Runtime, topology::{allowed_cpus, unpinned}};
///
/// let cpus = allowed_cpus()?;
/// Runtime::new().block_on(async {
///     let thread = unpinned(|| thread::spawn(allowed_cpus));
///     assert_eq!(thread.join().unwrap()?, cpus);
///     let child = unpinned(|| Command::new("true").spawn());
///     # child?.wait()?;
///     # Ok::<(), std::io::Error>(())
/// })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn unpinned<T>(start: impl FnOnce() -> T) -> T {
    let of_program = try_with_current(|shard| shard.cpus_of_program.clone()).flatten();
    let _former = of_program.and_then(|cpus| swap(&cpus).ok());
    start()
}

/// Gives the calling thread other CPUs, until the guard is dropped.
fn swap(cpus: &CpuMask) -> io::Result<Former> {
    let former = Former(CpuMask::of_this_thread()?);
    cpus.apply()?;
    Ok(former)
}

const WORD_BITS: usize = libc::c_ulong::BITS as usize;

/// A set of CPUs of any size, one bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CpuMask {
    words: Vec<libc::c_ulong>,
}

impl CpuMask {
    fn with_room_for(cpus: usize) -> Self {
        Self { words: vec![0; cpus.div_ceil(WORD_BITS)] }
    }

    fn single(cpu: usize) -> Self {
        let mut mask = Self::with_room_for((cpu + 1).max(libc::CPU_SETSIZE as usize));
        mask.words[cpu / WORD_BITS] |= 1 << (cpu % WORD_BITS);
        mask
    }

    pub(crate) fn of_this_thread() -> io::Result<Self> {
        Self::query_with(libc::CPU_SETSIZE as usize, Self::fill)
    }

    /// Asks with a mask for `cpus` CPUs, and with twice as many as long as that is too short.
    fn query_with(
        mut cpus: usize,
        mut fill: impl FnMut(&mut Self) -> io::Result<()>,
    ) -> io::Result<Self> {
        loop {
            let mut mask = Self::with_room_for(cpus);
            match fill(&mut mask) {
                Ok(()) => return Ok(mask),
                Err(error) if error.raw_os_error() != Some(libc::EINVAL) => return Err(error),
                Err(error) if cpus >= CPUS_MAX => return Err(error),
                Err(_) => cpus *= 2,
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let bytes = size_of_val(&self.words[..]);
        // SAFETY: *Mask of words*: the kernel writes at most `bytes` bytes, which we own; libc may
        // clear the rest of them.
        let result = unsafe { libc::sched_getaffinity(0, bytes, self.words.as_mut_ptr().cast()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    /// Gives the calling thread these CPUs.
    pub(crate) fn apply(&self) -> io::Result<()> {
        let bytes = size_of_val(&self.words[..]);
        // SAFETY: *Mask of words*: the kernel reads at most `bytes` bytes, which we own.
        let result = unsafe { libc::sched_setaffinity(0, bytes, self.words.as_ptr().cast()) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    fn cpus(&self) -> impl Iterator<Item = usize> {
        let is_set = |cpu: &usize| self.words[cpu / WORD_BITS] >> (cpu % WORD_BITS) & 1 == 1;
        (0..self.words.len() * WORD_BITS).filter(is_set)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use std::thread;

    /// Runs `test` on a thread of its own, whose affinity is no one else's business.
    fn on_a_thread(test: impl FnOnce() + Send + 'static) {
        thread::spawn(test).join().unwrap();
    }

    #[test]
    fn masks_hold_ids_with_gaps_and_beyond_1024() {
        for cpu in [0, 1, 63, 64, 1023, 1024, 5000, CPUS_MAX - 1] {
            assert_eq!(CpuMask::single(cpu).cpus().collect::<Vec<_>>(), [cpu]);
        }
        let mask = CpuMask { words: vec![0b1010, 0, 1] };
        assert_eq!(mask.cpus().collect::<Vec<_>>(), [1, 3, 128]);
    }

    #[test]
    fn a_kernel_with_longer_masks_gets_a_longer_mask() {
        let mut asked = Vec::new();
        let mask = CpuMask::query_with(1024, |mask| {
            asked.push(mask.words.len() * WORD_BITS);
            if mask.words.len() * WORD_BITS < 4096 {
                return Err(io::Error::from_raw_os_error(libc::EINVAL));
            }
            mask.words[63] = 1;
            Ok(())
        });
        assert_eq!(asked, [1024, 2048, 4096]);
        assert_eq!(mask.unwrap().cpus().collect::<Vec<_>>(), [63 * WORD_BITS]);
    }

    #[test]
    fn the_real_kernel_refuses_a_mask_that_is_too_short_and_the_retry_helps() {
        // No words at all is shorter than any kernel's mask; doubling begins from one word.
        let mut empty = CpuMask::with_room_for(0);
        assert_eq!(empty.fill().unwrap_err().raw_os_error(), Some(libc::EINVAL));
        let grown = CpuMask::query_with(1, CpuMask::fill).unwrap();
        let usual = CpuMask::of_this_thread().unwrap();
        assert_eq!(grown.cpus().collect::<Vec<_>>(), usual.cpus().collect::<Vec<_>>());
    }

    #[test]
    fn a_query_that_can_never_succeed_ends() {
        for errno in [libc::EINVAL, libc::EPERM] {
            let refuse = |_: &mut CpuMask| Err(io::Error::from_raw_os_error(errno));
            let error = CpuMask::query_with(1024, refuse).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(errno));
        }
    }

    #[test]
    fn a_guard_restores_the_former_set() {
        on_a_thread(|| {
            let before = allowed_cpus().unwrap();
            for &cpu in &before {
                let pinned = Pinned::to(cpu).unwrap();
                assert_eq!(allowed_cpus().unwrap(), [cpu]);
                drop(pinned);
                assert_eq!(allowed_cpus().unwrap(), before);
            }
        });
    }

    #[test]
    fn a_guard_restores_after_a_panic_and_when_nested() {
        on_a_thread(|| {
            let before = allowed_cpus().unwrap();
            let (first, last) = (before[0], before[before.len() - 1]);
            let panic = std::panic::catch_unwind(|| {
                let _outer = Pinned::to(first).unwrap();
                // From a set of one: pinning may leave the former set, only the cpuset limits.
                let _inner = Pinned::to(last).unwrap();
                panic!("on purpose");
            });
            assert!(panic.is_err());
            assert_eq!(allowed_cpus().unwrap(), before);
        });
    }

    #[test]
    fn a_cpu_that_does_not_exist_is_refused_and_nothing_changes() {
        on_a_thread(|| {
            let before = allowed_cpus().unwrap();
            for cpu in [1023, 1024, CPUS_MAX - 1, CPUS_MAX, usize::MAX] {
                if before.contains(&cpu) {
                    continue;
                }
                assert_eq!(pin(cpu).unwrap_err().raw_os_error(), Some(libc::EINVAL));
                assert_eq!(Pinned::to(cpu).unwrap_err().raw_os_error(), Some(libc::EINVAL));
                assert_eq!(allowed_cpus().unwrap(), before);
            }
        });
    }
}
