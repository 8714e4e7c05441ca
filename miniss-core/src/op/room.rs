//! All slots and parts of a table, and the memory they came from.

use super::boxed::Blocks;
use super::memory::Source;
use super::part::Node;
use super::pool::{Element, Pool};
use super::slot::{Completion, Slot, Stage};

/// The slots, parts and blocks of one table.
pub struct Room<M: Source> {
    pub(super) slots: Pool<Slot>,
    pub(super) parts: Pool<Node>,
    pub(super) blocks: Blocks,
    pub(super) memory: M,
}

impl<M: Source> Room<M> {
    /// Room in `memory`, of which nothing has been taken yet.
    pub(super) const fn new(memory: M) -> Self {
        Self { slots: Pool::new(), parts: Pool::new(), blocks: Blocks::new(), memory }
    }

    #[inline]
    pub(super) fn take_slot(&self) -> Option<(u32, &Slot)> {
        match self.slots.take() {
            None => take_new::<M, _>(&self.slots),
            taken => taken,
        }
    }

    /// Keeps a part until it is collected; `false` if there is no room.
    #[inline]
    #[must_use]
    pub(super) fn push_part(&self, slot: &Slot, part: Completion) -> bool {
        let node = match self.parts.take() {
            None => take_new::<M, _>(&self.parts),
            taken => taken,
        };
        let Some(node) = node else { return false };
        slot.parts.push(&self.parts, node, part);
        true
    }

    #[inline]
    pub(super) fn pop_part(&self, slot: &Slot) -> Option<Completion> {
        slot.parts.pop(&self.parts)
    }
}

#[cold]
#[inline(never)]
fn take_new<M: Source, T: Element>(pool: &Pool<T>) -> Option<(u32, &T)> {
    let new = pool.take_new();
    if new.is_none() && M::grow(pool) { pool.take_new() } else { new }
}

impl<M: Source> Drop for Room<M> {
    /// Slots are given back unless an operation is in flight or uncollected: then the kernel may
    /// still write there, or someone's payload is there.
    fn drop(&mut self) {
        let idle = self.slots.iter().all(|slot| slot.stage.get() == Stage::Free);
        // SAFETY: the room is gone after this. *Owned while in flight*: in a free slot there is no
        // operation.
        unsafe { M::give_back(self, idle) };
    }
}
