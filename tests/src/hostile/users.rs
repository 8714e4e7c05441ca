//! The users of a [world](super::world): they start operations, wait for them and give them up.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::rc::Rc;
use std::task::{Context, Poll};

use miniss_core::error::Refused;
use miniss_core::op::{Memory, OpKey, Part};

use super::model::{Model, Stage};
use super::operation::{Aligned, Core, HasPlaces, Key, Outcome, Own, Plain};
use super::world::{Called, Op, Refusal, World};

impl<M: Memory> World<M> {
    pub(super) fn insert(self: &Rc<Self>, number: u8) {
        self.tell(|| "insert".into());
        match number & 7 {
            0 | 1 => self.insert_as::<Own<M, 8>>(number),
            // As large as a slot.
            2 => self.insert_as::<Own<M, 40>>(number),
            3 => self.insert_as::<Plain<M, 8>>(number),
            // Blocks.
            4 => self.insert_as::<Own<M, 48>>(number),
            5 => self.insert_as::<Plain<M, 300>>(number),
            // Boxes.
            6 => self.insert_as::<Own<M, 4000>>(number),
            _ => self.insert_as::<Aligned<M>>(number),
        }
    }

    pub(super) fn insert_as<O: HasPlaces<M> + From<Core<M>>>(self: &Rc<Self>, number: u8) {
        let at = self.model(Model::announce);
        let moments = if number & 128 != 0 { self.script.next() } else { 0 };
        let parts_max = if number & 64 != 0 { 2 } else { u32::MAX };
        let places = [core::ptr::from_ref::<[Cell<u8>]>(&[]); 2];
        self.ops.borrow_mut().push(Op { key: None, moments, parts_max, places, written: 0 });
        let fits = size_of::<O>() <= 64 && align_of::<O>() <= 16;
        let refusal = self.model.borrow().refusal(fits);
        let inserted = self.table.try_insert(O::from(Core::new(self, at)));
        match (inserted, refusal) {
            (Ok(key), None) => self.start(at, key),
            (Err(Refused { value, reason, .. }), Some(refusal)) if reason == refusal => {
                assert!(!self.model.borrow().records[at].is_dropped, "it is still ours");
                self.call(Refusal::Never, || drop(value));
            }
            (inserted, _) => {
                let error = inserted.err().map(|refused| refused.reason);
                self.fail(&format!("insert: {error:?} instead of {refusal:?}"));
            }
        }
    }

    fn start<O: HasPlaces<M>>(self: &Rc<Self>, at: usize, key: OpKey<O>) {
        self.model(|model| model.start(at, key.id()));
        let places = self.table.with_op(&key, |op| op.places());
        let op = &mut self.ops.borrow_mut()[at];
        op.places = places;
        op.key = Some(Rc::new(key));
    }

    fn key(&self, at: usize) -> Rc<dyn Key<M>> {
        self.ops.borrow()[at].key.clone().expect("the model knows who has a key")
    }

    fn is_inside(&self, at: usize) -> bool {
        self.model.borrow().records[at].is_inside
    }

    pub(super) fn poll(self: &Rc<Self>, at: usize, number: u8) {
        self.poll_by(at, number, |key, cx| key.poll(&self.table, cx).map(Part::End), false);
    }

    pub(super) fn poll_part(self: &Rc<Self>, at: usize, number: u8) {
        self.poll_by(at, number, |key, cx| key.poll_part(&self.table, cx), true);
    }

    fn poll_by(
        self: &Rc<Self>,
        at: usize,
        number: u8,
        poll: impl FnOnce(&dyn Key<M>, &mut Context<'_>) -> Poll<Part<Outcome<M>>>,
        takes_parts: bool,
    ) {
        let waker = usize::from(number >> 6);
        let (key, lent) = (self.key(at), self.hooks[waker].waker());
        let is_inside = self.is_inside(at);
        self.model(|model| model.start_poll(at));
        // Its waker may collect it before the poll comes to that.
        let refusal = if is_inside { Refusal::Must } else { Refusal::May };
        let called = self.call(refusal, || poll(&*key, &mut Context::from_waker(&lent)));
        self.model(|model| model.end_poll(at));
        match called {
            Called::Returned(Poll::Ready(Part::More(part))) => {
                self.model(|model| model.collect_part(at, part));
            }
            Called::Returned(Poll::Ready(Part::End(outcome))) => self.collected(at, outcome),
            Called::Returned(Poll::Pending) => {
                self.model(|model| model.wait(at, waker, takes_parts));
            }
            Called::Refused if is_inside || !self.model.borrow().records[at].has_key => {}
            Called::Refused => self.fail("the key was not spent"),
            Called::Unwound => {}
        }
        self.call(Refusal::Never, || drop(lent));
    }

    fn collected(&self, at: usize, outcome: Outcome<M>) {
        let is_settled = self.model.borrow().records[at].stage == Stage::Settled;
        let is_its_own = outcome.is_of(at);
        if !is_settled || !is_its_own {
            self.fail("the outcome of another");
        }
        self.call(Refusal::Never, || drop(outcome));
    }

    /// Gives the key up, unless someone polls with it just now or its code runs.
    pub(super) fn orphan(self: &Rc<Self>, at: usize) {
        let key = self.ops.borrow_mut()[at].key.take().expect("the model knows who has a key");
        if Rc::strong_count(&key) > 1 || self.is_inside(at) {
            self.ops.borrow_mut()[at].key = Some(key);
            return;
        }
        let is_over = self.model(|model| model.orphan(at));
        self.call(Refusal::Never, || key.orphan(&self.table));
        let record = &self.model.borrow().records[at];
        if is_over && !record.is_dropped {
            self.fail("it was over, and is not dropped");
        }
        if !record.parts.is_empty() {
            self.fail("no one was given its parts");
        }
    }

    pub(super) fn cancel(self: &Rc<Self>, at: usize) {
        let is_refused = {
            let record = &self.model.borrow().records[at];
            record.is_inside && record.is_in_flight()
        };
        if !is_refused {
            self.model(|model| model.want_cancel(at));
        }
        let key = self.key(at);
        self.call(Refusal::must_if(is_refused), || key.cancel(&self.table));
    }

    pub(super) fn with_op(self: &Rc<Self>, at: usize) {
        let (key, is_inside) = (self.key(at), self.is_inside(at));
        self.call(Refusal::must_if(is_inside), || {
            key.with_op(&self.table, &mut |places| {
                if places != self.ops.borrow()[at].places {
                    self.fail("the operation has moved");
                }
                self.inside(at, || self.act());
            });
        });
    }

    /// From here on no one uses the key, which is as if it had been forgotten.
    pub(super) fn forget(self: &Rc<Self>, at: usize) {
        self.model(|model| model.records[at].is_forgotten = true);
    }
}
