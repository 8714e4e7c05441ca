//! A task: a future of the user's behind a header of 64 bytes. The run queue, wakers and handles
//! point to the header. Everything that can go wrong with tasks is a matter of who may touch which
//! of its bytes, and when; the table below says so, and the rest of the folder keeps to it.
//!
//! `spawn ─▶ [slot: header, future] ─▶ executor polls it ─▶ [output] ─▶ handle`
//!
//! - `state`: the state word of a task, with a method for each way in which it may change
//! - `cell`: the memory of one task: the header, the future or its output behind it, and the
//!   functions that know their types
//! - `slots`: the free slots of an executor by size; they come from the heap, or from a
//!   [`TaskSlab`] that the user lends to it
//! - `slab`: [`TaskSlab`], slots in a `static`
//!
//! # Who may touch what
//!
//! A task lives in a *slot*: one cache line of header, and behind it the *stage*, which holds the
//! future and later its output. The *owner* is the core (or thread) whose executor runs the task. A
//! `JoinHandle` never leaves the owner; an `AbortHandle` may go anywhere and holds nothing.
//!
//! | field | who | when | ordering |
//! |---|---|---|---|
//! | `executor`, `class` (of size) | anyone | read only, once a waker exists | plain |
//! | `state` | owner, or the `JoinHandle` once the executor is gone | any time | relaxed (1) |
//! | `vtable`, `next`, stage | the same as `state` | in the states that allow it | plain |
//! | `group` | owner | any time | plain |
//! | `joiner` | the `JoinHandle` and owner | until the slot is free | plain |
//! | `generation` | owner writes, anyone reads | as the slot is released | relaxed (2) |
//! | `in_inbox`, `inbox_next` | wakers anywhere; owner | see `executor::wake` | acquire, release |
//! | `abort_wanted` | any core raises it, owner reads it | before each poll | relaxed (3) |
//!
//! (1) One writer at a time. (2) Only to tell whether a task is still the one that a handle means.
//! A handle compares with its own number, so a stale read costs a spurious poll and never aborts
//! another task. (3) The wake that follows has the release; the owner acquires with it.
//!
//! # Invariants
//!
//! - **Headers are forever.** A header's memory is never given back and never becomes anything
//!   but a header; its slot is reused for other tasks. So a waker may point at it from any
//!   core at any time, and the worst that a stale wake can do is one poll too many, which
//!   `Future` allows.
//! - **Owner only.** What is not atomic is touched by the owner alone, or, once the executor is
//!   gone, by the `JoinHandle`, which still holds the slot.
//! - **Stage follows state.** The stage holds a future exactly while `FUTURE` is set, an output
//!   exactly while `OUTPUT` is set, and the two are never set together.

pub(crate) mod cell;
#[cfg(all(test, loom))]
mod loom;
pub(crate) mod slab;
pub(crate) mod slots;
pub(crate) mod state;

pub use slab::{TaskFn, TaskSlab, future_bytes};
