//! The manual of the Linux side: chapters that belong to no single item.
//!
//! - [`tutorial`]: first steps, six programs from one task to a key-value store.
//! - [`from_tokio`], [`from_seastar`]: what has which name here, what differs, and when to stay.
//! - [`running`]: what a program says, how it ends, threads and child processes beside it.
//! - [`sharding`]: which tool between shards when, what each costs, and more cores on paper.
//! - [`beside`]: tokio and miniss in one program.
//! - [`files`]: what survives which failure, who hears of it, and how to write so that it does.
//! - [`containers`]: which driver runs in Docker and Kubernetes, and how to allow io_uring there.
//! - [`kernels`]: what each version of Linux gives, what of it is used, and which were tried.
//! - [`decisions`]: what was weighed, what was chosen, and what would change our mind.
//! - [`growth`]: from one task, timer, connection or shard to very many, in pictures.
//! - [`peers`]: each measure beside other runtimes and beside programs by hand.

#![forbid(unsafe_code)]

pub mod beside;
pub mod containers;
pub mod decisions;
pub mod files;
pub mod from_seastar;
pub mod from_tokio;
pub mod growth;
pub mod kernels;
pub mod peers;
pub mod running;
pub mod sharding;
pub mod tutorial;
