//! The life of operations, from bytes: under a driver that keeps the contract of
//! [`OpTable`](miniss_core::op::OpTable) in the nastiest way, users who do whatever they may in
//! any order, and operations and wakers whose own code calls back, or unwinds, wherever it runs.
//!
//! The driver reports completions in any order and as late as it likes, with parts before the last
//! one, after a cancel, beyond the room there is, and when no one waits any more; some for what
//! ended long ago, or never was. It writes to the memory of an operation until it has reported its
//! last completion.
//!
//! A fuzzer chooses the bytes (`.ci/fuzz`), or a seed (`tests/tests/hostile.rs`, which also lives
//! through the kept corpus, `tests/corpus/operations`). What fails in the fuzzer is replayed with
//! `cargo run -p miniss-tests --bin fuzz_operations -- FILE`; with `MINISS_TELL` set each step is
//! printed.
//!
//! - `lives`: what the first byte says: which memory, and one table there after the other
//! - `world`: a table, and all who do with it what the bytes say
//! - `users`: they start operations, wait for them and give them up
//! - `driver`: it completes them, and writes to their memory
//! - `operation`: the operations, in all sizes, and what their code does
//! - `waker`: the wakers
//! - `model`: what the table should do; each step is compared with it
//!
//! # What is looked at
//!
//! - Each payload is dropped once: after its last completion, or when the table has refused it.
//! - Each completion of an operation in flight reaches the future, or the one function of the
//!   operation that it is meant for, once and in order; without a gap before the end.
//! - Each cancel that is wanted is offered once, in the order in which they were wanted.
//! - A future that found nothing in its last poll is woken.
//! - The table panics where its pages say so, and nowhere else. What unwinds through it does so to
//!   the end, and nothing is lost.
//! - The memory of an operation holds what the driver wrote last. What is written or read too late
//!   is left to AddressSanitizer.
//! - In the end there is no operation left, no waker, no memory, and as much room as at first.
//!
//! Not tried: tables that are dropped with operations in flight, for they keep that memory forever
//! (`op/tests/{fixed, heap}.rs` in the core do it), and 2²⁸ operations in one slot.
//!
//! # Planted bugs
//!
//! What finds nothing may have looked at nothing. So each of these was planted in the core's `op/`
//! by itself, and found: by the fuzzer while it read the kept corpus, within two seconds but for
//! the two that are marked; and without it, by the random lives of `tests/tests/hostile.rs`, but
//! for the one that only AddressSanitizer sees.
//!
//! - Payloads: an orphan is settled by a part; it is freed at once; it is settled twice; never; a
//!   second time by the end that its own destructor reports; it is lost, with its slot, when it
//!   panics. A large one is taken out of its block after the block was given back; its block is
//!   lost (only AddressSanitizer sees it). Slots are freed when the table grows.
//! - Slots: one is lost when the cancel list lets go of it; one is free while the list holds it
//!   (the list is a circle then: the fuzzer's time limit, 20 seconds).
//! - Ids: generations are not compared; they are not counted up.
//! - Cancels: one that stands behind another is lost; one is offered twice; none is wanted when a
//!   part was refused.
//! - Parts: they come in reverse; they go on after a gap (found in the fuzzer's first 2,000 lives,
//!   8 seconds; kept since then); those that no one has collected are lost; the others are when
//!   the operation panics at one.
//! - Code that is called back: it may have the operation borrowed twice; a panic leaves it closed.
//! - Wakers: that of the first poll stays; no one is woken for a part if the operation panics; a
//!   part in the middle of a poll is overlooked; a slot that is done keeps a waker. The last two
//!   were no plants: that is how they were found.
//!
//! Not found: that memory is given back with an operation in it, which is not tried, as above.

mod driver;
mod lives;
mod model;
mod operation;
mod users;
mod waker;
mod world;

pub use lives::live;
