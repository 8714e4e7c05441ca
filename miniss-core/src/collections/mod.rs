//! Containers whose nodes live in the futures that use them: no allocation, no capacity to choose.
//! Build a lock or a channel of your own on them; those of [`sync`](crate::sync) are built so.
//!
//! `user future ─▶ sync ─▶ [collections] ─▶ run queue ─▶ executor`
//!
//! - `list`: [`WaitList`], a queue of waiting futures, first come first served; [`Waiter`], a place
//!   in it.
//! - `ring`: a bounded queue, written by many cores and read by one.

mod list;
pub(crate) mod ring;
#[cfg(all(test, not(any(loom, shuttle))))]
pub(crate) mod test_waker;

pub use list::{WaitList, Waiter};
