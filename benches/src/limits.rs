//! What the machine allows: the same work by hand, without a runtime.
//!
//! All return nanoseconds for one operation. The two-core ones pin their threads.

use std::hint::{black_box, spin_loop};
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// Pins the calling thread to a CPU; does nothing where that is refused.
pub fn pin(cpu: usize) {
    // SAFETY: a CPU set is plain bits.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set is ours; a number that is too large is ignored.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: a valid set of the size given.
    unsafe { libc::sched_setaffinity(0, size_of_val(&set), &set) };
}

/// CPU time that the calling thread has used.
pub fn thread_cpu() -> Duration {
    cpu_clock(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// CPU time that all threads of this process have used.
pub fn process_cpu() -> Duration {
    cpu_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

fn cpu_clock(clock: libc::clockid_t) -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: a writable timespec.
    unsafe { libc::clock_gettime(clock, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Nanoseconds that `body` takes for each of `count` operations.
pub fn nanos_per(count: usize, body: impl FnOnce()) -> f64 {
    let start = Instant::now();
    body();
    start.elapsed().as_nanos() as f64 / count as f64
}

/// A word alone on its cache line, and on the one that is fetched with it.
#[repr(align(128))]
#[derive(Default)]
struct Line(AtomicU64);

/// A cache line each way between two threads that spin: a call to a core that is awake.
pub fn cache_line_ping_pong(rounds: usize) -> f64 {
    let (there, back) = (Line::default(), Line::default());
    let turns = || 1..=rounds as u64;
    on_two_cores(
        || {
            turns().for_each(|turn| {
                there.0.store(turn, Ordering::Release);
                wait_for(&back, turn);
            })
        },
        || {
            turns().for_each(|turn| {
                wait_for(&there, turn);
                back.0.store(turn, Ordering::Release);
            })
        },
    ) / rounds as f64
}

/// 64 calls at once, each with a cache line each way, between two threads that spin; per call.
pub fn cache_lines_of_64(rounds: usize) -> f64 {
    const CALLS: usize = 64;
    let lines = || (0..CALLS).map(|_| Line::default()).collect::<Vec<_>>();
    let (there, back) = (lines(), lines());
    let turns = || 1..=rounds as u64;
    on_two_cores(
        || {
            turns().for_each(|turn| {
                there.iter().for_each(|line| line.0.store(turn, Ordering::Release));
                back.iter().for_each(|line| wait_for(line, turn));
            })
        },
        || {
            turns().for_each(|turn| {
                for (there, back) in there.iter().zip(&back) {
                    wait_for(there, turn);
                    back.0.store(turn, Ordering::Release);
                }
            })
        },
    ) / (rounds * CALLS) as f64
}

fn wait_for(line: &Line, round: u64) {
    while line.0.load(Ordering::Acquire) != round {
        spin_loop();
    }
}

/// A write to an eventfd each way between two threads that sleep: a call to a core that is
/// asleep, by a core that goes to sleep.
pub fn eventfd_ping_pong(rounds: usize) -> f64 {
    let (there, back) = (eventfd(), eventfd());
    let turns = || 0..rounds;
    on_two_cores(
        || {
            turns().for_each(|_| {
                ring(&there);
                sleep_until_rung(&back);
            })
        },
        || {
            turns().for_each(|_| {
                sleep_until_rung(&there);
                ring(&back);
            })
        },
    ) / rounds as f64
}

/// Runs `timed` on CPU 0 and `other` on CPU 1; how many nanoseconds `timed` took.
fn on_two_cores(timed: impl FnOnce() + Send, other: impl FnOnce() + Send) -> f64 {
    thread::scope(|scope| {
        scope.spawn(|| {
            pin(1);
            other();
        });
        let timed = scope.spawn(|| {
            pin(0);
            nanos_per(1, timed)
        });
        timed.join().expect("no panic")
    })
}

fn eventfd() -> OwnedFd {
    // SAFETY: no pointers.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC) };
    assert!(fd >= 0, "eventfd: {}", io::Error::last_os_error());
    // SAFETY: fresh, and no one else's.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

fn ring(fd: &OwnedFd) {
    let one = 1_u64.to_ne_bytes();
    // SAFETY: eight readable bytes.
    let written = unsafe { libc::write(fd.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    assert_eq!(written, 8, "{}", io::Error::last_os_error());
}

fn sleep_until_rung(fd: &OwnedFd) {
    let mut count = [0; 8];
    // SAFETY: eight writable bytes.
    let read = unsafe { libc::read(fd.as_raw_fd(), count.as_mut_ptr().cast(), count.len()) };
    assert_eq!(read, 8, "{}", io::Error::last_os_error());
}

/// A task by hand: a function to be called through a pointer, its state, and a link.
struct Job {
    run: fn(u64) -> u64,
    state: u64,
    next: usize,
}

/// No job in a link.
const NONE: usize = usize::MAX;

/// Jobs in memory that is used again, and a queue of them.
struct Jobs {
    jobs: Vec<Job>,
    free: usize,
    head: usize,
    tail: usize,
}

impl Jobs {
    fn new(count: usize) -> Self {
        let next = |index| if index + 1 < count { index + 1 } else { NONE };
        let job = |index| Job { run: |_| 0, state: 0, next: next(index) };
        Self { jobs: (0..count).map(job).collect(), free: 0, head: NONE, tail: NONE }
    }

    fn push(&mut self, index: usize) {
        self.jobs[index].next = NONE;
        match std::mem::replace(&mut self.tail, index) {
            NONE => self.head = index,
            tail => self.jobs[tail].next = index,
        }
    }

    fn pop(&mut self) -> Option<usize> {
        let index = self.head;
        let next = self.jobs.get(index)?.next;
        self.head = next;
        if next == NONE {
            self.tail = NONE;
        }
        Some(index)
    }

    fn spawn(&mut self, run: fn(u64) -> u64, state: u64) -> usize {
        let index = self.free;
        self.free = self.jobs[index].next;
        self.jobs[index].run = run;
        self.jobs[index].state = state;
        self.push(index);
        index
    }

    fn run_next(&mut self) -> Option<usize> {
        let index = self.pop()?;
        let job = &mut self.jobs[index];
        job.state = (job.run)(job.state);
        Some(index)
    }

    fn join(&mut self, index: usize) -> u64 {
        self.jobs[index].next = std::mem::replace(&mut self.free, index);
        self.jobs[index].state
    }
}

/// Batches of 1,000 jobs by hand: take a slot, queue it, run it, read what it left, free it.
pub fn spawn_by_hand(batches: usize) -> f64 {
    const BATCH: usize = 1000;
    let mut jobs = Jobs::new(BATCH);
    nanos_per(batches * BATCH, || {
        for _ in 0..batches {
            let spawned = (0..BATCH as u64).map(|n| jobs.spawn(black_box(|n| n + 1), n));
            let spawned: Vec<_> = spawned.collect();
            while jobs.run_next().is_some() {}
            black_box(spawned.into_iter().map(|index| jobs.join(index)).sum::<u64>());
        }
    })
}

/// 100 jobs by hand that run in turn: take the first from the queue, call it, put it back.
pub fn yield_by_hand(rounds: usize) -> f64 {
    const JOBS: usize = 100;
    let mut jobs = Jobs::new(JOBS);
    (0..JOBS as u64).for_each(|n| _ = jobs.spawn(black_box(|n| n + 1), n));
    nanos_per(rounds * JOBS, || {
        for _ in 0..rounds * JOBS {
            let index = jobs.run_next().expect("never empty");
            jobs.push(index);
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_run_in_order_and_their_slots_are_used_again() {
        let mut jobs = Jobs::new(2);
        for _ in 0..3 {
            let (a, b) = (jobs.spawn(|n| n + 1, 1), jobs.spawn(|n| n + 2, 2));
            assert_eq!(
                [jobs.run_next(), jobs.run_next(), jobs.run_next()],
                [Some(a), Some(b), None]
            );
            assert_eq!((jobs.join(a), jobs.join(b)), (2, 4));
        }
    }

    #[test]
    fn limits_come_to_an_end() {
        assert!(cache_line_ping_pong(2) > 0.0);
        assert!(eventfd_ping_pong(2) > 0.0);
        assert!(cache_lines_of_64(2) > 0.0);
        assert!(spawn_by_hand(1) > 0.0 && yield_by_hand(1) > 0.0);
    }
}
