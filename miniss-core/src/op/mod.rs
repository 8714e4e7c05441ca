//! Let a kernel, a device or another core work on memory, whatever becomes of the future that
//! asked.
//!
//! The memory belongs to the operation, in a slot of a table, until its last completion, the
//! *terminal* one, has come. The future only holds the key to the slot. If the future is dropped or
//! timed out, no one hears the result, but the memory is still the operation's. If it is forgotten
//! without a drop, the slot is in use forever.
//!
//! `future ─▶ [op table] ─▶ driver ─▶ kernel ─▶ completion ─▶ [op table] ─▶ waker ─▶ executor`
//!
//! - `operation`: the trait [`Operation`], which a driver implements for each kind of operation;
//!   [`Completion`], which it reports; and the two names of an operation in flight: [`OpId`] for
//!   the kernel, [`OpKey`] for the future
//! - `table`: [`OpTable`], the operations in flight, from their start to their end
//! - `slot`: one operation in flight, the functions that know its type, and the completions of a
//!   multishot operation that wait for the future
//! - `pool`: the memory of all slots of a table, found by index
//! - `memory`: where slots come from: the [`Heap`], where a table grows; or [`FixedOps`] in a
//!   `static`, where an operation may be refused for want of a slot. All else is the same for both
//! - `blocks`: places for operations that are too large for a slot
//!
//! ```text
//!        insert             last completion         collect
//!  free ────────▶ in flight ────────────────▶ done ────────▶ free
//!                     │ orphan                  │ orphan
//!                     ▼                         ▼
//!                  orphan ──last completion──▶ free, by the destructor for orphans
//!                     └─ a cancel is wanted until the driver takes the request
//! ```
//!
//! # A future over a slot
//!
//! Every driver writes a future for its users. It asks the table for the outcome. If it is dropped
//! before there is one, it gives its key back to the table ([`orphan`](OpTable::orphan)): a key by
//! itself does nothing when it is dropped. It borrows the table, which may stand on the stack of
//! `main` beside the executor. The driver is the reactor, or a part of it, and borrows the table,
//! too: it calls [`complete`](OpTable::complete) for each completion, and takes the cancels.
//!
//! ```
//! use core::{future::Future, pin::Pin, task::{Context, Poll, ready}};
//! use miniss_core::op::{Completion, Fixed, FixedOps, OpKey, OpTable, Operation};
//! # use miniss_core::doctest::executor;
//!
//! struct Read(&'static mut [u8]);
//!
//! impl Operation for Read {
//!     type Output = (i32, &'static mut [u8]);
//!     fn settle(self, completion: Completion) -> Self::Output {
//!         (completion.result, self.0)
//!     }
//! }
//!
//! struct Reading<'a> {
//!     table: &'a OpTable<Fixed>,
//!     /// `None` once the output has been given.
//!     key: Option<OpKey<Read>>,
//! }
//!
//! impl<'a> Reading<'a> {
//!     /// Gives the buffer back if there is no slot.
//!     fn start(table: &'a OpTable<Fixed>, buffer: &'static mut [u8]) -> Result<Self, Read> {
//!         let key = table.try_insert(Read(buffer)).map_err(|refused| refused.value)?;
//!         let (id, address) = (key.id(), table.with_op(&key, |read| read.0.as_mut_ptr()));
//!         # let _ = (id, address);
//!         // Here the device is told to write to `address`, and to name `id` when it has written.
//!         Ok(Self { table, key: Some(key) })
//!     }
//! }
//!
//! impl Future for Reading<'_> {
//!     type Output = (i32, &'static mut [u8]);
//!     fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
//!         let key = self.key.as_ref().expect("polled after it was ready");
//!         let output = ready!(self.table.poll(key, cx));
//!         self.key = None;
//!         Poll::Ready(output)
//!     }
//! }
//!
//! impl Drop for Reading<'_> {
//!     fn drop(&mut self) {
//!         if let Some(key) = self.key.take() {
//!             self.table.orphan(key);
//!         }
//!     }
//! }
//!
//! static OPS: FixedOps<8> = FixedOps::new();
//!
//! let table = OpTable::fixed(&OPS).unwrap();
//! # let buffer = vec![0; 512].leak();
//! let reading = Reading::start(&table, buffer).ok().unwrap();
//! # let id = reading.key.as_ref().unwrap().id();
//! // The device has written four bytes; no more completions follow (`false`).
//! table.complete(id, Completion { result: 4, flags: 0 }, false);
//! let (read, buffer) = executor().block_on(reading);
//! assert_eq!(read, 4);
//!
//! let reading = Reading::start(&table, buffer).ok().unwrap();
//! # let id = reading.key.as_ref().unwrap().id();
//! drop(reading); // a timeout, say; the buffer still belongs to the device
//! assert_eq!(table.next_cancel(), Some(id));
//! table.complete(id, Completion { result: -125, flags: 0 }, false);
//! assert_eq!(table.in_flight(), 0);
//! ```
//!
//! # Invariants
//!
//! - **Owned while in flight.** A payload is moved into its slot before the kernel hears of it and
//!   leaves (or is dropped) only after the terminal completion. Slots do not move, and the memory
//!   of a slot that holds a payload outlives the table.
//! - **A key fits its slot.** Index and generation name one operation; the type is checked.
//! - **No one else inside.** Code of an operation may call the table again. So while it has a
//!   reference to its payload, or has just taken it out, the slot hides its vtable, without which
//!   no one reaches the payload.
//! - **A cancel is never lost.** An operation that is to be cancelled is in the cancel list, which
//!   is linked through the slots, until the driver has taken the request.
//! - **No gap.** A *multishot* operation brings several results, its parts, and then its last one.
//!   What the future collects is a beginning of them, in order: all, or all before the first that
//!   found no room. Code of the operation is given each of the others.
//!
//! The table knows nothing of any kernel: io_uring, epoll and a simulation are drivers over it.

mod blocks;
mod memory;
mod operation;
mod pool;
mod slot;
mod table;
#[cfg(all(test, feature = "alloc", not(any(loom, shuttle))))]
mod tests;

pub use memory::{Fixed, FixedOps, Heap, Memory};
pub use operation::{Completion, InsertError, OpId, OpKey, Operation, OpsInUse, Part};
pub use table::OpTable;
