//! Operations that tell the model of all that happens to them, in each size and alignment that a
//! table treats in a way of its own, with and without the functions that have a default.

#![forbid(unsafe_code)]

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::task::{Context, Poll};

use miniss_core::op::{Completion, Memory, OpKey, OpTable, Operation, Part};

use super::model::Moment;
use super::world::World;

/// What all operations have. It is the payload: dropped once, and never before its time.
pub(super) struct Core<M: Memory> {
    world: Rc<World<M>>,
    at: usize,
    /// On the heap, where a sanitizer sees a write that comes too late.
    buffer: Box<[Cell<u8>; 24]>,
}

impl<M: Memory> Core<M> {
    pub(super) fn new(world: &Rc<World<M>>, at: usize) -> Self {
        Self { world: world.clone(), at, buffer: Box::new([const { Cell::new(0) }; 24]) }
    }
}

impl<M: Memory> Drop for Core<M> {
    fn drop(&mut self) {
        self.world.dropping(self.at);
    }
}

/// What a future collects: the payload.
pub(super) struct Outcome<M: Memory>(Core<M>);

impl<M: Memory> Outcome<M> {
    /// Whether it is that of an operation.
    pub(super) fn is_of(&self, at: usize) -> bool {
        self.0.at == at
    }
}

/// An operation that has all functions of its own, and takes `N` bytes and 24 more.
pub(super) struct Own<M: Memory, const N: usize> {
    core: Core<M>,
    bytes: [Cell<u8>; N],
}

impl<M: Memory, const N: usize> From<Core<M>> for Own<M, N> {
    fn from(core: Core<M>) -> Self {
        Self { core, bytes: [const { Cell::new(0) }; N] }
    }
}

impl<M: Memory, const N: usize> Own<M, N> {
    fn assert_intact(&self) {
        self.core.world.assert_intact(self.core.at, &[&self.bytes, &*self.core.buffer]);
    }
}

impl<M: Memory, const N: usize> Operation for Own<M, N> {
    type Output = Outcome<M>;

    fn settle(self, end: Completion) -> Outcome<M> {
        self.assert_intact();
        self.core.world.settled(self.core.at, end, Some(Moment::Settle));
        Outcome(self.core)
    }

    fn settle_orphan(self, end: Completion) {
        self.assert_intact();
        self.core.world.settled(self.core.at, end, Some(Moment::SettleOrphan));
    }

    fn orphan_part(&mut self, part: Completion) {
        self.assert_intact();
        self.core.world.given(self.core.at, part, Some(Moment::OrphanPart));
    }

    fn refuse_part(&mut self, part: Completion) {
        self.assert_intact();
        self.core.world.given(self.core.at, part, Some(Moment::RefusePart));
    }

    fn wants_cancel_after(&mut self, part: Completion, waiting: u32) -> bool {
        self.assert_intact();
        self.core.world.asked(self.core.at, part, waiting)
    }
}

/// An operation that leaves to the trait whatever it may, but for parts, which it must not lose.
pub(super) struct Plain<M: Memory, const N: usize>(Own<M, N>);

impl<M: Memory, const N: usize> From<Core<M>> for Plain<M, N> {
    fn from(core: Core<M>) -> Self {
        Self(core.into())
    }
}

impl<M: Memory, const N: usize> Operation for Plain<M, N> {
    type Output = Outcome<M>;

    fn settle(self, end: Completion) -> Outcome<M> {
        self.0.assert_intact();
        self.0.core.world.settled(self.0.core.at, end, None);
        Outcome(self.0.core)
    }

    fn orphan_part(&mut self, part: Completion) {
        self.0.assert_intact();
        self.0.core.world.given(self.0.core.at, part, None);
    }
}

/// An operation that has to lie at a multiple of 256.
#[repr(align(256))]
pub(super) struct Aligned<M: Memory>(Plain<M, 8>);

impl<M: Memory> From<Core<M>> for Aligned<M> {
    fn from(core: Core<M>) -> Self {
        Self(core.into())
    }
}

impl<M: Memory> Operation for Aligned<M> {
    type Output = Outcome<M>;

    fn settle(self, end: Completion) -> Outcome<M> {
        self.0.settle(end)
    }

    fn orphan_part(&mut self, part: Completion) {
        self.0.orphan_part(part);
    }
}

/// Where an operation lies, and its buffer: what the kernel may write to.
pub(super) type Places = [*const [Cell<u8>]; 2];

/// An operation that says where it lies.
pub(super) trait HasPlaces<M: Memory>: Operation<Output = Outcome<M>> {
    fn places(&self) -> Places;
}

impl<M: Memory, const N: usize> HasPlaces<M> for Own<M, N> {
    fn places(&self) -> Places {
        [&self.bytes, &*self.core.buffer]
    }
}

impl<M: Memory, const N: usize> HasPlaces<M> for Plain<M, N> {
    fn places(&self) -> Places {
        self.0.places()
    }
}

impl<M: Memory> HasPlaces<M> for Aligned<M> {
    fn places(&self) -> Places {
        self.0.places()
    }
}

/// A key whose type is not known any more.
pub(super) trait Key<M: Memory> {
    fn poll(&self, table: &OpTable<M>, cx: &mut Context<'_>) -> Poll<Outcome<M>>;
    fn poll_part(&self, table: &OpTable<M>, cx: &mut Context<'_>) -> Poll<Part<Outcome<M>>>;
    fn cancel(&self, table: &OpTable<M>);
    fn with_op(&self, table: &OpTable<M>, f: &mut dyn FnMut(Places));
    /// To be called by the only one who has the key.
    fn orphan(self: Rc<Self>, table: &OpTable<M>);
}

impl<M: Memory, O: HasPlaces<M>> Key<M> for OpKey<O> {
    fn poll(&self, table: &OpTable<M>, cx: &mut Context<'_>) -> Poll<Outcome<M>> {
        table.poll(self, cx)
    }

    fn poll_part(&self, table: &OpTable<M>, cx: &mut Context<'_>) -> Poll<Part<Outcome<M>>> {
        table.poll_part(self, cx)
    }

    fn cancel(&self, table: &OpTable<M>) {
        table.cancel(self);
    }

    fn with_op(&self, table: &OpTable<M>, f: &mut dyn FnMut(Places)) {
        table.with_op(self, |op| f(op.places()));
    }

    fn orphan(self: Rc<Self>, table: &OpTable<M>) {
        table.orphan(Rc::into_inner(self).expect("no one else has the key"));
    }
}

/// What the code of operations does.
impl<M: Memory> World<M> {
    /// The kernel's last write is there, and nothing else.
    pub(super) fn assert_intact(&self, at: usize, places: &[&[Cell<u8>]]) {
        let written = self.ops.borrow()[at].written;
        if places.iter().flat_map(|place| place.iter()).any(|byte| byte.get() != written) {
            self.fail("the operation's memory is not what the kernel wrote");
        }
    }

    fn settled(self: &Rc<Self>, at: usize, end: Completion, moment: Option<Moment>) {
        self.model(|model| model.settle(at, end, moment));
        self.ops.borrow_mut()[at].key = None;
        self.act_at(at, moment.unwrap_or(Moment::Settle));
    }

    fn given(self: &Rc<Self>, at: usize, part: Completion, moment: Option<Moment>) {
        self.model(|model| model.give_part(at, part, moment));
        self.inside(at, || self.act_at(at, moment.unwrap_or(Moment::OrphanPart)));
    }

    fn asked(self: &Rc<Self>, at: usize, part: Completion, waiting: u32) -> bool {
        self.model(|model| model.ask(at, part, waiting));
        self.inside(at, || self.act_at(at, Moment::Asked));
        let has_enough = waiting >= self.ops.borrow()[at].parts_max;
        if has_enough {
            self.model(|model| model.list_cancel(at));
        }
        has_enough
    }

    /// The operation is dropped: last of all its slot is free, if it still has that.
    fn dropping(self: &Rc<Self>, at: usize) {
        self.model(|model| model.drop(at));
        let result = catch_unwind(AssertUnwindSafe(|| self.act_at(at, Moment::Drop)));
        self.model(|model| model.records[at].holds_slot = false);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    }

    /// Runs code that has the operation borrowed.
    pub(super) fn inside(&self, at: usize, f: impl FnOnce()) {
        self.model(|model| model.records[at].is_inside = true);
        let result = catch_unwind(AssertUnwindSafe(f));
        self.model(|model| model.records[at].is_inside = false);
        if let Err(payload) = result {
            resume_unwind(payload);
        }
    }

    fn act_at(self: &Rc<Self>, at: usize, moment: Moment) {
        let moments = self.ops.borrow()[at].moments;
        if moments & moment as u8 != 0 {
            self.act();
        }
    }
}
