//! The operations, one a file, all of the same shape: what the kernel may touch, how it is asked,
//! what its answer means, and what becomes of the answer if no one waits.
//!
//! `user future ─▶ executor ─▶ driver ─▶ [op] ─▶ kernel`
//!
//! Invariant **Owned while in flight** (of `miniss_core::op`): an operation lies in its slot, where
//! it does not move, from before `prepare` until the terminal completion. So `prepare` may hand out
//! pointers into it.

pub(crate) mod accept;
pub(crate) mod cancel;
pub(crate) mod connect;
pub(crate) mod connection;
pub(crate) mod fd;
pub(crate) mod read_side;
pub(crate) mod readable;
pub(crate) mod recv;
pub(crate) mod recv_pool;
pub(crate) mod recvmsg;
pub(crate) mod send;
pub(crate) mod sendmsg;

use std::io;

use miniss_core::op::Completion;

/// The kernel's answer as a count or an error.
pub(crate) fn count(completion: Completion) -> io::Result<usize> {
    if completion.result < 0 {
        Err(io::Error::from_raw_os_error(-completion.result))
    } else {
        Ok(completion.result as usize)
    }
}
