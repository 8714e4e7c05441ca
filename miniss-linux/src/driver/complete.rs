//! Completions: from the kernel's queue to the slots, and on to the wakers.

use std::mem::MaybeUninit;

use io_uring::{cqueue, opcode, types};
use miniss_core::op::{Completion, OpId};

use super::submit::{Driver, tag};
use super::unpark::UnparkerName;
use crate::guard::quietly;

/// Completions taken from the queue at a time. They are copied out first, so that wakers and
/// destructors run while nothing of ours is borrowed, and the kernel has its room back early.
const BATCH: usize = 64;

impl Driver {
    /// Settles what has completed; returns how much that was.
    #[inline]
    pub(super) fn reap(&self) -> usize {
        let mut settled = 0;
        loop {
            let mut batch = [const { MaybeUninit::uninit() }; BATCH];
            let taken = match &mut *self.ring.borrow_mut() {
                Some(ring) => ring.take(&mut batch),
                None => return settled,
            };
            let count = taken.len();
            self.is_reaping.set(true);
            let mut completions = taken.iter();
            // A waker or a destructor that panics must not lose the completions behind it.
            while completions.len() > 0 {
                quietly(|| completions.by_ref().for_each(|completion| self.dispatch(completion)));
            }
            self.is_reaping.set(false);
            settled += count;
            if count < BATCH {
                return settled;
            }
        }
    }

    /// Hands over what has gathered and settles what that brings about, now and outside of any
    /// turn. What does not end at once is left to the next turn.
    pub(crate) fn settle(&self) {
        // What is being settled already goes first: a stream's bytes keep their order.
        while !self.is_reaping.get() && self.try_submit().is_ok() {
            if self.reap() == 0 {
                return;
            }
        }
    }

    #[inline]
    fn dispatch(&self, entry: &cqueue::Entry) {
        let data = entry.user_data();
        let more = cqueue::more(entry.flags());
        match data & tag::MASK {
            tag::OP => {
                if cqueue::buffer_select(entry.flags()).is_some() {
                    self.buffers_taken.set(self.buffers_taken.get().wrapping_add(1));
                }
                let completion = Completion { result: entry.result(), flags: entry.flags() };
                self.ops.complete(OpId::from_bits(data), completion, more);
            }
            // It comes only if it failed.
            tag::MESSAGE => UnparkerName::from_bits(data & !tag::MASK).ring(),
            // A message from another ring, or the eventfd's poll; only the poll comes with `more`,
            // or ends with a result that a message never has.
            tag::UNPARKER if !more && entry.result() != 0 => self.unparker_is_armed.set(false),
            _ => {}
        }
    }

    /// Has the kernel watch the eventfd that foreign threads ring. A multishot poll is
    /// edge-triggered: each write ends a wait, and no one need ever read the counter.
    pub(super) fn arm_unparker(&self) {
        if self.unparker_is_armed.replace(true) {
            return;
        }
        let entry = opcode::PollAdd::new(types::Fd(self.unparker), libc::POLLIN as u32)
            .multi(true)
            .build()
            .user_data(tag::UNPARKER);
        // SAFETY: the entry points at nothing.
        unsafe { self.push(entry) };
    }
}
