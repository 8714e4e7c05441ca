//! Completions: from the kernel's queue to the slots, and on to the wakers.
//!
//! Invariant **Owned while in flight** (of `miniss_core::op`): what a request points at stays where
//! it is until the operation has its terminal completion.

use std::mem::MaybeUninit;

use io_uring::cqueue;
use miniss_core::op::{Completion, OpId};

use super::{Uring, tag};
use crate::driver::start::Operations;
use crate::guard::quietly;

/// Completions taken from the queue at a time. They are copied out first: so nothing of ours is
/// borrowed while wakers and destructors run, and the kernel has the room again at once.
const BATCH: usize = 64;

impl Uring {
    /// Settles what has completed; returns how much that was.
    #[inline]
    pub(super) fn take_completions(&self, ops: &Operations) -> usize {
        let mut settled = 0;
        loop {
            let mut batch = [const { MaybeUninit::uninit() }; BATCH];
            let taken = match &mut *self.ring.borrow_mut() {
                Some(ring) => ring.take(&mut batch),
                None => return settled,
            };
            let count = taken.len();
            let mut completions = taken.iter();
            // A waker or a destructor that panics must not lose the completions behind it.
            while completions.len() > 0 {
                let dispatch = |completion| self.dispatch(completion, ops);
                quietly(|| completions.by_ref().for_each(dispatch));
            }
            settled += count;
            if count < BATCH {
                return settled;
            }
        }
    }

    #[inline]
    fn dispatch(&self, entry: &cqueue::Entry, ops: &Operations) {
        let data = entry.user_data();
        let more = cqueue::more(entry.flags());
        match data & tag::MASK {
            tag::OP => {
                let completion = Completion { result: entry.result(), flags: entry.flags() };
                ops.complete(OpId::from_bits(data), completion, more);
            }
            tag::WAIT => self.end_wait(OpId::from_bits(data & !tag::MASK), entry, ops),
            tag::UNPARKER if !more => self.eventfd_is_armed.set(false),
            _ => {}
        }
    }

    /// Settles what a thread of the kernel has waited for, or asks for it again.
    fn end_wait(&self, id: OpId, entry: &cqueue::Entry, ops: &Operations) {
        match self.waits.end(id, entry.result()) {
            Ok(result) => ops.complete(id, Completion { result, flags: entry.flags() }, false),
            // SAFETY: *Owned while in flight*: its terminal completion has not come.
            Err(request) => unsafe { self.push_file(id, request) },
        }
    }
}
