//! Step 4, Shards: two of them, and calls from one to the other.
//!
//! You will see two threads, which share nothing, work for each other.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/shards.rs")]
//! ```
//!
//! # Try it
//!
//! ```console
//! $ cargo run --quiet
//! main runs on shard 0
//! shard 1 works for shard 0
//! visits to each shard: [3, 2]
//! ```
//!
//! # What happened
//!
//! - **Two shards are two threads.** Where there are enough CPUs, each is pinned to one. Each has
//!   its own tasks, timers, sockets and io_uring.
//! - **The closure crosses, not the future.** [`submit_to`] takes an async closure:
//!   `async move || { … }`. Shard 1 calls it, and polls what it makes. So the future may hold an
//!   `Rc` while it waits; only what the closure captures and returns has to be `Send`.
//! - **A call is a message.** No lock is taken, and shard 0 goes on with other tasks until the
//!   reply comes. `reply.await` gives an error if the closure panicked, or if its shard has ended.
//!   If you drop `reply`, the work is done all the same.
//! - **State with a part on each shard** is a [`Sharded`]. Each part is made on its own shard and
//!   stays there, so a plain `Cell` does for a count. `run_on` runs a plain closure beside one of
//!   them, `map` beside each. A closure that waits goes by `invoke_on`. `stop` ends them, each on
//!   its own shard.
//!
//! An `Rc` cannot cross, and the compiler says so:
//!
//! ```compile_fail,E0277
//! # async fn send() {
//! let mine = std::rc::Rc::new(5);
//! miniss_linux::submit_to(1, async move || *mine).await;
//! # }
//! ```
//!
//! No shard takes work from another, so you decide where work is done. Place data so that few calls
//! are needed: one costs [about a microsecond](super::super::sharding#what-each-costs), and less if
//! many are on their way at once.
//!
//! # Change it
//!
//! Ask both shards at once: make two calls before you await the first. Or let
//! [`invoke_on_all`](crate::sharded::invoke_on_all) do it.
//!
//! Next: [step 5, Shutdown](super::step_5_shutdown).
//!
//! [`submit_to`]: crate::submit_to
//! [`Sharded`]: crate::sharded::Sharded

#![forbid(unsafe_code)]
