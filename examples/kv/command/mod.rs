//! The commands: what they are called, which keys they name, what they do.
//!
//! `socket ─▶ parser ─▶ [route] ─▶ batch ─▶ [store] ─▶ reply ─▶ socket`
//!
//! * [`table`]: every command with its arity and its reach, and how a name is looked up
//! * [`call`]: what a command's function gets, and how it fails
//! * on one shard: [`strings`], [`counters`], [`expiry`], [`keys`], [`scan`], [`lists`],
//!   [`hashes`], [`sets`]
//! * about the connection: [`connection`], and what is refused with all that follows, [`modes`];
//!   about the server: [`server`], [`info`], [`catalog`] with its [`docs`]
#![forbid(unsafe_code)]

pub mod call;
pub mod catalog;
pub mod connection;
pub mod counters;
pub mod docs;
pub mod expiry;
pub mod hashes;
pub mod info;
pub mod keys;
pub mod lists;
pub mod modes;
pub mod scan;
pub mod server;
pub mod sets;
pub mod strings;
pub mod table;

pub use call::{Call, Fault, Pace, Talk};
pub use table::{Command, Merge, Reach};

#[cfg(test)]
mod tests;
