//! A task: a future of the user's with a header that the run queue, wakers and handles point to.
//!
//! `user future ─▶ [task] ─▶ run queue ─▶ executor ─▶ reactor`
//!
//! # Who may touch what
//!
//! A task lives in a *slot*: one cache line of [`header`], and behind it the future, later its
//! output. "Home" is the core (or thread) whose executor owns the slot. Slots stand in chunks from
//! the heap ([`slots`]) or in a `static` ([`slab`]); a task that borrows has its future on the
//! stack of a [`scope`](crate::executor::scope) and only a pinned reference in its slot.
//!
//! | field | who | when | ordering |
//! |---|---|---|---|
//! | `cell`, `class` | anyone | read only, once a waker exists | plain |
//! | `state` | home, or the last handle once home is gone | any time | relaxed (1) |
//! | `vtable`, `next`, stage | as `state` | while the state says so | plain |
//! | `joiner` | the `JoinHandle` and home | until the slot is free | plain |
//! | `generation` | home writes, anyone reads | as the slot is released | relaxed (2) |
//! | `in_inbox`, `inbox_next` | wakers anywhere; home | see `run_queue::inbox` | acquire, release |
//! | `abort_wanted` | any core raises it, home reads it | before each poll | relaxed (3) |
//!
//! (1) One writer at a time. (2) A stale read costs a spurious poll. (3) The wake that follows
//! orders it.
//!
//! # Invariants
//!
//! - **Headers are forever.** A header's memory is never given back and never becomes anything
//!   but a header; its slot is reused for other tasks. So a waker may point at it from any
//!   core at any time, and the worst that a stale wake can do is one poll too many, which
//!   `Future` allows.
//! - **Owner only.** Whatever is not atomic is touched by home alone, or, once the executor is
//!   gone, by the one handle that still holds the slot.
//! - **Stage follows state.** The stage holds a future exactly while `FUTURE` is set, an output
//!   exactly while `OUTPUT` is set, and the two are never set together.

pub(crate) mod cell;
pub(crate) mod header;
pub(crate) mod join;
#[cfg(all(test, loom))]
mod loom;
mod reservation;
mod sizing;
pub(crate) mod slab;
pub(crate) mod slots;
pub(crate) mod state;

pub use join::{AbortHandle, JoinHandle};
pub use reservation::Reservation;
pub use sizing::{TaskFn, future_bytes};
pub use slab::TaskSlab;
