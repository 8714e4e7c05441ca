//! The executor: it polls the tasks of one core, asks the [`Reactor`](crate::Reactor), which is its
//! view of the outside, for events, and sleeps when there is nothing to do. One round of this is a
//! *turn*: poll the tasks that are ready, within a budget; queue those that other cores have woken,
//! which stand in an inbox; let the reactor look; sleep if nothing is ready. Read `turn` first: the
//! loop is one screen of code.
//!
//! `spawn ─▶ run queue ─▶ [poll within a budget] ─▶ reactor ─▶ wake ─▶ run queue`
//!
//! - `turn`: [`Executor`], the loop itself
//! - `run`: polls one task and clears up when it ends; ends all tasks when the executor goes
//! - `wake`: what a waker does: it puts its task in the run queue or, from another core, in the
//!   inbox
//! - `spawn`: [`LocalHandle`], a handle to the executor: it finds a slot for a future and queues
//!   the task
//! - `join`: the handles of a task: [`JoinHandle`], [`AbortHandle`]; and [`Reservation`], a slot
//!   that is taken before there is a future for it
//! - `cell`: [`ExecutorCell`], the part that outlives the executor, so that wakers may point to it
//!   forever: inbox, sleep flag, unparker, and what the owner alone touches
//! - `budget`: how much a turn may do, in polls and in time, before the reactor is asked again
//! - `group`: [`SchedulingGroup`], tasks that have a share of the core's time in common
//! - `group_table`: [`GroupTable`], the groups of an executor, and a turn among them
//! - `virtual_time`: which group is next
//! - `watch`: the lanes that other cores write calls to without a wake: a core that is awake looks
//!   at them once a turn
//! - `scope`: [`Scope`], for tasks that borrow from the stack
//! - `stats`: [`Stats`], what the executor has done

pub(crate) mod budget;
pub(crate) mod cell;
mod group;
pub(crate) mod group_table;
mod join;
#[cfg(all(test, loom))]
mod loom;
mod run;
mod scope;
mod spawn;
mod stats;
#[cfg(all(test, not(any(loom, shuttle))))]
mod tests;
mod turn;
mod virtual_time;
pub(crate) mod wake;
pub(crate) mod watch;

pub use budget::Budget;
pub use cell::ExecutorCell;
pub use group::{SchedulingGroup, SwitchTo, switch_to};
pub use group_table::GroupTable;
pub use join::{AbortHandle, JoinHandle, Reservation};
pub use scope::Scope;
pub use spawn::LocalHandle;
pub use stats::{Delays, GroupStats, Stats};
pub use turn::Executor;
