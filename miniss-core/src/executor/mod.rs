//! The executor: it polls the tasks of one core, asks the reactor for events, and sleeps when there
//! is nothing to do. Begin with `turn`: the loop is one screen of code, and all the rest is what
//! that loop calls, or what makes a task ready for it.
//!
//! `spawn ─▶ run queue ─▶ [poll within a budget] ─▶ reactor ─▶ wake ─▶ run queue`
//!
//! - `turn`: [`Executor`], the loop itself
//! - `run`: one task is polled, and cleared up when it ends; all tasks end with their executor
//! - `wake`: from a waker to the run queue, and from another core to the inbox
//! - `spawn`: [`LocalHandle`], which finds a slot for a future and queues it
//! - `join`: what is held of a task from outside: [`JoinHandle`], [`AbortHandle`], [`Reservation`]
//! - `cell`: [`ExecutorCell`], the part that wakers may point to forever
//! - `budget`: how much a turn may do before the reactor is asked again
//! - `watch`: places that other cores write to without a wake, looked at once a turn
//! - `scope`: [`Scope`], for tasks that borrow from the stack
//! - `stats`: [`Stats`], what the executor has done

pub(crate) mod budget;
pub(crate) mod cell;
mod join;
#[cfg(all(test, loom))]
mod loom;
mod run;
mod scope;
mod spawn;
mod stats;
#[cfg(all(test, not(loom)))]
mod tests;
mod turn;
pub(crate) mod wake;
pub(crate) mod watch;

pub use budget::Budget;
pub use cell::ExecutorCell;
pub use join::{AbortHandle, JoinHandle, Reservation};
pub use scope::Scope;
pub use spawn::LocalHandle;
pub use stats::Stats;
pub use turn::Executor;
