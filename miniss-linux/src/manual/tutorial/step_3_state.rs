//! Step 3, State: what the tasks of one shard share, without a lock.
//!
//! You will see a list that every client adds to.
//!
//! # The program
//!
#![cfg_attr(feature = "macros", doc = "```no_run")]
#![cfg_attr(not(feature = "macros"), doc = "```ignore")]
#![doc = include_str!("programs/state.rs")]
//! ```
//!
//! # Try it
//!
//! ```console
//! $ cargo run --quiet
//! listening on 127.0.0.1:7000
//! ```
//!
//! In another terminal:
//!
//! ```console
//! $ echo Ada | nc -N 127.0.0.1 7000
//! so far: Ada
//! $ echo Grace | nc -N 127.0.0.1 7000
//! so far: Ada, Grace
//! ```
//!
//! End the server with Ctrl-C:
//!
//! ```console
//! ^C
//! ```
//!
//! # What happened
//!
//! - **`Rc` and `RefCell` are enough.** All tasks of a shard run on one thread, one at a time. So
//!   what they share needs neither an `Arc` nor a lock. Each task has a clone of the `Rc`.
//! - **Nothing need be `Send`.** A task stays on its shard for as long as it lives, and [`spawn`]
//!   takes any future that borrows nothing. (tokio's `spawn` would refuse this one.)
//! - **No borrow over an await.** Between two awaits no other task runs, so no other task sees the
//!   book half written. While this task waits, others do run. If it still held a borrow then,
//!   `borrow_mut` would panic in the next task. So the names are joined first, and sent then.
//! - **What has to be held over an await** goes into a [`Mutex`] of ours: it knows which task is
//!   next, and it takes no atomic operation.
//!
//! A client may send its name in two pieces, and TCP may cut it. This program takes the first piece
//! for the name. Step 6 reads whole lines.
//!
//! # Change it
//!
//! Hold the borrow over the await:
//!
//! ```no_run
//! # type Book = std::rc::Rc<std::cell::RefCell<Vec<String>>>;
//! # async fn f(stream: miniss_linux::net::TcpStream, book: Book) -> std::io::Result<()> {
//! let names = book.borrow();
//! stream.write_all(names.join(", ")).await.0
//! # }
//! ```
//!
//! It works as long as each write ends at once. A client that does not read can make one wait, and
//! then the task of the next client panics. `cargo clippy` finds the place.
//!
//! Next: [step 4, Shards](super::step_4_shards).
//!
//! [`spawn`]: crate::spawn
//! [`Mutex`]: crate::sync::Mutex

#![forbid(unsafe_code)]
