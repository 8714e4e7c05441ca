//! Step 1, Hello: a runtime, its shard, and a task.
//!
//! You will see one thread do two things, each while the other waits.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/hello.rs")]
//! ```
//!
//! # Try it
//!
//! With `--quiet`, cargo does not say what it does. The first time it compiles the runtime too,
//! for a minute or so.
//!
//! ```console
//! $ cargo run --quiet
//! hello from shard 0
//! the task counts: 1
//! the task counts: 2
//! the task counts: 3
//! the task has come to three
//! ```
//!
//! # What happened
//!
//! - **The attribute makes the runtime.** [`main`](macro@crate::main) puts a plain `main` around
//!   the async one: it starts a runtime, runs the body on shard 0, and ends the runtime when the
//!   body ends. A *shard* is a thread with its own tasks, timers and io_uring (or epoll). We asked
//!   for one; without `shards = 1` there is one for each CPU.
//! - **A future does nothing until it is polled.** `async { … }` is a future. [`spawn`] gives it to
//!   the shard, which polls it from then on: now it is a *task*, and runs beside `main`.
//! - **One task at a time.** A task runs until it waits. So the greeting comes first, although the
//!   task was started before it: the task gets its turn when `main` waits, at its first `.await`.
//! - **A sleep holds up one task.** While this one sleeps, the shard polls others. If there is
//!   nothing to do, the thread sleeps in the kernel until the earliest timer.
//! - **A task has an output.** The [`JoinHandle`] that `spawn` returns is a future, too. It brings
//!   what the task returns, or tells that the task panicked. If you drop the handle, the task goes
//!   on.
//!
//! No other thread takes tasks away from a busy shard; there is no work stealing. A task that does
//! not wait holds up all others of its shard. What has to block goes to a thread beside the shards,
//! by [`spawn_blocking`].
//!
//! # Change it
//!
//! Start two tasks that count: their lines alternate. Then write `std::thread::sleep` in place of
//! `sleep`, without the `.await`: now the whole shard sleeps, and the second task begins when the
//! first has ended.
//!
//! Next: [step 2, Echo](super::step_2_echo).
//!
//! [`spawn`]: crate::spawn
//! [`spawn_blocking`]: crate::spawn_blocking
//! [`JoinHandle`]: crate::JoinHandle

#![forbid(unsafe_code)]
