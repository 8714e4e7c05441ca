//! The life of an operation that whoever performs it may outlive the future that asked for it.
//!
//! `user future ─▶ executor ─▶ reactor ─▶ [op] ─▶ kernel`
//!
//! A kernel, a device or another core works on memory while the operation is in flight. So that
//! memory belongs to the operation's *slot*, not to the future: a future only holds the key to
//! the slot. What becomes of the future (dropped, forgotten, timed out) changes who hears the
//! result, never who owns the memory.
//!
//! ```text
//!            insert              terminal completion        collect
//!  free ───────────▶ in flight ────────────────────▶ done ──────────▶ free
//!                        │ key dropped                  │ key dropped
//!                        ▼                              ▼
//!                     orphan ──terminal completion──▶ orphan destructor ─▶ free
//!                        └─ wants a cancel until the driver takes it
//! ```
//!
//! Slots come from the [`Heap`], and then a table grows, or from [`FixedOps`] in a `static`, and
//! then *full* is an answer. All else is the same for both.
//!
//! # Invariants
//!
//! - **Owned while in flight.** A payload is moved into its slot before the kernel hears of it and
//!   leaves (or is dropped) only after the terminal completion. Slots do not move, and the memory
//!   of one that holds a payload outlives its table.
//! - **A key fits its slot.** Index and generation name one operation; the type is checked.
//! - **Nobody else inside.** While code of an operation has a reference to a payload, or has just
//!   taken it out, the slot hides its vtable, without which nobody gets at the payload.
//! - **A cancel is never lost.** An orphan stands in the cancel list, whose links are the slots'
//!   own, until the driver has room for the request.
//! - **No gap.** Parts of a multishot operation are collected in order up to its end, or up to the
//!   first one that found no room; the operation itself is told of each that is not collected.
//!
//! The table knows nothing of any kernel: io_uring, epoll and a simulation are drivers over it.

mod boxed;
mod chunks;
mod error;
mod fixed;
mod inside;
mod key;
mod memory;
mod part;
mod pool;
mod room;
mod slot;
mod table;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod tests;

pub use error::{InsertError, OpsInUse, Refused};
pub use fixed::{Fixed, FixedOps};
pub use key::{OpId, OpKey, Part};
pub use memory::{Heap, Memory};
pub use slot::{Completion, Operation};
pub use table::OpTable;
