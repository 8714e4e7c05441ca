//! The settings of a runtime, checked before anything starts.

#![forbid(unsafe_code)]

use std::time::Duration;

use miniss_core::{Budget, coop};

use super::runtime::Runtime;
use super::shard::task_budget;
use crate::diagnostics::{self, Event};
use crate::driver::{Driver, DriverConfig, Kind};
use crate::error::BuildError;
use crate::sharded::random::fresh_seed;
use crate::stall::{self, Watcher};
use crate::topology;

/// Which CPU each shard's thread runs on. What is started on a shard inherits that CPU; see
/// [`unpinned`](crate::topology::unpinned).
///
/// ```
/// use miniss_linux::{Pinning, Runtime};
/// let runtime = Runtime::builder().shards(2).pinning(Pinning::None).build().unwrap();
/// runtime.block_on(async {});
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Pinning {
    /// One CPU for each shard, if there are several shards and enough CPUs; otherwise none. With
    /// too few CPUs, or where the system refuses, they run unpinned, which is
    /// [reported](crate::diagnostics).
    #[default]
    Auto,
    /// The kernel's scheduler decides.
    None,
    /// One CPU for each shard, or an error.
    Required,
    /// Shard `i` on the `i`-th of these CPUs, or an error.
    Cpus(Vec<usize>),
}

/// More shards than this are a mistake in the configuration.
const SHARDS_MAX: usize = 1024;
/// The kernel takes no more entries.
const RING_ENTRIES_MAX: u32 = 32_768;
/// A provided-buffer ring has no more places.
const RECV_BUFFERS_MAX: u16 = 32_768;
/// More threads than this are a mistake in the configuration.
const BLOCKING_THREADS_MAX: usize = 1 << 16;
/// A thread's stack is part of its address space, which has 2^47 bytes.
const STACK_BYTES_MAX: usize = 1 << 40;
const RECV_BUFFER_BYTES_MAX: u32 = 1 << 20;
/// One shard's buffers are one allocation; beyond this it is a mistake in the configuration.
const RECV_BYTES_MAX: u64 = 1 << 30;

/// Makes a [`Runtime`] with settings of its own.
///
/// ```
/// use std::time::Duration;
/// use miniss_linux::Runtime;
///
/// let runtime = Runtime::builder()
///     .shards(2)
///     .idle_spin(Duration::from_micros(50))
///     .thread_name("worker")
///     .build()
///     .unwrap();
/// runtime.block_on(async {});
/// ```
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until `build`"]
pub struct Builder {
    pub(super) shards: Option<usize>,
    pub(super) pinning: Pinning,
    pub(super) thread_name: String,
    pub(super) budget: Budget,
    pub(super) shuffle: Option<u64>,
    random_seed: Option<u64>,
    stall_limit: Duration,
    pub(super) start_paused: bool,
    pub(super) shutdown_timeout: Duration,
    pub(super) stack_bytes: Option<usize>,
    pub(super) blocking_threads: usize,
    pub(super) blocking_keep_alive: Duration,
    /// `None`: as the environment says.
    choice: Option<Driver>,
    pub(super) driver: DriverConfig,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            shards: None,
            pinning: Pinning::Auto,
            thread_name: "miniss".into(),
            budget: Budget::default(),
            shuffle: None,
            random_seed: None,
            start_paused: false,
            stall_limit: if cfg!(debug_assertions) { stall::LIMIT } else { Duration::ZERO },
            shutdown_timeout: Duration::from_secs(5),
            stack_bytes: None,
            blocking_threads: 128,
            blocking_keep_alive: Duration::from_secs(10),
            choice: None,
            driver: DriverConfig {
                kind: Kind::IoUring,
                ring_entries: 256,
                recv_buffers: 512,
                registered_chunks_max: 0,
                recv_buffer_bytes: 16 * 1024,
                idle_spin_ns: 0,
                call_spin_ns: 50_000,
                memory_patience: Duration::ZERO,
            },
        }
    }
}

impl Builder {
    /// How many shards. Default: one for each CPU that the affinity mask allows, but no more than
    /// the cgroup's CPU quota, rounded up.
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::builder().shards(3).build().unwrap();
    /// assert_eq!(runtime.shards(), 3);
    /// ```
    pub fn shards(mut self, shards: usize) -> Self {
        self.shards = Some(shards);
        self
    }

    /// Which CPU each shard's thread runs on. Default: [`Pinning::Auto`]. The thread that calls
    /// [`Runtime::block_on`] is pinned for as long as it is in there.
    pub fn pinning(mut self, pinning: Pinning) -> Self {
        self.pinning = pinning;
        self
    }

    /// The kernel interface that all shards stand on. Default: the environment variable
    /// `MINISS_DRIVER` (`auto`, `io-uring` or `epoll`), and without it [`Driver::Auto`].
    /// [`Runtime::driver`] tells which one it came to.
    ///
    /// ```
    /// use miniss_linux::{Driver, Runtime};
    ///
    /// let runtime = Runtime::builder().shards(1).driver(Driver::Epoll).build().unwrap();
    /// assert_eq!(runtime.block_on(async { 6 * 7 }), 42);
    /// ```
    pub fn driver(mut self, driver: Driver) -> Self {
        self.choice = Some(driver);
        self
    }

    /// Entries of each shard's submission queue, rounded up to a power of two; its completion queue
    /// has four times as many. Default: 256. A full queue costs a system call and nothing else.
    /// There are fewer where the user may lock too little memory for those of all shards
    /// (`RLIMIT_MEMLOCK`), which is reported. epoll has no such queues.
    ///
    /// ```
    /// let runtime = miniss_linux::Runtime::builder().shards(1).ring_entries(8).build().unwrap();
    /// runtime.block_on(async {});
    /// ```
    pub fn ring_entries(mut self, entries: u32) -> Self {
        self.driver.ring_entries = entries;
        self
    }

    /// Bytes of memory that each shard wants the kernel to lock for its ring and its buffers, if it
    /// runs on io_uring. `RLIMIT_MEMLOCK` limits what all processes of a user lock together.
    ///
    /// ```
    /// let builder = miniss_linux::Runtime::builder();
    /// assert!(builder.locked_bytes() < 1 << 20);
    /// assert!(builder.locked_bytes() < builder.clone().ring_entries(4096).locked_bytes());
    /// ```
    pub fn locked_bytes(&self) -> u64 {
        self.driver.locked_bytes()
    }

    /// For how long a shard spins, looking for work, before it sleeps. Default: zero. Spinning
    /// trades CPU for latency; where it does not pay it is tried only now and then. A sleeping
    /// shard uses no CPU.
    pub fn idle_spin(mut self, spin: Duration) -> Self {
        self.driver.idle_spin_ns = nanos(spin);
        self
    }

    /// For how long at most a shard looks for calls and replies of other shards before it sleeps,
    /// while some are expected: it has made a call that is under way, or has just answered one.
    /// Default: 50 us; zero: not at all.
    ///
    /// It learns: it looks only once a call has ended a sleep that was shorter than this, for no
    /// longer than that sleep took, and stops where it does not pay. A shard that has nothing to do
    /// with others never does it.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = miniss_linux::Runtime::builder().shards(2);
    /// builder.call_spin(Duration::ZERO).build().unwrap().block_on(async {});
    /// ```
    pub fn call_spin(mut self, max: Duration) -> Self {
        self.driver.call_spin_ns = nanos(max);
        self
    }

    /// The name of the shards' threads, to which their number is added, and of those for what
    /// blocks, to which that is. Default: `miniss`. The kernel shows the first 15 bytes.
    pub fn thread_name(mut self, name: impl Into<String>) -> Self {
        self.thread_name = name.into();
        self
    }

    /// The stack size of the shards' threads and of those for what blocks, in bytes. Default: what
    /// [`std::thread`] gives. Shard 0 runs on the caller's own stack.
    ///
    /// ```
    /// let builder = miniss_linux::Runtime::builder().shards(2).stack_bytes(1 << 20);
    /// builder.build().unwrap().block_on(async {});
    /// ```
    pub fn stack_bytes(mut self, bytes: usize) -> Self {
        self.stack_bytes = Some(bytes);
        self
    }

    /// How many threads there may be for what blocks, for all shards together: for
    /// [`spawn_blocking`](crate::spawn_blocking), for lookups of host names, and for requests that
    /// the driver has no other way for. Default: 128. They are started as they are wanted. Each
    /// takes the memory of its stack as far as it is used. If computations are what blocks, about
    /// as many as there are CPUs make sense: they take their time from the shards.
    ///
    /// ```
    /// use miniss_linux::{Runtime, spawn_blocking};
    /// let runtime = Runtime::builder().shards(1).blocking_threads(2).build().unwrap();
    /// assert_eq!(runtime.block_on(async { spawn_blocking(|| 6 * 7).await }).unwrap(), 42);
    /// ```
    pub fn blocking_threads(mut self, threads: usize) -> Self {
        self.blocking_threads = threads;
        self
    }

    /// How long a thread for what blocks waits for more before it ends. Default: 10 s.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = miniss_linux::Runtime::builder().shards(1);
    /// builder.blocking_keep_alive(Duration::from_millis(100)).build().unwrap();
    /// ```
    pub fn blocking_keep_alive(mut self, idle: Duration) -> Self {
        self.blocking_keep_alive = idle;
        self
    }

    /// Reports polls that hold a shard for so long ([`Event::Stalled`]), while they do: which task
    /// it is and, with the feature `backtrace`, where its code stands. Zero: does not look.
    /// Default: 25 ms in debug builds, zero in release builds, which keep no spawn sites either.
    ///
    /// A thread beside the shards looks for them, four times in that time while a shard is awake.
    /// If the system refuses that thread, no one looks. There are five lines a minute at most. A
    /// shard that has no CPU to run on looks the same as one that is held. To learn where the code
    /// stands, it sends the shard's thread the signal `SIGURG`, unless the program has a handler of
    /// its own for it.
    ///
    /// [`Event::Stalled`]: crate::diagnostics::Event::Stalled
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = miniss_linux::Runtime::builder().shards(1);
    /// builder.stall_limit(Duration::from_millis(5)).build().unwrap().block_on(async {});
    /// ```
    pub fn stall_limit(mut self, limit: Duration) -> Self {
        self.stall_limit = limit;
        self
    }

    /// How much tasks may do in a turn before the kernel is asked for events. Default:
    /// [`Budget::default`].
    ///
    /// ```
    /// use miniss_linux::{Budget, Runtime};
    /// let budget = Budget { polls_max: 64, ..Budget::default() };
    /// Runtime::builder().shards(1).budget(budget).build().unwrap().block_on(async {});
    /// ```
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// How long the end of the runtime may wait for shards and for the kernel. Default: 5 s;
    /// [`Duration::MAX`]: as long as it takes. What has not ended by then is
    /// [reported](crate::diagnostics) and leaked.
    ///
    /// ```
    /// use std::time::Duration;
    /// let builder = miniss_linux::Runtime::builder().shards(1);
    /// drop(builder.shutdown_timeout(Duration::from_secs(1)).build().unwrap());
    /// ```
    pub fn shutdown_timeout(mut self, timeout: Duration) -> Self {
        self.shutdown_timeout = timeout;
        self
    }

    /// The buffers that each shard provides for receiving: `count`, a power of two, of `bytes`
    /// bytes. Default: 512 of 16,384. They are made when they are first wanted, and take memory as
    /// far as bytes were ever received into them: with short messages a page each. An idle
    /// connection holds none. A longer message comes in pieces, one for each buffer.
    ///
    /// ```
    /// let builder = miniss_linux::Runtime::builder().shards(1).recv_buffers(64, 64 * 1024);
    /// builder.build().unwrap().block_on(async {});
    /// ```
    pub fn recv_buffers(mut self, count: u16, bytes: u32) -> Self {
        self.driver.recv_buffers = count;
        self.driver.recv_buffer_bytes = bytes;
        self
    }

    /// Polls ready tasks in an order that follows from `seed`, instead of first come, first served.
    /// For tests: what passes with many seeds does not depend on the order. 0: not at all. Default:
    /// the environment variable `MINISS_SHUFFLE`, so that a program's own tests can be shuffled
    /// without a change.
    ///
    /// ```
    /// # use miniss_linux::Runtime;
    /// let runtime = Runtime::builder().shards(1).shuffle(42).build().unwrap();
    /// runtime.block_on(async {});
    /// ```
    pub fn shuffle(mut self, seed: u64) -> Self {
        self.shuffle = Some(seed);
        self
    }

    /// For tests: the runtime's [clock](crate::time) stands still, so that the hours a program
    /// sleeps take no time and come out to the nanosecond. Once the shard has nothing else to do,
    /// its clock is set forward to the next deadline; [`advance`](crate::time::advance) does so at
    /// any time. Default: `false`.
    ///
    /// What goes on beside the shard takes its own time. The clock stays where it is while
    /// [`spawn_blocking`](crate::spawn_blocking) works. For the network and for files it stays for
    /// a millisecond; then it goes on without them, and a timeout may end what a peer had no time
    /// to answer. Of other threads it knows nothing. Sleeps and deadlines are to be made inside of
    /// the runtime: outside, time is that of the system.
    ///
    /// It takes one shard: shards do not share a clock.
    ///
    /// ```
    /// use miniss_linux::Runtime;
    /// use miniss_linux::time::{Duration, Instant, sleep};
    ///
    /// let runtime = Runtime::builder().shards(1).start_paused(true).build().unwrap();
    /// runtime.block_on(async {
    ///     let start = Instant::now();
    ///     sleep(Duration::from_secs(86_400)).await;
    ///     assert_eq!(start.elapsed(), Duration::from_secs(86_400));
    /// });
    /// ```
    pub fn start_paused(mut self, paused: bool) -> Self {
        self.start_paused = paused;
        self
    }

    /// The seed of the shards' [random numbers](crate::sharded::random()): a program that is given
    /// the seed of a former run has its numbers again. Default: the environment variable
    /// `MINISS_SEED`, and without it another one each time. [`Runtime::random_seed`] tells which
    /// it is.
    ///
    /// ```
    /// use miniss_linux::{Runtime, sharded::random};
    ///
    /// let first = |seed| {
    ///     let runtime = Runtime::builder().shards(1).random_seed(seed).build().unwrap();
    ///     runtime.block_on(async { random() })
    /// };
    /// assert_eq!(first(42), first(42));
    /// assert_ne!(first(42), first(43));
    /// ```
    pub fn random_seed(mut self, seed: u64) -> Self {
        self.random_seed = Some(seed);
        self
    }

    /// Starts the shards.
    ///
    /// # Errors
    ///
    /// [`BuildError::InvalidConfig`] before anything starts; the others if a shard cannot be
    /// started, and then those that had been are ended again.
    pub fn build(self) -> Result<Runtime, BuildError> {
        let shards = self.shard_count()?;
        let cpus = self.cpus(shards)?;
        coop::set_current(task_budget);
        Runtime::launch(&self, &cpus)
    }

    fn shard_count(&self) -> Result<usize, BuildError> {
        let shards = self.shards.unwrap_or_else(topology::default_shards);
        if shards == 0 || shards > SHARDS_MAX {
            return invalid(format!("{shards} shards; from 1 to {SHARDS_MAX} make sense"));
        }
        if self.start_paused && shards > 1 {
            return invalid(format!(
                "{shards} shards with a clock that stands; it takes `shards(1)`"
            ));
        }
        if self.thread_name.contains('\0') {
            return invalid(format!("a zero byte in the thread name {:?}", self.thread_name));
        }
        if let Some(bytes) = self.stack_bytes.filter(|&bytes| bytes > STACK_BYTES_MAX) {
            return invalid(format!("stacks of {bytes} bytes; up to {STACK_BYTES_MAX} work"));
        }
        let threads = self.blocking_threads;
        if threads == 0 || threads > BLOCKING_THREADS_MAX {
            return invalid(format!(
                "{threads} threads for what blocks; from 1 to {BLOCKING_THREADS_MAX} work"
            ));
        }
        let driver = &self.driver;
        if driver.ring_entries == 0 || driver.ring_entries > RING_ENTRIES_MAX {
            let entries = driver.ring_entries;
            return invalid(format!("{entries} ring entries; from 1 to {RING_ENTRIES_MAX} work"));
        }
        let (count, bytes) = (driver.recv_buffers, driver.recv_buffer_bytes);
        if !count.is_power_of_two() || count > RECV_BUFFERS_MAX {
            return invalid(format!(
                "{count} receive buffers; a power of two up to {RECV_BUFFERS_MAX} works"
            ));
        }
        if bytes == 0 || bytes > RECV_BUFFER_BYTES_MAX {
            return invalid(format!(
                "receive buffers of {bytes} bytes; from 1 to {RECV_BUFFER_BYTES_MAX} work"
            ));
        }
        if u64::from(count) * u64::from(bytes) > RECV_BYTES_MAX {
            return invalid(format!(
                "{count} receive buffers of {bytes} bytes; up to {RECV_BYTES_MAX} bytes for a \
                 shard work"
            ));
        }
        Ok(shards)
    }

    /// `None` if no one is to look for stalls, or can.
    pub(super) fn start_watcher(&self, shards: usize) -> Option<Watcher> {
        if self.stall_limit.is_zero() {
            return None;
        }
        Watcher::start(shards, self.stall_limit, format!("{}-watcher", self.thread_name)).ok()
    }

    /// The driver that is wanted.
    pub(super) fn wanted_driver(&self) -> Result<Driver, BuildError> {
        match (self.choice, std::env::var("MINISS_DRIVER")) {
            (Some(driver), _) => Ok(driver),
            (None, Err(_)) => Ok(Driver::Auto),
            (None, Ok(word)) => {
                word.parse().or_else(|error| invalid(format!("MINISS_DRIVER: {error}")))
            }
        }
    }

    /// The seed of each shard follows from this one.
    pub(crate) fn shuffle_seed(&self) -> Result<u64, BuildError> {
        let seed = self.shuffle.map_or_else(|| seed_in("MINISS_SHUFFLE"), |seed| Ok(Some(seed)));
        Ok(seed?.unwrap_or(0))
    }

    /// The generator of each shard follows from this one.
    pub(super) fn chosen_random_seed(&self) -> Result<u64, BuildError> {
        let seed = self.random_seed.map_or_else(|| seed_in("MINISS_SEED"), |seed| Ok(Some(seed)));
        Ok(seed?.unwrap_or_else(fresh_seed))
    }

    /// The CPU of each shard.
    fn cpus(&self, shards: usize) -> Result<Vec<Option<usize>>, BuildError> {
        let allowed = topology::allowed_cpus().unwrap_or_default();
        let enough = shards <= allowed.len();
        match &self.pinning {
            Pinning::None => Ok(vec![None; shards]),
            Pinning::Auto if shards == 1 => Ok(vec![None; shards]),
            Pinning::Auto if !enough => {
                let cpus = allowed.len();
                diagnostics::report(
                    Event::Unpinned,
                    format_args!(
                        "{shards} shards on {cpus} CPUs: they run unpinned (Pinning::None says \
                         that this is meant)"
                    ),
                );
                Ok(vec![None; shards])
            }
            Pinning::Required if !enough => invalid(format!(
                "{shards} shards are to be pinned, but only {} CPUs are allowed; take fewer \
                 shards, or Pinning::None",
                allowed.len()
            )),
            Pinning::Auto | Pinning::Required => {
                Ok(allowed.into_iter().take(shards).map(Some).collect())
            }
            Pinning::Cpus(cpus) => self.chosen_cpus(cpus, &allowed, shards),
        }
    }

    fn chosen_cpus(
        &self,
        cpus: &[usize],
        allowed: &[usize],
        shards: usize,
    ) -> Result<Vec<Option<usize>>, BuildError> {
        if cpus.len() < shards {
            return invalid(format!("{shards} shards, but only {} CPUs were named", cpus.len()));
        }
        match cpus.iter().find(|cpu| !allowed.contains(cpu)) {
            Some(cpu) => invalid(format!(
                "CPU {cpu} was named, but this process may only run on {allowed:?}"
            )),
            None => Ok(cpus.iter().take(shards).copied().map(Some).collect()),
        }
    }

    /// Whether a shard that cannot be pinned is an error.
    pub(super) fn pinning_is_strict(&self) -> bool {
        matches!(self.pinning, Pinning::Required | Pinning::Cpus(_))
    }
}

/// The seed in this environment variable, if it is set.
fn seed_in(variable: &str) -> Result<Option<u64>, BuildError> {
    match std::env::var(variable) {
        Err(_) => Ok(None),
        Ok(text) => text.parse().map(Some).or_else(|_| {
            invalid(format!("{variable}={text:?}; a number from 0 to 2^64 - 1 works"))
        }),
    }
}

/// In nanoseconds; those that do not fit become the most that do, 584 years.
fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn invalid<T>(what: String) -> Result<T, BuildError> {
    Err(BuildError::InvalidConfig(what))
}
