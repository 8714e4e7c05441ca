//! Cancels all operations on a descriptor.
//!
//! `close ─▶ [cancel] ─▶ kernel`

#![forbid(unsafe_code)]

use std::os::fd::{AsRawFd, OwnedFd};

use io_uring::{opcode, squeue, types};
use miniss_core::op::{Completion, Operation};

use crate::driver::Prepare;

/// A cancel of whatever is in flight on a descriptor, which it owns meanwhile: the number stays
/// taken until the kernel has seen every entry that names it.
pub(crate) struct CancelAll {
    pub(crate) fd: OwnedFd,
}

impl Operation for CancelAll {
    /// The descriptor, on which nothing is in flight now, whatever there was.
    type Output = OwnedFd;

    fn settle(self, _: Completion) -> OwnedFd {
        self.fd
    }
}

impl Prepare for CancelAll {
    fn prepare(&mut self) -> squeue::Entry {
        let which = types::CancelBuilder::fd(types::Fd(self.fd.as_raw_fd())).all();
        opcode::AsyncCancel2::new(which).build()
    }
}
