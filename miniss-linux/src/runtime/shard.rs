//! A shard: one thread, one executor, one ring, and its end of the lanes; and the thread-local that
//! says which shard this thread is in.
//!
//! Invariant **Entered means alive**: [`enter`] alone sets the pointers, and borrows the shard for
//! as long as its guard lives. The guard then puts back the pointers of before, whose own guard,
//! further up the stack, still lives.

use std::cell::Cell;
use std::os::fd::RawFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;
use std::{fmt, ptr, thread};

use miniss_core::call::{Endpoint, Mesh};
use miniss_core::coop::TaskBudget;
use miniss_core::{Budget, Executor, ExecutorCell, LocalHandle};

use super::call::LANE;
use super::failure::Failure;
use super::foreign::{Handle, Inbound};
use crate::driver::{
    BlockingPool, DriverConfig, Hung, PoolRequests, ShardDriver, ShardReactor, Unparker,
    any_stands, now,
};
use crate::error::BuildError;
use crate::guard::quietly;
use crate::sharded::group::CurrentGroup;
use crate::sharded::random::Random;
use crate::sharded::service::CurrentService;
use crate::sharded::storage::Storage;
use crate::stall::ShardBeat;
use crate::topology::CpuMask;

/// How long `block_on` waits for room in the lanes to other shards.
const ROOM_WAIT_MAX: Duration = Duration::from_secs(5);
/// The time in which a shard serves what a lane holds.
const ROOM_WAIT_STEP: Duration = Duration::from_micros(20);

/// Names a shard: they are numbered from 0, which is the thread that made the runtime.
///
/// ```
/// use miniss_linux::ShardId;
/// assert_eq!(ShardId::new(3).to_string(), "shard 3");
/// assert_eq!(ShardId::from(3), ShardId::new(3));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShardId(u32);

impl ShardId {
    /// The shard with this number.
    ///
    /// # Panics
    ///
    /// If it does not fit 32 bits.
    ///
    /// ```
    /// assert_eq!(miniss_linux::ShardId::new(1).index(), 1);
    /// ```
    pub const fn new(index: usize) -> Self {
        assert!(index <= u32::MAX as usize, "no runtime has so many shards");
        Self(index as u32)
    }

    /// Its number.
    ///
    /// ```
    /// assert_eq!(miniss_linux::ShardId::new(1).index(), 1);
    /// ```
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    /// The index of the shard, in a runtime with so many.
    ///
    /// # Panics
    /// If it has no such shard.
    #[track_caller]
    pub(crate) fn index_among(self, shards: usize) -> usize {
        assert!(self.index() < shards, "there is no {self}: this runtime has {shards}");
        self.index()
    }

    /// The shard we are on.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// use miniss_linux::{Runtime, ShardId};
    /// let runtime = Runtime::builder().shards(1).build().unwrap();
    /// assert_eq!(runtime.block_on(async { ShardId::current().index() }), 0);
    /// ```
    #[track_caller]
    pub fn current() -> Self {
        with_current(|shard| shard.id)
    }

    /// The shard we are on, if we are on one.
    ///
    /// ```
    /// assert_eq!(miniss_linux::ShardId::try_current(), None);
    /// ```
    pub fn try_current() -> Option<Self> {
        try_with_current(|shard| shard.id)
    }

    /// All shards of the runtime we are in.
    ///
    /// # Panics
    ///
    /// Outside of a runtime.
    ///
    /// ```
    /// use miniss_linux::{Runtime, ShardId};
    /// let runtime = Runtime::builder().shards(2).build().unwrap();
    /// assert_eq!(runtime.block_on(async { ShardId::all().count() }), 2);
    /// ```
    #[track_caller]
    pub fn all() -> impl ExactSizeIterator<Item = ShardId> {
        (0..with_current(|shard| shard.endpoint.cores())).map(ShardId::new)
    }
}

impl From<usize> for ShardId {
    fn from(index: usize) -> Self {
        Self::new(index)
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "shard {}", self.0)
    }
}

/// What a shard is started with.
#[derive(Clone)]
pub(crate) struct ShardConfig {
    pub(crate) id: ShardId,
    pub(crate) cell: &'static ExecutorCell<Unparker>,
    pub(crate) mesh: Arc<Mesh<Unparker, LANE>>,
    pub(crate) inbound: Arc<Inbound>,
    pub(crate) handle: Handle,
    pub(crate) driver: DriverConfig,
    pub(crate) blocking: Arc<BlockingPool>,
    pub(crate) budget: Budget,
    pub(crate) shuffle: u64,
    pub(crate) random_seed: u64,
    pub(crate) shutdown_timeout: Duration,
    pub(crate) start_paused: bool,
    pub(crate) failure: Arc<Failure>,
    /// `None` if the kernel does not tell.
    pub(crate) cpus_of_program: Option<Arc<CpuMask>>,
    /// `None` if no one watches.
    pub(crate) beat: Option<ShardBeat>,
}

/// What code that runs on the shard can reach.
pub(crate) struct Shard {
    pub(crate) id: ShardId,
    pub(crate) local: LocalHandle<Unparker>,
    pub(crate) endpoint: Endpoint<Unparker, LANE>,
    pub(crate) driver: Rc<ShardDriver>,
    pub(crate) blocking: Arc<BlockingPool>,
    /// Where the thread that built the runtime could run.
    pub(crate) cpus_of_program: Option<Arc<CpuMask>>,
    /// Reaches all shards of the runtime from anywhere.
    pub(crate) handle: Handle,
    pub(crate) storage: Storage,
    pub(crate) random: Random,
    pub(crate) group: CurrentGroup,
    pub(crate) service: CurrentService,
    pub(crate) beat: Option<ShardBeat>,
    inbound: Arc<Inbound>,
    shutdown_timeout: Duration,
}

impl Shard {
    /// Builds the shard on the calling thread, which is its own from now on.
    pub(crate) fn start(config: ShardConfig) -> Result<(Self, Executor<ShardReactor>), BuildError> {
        let id = config.id;
        let unparker = config.cell.unparker();
        let operation = "making its eventfd";
        let eventfd =
            unparker.open().map_err(|error| BuildError::Start { shard: id, operation, error })?;
        if config.start_paused {
            unparker.clock.stop();
        }
        let built = Self::start_with_eventfd(config, eventfd);
        if built.is_err() {
            unparker.close();
        }
        built
    }

    fn start_with_eventfd(
        config: ShardConfig,
        eventfd: RawFd,
    ) -> Result<(Self, Executor<ShardReactor>), BuildError> {
        let shard = config.id;
        let on_pool = PoolRequests::new(config.blocking.clone(), shard.index());
        let driver = ShardDriver::new(config.driver, config.cell.unparker(), eventfd, on_pool)
            .map_err(|error| BuildError::Driver { shard, error })?;
        if let Some(beat) = &config.beat {
            let cell = config.cell;
            beat.on_this_thread(Box::new(|| cell.current_group_index()));
        }
        let reactor = ShardReactor::new(driver.clone(), config.beat.clone());
        let mut executor =
            Executor::new(config.cell, reactor).expect("an executor cell from the pool is free");
        executor.set_budget(config.budget);
        // Each shard has an order of its own.
        executor.set_shuffle(config.shuffle.wrapping_mul(2 * shard.index() as u64 + 1));
        let local = executor.local();
        let endpoint = Endpoint::open(config.mesh, shard.index(), local).expect("a fresh executor");
        local.spawn(driver.clone().serve_pool()).expect("a fresh executor").detach();
        local.spawn(config.inbound.clone().serve()).expect("a fresh executor").detach();
        let this = Self {
            id: shard,
            local,
            endpoint,
            driver,
            blocking: config.blocking,
            cpus_of_program: config.cpus_of_program,
            handle: config.handle,
            storage: Storage::default(),
            group: CurrentGroup::default(),
            service: CurrentService::default(),
            beat: config.beat,
            random: Random::new(config.random_seed, shard.index()),
            inbound: config.inbound,
            shutdown_timeout: config.shutdown_timeout,
        };
        Ok((this, executor))
    }

    /// Whether its clock stands, so that no time is ever used up.
    #[inline]
    pub(crate) fn has_no_time(&self) -> bool {
        any_stands() && self.local.cell().unparker().clock.stands_at().is_some()
    }

    /// No turn follows for now: sends also what has found no room in the lanes. The other shards
    /// make room between any two polls. If one does not, this waits no longer than
    /// [`ROOM_WAIT_MAX`].
    pub(crate) fn send_rest(&self) {
        let deadline = now() + ROOM_WAIT_MAX;
        while self.endpoint.has_unsent() && now() < deadline {
            thread::sleep(ROOM_WAIT_STEP);
            // What cannot be delivered is dropped here, which wakes the tasks that wait for it.
            quietly(|| self.endpoint.flush());
            self.driver.submit();
        }
    }

    /// Ends the shard on its own thread: refuses new calls and operations, drops the tasks, then
    /// what is stored here, sends the replies that this brings about, and waits for the kernel.
    /// What does not end in time is leaked, and returned.
    pub(crate) fn shut_down(self, executor: Executor<ShardReactor>) -> Hung {
        let deadline = now() + self.shutdown_timeout;
        let entered = enter(&self);
        self.inbound.close();
        // Code of the user's may panic in any of these; the end goes on.
        quietly(|| self.endpoint.close());
        self.driver.refuse();
        quietly(|| drop(executor));
        entered.without_executor();
        self.storage.close();
        quietly(|| self.endpoint.flush());
        let hung = self.driver.close(deadline);
        drop(entered);
        self.local.cell().unparker().close();
        hung
    }
}

/// The shard that a thread is in; null: none.
struct Current {
    /// The unparker of the shard, by itself because every wake looks at it.
    unparker: Cell<*const Unparker>,
    shard: Cell<*const Shard>,
}

thread_local! {
    // Without a destructor, so that wakers may be used while a thread's locals are torn down.
    static CURRENT: Current =
        const { Current { unparker: Cell::new(ptr::null()), shard: Cell::new(ptr::null()) } };
}

/// Whether this thread is in the shard of `unparker`.
#[inline]
pub(crate) fn is_local(unparker: &Unparker) -> bool {
    CURRENT.with(|current| ptr::eq(current.unparker.get(), unparker))
}

/// Calls `f` with the shard this thread is in, if it is in one.
#[inline]
pub(crate) fn try_with_current<T>(f: impl FnOnce(&Shard) -> T) -> Option<T> {
    let shard = CURRENT.with(|current| current.shard.get());
    // SAFETY: *Entered means alive*.
    unsafe { shard.as_ref() }.map(f)
}

/// The budget of the task that this thread polls, if it is in a shard.
pub(crate) fn task_budget() -> Option<&'static TaskBudget> {
    try_with_current(|shard| shard.local.task_budget())
}

/// Calls `f` with the shard this thread is in.
///
/// # Panics
/// If it is in none.
#[inline]
#[track_caller]
pub(crate) fn with_current<T>(f: impl FnOnce(&Shard) -> T) -> T {
    try_with_current(f).expect(
        "this needs a shard: call it inside `Runtime::block_on`, or use a `Handle` from other \
         threads",
    )
}

/// This thread is in `shard` until the guard is dropped. It may have been in another: a runtime
/// that a task made ends inside of that task's shard.
pub(crate) fn enter(shard: &Shard) -> Entered<'_> {
    if let Some(beat) = &shard.beat {
        beat.wakes();
    }
    CURRENT.with(|current| Entered {
        unparker_before: current.unparker.replace(shard.local.cell().unparker()),
        shard_before: current.shard.replace(shard),
        shard,
    })
}

/// Puts the thread back into the shard that it was in before, or in none, when it is dropped.
pub(crate) struct Entered<'a> {
    unparker_before: *const Unparker,
    shard_before: *const Shard,
    shard: &'a Shard,
}

impl Entered<'_> {
    /// The shard's executor is gone: from here on, wakes go through the inbox as from other
    /// threads.
    pub(crate) fn without_executor(&self) {
        CURRENT.with(|current| current.unparker.set(ptr::null()));
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        CURRENT.with(|current| {
            current.shard.set(self.shard_before);
            current.unparker.set(self.unparker_before);
        });
        if let Some(beat) = &self.shard.beat {
            beat.sleeps();
        }
    }
}
