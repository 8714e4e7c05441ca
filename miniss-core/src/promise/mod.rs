//! A value that is not there yet: [`Future`] waits for it, [`Promise`] brings it.
//!
//! `user future ─▶ [promise] ─▶ task ─▶ run queue ─▶ executor ─▶ reactor`
//!
//! One value, one bringer, one waiter. Everything else that waits (calls to another core,
//! joining a task, a timer's end) can be said with this pair.
//!
//! - `state`: the state word, its transitions, and why one atomic step each is enough
//! - `cell`: the memory both ends share, on the heap or in a `static`
//! - `future`: what users await: the receiving end, or a result that was there from the start
//! - `promise`: the giving end

#![deny(clippy::missing_safety_doc)]

mod cell;
mod future;
#[allow(clippy::module_inception)]
mod promise;
mod state;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(loom)))]
mod tests;

pub use cell::PromiseCell;
pub use future::Future;
pub use promise::Promise;
