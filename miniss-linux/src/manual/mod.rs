//! The manual of the Linux side: chapters that belong to no single item.
//!
//! `user future ─▶ task ─▶ run queue ─▶ executor ─▶ driver ─▶ kernel`, seen from above
//!
//! - [`decisions`]: what was weighed, what was chosen, and what would change our mind.

#![forbid(unsafe_code)]

pub mod decisions;
