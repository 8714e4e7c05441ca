//! Waiting for one another on one core: no atomics, no allocation, first come first served.
//!
//! `user future ─▶ [sync] ─▶ wait list ─▶ run queue ─▶ executor`
//!
//! Everything here belongs to one core and is neither `Send` nor `Sync`; work for other cores goes
//! by [calls](crate::call). A waiter is queued inside its own future and can be dropped at any
//! moment: it leaves the queue, and what it had been granted meanwhile goes to the next in line.
//!
//! A guard borrows what it guards. With `alloc`, those named `Owned…` hold an `Rc` of it instead,
//! so that a task can keep them: `acquire_owned`, `lock_owned`, `read_owned`, `write_owned`,
//! `enter_owned`, and the same with `try_` before them.
//!
//! - [`Semaphore`]: counted units; [`Units`] is what a waiter holds.
//! - [`Mutex`]: one value, one future at a time.
//! - [`RwLock`]: one value, many readers or one writer.
//! - [`Event`]: a flag, set and reset by hand.
//! - [`Condvar`]: a change to be announced, to one or to all.
//! - [`Barrier`]: a point that futures pass together.
//! - [`Gate`]: work in progress, to be waited for before shutting down.
//! - [`channel`]: values from many senders to one receiver.
//! - [`broadcast`]: every value to every receiver.
//! - [`watch`]: the latest value, and news that it has changed.
//! - [`AbortSource`]: asking work to stop, with a reason.
//! - [`Shared`], [`SharedFuture`]: one result for many waiters.

mod abort;
mod barrier;
pub mod broadcast;
pub mod channel;
mod condvar;
mod ends;
mod event;
mod gate;
#[cfg(all(test, not(loom)))]
mod model;
mod mutex;
mod rwlock;
mod semaphore;
mod shared;
mod wait;
pub mod watch;
#[cfg(all(test, not(loom)))]
mod without_heap;

pub use abort::{AbortSource, Aborted, ChildSource, OnAbort, UntilAborted, WaitAborted};
pub use barrier::{Barrier, BarrierWaitResult};
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
