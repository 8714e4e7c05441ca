//! What a process holds: descriptors, threads, memory; and what a thread has done.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use miniss_linux::{driver_stats, stats, time};

use crate::deadline::SOON;

/// What this process holds at a moment. Take it in a process of its own, see
/// [`alone`](crate::alone).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Census {
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads that have not begun to exit.
    pub threads: usize,
}

impl Census {
    /// Counts.
    pub fn take() -> Self {
        // The folder that is being read is a descriptor, too.
        Self { descriptors: entries("/proc/self/fd") - 1, threads: threads_named("") }
    }

    /// Fails unless the process comes back, after `body`, to what it held before.
    ///
    /// # Panics
    ///
    /// If it does not, or `body` panics.
    #[track_caller]
    pub fn around(body: impl FnOnce()) {
        let before = Self::take();
        body();
        before.assert_back();
    }

    /// Fails unless the process comes back to this [`SOON`].
    ///
    /// # Panics
    ///
    /// If it does not.
    #[track_caller]
    pub fn assert_back(self) {
        let end = Instant::now() + SOON;
        while Self::take() != self && Instant::now() < end {
            thread::sleep(Duration::from_millis(2));
        }
        assert_eq!(Self::take(), self, "left: now, right: before");
    }
}

/// What a shard holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    tasks: usize,
    timers: usize,
    operations: usize,
}

impl Held {
    /// Counts, on the shard that we are on.
    fn take() -> Self {
        let stats = stats();
        Self {
            descriptors: Census::take().descriptors,
            tasks: stats.tasks_live,
            timers: stats.timers_armed,
            operations: driver_stats().in_flight,
        }
    }

    /// Fails unless the shard comes back to this [`SOON`].
    async fn assert_back(self) {
        let end = Instant::now() + SOON;
        while Self::take() != self && Instant::now() < end {
            time::sleep(Duration::from_micros(100)).await;
        }
        assert_eq!(Self::take(), self, "what the shard holds, now and before");
    }
}

/// What `case` gives. The shard must come back to what it held before: descriptors, tasks, timers,
/// operations in flight. Nothing else may run in this process: see [`alone`](crate::alone).
///
/// # Panics
///
/// If it does not, or the case panics.
pub async fn counted<T>(case: impl Future<Output = T>) -> T {
    let before = Held::take();
    let output = case.await;
    before.assert_back().await;
    output
}

fn entries(folder: &str) -> usize {
    fs::read_dir(folder).expect("this is Linux").count()
}

/// How many threads of this process have a name that begins so. One that was joined stays in the
/// list for a moment: it is exiting by then, and does not count. Nor do those with which the kernel
/// serves a ring: they end when it likes.
pub fn threads_named(start: &str) -> usize {
    let tasks = fs::read_dir("/proc/self/task").expect("this is Linux");
    let stats = tasks.filter_map(|task| fs::read_to_string(task.ok()?.path().join("stat")).ok());
    stats.filter(|stat| lives_and_is_named(stat, start)).count()
}

fn lives_and_is_named(stat: &str, start: &str) -> bool {
    // Flags of the kernel, in the 7th word behind the name in brackets.
    const EXITING: u64 = 4;
    const SERVES_RING: u64 = 0x10;
    let (_, named) = stat.split_once('(').expect("a name in brackets");
    let (name, rest) = named.rsplit_once(')').expect("a name in brackets");
    let flags = rest.split_whitespace().nth(6).and_then(|word| word.parse::<u64>().ok());
    let is_ours = flags.expect("stat has flags") & (EXITING | SERVES_RING) == 0;
    name.starts_with(start) && is_ours
}

/// Resident memory of this process, in bytes.
pub fn resident_bytes() -> u64 {
    resident_bytes_of("self")
}

/// Resident memory of a process that runs, in bytes. The pages are counted: before Linux 6.16,
/// `VmRSS` leaves out what each CPU has not told yet, which can be megabytes.
pub(crate) fn resident_bytes_of(process: &str) -> u64 {
    let path = format!("/proc/{process}/smaps_rollup");
    let text = fs::read_to_string(path).expect("the process runs");
    number_after(&text, "\nRss:") * 1024
}

/// The id of the calling thread, as in `/proc/self/task`.
pub fn thread_id() -> i32 {
    // SAFETY: no arguments.
    unsafe { libc::gettid() }
}

/// How often a thread of this process has gone to sleep or was made to.
pub fn context_switches(thread: i32) -> u64 {
    let path = format!("/proc/self/task/{thread}/status");
    let text = fs::read_to_string(path).expect("the thread is alive");
    number_after(&text, "\nvoluntary_ctxt_switches:")
}

/// The CPU time of a thread of this process, in 10 ms or finer.
pub fn cpu_time(thread: i32) -> Duration {
    let path = format!("/proc/self/task/{thread}/schedstat");
    let text = fs::read_to_string(path).expect("the thread is alive");
    let nanos = text.split_whitespace().next().and_then(|number| number.parse().ok());
    Duration::from_nanos(nanos.expect("schedstat begins with nanoseconds"))
}

/// The CPU time that the calling thread has used.
pub fn own_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the answer.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// The CPU time that the whole process has used.
pub fn process_cpu_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a valid place for the answer.
    let result = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    assert_eq!(result, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// How often something is watched that should come to rest.
pub const WATCHES: usize = 20;

/// Fails if this process uses `limit` or more of the CPU during each of some calls of `rest`. Not
/// one only, since the first may see what is still being cleared up.
///
/// # Panics
///
/// If it does.
pub async fn assert_rests(limit: Duration, rest: impl AsyncFn()) {
    let mut used = Duration::ZERO;
    for _ in 0..WATCHES {
        let before = process_cpu_time();
        rest().await;
        used = process_cpu_time() - before;
        if used < limit {
            return;
        }
    }
    panic!("it does not rest: {used:?} of the CPU in the last of {WATCHES} watches");
}

fn number_after(text: &str, name: &str) -> u64 {
    let (_, rest) = text.split_once(name).expect("the kernel tells this");
    rest.split_whitespace().next().and_then(|word| word.parse().ok()).expect("a number")
}
