//! The executor: the loop that polls what is ready and asks the reactor for more.
//!
//! `user future ─▶ task ─▶ run queue ─▶ [executor] ─▶ reactor`

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
