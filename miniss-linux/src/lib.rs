//! rust-miniss on Linux: one thread per core, nothing shared, io_uring or epoll underneath.
//!
//! The [tutorial](manual::tutorial) goes from one task to a small key-value store. What has which
//! name here is told for those who come [from tokio](manual::from_tokio) and
//! [from Seastar](manual::from_seastar).
//!
//! ```text
//!  future ─▶ op table ─▶ driver ─▶ kernel
//!    ▲                               │
//!  executor ◀─ queue ◀─ waker ◀─ completion
//!
//!  shard A: submit_to ─▶ lane A▸B ─▶ shard B (unparked if it sleeps)
//!  shard A: waker ◀───── lane B▸A ◀─ runs the call, replies
//! ```
//!
//! A [`Runtime`] has a number of *shards*. Each is a thread, pinned to a core, with an executor and
//! a [driver](Driver) of its own; tasks, sockets and timers stay on their shard and need no locks.
//! What one shard wants of another it asks for, with [`submit_to`].
//!
//! ```
//! use miniss_linux::{Runtime, ShardId, submit_to};
//!
//! let runtime = Runtime::new();
//! runtime.block_on(async {
//!     for shard in ShardId::all() {
//!         let name = submit_to(shard, async || ShardId::current().to_string()).await.unwrap();
//!         println!("Hello from {name}!");
//!     }
//! });
//! ```
//!
//! With the feature `macros` the same begins with `main`:
//!
#![cfg_attr(feature = "macros", doc = "```")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! use miniss_linux::{CallError, ShardId, submit_to};
//!
//! #[miniss_linux::main]
//! async fn main() -> Result<(), CallError> {
//!     for shard in ShardId::all() {
//!         let name = submit_to(shard, async || ShardId::current().to_string()).await?;
//!         println!("Hello from {name}!");
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Modules, in the order of the journey
//!
//! - [`Runtime`], [`Builder`], [`spawn`], [`JoinHandle`]: shards and their tasks.
//! - [`task`]: sets of tasks, their names, and values that belong to one.
//! - [`spawn_blocking`]: what blocks, on threads beside the shards.
//! - [`submit_to`], [`run_on`], [`Handle`]: between shards, and from other threads.
//! - [`sharded`]: work on many shards at once, and state with a part on each.
//! - [`Future`] and [`Promise`]: a value that is not there yet, and the end that brings it. This
//!   `Future` is a type; where the trait is meant beside it, say [`core::future::Future`].
//! - [`time`]: sleep, timeout, interval.
//! - [`net`]: sockets, of TCP, UDP and Unix.
//! - [`process`]: child processes. [`pipe`]: pipes to them, and within a program; stdin and stdout.
//! - [`signal`]: Ctrl-C and the others, told to tasks; a server that ends in order.
//! - [`fs`]: files and folders. [`AsyncFd`]: descriptors of other kinds.
//! - [`buf`]: the buffers that operations own while the kernel works on them.
//! - [`sync`], [`combine`]: for tasks of one shard. [`coop`]: how much one poll of a task may do.
//! - [`topology`]: which CPUs there are.
//! - [`diagnostics`]: what the runtime says of itself, through the `log` facade; [`unobserved`]:
//!   failures that no one saw.
//! - [`manual`]: how a program runs; which decisions were made, and why.
//!
//! # Features
//!
//! None is on unless it is asked for, and none changes what is there without it.
//!
//! - `backtrace`: reports of a [stall](Builder::stall_limit) tell where the code stands.
//! - `bytes`: [buffers](buf#which-buffers-there-are) of the crate `bytes`.
//! - `macros`: the attributes `main` and `test`.
//! - `futures-io`, `tokio`: `net::PollStream`, `pipe::PollReader` and `pipe::PollWriter`, with the
//!   `AsyncRead`, `AsyncBufRead` and `AsyncWrite` of that crate; and these traits for
//!   [`fs::FileReader`] and [`fs::FileWriter`].
//! - `hyper`: the same types with the `Read` and `Write` of hyper, [`time::ShardTimers`] as its
//!   timer, and [`CurrentShard`] as its executor. It turns `futures-io` on.

#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

mod async_fd;
mod driver;
#[cfg(feature = "macros")]
#[doc(hidden)]
pub mod entry;
mod error;
mod guard;
#[cfg(feature = "hyper")]
mod hyper_rt;
#[cfg(any(feature = "futures-io", feature = "tokio"))]
mod io_traits;
mod metrics;
mod op;
mod runtime;
mod stall;

pub mod buf;
pub mod combine;
pub mod diagnostics;
pub mod fs;
pub mod net;
pub mod pipe;
pub mod process;
pub mod sharded;
pub mod signal;
pub mod sync;
pub mod task;
pub mod time;
pub mod topology;

#[cfg(doc)]
pub mod manual;

#[doc(hidden)]
pub mod doctest;

pub use async_fd::AsyncFd;
pub use diagnostics::unobserved;
pub use driver::{
    ChosenDriver, Driver, IoUringFeature, IoUringProbe, UnknownDriver, probe_io_uring,
};
pub use error::{BuildError, CallError, DriverUnavailable, JoinError, Panic};
pub use metrics::{DriverStats, driver_stats, stats};
pub use miniss_core::combine::yield_now;
pub use miniss_core::error::{BrokenPromise, GroupError};
pub use miniss_core::{AbortHandle, Budget, Delays, Future, GroupStats, Promise, PromiseCell};
pub use miniss_core::{Stats, coop};
#[cfg(feature = "macros")]
pub use miniss_linux_macros::{main, test};
pub use runtime::{
    BlockingHandle, Builder, Call, CurrentShard, ForeignCall, Handle, JoinHandle, Pinning, Runtime,
    ShardError, ShardId, maybe_yield, need_preempt, run_on, spawn, spawn_blocking, spawn_on,
    submit_to,
};
