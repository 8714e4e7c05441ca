//! TCP echo: servers of every kind, and a client that is not the bottleneck.
//!
//! - [`load`]: the client. It keeps requests under way on many connections, checks every byte that
//!   comes back, and takes the time of each.
//! - [`servers`]: the kinds of server by name. [`by_uring`] and [`by_epoll`] are the limit: by
//!   hand, without a runtime. [`ours`] is miniss, [`rivals`] are other runtimes.
//! - [`skewed`]: ours on two cores, of which one has nearly all connections.
//! - [`trial`]: one kind of server in a process of its own on core 0, the client on core 1.
//! - [`pattern`], [`options`]: what these are made of.
//! - [`ring`], [`buffers`]: io_uring by hand, for the client and for the limit.

pub mod buffers;
pub mod by_epoll;
pub mod by_uring;
pub mod load;
pub mod options;
pub mod ours;
pub mod pattern;
pub mod ring;
pub mod rivals;
pub mod servers;
pub mod skewed;
pub mod trial;
