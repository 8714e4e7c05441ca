//! Two runtimes side by side: shards in a program of tokio's, and tokio in one of ours.
//!
//! What has which name here is told in [`from_tokio`](super::from_tokio).
//!
//! A future does not care which runtime polls it, as long as what it waits for needs none or has
//! one of its own. So two runtimes get along in one process: each has its threads, and what one
//! wants of the other it sends there and awaits. A call costs an allocation or two and a wake of
//! the other thread, some microseconds if that sleeps, so send work and not steps of it.
//!
//! # What needs which runtime
//!
//! | what | where it runs |
//! |---|---|
//! | `tokio::sync`, `join!`, `try_join!`, `select!`; all of `futures` | on both |
//! | the output of a task of tokio's (its `JoinHandle`), a [`ForeignCall`](crate::ForeignCall) | awaited on both |
//! | `tokio::time`, `net`, `fs`, and the crates on top, as `reqwest` | in tasks of tokio's |
//! | [`time`](crate::time), [`net`](crate::net), [`fs`](crate::fs), [`spawn`] | on shards |
//!
//! Crates that take any stream or any executor need no second runtime: see the features
//! `futures-io`, `tokio` and `hyper`.
//!
//! # A program of tokio's that has shards
//!
//! The first shard is the thread that made the runtime, so give it one. A [`Handle`](crate::Handle)
//! goes wherever it is wanted; a promise ends it all.
//!
//! ```
//! use std::sync::mpsc;
//! use std::thread;
//! use miniss_linux::{Future, Runtime, ShardId};
//!
//! // The shards, on threads of their own.
//! let (sender, receiver) = mpsc::channel();
//! let (ended, end) = Future::<()>::new();
//! let shards = thread::spawn(move || {
//!     let runtime = Runtime::builder().shards(2).build().unwrap();
//!     sender.send(runtime.handle()).unwrap();
//!     runtime.block_on(ended).unwrap(); // shard 0 works while this waits
//! });
//! let handle = receiver.recv().unwrap();
//!
//! // The program.
//! let tokio = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build().unwrap();
//! tokio.block_on(async {
//!     let task = tokio::spawn(async move {
//!         handle.submit_to(1, async || ShardId::current().index()).await.unwrap()
//!     });
//!     assert_eq!(task.await.unwrap(), 1);
//! });
//!
//! end.complete(()).unwrap();
//! shards.join().unwrap();
//! ```
//!
//! A call to shards that have ended gives [`ShardGone`](crate::CallError::ShardGone).
//! [`ForeignCall::wait`](crate::ForeignCall::wait) would block a thread of tokio's; await the call.
//!
//! # A program of ours that uses tokio
//!
//! Start tokio's threads by [`unpinned`](crate::topology::unpinned), so that they do not share the
//! CPU of one shard. Its handle starts tasks from any shard, and what they give is awaited there.
//! For the way back they have a [`Handle::current`](crate::Handle::current).
//!
#![cfg_attr(feature = "macros", doc = "```")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
//! use std::time::Duration;
//! use miniss_linux::topology::unpinned;
//! use miniss_linux::{Handle, ShardId};
//!
//! /// Stands for a client that needs tokio.
//! async fn fetch(name: &str) -> usize {
//!     tokio::time::sleep(Duration::from_millis(1)).await;
//!     name.len()
//! }
//!
//! #[miniss_linux::main(shards = 2)]
//! async fn main() {
//!     let mut builder = tokio::runtime::Builder::new_multi_thread();
//!     let tokio = unpinned(|| builder.worker_threads(1).enable_time().build()).unwrap();
//!
//!     let back = Handle::current();
//!     let fetched = tokio.spawn(async move {
//!         let length = fetch("tokio").await;
//!         let shard = back.submit_to(1, async || ShardId::current()).await.unwrap();
//!         (length, shard.index())
//!     });
//!     // The shard goes on meanwhile: this is a future as any other.
//!     assert_eq!(fetched.await.unwrap(), (5, 1));
//!
//!     // To drop it would block the shard until its tasks have ended.
//!     tokio.shutdown_background();
//! }
//! ```
//!
//! A [`block_on`](crate::Runtime::block_on) of one runtime in a task of the other stops the thread
//! of that task for as long as it takes, and all other tasks there. Await what was sent instead.
//!
//! [`spawn`]: crate::spawn

#![forbid(unsafe_code)]
