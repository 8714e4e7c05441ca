//! The executor: the loop that polls what is ready and asks the reactor for more.
//!
//! `user future ─▶ task ─▶ run queue ─▶ [executor] ─▶ reactor`

pub(crate) mod budget;
pub(crate) mod cell;
pub(crate) mod local;
#[cfg(all(test, loom))]
mod loom;
pub(crate) mod owner;
pub(crate) mod pace;
pub(crate) mod park;
mod run;
pub(crate) mod scope;
mod shuffle;
mod shutdown;
mod spawn;
pub(crate) mod stats;
#[cfg(all(test, not(loom)))]
mod tests;
mod turn;
pub(crate) mod watch;

pub use budget::Budget;
pub use cell::ExecutorCell;
pub use local::LocalHandle;
pub use park::Idle;
pub use scope::Scope;
pub use stats::Stats;
pub use turn::Executor;
