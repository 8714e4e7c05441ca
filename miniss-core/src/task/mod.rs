//! A task: a future of the user's, and the 64 bytes before it that the run queue, wakers and
//! handles point to. Everything that can go wrong with tasks is a matter of who may touch which of
//! these bytes, when; the table below says so, and the rest of the folder keeps to it.
//!
//! `spawn ─▶ [slot: header, future] ─▶ executor polls it ─▶ [output] ─▶ handle`
//!
//! - `state`: the state word, and a method for each way in which it may change
//! - `cell`: the header, the future or output behind it, and the functions that know their type
//! - `slots`: free slots by size, in chunks from the heap or lent
//! - `slab`: [`TaskSlab`], slots in a `static`
//!
//! # Who may touch what
//!
//! A task lives in a *slot*: one cache line of header, and behind it the *stage*, which holds the
//! future and later its output. The *owner* is the core (or thread) whose executor runs the task.
//!
//! | field | who | when | ordering |
//! |---|---|---|---|
//! | `executor`, `class` | anyone | read only, once a waker exists | plain |
//! | `state` | owner, or the last handle once the executor is gone | any time | relaxed (1) |
//! | `vtable`, `next`, stage | as `state` | while the state says so | plain |
//! | `joiner` | the `JoinHandle` and owner | until the slot is free | plain |
//! | `generation` | owner writes, anyone reads | as the slot is released | relaxed (2) |
//! | `in_inbox`, `inbox_next` | wakers anywhere; owner | see `executor::wake` | acquire, release |
//! | `abort_wanted` | any core raises it, owner reads it | before each poll | relaxed (3) |
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
//! - **Owner only.** What is not atomic is touched by the owner alone, or, once the executor is
//!   gone, by the one handle that still holds the slot.
//! - **Stage follows state.** The stage holds a future exactly while `FUTURE` is set, an output
//!   exactly while `OUTPUT` is set, and the two are never set together.

pub(crate) mod cell;
#[cfg(all(test, loom))]
mod loom;
pub(crate) mod slab;
pub(crate) mod slots;
pub(crate) mod state;

pub use slab::{TaskFn, TaskSlab, future_bytes};
