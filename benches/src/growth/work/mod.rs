//! What is measured at one point of a curve.

#![forbid(unsafe_code)]

pub mod by_hand;
pub mod calls;
pub mod echo;
pub mod large_buffers;
pub mod memory;
pub mod shards;
pub mod tasks;
pub mod timers;
