//! One result, awaited by many.
//!
//! `user future ─▶ [shared] ─▶ wait list ─▶ run queue`
//!
//! Every waiter gets a clone of the result, those that come later too, and each may have a
//! deadline of its own: a [`Timeout`](crate::timer::Timeout) around one wait does not disturb the
//! others.
//!
//! - `driven`: [`Shared`], any future, driven by whoever waits for it
//! - `promised`: [`SharedFuture`] and [`SharedPromise`], a value that someone brings

mod driven;
mod promised;

#[cfg(all(test, not(loom), feature = "alloc"))]
mod tests;

pub use driven::Shared;
#[cfg(feature = "alloc")]
pub use promised::{OwnedSharedFuture, OwnedSharedPromise};
pub use promised::{SharedCell, SharedFuture, SharedPromise};
