//! Cancels all operations on a descriptor.
//!
//! `close ─▶ [cancel] ─▶ kernel`

#![forbid(unsafe_code)]

use std::io;

use io_uring::{opcode, squeue, types};
use miniss_core::op::{Completion, Operation};

use super::count;
use crate::driver::Prepare;
use crate::net::Fd;

/// A cancel of whatever is in flight on a descriptor.
pub(crate) struct CancelAll {
    pub(crate) fd: Fd,
}

impl Operation for CancelAll {
    /// How many were cancelled.
    type Output = io::Result<usize>;

    fn settle(self, completion: Completion) -> Self::Output {
        match count(completion) {
            Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(0),
            result => result,
        }
    }
}

impl Prepare for CancelAll {
    fn prepare(&mut self) -> squeue::Entry {
        let which = types::CancelBuilder::fd(self.fd.number()).all();
        opcode::AsyncCancel2::new(which).build()
    }
}
