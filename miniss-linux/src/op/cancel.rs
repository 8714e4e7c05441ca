//! Cancels an operation, so that its descriptor can be closed.

#![forbid(unsafe_code)]

use std::rc::Rc;

use io_uring::{opcode, squeue};
use miniss_core::op::{Completion, OpId, Operation};

use super::connection::Closing;
use crate::driver::{Prepare, cancel_entry};

/// A cancel of what is in flight on a descriptor, if anything is. It shares the close: the number
/// stays taken until the kernel has seen this entry, and so every earlier one that names it.
pub(crate) struct Cancel {
    pub(crate) closing: Rc<Closing>,
    pub(crate) id: Option<OpId>,
}

impl Operation for Cancel {
    /// The operation is not in flight now, whether it was or not.
    type Output = ();

    fn settle(self, _: Completion) {
        drop(self.closing);
    }
}

impl Prepare for Cancel {
    fn prepare(&mut self) -> squeue::Entry {
        self.id.map_or_else(|| opcode::Nop::new().build(), cancel_entry)
    }
}
