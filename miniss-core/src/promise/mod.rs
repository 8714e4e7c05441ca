//! Hand a value that is not there yet to a task that waits for it: [`Promise`] gives it, [`Future`]
//! is awaited for it. Either end may move to another thread, and in a [`PromiseCell`] the pair
//! needs no heap.
//!
//! `callback or device ─▶ promise ─▶ [cell] ─▶ waker ─▶ executor ─▶ future ─▶ value`
//!
//! One value, one that gives it, one that waits. What waits for several values, or for one that
//! many want, is built in `combine` and `sync`.
//!
//! - `future`: the receiving end, or a result that was there from the start
//! - `promise`: the giving end
//! - `cell`: the memory that both share, on the heap or in a `static`, with the place of the waker
//! - `state`: the state word, its transitions, and why one atomic step each is enough

#![deny(clippy::missing_safety_doc)]

mod cell;
mod future;
#[allow(clippy::module_inception)]
mod promise;
mod state;

#[cfg(all(test, loom))]
mod loom;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;

pub use cell::PromiseCell;
pub use future::Future;
pub use promise::Promise;
