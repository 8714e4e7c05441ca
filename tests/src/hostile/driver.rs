//! The driver of a [world](super::world), and the kernel.
//!
//! # Invariants
//!
//! - **Written while in flight.** The memory of an operation is written to only while that is in
//!   flight, which is what a table promises to keep it for.

use std::rc::Rc;

use miniss_core::op::{Completion, Memory, OpId};

use super::model::{Model, Report, Stage};
use super::world::{Refusal, World};

impl<M: Memory> World<M> {
    pub(super) fn part(self: &Rc<Self>, at: usize) {
        self.write(at);
        let part = self.completion();
        let report = self.model(|model| model.part(at, part));
        self.report(at, part, true, report);
        self.model(|model| model.assert_given(at));
    }

    pub(super) fn end(self: &Rc<Self>, at: usize) {
        self.write(at);
        let end = self.completion();
        let is_orphan = self.model.borrow().records[at].stage == Stage::Orphan;
        let report = self.model(|model| model.end(at, end));
        self.report(at, end, false, report);
        if is_orphan && !report.is_refused && !self.model.borrow().records[at].is_dropped {
            self.fail("an orphan outlives its end");
        }
    }

    fn report(&self, at: usize, completion: Completion, more: bool, report: Report) {
        let id = self.model.borrow().records[at].id;
        let wakes = |waker: usize| self.hooks[waker].wakes.get();
        let before = report.wakes.map(wakes);
        self.call(Refusal::must_if(report.is_refused), || {
            self.table.complete(id, completion, more)
        });
        if report.wakes.map(wakes) < before.map(|wakes| wakes + 1) {
            self.fail("no one was woken");
        }
    }

    /// Reports a completion of something that is not in flight.
    pub(super) fn stray(&self, number: u8) {
        self.tell(|| "stray".into());
        let model = self.model.borrow();
        let ids: Vec<_> = model.records.iter().map(|record| record.id).collect();
        drop(model);
        let ids: Vec<_> = self.former_ids.iter().chain(&ids).map(|id| id.to_bits()).collect();
        let bits = ids.get(usize::from(number >> 2) % ids.len().max(1)).copied().unwrap_or(0);
        let id = OpId::from_bits(match number & 3 {
            0 | 1 => bits,
            // Another generation, and another slot.
            2 => bits.wrapping_add(1 << 32),
            _ => bits ^ 32,
        });
        if self.model.borrow().choose(0, |of| of.id == id && of.is_in_flight()).is_none() {
            self.model(|model| model.stale += 1);
            let completion = self.completion();
            self.call(Refusal::Never, || self.table.complete(id, completion, number & 4 != 0));
        }
    }

    pub(super) fn next_cancel(&self) {
        self.tell(|| "next_cancel".into());
        let wants_cancel = !self.model.borrow().cancels.is_empty();
        let wanted = self.model(Model::next_cancel);
        let offered = (self.table.wants_cancel(), self.table.next_cancel());
        if offered != (wants_cancel, wanted) {
            self.fail(&format!("a cancel: {offered:?} instead of {:?}", (wants_cancel, wanted)));
        }
    }

    /// The kernel writes to the memory of an operation in flight.
    pub(super) fn write(self: &Rc<Self>, at: usize) {
        let places = self.ops.borrow()[at].places;
        // SAFETY: *Written while in flight*.
        let places = places.map(|place| unsafe { &*place });
        self.assert_intact(at, &places);
        let byte = self.completion().flags as u8;
        places.iter().flat_map(|place| place.iter()).for_each(|place| place.set(byte));
        self.ops.borrow_mut()[at].written = byte;
    }
}
