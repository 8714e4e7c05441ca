//! The manual of the Linux side: chapters that belong to no single item.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ driver ─▶ kernel`, seen from above
//!
//! - [`running`]: what a program says, how it ends, threads and child processes beside it.
//! - [`decisions`]: what was weighed, what was chosen, and what would change our mind.
//! - [`growth`]: from one task, timer, connection or shard to very many, in pictures.

#![forbid(unsafe_code)]

pub mod decisions;
pub mod growth;
pub mod running;
