//! Waiting for one another on one core: no atomics, no allocation, first come first served.
//!
//! `user future ─▶ [sync] ─▶ wait list ─▶ run queue ─▶ executor`
//!
//! Everything here belongs to one core and is neither `Send` nor `Sync`; work for other cores goes
//! through the mailbox. A waiter is queued inside its own future and can be dropped at any moment:
//! it leaves the queue, and what it had been granted meanwhile goes to the next in line.
//!
//! - [`Semaphore`]: counted units; [`Units`] is what a waiter holds.
//! - [`Mutex`]: one value, one future at a time.

mod acquire;
mod mutex;
mod semaphore;
mod units;

pub use acquire::Acquire;
pub use mutex::{Mutex, MutexGuard};
pub use semaphore::{Closed, Semaphore, TryAcquireError};
pub use units::Units;
