//! Locks, channels and the like for the tasks of one core: first come first served, no atomics, no
//! allocation. Reach for them where a future has to wait until another one is done.
//!
//! `user future ─▶ [sync] ─▶ wait list ─▶ run queue ─▶ executor`
//!
//! Everything here belongs to one core and is neither `Send` nor `Sync`; work for other cores goes
//! by [calls](crate::call), values by `mpsc`. A waiter is queued inside its own future and can be
//! dropped at any moment: it leaves the queue, and what it was granted goes to the next in line.
//!
//! A guard borrows what it guards. With `alloc`, those named `Owned…` hold an `Rc` of it instead,
//! so that a task can keep them: `acquire_owned`, `lock_owned`, `read_owned`, `write_owned`,
//! `enter_owned`, and the same with `try_` before them. A channel is on the [`Heap`], or
//! [`Borrowed`] from a place of the user's: `Sender<T>`, or `Sender<T, Borrowed<'_, N>>`.
//!
//! - `semaphore`: [`Semaphore`], counted units; its `units`: [`Units`], what a waiter gets.
//! - `mutex`: [`Mutex`], one value, one future at a time.
//! - `rwlock`: [`RwLock`], one value, many readers or one writer.
//! - `event`: [`Event`], a flag, set and reset by hand.
//! - `condvar`: [`Condvar`], a change that is announced to one or to all.
//! - `barrier`: [`Barrier`], a point that futures pass together.
//! - `gate`: [`Gate`], work in progress, which a shutdown waits for.
//! - [`channel`], its `handles`: values from many senders to one receiver.
//! - [`broadcast`], its `handles`: every value to every receiver.
//! - [`watch`], its `handles`: the latest value, and news that it has changed.
//! - `abort`, its `hooks`: [`AbortSource`], which asks work to stop, with a reason.
//! - `cancellation`: `CancellationToken`, with a heap: an abort source that tasks own.
//! - `shared`: [`Shared`], [`SharedFuture`], one result for many waiters.
//! - `ends`: counted handles at both ends of a channel, and its buffers.

mod abort;
mod barrier;
pub mod broadcast;
#[cfg(feature = "alloc")]
mod cancellation;
pub mod channel;
mod condvar;
mod ends;
mod event;
mod gate;
#[cfg(all(test, not(any(loom, shuttle))))]
mod model;
mod mutex;
mod rwlock;
mod semaphore;
mod shared;
pub mod watch;
#[cfg(all(test, not(any(loom, shuttle))))]
mod without_heap;

pub use abort::{AbortSource, Aborted, ChildSource, OnAbort, UntilAborted, WaitAborted};
pub use barrier::{Barrier, BarrierWaitResult};
#[cfg(feature = "alloc")]
pub use cancellation::{CancelOnDrop, CancellationToken};
pub use condvar::Condvar;
pub use ends::{Borrowed, Heap};
pub use event::Event;
#[cfg(feature = "alloc")]
pub use gate::OwnedGatePass;
pub use gate::{Gate, GatePass, WithGate};
#[cfg(feature = "alloc")]
pub use mutex::OwnedMutexGuard;
pub use mutex::{Mutex, MutexGuard};
#[cfg(feature = "alloc")]
pub use rwlock::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard};
pub use rwlock::{RwLock, RwLockReadGuard, RwLockWriteGuard};
#[cfg(feature = "alloc")]
pub use semaphore::OwnedUnits;
pub use semaphore::{Acquire, Closed, Semaphore, TryAcquireError, Units};
pub use shared::{Shared, SharedCell, SharedFuture, SharedPlace, SharedPromise};
