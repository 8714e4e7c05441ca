//! Containers whose nodes live in the futures that use them: no allocation, no capacity to choose.
//!
//! `user future ─▶ [collections] ─▶ sync, combine ─▶ run queue`
//!
//! - [`WaitList`]: a queue of waiting futures, first come first served.

mod list;
#[cfg(all(test, not(loom)))]
pub(crate) mod test_waker;

pub use list::{WaitList, Waiter};
