//! Running a program: what it says, and how it ends.
//!
//! # What the runtime says
//!
//! Some events reach no error. The runtime reports them through the crate `log`, and the program
//! chooses with its logger where they go. Without a logger a report costs one load. Each event is
//! reported once, then at most once in five seconds with the number that was left out; a stall, at
//! most once in twelve.
//! [`count`](crate::diagnostics::count) counts all of them.
//!
//! | event | level | target | when |
//! |---|---|---|---|
//! | `AcceptRests` | warn | `miniss_linux::net` | descriptors or memory have run out; connections wait in the backlog |
//! | `QueueOverflowed` | warn | `miniss_linux::driver` | more completions at once than the queue holds; none is lost |
//! | `LockedMemoryShort` | warn | `miniss_linux::driver` | the limit of locked memory makes rings small, or there are no buffers for receives |
//! | `DriverFallback` | warn | `miniss_linux::driver` | io_uring was refused, and the runtime runs on epoll |
//! | `Unpinned` | warn | `miniss_linux::runtime` | too few CPUs for [`Pinning::Auto`](crate::Pinning), or pinning was refused |
//! | `ShardDied` | error | `miniss_linux::runtime` | a shard ended although it was not told to |
//! | `ShardLeft` | error | `miniss_linux::runtime` | at the end, a shard was busy beyond the shutdown timeout; where there is a [watcher](crate::Builder::stall_limit) it tells with which task |
//! | `OperationsLeaked` | error | `miniss_linux::runtime` | at the end, the kernel kept operations beyond the shutdown timeout, or its ring was broken; it tells what they ask for |
//! | `BlockingPoolFull` | warn | `miniss_linux::blocking` | [what blocks](crate::spawn_blocking) has waited a second for a thread: all are busy |
//! | `BlockingThreadRefused` | warn | `miniss_linux::blocking` | the system refused a thread for what blocks; it waits for another, or fails if there is none |
//! | `BlockingLeft` | error | `miniss_linux::runtime` | at the end, what blocks went on beyond the shutdown timeout; it tells where the work was handed over |
//! | `Stalled` | warn | `miniss_linux::runtime` | one poll has held a shard for long: see [`stall_limit`](crate::Builder::stall_limit) |
//! | `Unobserved` | warn | `miniss_linux::unobserved` | an error or a panic was dropped that no one had looked at |
//!
//! If the program sets a hook with [`unobserved::set_hook`](crate::unobserved::set_hook), the hook
//! gets the failures that no one saw, and the logger does not.
//!
//! The logger runs on the shard that reports, and for a stall on a thread beside it. It may use the
//! runtime, and if it panics the shard goes on. But while it blocks, its shard does nothing else.
//! The reader of a pipe may be gone or asleep; this logger is safe to write to one, because it
//! ignores failures and a thread of its own waits.
//! (`eprintln!` is not safe: it panics when the reader is gone.)
//!
//! ```
//! use std::io::Write;
//! use std::sync::mpsc::{SyncSender, sync_channel};
//!
//! struct Stderr(SyncSender<String>);
//!
//! impl log::Log for Stderr {
//!     fn enabled(&self, _: &log::Metadata<'_>) -> bool {
//!         true
//!     }
//!     fn log(&self, record: &log::Record<'_>) {
//!         // A line for which there is no room is left out.
//!         let _ = self.0.try_send(format!("{}: {}\n", record.level(), record.args()));
//!     }
//!     fn flush(&self) {}
//! }
//!
//! let (lines, written) = sync_channel::<String>(256);
//! std::thread::spawn(move || {
//!     written.iter().for_each(|line| _ = std::io::stderr().write_all(line.as_bytes()));
//! });
//! log::set_logger(Box::leak(Box::new(Stderr(lines))))?;
//! log::set_max_level(log::LevelFilter::Warn);
//! # Ok::<(), log::SetLoggerError>(())
//! ```
//!
//! # When a shard dies
//!
//! A panic in a task reaches its handle and nothing else. A shard ends before its time if its ring
//! breaks (the kernel refuses to be entered), or if code that no task runs panics: a waker that the
//! program wrote. The shard drops its tasks and closes its sockets. It waits for what the kernel
//! still works on, or leaks it if the ring is broken. Then
//!
//! - every call to it, in flight or later, gives [`ShardGone`](crate::CallError::ShardGone);
//! - `ShardDied` is reported;
//! - [`Runtime::try_run`](crate::Runtime::try_run) tells the other shards to end and returns a
//!   [`ShardError`](crate::ShardError) with the shard and the cause;
//!   [`Runtime::run`](crate::Runtime::run) panics with the same text;
//! - [`Runtime::block_on`](crate::Runtime::block_on) goes on for the shutdown timeout, and then
//!   panics with that text, unless the program has asked for the
//!   [`failure`](crate::Runtime::failure) by then.
//!
//! With `panic = "abort"` in its profile, a program ends with the message of the first panic, in
//! whatever task, call or thread of the pool it is: nothing of the above happens.
//!
//! # When memory runs out
//!
//! An allocation that fails ends the program with a message, as Rust has it. Where a task, or the
//! task of a call, finds no memory for its own place, only that is not done: its handle says
//! [`Cancelled`](crate::JoinError::Cancelled), the call [`ShardGone`](crate::CallError::ShardGone).
//!
//! # Threads and child processes
//!
//! With more than one shard, each is pinned to a CPU if there are enough
//! ([`Pinning`](crate::Pinning)). On Linux the threads and child processes that a thread starts
//! inherit its set of CPUs. So those that a pinned shard starts share its CPU for their whole life,
//! and a pool that asks how many CPUs there are is told one. There are four ways out:
//!
//! - start them before [`Runtime::block_on`](crate::Runtime::block_on), on the thread that built
//!   the runtime: it is pinned only while it is in there;
//! - [`spawn_blocking`](crate::spawn_blocking): its threads may run on every CPU of the program,
//!   and so may what they start;
//! - start them by [`topology::unpinned`](crate::topology::unpinned);
//! - [`Pinning::None`](crate::Pinning::None), where the kernel places shards and everything else.
//!
//! Two runtimes in one process pin their shards to the same CPUs, in the same order, unless they
//! are told others by [`Pinning::Cpus`](crate::Pinning::Cpus).
//!
//! # The end by a signal
//!
//! A server that is told to stop (`SIGTERM`, or Ctrl-C) stops to accept, finishes what is in
//! progress and ends with the status 0: [`GracefulShutdown`](crate::signal::GracefulShutdown). The
//! second signal ends it at once, with the status 130 or 143. A program that does not listen to a
//! signal is ended by it as any other, and its runtime does nothing about it.

#![forbid(unsafe_code)]
