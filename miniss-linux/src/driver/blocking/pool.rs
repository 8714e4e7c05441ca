//! The threads of a runtime that do what would block a shard, and the lines in which it waits.
//!
//! Each shard has a line. A thread that is free takes the first job of the next line that has one:
//! so the jobs of a shard begin in their order, and no shard waits behind all jobs of another.
//!
//! A thread is started when more jobs wait than there are idle threads, one at a time: the shard
//! starts the first, and each thread that begins starts the next if it is still wanted. So a shard
//! that hands over hundreds of jobs at once pays for one start. If the system refuses a thread, the
//! jobs wait for those that are there; if there is none, they are refused with the system's error.
//! A thread that has been idle for long ends.
//!
//! One lock guards all of this. No code of the program runs under it, and no system call but the
//! wake of an idle thread.

#![forbid(unsafe_code)]

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::mem;
use std::panic::Location;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{self, Duration};

use miniss_core::op::OpId;
use miniss_core::time::Instant;

use super::requests::Performing;
use crate::diagnostics::{self, Event};
use crate::driver::sys::now;
use crate::guard::quietly;
use crate::topology::CpuMask;

/// A job that has waited so long for a thread is reported.
const LATE: Duration = Duration::from_secs(1);
/// How long no other thread is started after the system has refused one, if there are some.
const RETRY_EVERY: Duration = Duration::from_millis(100);

/// How the threads of a pool are to be.
#[derive(Debug, Clone)]
pub(crate) struct BlockingConfig {
    pub(crate) threads_max: usize,
    /// How long a thread waits for a job before it ends.
    pub(crate) keep_alive: Duration,
    pub(crate) thread_name: String,
    pub(crate) stack_bytes: Option<usize>,
    /// Where they may run; `None` if the kernel does not tell.
    pub(crate) cpus: Option<Arc<CpuMask>>,
}

/// What a thread is to do. It is told whether to begin, or why it never will: the number of a
/// system error, `ECANCELED` if the runtime ends.
pub(crate) enum Job {
    /// With the place in the program that it comes from, if it is no work of ours.
    Work(Box<dyn FnOnce(Result<(), i32>) + Send>, Option<&'static Location<'static>>),
    Request(Performing),
}

impl Job {
    /// Work of the caller, whose place in the program is kept.
    #[track_caller]
    pub(crate) fn work(work: impl FnOnce(Result<(), i32>) + Send + 'static) -> Self {
        Self::Work(Box::new(work), Some(Location::caller()))
    }

    /// Where it comes from, if it is of the program.
    fn place(&self) -> Option<&'static Location<'static>> {
        match self {
            Self::Work(_, place) => *place,
            Self::Request(_) => None,
        }
    }

    /// What panics here is no reason for a thread to end.
    fn run(self, start: Result<(), i32>) {
        quietly(|| match self {
            Self::Work(work, _) => work(start),
            Self::Request(request) => request.run(start),
        });
    }

    /// It never begins.
    fn refuse(self, errno: i32) {
        self.run(Err(errno));
    }

    fn request(&self) -> Option<OpId> {
        match self {
            Self::Work(..) => None,
            Self::Request(request) => Some(request.id()),
        }
    }
}

/// The threads of a runtime for what would block its shards.
pub(crate) struct BlockingPool {
    config: BlockingConfig,
    state: Mutex<State>,
    /// There is a job, or the pool is closed. Idle threads wait for it.
    has_job: Condvar,
    /// The last thread has ended.
    has_ended: Condvar,
}

struct State {
    /// One for each shard, and behind them that of what is done also at the end.
    lines: Vec<VecDeque<Waiting>>,
    /// The line whose turn is next.
    next_line: usize,
    /// Jobs in all lines.
    waiting: usize,
    /// The one that is being started included.
    threads: usize,
    idle: usize,
    /// Where the work comes from that runs.
    running: Vec<&'static Location<'static>>,
    is_starting: bool,
    refused_until: Instant,
    is_closed: bool,
}

/// Threads that are busy beyond the end.
#[derive(Debug)]
pub(crate) struct Busy {
    pub(crate) threads: usize,
    /// Where their work comes from, as far as it is not that of a request.
    pub(crate) places: Vec<&'static Location<'static>>,
}

struct Waiting {
    job: Job,
    since: Instant,
}

impl BlockingPool {
    /// A pool for so many shards. It has no threads before there is a job.
    pub(crate) fn new(config: BlockingConfig, shards: usize) -> Self {
        let state = State {
            lines: (0..=shards).map(|_| VecDeque::new()).collect(),
            next_line: 0,
            waiting: 0,
            threads: 0,
            idle: 0,
            running: Vec::new(),
            is_starting: false,
            refused_until: Instant::ZERO,
            is_closed: false,
        };
        let (has_job, has_ended) = (Condvar::new(), Condvar::new());
        Self { config, state: Mutex::new(state), has_job, has_ended }
    }

    /// Puts a job into the line of a shard. A pool that is closed refuses it.
    pub(crate) fn submit(self: &Arc<Self>, shard: usize, job: Job) {
        let state = self.lock();
        if state.is_closed {
            drop(state);
            return job.refuse(libc::ECANCELED);
        }
        self.put(state, shard, job);
    }

    /// Takes a job that is done also if the pool is closed: its threads end when there is none.
    pub(super) fn submit_last(self: &Arc<Self>, job: Job) {
        let state = self.lock();
        let last = state.lines.len() - 1;
        self.put(state, last, job);
    }

    fn put(self: &Arc<Self>, mut state: MutexGuard<'_, State>, line: usize, job: Job) {
        let since = now();
        let line = &mut state.lines[line];
        let longest = line.front().map(|first| since - first.since);
        line.push_back(Waiting { job, since });
        state.waiting += 1;
        if state.idle > 0 {
            self.has_job.notify_one();
        }
        self.start_wanted(state);
        self.report_if_late(longest);
    }

    /// Takes a request that is meant, and has not begun, out of the line of a shard.
    pub(super) fn withdraw(&self, shard: usize, is_meant: impl Fn(OpId) -> bool) -> Option<OpId> {
        let mut state = self.lock();
        let id = |waiting: &Waiting| waiting.job.request().filter(|&id| is_meant(id));
        let place = state.lines[shard].iter().position(|waiting| id(waiting).is_some())?;
        let waiting = state.lines[shard].remove(place)?;
        state.waiting -= 1;
        waiting.job.request()
    }

    /// Whether a job waits, or a thread is at work on one.
    pub(super) fn is_busy(&self) -> bool {
        let state = self.lock();
        state.waiting > 0 || state.threads > state.idle
    }

    /// Refuses jobs from now on, and those that wait.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        state.is_closed = true;
        let shards = state.lines.len() - 1;
        let lines = state.lines[..shards].iter_mut().map(mem::take);
        let refused: Vec<_> = lines.flatten().map(|waiting| waiting.job).collect();
        state.waiting -= refused.len();
        drop(state);
        self.has_job.notify_all();
        refused.into_iter().for_each(|job| job.refuse(libc::ECANCELED));
    }

    /// Waits until all threads of a closed pool have ended, or `deadline` if there is one. Returns
    /// those that have not; each of them is busy with a job.
    pub(crate) fn wait_ended(&self, deadline: Option<time::Instant>) -> Busy {
        let mut state = self.lock();
        while state.threads > 0 {
            let Some(deadline) = deadline else {
                state = self.has_ended.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = deadline.saturating_duration_since(time::Instant::now());
            if left.is_zero() {
                break;
            }
            let waited = self.has_ended.wait_timeout(state, left);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        Busy { threads: state.threads, places: state.running.clone() }
    }

    /// Jobs of a shard that have not begun.
    #[cfg(test)]
    pub(super) fn waiting(&self, shard: usize) -> usize {
        self.lock().lines[shard].len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code of the program runs under the lock, so a panic cannot leave it half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts another thread if one is wanted.
    fn start_wanted(self: &Arc<Self>, mut state: MutexGuard<'_, State>) {
        if !state.wants_thread(self.config.threads_max) {
            return;
        }
        state.threads += 1;
        state.is_starting = true;
        drop(state);
        if let Err(error) = self.start_thread() {
            self.note_refusal(&error);
        }
    }

    fn start_thread(self: &Arc<Self>) -> io::Result<()> {
        let mut builder = thread::Builder::new().name(self.config.thread_name.clone());
        if let Some(bytes) = self.config.stack_bytes {
            builder = builder.stack_size(bytes);
        }
        let this = self.clone();
        builder.spawn(move || this.work()).map(drop)
    }

    /// The system has refused a thread.
    #[cold]
    fn note_refusal(&self, error: &io::Error) {
        let mut state = self.lock();
        self.note_end(&mut state);
        state.is_starting = false;
        state.refused_until = now() + RETRY_EVERY;
        let threads = state.threads;
        let stranded = if threads == 0 { state.take_all() } else { Vec::new() };
        drop(state);
        let what = if threads == 0 { "fails" } else { "waits for those that are there" };
        diagnostics::report(
            Event::BlockingThreadRefused,
            format_args!(
                "no thread beside {threads} for what blocks, so it {what}: {error}; raise \
                 RLIMIT_NPROC or pids.max"
            ),
        );
        let errno = error.raw_os_error().unwrap_or(libc::EAGAIN);
        stranded.into_iter().for_each(|job| job.refuse(errno));
    }

    /// There is a thread less.
    fn note_end(&self, state: &mut State) {
        state.threads -= 1;
        if state.threads == 0 {
            self.has_ended.notify_all();
        }
    }

    /// What a thread does, from its start to its end.
    fn work(self: Arc<Self>) {
        // It was started on a shard, or by a thread that was, and inherits that one's CPU.
        if let Some(cpus) = &self.config.cpus {
            // Where the kernel refuses, it runs there.
            let _ = cpus.apply();
        }
        self.lock().is_starting = false;
        let mut ended = None;
        while let Some(job) = self.next_job(ended) {
            ended = job.place();
            job.run(Ok(()));
        }
    }

    /// Waits for a job, after that from `ended`. `None`: the thread is to end, and counts no more.
    fn next_job(self: &Arc<Self>, ended: Option<&'static Location<'static>>) -> Option<Job> {
        let mut state = self.lock();
        let place = state.running.iter().position(|&place| Some(place) == ended);
        place.map(|place| state.running.swap_remove(place));
        let mut has_timed_out = false;
        loop {
            if let Some(Waiting { job, since }) = state.take() {
                state.running.extend(job.place());
                self.start_wanted(state);
                self.report_if_late(Some(now() - since));
                return Some(job);
            }
            if has_timed_out || state.is_closed {
                self.note_end(&mut state);
                return None;
            }
            state.idle += 1;
            let waited = self.has_job.wait_timeout(state, self.config.keep_alive);
            let (locked, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
            state = locked;
            state.idle -= 1;
            has_timed_out = timeout.timed_out();
        }
    }

    /// A job that waits for long waits for threads that are all busy.
    fn report_if_late(&self, waited: Option<Duration>) {
        let Some(waited) = waited.filter(|&waited| waited >= LATE) else { return };
        let threads = self.config.threads_max;
        diagnostics::report(
            Event::BlockingPoolFull,
            format_args!(
                "what blocks has waited {waited:?} for one of {threads} threads; raise \
                 `Builder::blocking_threads`, or ask for less at once"
            ),
        );
    }
}

impl State {
    /// Takes the first job of the next line that has one.
    fn take(&mut self) -> Option<Waiting> {
        if self.waiting == 0 {
            return None;
        }
        loop {
            let line = self.next_line;
            self.next_line = (line + 1) % self.lines.len();
            if let Some(waiting) = self.lines[line].pop_front() {
                self.waiting -= 1;
                return Some(waiting);
            }
        }
    }

    fn take_all(&mut self) -> Vec<Job> {
        std::iter::from_fn(|| self.take()).map(|waiting| waiting.job).collect()
    }

    /// Whether another thread is to be started. One at a time: it sees to the next.
    fn wants_thread(&self, threads_max: usize) -> bool {
        self.waiting > self.idle
            && !self.is_starting
            && self.threads < threads_max
            && (self.threads == 0 || now() >= self.refused_until)
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.lock();
        f.debug_struct("BlockingPool")
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("waiting", &state.waiting)
            .finish_non_exhaustive()
    }
}
