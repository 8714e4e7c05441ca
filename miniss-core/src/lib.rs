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
//! All of it stands on one small port: the [`Reactor`], a value that the [`Executor`] owns, and its
//! [`Unpark`], which any core may call. Bring those two, and the rest of this crate runs on a
//! microcontroller, in a kernel, under a hypervisor or in a simulation; `miniss-linux` is one such
//! port.
//!
//! # Principles
//!
//! - **Shared nothing.** A task is polled, woken and dropped on one core. What other cores may
//!   touch is atomic, small, and stays where it is forever.
//! - **A wake is never lost.** On its own core it costs no atomic read-modify-write, and it does no
//!   harm after its task or its executor has ended.
//! - **The memory that an operation uses belongs to the operation** until the kernel or device is
//!   done with it, also if the future that asked for it is dropped.
//! - **Everything has a bound or lives in its owner.** Queues are links inside the tasks, timers
//!   and calls themselves; where there is a capacity, *full* is an answer.
//!
//! # Modules, in the order of the journey
//!
//! - [`LocalHandle`] spawns, [`Executor`] polls; [`JoinHandle`], [`AbortHandle`], [`Scope`],
//!   [`Reservation`] and [`TaskSlab`] are about the task between the two.
//! - [`SchedulingGroup`]: which tasks get how much of their core's time.
//! - [`Reactor`], [`Unpark`], [`Clock`], [`Idle`]: the port.
//! - [`Future`] and [`Promise`]: a value that is not there yet, and what brings it.
//! - [`op`]: operations that the kernel or a device works on, with their memory.
//! - [`time`] and [`timer`]: instants; sleep, timeout, interval.
//! - [`call`]: one core asks another to do something.
//! - `mpsc`, with a heap: values from many cores to one. [`interrupt`]: the same without, from
//!   handlers too; and executors that run in them.
//! - [`sync`], [`combine`], [`collections`]: for the tasks of one core.
//! - [`coop`]: how much one poll of a task may do.
//! - [`unobserved`]: failures that no one saw. [`error`]: the others.
//! - [`manual`]: how it works, what it costs, why it is sound and why it is like this.
//!
//! # Where to begin
//!
//! [`manual::porting`] says what a port has to do, and how to do without a heap;
//! [`manual::memory`] what everything costs; [`manual::journey`] follows one request through the
//! code.
//!
//! Examples leave out some `use` lines, and the port: `executor()` in them stands for an
//! [`Executor`] over one, made as in the example of [`Reactor`], and `Unparker` for its unparker.
//!
//! # Features
//!
//! - `alloc` (default): tasks, promises and calls on the heap. It only adds; what needs it says so.
//! - `defmt`: errors can be logged by the crate of that name.
//! - `portable-atomic`: for processors without compare-and-swap; see [`manual::porting`].

#![no_std]
#![warn(missing_docs)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "alloc")]
extern crate alloc;
#[cfg(any(test, loom, shuttle))]
extern crate std;

mod defer;
mod prefetch;
mod prim;

mod executor;
mod promise;
mod reactor;
mod task;

pub mod call;
pub mod collections;
pub mod combine;
pub mod coop;
pub mod error;
pub mod interrupt;
#[cfg(feature = "alloc")]
pub mod mpsc;
pub mod op;
pub mod sync;
pub mod time;
pub mod timer;
pub mod unobserved;

#[cfg(doc)]
pub mod manual;

#[cfg(all(feature = "alloc", not(any(loom, shuttle))))]
#[doc(hidden)]
pub mod doctest;

#[cfg(all(test, not(any(loom, shuttle))))]
mod kept;
#[cfg(all(test, feature = "alloc", not(loom)))]
mod random;
#[cfg(all(test, target_pointer_width = "64", feature = "alloc", not(any(loom, shuttle))))]
mod sizes;

pub use executor::{AbortHandle, Budget, Executor, ExecutorCell, JoinHandle, LocalHandle};
pub use executor::{Delays, GroupStats, GroupTable, SchedulingGroup, SwitchTo};
pub use executor::{Reservation, Scope, Stats, switch_to};
pub use promise::{Future, Promise, PromiseCell};
pub use reactor::{Clock, Idle, Reactor, Unpark};
pub use task::{TaskFn, TaskSlab, future_bytes};
