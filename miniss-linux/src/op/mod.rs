//! The operations that sockets and files are made of, all of the same shape: what the kernel may
//! touch, how it is asked (`prepare`), what its answer means (`settle`), and what becomes of the
//! answer if no one waits for it any more. To add one, copy the nearest.
//!
//! `net, fs ─▶ [op] ─▶ driver ─▶ kernel ─▶ completion ─▶ [op] ─▶ waker`
//!
//! - [`fd`]: a descriptor, which stays open while an operation uses it.
//! - [`connection`]: what a stream and its operations share: who reads, who writes, the close.
//! - [`connect`]: accept and connect.
//! - [`recv`]: receives, and the waits for something to receive and for the end.
//! - [`send`]: sends of one buffer.
//! - [`poll`]: waits for an event of what is no socket; an end of a pipe.
//! - [`message`]: receives and sends of several buffers as one, with an address and descriptors.
//! - [`zero_copy`]: sends that the network makes out of the caller's buffer.
//! - [`steps`]: reads and writes of several steps, of sockets, pipes and files.
//! - [`file`]: what a file and its operations share, and all that is done with files.
//! - [`describe`]: what a request of a file asks for, in words.
//!
//! Invariant **Owned while in flight** (of `miniss_core::op`): an operation lies in its slot, where
//! it does not move, from before `prepare` until the terminal completion. So `prepare` may hand out
//! pointers into it.

pub(crate) mod connect;
pub(crate) mod connection;
mod describe;
pub(crate) mod fd;
pub(crate) mod file;
pub(crate) mod message;
pub(crate) mod poll;
pub(crate) mod recv;
pub(crate) mod send;
pub(crate) mod steps;
pub(crate) mod zero_copy;
