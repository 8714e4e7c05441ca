//! The manual of the core: chapters that belong to no single item.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ reactor`, seen from above
//!
//! - [`decisions`]: what was weighed, what was chosen, and what would change our mind.

#![forbid(unsafe_code)]

pub mod decisions;
