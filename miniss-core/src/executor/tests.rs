//! Tests of tasks, wakers, run queue and executor together, over a small port made for them.
//!
//! Without `alloc` only those of the storages that need no heap are there. Most run twice: once
//! over a port that knows whether it is on its own core, once over one that does not: there every
//! wake goes through the inbox.

#[cfg(feature = "alloc")]
mod ending;
#[cfg(feature = "alloc")]
mod groups;
#[cfg(feature = "alloc")]
mod handles;
#[cfg(feature = "alloc")]
mod model;
#[cfg(feature = "alloc")]
mod panics;
#[cfg(feature = "alloc")]
mod placing;
#[cfg_attr(not(feature = "alloc"), allow(dead_code, reason = "the others use the rest"))]
mod port;
#[cfg(feature = "alloc")]
mod running;
mod slab_model;
mod storage;
#[cfg(feature = "alloc")]
mod wakes;
