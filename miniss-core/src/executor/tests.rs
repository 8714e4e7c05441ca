//! Tests of tasks, wakers, run queue and executor together, over a small port made for them.
//!
//! `user future ─▶ task ─▶ run queue ─▶ [executor] ─▶ reactor`
//!
//! Most run twice: once over a port that knows when it is at home, once over one that does not,
//! whose every wake goes through the inbox.

mod ending;
mod handles;
mod model;
mod panics;
mod placing;
mod port;
mod running;
mod wakes;
