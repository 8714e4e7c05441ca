//! The heart of rust-miniss: futures, tasks, wakers, timers and calls between cores, without an
//! operating system.
//!
//! ```text
//!  future ─▶ op table ─▶ driver ─▶ kernel
//!    ▲                               │
//!  executor ◀─ queue ◀─ waker ◀─ completion
//!
//!  core A: submit_to ─▶ lane A▸B ─▶ core B (unparked if it sleeps)
//!  core A: waker ◀───── lane B▸A ◀─ runs the call, replies
//! ```
//!
//! Everything stands behind one small port: the [`Reactor`], a value that the [`Executor`] owns,
//! and its [`Unpark`], the part that everyone may ring. Bring those two and the rest of this
//! crate runs on a microcontroller, in a kernel, under a hypervisor or in a simulation;
//! `miniss-linux` is one such port.
//!
//! # Principles
//!
//! - **Shared nothing.** A task is polled, woken and dropped on one core. What other cores may
//!   touch is atomic, small, and stays where it is forever.
//! - **A wake is never lost**, costs no atomic read-modify-write at home, and does no harm after
//!   its task, its executor or the whole program part is gone.
//! - **The memory that an operation uses belongs to the operation** until whoever performs it is
//!   done with it, whatever becomes of the future that asked.
//! - **Everything has a bound or lives in its owner.** Queues are links inside the tasks, timers
//!   and calls themselves; where there is a capacity, *full* is an answer.
//!
//! # Where to begin
//!
//! [`manual::porting`] says what a port has to do, and how to do without a heap;
//! [`manual::memory`] what everything costs; [`manual::journey`] follows one request through the
//! code. What was weighed and chosen, and why, stands in [`manual::decisions`].
//!
//! Examples leave out some `use` lines, and the port: `executor()` in them stands for an
//! [`Executor`] over one, made as in the example of [`Reactor`], and `Unparker` for its unparker.
//!
//! # Features
//!
//! - `alloc` (default): tasks, promises and calls on the heap. It only adds; what needs it says so.

#![no_std]
#![warn(missing_docs)]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, loom))]
extern crate std;

mod defer;
mod prefetch;
mod prim;

pub mod error;
pub mod time;

mod promise;
mod task;

pub mod coop;
pub mod unobserved;

mod executor;

pub mod op;

mod reactor;

pub mod timer;

pub mod call;

pub mod collections;
pub mod combine;
pub mod sync;

#[cfg(all(test, not(loom)))]
mod kept;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod random;

#[cfg(doc)]
pub mod manual;

#[cfg(all(test, target_pointer_width = "64", feature = "alloc", not(loom)))]
mod sizes;

#[cfg(all(feature = "alloc", not(loom)))]
#[doc(hidden)]
pub mod doctest;

pub use executor::{AbortHandle, Budget, Executor, ExecutorCell, JoinHandle, LocalHandle};
pub use executor::{Reservation, Scope, Stats};
pub use promise::{Future, Promise, PromiseCell};
pub use reactor::{Clock, Idle, Reactor, Unpark};
pub use task::{TaskFn, TaskSlab, future_bytes};
