//! What can go wrong, one small type per cause.

use core::error::Error;
use core::fmt;

/// The promise was dropped before it was completed: no value will ever come.
///
/// ```
/// # use miniss_core::{Future, doctest::executor, error::BrokenPromise};
/// let (future, promise) = Future::<u32>::new();
/// drop(promise);
/// assert_eq!(executor().block_on(future), Err(BrokenPromise));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenPromise;

impl fmt::Display for BrokenPromise {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the promise was dropped before it was completed")
    }
}

impl Error for BrokenPromise {}

/// The work was aborted, its poll panicked, or its executor ended, before it had a result.
///
/// ```
/// # use miniss_core::{doctest::executor, error::Cancelled};
/// # let mut executor = executor();
/// let task = executor.local().spawn(core::future::pending::<()>()).unwrap();
/// task.abort();
/// assert_eq!(executor.block_on(task), Err(Cancelled));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cancelled;

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("cancelled before it finished")
    }
}

impl Error for Cancelled {}

/// The deadline passed first.
///
/// ```
/// # use core::{future::pending, time::Duration};
/// # use miniss_core::{doctest::executor, error::TimedOut, timer::Timeout};
/// # let mut executor = executor();
/// let never = pending::<()>();
/// let timeout = Timeout::new(executor.local(), Duration::from_millis(1), never);
/// assert_eq!(executor.block_on(timeout), Err(TimedOut));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimedOut;

impl fmt::Display for TimedOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the deadline passed before it finished")
    }
}

impl Error for TimedOut {}

/// Another executor uses this executor cell. Each core has a cell of its own, and a cell has one
/// executor at a time.
///
/// ```
/// # use miniss_core::{Executor, doctest::{Yield, cell}, error::CellInUse};
/// let core_0 = cell();
/// let _executor = Executor::new(core_0, Yield).unwrap();
/// assert_eq!(Executor::new(core_0, Yield).err(), Some(CellInUse));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellInUse;

impl fmt::Display for CellInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an executor uses this cell already; give each executor its own")
    }
}

impl Error for CellInUse {}

/// Why there is no task, or no room for one.
///
/// ```
/// # use miniss_core::{doctest::executor, error::SpawnError};
/// let executor = executor();
/// let local = executor.local();
/// drop(executor);
/// assert_eq!(local.spawn(async {}).err(), Some(SpawnError::Closed));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SpawnError {
    /// The executor is ending or gone.
    Closed,
    /// No free slot is large enough, and none could be made.
    NoRoom,
    /// The future or its output has over 1024 bytes and would have to be boxed: there is no heap,
    /// or the slot was to be [reserved](crate::LocalHandle::reserve).
    TooLarge,
    /// The slab belongs to another executor. Or it was lent to this one and is now spawned into by
    /// name, or the other way round.
    InUse,
}

impl fmt::Display for SpawnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "the executor is ending or gone",
            Self::NoRoom => {
                "no task slot: none free is large enough; lend a slab, give this one more slots, \
                 or drop handles of ended tasks"
            }
            Self::TooLarge => {
                "no task slot: over 1024 bytes, and not to be boxed here; use `spawn_in`, or pin \
                 it and spawn it in a scope"
            }
            Self::InUse => {
                "the slab is another executor's, or is used in the other way (lent or spawned \
                 in): give it one use"
            }
        })
    }
}

impl Error for SpawnError {}

/// What is wrong with a scheduling group.
///
/// ```
/// # use miniss_core::{doctest::executor, error::GroupError};
/// let executor = executor();
/// let none = executor.local().create_group("nothing", 0);
/// assert_eq!(none, Err(GroupError::BadShares));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupError {
    /// There are 16 groups already, the main group included. Or the index of a group that is to be
    /// [adopted](crate::LocalHandle::adopt_group) is another's here.
    Full,
    /// The group is not there: it was destroyed, or never made on this core.
    NotFound,
    /// From 1 to 1000 shares are possible.
    BadShares,
    /// The main group is not to be destroyed.
    Main,
    /// There is no table of groups, and no heap to take one from:
    /// [lend](crate::LocalHandle::lend_groups) one.
    NoTable,
    /// Another executor uses the table.
    InUse,
    /// The executor has ended.
    Closed,
    /// Only a task can be in a group.
    NoTask,
}

impl fmt::Display for GroupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "there are 16 scheduling groups already: destroy one",
            Self::NotFound => "there is no such scheduling group here: it was destroyed",
            Self::BadShares => "a scheduling group has from 1 to 1000 shares",
            Self::Main => "the main group cannot be destroyed",
            Self::NoTable => "no table for scheduling groups: lend one with `lend_groups`",
            Self::InUse => "the table of scheduling groups is another executor's",
            Self::Closed => "the executor has ended",
            Self::NoTask => "only a task can switch to a scheduling group",
        })
    }
}

impl Error for GroupError {}

/// Why a call to another core has no output.
///
/// ```
/// # use std::sync::Arc;
/// # use miniss_core::call::{Endpoint, Mesh};
/// # use miniss_core::{doctest::executor, error::CallError};
/// # let mesh = Arc::new(Mesh::<_, 16>::new(2));
/// let (mut core_0, core_1) = (executor(), executor());
/// let endpoint = Endpoint::open(mesh.clone(), 0, core_0.local()).unwrap();
/// let _other = Endpoint::open(mesh, 1, core_1.local()).unwrap();
/// drop(core_1);
/// let call = endpoint.submit_to(1, async || 5);
/// assert_eq!(core_0.block_on(call), Err(CallError::Gone));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum CallError {
    /// The core that was to do the work has ended, or ended before it was done.
    Gone,
    /// All places for calls are taken on this core, or the other core has no slot for the task of
    /// a call that is [async](crate::call::Endpoint::submit_to).
    NoRoom,
    /// The closure or its output has more bytes than a place in the
    /// [`FixedMesh`](crate::call::FixedMesh).
    TooLarge,
}

pub use CallError::Gone;

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gone => "the core that was to do the work has ended",
            Self::NoRoom => {
                "no free place for the call here (wait, or raise CALLS), or no task slot on the \
                 other core (lend it a slab, or use run_on)"
            }
            Self::TooLarge => "the call does not fit a place in the mesh: raise BYTES",
        })
    }
}

impl Error for CallError {}

/// Why a value was not [sent from an interrupt handler](crate::interrupt).
///
/// ```
/// use miniss_core::error::NotSent;
///
/// assert!(NotSent::Full.to_string().starts_with("there is no room"));
/// ```
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NotSent {
    /// There is no room: the receiver is too slow, or the queue too short.
    Full,
    /// More senders than it is made for are in the middle of sending: on other cores, or
    /// interrupted by this one.
    Busy,
}

impl fmt::Display for NotSent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => {
                "there is no room: the task that receives is too slow, or the queue too short"
            }
            Self::Busy => {
                "others are in the middle of sending: give each sender a queue, or all a shared one"
            }
        })
    }
}

impl Error for NotSent {}

/// Something was not started. Here it is, unchanged, with the reason.
///
/// A call to another core that is refused gives back its closure, with a [`CallError`]. A table of
/// operations gives back the operation, with an [`InsertError`](crate::op::InsertError). A queue of
/// an [`interrupt`](crate::interrupt) gives back the value, with [`NotSent`].
///
/// ```
/// # use miniss_core::{doctest::{Unparker, executor}, call::FixedMesh};
/// # use miniss_core::error::CallError;
/// static MESH: FixedMesh<Unparker, 1, 4, 64> = FixedMesh::new();
/// let executor = executor();
/// let endpoint = MESH.open(0, executor.local()).unwrap();
/// let bytes = [7_u8; 100];
/// let refused = endpoint.try_run_on(0, move || bytes.len()).unwrap_err();
/// assert_eq!(refused.reason, CallError::TooLarge);
/// assert_eq!((refused.value)(), 100);
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refused<T, E> {
    /// What was to be started or sent.
    pub value: T,
    /// Why it was not.
    pub reason: E,
}

impl<T, E> Refused<T, E> {
    pub(crate) fn new(value: T, reason: E) -> Self {
        Self { value, reason }
    }
}

impl<T, E: fmt::Debug> fmt::Debug for Refused<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused").field("reason", &self.reason).finish_non_exhaustive()
    }
}

impl<T, E: fmt::Display> fmt::Display for Refused<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.reason, f)
    }
}

impl<T, E: Error> Error for Refused<T, E> {}

#[cfg(feature = "defmt")]
impl<T, E: defmt::Format> defmt::Format for Refused<T, E> {
    fn format(&self, f: defmt::Formatter<'_>) {
        defmt::write!(f, "Refused({})", self.reason);
    }
}
