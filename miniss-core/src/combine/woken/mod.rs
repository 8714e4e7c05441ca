//! Which parts of a whole were woken: a waker for each, so that one wake costs one poll.
//!
//! `part's waker ─▶ [woken] ─▶ waker of the whole ─▶ run queue ─▶ when_all polls that part`
//!
//! A few futures share the waker of the task that they run in, and all of them are polled whenever
//! it is woken. For a thousand that would be a thousand polls for each wake. So where there are
//! more than [`FEW`], each has a waker of its own, which notes its part, and wakes the whole.
//!
//! - `list`: blocks of parts, their wakers, and the list of those that were woken
//! - `whole`: the waker of the whole, which any thread may take
//!
//! # What a poll of the whole costs
//!
//! At most [`POLLS_MAX`] parts are polled, each once, in the order of their numbers. Those that are
//! left come first in the next poll, for which the whole wakes itself. So no part keeps another
//! from its poll, nor the whole the other tasks, whatever it does. Wakes are counted once: a part
//! that was woken ten times is polled once.
//!
//! # Invariants
//!
//! - **Blocks last as long as their owner.** A [`Woken`] keeps a share in each of its blocks, and
//!   only blocks of its own stand in its list. So whatever its list leads to is there.

mod list;
#[cfg(all(test, loom))]
mod loom;
mod whole;

use alloc::vec::Vec;
use core::task::{Context, Waker};

pub(crate) use self::list::budget_of;
use self::list::{Block, Hub, PARTS, waker};
use crate::coop;
use crate::prim::Arc;

/// So many parts share the waker of the whole; it takes no memory, and polls all of them.
pub(super) const FEW: usize = 8;

/// So many parts are polled in one poll of the whole.
pub(super) const POLLS_MAX: usize = 128;

/// The parts that were woken and not polled since.
pub(super) struct Woken {
    hub: Arc<Hub>,
    /// The waker that was registered last.
    whole: Option<Arc<Waker>>,
    /// *Blocks last as long as their owner*. Part `n` is in block `n / PARTS`.
    blocks: Vec<Arc<Block>>,
    /// Blocks that were taken from the list and are to be looked at, the next one last.
    round: Vec<usize>,
    /// The block that is being looked at, and which of its parts are left.
    block: usize,
    parts: usize,
    /// In this poll the list is not looked at: what is left from the one before comes first.
    is_behind: bool,
    polls_left: usize,
}

impl Woken {
    /// `count` parts, all of which are to be polled.
    pub(super) fn new(count: usize) -> Self {
        let hub = Arc::new(Hub::new());
        let all_of =
            |first: usize| usize::MAX >> (usize::BITS as usize - (count - first).min(PARTS));
        let blocks: Vec<_> = (0..count)
            .step_by(PARTS)
            .map(|first| Block::new(&hub, first / PARTS, all_of(first)))
            .collect();
        let round = (0..blocks.len()).rev().collect();
        let (block, parts, is_behind, polls_left) = (0, 0, false, 0);
        Self { hub, whole: None, blocks, round, block, parts, is_behind, polls_left }
    }

    /// Begins a poll of the whole, of which `waker` is to be woken from now on.
    pub(super) fn begin(&mut self, waker: &Waker) {
        self.register(waker);
        self.hub.budget.set(coop::budget_of(waker));
        self.polls_left = POLLS_MAX;
        self.is_behind = self.has_more();
        if !self.is_behind {
            self.take_list();
        }
    }

    fn register(&mut self, waker: &Waker) {
        let known = self.whole.take().filter(|known| known.will_wake(waker));
        let whole = known.unwrap_or_else(|| Arc::new(waker.clone()));
        self.hub.whole.put(&whole);
        self.whole = Some(whole);
    }

    /// The next part to be polled in this poll of the whole.
    pub(super) fn next(&mut self) -> Option<usize> {
        if self.polls_left == 0 {
            return None;
        }
        while self.parts == 0 {
            self.next_block()?;
        }
        self.polls_left -= 1;
        let part = self.parts.trailing_zeros() as usize;
        self.parts &= self.parts - 1;
        Some(self.block * PARTS + part)
    }

    /// Goes on to the next block; `None` if there is none.
    fn next_block(&mut self) -> Option<()> {
        self.block = self.round.pop()?;
        self.parts = self.blocks[self.block].take_parts();
        Some(())
    }

    /// Whether parts are left in this round.
    fn has_more(&self) -> bool {
        self.parts != 0 || !self.round.is_empty()
    }

    /// Moves the list to `round`.
    fn take_list(&mut self) {
        let round = &mut self.round;
        // SAFETY: *Blocks last as long as their owner*.
        unsafe { self.hub.take_all(|block| round.push(block)) };
        round.sort_unstable_by(|a, b| b.cmp(a));
    }

    /// Ends a poll of the whole. If parts are left, it is woken to go on with them.
    pub(super) fn end(&self, waker: &Waker) {
        if self.has_more() || self.is_behind && !self.hub.is_empty() {
            waker.wake_by_ref();
        }
    }

    /// Polls one part, with a waker of its own.
    pub(super) fn poll<R>(&self, part: usize, poll: impl FnOnce(&mut Context<'_>) -> R) -> R {
        let waker = waker(&self.blocks[part / PARTS], part % PARTS);
        poll(&mut Context::from_waker(&waker))
    }

    /// One part more, which the caller polls first.
    pub(super) fn add(&mut self, part: usize) {
        if part / PARTS == self.blocks.len() {
            self.blocks.push(Block::new(&self.hub, self.blocks.len(), 0));
        }
    }
}

impl Drop for Woken {
    /// Whoever still has a part's waker wakes nothing from now on.
    fn drop(&mut self) {
        drop(self.hub.whole.take());
    }
}

#[cfg(all(test, not(loom)))]
mod tests;
