//! The CPUs this process may use, and how to keep a thread on one of them. Here a runtime finds
//! how many shards make sense, in a container too.
//!
//! `[topology] ─▶ builder ─▶ one shard thread per CPU ─▶ executor`
//!
//! - `affinity`: [`allowed_cpus`], [`pin`], [`Pinned`], the affinity mask of the calling thread;
//!   and [`unpinned`], for threads and child processes that are not to share a shard's CPU.
//! - `cgroup`: [`cpu_quota`], how much CPU time the control groups (containers) grant.
//! - `cpu_list`: [`CpuList`], `"0-3,7"`, as a person writes it.
//!
//! [`default_shards`] follows from the first two.
//!
//! The ids of CPUs are those of the kernel. They need not begin at 0 nor follow each other, and
//! what is allowed can be changed from outside at any time; so everything here asks each time.

mod affinity;
mod cgroup;
mod cpu_list;

pub(crate) use affinity::CpuMask;
pub use affinity::{Pinned, allowed_cpus, pin, unpinned};
pub use cgroup::cpu_quota;
pub use cpu_list::{CPUS_MAX, CpuList, CpuListError, CpuListErrorKind};

use std::num::NonZeroUsize;
use std::thread;

/// How many shards to start when no one says otherwise; at least 1.
///
/// One for each CPU that the calling thread may use, but not more than the control groups' CPU
/// quota, rounded up: with less time than threads, the kernel would stop all shards together
/// for the rest of each period.
///
/// ```
/// use miniss_linux::topology::{allowed_cpus, default_shards};
///
/// assert!(default_shards() >= 1);
/// assert!(default_shards() <= allowed_cpus()?.len());
/// # Ok::<(), std::io::Error>(())
/// ```
pub fn default_shards() -> usize {
    let allowed = match allowed_cpus() {
        Ok(cpus) => cpus.len(),
        // A sandbox may forbid the question. The number of CPUs online is the next best answer.
        Err(_) => thread::available_parallelism().map_or(1, NonZeroUsize::get),
    };
    shards_for(allowed, cpu_quota())
}

fn shards_for(allowed: usize, quota: Option<NonZeroUsize>) -> usize {
    allowed.min(quota.map_or(usize::MAX, NonZeroUsize::get)).max(1)
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn the_smaller_of_mask_and_quota_decides_and_one_is_the_least() {
        let quota = NonZeroUsize::new;
        assert_eq!(shards_for(8, quota(0)), 8);
        assert_eq!(shards_for(8, quota(1)), 1);
        assert_eq!(shards_for(8, quota(3)), 3);
        assert_eq!(shards_for(2, quota(64)), 2);
        assert_eq!(shards_for(0, None), 1);
    }

    #[test]
    fn a_thread_allowed_one_cpu_gets_one_shard() {
        for cpu in allowed_cpus().unwrap() {
            let answer = thread::spawn(move || {
                pin(cpu).unwrap();
                (allowed_cpus().unwrap(), default_shards())
            });
            assert_eq!(answer.join().unwrap(), (vec![cpu], 1));
        }
    }
}
